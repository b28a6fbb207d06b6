"""The pieces of the Signals and Article pages: filters, table, one signal with evidence, validation and review."""

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.bulk import bulk_decision
from console.colours import BADGES, HIDDEN_VERDICT, KIND_COLOURS, KIND_NAMES, SIGNAL_MARKS
from console.components import empty, filter_key, paged
from console.exporting import export_popover
from console.marks import width_of
from console.navigation import to
from console.resources import read
from console.words import number_in
from core import reports, signals
from core.agents.outputs import SignalKind, Verdict
from core.articles import ArticleText, get_article, publisher_names
from core.paging import Page, Place
from core.signal_filter import Reviewed, SignalFilter, SignalOrder, words_in_signals
from core.signals import SignalDetail, SignalRow
from core.text_search import Words
from core.windows import Window

PAGE_SIZE = 50
PAGER_WIDTH = 440
"""Pixels: short of the right end, where the table's own tools appear above it under the pointer."""
FILTER_NAMES = ("find", "kind", "verdict", "category", "from", "confidence", "review", "sort", "run", "invented")
"""The names of the filter in the address."""
TABLE_WIDTH, KIND_WIDTH = 674, 146
"""Pixels: the table on a screen of 1440, and its column of kinds."""


def filters(*, in_queue: bool = False) -> SignalFilter:
    """The filter as the widgets stand; every widget is bound to the address. A queue holds what is undecided, so it does not ask."""
    names, categories = read(lambda session: (publisher_names(session), signals.categories(session)))
    first = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    text = first[0].text_input("Search", key="find", bind="query-params", placeholder="words in signal or article", max_chars=200)
    kinds = first[1].multiselect(
        "Kinds", list(SignalKind), format_func=KIND_NAMES.__getitem__, key="kind", bind="query-params", placeholder="all"
    )
    verdicts = first[2].multiselect(
        "Verdicts", list(Verdict), format_func=lambda one: BADGES[one][0], key="verdict", bind="query-params", placeholder="all"
    )
    category = first[3].multiselect("Categories", categories, key="category", bind="query-params", placeholder="all")
    second = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    publisher = second[0].multiselect(
        "Publishers", list(names), format_func=names.__getitem__, key="from", bind="query-params", placeholder="all"
    )
    confidence = second[1].slider("Confidence at least", 0.0, 1.0, 0.0, 0.05, key="confidence", bind="query-params")
    reviewed: Reviewed | None = Reviewed.OPEN
    if not in_queue:
        reviewed = second[2].selectbox("Review", list(Reviewed), format_func=lambda one: one.value, key="review", bind="query-params")
    order = second[3].selectbox("Order", list(SignalOrder), format_func=lambda one: one.value, key="sort", bind="query-params")
    run = st.query_params.get("run", "")  # not "batch", which the Runs page's own choice takes along when it is left
    only_run = number_in(run)
    days = Window.read(st.query_params.get("published", ""))
    row = st.container(horizontal=True, vertical_alignment="center")
    samples = row.toggle("Samples", value=True, key="invented", bind="query-params", help="Signals of the invented articles, too.")
    if only_run is not None and row.button(f"Only run #{only_run}", icon=":material/close:", help="Show the signals of all runs"):
        del st.query_params["run"]
        st.rerun()
    if days is not None and row.button(f"Only {days}", icon=":material/close:", help="Show the signals of articles of all days"):
        del st.query_params["published"]
        st.rerun()
    return SignalFilter(
        kinds=tuple(kinds),
        categories=tuple(category),
        verdicts=tuple(verdicts),
        reviewed=reviewed or Reviewed.ANY,
        publishers=tuple(publisher),
        minimum_confidence=confidence,
        text=text or "",
        since=days.first if days else None,
        until=days.last if days else None,
        batch_id=only_run,
        without_samples=not samples,
        order=order,
        blind_share=state.blind_share(),
    )


