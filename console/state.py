"""The only module that touches ``st.session_state``: who works here, which articles are selected, which signal is open.

The selection holds article ids, or a filter and what it matched when it was chosen, never positions in a table; so neither
paging nor a changed filter can make it mean other articles.
"""

import uuid
from collections.abc import Iterable

import streamlit as st

from console.resources import settings
from core.selection import ArticleFilter, Selection

_IDS = "selected_article_ids"
_FILTER = "selected_filter"
_LAUNCH = "launch_key"
_FLASH = "flash"
_RUN = "opened_run"


def user() -> str:
    """The name that reviews and launches carry."""
    return settings().user


def selected_ids() -> tuple[int, ...]:
    """Articles selected one by one, over all pages."""
    return tuple(st.session_state.get(_IDS, ()))


def selection() -> Selection:
    """What would be launched now."""
    if chosen := st.session_state.get(_FILTER):
        return Selection.of_filter(chosen)
    return Selection.of_ids(selected_ids())


def select_on_page(page_ids: Iterable[int], chosen: Iterable[int]) -> None:
    """Of the articles on the page in view, exactly ``chosen`` are selected now; those of other pages stay as they are."""
    on_page = set(page_ids)
    kept = [article_id for article_id in selected_ids() if article_id not in on_page]
    _set([*kept, *chosen], None)


def select_matching(article_filter: ArticleFilter) -> None:
    """Select all that match this filter, whatever is shown later."""
    _set([], article_filter)


def clear_selection() -> None:
    _set([], None)


def launch_key() -> str:
    """The idempotency key of the selection as it stands: two clicks on Analyze carry the same one."""
    return st.session_state.setdefault(_LAUNCH, uuid.uuid4().hex)


def open_run(batch_id: int) -> None:
    """The Runs page shows this batch when it is opened next."""
    st.session_state[_RUN] = batch_id


def opened_run() -> int | None:
    """The batch that was opened, once."""
    return st.session_state.pop(_RUN, None)


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
