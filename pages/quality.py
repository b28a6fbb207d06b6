"""Quality: what the reviews say of kinds, sources, models and prompts, of verdicts, of confidence, and of money."""

import streamlit as st

from console import quality_view
from console.components import empty
from console.resources import read
from core import quality

st.title("Quality")
scope = quality_view.filters()
agreements = read(lambda session: quality.agreement(session, scope))
decided = quality.acceptance(agreements)
if decided.decided == 0:
    empty(quality_view.nothing_decided(scope), "signals", "Go to Signals")
    st.stop()
given, after = read(lambda session: quality.calibrations(session, scope))
costs = read(lambda session: quality.costs(session, since=scope.since))
total = quality.in_all(costs)
quality_view.headline(decided, agreements, given, total)

left, right = st.columns(2, gap="large")
with left:
    quality_view.acceptance(scope)
    quality_view.cost(costs, total, scope)
with right:
    quality_view.calibration(given, after)
    quality_view.agreement(agreements)
