"""The System page's schedule: what the desk does by itself and how it went, the nightly run, and the feeds that are fetched."""

from decimal import Decimal, InvalidOperation
from functools import partial

import streamlit as st

from console import state
from console.components import Cell, attempt, rows_of_facts, show_error
from console.permits import permit
from console.resources import change, read
from core.access import Permission
from core.article_filter import ArticleFilter, Order
from core.articles import publishers
from core.clock import utc_now
from core.errors import DeskError, SettingsError
from core.feeds import FeedRow, add_feed, feeds, remove_feed, switch_feed
from core.nightly import Nightly, nightly_of, save_nightly
from core.schedule import KINDS, Job, JobRow, jobs, run_now, switch

REFRESH_SECONDS = 3.0


def schedule() -> None:
    """The jobs, then what the optional ones do."""
    st.header("Schedule")
    st.caption("Each job is done once, by whichever process comes first. A time that was missed is made up for once. Times are UTC.")
    _table()
    rows = read(jobs)
    if not rows:
        return
    may = state.looking().may(Permission.SETTINGS)
    _switches(rows)
    _nightly(next(row for row in rows if row.name is Job.NIGHTLY), may and state.looking().may(Permission.MONEY))
    _feeds(may)


@st.fragment(run_every=REFRESH_SECONDS)
def _table() -> None:
    try:
        rows = read(jobs)
    except DeskError as error:
        show_error(error)
        return
    if not rows:
        st.info("The schedule has not begun yet; it does within seconds of the console's start.", icon=":material/schedule:")
        return
    lines: list[list[Cell]] = [
        [row.kind.title, _every(row.every_seconds), _how_it_went(row), row.result, row.ended_at, row.next_at if row.enabled else "off"]
        for row in rows
    ]
    rows_of_facts("Schedule", ("Job", "Every", "Last run", "Result", "It ended", "Next"), lines)


def _every(seconds: int) -> str:
    for unit, size in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if seconds % size == 0:
            return unit if seconds == size and unit == "day" else f"{seconds // size} {unit}"
    return f"{seconds} s"


def _how_it_went(row: JobRow) -> str:
    if row.is_running(utc_now()):
        return "running"
    if row.asked_at is not None:
        return "asked for"
    if row.running_owner is not None:
        return "died"
    return "never" if row.failed is None else "failed" if row.failed else "done"