def table(signal_filter: SignalFilter) -> int | None:
    """One page of signals; returns the id of the chosen one (the first without a choice)."""
    words = read(lambda session: words_in_signals(session, signal_filter.text))
    found = read(lambda session: signals.count_signals(session, signal_filter, words))
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.markdown(f"**{found}** {'signal' if found.value == 1 else 'signals'}")
    with bar:
        if signal_filter.reviewed in (Reviewed.ANY, Reviewed.OPEN) and found.value:
            st.page_link(to("review"), label="Review these", icon=":material/fact_check:", query_params=here_with(review=""))
        export_popover(signals=signal_filter, key="signals")
        if found.value:
            bulk_decision(signal_filter)
    if found.value == 0:
        nothing_found("signals", "No signal matches.")
        return None
    signature = filter_key(signal_filter)
    with st.container(width=PAGER_WIDTH):
        shown = paged(found, signature, lambda place: _page_at(signal_filter, place, words))
    rows, offset = shown.rows, shown.position
    frame = pd.DataFrame(
        {
            "confidence": [row.confidence for row in rows],
            "description": [row.description for row in rows],
            "state": [_state(row) for row in rows],
            "kind": [[KIND_NAMES[row.kind]] for row in rows],
            "category": [row.category for row in rows],
            "publisher": [row.publisher for row in rows],
            "published": [row.published_at.replace(tzinfo=None) for row in rows],
        }
    )
    state_width = width_of(map(_state, rows))
    event = st.dataframe(
        frame,
        hide_index=True,
        height=min(38 + 30 * len(rows), 640),
        row_height=30,
        column_config={
            "confidence": st.column_config.ProgressColumn("Conf.", min_value=0, max_value=1, format="%.2f", width=60),
            "description": st.column_config.TextColumn("Signal", width=max(TABLE_WIDTH - 33 - 60 - state_width - KIND_WIDTH, 210)),
            "state": st.column_config.MultiselectColumn(
                "Verdict, review", options=list(SIGNAL_MARKS), color=list(SIGNAL_MARKS.values()), width=state_width
            ),
            "kind": st.column_config.MultiselectColumn(
                "Kind", options=list(KIND_NAMES.values()), color=[f"{KIND_COLOURS[kind]}40" for kind in KIND_NAMES], width=KIND_WIDTH
            ),
            "category": st.column_config.TextColumn("Category", width=90),
            "publisher": st.column_config.TextColumn("Publisher", width=110),
            "published": st.column_config.DatetimeColumn("Published", format="YYYY-MM-DD", width=85),
        },
        key=f"signals-{signature}-{offset}",
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        alt="Signals that match the filter",
    )
    chosen = event.selection.rows or [cell[0] for cell in event.selection.get("cells") or []]
    return rows[chosen[0] if chosen and chosen[0] < len(rows) else 0].id


def nothing_found(page: str, narrowed: str) -> None:
    """Why no signal is here: there is none at all yet, or, in the words ``narrowed``, the filter lets none through."""
    if read(reports.newest_article_day) is None:
        empty("**No signals yet.** Pick some articles and click Analyze: without a key that is free.", "articles", "Go to Articles")
    elif st.query_params:
        empty(f"{narrowed} Loosen the filter, or analyse more articles.", page, "Clear the filter")
    else:
        empty(f"{narrowed} Analyse more articles.", "articles", "Go to Articles")


def _page_at(signal_filter: SignalFilter, place: Place, words: Words | None) -> Page[SignalRow]:
    return read(lambda session: signals.signals_at(session, signal_filter, place, PAGE_SIZE, words))


def _state(row: SignalRow) -> list[str]:
    """The verdict and the decision, where there are any."""
    verdict = HIDDEN_VERDICT if row.is_blind else BADGES[row.verdict][0] if row.verdict else ""
    return [mark for mark in (verdict, BADGES[row.decision][0] if row.decision else "") if mark]


def here_with(**changes: str) -> dict[str, str | list[str]]:
    """This page's filter as another page's address, with some of it changed; empty means without."""
    kept = {name: st.query_params.get_all(name) for name in FILTER_NAMES if name in st.query_params}
    return {name: value for name, value in (kept | changes).items() if value}


def signal_with_article(session: Session, signal_id: int, blind_share: float) -> tuple[SignalDetail, ArticleText]:
    """A signal and the article it was found in."""
    signal = signals.get_signal(session, signal_id, blind_share=blind_share)
    return signal, get_article(session, signal.article_id)
