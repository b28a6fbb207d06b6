"""Budget: how much is left and whether it lasts; where the money goes; what was estimated; limits; the ledger."""

from decimal import Decimal

import streamlit as st

from console import budget_view, ledger_view, spend_view
from console.resources import read, settings
from core import spending
from core.budget import current_budgets
from core.clock import utc_now
from core.forecast import Comparison


@st.fragment
def of_period(runs: list[Comparison], daily_limit: Decimal) -> None:
    """What follows the choice of a period, which runs this alone."""
    since = spend_view.period()
    spend_view.figures(since)
    spend_view.where_it_goes(since, daily_limit)
    left, right = st.columns(2, gap="large")
    with left:
        spend_view.tokens_and_credits(since)
    with right:
        spend_view.estimates(runs)


st.title("Budget")
now = settings()
states = read(lambda session: current_budgets(session, now, utc_now()))
budget_view.what_is_left(states)
of_period(read(spending.comparisons), states[0].limit)
budget_view.batch_limits()
ledger_view.ledger()
budget_view.history()
