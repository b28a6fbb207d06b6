"""The ledger on screen: filters that live in the address, a page of lines, the way to older and newer ones."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.colours import BADGES
from console.components import filter_key
from console.exporting import export_popover
from console.resources import read
from console.words import money, number, number_in
from core import ledger_list, spending
from core.exports import Table
from core.ledger_list import LedgerFilter, Line
from core.models import LedgerStatus
from core.paging import Count

PAGE = 100
_FILTERS = ("line-status", "line-agent", "line-model", "line-run", "line-day")
_BEFORE, _AFTER = "older-than", "newer-than"


@st.fragment
def ledger() -> None:
    """Every call and attempt, newest first."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header("Ledger", anchor="ledger")
    chosen = _filters()
    before, after = (number_in(st.query_params.get(name, "")) for name in (_BEFORE, _AFTER))
    lines, count = read(lambda session: _page_and_count(session, chosen, before, after))
    more = len(lines) > PAGE
    lines = (lines[-PAGE:] if after is not None else lines[:PAGE]) if more else lines
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    row.markdown(f"**{count}** {'line' if str(count) == '1' else 'lines'}", width="content")
    with row:
        export_popover([Table.LEDGER], ledger=chosen, key="budget")
    if chosen != LedgerFilter():
        row.button("All lines", icon=":material/filter_alt_off:", on_click=_clear, key="ledger-all")
    if not lines:
        st.caption("No line matches." if chosen != LedgerFilter() else "No call was made yet; the first analysis fills this.")
        return
    st.dataframe(
        _as_table(lines),
        hide_index=True,
        row_height=30,
        height=min(38 + 30 * len(lines), 420),
        column_config=_COLUMNS,
        key=f"ledger-{filter_key(chosen)}-{lines[0].id}",
    )
    _pager(lines, older=more or after is not None, newer=before is not None or (after is not None and more))


def _page_and_count(session: Session, chosen: LedgerFilter, before: int | None, after: int | None) -> tuple[list[Line], Count]:
    count = ledger_list.count(session, chosen)
    if not count.value:  # no index finds lines that are not there, where two filters of many lines each have none in common
        return [], count
    return ledger_list.page(session, chosen, size=PAGE + 1, before=before, after=after), count


def _filters() -> LedgerFilter:
    models, agents = read(spending.names)
    row = st.columns([2, 2, 3, 1, 2], vertical_alignment="bottom")
    status = row[0].selectbox(
        "Status",
        list(LedgerStatus),
        index=None,
        key="line-status",
        bind="query-params",
        format_func=lambda one: BADGES[one][0],
        placeholder="any",
        on_change=_to_newest,
    )
    agent = row[1].selectbox("Agent", agents, index=None, key="line-agent", bind="query-params", placeholder="any", on_change=_to_newest)
    model = row[2].selectbox("Model", models, index=None, key="line-model", bind="query-params", placeholder="any", on_change=_to_newest)
    run = row[3].text_input("Run", key="line-run", bind="query-params", placeholder="any", max_chars=18, on_change=_to_newest)
    day = row[4].date_input("Day (UTC)", value=None, key="line-day", bind="query-params", on_change=_to_newest)
    return LedgerFilter(
        status=status, agent=agent, model=model, batch_id=number_in((run or "").strip().removeprefix("#")) if run else None, day=day
    )


def _pager(lines: Sequence[Line], *, older: bool, newer: bool) -> None:
    """Older and newer lines, by the id that the page ends or begins with: lines that come in meanwhile shift nothing."""
    if not older and not newer:
        return
    row = st.container(horizontal=True, gap="small")
    row.button("Newest", icon=":material/first_page:", disabled=not newer, on_click=_to_newest, key="ledger-newest")
    row.button("Newer", icon=":material/chevron_left:", disabled=not newer, on_click=_go, args=(_AFTER, lines[0].id), key="ledger-newer")
    row.button("Older", icon=":material/chevron_right:", disabled=not older, on_click=_go, args=(_BEFORE, lines[-1].id), key="ledger-older")


def _go(where: str, line: int) -> None:
    _to_newest()
    st.query_params[where] = str(line)


def _clear() -> None:
    state.clear_widgets(*_FILTERS)
    _to_newest()


def _to_newest() -> None:
    for name in (_BEFORE, _AFTER):
        if name in st.query_params:
            del st.query_params[name]


_COLUMNS = {
    "Time (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", width=135),
    "Run": st.column_config.LinkColumn(display_text=r"batch=(\d+)", width=50),
    "Article": st.column_config.LinkColumn(display_text=r"id=(\d+)", width=65),
    **{
        name: st.column_config.Column(alignment="right", width=width)
        for name, width in {"USD": 68, "In": 54, "Cached": 60, "Out": 54, "Thinking": 68, "Credits": 58, "Seconds": 66, "Try": 40}.items()
    },
    "Error": st.column_config.TextColumn(width=240),
}


def _as_table(lines: Sequence[Line]) -> pd.DataFrame:
    def seconds(line: Line) -> str:
        return f"{(line.settled_at - line.created_at).total_seconds():.1f}" if line.settled_at else "–"

    def cost(line: Line) -> str:
        return f"≤ {money(line.reserved_usd)}" if line.status is LedgerStatus.RESERVED else money(line.usd)

    return pd.DataFrame(
        {
            "Time (UTC)": [line.created_at.replace(tzinfo=None) for line in lines],
            "Status": [BADGES[line.status][0] for line in lines],
            "Agent": [line.agent.replace("_", " ") for line in lines],
            "Model": [line.model for line in lines],
            "USD": [cost(line) for line in lines],
            "Run": [f"/runs?batch={line.batch_id}" if line.batch_id else None for line in lines],
            "Article": [f"/article?id={line.article_id}" if line.article_id else None for line in lines],
            "In": [number(line.input_tokens) for line in lines],
            "Cached": [number(line.cached_tokens) for line in lines],
            "Out": [number(line.output_tokens) for line in lines],
            "Thinking": [number(line.thinking_tokens) for line in lines],
            "Credits": [f"{line.search_credits.normalize():f}" for line in lines],
            "Seconds": [seconds(line) for line in lines],
            "Try": [line.attempt for line in lines],
            "Error": [line.error_message or "" for line in lines],
        }
    )
