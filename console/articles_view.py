"""The Articles page's pieces: filters, table, cost card, preview."""

import pandas as pd
import streamlit as st

from console import state
from console.components import attempt, empty, filter_key, paged
from console.navigation import to
from console.resources import change, read
from console.words import duration, exact, money, plain
from core import launching, selection
from core.article_filter import Analysed, ArticleFilter, Order
from core.articles import get_article, publishers
from core.clock import utc_now
from core.errors import DeskError, NothingSelected
from core.selection import ArticleRow
from core.settings import Settings

PAGE_SIZE = 50
PREVIEW_CHARS = 1_500


def filters() -> ArticleFilter:
    """The filter as the widgets stand; every widget is bound to the address."""
    rows = read(publishers)
    names = {row.id: f"{'★ ' if row.is_priority else ''}{row.name} ({row.articles:,})" for row in rows}
    first = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    text = first[0].text_input("Search", key="q", bind="query-params", placeholder="words in title or text", max_chars=200)
    chosen = first[1].multiselect(
        "Publishers", list(names), format_func=names.__getitem__, key="publisher", bind="query-params", placeholder="all"
    )
    since = first[2].date_input("From (UTC)", value=None, key="since", bind="query-params")
    until = first[3].date_input("To (UTC)", value=None, key="until", bind="query-params")
    second = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    ready = second.toggle(
        "Analysis-ready",
        value=True,
        key="ready",
        bind="query-params",
        help="Active, long enough, and not yet analysed with the current settings.",
    )
    first_ones = second.toggle("Priority publishers first", value=True, key="priority", bind="query-params")
    samples = second.toggle(
        "Samples", value=True, key="samples", bind="query-params", help="The invented articles that come with the desk."
    )
    as_stories = second.toggle(
        "Stories", value=False, key="stories", bind="query-params", help="One row for all articles that tell the same text."
    )
    analysed = second.segmented_control(
        "Analysed",
        list(Analysed),
        default=Analysed.ANY,
        required=True,
        key="analysed",
        bind="query-params",
        format_func=lambda one: one.value,
        label_visibility="collapsed",
    )
    order = second.selectbox(
        "Order", list(Order), key="order", bind="query-params", format_func=lambda one: one.value, label_visibility="collapsed", width=180
    )
    return ArticleFilter(
        ready_only=ready,
        publishers=tuple(chosen),
        text=text or "",
        since=since,
        until=until,
        analysed=analysed or Analysed.ANY,
        samples=samples,
        priority_first=first_ones,
        order=order,
        as_stories=as_stories,
    )


def table(article_filter: ArticleFilter, now: Settings) -> int | None:
    """One page of articles; returns the id of the article whose cell was clicked, to be previewed."""
    readiness = launching.readiness(now)
    found = read(lambda session: selection.count(session, article_filter, readiness))
    if found.value == 0:
        empty("No article matches. Loosen the filter, or import some: `signaldesk import FILE`.")
        return None
    signature = filter_key(article_filter)
    bar = st.container(horizontal=True, vertical_alignment="center")
    one, several = ("story", "stories") if article_filter.as_stories else ("article", "articles")
    bar.markdown(f"**{found}** {one if found.value == 1 else several}")
    if bar.button(f"Select all {found} that match", icon=":material/select_all:", key="select-all"):
        state.select_matching(article_filter)
    shown = paged(
        found, signature, lambda place: read(lambda session: selection.page_at(session, article_filter, readiness, place, PAGE_SIZE))
    )
    rows, offset = shown.rows, shown.position
    ids = [row.id for row in rows]
    key = f"articles-{signature}-{offset}-{state.table_generation()}"
    event = st.dataframe(
        _frame(rows, article_filter),
        hide_index=True,
        height=min(38 + 30 * len(rows), 620),
        row_height=30,
        column_config={
            "published": st.column_config.DatetimeColumn("Published", format="DD MMM HH:mm", width=95),
            "publisher": st.column_config.TextColumn("Publisher", width=120),
            "title": st.column_config.TextColumn("Title", width=200 if article_filter.as_stories else 260),
            "story": st.column_config.TextColumn("Story", width=45, help="How many articles tell it, where more than one do"),
            "first": st.column_config.TextColumn("First", width=110, help="Whose article of the story was published first"),
            "length": st.column_config.NumberColumn("Length", format="localized", width=60, help="Characters of the body"),
            "promise": st.column_config.ProgressColumn(
                "Promise", min_value=0, max_value=1, format="%.2f", width=70, help="The offline rules' own score"
            ),
            "state": st.column_config.TextColumn("State", width=75),
        },
        key=key,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        selection_default={"selection": {"rows": state.ticked_at_first(key, ids)}},
    )
    if event.selection.rows or not state.selection().filter:
        state.select_on_page(ids, [ids[position] for position in event.selection.rows if position < len(ids)])
    cells = event.selection.get("cells") or []
    return ids[cells[0][0]] if cells and cells[0][0] < len(ids) else None


