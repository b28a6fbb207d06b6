"""Selection: which articles a list shows and a launch takes.

A ``Selection`` is either a set of ids or "all that match" a filter; it is resolved to ids at the moment of use, so a filter
of 100,000 articles is never carried about as rows.

Lists read ``article_list``. A filter takes or leaves whole cells of it, so that a page is a merge of as many stretches of an index
as there are cells that match, whether nothing is analysed, everything, or half.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, ColumnElement, Select, and_, any_, cast, exists, func, join, literal, or_, select, true, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from core.article_filter import (
    Analysed,
    ArticleFilter,
    Order,
    Readiness,
    day_after,
    day_start,
    is_analysed,
    is_in_flight,
    matching_one_by_one,
)
from core.database import among
from core.models import Article, ArticleCell, ListedArticle, Publisher
from core.paging import COUNT_BOUND, FIRST, Count, Fetch, Key, Page, Place, beyond, by_index, ordered_by, sifted, walk
from core.text_search import TESTED_AT_MOST, TEXT_BOUND, frequency, has_words, looked_at

S = TypeVar("S", bound=Select)
MERGED_AT_MOST = 200
"""Rows for which the next of each cell are merged; more are found sooner among all articles in their order."""


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """A line of the articles table."""

    id: int
    published_at: datetime
    publisher: str
    is_priority: bool
    title: str
    body_chars: int
    promise: float
    analysed: bool
    in_flight: bool
    is_sample: bool
    is_active: bool
    story_size: int
    """How many articles tell this story, this one included."""
    first_publisher: str
    """Whose article of the story was published first."""


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


# --- cells -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells that a filter takes, and what is left to be asked of each row."""

    first: list[int]
    """Those of priority publishers, where these come first; else all."""
    then: list[int]
    rest: tuple[ColumnElement[bool], ...]
    """Conditions on ``article_list``."""

    @property
    def all(self) -> list[int]:
        return [*self.first, *self.then]


