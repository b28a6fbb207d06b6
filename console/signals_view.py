"""The pieces of the Signals and Article pages: filters, table, one signal with evidence, validation and review."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.charts import BADGES, KIND_NAMES
from console.components import attempt, badge, empty, filter_key, kind_label, pager
from console.exporting import export_popover
from console.navigation import to
from console.reader import Mark, highlighted
from console.resources import change, read
from console.words import exact, percent, plain
from core import batch_actions, reviews, signals, validations
from core.agents.outputs import SignalKind, Stance, Verdict
from core.articles import ArticleText, get_article, publishers
from core.evidence import Text
from core.figures import unsupported
from core.models import Decision, EvidenceMatch
from core.signals import Reviewed, SignalDetail, SignalFilter, SignalOrder

PAGE_SIZE = 50
CONTEXT_CHARS = 220
STANCE_MARKS = {Stance.SUPPORTS: ":green[▲ supports]", Stance.CONTRADICTS: ":red[▼ contradicts]", Stance.NEUTRAL: ":gray[● neutral]"}


def filters() -> SignalFilter:
    """The filter as the widgets stand; every widget is bound to the address."""
    names = {row.id: row.name for row in read(publishers)}
    categories = read(signals.categories)
    first = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    text = first[0].text_input("Search", key="q", bind="query-params", placeholder="words in signal or article", max_chars=200)
    kinds = first[1].multiselect(
        "Kinds", list(SignalKind), format_func=KIND_NAMES.__getitem__, key="kind", bind="query-params", placeholder="all"
    )
    verdicts = first[2].multiselect(
        "Verdicts", list(Verdict), format_func=lambda one: BADGES[one][0], key="verdict", bind="query-params", placeholder="all"
    )
    category = first[3].multiselect("Categories", categories, key="category", bind="query-params", placeholder="all")
    second = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    publisher = second[0].multiselect(
        "Publishers", list(names), format_func=names.__getitem__, key="publisher", bind="query-params", placeholder="all"
    )
    confidence = second[1].slider("Confidence at least", 0.0, 1.0, 0.0, 0.05, key="confidence", bind="query-params")
    reviewed = second[2].selectbox("Review", list(Reviewed), format_func=lambda one: one.value, key="review", bind="query-params")
    order = second[3].selectbox("Order", list(SignalOrder), format_func=lambda one: one.value, key="order", bind="query-params")
    batch = st.query_params.get("batch", "")
    if batch.isdigit() and st.button(f"Only run #{batch}", icon=":material/close:", help="Show the signals of all runs"):
        del st.query_params["batch"]
        st.rerun()
    return SignalFilter(
        kinds=tuple(kinds),
        categories=tuple(category),
        verdicts=tuple(verdicts),
        reviewed=reviewed,
        publishers=tuple(publisher),
        minimum_confidence=confidence,
        text=text or "",
        batch_id=int(batch) if batch.isdigit() else None,
        order=order,
    )


def table(signal_filter: SignalFilter) -> int | None:
    """One page of signals; returns the id of the chosen one (the first without a choice)."""
    found = read(lambda session: signals.count_signals(session, signal_filter))
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.markdown(f"**{found}** signals")
    with bar:
        export_popover(signals=signal_filter, key="signals")
    if found.value == 0:
        empty("No signal matches. Loosen the filter, or analyse some articles.", "articles", "Go to Articles")
        return None
    signature = filter_key(signal_filter)
    offset = pager(found.value, PAGE_SIZE, signature, exact=found.exact)
    rows = read(lambda session: signals.signal_page(session, signal_filter, offset=offset, size=PAGE_SIZE))
    frame = pd.DataFrame(
        {
            "confidence": [row.confidence for row in rows],
            "kind": [KIND_NAMES[row.kind] for row in rows],
            "description": [row.description for row in rows],
            "verdict": [BADGES[row.verdict][0] if row.verdict else "–" for row in rows],
            "review": [BADGES[row.decision][0] if row.decision else "" for row in rows],
            "category": [row.category for row in rows],
            "publisher": [row.publisher for row in rows],
            "published": [row.published_at.replace(tzinfo=None) for row in rows],
        }
    )
    event = st.dataframe(
        frame,
        hide_index=True,
        height=640,
        row_height=30,
        column_config={
            "confidence": st.column_config.ProgressColumn("Conf.", min_value=0, max_value=1, format="%.2f", width=70),
            "kind": st.column_config.TextColumn("Kind", width=130),
            "description": st.column_config.TextColumn("Signal", width="large"),
            "verdict": st.column_config.TextColumn("Verdict", width=110),
            "review": st.column_config.TextColumn("Review", width=80),
            "category": st.column_config.TextColumn("Category", width=90),
            "publisher": st.column_config.TextColumn("Publisher", width=110),
            "published": st.column_config.DatetimeColumn("Published", format="DD MMM", width=70),
        },
        key=f"signals-{signature}-{offset}",
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
    )
    chosen = event.selection.rows or [cell[0] for cell in event.selection.get("cells") or []]
    return rows[chosen[0] if chosen and chosen[0] < len(rows) else 0].id


def signal_with_article(session: Session, signal_id: int) -> tuple[SignalDetail, ArticleText]:
    """A signal and the article it was found in."""
    signal = signals.get_signal(session, signal_id)
    return signal, get_article(session, signal.article_id)


def signal_card(signal: SignalDetail, article: ArticleText) -> None:
    """One signal: what it is, the words it rests on, what research made of it, and the decision."""
    with st.container(border=True):
        head = st.container(horizontal=True, vertical_alignment="center")
        with head:
            st.markdown(
                f"**{kind_label(signal.kind)}** · {plain(signal.category)} · {signal.timeframe.value} · {percent(signal.confidence)}"
            )
            if signal.verdict:
                badge(signal.verdict)
            if signal.decision:
                badge(signal.decision)
        st.markdown(plain(signal.description))
        if flagged := unsupported(signal.description, [quote.quote for quote in signal.evidence]):
            st.warning(f"In no quote: {plain(', '.join(flagged))}. Check the numbers before you use them.", icon=":material/pin:")
        st.caption(f"Why it may matter: {plain(signal.implications)}")
        _review(signal)
        near = sum(quote.match is EvidenceMatch.FUZZY for quote in signal.evidence)
        st.markdown(
            "**Evidence**" + (f" :gray[· {near} of {len(signal.evidence)} quoted with slips, shown as the article has it]" if near else "")
        )
        for body, marks in evidence_in_context(article, signal):
            st.html(highlighted(body, marks, chosen=signal.id))
        st.page_link(
            to("article"),
            label=plain(article.title),
            icon=":material/menu_book:",
            query_params={"id": str(article.id), "signal": str(signal.id)},
        )
        st.caption(f"{plain(article.publisher)} · {exact(article.published_at)} · {signal.model} · {signal.prompt_version}")
        _validation(signal)


def evidence_in_context(article: ArticleText, signal: SignalDetail) -> list[tuple[str, list[Mark]]]:
    """Each quote with some of the text around it; a quote of an older version of the text stands alone."""
    excerpts = []
    for mark in marks_in(article, [signal]):
        start = max(mark.start - CONTEXT_CHARS, 0)
        end = min(mark.end + CONTEXT_CHARS, len(article.body))
        before, after = ("… " if start else ""), (" …" if end < len(article.body) else "")
        shift = len(before) - start
        excerpts.append(
            (f"{before}{article.body[start:end]}{after}", [Mark(mark.start + shift, mark.end + shift, mark.kind, mark.signal_id)])
        )
    return excerpts or [(quote.quote, [Mark(0, len(quote.quote), signal.kind, signal.id)]) for quote in signal.evidence]


def marks_in(article: ArticleText, found: list[SignalDetail]) -> list[Mark]:
    """Where the evidence of signals stands in the article's text as it is now."""
    marks: list[Mark] = []
    text = Text(article.body)
    for signal in found:
        for quote in signal.evidence:
            if article.body[quote.start : quote.end] == quote.quote:
                marks.append(Mark(quote.start, quote.end, signal.kind, signal.id))
            elif span := text.find(quote.quote):
                marks.append(Mark(span.start, span.end, signal.kind, signal.id))
    return marks


