"""The Articles page's table: which articles are listed, ticked and looked at."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from console import scripts, state
from console.colours import ARTICLE_MARKS, STORY
from console.components import empty, filter_key, paged
from console.import_view import no_articles
from console.marks import width_of
from console.resources import read
from console.words import number_in
from core import launching, selection
from core.article_facets import matched_among
from core.article_filter import ArticleFilter, Readiness
from core.article_rows import ArticleRow
from core.articles import counts
from core.paging import Page, Place
from core.settings import Settings
from core.text_search import Words

PAGE_SIZE = 50
PAGER_WIDTH = 440
"""Pixels: short of the right end, where the table's own tools appear above it under the pointer."""
OPEN = "open"
"""The name in the address of the article that is previewed."""
TABLE_WIDTH, TICKS, NAME_WIDTH = 770, 33, 135
"""Pixels: the table on a screen of ``scripts.DESK``, its column of ticks, and one of publishers."""
LENGTH_WIDTH = 60
TABLE_SHARE = 5 / 7
"""Of every further pixel of the window the table gets so much."""
ROOM_FOR_LAST = 900
"""Pixels: from a table of this width on the last column is in view, too."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the table shows: its key, and the ids of its rows from top to bottom."""

    key: str
    ids: list[int]

    def beside(self, article_id: int, step: int) -> int | None:
        """The article so many rows below (above, if negative); None past an end, or where the article is on another page."""
        if article_id not in self.ids:
            return None
        place = self.ids.index(article_id) + step
        return self.ids[place] if 0 <= place < len(self.ids) else None


def table(article_filter: ArticleFilter, now: Settings, known: list[Words | None]) -> Listed:
    """One page of the articles that match, or of those selected where that is asked for. ``known`` is what the filter's text came
    to in this very run, which is used once."""
    readiness = launching.readiness(now)
    shown = state.selected_view(article_filter)
    _bar_of_selected(shown)
    listed = shown or article_filter
    fresh = known.pop() if known else None
    words = fresh if fresh and shown is None else read(lambda session: selection.words_in_articles(session, listed.text))
    found = read(lambda session: selection.count(session, listed, readiness, words=words))
    if found.value == 0:
        _nothing(article_filter)
        return Listed("", [])
    if shown is None:
        _bar(article_filter, found)
    signature = filter_key(listed)
    with st.container(width=PAGER_WIDTH):
        page = paged(found, signature, lambda place: _page_at(listed, readiness, place, words))
    return _table(page.rows, listed, readiness)


def _page_at(listed: ArticleFilter, readiness: Readiness, place: Place, words: Words | None) -> Page[ArticleRow]:
    return read(lambda session: selection.page_at(session, listed, readiness, place, PAGE_SIZE, words))


def _table(rows: list[ArticleRow], listed: ArticleFilter, readiness: Readiness) -> Listed:
    ids = [row.id for row in rows]
    held = state.selection()
    held_filter = held.filter
    matched = set(held.ids)
    if held_filter is not None:
        base = held_filter.model_copy(update={"excluded": (), "besides": ()})
        matched = read(lambda session: matched_among(session, base, readiness, ids))
        ticked = (matched - set(held_filter.excluded)) | set(held_filter.besides)
    else:
        ticked = matched
    # The key names the very articles: a position means nothing once the list has changed under it.
    key = f"articles-{state.table_generation()}-{hashlib.sha256(repr(ids).encode()).hexdigest()[:12]}"
    opened = opened_article()
    cell = (ids.index(opened), "title") if opened in ids else None
    first = [position for position, article_id in enumerate(ids) if article_id in ticked]
    st.dataframe(
        _frame(rows, listed),
        hide_index=True,
        height=min(38 + 30 * len(rows), 640),
        row_height=30,
        column_config=_columns(rows, listed),
        key=key,
        on_select=lambda: _selected(key, ids, matched),
        selection_mode=["multi-row", "single-cell"],
        selection_default=state.at_first(key, first, cell),
        alt="Articles that match the filter",
    )
    return Listed(key, ids)


def _selected(key: str, ids: list[int], matched: set[int]) -> None:
    """A tick or a click, taken with the articles that the table showed when it was made."""
    state.select_on_page(ids, [ids[row] for row in state.ticked_rows(key) if row < len(ids)], matched)
    row = state.newly_clicked(key)
    if row is not None and row < len(ids):
        st.query_params[OPEN] = str(ids[row])


def opened_article() -> int | None:
    """The article that the address says is previewed."""
    return number_in(st.query_params.get(OPEN, ""))


def open_beside(listed: Listed, article_id: int | None) -> None:
    """Preview another article of the list, and have the table point at it."""
    if article_id is None:
        st.query_params.pop(OPEN, None)
        return
    st.query_params[OPEN] = str(article_id)
    state.point_at(listed.key, (listed.ids.index(article_id), "title"))


