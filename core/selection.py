"""Selection: which articles a list shows and a launch takes.

A ``Selection`` is either a set of ids or "all that match" a filter; it is resolved to ids at the moment of use, so a filter
of 100,000 articles is never carried about as rows.

Lists read ``article_list``. A filter takes or leaves whole cells of it, so that a page is a merge of as many stretches of an index
as there are cells that match, whether nothing is analysed, everything, or half.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import CTE, ColumnElement, Select, and_, any_, func, join, literal, select, true, union_all
from sqlalchemy.orm import Session, aliased

from core.article_cells import Cells, cell_ids, cells_of, in_cells, of_cells, of_rows
from core.article_filter import (
    ArticleFilter,
    Order,
    Readiness,
    for_its_story,
)
from core.article_rows import ArticleRow, article_rows
from core.database import among, id_array
from core.models import Article, ArticleCell, ArticleWords, ListedArticle, Publisher
from core.paging import COUNT_BOUND, FIRST, Count, Fetch, Key, Page, Place, beyond, by_index, ordered_by, sifted, walk
from core.text_search import ENOUGH, TESTED_AT_MOST, TEXT_BOUND, Words, frequency, has_words, looked_at, looked_up

S = TypeVar("S", bound=Select)
MERGED_AT_MOST = 80_000
"""Rows up to which the next of each cell are merged; more are found sooner among all articles in their order."""


class Selection(BaseModel):
    """Articles chosen one by one, or all that match a filter, up to ``limit`` of them in the filter's order."""

    model_config = ConfigDict(frozen=True)

    ids: tuple[int, ...] = ()
    filter: ArticleFilter | None = None
    limit: int | None = Field(None, ge=1)
    one_per_story: bool = False
    """Of the articles chosen a launch takes one a story, and none of a story that is analysed or in flight."""

    @classmethod
    def of_ids(cls, ids: list[int] | tuple[int, ...], *, one_per_story: bool = False) -> Self:
        return cls(ids=tuple(dict.fromkeys(ids)), one_per_story=one_per_story)

    @classmethod
    def of_filter(cls, article_filter: ArticleFilter, limit: int | None = None, *, one_per_story: bool = False) -> Self:
        return cls(filter=article_filter, limit=limit, one_per_story=one_per_story or article_filter.as_stories)

    @property
    def is_empty(self) -> bool:
        return self.filter is None and not self.ids


# --- words -----------------------------------------------------------------------------------------------------------


def words_in_articles(session: Session, text: str) -> Words | None:
    """Look a search text up, for all that is then read of the articles that have it; None for a text without a word."""
    if not text.strip():
        return None
    often = frequency(session, Article.search, text)
    if often.is_common:
        return Words(often, None)
    found = _found_first(looked_up(Article.search, text, often))
    with by_index(session):
        listed = select(ListedArticle.article_id, ListedArticle.cell_id).join(found, found.c.id == ListedArticle.article_id)
        rows = session.execute(listed).all()
    return Words(often, tuple(row[0] for row in rows), Counter(row[1] for row in rows))


def _found_first(has: ColumnElement[bool]) -> CTE:
    """Articles by the index of words, before anything else: or the planner may walk all articles in their order."""
    return select(Article.id).where(has).cte("found").prefix_with("MATERIALIZED", dialect="postgresql")


# --- a page ----------------------------------------------------------------------------------------------------------


def page(
    session: Session,
    article_filter: ArticleFilter,
    readiness: Readiness,
    *,
    offset: int = 0,
    size: int,
) -> list[ArticleRow]:
    """Rows of the articles that match, in the filter's order, from ``offset`` on; for far offsets ``page_at`` is the way."""
    return page_at(session, article_filter, readiness, FIRST, offset + size, skip=offset).rows


