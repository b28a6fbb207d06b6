"""Pieces that several pages share: the sidebar, errors, badges, downloads, empty states."""

import hashlib
import html
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import streamlit as st
from pydantic import BaseModel
from sqlalchemy.orm import Session

from console import scripts, state
from console.colours import KIND_COLOURS, KIND_ICONS, KIND_NAMES, look
from console.navigation import DEFAULTS, to
from console.resources import open_desk, read
from console.words import money, plain, when
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

STYLE = """<style>
.st-key-unseen{display:none}
.stMainBlockContainer{padding:2.2rem 2.2rem 3rem}
.stSidebar [data-testid=stSidebarHeader]{height:2.4rem}
[data-testid=stMetricValue],[data-testid=stMarkdownContainer],.facts{font-variant-numeric:tabular-nums}
[data-testid^=stBaseButton-primary]:not(:disabled){color:light-dark(#fff,#131416)!important}
:is([data-testid=stDialog],[data-testid=stPopoverBody]){color-scheme:light dark}
a:focus-visible{outline:2px solid currentColor!important;outline-offset:1px}
.facts{margin:0;font-size:.875rem;opacity:.8}
time{text-decoration:underline dotted;text-underline-offset:.2em;cursor:help}
.rows{overflow-x:auto;font-size:.9rem}
.rows table{border-collapse:collapse;width:100%}
.rows th{text-align:left;font-weight:600;white-space:nowrap;opacity:.8}
.rows th,.rows td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent);vertical-align:top}
.rows time,.rows a{white-space:nowrap}
.rows a{color:inherit}
.rows[aria-label="Audit log"] td:nth-child(3){white-space:nowrap}
.rows .number{text-align:right;font-variant-numeric:tabular-nums}
.st-key-run-head h2{padding:0}
:is(.st-key-run-figures,.st-key-ways) :is([data-testid=stPageLink-NavLink],[data-testid=stBaseButton-tertiary]){
min-height:1.75rem;height:1.75rem;padding:0;margin:0}
:is(.st-key-run-figures,.st-key-ways) .stElementContainer:has([data-testid=stPageLink]){margin:0}
.log{max-height:32rem;overflow:auto;font:.8rem/1.5 monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:0}
@media(max-width:640px){
.stHorizontalBlock>.stColumn:has([data-testid=stMetric]){min-width:calc(50% - 1rem)!important;flex:1 1 calc(50% - 1rem)!important}
.stMainBlockContainer{padding:4.2rem 1rem 3rem}
[data-testid=stButtonGroup] div{flex-wrap:wrap}
[class*=st-key-pager-]{max-width:100%;margin-bottom:1.9rem}}
</style>"""


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
    """Less empty space than Streamlit's default: an analyst wants rows. Figures stand under each other. Back leads back."""
    st.html(STYLE)
    with st.sidebar:
        unseen = st.container(key="unseen")
        scripts.run(scripts.BACK_BUTTON, where=unseen)
        scripts.run(scripts.VIEWPORT, where=unseen)


def sidebar(page: str) -> None:
    """What every page shows: what the desk works with, and how far today's money reaches. While the database is away ``page`` is that
    page's title, and what happened stands below it in the page's place."""
    try:
        now, states, alerts = read(_sidebar_facts)
    except DeskError as error:
        st.title(page)
        show_error(error)
        st.stop()
    with st.sidebar:
        st.markdown(":material/radar: **Signal Desk**")
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
    """A verdict, decision, stance, sentiment or status in its colour."""
    name, colour, icon = look(value)
    st.badge(name, color=colour, icon=icon)


def badge_text(value: object) -> str:
    """The same within Markdown, such as in a line with other facts."""
    name, colour, icon = look(value)
    return f":{colour}-badge[{icon} {name}]"


def kind_label(kind: SignalKind) -> str:
    """A kind's icon in its colour, with its name, as Markdown."""
    return f':color[{KIND_ICONS[kind]}]{{foreground="{KIND_COLOURS[kind]}"}} {KIND_NAMES[kind]}'


def facts(*parts: str | datetime | tuple[str, datetime] | None) -> None:
    """One line of small print, such as publisher, time and length; a time is relative, and exact under the pointer, and may have words
    before it. Empty parts are left out. Texts are shown as they are, so they may be hostile."""
    now = utc_now()
    shown = [_fact(part, now) for part in parts if part]
    st.html(f'<p class="facts">{" · ".join(shown)}</p>')


def _fact(part: str | datetime | tuple[str, datetime], now: datetime) -> str:
    if isinstance(part, tuple):
        return f"{html.escape(part[0])} {when(part[1], now)}"
    return when(part, now) if isinstance(part, datetime) else html.escape(part)


Cell = str | int | datetime | tuple[str, str] | None
"""A pair is a link: what it says, and where within the desk it leads."""
CLASS_NUMBER = ' class="number"'


def rows_of_facts(name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A small table that is read rather than worked in: whole numbers to the right, times relative and exact under the pointer, None as
    a dash. Texts are shown as they are, so they may be hostile. ``name`` is for those who hear the page."""
    now = utc_now()
    first = rows[0] if rows else [None] * len(columns)
    head = "".join(
        f'<th scope="col"{CLASS_NUMBER if isinstance(value, int) else ""}>{html.escape(column)}</th>'
        for column, value in zip(columns, first, strict=True)
    )
    body = "".join("<tr>" + "".join(_cell(value, now) for value in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    st.html(f'<div class="rows" role="region" aria-label="{html.escape(name)}" tabindex="0">{table}</div>')


def _cell(value: Cell, now: datetime) -> str:
    if isinstance(value, int):
        return f"<td{CLASS_NUMBER}>{value:,}</td>"
    if isinstance(value, tuple):
        return f'<td><a href="{html.escape(value[1])}" target="_self">{html.escape(value[0])}</a></td>'
    return f"<td>{when(value, now) if isinstance(value, datetime) else '–' if value is None else html.escape(value)}</td>"


def way(page: str, label: str, *, icon: str | None = None, query: Mapping[str, str] | None = None, key: str = "") -> None:
    """The way to a view of a page: a link, or on that page itself a button; ``key`` tells apart those that look alike.

    Streamlit's link to its own page leaves the address as it is (1.67), so that the next click there, or a reload, forgets where it
    led. The page's filters start from their defaults; what ``query`` sets has to be read from the address (``state.from_address``): a
    widget that is bound to it writes there what it shows.
    """
    query = query or {}
    if (state.page_shown() or "overview") != page:
        st.page_link(to(page), label=label, icon=icon, query_params=query)
    elif st.button(
        label, icon=icon, type="tertiary", key=f"way-{key}-{label}-{query}", on_click=state.begin_anew, args=(DEFAULTS.get(page, {}), query)
    ):
        st.rerun()  # all of the page, also from within a part that runs alone


def empty(message: str, page: str | None = None, label: str = "") -> None:
    """Nothing to show: say what to do next, with the way there."""
    with st.container(border=True):
        st.markdown(message)
        if page:
            way(page, label, icon=":material/arrow_forward:", key=message)


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
    row = st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"pager-{key}")
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
