"""Overview: today at a glance, and how the narrative goes."""

import streamlit as st

from console import overview_view as view
from console.components import empty
from console.import_view import import_strip, no_articles
from console.narrative_view import narrative
from console.resources import read, settings
from core import reports
from core.launching import readiness


@st.fragment
def of_days(by_signals: view.PublisherRows) -> None:
    """What follows the choice of days, which runs this alone, not the cards above it."""
    now = settings()
    chosen = view.choose_days(now)
    left, right = st.columns([7, 4], gap="medium")
    with left:
        view.trend(chosen)
    with right:
        view.strongest(chosen)
    narrative(chosen, now)
    left, right = st.columns([7, 4], gap="medium")
    with left:
        view.stories(chosen, now)
    with right:
        view.publishers(by_signals)


st.title("Overview")
now = settings()
today = read(lambda session: reports.today(session, readiness(now)))
if today.articles == 0:
    import_strip()
    no_articles()
    st.stop()
view.glance(today, now)
if read(reports.newest_article_day) is None:
    empty("**No signals yet.** Pick some articles and click Analyze: without a key that is free.", "articles", "Go to Articles")
    st.stop()
of_days(read(reports.publishers_by_signals))
