"""Articles: filter, select, see the cost, click Analyze."""

import streamlit as st

from console.article_filters import filters
from console.article_preview import preview
from console.articles_view import opened_article, table
from console.import_view import import_button, import_strip
from console.resources import settings
from console.runs_view import run_strip
from console.selection_card import selection_card
from console.state import last_run
from core.article_filter import ArticleFilter
from core.launching import readiness
from core.settings import Settings
from core.text_search import Words


@st.fragment
def worklist(article_filter: ArticleFilter, now: Settings, known: list[Words | None]) -> None:
    """The articles beside what is done with those that are ticked; a tick runs this alone, not the page around it."""
    left, right = st.columns([5, 2])
    with left:
        listed = table(article_filter, now, known)
    with right:
        selection_card(article_filter, listed, now)
        if (launched := last_run()) is not None:
            run_strip(launched)
        if (opened := opened_article()) is not None:
            preview(opened, listed)
        elif listed.ids:
            st.caption("Click a title to read the article here; J and K go on and back.")


head = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute")
head.title("Articles")
with head:
    import_button()
import_strip()
now = settings()
chosen, words = filters(readiness(now))
worklist(chosen, now, [words])
