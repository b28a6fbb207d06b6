"""One run: how far it is, what can be done with it, its figures over time and what its workers do."""

from collections.abc import Callable, Iterator

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import runs_charts
from console.components import badge, way
from console.exporting import export_popover
from console.navigation import to
from console.permits import permit
from console.refresh import live
from console.resources import read
from console.run_causes import causes
from console.run_records import records_table
from console.runs_view import compare_from, do, elapsed_seconds, model_name, progress_words
from console.words import ago, duration, exact, money, plain
from core import batch_actions, batches
from core.access import Actor, Permission
from core.batches import Progress
from core.clock import utc_now
from core.in_work import WorkerNow, workers_now
from core.models import BatchStatus, RecordStatus
from core.run_history import History, history
from core.settings import OFFLINE_MODEL

SMALL = 2_000
"""Articles up to which a run is drawn every second; a larger one every three."""
WORK_ROWS = 8
FIGURE_WIDTH = 150
"""Pixels: six beside each other on a desk, two on a phone."""


def run_page(batch_id: int) -> None:
    """All of one run, live.

    Raises:
        NotFound: there is no such run.
    """
    total = read(lambda session: batches.progress(session, batch_id)).total
    _way_about(batch_id)

    def draw() -> bool:
        progress = read(lambda session: batches.progress(session, batch_id))
        _head(progress)
        _actions(progress)
        causes(progress)
        _over_time(progress, read(lambda session: history(session, batch_id, now=utc_now())))
        if progress.counts[RecordStatus.PROCESSING]:
            _workers(read(lambda session: workers_now(session, batch_id)))
        records_table(progress)
        return progress.status in BatchStatus.claimable() or bool(progress.counts[RecordStatus.PROCESSING])

    live(draw, 1.0 if total <= SMALL else 3.0)


def _way_about(batch_id: int) -> None:
    """The way back to the list, to the runs before and after, and what can be made of this one."""
    before, after = read(lambda session: batches.neighbours(session, batch_id))
    row = st.container(horizontal=True, vertical_alignment="center")
    with row:
        way("runs", "All runs", icon=":material/list:")
        for other, icon in ((before, ":material/chevron_left:"), (after, ":material/chevron_right:")):
            if other is not None:
                way("runs", f"Run #{other}", icon=icon, query={"batch": str(other)})
    if row.button("Compare or run again", icon=":material/compare_arrows:", key=f"compare-{batch_id}"):
        compare_from(batch_id)
    with row:
        export_popover(batch_id=batch_id, key="runs")  # above what changes: under it a click would miss it


def _head(progress: Progress) -> None:
    now = utc_now()
    row = st.container(horizontal=True, vertical_alignment="center", key="run-head")
    with row:
        st.header(f"Run #{progress.id}", anchor=False, width="content")
        badge(progress.status)
    row.caption(
        f"{model_name(progress.model)} · {progress.research} · by {plain(progress.launched_by)} · {ago(progress.created_at, now)}",
        help=f"Launched {exact(progress.created_at)}",
    )
    counts, batch = progress.counts, str(progress.id)
    st.progress(progress.share, text=progress_words(progress))
    running = progress.status in BatchStatus.claimable()
    figures = st.container(horizontal=True, key="run-figures")
    ran = counts[RecordStatus.COMPLETED] + counts[RecordStatus.FAILED]
    reserved = f"{money(progress.reserved_usd)} reserved" if progress.reserved_usd else f"of {money(progress.estimated_usd)} estimated"
    done = _figure(figures, "Done", f"{counts[RecordStatus.COMPLETED]:,}", f"{counts[RecordStatus.SKIPPED]:,} skipped")
    in_work = _figure(figures, "In work", f"{counts[RecordStatus.PROCESSING]:,}", f"{counts[RecordStatus.PENDING]:,} waiting")
    failed = _figure(figures, "Failed", f"{counts[RecordStatus.FAILED]:,}", f"{counts[RecordStatus.CANCELLED]:,} taken out")
    spent = _figure(figures, "Spent", money(progress.spent_usd), reserved)
    _figure(figures, "Each article", money(progress.spent_usd / ran) if ran else "–", "of those that ran")
    elapsed = duration(elapsed_seconds(progress))
    if running:
        _figure(figures, "Left", duration(progress.seconds_left(now)), f"{elapsed} so far")
    else:
        _figure(figures, "Took", elapsed, exact(progress.finished_at) or "not ended")
    if counts[RecordStatus.COMPLETED]:
        done.page_link(to("signals"), label="Its signals", icon=":material/radar:", query_params={"run": batch})
    for box, status in ((in_work, RecordStatus.PROCESSING), (failed, RecordStatus.FAILED)):
        if counts[status]:
            with box:
                way("runs", "See them", icon=":material/list:", query={"batch": batch, "record": status.value})
    if progress.spent_usd:
        spent.page_link(to("budget"), label="Its calls", icon=":material/payments:", query_params={"line-run": batch})


