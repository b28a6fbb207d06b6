"""The Overview's narrative: choose a theme, and see how it went through the days, with the price behind it."""

import streamlit as st
from sqlalchemy.orm import Session

from console import overview_charts
from console.components import empty
from console.navigation import to
from console.overview_charts import counted
from console.overview_view import View, signal_line
from console.prices_view import price_popover
from console.resources import read
from console.words import plain
from core import headlines, themes
from core.article_filter import Readiness
from core.launching import readiness
from core.prices import prices_between
from core.settings import Settings
from core.signals import SignalRow
from core.themes import Narrative, Theme

NOTABLE = 6


@st.fragment
def narrative(view: View, now: Settings) -> None:
    """Choose a theme, which runs this alone, and see how it went through the days, with the price behind it."""
    frequent = read(lambda session: themes.frequent_categories(session, view.window, without_samples=not view.samples))
    categories = [category for category, _ in frequent]
    head = st.container(horizontal=True, vertical_alignment="bottom")
    head.header("Narrative of a theme", width="content")
    chosen = head.selectbox(
        "Theme",
        categories,
        index=None,
        key="theme",
        bind="query-params",
        accept_new_options=True,
        placeholder=f"{categories[0]}, the most frequent" if categories else "words of your own",
        width=320,
        help="A category that signals have, or any words: then it is the signals and articles that have all of them.",
    )
    theme = Theme.of(chosen or next(iter(categories), ""), categories)
    with head:
        price_popover(view.window)
    if theme is None:
        st.caption("Pick a category, or type words such as a company's name, to see its days.")
        return
    story, notable = read(lambda session: _narrative(session, theme, view, readiness(now)))
    if story.is_empty:
        empty(f"Nothing about **{plain(theme.name)}** in articles of {view.window}. Pick another theme, or look at more days.")
        return
    left, right = st.columns([7, 4], gap="medium")
    with left:
        _narrative_chart(story, notable)
    with right:
        _narrative_numbers(story, notable, view)


def _narrative(session: Session, theme: Theme, view: View, now: Readiness) -> tuple[Narrative, list[SignalRow]]:
    """The theme's days, and the most notable of its signals."""
    prices = prices_between(session, view.window.first, view.window.last)
    story = themes.narrative(session, theme, view.window, now, prices, without_samples=not view.samples)
    chosen = theme.signals(view.window, without_samples=not view.samples, blind_share=view.blind_share)
    if theme.words:
        return story, headlines.strongest_among(session, story.signal_ids, chosen, NOTABLE)
    return story, headlines.strongest(session, chosen, NOTABLE)


def _narrative_chart(story: Narrative, notable: list[SignalRow]) -> None:
    words = overview_charts.narrative_in_words(story)
    figure = overview_charts.narrative(story, notable)
    st.html(overview_charts.legend(figure))
    st.plotly_chart(figure, alt=f"{story.theme.name}, {story.window}. {words}", key="narrative")
    if story.counted_from != story.window.first:
        st.caption(
            f":material/info: Too much to count at once: the newest {themes.MOST:,}, which is everything since {story.counted_from:%d %b}."
        )
    st.caption(words)


def _narrative_numbers(story: Narrative, notable: list[SignalRow], view: View) -> None:
    theme = story.theme
    address = {"category": theme.category} if theme.category else {"find": theme.words}
    with st.container(horizontal=True):
        if story.signals.value:
            label = f"{'' if story.signals.exact else '> '}{counted(story.signals.value, 'signal')}"
            st.page_link(to("signals"), label=label, icon=":material/radar:", query_params=view.address(**address))
        if theme.words and story.articles.value:
            label = f"{'' if story.articles.exact else '> '}{counted(story.articles.value, 'article')}"
            days = {"since": str(story.window.first), "until": str(story.window.last)}
            more = {"q": theme.words, "ready": "false", **days, **({} if view.samples else {"samples": "false"})}
            st.page_link(to("articles"), label=label, icon=":material/article:", query_params=more)
    if notable:
        st.markdown("**Notable signals**")
        with st.container(key="lines-notable"):
            for place, row in enumerate(notable, start=1):
                signal_line(row, place)
    names = read(lambda session: headlines.publisher_names(session, [key for key, _ in story.publishers[:5]]))
    listed = ", ".join(f"{plain(names[key])} {articles:,}" for key, articles in story.publishers[:5] if key in names)
    rest = len(story.publishers) - 5
    st.caption(f"Articles by publisher: {listed}" + (f" and {rest} more" if rest > 0 else "") + ".")
