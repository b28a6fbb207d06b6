"""One article: the reader with its evidence highlighted, its story, its runs and their costs, its analyses and its signals."""

from functools import partial

import streamlit as st

from console.article_view import analysis_card, analyze, head, nothing_chosen, runs_list, runs_of_article, signal_moves
from console.components import empty
from console.exporting import export_popover
from console.reader import highlighted, legend
from console.resources import read
from console.signal_card import marks_in, signal_card
from console.state import blind_share
from console.story_view import story
from console.words import number_in, plain
from core.articles import get_article
from core.errors import NotFound
from core.signals import analyses_of, get_signal, signals_in_article

wanted, chosen_id = (number_in(st.query_params.get(name, "")) for name in ("id", "signal"))
if wanted is None and chosen_id is None:
    nothing_chosen("No article is chosen.")
    st.stop()
try:
    if wanted is None:  # a signal is enough
        wanted = read(lambda session: get_signal(session, chosen_id or 0).article_id)
    article = read(partial(get_article, article_id=wanted))
except NotFound as error:
    nothing_chosen(str(error))
    st.stop()
share = blind_share()
found = read(lambda session: signals_in_article(session, article.id, blind_share=share))
analyses = read(lambda session: analyses_of(session, article.id))
runs = runs_of_article(article.id)

head(article)
numbers = {signal.id: number for number, signal in enumerate(found, start=1)}
left, right = st.columns([6, 5])
with left:
    if article.subtitle:
        st.markdown(f"**{plain(article.subtitle)}**")
    marks = marks_in(article, found)
    if marks:
        st.html(legend(marks))
    st.html(highlighted(article.body, marks, chosen=chosen_id, numbers=numbers))
with right:
    first, second = st.container(), st.container()
about, below = (second, first) if chosen_id in numbers else (first, second)  # a signal that was asked for comes first
with about:
    analyze(article, runs)
    story(article.id)
    for analysis in analyses:
        analysis_card(analysis)
    runs_list(runs)
with below:
    if found:
        signal_moves(article.id, found, chosen_id)
        export_popover(article_id=article.id, key="article")
    elif analyses:
        empty("It was analysed, and no signal with a quote to stand on was found in it.", "articles", "Go to Articles")
    else:
        empty("Not analysed yet: its signals will stand here.", "articles", "Go to Articles")
    for signal in sorted(found, key=lambda one: one.id != chosen_id):
        signal_card(signal, article, number=numbers[signal.id])
