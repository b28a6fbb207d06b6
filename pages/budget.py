"""Budget: what was spent on what, what is left, and the limits."""

from datetime import timedelta

import streamlit as st

from console.budget_view import events, ledger, limits, spend
from console.resources import read, settings
from core.budget import current_budgets, utc_day
from core.clock import utc_now

st.title("Budget")
now = settings()
states = read(lambda session: current_budgets(session, now, utc_now()))
limits(states)
days = st.segmented_control(
    "Days", [7, 30, 90], default=30, required=True, key="days", bind="query-params", format_func=lambda one: f"{one} days"
)
spend(utc_day(utc_now()) - timedelta(days=(days or 30) - 1), states[0].limit)
ledger()
events()