def _is_long(readiness: Readiness) -> ColumnElement[bool]:
    return ArticleCell.thousands >= min(readiness.minimum_chars // 1_000, 4)


def _is_listed_long(readiness: Readiness, row: Any = ListedArticle) -> list[ColumnElement[bool]]:
    """What the cells leave open: lengths that are no whole thousands."""
    whole = readiness.minimum_chars % 1_000 == 0 and readiness.minimum_chars <= 4_000
    return [] if whole else [row.body_chars >= readiness.minimum_chars]


def _has_analysed(readiness: Readiness) -> ColumnElement[bool]:
    return literal(readiness.configuration_hash) == any_(ArticleCell.analysed_with)


def _cells(session: Session, article_filter: ArticleFilter, readiness: Readiness, also: ColumnElement[bool] | None = None) -> _Cells:
    analysed = _has_analysed(readiness)
    optional: list[tuple[object, ColumnElement[bool]]] = [
        (article_filter.ready_only, and_(ArticleCell.is_active, _is_long(readiness), ~analysed)),
        (article_filter.publishers, ArticleCell.publisher_id.in_(article_filter.publishers)),
        (article_filter.analysed is Analysed.YES, analysed),
        (article_filter.analysed is Analysed.NO, ~analysed),
        (not article_filter.samples, ~ArticleCell.is_sample),
        (article_filter.archived is not None, ArticleCell.is_active.is_not(article_filter.archived)),
    ]
    statement = select(ArticleCell.id, Publisher.is_priority).join(Publisher, Publisher.id == ArticleCell.publisher_id)
    conditions = [condition for given, condition in optional if given] + ([] if also is None else [also])
    rows = session.execute(statement.where(*conditions)).all()
    rest = _is_listed_long(readiness) if article_filter.ready_only else []
    if article_filter.since:
        rest.append(ListedArticle.published_at >= day_start(article_filter.since))
    if article_filter.until:
        rest.append(ListedArticle.published_at < day_after(article_filter.until))
    if article_filter.ids:
        rest.append(among(ListedArticle.article_id, article_filter.ids))
    if left_out := (*article_filter.excluded, *article_filter.besides):
        rest.append(~among(ListedArticle.article_id, left_out))
    first = [row.id for row in rows if row.is_priority or not article_filter.priority_first]
    return _Cells(first, [row.id for row in rows if not row.is_priority and article_filter.priority_first], tuple(rest))


def _in_cells(cells: list[int], row: Any = ListedArticle) -> ColumnElement[bool]:
    return row.cell_id == any_(cast(cells, ARRAY(BigInteger)))


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
    return page_at(session, article_filter, readiness, FIRST, offset + size).rows[offset:]


def page_at(session: Session, article_filter: ArticleFilter, readiness: Readiness, place: Place, size: int) -> Page[ArticleRow]:
    """The page at ``place`` of the articles that match, in the filter's order."""
    if article_filter.besides:
        ids = _resolved(session, article_filter, None, readiness)[place.position :][: size + 1]
        rows = _rows(session, ids[:size], readiness)
        at = [Place(after=(0, position), position=position) for position in (max(place.position - size, 0), place.position + size)]
        previous, following = at[0] if place.position else None, at[1] if len(ids) > size else None
        return Page([rows[id_] for id_ in ids[:size] if id_ in rows], previous, following, place.position)
    cells = _cells(session, article_filter, readiness)
    passing = _sieve(session, article_filter, readiness, cells)
    common = bool(article_filter.text.strip()) and frequency(session, Article.search, article_filter.text).is_common
    stretches: list[Fetch[int]] = []
    for ids in (cells.first, cells.then):
        if article_filter.text.strip() and not common:
            stretches.append(partial(_found_by_word, session, article_filter, readiness, cells, ids))
        elif passing is None:
            stretches.append(partial(_listed, session, article_filter, cells, ids))
        else:
            otherwise = partial(_found_by_word, session, article_filter, readiness, cells, ids) if common else None
            stretches.append(sifted(partial(_listed, session, article_filter, cells, ids), passing, otherwise))
    found = walk(stretches, place, size)
    rows = _rows(session, found.rows, readiness)
    return Page([rows[id_] for id_ in found.rows if id_ in rows], found.previous, found.next, found.position)


def _order(article_filter: ArticleFilter) -> tuple[tuple[Any, ...], bool]:
    """The columns of ``article_list`` that a filter is ordered by, and whether they fall."""
    first: dict[Order, Any] = {Order.PROMISING: ListedArticle.promise, Order.LONGEST: ListedArticle.body_chars}
    column = first.get(article_filter.order, ListedArticle.published_at)
    return (column, ListedArticle.article_id), article_filter.order is not Order.OLDEST


def _listed(
    session: Session, article_filter: ArticleFilter, cells: _Cells, ids: list[int], key: Key | None, back: bool, limit: int
) -> list[tuple[Key, int]]:
    """The next of these cells: the next of each, merged."""
    if not ids:
        return []
    columns, falls = _order(article_filter)
    order = ordered_by(columns, falls=falls, back=back)
    if limit > MERGED_AT_MOST and article_filter.order in (Order.NEWEST, Order.OLDEST):
        within = ListedArticle.cell_id + 0 == any_(cast(ids, ARRAY(BigInteger)))  # which keeps the planner to the order of all
        own = select(*columns).where(within, *cells.rest, *beyond(columns, key, falls=falls, back=back))
        with by_index(session):
            return [((value, id_), id_) for value, id_ in session.execute(own.order_by(*order).limit(limit)).all()]
    each = func.unnest(cast(ids, ARRAY(BigInteger))).table_valued("id", name="cell").render_derived()
    own = select(*columns).where(ListedArticle.cell_id == each.c.id, *cells.rest, *beyond(columns, key, falls=falls, back=back))
    nearest = own.order_by(*order).limit(limit).lateral("nearest")
    merged = ordered_by((nearest.c[columns[0].key], nearest.c.article_id), falls=falls, back=back)
    rows = session.execute(select(*nearest.c).select_from(each).join(nearest, true()).order_by(*merged).limit(limit))
    return [((value, id_), id_) for value, id_ in rows]


def _found_by_word(
    session: Session,
    article_filter: ArticleFilter,
    readiness: Readiness,
    cells: _Cells,
    ids: list[int],
    key: Key | None,
    back: bool,
    limit: int,
) -> list[tuple[Key, int]]:
    """The next of these cells that have the words, by the index of words."""
    columns, falls = _order(article_filter)
    found = select(Article.id).where(has_words(Article.search, article_filter.text))
    by_word = found.cte("found").prefix_with("MATERIALIZED", dialect="postgresql")  # or the planner may walk all articles in their order
    statement = select(*columns).join(by_word, by_word.c.id == ListedArticle.article_id)
    ours = statement.where(_in_cells(ids), *cells.rest, *_for_its_story(article_filter, readiness))
    nearest = ours.where(*beyond(columns, key, falls=falls, back=back)).order_by(*ordered_by(columns, falls=falls, back=back))
    return [((value, id_), id_) for value, id_ in session.execute(nearest.limit(limit))]


def _worded(statement: S, article_filter: ArticleFilter, readiness: Readiness, cells: _Cells, ids: list[int]) -> S:
    joined = statement.select_from(Article).join(ListedArticle, ListedArticle.article_id == Article.id)
    return joined.where(
        has_words(Article.search, article_filter.text), _in_cells(ids), *cells.rest, *_for_its_story(article_filter, readiness)
    )


def _sieve(session: Session, article_filter: ArticleFilter, readiness: Readiness, cells: _Cells) -> Callable[[list[int]], set[int]] | None:
    """What tells which of some listed articles match, where the cells alone don't; None where they do."""
    conditions = _for_its_story(article_filter, readiness)
    worded = article_filter.text.strip()
    if not conditions and not worded:
        return None
    statement = select(ListedArticle.article_id).where(*conditions)
    if worded:
        statement = statement.join(Article, Article.id == ListedArticle.article_id).where(has_words(Article.search, article_filter.text))
    return lambda ids: set(session.scalars(statement.where(among(ListedArticle.article_id, ids))))


def _for_its_story(article_filter: ArticleFilter, readiness: Readiness) -> list[ColumnElement[bool]]:
    """Whether a listed article stands for its story."""
    if not article_filter.as_stories:
        return []
    other, its_cell, cell = aliased(ListedArticle), aliased(ArticleCell), aliased(ArticleCell)
    same = and_(other.story_id == ListedArticle.story_id, other.article_id != ListedArticle.article_id, its_cell.id == other.cell_id)

    def fit(of: Any, row: Any) -> ColumnElement[bool]:
        return and_(of.is_active, row.body_chars >= readiness.minimum_chars)

    analysed = literal(readiness.configuration_hash) == any_(its_cell.analysed_with)
    earlier = or_(
        other.published_at < ListedArticle.published_at,
        and_(other.published_at == ListedArticle.published_at, other.article_id < ListedArticle.article_id),
    )
    stands_before = or_(
        and_(fit(its_cell, other), ~fit(cell, ListedArticle)), and_(fit(its_cell, other) == fit(cell, ListedArticle), earlier)
    )
    its_own = aliased(Article)
    matches = exists().where(its_own.id == other.article_id, *matching_one_by_one(article_filter, readiness, its_own))
    taken = exists().where(same, cell.id == ListedArticle.cell_id, stands_before, matches)
    covered = exists().where(same, analysed)
    left_out = or_(taken, covered) if article_filter.ready_only or article_filter.analysed is Analysed.NO else taken
    return [or_(ListedArticle.story_id.is_(None), ~left_out)]


def _rows(session: Session, ids: list[int], readiness: Readiness) -> dict[int, ArticleRow]:
    statement = select(
        Article.id,
        Article.published_at,
        Publisher.name.label("publisher"),
        Publisher.is_priority,
        Article.title,
        Article.body_chars,
        Article.promise,
        is_analysed(readiness).label("analysed"),
        is_in_flight().label("in_flight"),
        Article.is_sample,
        Article.is_active,
        *_of_its_story(),
    ).join(Publisher, Publisher.id == Article.publisher_id)
    return {row["id"]: ArticleRow(**row) for row in session.execute(statement.where(among(Article.id, ids))).mappings()}


def _of_its_story() -> tuple[ColumnElement[Any], ...]:
    """Size and first publisher of each article's story; of an article that is alone, 1 and its own."""
    other, publisher = aliased(Article), aliased(Publisher)
    size = select(func.count()).where(other.story_id == Article.story_id).scalar_subquery()
    first = (
        select(publisher.name)
        .join(other, other.publisher_id == publisher.id)
        .where(other.story_id == Article.story_id)
        .order_by(other.published_at, other.id)
        .limit(1)
        .scalar_subquery()
    )
    return func.greatest(size, 1).label("story_size"), func.coalesce(first, Publisher.name).label("first_publisher")


# --- all of it -------------------------------------------------------------------------------------------------------


def count(
    session: Session,
    article_filter: ArticleFilter,
    readiness: Readiness,
    *,
    bound: int | None = None,
    also: ColumnElement[bool] | None = None,
) -> Count:
    """How many articles match, exact up to ``bound`` (``COUNT_BOUND``); with a common word up to what a look at some finds.

    ``also`` is one more condition, on ``article_cells``.
    """
    cells, bound = _cells(session, article_filter, readiness, also), COUNT_BOUND if bound is None else bound
    besides = session.scalar(select(func.count()).where(among(ListedArticle.article_id, article_filter.besides))) or 0
    if article_filter.text.strip():
        often = frequency(session, Article.search, article_filter.text)
        if often.is_everywhere:
            return _counted_by_looking(session, article_filter, readiness, cells, besides)
        bound = min(TEXT_BOUND, bound) if often.is_common else bound
        statement = _worded(select(ListedArticle.article_id), article_filter, readiness, cells, cells.all)
    else:
        statement = select(ListedArticle.article_id).where(_in_cells(cells.all), *cells.rest, *_for_its_story(article_filter, readiness))
    with by_index(session):
        found = session.scalar(select(func.count()).select_from(statement.limit(bound + 1).subquery())) or 0
    return Count(min(found + besides, bound), found + besides <= bound)


def _counted_by_looking(session: Session, article_filter: ArticleFilter, readiness: Readiness, cells: _Cells, besides: int) -> Count:
    passing = _sieve(session, article_filter, readiness, cells)
    assert passing is not None
    candidates = select(ListedArticle.article_id).where(_in_cells(cells.all), *cells.rest).limit(TESTED_AT_MOST + 1)
    with by_index(session):
        ids = list(session.scalars(candidates))
    return looked_at(ids, passing, besides)


def matching_among(session: Session, article_filter: ArticleFilter, readiness: Readiness, ids: Sequence[int]) -> set[int]:
    """Those of ``ids`` that match."""
    cells = _cells(session, article_filter, readiness)
    statement = select(ListedArticle.article_id).where(among(ListedArticle.article_id, ids), _in_cells(cells.all), *cells.rest)
    found = list(session.scalars(statement))
    passing = _sieve(session, article_filter, readiness, cells)
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
    cells, (columns, falls) = _cells(session, article_filter, readiness), _order(article_filter)
    statement = select(ListedArticle.article_id)
    if article_filter.text.strip():
        statement = _worded(statement, article_filter, readiness, cells, cells.all)
    else:
        statement = statement.where(_in_cells(cells.all), *cells.rest, *_for_its_story(article_filter, readiness))
    besides = select(ListedArticle.article_id).where(among(ListedArticle.article_id, article_filter.besides))
    chosen = (union_all(statement, besides) if article_filter.besides else statement).subquery()
    ordered = select(ListedArticle.article_id).join(chosen, chosen.c.article_id == ListedArticle.article_id)
    first: tuple[Any, ...] = ()
    if article_filter.priority_first:
        of_cell = join(ArticleCell, Publisher, Publisher.id == ArticleCell.publisher_id)
        ordered = ordered.join(of_cell, ArticleCell.id == ListedArticle.cell_id)
        first = (Publisher.is_priority.desc(),)
    return list(session.scalars(ordered.order_by(*first, *ordered_by(columns, falls=falls, back=False)).limit(limit)))
