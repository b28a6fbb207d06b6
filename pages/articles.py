"""Articles: filter, select, see the cost, click Analyze."""

import streamlit as st

from console.articles_view import cost_card, filters, preview, table
from console.resources import settings
from console.runs_view import run_strip
from console.state import last_run

st.title("Articles")
now = settings()
article_filter = filters()
left, right = st.columns([7, 3])
with left:
    clicked = table(article_filter, now)
with right:
    cost_card(now)
    if (launched := last_run()) is not None:
        run_strip(launched)
    if clicked is not None:
        preview(clicked)
    else:
        st.caption("Click a cell to read the article here.")
