"""Articles: filter, select, see the cost, click Analyze."""

import streamlit as st

from console.articles_view import cost_card, filters, preview, table
from console.import_view import import_button, import_strip
from console.resources import settings
from console.runs_view import run_strip
from console.state import last_run
from core.selection import ArticleFilter
from core.settings import Settings


@st.fragment
def worklist(article_filter: ArticleFilter, now: Settings) -> None:
    """The articles beside what is done with those that are ticked; a tick runs this alone, not the page around it."""
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


head = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute")
head.title("Articles")
with head:
    import_button()
import_strip()
worklist(filters(), settings())
