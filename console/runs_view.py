"""The Runs page's pieces: the list of batches and one batch live."""

from collections.abc import Callable, Iterator
from typing import Literal

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.colours import RECORD_MARKS
from console.components import attempt, badge, empty, pager
from console.exporting import export_popover
from console.navigation import to
from console.resources import change, read
from console.words import ago, duration, exact, money, number_in, percent, plain
from core import batch_actions, batches, records
from core.batches import Progress
from core.clock import utc_now
from core.models import BatchStatus, RecordStatus

RECENT = 30
PAGE_SIZE = 100
REFRESH_SECONDS = 1.0


def choose_batch() -> int | None:
    """The batch to show: from the address, from a launch, else the newest."""
    recent = read(lambda session: batches.recent(session, RECENT))
    if not recent:
        empty("No runs yet. Choose some articles and click Analyze.", "articles", "Go to Articles")
        return None
    names = {batch.id: f"#{batch.id} · {batch.total:,} articles · {exact(batch.created_at)}" for batch in recent}
    wanted = st.query_params.get("batch", "")
    if (asked := number_in(wanted)) is not None and asked not in names:
        names[asked] = f"#{asked}"
    return st.selectbox("Run", list(names), format_func=lambda one: names.get(one, f"#{one}"), key="batch", bind="query-params", width=520)


def live_batch(batch_id: int) -> None:
    """All of one batch, live."""

    def draw(progress: Progress) -> None:
        _head(progress)
        _actions(progress)
        _records(progress)

    _live(batch_id, draw)


def run_strip(batch_id: int) -> None:
    """One batch in three lines, live, with the way to all of it."""

    def draw(progress: Progress) -> None:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**Run #{batch_id}**")
                badge(progress.status)
            st.progress(progress.share, text=f"{progress.ended:,} of {progress.total:,} articles · {money(progress.spent_usd)}")
            with st.container(horizontal=True):
                st.page_link(to("runs"), label="Watch the run", icon=":material/play_circle:", query_params={"batch": str(batch_id)})
                if progress.counts[RecordStatus.COMPLETED]:
                    st.page_link(to("signals"), label="Its signals", icon=":material/radar:", query_params={"run": str(batch_id)})

    _live(batch_id, draw)


def _live(batch_id: int, draw: Callable[[Progress], None]) -> None:
    """Draw a batch, again every second if it runs. Reads Postgres; the work goes on whether this is open or not.

    It goes on refreshing after the end, until the page is left or touched: a rerun of the page asked for from here would
    swallow a click made at that moment.
    """
    running = read(lambda session: batches.progress(session, batch_id)).status in BatchStatus.claimable()

    @st.fragment(run_every=REFRESH_SECONDS if running else None)
    def show() -> None:
        draw(read(lambda session: batches.progress(session, batch_id)))

    show()


def _head(progress: Progress) -> None:
    now = utc_now()
    row = st.container(horizontal=True, vertical_alignment="center")
    with row:
        badge(progress.status)
    row.caption(f"{progress.model} · {progress.research} · by {progress.launched_by} · {ago(progress.created_at, now)}")
    if progress.pause_reason:
        st.warning(progress.pause_reason, icon=":material/pause:")
    counts = progress.counts
    st.progress(progress.share, text=f"{progress.ended:,} of {progress.total:,} articles · {percent(progress.share)}")
    elapsed = ((progress.finished_at or now) - (progress.started_at or progress.created_at)).total_seconds()
    running = progress.status in BatchStatus.claimable()
    columns = st.columns(6)
    columns[0].metric("Done", f"{counts[RecordStatus.COMPLETED]:,}")
    columns[1].metric(
        "In work", f"{counts[RecordStatus.PROCESSING]:,}", f"{counts[RecordStatus.PENDING]:,} waiting", delta_color="off", delta_arrow="off"
    )
    columns[2].metric(
        "Failed", f"{counts[RecordStatus.FAILED]:,}", f"{counts[RecordStatus.SKIPPED]:,} skipped", delta_color="off", delta_arrow="off"
    )
    reserved = f"{money(progress.reserved_usd)} reserved" if progress.reserved_usd else f"of {money(progress.estimated_usd)} estimated"
    columns[3].metric("Spent", money(progress.spent_usd), reserved, delta_color="off", delta_arrow="off")
    columns[4].metric("Elapsed", duration(elapsed))
    columns[5].metric("Left", duration(progress.seconds_left(now)) if running else "–")


def _actions(progress: Progress) -> None:
    """Buttons for what can be done with the batch now."""
    row = st.container(horizontal=True, vertical_alignment="center")
    for label, icon, hint, action in _possible(progress):
        if row.button(label, icon=icon, help=hint, key=f"{label.split()[0]}-{progress.id}", type=_look(label)):
            _do(action)
    if progress.status in BatchStatus.open():
        with row.popover("Cancel", icon=":material/cancel:"):
            st.write("What is done is kept. What waits will not run.")
            if st.button("Cancel this run", key="cancel", type="primary"):
                _do(lambda session: batch_actions.cancel(session, progress.id, now=utc_now()))
    if progress.counts[RecordStatus.COMPLETED]:
        with row:
            st.page_link(to("signals"), label="Its signals", icon=":material/radar:", query_params={"run": str(progress.id)})


