"""An article beside the list: its facts, what it promises and why, what was found in it, and its first words."""

from functools import partial

import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.articles_view import Listed, open_beside
from console.colours import KIND_ICONS
from console.components import badge
from console.navigation import to
from console.reader import highlighted
from console.resources import read
from console.signal_card import marks_in
from console.words import ago, exact, percent, plain
from core.articles import ArticleText, get_article
from core.clock import utc_now
from core.errors import NotFound
from core.offline.analysis import Promise, promise_of
from core.signals import SignalDetail, signals_in_article

PREVIEW_CHARS = 6_000
SHOWN_SIGNALS = 5
SMALLER = "<style>.st-key-preview-text .reader{font-size:.9rem;line-height:1.5}</style>"


def preview(article_id: int, listed: Listed) -> None:
    """The article, with the way to the next one of the list and to all of it."""
    share = state.blind_share()
    try:
        article, found = read(partial(_with_signals, article_id=article_id, blind_share=share))
    except NotFound as error:
        st.caption(str(error))
        return
    with st.container(border=True, key="preview"):
        _moves(article_id, listed)
        st.markdown("## " + plain(article.title))
        facts = [f"**{plain(article.publisher)}**", published(article), f"{len(article.body):,} characters"]
        kinds = [word for word, holds in (("sample", article.is_sample), ("archived", not article.is_active)) if holds]
        st.caption(" · ".join([*facts, *kinds]))
        if article.categories:
            st.caption(plain(", ".join(article.categories)))
        st.caption(promise_in_words(promise_of(article.title, article.body)))
        _signals(article, found)
        st.page_link(to("article"), label="Read it with its signals", icon=":material/menu_book:", query_params={"id": str(article_id)})
        with st.container(height=320, border=False, key="preview-text"):
            more = " …" if len(article.body) > PREVIEW_CHARS else ""
            st.html(highlighted(article.body[:PREVIEW_CHARS] + more, marks_in(article, found)) + SMALLER)


def published(article: ArticleText) -> str:
    """When, exactly and, where it is recent, how long ago."""
    since, day = ago(article.published_at, utc_now()), exact(article.published_at)
    return day if day.startswith(since) else f"{since} ({day})"


def promise_in_words(promise: Promise) -> str:
    """What the score rests on, as Markdown."""
    parts = [f"{len(promise.hints)} telling {'word' if len(promise.hints) == 1 else 'words'}" if promise.hints else "no telling words"]
    if promise.hints:
        parts[0] += f" ({plain(', '.join(promise.hints[:5]))}{', …' if len(promise.hints) > 5 else ''})"
    parts.append(f"{promise.figures} {'figure' if promise.figures == 1 else 'figures'}")
    parts.append(f"{promise.names} {'name' if promise.names == 1 else 'names'}")
    if not promise.long_enough:
        parts.append("short")
    if promise.filler:
        parts.append(f"less for {plain(', '.join(promise.filler[:3]))}")
    return f":material/insights: **Promise {promise.score:.2f}**: {', '.join(parts)}"


def _with_signals(session: Session, article_id: int, blind_share: float) -> tuple[ArticleText, list[SignalDetail]]:
    return get_article(session, article_id), signals_in_article(session, article_id, blind_share=blind_share)


def _moves(article_id: int, listed: Listed) -> None:
    before, after = listed.beside(article_id, -1), listed.beside(article_id, 1)
    row = st.container(horizontal=True, vertical_alignment="center", gap="small", key="preview-moves")
    for label, icon, key, other in (
        ("Previous", ":material/keyboard_arrow_up:", "K", before),
        ("Next", ":material/keyboard_arrow_down:", "J", after),
    ):
        row.button(
            label,
            icon=icon,
            shortcut=key,
            key=f"preview-{label.lower()}",
            disabled=other is None,
            on_click=partial(open_beside, listed, other),
        )
    row.button("Close", icon=":material/close:", key="preview-close", type="tertiary", on_click=partial(open_beside, listed, None))


def _signals(article: ArticleText, found: list[SignalDetail]) -> None:
    """The strongest signals, each leading to its card in the article."""
    if not found:
        return
    st.markdown(f"**{len(found)} {'signal' if len(found) == 1 else 'signals'}**")
    for signal in sorted(found, key=lambda one: -one.confidence)[:SHOWN_SIGNALS]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(
                to("article"),
                label=f"{percent(signal.confidence)} · {plain(signal.corrected_description or signal.description)}",
                icon=KIND_ICONS[signal.kind],
                query_params={"id": str(article.id), "signal": str(signal.id)},
            )
            if signal.decision:
                badge(signal.decision)
    if len(found) > SHOWN_SIGNALS:
        st.caption(f"{len(found) - SHOWN_SIGNALS} more are on the article's own page.")