def _review(signal: SignalDetail) -> None:
    note = st.text_input("Note", key=f"note-{signal.id}", placeholder="Note (optional)", label_visibility="collapsed", max_chars=1_000)
    row = st.container(horizontal=True)
    choices: tuple[tuple[str, Decision, str, Any], ...] = (
        ("Accept", Decision.ACCEPTED, ":material/thumb_up:", "primary"),
        ("Reject", Decision.REJECTED, ":material/thumb_down:", "secondary"),
        ("Unsure", Decision.UNSURE, ":material/question_mark:", "secondary"),
    )
    for label, decision, icon, look in choices:
        clicked = row.button(label, icon=icon, type=look, key=f"{decision.value}-{signal.id}", disabled=signal.decision is decision)
        if clicked and attempt(partial(_decide, signal.id, decision, note)):
            st.rerun()
    if (
        signal.decision
        and row.button("Undo", icon=":material/undo:", key=f"undo-{signal.id}")
        and attempt(lambda: change(lambda session: reviews.undo(session, signal.id, by=state.user())))
    ):
        st.rerun()
    if history := read(lambda session: reviews.acts_of(session, signal.id)):
        *older, newest = history
        said = f": {plain(newest.note)}" if newest.note else ""
        more = f" · {len(older)} earlier" if older else ""
        st.caption(f"{BADGES[newest.decision or newest.act][0]} by {plain(newest.reviewer)}, {exact(newest.created_at)}{said}{more}")