def page_at(
    session: Session,
    article_filter: ArticleFilter,
    readiness: Readiness,
    place: Place,
    size: int,
    words: Words | None = None,
    *,
    skip: int = 0,
) -> Page[ArticleRow]:
    """The page at ``place`` of the articles that match, in the filter's order; without the first ``skip`` rows of its ``size``.

    ``words`` are those of the filter's text, if looked up before.
    """
    if article_filter.besides:
        ids = _resolved(session, article_filter, None, readiness)[place.position :][: size + 1]
        rows = article_rows(session, ids[skip:size], readiness)
        at = [Place(after=(0, position), position=position) for position in (max(place.position - size, 0), place.position + size)]
        previous, following = at[0] if place.position else None, at[1] if len(ids) > size else None
        return Page([rows[id_] for id_ in ids[:size] if id_ in rows], previous, following, place.position)
    found = walk(_stretches(session, article_filter, readiness, words), place, size)
    rows = article_rows(session, found.rows[skip:], readiness)
    return Page([rows[id_] for id_ in found.rows if id_ in rows], found.previous, found.next, found.position)


def newest(session: Session, article_filter: ArticleFilter, readiness: Readiness, most: int, words: Words | None = None) -> list[int]:
    """The newest ``most`` of the articles that match, those ticked besides left out."""
    ordered = article_filter.model_copy(update={"order": Order.NEWEST, "priority_first": False, "besides": ()})
    return walk(_stretches(session, ordered, readiness, words), FIRST, most).rows


def _stretches(session: Session, article_filter: ArticleFilter, readiness: Readiness, words: Words | None) -> list[Fetch[int]]:
    words = words or words_in_articles(session, article_filter.text)
    cells = cells_of(session, article_filter, readiness, words)
    passing = _sieve(session, article_filter, readiness)
    stretches: list[Fetch[int]] = []
    for ids in (cells.first, cells.then):
        if words is not None and words.ids is not None:
            stretches.append(partial(_found, session, article_filter, readiness, cells, ids))
        elif passing is None:
            stretches.append(partial(_listed, session, article_filter, cells, ids))
        else:
            otherwise = partial(_found, session, article_filter, readiness, cells, ids, by_word=True) if words else None
            likely = words.often.candidates if words else None
            stretches.append(sifted(partial(_listed, session, article_filter, cells, ids), passing, otherwise, likely))
    return stretches


def _order(article_filter: ArticleFilter) -> tuple[tuple[Any, ...], bool]:
    """The columns of ``article_list`` that a filter is ordered by, and whether they fall."""
    first: dict[Order, Any] = {Order.PROMISING: ListedArticle.promise, Order.LONGEST: ListedArticle.body_chars}
    column = first.get(article_filter.order, ListedArticle.published_at)
    return (column, ListedArticle.article_id), article_filter.order is not Order.OLDEST


def _listed(
    session: Session, article_filter: ArticleFilter, cells: Cells, ids: list[int], key: Key | None, back: bool, limit: int
) -> list[tuple[Key, int]]:
    """The next of these cells: the next of each, merged."""
    if not ids:
        return []
    columns, falls = _order(article_filter)
    order = ordered_by(columns, falls=falls, back=back)
    if limit * len(ids) > MERGED_AT_MOST and article_filter.order in (Order.NEWEST, Order.OLDEST):
        within = ListedArticle.cell_id + 0 == any_(id_array(ids))  # which keeps the planner to the order of all
        own = select(*columns).where(within, *cells.rest, *beyond(columns, key, falls=falls, back=back))
        with by_index(session):
            return [((value, id_), id_) for value, id_ in session.execute(own.order_by(*order).limit(limit)).all()]
    each = func.unnest(id_array(ids)).table_valued("id", name="cell").render_derived()
    own = select(*columns).where(ListedArticle.cell_id == each.c.id, *cells.rest, *beyond(columns, key, falls=falls, back=back))
    nearest = own.order_by(*order).limit(limit).lateral("nearest")
    merged = ordered_by((nearest.c[columns[0].key], nearest.c.article_id), falls=falls, back=back)
    rows = session.execute(select(*nearest.c).select_from(each).join(nearest, true()).order_by(*merged).limit(limit))
    return [((value, id_), id_) for value, id_ in rows]