def _bar(article_filter: ArticleFilter, found: selection.Count) -> None:
    bar = st.container(horizontal=True, vertical_alignment="center")
    one, several = ("story", "stories") if article_filter.as_stories else ("article", "articles")
    bar.markdown(f"**{found}** {one if found.value == 1 else several}")
    bar.button(
        f"Select all {found} that match",
        icon=":material/select_all:",
        key="select-all",
        on_click=state.select_matching,
        args=(article_filter,),
    )


def _bar_of_selected(shown: ArticleFilter | None) -> None:
    if shown is not None:
        bar = st.container(horizontal=True, vertical_alignment="center")
        bar.markdown(":material/checklist: **Only what is selected**")
        bar.button("Back to the list", icon=":material/arrow_back:", key="back-to-list", on_click=state.show_list)


def _nothing(article_filter: ArticleFilter) -> None:
    """Say why nothing is listed, with the nearest way out."""
    if read(counts)[0] == 0:
        no_articles()
    elif article_filter == ArticleFilter(archived=False):
        with st.container(border=True):
            st.markdown("Every article is analysed with the current settings, or too short to be.")
            st.button("Show all articles", icon=":material/arrow_forward:", key="show-all", on_click=state.put, args=("ready", False))
    elif article_filter.archived:
        empty("Nothing is archived. Select articles and click *Archive* to take them out of work.", "articles", "All articles")
    else:
        empty("No article matches. Loosen the filter, or import more.", "articles", "Start from all that are ready")


def _marks(row: ArticleRow) -> list[str]:
    marks = (
        (row.is_priority, "★"),
        (row.story_size > 1, f"×{row.story_size}"),
        (row.in_flight, "in flight"),
        (row.analysed, "analysed"),
        (row.is_sample, "sample"),
        (not row.is_active, "archived"),
    )
    return [mark for holds, mark in marks if holds]


def _frame(rows: Sequence[ArticleRow], listed: ArticleFilter) -> pd.DataFrame:
    beside: dict[str, list[Any]]
    last: dict[str, list[Any]]
    publisher = {"publisher": [row.publisher for row in rows]}
    if listed.as_stories:
        beside, last = {"first": [row.first_publisher for row in rows]}, publisher
    else:
        beside, last = publisher, {"length": [row.body_chars for row in rows]}
    return pd.DataFrame(
        {
            "title": [row.title for row in rows],
            "marks": [_marks(row) for row in rows],
            "promise": [row.promise for row in rows],
            **beside,
            "published": [row.published_at.replace(tzinfo=None) for row in rows],
            **last,
        }
    )


def _columns(rows: Sequence[ArticleRow], listed: ArticleFilter) -> dict[str, Any]:
    """The columns, wide enough for what they hold; the title takes what is left of the table. In a narrow one the last column comes after.

    All widths together are the table's: what is left over Streamlit would share out evenly, and the title is what is cut.
    """
    table = TABLE_WIDTH + int((scripts.viewport_width() - scripts.DESK) * TABLE_SHARE)
    stories = sorted({f"×{row.story_size}" for row in rows if row.story_size > 1})
    names = [*(name for name in ARTICLE_MARKS if name != STORY), *stories]
    state_width = width_of(map(_marks, rows))
    last = NAME_WIDTH if listed.as_stories else LENGTH_WIDTH
    rest = TICKS + state_width + 72 + NAME_WIDTH + 84 + (last if table >= ROOM_FOR_LAST else 0)
    return {
        "title": st.column_config.TextColumn("Title", width=max(table - rest, 200)),
        "marks": st.column_config.MultiselectColumn(
            "State",
            options=names,
            color=[ARTICLE_MARKS.get(name, ARTICLE_MARKS[STORY]) for name in names],
            width=state_width,
            help="★ priority publisher · ×2 how many articles tell the story · in flight, analysed, sample, archived",
        ),
        "promise": st.column_config.ProgressColumn(
            "Promise",
            min_value=0,
            max_value=1,
            format="%.2f",
            width=72,
            help="The offline rules' own score of how much an article is likely to yield; the preview says what it rests on.",
        ),
        "publisher": st.column_config.TextColumn("Publisher", width=NAME_WIDTH),
        "published": st.column_config.DatetimeColumn("Published", format="YYYY-MM-DD", width=84, help="UTC; the preview has the time"),
        "first": st.column_config.TextColumn("First", width=NAME_WIDTH, help="Whose article of the story was published first"),
        "length": st.column_config.NumberColumn("Length", format="localized", width=LENGTH_WIDTH, help="Characters of the body"),
    }
