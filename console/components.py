"""Pieces that several pages share: the sidebar, errors, badges, downloads, empty states."""

import hashlib
import logging
from collections.abc import Callable
from typing import TypeVar

import streamlit as st
from pydantic import BaseModel
from sqlalchemy.orm import Session

from console import state
from console.colours import BADGES, KIND_ICONS, KIND_NAMES
from console.navigation import to
from console.resources import open_desk, read
from console.words import money, plain
from core.agents.outputs import SignalKind
from core.budget import Alert, BudgetState, current_alerts, current_budgets
from core.clock import utc_now
from core.errors import BudgetExceeded, DatabaseUnavailable, DeskError
from core.paging import FIRST, Count, Page, Place
from core.settings import OFFLINE_MODEL, Settings

logger = logging.getLogger(__name__)
R = TypeVar("R")
PLACE = "at"
"""The part of the address that says which page of a list is in view."""


def show_error(error: Exception) -> bool:
    """What a person sees of an error: a refusal in its own words, anything else as a number to look up in the log."""
    if isinstance(error, DatabaseUnavailable):
        st.error(str(error), icon=":material/cloud_off:")
        st.caption("Nothing is lost: work in flight waits for the database. This page works again as soon as it answers.")
        st.button("Try again", icon=":material/refresh:")
    elif isinstance(error, BudgetExceeded):
        st.warning(str(error), icon=":material/payments:")
    elif isinstance(error, DeskError):
        st.warning(str(error), icon=":material/info:")
    else:
        reference = f"{utc_now():%H%M%S%f}"
        logger.error("page failed (%s)", reference, exc_info=error)
        st.error(f"Something went wrong that should not have. It is in the log under {reference}.", icon=":material/bug_report:")
    return True


def attempt(action: Callable[[], object]) -> bool:
    """Do what a button asks for; a refusal is shown in place. Returns whether it was done."""
    try:
        action()
    except DeskError as error:
        show_error(error)
        return False
    return True


def style() -> None:
    """Less empty space than Streamlit's default: an analyst wants rows."""
    st.html("<style>.stMainBlockContainer{padding:2.2rem 2.2rem 3rem}.stSidebar [data-testid=stSidebarHeader]{height:2.4rem}</style>")


def sidebar() -> None:
    """What every page shows: what the desk works with, and how far today's money reaches."""
    with st.sidebar:
        st.markdown("#### :material/radar: Signal Desk")
        try:
            now, states, alerts = read(_sidebar_facts)
        except DeskError as error:
            show_error(error)
            st.stop()
        model = "offline rules" if now.resolved_model == OFFLINE_MODEL else now.resolved_model
        research = "archive" if now.resolved_research == "archive" else "web (Tavily) and archive"
        st.caption(f"Model: **{model}**  \nResearch: **{research}**  \nTimes are in UTC.")
        budget_meter(states[0])
        for alert in alerts:
            st.warning(plain(str(alert)), icon=":material/notifications:")


def _sidebar_facts(session: Session) -> tuple[Settings, list[BudgetState], list[Alert]]:
    now, moment = open_desk().settings(session), utc_now()
    return now, current_budgets(session, now, moment), current_alerts(session, moment)


def filter_key(chosen: BaseModel) -> str:
    """A short name for a filter, for the keys of what shows its rows: another filter, another table."""
    return hashlib.sha256(chosen.model_dump_json().encode()).hexdigest()[:12]


def budget_meter(budget: BudgetState) -> None:
    """One budget as a bar with its figures; coloured words from 67 % on."""
    share = budget.share_used
    colour = "red" if share >= 0.83 else "orange" if share >= 0.67 else "gray"
    reserved = f", {money(budget.reserved)} reserved" if budget.reserved else ""
    st.progress(min(share, 1.0), text=f":{colour}[{budget.label}: {money(budget.spent)} of {money(budget.limit)}{reserved}]")


def badge(value: object) -> None:
    """A verdict, decision or status in its colour."""
    name, colour, icon = BADGES[value]  # type: ignore[index]
    st.badge(name, color=colour, icon=icon)  # type: ignore[arg-type]


def kind_label(kind: SignalKind) -> str:
    return f"{KIND_ICONS[kind]} {KIND_NAMES[kind]}"


def empty(message: str, page: str | None = None, label: str = "") -> None:
    """Nothing to show: say what to do next, with the way there."""
    with st.container(border=True):
        st.markdown(message)
        if page:
            st.page_link(to(page), label=label, icon=":material/arrow_forward:")


def paged(found: Count, key: str, fetch: Callable[[Place], Page[R]]) -> Page[R]:
    """The page of a list that the address names, with the way to those beside it; ``key`` is the list's name, filter included.

    The address has the place as a row's key, so a reload shows the same rows, however many came before them meanwhile.
    """
    name, _, token = st.query_params.get(PLACE, "").partition(".")
    place = Place.of_token(token) if name == key else FIRST
    page = fetch(place)
    if not page.rows and place != FIRST:
        page = fetch(FIRST)
    if page.previous is None and page.next is None:
        return page
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    if row.button("Previous", key=f"previous-{key}", icon=":material/chevron_left:", disabled=page.previous is None):
        _turn_to(key, page.previous)
    row.caption(f"{page.position + 1:,} to {page.position + len(page.rows):,} of {found}")
    if row.button("Next", key=f"next-{key}", icon=":material/chevron_right:", disabled=page.next is None):
        _turn_to(key, page.next)
    return page


def _turn_to(key: str, place: Place | None) -> None:
    if place is None or not place.token:
        st.query_params.pop(PLACE, None)
    else:
        st.query_params[PLACE] = f"{key}.{place.token}"
    st.rerun()


def pager(total: int, size: int, key: str, *, exact: bool = True) -> int:
    """Previous and next; returns the page's offset."""
    last = max((total - 1) // size, 0)
    name = f"page-{key}"
    current = min(max(state.page_number(key), 0), last)
    if total <= size:
        return 0
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    if row.button("Previous", key=f"{name}-previous", icon=":material/chevron_left:", disabled=current == 0):
        state.turn_to(key, current - 1)
        st.rerun()
    bound = f"{total:,}" if exact else f"more than {total:,}"
    row.caption(f"{current * size + 1:,} to {min((current + 1) * size, total):,} of {bound}")
    if row.button("Next", key=f"{name}-next", icon=":material/chevron_right:", disabled=current >= last):
        state.turn_to(key, current + 1)
        st.rerun()
    return current * size
