"""The only module that touches ``st.session_state``: who works here, which articles are selected, which signal is open.

The selection holds article ids, or a filter and what it matched when it was chosen, never positions in a table; so neither
paging nor a changed filter can make it mean other articles.
"""

import uuid
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import streamlit as st
from sqlalchemy.orm import Session
from streamlit.elements.arrow import DataframeStateInput

from console import person
from console.resources import change, open_desk, settings
from core.access import Actor, local
from core.article_filter import ArticleFilter
from core.selection import Selection
from core.signal_filter import SignalFilter

T = TypeVar("T")

_IDS = "selected_article_ids"
_FILTER = "selected_filter"
_LAUNCH = "launch_key"
_FLASH = "flash"
_RUN = "last_run"
_IMPORT = "dismissed_import"
_PAGE = "page_shown"
_NAME = "reviewer_name"
_ACTOR = "looking_as"
NAME_FIELD = "reviewing-as"
_DESK = "review_desk"
_GENERATION = "table_generation"
_VIEW = "selected_view"
_ARCHIVED = "archived_last"
_UNDO = "before-last"
ONE_PER_STORY = "one-per-story"
"""The key of the switch beside the cost: of the selection a launch takes one article a story."""


def actor() -> Actor:
    """Who acts in this browser session: who is signed in, with the role they have at this moment; without sign-in whoever sits there.

    Raises:
        NotAllowed: people sign in here, and nobody who has a role did.
    """
    return open_desk().transaction(_actor)


def act(work: Callable[[Session, Actor], T]) -> T:
    """Change something as who sits here: what they may do is read in the transaction that does it.

    Raises:
        NotAllowed: as ``actor``, or they may not do this.
        DatabaseUnavailable: the database is away.
    """
    return change(lambda session: work(session, _actor(session)))


def _actor(session: Session) -> Actor:
    environment = open_desk().environment
    if environment.signs_in:
        return person.actor_of(person.signed_in(), session, environment)
    return local(st.session_state.get(_NAME) or environment.user)


def arrive_as(who: Actor | None) -> None:
    """Remember what the page that is drawn may offer; whatever is done asks again (``actor``)."""
    st.session_state[_ACTOR] = who


def looking() -> Actor:
    """Who the page is drawn for."""
    return st.session_state.get(_ACTOR) or actor()


def rename() -> None:
    """Work under the name in ``NAME_FIELD`` in this browser session; an empty one is that of the settings."""
    st.session_state[_NAME] = " ".join(st.session_state[NAME_FIELD].split())[:100]
    st.session_state[NAME_FIELD] = actor().name


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


def select_on_page(page_ids: Iterable[int], ticked: Iterable[int], matched: Container[int] = ()) -> None:
    """Of the articles on the page in view, exactly ``ticked`` are selected now; those of other pages stay as they are.

    ``matched`` are those of the page that all-that-match stands for, where that was chosen.
    """
    on_page, chosen = list(page_ids), list(ticked)
    held: ArticleFilter | None = st.session_state.get(_FILTER)
    if held is None:
        _set([*_without(selected_ids(), on_page), *chosen], None)
        return
    left_out = [one for one in on_page if one in matched and one not in chosen]
    added = [one for one in chosen if one not in matched]
    changes = {
        "excluded": (*_without(held.excluded, on_page), *left_out),
        "besides": (*_without(held.besides, on_page), *added),
    }
    _set([], held.model_copy(update=changes))


def _without(ids: Iterable[int], others: Container[int]) -> list[int]:
    return [one for one in ids if one not in others]


def at_first(table_key: str, ticked: list[int], cell: tuple[int, str] | None) -> DataframeStateInput:
    """What a table begins with, ticks and the cell in view: the same value for as long as that table lives, as Streamlit wants it."""
    name = f"{table_key}-at-first"
    if table_key not in st.session_state:
        st.session_state[name] = {"selection": {"rows": ticked, "cells": [cell] if cell else []}}
        st.session_state[f"{table_key}-cell"] = cell
    return st.session_state[name]


def ticked_rows(table_key: str) -> list[int]:
    """Positions of the rows that are ticked in a table."""
    return list(st.session_state[table_key].selection.rows)


def newly_clicked(table_key: str) -> int | None:
    """The row of the cell that was clicked just now, if one was; a tick beside it does not count."""
    cells = st.session_state[table_key].selection.get("cells") or []
    cell = tuple(cells[0]) if cells else None
    before, st.session_state[f"{table_key}-cell"] = st.session_state.get(f"{table_key}-cell"), cell
    return cell[0] if cell and cell != before else None