def _look(label: str) -> Literal["primary", "secondary"]:
    return "primary" if "esume" in label else "secondary"


def _possible(progress: Progress) -> Iterator[tuple[str, str, str | None, Callable[[Session], object]]]:
    """Label, icon, hint and action of each thing that can be done with a batch in its state."""
    batch, by, failed = progress.id, state.user(), progress.counts[RecordStatus.FAILED]
    if progress.status in BatchStatus.claimable():
        finish, at_once = "What is in flight finishes.", "What is in flight stops at once; its calls count at their worst case."
        yield "Pause", ":material/pause:", finish, lambda session: batch_actions.pause(session, batch, f"Paused by {by}.")
        yield "Stop", ":material/front_hand:", at_once, lambda session: batch_actions.pause_now(session, batch, f"Stopped at once by {by}.")
    if progress.status is BatchStatus.PAUSED:
        if progress.pause_needs_usd is not None:
            label = f"Top up {money(progress.pause_needs_usd)} and resume"
            yield label, ":material/add_card:", None, lambda session: batch_actions.top_up_and_resume(session, batch, by=by)
        yield "Resume", ":material/play_arrow:", None, lambda session: batch_actions.resume(session, batch)
    if progress.status is not BatchStatus.CANCELLED:
        if failed:
            yield f"Retry {failed:,} failed", ":material/replay:", None, lambda session: batch_actions.retry_failed(session, batch)
        if progress.failed_research:
            kept = "Signals whose research failed; the analyses are kept and not paid again."
            label = f"Research {progress.failed_research:,} again"
            yield label, ":material/travel_explore:", kept, lambda session: batch_actions.retry_research(session, batch)


def _records(progress: Progress) -> None:
    choices = [status for status in RecordStatus if progress.counts[status]]
    chosen = st.pills(
        "Show",
        choices,
        selection_mode="multi",
        format_func=lambda status: f"{RECORD_MARKS[status]} {progress.counts[status]:,}",
        key=f"statuses-{progress.id}",
        label_visibility="collapsed",
    )
    total = sum(progress.counts[status] for status in chosen or choices)
    offset = pager(total, PAGE_SIZE, f"records-{progress.id}")
    rows = read(lambda session: records.rows(session, progress.id, statuses=chosen or (), offset=offset, size=PAGE_SIZE))
    now = utc_now()
    frame = pd.DataFrame(
        {
            "state": [RECORD_MARKS[row.status] for row in rows],
            "title": [row.title for row in rows],
            "took": [duration(((row.finished_at or now) - row.started_at).total_seconds()) if row.started_at else "" for row in rows],
            "attempts": [row.attempts for row in rows],
            "reason": [row.error_message or row.skip_reason or "" for row in rows],
        }
    )
    event = st.dataframe(
        frame,
        hide_index=True,
        row_height=30,
        height=min(38 + 30 * max(len(rows), 1), 560),
        column_config={
            "state": st.column_config.TextColumn("State", width=110),
            "title": st.column_config.TextColumn("Article", width="large"),
            "took": st.column_config.TextColumn("Took", width=70),
            "attempts": st.column_config.NumberColumn("Tries", width=60),
            "reason": st.column_config.TextColumn("Reason", width="large"),
        },
        key=f"records-{progress.id}-{offset}-{'-'.join(chosen)}",
        on_select="rerun",
        selection_mode="single-cell",
    )
    cells = event.selection.get("cells") or []
    if cells and cells[0][0] < len(rows):
        _record(rows[cells[0][0]])


def _record(row: records.RecordRow) -> None:
    """One article of the batch: its reason in full, and what can be done with it."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        reason = row.error_message or row.skip_reason
        st.markdown(f"**{plain(row.title)}**" + (f"  \n{plain(reason)}" if reason else ""))
        if row.article_id is not None:
            st.page_link(to("article"), label="Read it", icon=":material/menu_book:", query_params={"id": str(row.article_id)})
        if row.status in (RecordStatus.FAILED, RecordStatus.CANCELLED, RecordStatus.PROCESSING) and st.button("Queue again", key="requeue"):
            _do(lambda session: batch_actions.requeue(session, row.id))
        if row.status in RecordStatus.open() and st.button("Take out", key="cancel-one"):
            _do(lambda session: records.cancel_one(session, row.id, now=utc_now()))


def downloads(batch_id: int) -> None:
    """What a batch left behind, as a file."""
    export_popover(batch_id=batch_id, key="runs")


def _do(action: Callable[[Session], object]) -> None:
    """Do what a button asks for; a refusal is shown in place."""
    if attempt(lambda: change(action)):
        st.rerun()
