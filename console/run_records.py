"""The articles of a run: by state, by cause and by words of the title, a page at a time, with what can be done with each."""

import hashlib

import pandas as pd
import streamlit as st

from console import state
from console.colours import RECORD_MARKS
from console.components import paged
from console.navigation import to
from console.permits import permit
from console.resources import read
from console.runs_view import do
from console.words import duration, money, plain
from core import batch_actions, records
from core.access import Permission
from core.batches import Progress
from core.clock import utc_now
from core.models import RecordStatus
from core.paging import Count

PAGE_SIZE = 100


def records_table(progress: Progress) -> None:
    """One page of the run's articles; a click on one shows it in full."""
    choices = [status for status in RecordStatus if progress.counts[status]]
    bar = st.container(horizontal=True, vertical_alignment="center")
    state.from_address("record", "record-choice", RecordStatus)
    state.put("title-words", st.query_params.get("title", ""))
    chosen = bar.pills(
        "Show",
        list(RecordStatus),
        selection_mode="multi",
        format_func=lambda status: f"{RECORD_MARKS[status]} {progress.counts[status]:,}",
        key="record-choice",
        on_change=state.to_address,
        args=("record", "record-choice"),
        label_visibility="collapsed",
    )
    words = bar.text_input(
        "Title",
        key="title-words",
        on_change=state.to_address,
        args=("title", "title-words"),
        placeholder="words in the title",
        label_visibility="collapsed",
        max_chars=200,
        width=260,
    )
    cause = st.query_params.get("cause", "")
    if cause and bar.button(f"Only {cause.replace('_', ' ')}", icon=":material/close:", key="cause-off", help="Show all causes"):
        del st.query_params["cause"]
        st.rerun()
    narrowed = bool(words.strip() or cause)
    statuses = [status for status in chosen if status in choices]
    if chosen and not statuses:
        st.caption(f"No article of this run is {' or '.join(RECORD_MARKS[status][2:] for status in chosen)} now.")
        return
    if narrowed:
        total = read(lambda session: records.count(session, progress.id, statuses=statuses, words=words, kind=cause or None))
    else:
        total = sum(progress.counts[status] for status in statuses or choices)
    if not total:
        st.caption("No article of this run matches.")
        return
    of_view = f"{progress.id}-{'-'.join(statuses)}-{words}-{cause}"
    view = f"records-{hashlib.sha256(of_view.encode()).hexdigest()[:12]}"
    page = paged(
        Count(total, True),
        view,
        lambda place: read(
            lambda session: records.page_at(session, progress.id, place, PAGE_SIZE, statuses=statuses, words=words, kind=cause or None)
        ),
    )
    chosen_row = _table(page.rows, f"{view}-{page.position}")
    if chosen_row is not None:
        _record(chosen_row)


def _table(rows: list[records.RecordRow], key: str) -> records.RecordRow | None:
    now = utc_now()
    frame = pd.DataFrame(
        {
            "state": [RECORD_MARKS[row.status] for row in rows],
            "title": [row.title for row in rows],
            "took": [duration(((row.finished_at or now) - row.started_at).total_seconds()) if row.started_at else "" for row in rows],
            "usd": [money(row.usd) if row.usd else "" for row in rows],
            "attempts": [str(row.attempts or "") for row in rows],
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
            "took": st.column_config.TextColumn("Took", width=75, alignment="right"),
            "usd": st.column_config.TextColumn("Cost", width=80, alignment="right"),
            "attempts": st.column_config.TextColumn("Tries", width=60, alignment="right"),
            "reason": st.column_config.TextColumn("Reason", width="large"),
        },
        key=key,
        on_select="rerun",
        selection_mode="single-cell",
    )
    cells = event.selection.get("cells") or []
    return rows[cells[0][0]] if cells and cells[0][0] < len(rows) else None


def _record(row: records.RecordRow) -> None:
    """One article of the run: its reason in full, and what can be done with it."""
    use = permit(Permission.RUN)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        reason = row.error_message or row.skip_reason
        st.markdown(f"**{plain(row.title)}**" + (f"  \n{plain(reason)}" if reason else ""))
        if row.article_id is not None:
            label = "Read it with its signals" if row.status is RecordStatus.COMPLETED else "Read it"
            st.page_link(to("article"), label=label, icon=":material/menu_book:", query_params={"id": str(row.article_id)})
        if row.status in (RecordStatus.FAILED, RecordStatus.CANCELLED, RecordStatus.PROCESSING) and st.button(
            "Queue again", key="requeue", **use
        ):
            do(lambda session, by: batch_actions.requeue(session, row.id, by=by))
        if row.status in RecordStatus.open() and st.button(
            "Take out", key="cancel-one", **permit(Permission.RUN, help="It can be queued again.")
        ):
            do(lambda session, by: records.cancel_one(session, row.id, by=by, now=utc_now()))