def point_at(table_key: str, cell: tuple[int, str]) -> None:
    """Move a table's cursor; the ticks stay."""
    if table_key in st.session_state:
        st.session_state[table_key] = {"selection": {"rows": ticked_rows(table_key), "cells": [cell]}}
        st.session_state[f"{table_key}-cell"] = cell


def table_generation() -> int:
    """Goes up when the selection is changed from outside the table, so that the table is made anew."""
    return st.session_state.get(_GENERATION, 0)


def select_matching(article_filter: ArticleFilter) -> None:
    """Select all that match this filter, whatever is shown later."""
    _set([], article_filter)
    st.session_state[_GENERATION] = table_generation() + 1


def clear_selection() -> None:
    _set([], None)
    st.session_state[_VIEW] = None
    st.session_state[_GENERATION] = table_generation() + 1


def show_selected(article_filter: ArticleFilter) -> None:
    """List only what is selected now, in place of what ``article_filter`` shows; unticking takes no row away."""
    held = st.session_state.get(_FILTER) or ArticleFilter(
        ready_only=False, ids=selected_ids(), priority_first=article_filter.priority_first, order=article_filter.order
    )
    st.session_state[_VIEW] = (article_filter, held)


def selected_view(article_filter: ArticleFilter) -> ArticleFilter | None:
    """What ``show_selected`` asked for, until the filter is changed or the list asked for again."""
    asked, held = st.session_state.get(_VIEW) or (None, None)
    return held if asked == article_filter else None


def show_list() -> None:
    """List what the filter shows again."""
    st.session_state[_VIEW] = None


def archived_last() -> tuple[int, ...]:
    """What was archived here last: what an undo takes back."""
    return st.session_state.get(_ARCHIVED, ())


def keep_archived(ids: Iterable[int]) -> None:
    """Remember what was archived, for the undo; nothing after one."""
    st.session_state[_ARCHIVED] = tuple(ids)


def launch_key() -> str:
    """The idempotency key of the selection as it stands: two clicks on Analyze carry the same one."""
    return st.session_state.setdefault(_LAUNCH, uuid.uuid4().hex)


def keep_run(batch_id: int) -> None:
    """Remember the batch that was launched here last."""
    st.session_state[_RUN] = batch_id


def last_run() -> int | None:
    """The batch that was launched here last, if any."""
    return st.session_state.get(_RUN)


def dismiss_import(started: datetime) -> None:
    """Show no more of the import that began then, in this browser session."""
    st.session_state[_IMPORT] = started


def dismissed_import() -> datetime | None:
    """The beginning of the import that was dismissed here last."""
    return st.session_state.get(_IMPORT)


def page_shown() -> str:
    """The address of the page that is shown; empty for the Overview."""
    return str(st.session_state.get(_PAGE, ""))


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


def put(widget: str, value: object) -> None:
    """What a widget that is not drawn yet is to show."""
    st.session_state[widget] = value


def to_address(name: str, widget: str, default: object = None) -> None:
    """Write what a widget shows into the address; its default is left out."""
    value = st.session_state[widget]
    if value and value != default:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def from_address(name: str, widget: str, values: Iterable[str]) -> None:
    """Have a widget of several choices, not drawn yet, show those of ``values`` that the address names."""
    asked = st.query_params.get_all(name)
    put(widget, [value for value in values if value in asked])


def swap(one: str, other: str) -> None:
    """Exchange what two widgets show."""
    st.session_state[one], st.session_state[other] = st.session_state[other], st.session_state[one]


def forget(widget: str) -> None:
    """Have a widget start from its default again."""
    st.session_state.pop(widget, None)


def arrive(page: str, filters: Iterable[str]) -> None:
    """Have a link that says what to show of ``page`` show just that, whatever was chosen there before.

    Of the page's ``filters`` those that the link does not carry start from their defaults. One that carries nothing, such as the
    navigation's, leads back to the page as it was left.
    """
    before, st.session_state[_PAGE] = st.session_state.get(_PAGE), page
    if before is not None and before != page and st.query_params:
        for widget in filters:
            if widget not in st.query_params:
                forget(widget)


def begin_anew(defaults: Mapping[str, object], query: Mapping[str, str]) -> None:
    """Have the page in view start from its ``defaults``, by widget, and what ``query`` says. From a button's callback: before widgets
    are drawn. A widget that is only forgotten goes on showing in the browser what it showed."""
    for widget, value in defaults.items():
        if widget in st.session_state:
            put(widget, value)
    st.query_params.from_dict(query)


def keep_undo(what: str, before: Any) -> None:
    """Remember what stood before the last change of ``what`` in this browser session; None forgets it."""
    st.session_state[f"{_UNDO}-{what}"] = before


def undo_of(what: str) -> Any:
    """What stood before the last change of ``what``; None when there is nothing to take back."""
    return st.session_state.get(f"{_UNDO}-{what}")


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