def _decide(signal_id: int, decision: Decision, note: str) -> None:
    change(lambda session: reviews.decide(session, signal_id, decision, by=state.user(), note=note))


def _validation(signal: SignalDetail) -> None:
    st.markdown("**Validation**")
    found = read(lambda session: validations.validations_of(session, signal.id))
    if not found:
        st.caption("Not researched: its confidence is below the setting, or its article is still in work.")
        return
    newest = found[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(newest.verdict)
        st.caption(f"confidence {newest.confidence_adjustment:+.2f} · {newest.model} · {newest.research_provider}")
    st.markdown(plain(newest.reason))
    if newest.failed and st.button("Research again", icon=":material/travel_explore:", key=f"research-{signal.id}"):
        again = attempt(lambda: change(lambda session: batch_actions.retry_research(session, signal.batch_id, signal.article_id)))
        if again:
            st.rerun()
    for source in newest.sources:
        with st.container(border=True):
            when = f" · {exact(source.published_at)}" if source.published_at else ""
            st.markdown(f"{STANCE_MARKS[source.stance]} · **{plain(source.title)}**")
            st.caption(f"{plain(source.publisher)}{when} · authority {source.authority.value.lower()}")
            st.markdown(f"> {plain(source.quote)}")
            if source.article_id is not None:
                st.page_link(
                    to("article"), label="In the archive", icon=":material/inventory_2:", query_params={"id": str(source.article_id)}
                )
            else:
                st.link_button("Open the page", source.url, icon=":material/open_in_new:", type="tertiary")
    with st.expander(f"{len(newest.searches)} searches"):
        for search in newest.searches:
            st.caption(f"{search['provider']}: {plain(search['query'])} · {search['results']} results")
        if newest.dropped_sources:
            st.caption(f"{newest.dropped_sources} sources were dropped: their address or quote did not come back from a search.")
