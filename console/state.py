"""The only module that touches ``st.session_state``: who works here, which articles are selected, which signal is open.

The selection holds article ids, or a filter and what it matched when it was chosen, never positions in a table; so neither
paging nor a changed filter can make it mean other articles.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

import streamlit as st

from console.resources import settings
from core.selection import ArticleFilter, Selection
from core.signal_filter import SignalFilter

_IDS = "selected_article_ids"
_FILTER = "selected_filter"
_LAUNCH = "launch_key"
_FLASH = "flash"
_RUN = "last_run"
_NAME = "reviewer_name"
NAME_FIELD = "reviewing-as"
_DESK = "review_desk"
_GENERATION = "table_generation"
ONE_PER_STORY = "one-per-story"
"""The key of the switch beside the cost: of the selection a launch takes one article a story."""


def user() -> str:
    """The name that reviews and launches carry."""
    return st.session_state.get(_NAME) or settings().user


def rename() -> None:
    """Work under the name in ``NAME_FIELD`` in this browser session; an empty one is that of the settings."""
    st.session_state[_NAME] = " ".join(st.session_state[NAME_FIELD].split())[:100]
    st.session_state[NAME_FIELD] = user()


def blind_share() -> float:
    """Share of the undecided signals whose verdict is hidden here."""
    return settings().blind_share


def selected_ids() -> tuple[int, ...]:
    """Articles selected one by one, over all pages."""
    return tuple(st.session_state.get(_IDS, ()))


def selection() -> Selection:
    """What would be launched now."""
    one_per_story = bool(st.session_state.get(ONE_PER_STORY))
    if chosen := st.session_state.get(_FILTER):
        return Selection.of_filter(chosen, one_per_story=one_per_story)
    return Selection.of_ids(selected_ids(), one_per_story=one_per_story)


def select_on_page(page_ids: Iterable[int], chosen: Iterable[int]) -> None:
    """Of the articles on the page in view, exactly ``chosen`` are selected now; those of other pages stay as they are."""
    on_page = set(page_ids)
    kept = [article_id for article_id in selected_ids() if article_id not in on_page]
    _set([*kept, *chosen], None)


def ticked_at_first(table_key: str, page_ids: list[int]) -> list[int]:
    """Positions to tick when a table is first shown: the same value for as long as that table lives, as Streamlit wants it."""
    name = f"{table_key}-ticked"
    if table_key not in st.session_state:
        chosen = set(selected_ids())
        st.session_state[name] = [position for position, article_id in enumerate(page_ids) if article_id in chosen]
    return st.session_state[name]


def table_generation() -> int:
    """Goes up when the selection is changed from outside the table, so that the table is made anew."""
    return st.session_state.get(_GENERATION, 0)


def select_matching(article_filter: ArticleFilter) -> None:
    """Select all that match this filter, whatever is shown later."""
    _set([], article_filter)
    st.session_state[_GENERATION] = table_generation() + 1


def clear_selection() -> None:
    _set([], None)
    st.session_state[_GENERATION] = table_generation() + 1


def launch_key() -> str:
    """The idempotency key of the selection as it stands: two clicks on Analyze carry the same one."""
    return st.session_state.setdefault(_LAUNCH, uuid.uuid4().hex)


def keep_run(batch_id: int) -> None:
    """Remember the batch that was launched here last."""
    st.session_state[_RUN] = batch_id


def last_run() -> int | None:
    """The batch that was launched here last, if any."""
    return st.session_state.get(_RUN)


def clear_widgets(*keys: str) -> None:
    """Empty these widgets; for the callback of a button."""
    for key in keys:
        st.session_state[key] = None


def page_number(table: str) -> int:
    """The page of a table that is in view, from 0."""
    return int(st.session_state.get(f"page-{table}", 0))


def turn_to(table: str, page: int) -> None:
    """Show another page of a table."""
    st.session_state[f"page-{table}"] = page


def written(widget: str) -> str:
    """What stands in a text field, without the space around it."""
    return str(st.session_state.get(widget) or "").strip()


def forget(widget: str) -> None:
    """Have a widget start from its default again."""
    st.session_state.pop(widget, None)


@dataclass
class ReviewDesk:
    """What one browser session did in the review queue: which signals it was shown, and what it decided."""

    trail: list[int] = field(default_factory=list)
    """Signals shown, in order; ``at`` is the place in it that is in view."""
    at: int = -1
    acts: list[tuple[int, int]] = field(default_factory=list)
    """Signal and act of each thing done, oldest first: what undo takes back."""
    chosen: SignalFilter | None = None
    """The filter that the trail was made with."""
    note_wanted: int = 0
    """Goes up each time the cursor is to go to the note of the signal in view."""

    @property
    def current(self) -> int | None:
        return self.trail[self.at] if 0 <= self.at < len(self.trail) else None

    def begin(self, chosen: SignalFilter) -> None:
        """Go through the queue from its start; what was done stays undoable."""
        self.trail, self.at, self.chosen, self.note_wanted = [], -1, chosen, 0

    def show(self, signal_id: int) -> None:
        """Bring a signal into view, as the newest of the trail unless it is there already."""
        if signal_id in self.trail:
            self.at = self.trail.index(signal_id)
        else:
            self.trail.append(signal_id)
            self.at = len(self.trail) - 1


def review_desk() -> ReviewDesk:
    """This browser session's place in the review queue."""
    return st.session_state.setdefault(_DESK, ReviewDesk())


def flash(message: str, icon: str = ":material/check:") -> None:
    """Say something after the next rerun."""
    st.session_state[_FLASH] = (message, icon)


def show_flash() -> None:
    """Show what was to be said, once."""
    if waiting := st.session_state.pop(_FLASH, None):
        message, icon = waiting
        st.toast(message, icon=icon)


def _set(ids: list[int], article_filter: ArticleFilter | None) -> None:
    changed = tuple(ids) != selected_ids() or article_filter != st.session_state.get(_FILTER)
    st.session_state[_IDS] = tuple(ids)
    st.session_state[_FILTER] = article_filter
    if changed:
        st.session_state[_LAUNCH] = uuid.uuid4().hex