def _switches(rows: list[JobRow]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        for row in (row for row in rows if row.kind.is_optional):
            shown = st.toggle(
                row.kind.title, row.enabled, key=f"job-{row.name}-{row.enabled}", **permit(Permission.SETTINGS, help=row.kind.help)
            )
            if shown != row.enabled and attempt(
                partial(change, partial(switch, name=row.name, enabled=shown, by=state.actor(), now=utc_now()))
            ):
                state.flash(f"{row.kind.title}: {'on' if shown else 'off'}.")
                st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Run now:", width="content")
        for job, kind in KINDS.items():
            use = permit(Permission.SETTINGS, help=f"Now. {kind.help}")
            asked = st.button(kind.title, key=f"job-now-{job}", icon=":material/play_arrow:", **use)
            if asked and attempt(partial(change, partial(run_now, name=job, by=state.actor(), now=utc_now()))):
                state.flash(f"{kind.title}: asked for.")
                st.rerun()


def _nightly(row: JobRow, may: bool) -> None:
    saved = nightly_of(row.options)
    names = {one.id: one.name for one in read(publishers)}
    with st.container(border=True):
        st.header("Nightly run")
        st.caption(
            "Launches every night what matches and is ready for analysis, the newest first unless said otherwise: as many as likely cost no"
            " more than the limit, which is also the run's budget. It is off until it is switched on above."
        )
        first = st.columns([3, 3, 2, 2])
        text = first[0].text_input("Words in title or text", saved.filter.text, max_chars=200, key="nightly-text", disabled=not may)
        wanted = [one for one in saved.filter.publishers if one in names]
        chosen = first[1].multiselect(
            "Publishers", list(names), wanted, format_func=names.__getitem__, key="nightly-publishers", placeholder="any", disabled=not may
        )
        order = first[2].selectbox(
            "First come the",
            list(Order),
            list(Order).index(saved.filter.order),
            format_func=lambda one: one.value,
            key="nightly-order",
            disabled=not may,
        )
        hour = first[3].number_input("Hour (UTC)", 0, 23, saved.hour, key="nightly-hour", disabled=not may)
        second = st.columns([2, 2, 6], vertical_alignment="bottom")
        limit = second[0].text_input("At most ($)", f"{saved.limit_usd.normalize():f}", key="nightly-limit", disabled=not may)
        most = second[1].number_input("Articles at most", 1, 10_000, saved.most, key="nightly-most", disabled=not may)
        stories = second[2].toggle("One article a story", saved.one_per_story, key="nightly-stories", disabled=not may)

        def save() -> None:
            article_filter = ArticleFilter(text=text or "", publishers=tuple(chosen), order=order, samples=False)
            nightly = Nightly(filter=article_filter, limit_usd=_usd(limit), most=most, hour=hour, one_per_story=stories)
            change(partial(save_nightly, nightly=nightly, by=state.actor(), now=utc_now()))

        if st.button("Save the nightly run", icon=":material/save:", **permit(Permission.SETTINGS, Permission.MONEY)) and attempt(save):
            state.flash("The nightly run is saved.")
            st.rerun()


def _usd(words: str) -> Decimal:
    try:
        amount = Decimal(words.strip().lstrip("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not 0 <= amount <= 999_999 or amount != round(amount, 6):
        raise SettingsError("At most ($): must be an amount from 0 to 999,999 with at most 6 decimals.")
    return amount


def _feeds(may: bool) -> None:
    st.header("Feeds")
    st.caption("RSS, Atom or JSON at an http(s) address. What is new in them is imported by the job that fetches.")
    removed = state.undo_of("feeds")
    put_back = partial(change, partial(add_feed, address=removed, by=state.actor()))
    if removed and st.button("Undo: put the feed back", icon=":material/undo:", key="undo-feeds") and attempt(put_back):
        state.keep_undo("feeds", None)
        st.rerun()
    rows = read(feeds)
    if not rows:
        st.caption("There is none yet.")
    for row in rows:
        _feed(row)
    with st.form("add-feed", clear_on_submit=True, border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        address = st.text_input("Address of a feed", key="feed-address", placeholder="https://…", max_chars=2_000, disabled=not may)
        added = st.form_submit_button("Add", icon=":material/add:", **permit(Permission.SETTINGS))
    if added and attempt(partial(change, partial(add_feed, address=address or "", by=state.actor()))):
        state.flash("The feed is added.")
        st.rerun()


def _feed(row: FeedRow) -> None:
    went = "not fetched yet" if row.failed is None else ("failed: " if row.failed else "") + (row.result or "")
    columns = st.columns([6, 5, 1, 1], vertical_alignment="center")
    with columns[0]:
        rows_of_facts(f"Feed {row.address}", ("Address", "Added by"), [[row.address, row.added_by]])
    with columns[1]:
        rows_of_facts(f"Last fetch of {row.address}", ("Last fetch", "It was"), [[went, row.fetched_at]])
    shown = columns[2].toggle("On", row.enabled, key=f"feed-{row.id}-{row.enabled}", **permit(Permission.SETTINGS))
    if shown != row.enabled and attempt(partial(change, partial(switch_feed, feed_id=row.id, enabled=shown, by=state.actor()))):
        st.rerun()
    removed = columns[3].button("Remove", key=f"feed-remove-{row.id}", type="tertiary", **permit(Permission.SETTINGS))
    if removed and attempt(partial(change, partial(remove_feed, feed_id=row.id, by=state.actor()))):
        state.keep_undo("feeds", row.address)
        st.rerun()
