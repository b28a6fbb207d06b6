"""One article: the reader with its evidence highlighted, its analyses and its signals."""

from functools import partial

import streamlit as st

from console.components import empty
from console.exporting import export_popover
from console.reader import highlighted, legend
from console.resources import read
from console.signal_card import marks_in, signal_card
from console.state import blind_share
from console.story_view import story
from console.words import exact, number_in, percent, plain
from core.articles import get_article
from core.errors import NotFound
from core.signals import analyses_of, signals_in_article

wanted = number_in(st.query_params.get("id", ""))
if wanted is None:
    st.title("Article")
    empty("No article is chosen.", "articles", "Go to Articles")
    st.stop()
try:
    article = read(partial(get_article, article_id=wanted))
except NotFound as error:
    st.title("Article")
    empty(plain(str(error)), "articles", "Go to Articles")
    st.stop()
found = read(lambda session: signals_in_article(session, article.id, blind_share=blind_share()))
chosen_id = number_in(st.query_params.get("signal", ""))

st.title(plain(article.title))
facts = [article.publisher, exact(article.published_at), f"{len(article.body):,} characters", article.authors or ""]
st.caption(" · ".join(plain(fact) for fact in facts if fact) + (" · sample article" if article.is_sample else ""))
if article.url and article.url.startswith(("http://", "https://")) and not article.is_sample:
    st.link_button("Open at the publisher", article.url, icon=":material/open_in_new:", type="tertiary")

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
    story(article.id)
    for analysis in read(lambda session: analyses_of(session, article.id)):
        with st.container(border=True):
            st.markdown(
                f"**{analysis.sentiment.value.lower()}** · impact {percent(analysis.impact)} · strength {percent(analysis.signal_strength)}"
            )
            st.markdown(plain(analysis.summary))
            st.caption(f"{plain(analysis.context)}")
            st.caption(
                f"{analysis.model} · {analysis.prompt_version} · {exact(analysis.created_at)} · {analysis.ungrounded_signals} ungrounded"
            )
    export_popover(article_id=article.id, key="article")
    if not found:
        empty("No signals: the article was not analysed yet, or there are none in it.", "articles", "Go to Articles")
    for signal in sorted(found, key=lambda one: one.id != chosen_id):
        signal_card(signal, article, number=numbers[signal.id])
