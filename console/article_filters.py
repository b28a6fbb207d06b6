"""The Articles page's filter: every choice with the number of articles it would leave, and all of it in the address."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import streamlit as st

from console import state
from console.resources import read
from core.article_facets import IS_SAMPLE, facets
from core.article_filter import Analysed, ArticleFilter, Order, Readiness
from core.articles import PublisherRow, publisher_key, publishers
from core.clock import utc_now
from core.paging import Count
from core.selection import words_in_articles
from core.text_search import Words

FIRST_DAY = date(1990, 1, 1)
LATER = timedelta(days=366)
# On a phone two short fields share a line, so that the list begins on the first screen.
STYLE = (
    "<style>@media(max-width:640px){.st-key-article-filter [data-testid=stColumn]{min-width:calc(50% - .5rem);flex:1 1 40%}"
    ".st-key-article-filter [data-testid=stHorizontalBlock]{gap:.6rem}}</style>"
)


def filters(readiness: Readiness) -> tuple[ArticleFilter, Words | None]:
    """The filter as the widgets stand, and what its text comes to. What is counted beside a choice follows the choices before it."""
    rows = read(publishers)
    st.html(STYLE)
    with st.container(key="article-filter"):
        first = st.columns([6, 6, 4, 4, 4], vertical_alignment="bottom")
    text = first[0].text_input("Search", key="q", bind="query-params", placeholder="words in title or text", max_chars=200)
    with first[1]:
        chosen = _publishers(rows)
    since, until = _days(first[2:4])
    order = first[4].selectbox("Order", list(Order), key="order", bind="query-params", format_func=lambda one: one.value)
    asked = ArticleFilter(order=order, ready_only=False, publishers=chosen, text=text or "", since=since, until=until, archived=False)
    second = st.container(horizontal=True, vertical_alignment="center", gap="small", key="article-facets")
    words = read(lambda session: words_in_articles(session, asked.text))
    with second:
        return _facets(asked, readiness, words), words


def _facets(asked: ArticleFilter, readiness: Readiness, words: Words | None) -> ArticleFilter:
    """The choices of the second row, each with its count."""
    counted = read(lambda session: facets(session, asked, readiness, {"archived": {"archived": True}, "samples": IS_SAMPLE}, words))
    archived = st.toggle(
        f"Archived ({_short(counted['archived'])})",
        key="archived",
        bind="query-params",
        help="Only what was taken out of work: it is not analysed, and can be restored or deleted.",
    )
    samples = st.toggle(
        f"Samples ({_short(counted['samples'])})",
        value=True,
        key="samples",
        bind="query-params",
        help="The invented articles, too.",
    )
    asked = asked.model_copy(update={"archived": archived, "samples": samples})
    choices = {one.value: {"analysed": one} for one in Analysed} | {"ready": {"ready_only": True}}
    counted = read(lambda session: facets(session, asked, readiness, choices, words))
    analysed = Analysed(
        _in_address(
            "analysed",
            [one.value for one in Analysed],
            lambda widget, values, write: st.segmented_control(
                "Analysed",
                values,
                required=True,
                key=widget,
                on_change=write,
                format_func=lambda one: f"{one} ({_short(counted[one])})",
                label_visibility="collapsed",
            ),
        )
    )
    ready = st.toggle(
        f"Analysis-ready ({_short(counted['ready'])})",
        value=True,
        key="ready",
        bind="query-params",
        disabled=archived or analysed is Analysed.YES,
        help="Active, long enough, and not yet analysed with the current settings.",
    )
    as_stories = st.toggle(
        "Stories", value=False, key="stories", bind="query-params", help="One row for all articles that tell the same text."
    )
    priority_first = st.toggle("★ first", value=True, key="priority", bind="query-params", help="Priority publishers before the others.")
    return asked.model_copy(
        update={
            "ready_only": ready and not archived and analysed is not Analysed.YES,
            "analysed": analysed,
            "priority_first": priority_first,
            "as_stories": as_stories,
        }
    )


def _short(count: Count) -> str:
    return f"{count.value:,}" if count.exact else f"{count.value:,}+"


def _publishers(rows: Sequence[PublisherRow]) -> tuple[int, ...]:
    """A search among the publishers, each with its number of articles; the address names them."""
    by_name = {row.name: row for row in rows}

    def shown(name: str) -> str:
        return f"{'★ ' if by_name[name].is_priority else ''}{name} ({by_name[name].articles:,})"

    asked = {publisher_key(name) for name in st.query_params.get_all("publisher")}
    state.put("publisher-choice", [name for name in by_name if publisher_key(name) in asked])
    chosen = st.multiselect(
        "Publishers",
        list(by_name),
        format_func=shown,
        key="publisher-choice",
        on_change=state.to_address,
        args=("publisher", "publisher-choice"),
        placeholder="all",
    )
    return tuple(by_name[name].id for name in chosen)


def _in_address(name: str, values: list[str], draw: Callable[[str, list[str], Callable[[], None]], str | None]) -> str:
    """A choice of one of ``values``, the first by default, which the address keeps under ``name``, whatever the widget shows beside it.

    Streamlit's own binding would write the label, count and all, so that a link would break with the next import.
    """
    widget = f"{name}-choice"
    asked = st.query_params.get(name, values[0])
    state.put(widget, asked if asked in values else values[0])
    return draw(widget, values, lambda: state.to_address(name, widget, default=values[0])) or values[0]


def _days(columns: Sequence[st.delta_generator.DeltaGenerator]) -> tuple[date | None, date | None]:
    """The first and last day, in UTC. Days that leave nothing between them are said to, with the way out."""
    last = utc_now().date() + LATER
    since = columns[0].date_input("From (UTC)", None, FIRST_DAY, last, key="since", bind="query-params")
    until = columns[1].date_input("To (UTC)", None, FIRST_DAY, last, key="until", bind="query-params")
    if since and until and since > until:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(f"No day lies between: it ends ({until}) before it begins ({since}).", icon=":material/date_range:")
            st.button("Swap the days", icon=":material/swap_horiz:", on_click=state.swap, args=("since", "until"))
    return since, until
