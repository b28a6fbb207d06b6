"""The Runs page's pieces: the list of batches and one batch live."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from console import state
from console.charts import RECORD_MARKS
from console.components import attempt, badge, csv_download, empty, pager
from console.navigation import to
from console.resources import change, read
from console.words import ago, duration, exact, money, percent
from core import batches, records
from core.batches import Progress
from core.clock import utc_now
from core.exports import Table
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
    names = {
        batch.id: f"#{batch.id} · {batch.status.value.lower()} · {batch.total:,} articles · {exact(batch.created_at)}" for batch in recent
    }
    wanted = st.query_params.get("batch", "")
    if wanted.isdigit() and int(wanted) not in names:
        names[int(wanted)] = f"#{wanted}"
    return st.selectbox("Run", list(names), format_func=lambda one: names.get(one, f"#{one}"), key="batch", bind="query-params", width=520)


def live_batch(batch_id: int) -> None:
    """One batch, refreshed every second while it runs. Reads Postgres; the work goes on whether this is open or not."""
    running = read(lambda session: batches.progress(session, batch_id)).status in BatchStatus.claimable()

    @st.fragment(run_every=REFRESH_SECONDS if running else None)
    def show() -> None:
        progress = read(lambda session: batches.progress(session, batch_id))
        _head(progress)
        _actions(progress)
        _records(progress)
        if running and progress.status not in BatchStatus.claimable():
            st.rerun()

    show()


def run_strip(batch_id: int) -> None:
    """One batch in three lines, live, with the way to all of it."""
    running = read(lambda session: batches.progress(session, batch_id)).status in BatchStatus.claimable()

    @st.fragment(run_every=REFRESH_SECONDS if running else None)
    def show() -> None:
        progress = read(lambda session: batches.progress(session, batch_id))
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**Run #{batch_id}**")
                badge(progress.status)
            st.progress(progress.share, text=f"{progress.ended:,} of {progress.total:,} articles · {money(progress.spent_usd)}")
            with st.container(horizontal=True):
                st.page_link(to("runs"), label="Watch the run", icon=":material/play_circle:", query_params={"batch": str(batch_id)})
                if progress.counts[RecordStatus.COMPLETED]:
                    st.page_link(to("signals"), label="Its signals", icon=":material/radar:", query_params={"batch": str(batch_id)})
        if running and progress.status not in BatchStatus.claimable():
            st.rerun()

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
    row = st.container(horizontal=True)
    batch_id = progress.id
    if progress.status in BatchStatus.claimable() and row.button("Pause", icon=":material/pause:", key="pause"):
        _do(lambda: change(lambda session: batches.pause(session, batch_id, f"Paused by {state.user()}.")))
    if progress.status is BatchStatus.PAUSED and row.button("Resume", icon=":material/play_arrow:", key="resume", type="primary"):
        _do(lambda: change(lambda session: batches.resume(session, batch_id)))
    if progress.status in BatchStatus.open():
        with row.popover("Cancel", icon=":material/cancel:"):
            st.write("What is done is kept. What waits will not run.")
            if st.button("Cancel this run", key="cancel", type="primary"):
                _do(lambda: change(lambda session: batches.cancel(session, batch_id, now=utc_now())))
    if (
        progress.counts[RecordStatus.FAILED]
        and progress.status is not BatchStatus.CANCELLED
        and row.button(f"Retry {progress.counts[RecordStatus.FAILED]:,} failed", icon=":material/replay:", key="retry")
    ):
        _do(lambda: change(lambda session: batches.retry_failed(session, batch_id)))
    if progress.counts[RecordStatus.COMPLETED]:
        with row:
            st.page_link(to("signals"), label="Its signals", icon=":material/radar:", query_params={"batch": str(batch_id)})


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
    st.dataframe(
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
    )


def downloads(batch_id: int) -> None:
    """What a batch left behind, as CSV."""
    row = st.container(horizontal=True)
    with row:
        for table in Table:
            csv_download(table, batch_id=batch_id, key="runs")


def _do(action: Callable[[], object]) -> None:
    if attempt(action):
        st.rerun()