def _figure(row: st.delta_generator.DeltaGenerator, name: str, value: str, note: str) -> st.delta_generator.DeltaGenerator:
    """A number with a note under it; what is returned takes the link to what it counts."""
    box = row.container(width=FIGURE_WIDTH, gap="small")
    box.metric(name, value, note, delta_color="off", delta_arrow="off")
    return box


def _actions(progress: Progress) -> None:
    """Buttons for what can be done with the run as a whole now."""
    possible = list(_possible(progress))
    if not possible and progress.status not in BatchStatus.open():
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    for label, icon, hint, action in possible:
        primary, use = "esume" in label, permit(Permission.RUN, help=hint)
        if row.button(label, icon=icon, key=f"{label.split()[0]}-{progress.id}", type="primary" if primary else "secondary", **use):
            do(action)
    if progress.status in BatchStatus.open():
        with row.popover("Cancel", icon=":material/cancel:", key=f"cancel-run-{progress.id}", **permit(Permission.RUN)):
            st.write("What is done is kept. What waits will not run.")
            if st.button("Cancel this run", key="cancel", type="primary", **permit(Permission.RUN)):
                do(lambda session, by: batch_actions.cancel(session, progress.id, by=by, now=utc_now()))


def _possible(progress: Progress) -> Iterator[tuple[str, str, str | None, Callable[[Session, Actor], object]]]:
    """Label, icon, hint and action of each thing that can be done with a batch in its state."""
    batch, failed = progress.id, progress.counts[RecordStatus.FAILED]
    if progress.status in BatchStatus.claimable():
        finish, at_once = "What is in flight finishes.", "What is in flight stops at once; its calls count at their worst case."
        yield "Pause", ":material/pause:", finish, lambda session, by: batch_actions.pause(session, batch, by=by)
        yield "Stop", ":material/front_hand:", at_once, lambda session, by: batch_actions.pause_now(session, batch, by=by)
    if progress.status is BatchStatus.PAUSED and progress.pause_kind is None:
        yield "Resume", ":material/play_arrow:", None, lambda session, by: batch_actions.resume(session, batch, by=by)
    if progress.status is not BatchStatus.CANCELLED and failed:
        yield (
            f"Retry all {failed:,} failed",
            ":material/replay:",
            None,
            lambda session, by: batch_actions.retry_failed(session, batch, by=by),
        )


def _over_time(progress: Progress, found: History | None) -> None:
    """Throughput, spend and concurrency in a row."""
    if found is None:
        st.caption("The first articles are about to be claimed; figures over time appear then.")
        return
    columns = st.columns(3)
    words = runs_charts.step(found)
    _chart(columns[0], f"Articles ended, per {words}", runs_charts.throughput(found))
    if progress.spent_usd:
        _chart(columns[1], f"Spend, per {words}", runs_charts.spend(found))
    else:
        columns[1].caption("Spend")
        columns[1].caption("Nothing" + (": the offline rules and the archive are free." if progress.model == OFFLINE_MODEL else " yet."))
    _chart(columns[2], f"In flight, mean over {words}", runs_charts.concurrency(found))


def _chart(column: st.delta_generator.DeltaGenerator, title: str, chart: runs_charts.Chart) -> None:
    rows, specification = chart
    column.markdown(f":small[:gray[{title}]{runs_charts.legend(specification)}]")
    column.vega_lite_chart(rows, specification, alt=title)


def _workers(workers: list[WorkerNow]) -> None:
    """What each worker does right now."""
    now = utc_now()
    for number, worker in enumerate(workers):
        row = st.container(horizontal=True, vertical_alignment="center")
        row.markdown(f"**Worker** `{worker.owner}`")
        beat = f"heartbeat {ago(worker.heartbeat_at, now)}" if worker.heartbeat_at else "not registered any more"
        stages = " · ".join(f"{count} {stage.value}" for stage, count in worker.stages.items())
        row.caption(f"{beat} · {stages}")
        frame = pd.DataFrame(
            {
                "doing": [one.stage.value for one in worker.work],
                "since": [duration(max((now - one.since).total_seconds(), 0)) for one in worker.work],
                "title": [one.title for one in worker.work],
                "calls": [one.calls for one in worker.work],
                "attempt": [one.attempt for one in worker.work],
                "lease": [_until((one.lease_expires_at - now).total_seconds()) for one in worker.work],
                "trouble": [one.trouble or "" for one in worker.work],
            }
        )
        st.dataframe(
            frame,
            hide_index=True,
            row_height=30,
            height=38 + 30 * min(len(worker.work), WORK_ROWS),
            column_config={
                "doing": st.column_config.TextColumn("Doing", width=150),
                "since": st.column_config.TextColumn("For", width=70, alignment="right"),
                "title": st.column_config.TextColumn("Article", width="large"),
                "calls": st.column_config.NumberColumn("Calls", width=60, help="Calls in flight"),
                "attempt": st.column_config.NumberColumn("Try", width=50),
                "lease": st.column_config.TextColumn("Lease ends", width=90, alignment="right", help="Renewed while the worker lives"),
                "trouble": st.column_config.TextColumn("Last answer", width="medium"),
            },
            key=f"work-{number}",
        )


def _until(seconds: float) -> str:
    return f"in {duration(seconds)}" if seconds > 0 else "ran out"
