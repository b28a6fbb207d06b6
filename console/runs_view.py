"""The list of runs, with those under way at its top, and the strip that other pages show of one."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.colours import BADGES
from console.components import attempt, badge, empty, way
from console.navigation import to
from console.permits import permit
from console.refresh import live
from console.resources import read
from console.words import ago, duration, money, number_in, percent, plain
from core import batch_actions, batch_figures, batches
from core.access import Actor, Permission
from core.batches import Progress
from core.clock import utc_now
from core.models import BatchStatus, RecordStatus
from core.settings import OFFLINE_MODEL

PAGE_SIZE = 25
UNENDED = 5
"""Runs under way that stand at the top at most; the list has all."""
REFRESH_SECONDS = 1.0


def runs_list() -> None:
    """Every run, newest first, filtered by status and paged by id; those under way live at the top."""
    live(_under_way, REFRESH_SECONDS)
    state.from_address("run-status", "run-status-choice", BatchStatus)
    chosen = st.pills(
        "Status",
        list(BatchStatus),
        selection_mode="multi",
        format_func=lambda status: BADGES[status][0],
        key="run-status-choice",
        on_change=state.to_address,
        args=("run-status", "run-status-choice"),
        label_visibility="collapsed",
    )
    before = number_in(st.query_params.get("before", ""))
    page = read(lambda session: batches.page(session, chosen, before=before, size=PAGE_SIZE))
    if not page.rows:
        if chosen or before is not None:
            empty("No run matches.", "runs", "All runs")
        else:
            empty("No runs yet. Choose some articles and click Analyze.", "articles", "Go to Articles")
        return
    _table(page.rows, f"runs-{before}-{'-'.join(chosen)}")
    row = st.container(horizontal=True, vertical_alignment="center")
    if page.has_newer and row.button("Newer", icon=":material/chevron_left:", key="runs-newer"):
        newest = page.rows[0].id
        _turn_to(read(lambda session: batches.page_before(session, chosen, newest, size=PAGE_SIZE)))
    if page.has_newer or page.has_older:
        row.caption(f"#{page.rows[0].id} to #{page.rows[-1].id}")
    if page.has_older and row.button("Older", icon=":material/chevron_right:", key="runs-older"):
        _turn_to(page.rows[-1].id)


def _turn_to(before: int | None) -> None:
    if before is None:
        del st.query_params["before"]
    else:
        st.query_params["before"] = str(before)
    st.rerun()


def _table(rows: Sequence[Progress], key: str) -> None:
    now = utc_now()
    frame = pd.DataFrame(
        {
            "run": [f"#{row.id}" for row in rows],
            "status": [BADGES[row.status][0] for row in rows],
            "progress": [round(row.share, 2) for row in rows],
            "articles": [f"{row.ended:,} of {row.total:,}" for row in rows],
            "failed": [f"{failed:,}" if (failed := row.counts[RecordStatus.FAILED]) else "" for row in rows],
            "model": [model_name(row.model) for row in rows],
            "spent": [money(row.spent_usd) for row in rows],
            "each": [money(row.spent_usd / ran) if (ran := _ran(row)) else "" for row in rows],
            "took": [duration(elapsed_seconds(row)) if row.started_at else "" for row in rows],
            "by": [row.launched_by for row in rows],
            "when": [ago(row.created_at, now) for row in rows],
            "at": [row.created_at.replace(tzinfo=None) for row in rows],
        }
    )
    event = st.dataframe(
        frame,
        hide_index=True,
        row_height=30,
        height=38 + 30 * len(rows),
        column_config={
            "run": st.column_config.TextColumn("Run", width=60),
            "status": st.column_config.TextColumn("Status", width=90),
            "progress": st.column_config.ProgressColumn("Progress", min_value=0, max_value=1, format="percent", width=110),
            "articles": st.column_config.TextColumn("Articles", width=110, alignment="right"),
            "failed": st.column_config.TextColumn("Failed", width=65, alignment="right"),
            "model": st.column_config.TextColumn("Model", width=190),
            "spent": st.column_config.TextColumn("Spent", width=85, alignment="right"),
            "each": st.column_config.TextColumn("Each", width=85, alignment="right", help="USD for each article that ran"),
            "took": st.column_config.TextColumn("Took", width=80, alignment="right"),
            "by": st.column_config.TextColumn("By", width=100),
            "when": st.column_config.TextColumn("Launched", width=95),
            "at": st.column_config.DatetimeColumn("UTC", format="YYYY-MM-DD HH:mm", width=130),
        },
        key=key,
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
    )
    picked = event.selection.rows or [cell[0] for cell in event.selection.get("cells") or []]
    if picked and picked[0] < len(rows):
        st.query_params.from_dict({"batch": str(rows[picked[0]].id)})
        st.rerun()


def _under_way() -> bool:
    """The newest runs that have not ended, each with its way on. Returns whether one of them runs."""
    found = read(lambda session: batches.unended(session, UNENDED))
    for progress in found:
        with st.container(border=True, key=f"under-way-{progress.id}"):
            row = st.container(horizontal=True, vertical_alignment="center")
            with row:
                way("runs", f"Run #{progress.id}", icon=":material/play_circle:", query={"batch": str(progress.id)})
                badge(progress.status)
            row.caption(f"{model_name(progress.model)} · by {plain(progress.launched_by)} · {ago(progress.created_at, utc_now())}")
            _pause_or_resume(row, progress)
            st.progress(progress.share, text=progress_words(progress))
            if progress.pause_reason:
                st.caption(f":material/pause: {plain(progress.pause_reason)}")
    return any(progress.status in BatchStatus.claimable() for progress in found)


def _pause_or_resume(row: st.delta_generator.DeltaGenerator, progress: Progress) -> None:
    batch_id = progress.id
    if progress.status in BatchStatus.claimable():
        use = permit(Permission.RUN, help="What is in flight finishes.")
        if row.button("Pause", icon=":material/pause:", key=f"pause-{batch_id}", **use):
            do(lambda session, by: batch_actions.pause(session, batch_id, by=by))
    elif row.button("Resume", icon=":material/play_arrow:", key=f"resume-{batch_id}", **permit(Permission.RUN)):
        do(lambda session, by: batch_actions.resume(session, batch_id, by=by))


def run_strip(batch_id: int) -> None:
    """One batch in three lines, live, with the way to all of it."""

    def draw() -> bool:
        progress = read(lambda session: batches.progress(session, batch_id))
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**Run #{batch_id}**")
                badge(progress.status)
            st.progress(progress.share, text=f"{progress.ended:,} of {progress.total:,} articles · {money(progress.spent_usd)}")
            with st.container(horizontal=True):
                st.page_link(to("runs"), label="Watch the run", icon=":material/play_circle:", query_params={"batch": str(batch_id)})
                if progress.counts[RecordStatus.COMPLETED]:
                    st.page_link(to("signals"), label="Its signals", icon=":material/radar:", query_params={"run": str(batch_id)})
        return progress.status in BatchStatus.claimable()

    live(draw, REFRESH_SECONDS)


def model_name(model: str) -> str:
    return "offline rules" if model == OFFLINE_MODEL else model


def elapsed_seconds(progress: Progress) -> float:
    """From the first claim (or the launch) to the end, or to now."""
    return batch_figures.elapsed_seconds(progress, utc_now())


def progress_words(progress: Progress) -> str:
    """Such as "12 of 60 articles · 20% · $0.02 · 40 s · about 3 min left"."""
    words = f"{progress.ended:,} of {progress.total:,} articles · {percent(progress.share)} · {money(progress.spent_usd)}"
    if progress.status not in BatchStatus.claimable():
        return words
    left = progress.seconds_left(utc_now())
    return f"{words} · {duration(elapsed_seconds(progress))} · " + ("estimating…" if left is None else f"about {duration(left)} left")


def do(action: Callable[[Session, Actor], object]) -> None:
    """Do what a button asks for; a refusal is shown in place."""
    if attempt(lambda: state.act(action)):
        st.rerun()


def compare_from(batch_id: int) -> None:
    """Go to the choice of a run to compare with, and of another model to run the same articles with."""
    st.query_params.from_dict({"batch": str(batch_id), "against": "choose"})
    st.rerun()


def _ran(progress: Progress) -> int:
    return progress.counts[RecordStatus.COMPLETED] + progress.counts[RecordStatus.FAILED]