def cost_card(now: Settings) -> None:
    """What the selection would cost, and the button that launches it."""
    chosen = state.selection()
    with st.container(border=True):
        if chosen.is_empty:
            st.markdown("**Nothing selected**")
            st.caption("Tick rows in the table, or select all that match. The cost appears here before anything is spent.")
            return
        try:
            planned = read(lambda session: launching.plan(session, chosen, now))
        except NothingSelected as error:
            st.caption(str(error))
            return
        except DeskError as error:
            st.warning(str(error))
            return
        if planned.has_repeats and not (chosen.filter and chosen.filter.as_stories):
            st.toggle(
                "One article a story", key=state.ONE_PER_STORY, help="The others are skipped. A story of which one is analysed is left out."
            )
            st.caption(plain(launching.stories_in_words(planned)))
        figures = planned.estimate
        what = "all that matched the filter" if chosen.filter else "selected"
        st.markdown(f"**{figures.articles:,} {'article' if figures.articles == 1 else 'articles'}** {what}")
        columns = st.columns(2)
        columns[0].metric(
            "Likely cost", money(figures.usd), help=f"At most {money(figures.usd_at_most)}: the ceiling per article times the articles."
        )
        columns[1].metric("Time", duration(figures.seconds))
        st.caption(
            f"{figures.input_tokens:,} tokens in, {figures.output_tokens:,} out, {figures.searches:,} searches. "
            + (
                f"From {figures.measured_calls} recent calls."
                if figures.measured_calls
                else "From defaults: no recent calls of this model yet."
            )
        )
        if planned.skipped:
            st.caption(f":material/skip_next: Skipped: {launching.reasons_in_words(planned.skipped)}.")
        buttons = st.container(horizontal=True)
        if buttons.button(
            f"Analyze {figures.articles:,}", type="primary", icon=":material/bolt:", key="analyze", disabled=not planned.runnable
        ) and attempt(lambda: _launch(now)):
            st.rerun()
        if buttons.button("Clear", key="clear-selection"):
            state.clear_selection()
            st.rerun()


def preview(article_id: int) -> None:
    """The beginning of an article, with the way to all of it."""
    try:
        article = read(lambda session: get_article(session, article_id))
    except DeskError as error:
        st.caption(str(error))
        return
    with st.container(border=True):
        st.markdown("**" + plain(article.title) + "**")
        st.caption(
            f"{plain(article.publisher)} · {exact(article.published_at)} · {len(article.body):,} characters"
            + (" · sample" if article.is_sample else "")
        )
        more = " …" if len(article.body) > PREVIEW_CHARS else ""
        st.text(article.body[:PREVIEW_CHARS] + more)
        st.page_link(to("article"), label="Read it with its signals", icon=":material/menu_book:", query_params={"id": str(article_id)})


def _launch(now: Settings) -> None:
    chosen, key = state.selection(), state.launch_key()
    batch_id = change(lambda session: launching.launch(session, chosen, now, by=state.user(), now=utc_now(), idempotency_key=key))
    state.clear_selection()
    state.flash(f"Batch {batch_id} is running.", ":material/bolt:")
    state.keep_run(batch_id)


def _frame(rows: list[ArticleRow], article_filter: ArticleFilter) -> pd.DataFrame:
    first = {"first": [row.first_publisher for row in rows]} if article_filter.as_stories else {}
    return pd.DataFrame(
        {
            "published": [row.published_at.replace(tzinfo=None) for row in rows],
            "publisher": [f"{'★ ' if row.is_priority else ''}{row.publisher}" for row in rows],
            **first,
            "story": [f"×{row.story_size}" if row.story_size > 1 else "" for row in rows],
            "title": [row.title for row in rows],
            "length": [row.body_chars for row in rows],
            "promise": [row.promise for row in rows],
            "state": ["in flight" if row.in_flight else "analysed" if row.analysed else "sample" if row.is_sample else "" for row in rows],
        }
    )
