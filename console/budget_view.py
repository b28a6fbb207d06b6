"""The Budget page's pieces: limits, spend by day, model and agent, the ledger."""

from datetime import date
from decimal import Decimal
from functools import partial

import pandas as pd
import streamlit as st

from console import state
from console.charts import spend_by_day
from console.components import attempt, budget_meter, empty
from console.exporting import export_popover
from console.resources import change, read
from console.words import exact, money, number
from core import reports
from core.budget import ALERT_THRESHOLDS, BudgetState, change_limit
from core.exports import Table
from core.models import BudgetEventKind, LedgerStatus

LEDGER_ROWS = 200


def limits(states: list[BudgetState]) -> None:
    """Today's and this month's budget, and a way to change each."""
    for column, budget in zip(st.columns(len(states)), states, strict=True):
        with column, st.container(border=True):
            st.metric(f"Left {budget.label}", money(budget.room), f"of {money(budget.limit)}", delta_color="off", delta_arrow="off")
            budget_meter(budget)
            st.caption(
                "Alerts at " + ", ".join(f"{money(budget.limit * threshold / 100)} ({threshold} %)" for threshold in ALERT_THRESHOLDS)
            )
            with st.popover("Change the limit", icon=":material/edit:"):
                limit = st.number_input(
                    "Limit ($)", min_value=0.0, max_value=999_999.0, value=float(budget.limit), step=1.0, key=f"limit-{budget.id}"
                )
                st.caption(f"For {budget.label} ({budget.key}) only; the default for new days and months is on the System page.")
                if st.button("Save", key=f"save-limit-{budget.id}", type="primary") and attempt(partial(_save_limit, budget.id, limit)):
                    st.rerun()


def _save_limit(budget_id: int, limit: float) -> None:
    change(lambda session: change_limit(session, budget_id, Decimal(str(limit)), by=state.user()))


def spend(since: date, daily_limit: Decimal) -> None:
    """Charts and tables of what was spent."""
    rows = read(lambda session: reports.spend_by_day(session, since=since))
    if not any(usd for _, _, usd in rows):
        empty("Nothing was spent in this time. The offline rules and the archive are free; their calls are in the ledger below.")
        return
    st.plotly_chart(spend_by_day(rows, daily_limit, since=since))
    for place, (title, key) in zip(st.columns(3), (("By model", "model"), ("By agent", "agent"), ("By run", "batch_id")), strict=True):
        groups = read(partial(reports.spend_by, column=key, since=since))
        with place:
            st.markdown(f"**{title}**")
            st.dataframe(
                pd.DataFrame(
                    {
                        title.removeprefix("By ").capitalize(): [group.key for group in groups],
                        "USD": [money(group.usd) for group in groups],
                        "Calls": [group.calls for group in groups],
                        "Tokens in": [number(group.input_tokens) for group in groups],
                        "Tokens out": [number(group.output_tokens) for group in groups],
                        "Credits": [f"{group.search_credits.normalize():f}" for group in groups],
                    }
                ),
                hide_index=True,
                row_height=30,
            )


def ledger() -> None:
    """The newest ledger entries; the export has all of them."""
    st.subheader("Ledger")
    export_popover([Table.LEDGER], key="budget")
    rows = read(lambda session: reports.ledger_page(session, size=LEDGER_ROWS))
    if not rows:
        st.caption("No calls yet.")
        return
    marks = {
        LedgerStatus.RESERVED: "reserved",
        LedgerStatus.SETTLED: "settled",
        LedgerStatus.RELEASED: "not billed",
        LedgerStatus.UNKNOWN: "unknown: worst case",
    }
    st.dataframe(
        pd.DataFrame(
            {
                "time": [row.created_at.replace(tzinfo=None) for row in rows],
                "status": [marks[row.status] for row in rows],
                "agent": [row.agent for row in rows],
                "model": [row.model for row in rows],
                "run": [row.batch_id for row in rows],
                "usd": [f"${row.usd.normalize():f}" for row in rows],
                "in": [row.input_tokens for row in rows],
                "cached": [row.cached_tokens for row in rows],
                "out": [row.output_tokens for row in rows],
                "thinking": [row.thinking_tokens for row in rows],
                "credits": [f"{row.search_credits.normalize():f}" for row in rows],
                "error": [row.error_message or "" for row in rows],
            }
        ),
        hide_index=True,
        row_height=30,
        height=420,
        column_config={"time": st.column_config.DatetimeColumn("time (UTC)", format="YYYY-MM-DD HH:mm:ss")},
    )


def events() -> None:
    """Alerts and changes of limits."""
    st.subheader("Alerts and changes")
    words = {
        BudgetEventKind.ALERT: "passed {threshold} %",
        BudgetEventKind.TOP_UP: "topped up by {amount}",
        BudgetEventKind.LIMIT: "limit set to {amount}",
    }
    rows = read(reports.budget_events)
    for row in rows:
        what = words[row.kind].format(threshold=row.threshold, amount=money(row.amount_usd or 0))
        st.caption(f"{exact(row.created_at)} · {row.scope.value} {row.key}: {what} · {row.made_by}")
    if not rows:
        st.caption("None yet.")