def _found(
    session: Session,
    article_filter: ArticleFilter,
    readiness: Readiness,
    cells: Cells,
    ids: list[int],
    key: Key | None,
    back: bool,
    limit: int,
    *,
    by_word: bool = False,
) -> list[tuple[Key, int]]:
    """The next of these cells among few articles: those that the cells' conditions name, or ``by_word`` those that the index of words
    finds."""
    columns, falls = _order(article_filter)
    few = select(*columns)
    if by_word:
        found = _found_first(has_words(Article.search, article_filter.text))
        few = few.join(found, found.c.id == ListedArticle.article_id)
    ours = few.where(in_cells(ids), *cells.rest, *for_its_story(article_filter, readiness))
    nearest = ours.where(*beyond(columns, key, falls=falls, back=back)).order_by(*ordered_by(columns, falls=falls, back=back))
    return [((value, id_), id_) for value, id_ in session.execute(nearest.limit(limit))]


def _worded(statement: S, article_filter: ArticleFilter, readiness: Readiness, cells: Cells) -> S:
    joined = statement.select_from(Article).join(ListedArticle, ListedArticle.article_id == Article.id)
    return joined.where(
        has_words(Article.search, article_filter.text), in_cells(cells.all), *cells.rest, *for_its_story(article_filter, readiness)
    )


def _sieve(session: Session, article_filter: ArticleFilter, readiness: Readiness) -> Callable[[list[int]], set[int]] | None:
    """What tells which of some listed articles match, where the cells alone don't; None where they do."""
    conditions = for_its_story(article_filter, readiness)
    worded = article_filter.text.strip()
    if not conditions and not worded:
        return None
    has = has_words(ArticleWords.search, article_filter.text)
    if worded and not conditions:
        alone = select(ArticleWords.article_id).where(has)
        return lambda ids: set(session.scalars(alone.where(among(ArticleWords.article_id, ids))))
    statement = select(ListedArticle.article_id).where(*conditions)
    if worded:
        statement = statement.join(ArticleWords, ArticleWords.article_id == ListedArticle.article_id).where(has)
    return lambda ids: set(session.scalars(statement.where(among(ListedArticle.article_id, ids))))


# --- all of it -------------------------------------------------------------------------------------------------------


def count(
    session: Session,
    article_filter: ArticleFilter,
    readiness: Readiness,
    *,
    bound: int | None = None,
    words: Words | None = None,
) -> Count:
    """How many articles match, exact up to ``bound`` (``COUNT_BOUND``); with a common word up to what a look at some finds.

    ``words`` are those of the filter's text, if looked up before.
    """
    words, bound = words or words_in_articles(session, article_filter.text), COUNT_BOUND if bound is None else bound
    (found,) = counts(session, [(article_filter, None)], readiness, bound=bound, words=words)
    if words is not None and not found.exact and not found.value:  # common, but not here: all of them have to be looked up
        matching = _worded(select(ListedArticle.article_id), article_filter, readiness, cells_of(session, article_filter, readiness))
        number = session.scalar(select(func.count()).select_from(matching.limit(TEXT_BOUND + 1).subquery())) or 0
        found = Count(min(number, TEXT_BOUND), number <= TEXT_BOUND)
    if article_filter.besides:
        more = found.value + (session.scalar(select(func.count()).where(among(ListedArticle.article_id, article_filter.besides))) or 0)
        found = Count(min(more, bound), found.exact and more <= bound)
    return found


