"""Overview: today at a glance."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from console import charts
from console.colours import KIND_ICONS, KIND_NAMES
from console.components import budget_meter, empty
from console.exporting import export_popover
from console.navigation import to
from console.resources import read, settings
from console.words import money, plain
from core import reports, signals
from core.budget import current_budgets
from core.clock import utc_now
from core.exports import Table
from core.launching import readiness
from core.signal_filter import SignalFilter

st.title("Overview")
now, moment = settings(), utc_now()
today = read(lambda session: reports.today(session, readiness(now)))
if today.articles == 0:
    empty("There are no articles yet. Import some: `signaldesk import FILE` or `signaldesk fetch`.")
    st.stop()
budgets = read(lambda session: current_budgets(session, now, moment))

columns = st.columns(5)
columns[0].metric(
    "Ready to analyse", str(today.ready), f"of {today.articles:,} articles", delta_color="off", delta_arrow="off", border=True
)
columns[1].metric("Running now", f"{today.running:,}", f"{today.waiting:,} waiting", delta_color="off", delta_arrow="off", border=True)
columns[2].metric("To review", f"{today.to_review:,}", "signals", delta_color="off", delta_arrow="off", border=True)
if today.to_review:
    columns[2].page_link(to("review"), label="Review them", icon=":material/fact_check:")
columns[3].metric("Accepted", f"{today.accepted:,}", "signals", delta_color="off", delta_arrow="off", border=True)
forecast = f"about {money(reports.burn_rate(budgets[0], moment))} by midnight UTC"
columns[4].metric("Spent today", money(budgets[0].spent), forecast, delta_color="off", delta_arrow="off", border=True)

left, right = st.columns([3, 2])
with left:
    st.subheader("Signals by article date")
    newest = read(reports.newest_article_day)
    if newest is None:
        empty("No signals yet. Pick some articles and click Analyze.", "articles", "Go to Articles")
    else:
        since = newest - timedelta(days=29)
        st.plotly_chart(charts.signals_by_day(read(lambda session: reports.signals_by_day(session, since=since))))
with right:
    st.subheader("Budget")
    for state in budgets:
        budget_meter(state)
    st.subheader("Publishers")
    rows = read(reports.publishers_by_signals)
    if rows:
        st.dataframe(pd.DataFrame(rows, columns=["Publisher", "Signals", "Accepted"]), hide_index=True, row_height=30)
    else:
        st.caption("Appears with the first signals.")

with st.container(horizontal=True, vertical_alignment="bottom"):
    st.subheader("Strongest signals")
    export_popover([Table.SIGNALS], key="overview")
strongest = read(lambda session: signals.signal_page(session, SignalFilter(), offset=0, size=8))
for row in strongest:
    line = f"**{row.confidence:.0%}** · {KIND_NAMES[row.kind]} · {plain(row.description)}"
    st.page_link(to("article"), label=line, icon=KIND_ICONS[row.kind], query_params={"id": str(row.article_id), "signal": str(row.id)})
if not strongest:
    st.caption("Appears with the first signals.")