def counts(
    session: Session,
    choices: Sequence[tuple[ArticleFilter, ColumnElement[bool] | None]],
    readiness: Readiness,
    *,
    bound: int,
    words: Words | None,
) -> list[Count]:
    """As ``count``, for filters of one text, each perhaps with one more condition on ``article_cells``; all in two statements.

    Of a common word each looks at a tenth of ``bound``, ``TESTED_AT_MOST`` at most, and may say "more than 0".
    """
    looked = words is not None and words.ids is None
    size = min(TESTED_AT_MOST, max(bound // 10, 1), words.often.candidates(ENOUGH)) if words is not None and looked else bound
    conditions = [and_(true(), *of_cells(one, readiness), *([] if also is None else [also])) for one, also in choices]
    cells = cell_ids(session, conditions)
    if words is not None and words.cells is not None and not any(one.as_stories or of_rows(one, readiness, None) for one, _ in choices):
        numbers = [sum(words.cells.get(cell, 0) for cell in of_choice) for of_choice in cells]
        return [Count(min(number, bound), number <= bound) for number in numbers]
    row: Any = ListedArticle
    if words is not None and words.ids is not None and not any(one.as_stories for one, _ in choices):  # few: fetched once for all choices
        row = aliased(ListedArticle, select(ListedArticle).where(among(ListedArticle.article_id, words.ids)).cte("few"))
    each = []
    for number, ((one, _), of_choice) in enumerate(zip(choices, cells, strict=True)):
        if not of_choice:
            continue
        rest = of_rows(one, readiness, words if row is ListedArticle else None, row)
        matching = select(row.article_id).where(in_cells(of_choice, row), *rest)
        limited = (matching if looked else matching.where(*for_its_story(one, readiness))).limit(size + 1).subquery()
        found = limited.c.article_id if looked else func.count().label("article_id")
        each.append(select(literal(number).label("choice"), found).select_from(limited))
    found_of: list[list[int]] = [[] for _ in choices]
    if each:
        with by_index(session):
            for number, found in session.execute(union_all(*each)):
                found_of[number].append(found)
    if not looked:
        return [Count(min(sum(numbers), bound), sum(numbers) <= bound) for numbers in found_of]
    return [looked_at(ids, test, at_most=size) for ids, test in zip(found_of, _tests(session, choices, readiness, found_of), strict=True)]


def _tests(
    session: Session, choices: Sequence[tuple[ArticleFilter, Any]], readiness: Readiness, candidates: list[list[int]]
) -> list[Callable[[list[int]], set[int]]]:
    """What tells which candidates match, for each choice: one look at all of them, unless stories make each choice another question."""
    tests = [_sieve(session, one, readiness) or set for one, _ in choices]
    if any(one.as_stories for one, _ in choices):
        return tests
    passed = tests[0](sorted({id_ for ids in candidates for id_ in ids}))
    return [lambda ids: passed & set(ids) for _ in choices]


def matching_among(session: Session, article_filter: ArticleFilter, readiness: Readiness, ids: Sequence[int]) -> set[int]:
    """Those of ``ids`` that match."""
    cells = cells_of(session, article_filter, readiness)
    statement = select(ListedArticle.article_id).where(among(ListedArticle.article_id, ids), in_cells(cells.all), *cells.rest)
    found = list(session.scalars(statement))
    passing = _sieve(session, article_filter, readiness)
    return (passing(found) if passing else set(found)) | (set(ids) & set(article_filter.besides))


def resolve(session: Session, selection: Selection, readiness: Readiness) -> list[int]:
    """The ids a selection stands for now, in the order they should run: priority publishers first."""
    if selection.filter is not None:
        return _resolved(session, selection.filter, selection.limit, readiness)
    statement = (
        select(Article.id)
        .join(Publisher, Publisher.id == Article.publisher_id)
        .where(among(Article.id, selection.ids))
        .order_by(Publisher.is_priority.desc(), Article.published_at.desc(), Article.id.desc())
    )
    return list(session.scalars(statement))


def _resolved(session: Session, article_filter: ArticleFilter, limit: int | None, readiness: Readiness) -> list[int]:
    cells, (columns, falls) = cells_of(session, article_filter, readiness), _order(article_filter)
    statement = select(ListedArticle.article_id)
    if article_filter.text.strip():
        statement = _worded(statement, article_filter, readiness, cells)
    else:
        statement = statement.where(in_cells(cells.all), *cells.rest, *for_its_story(article_filter, readiness))
    besides = select(ListedArticle.article_id).where(among(ListedArticle.article_id, article_filter.besides))
    chosen = (union_all(statement, besides) if article_filter.besides else statement).subquery()
    ordered = select(ListedArticle.article_id).join(chosen, chosen.c.article_id == ListedArticle.article_id)
    first: tuple[Any, ...] = ()
    if article_filter.priority_first:
        of_cell = join(ArticleCell, Publisher, Publisher.id == ArticleCell.publisher_id)
        ordered = ordered.join(of_cell, ArticleCell.id == ListedArticle.cell_id)
        first = (Publisher.is_priority.desc(),)
    return list(session.scalars(ordered.order_by(*first, *ordered_by(columns, falls=falls, back=False)).limit(limit)))
