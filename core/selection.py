"""Selection: which articles a list shows and a launch takes.

A ``Selection`` is either a set of ids or "all that match" a filter; it is resolved to ids at the moment of use, so a filter
of 100,000 articles is never carried about as rows.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.database import among
from core.models import Analysis, Article, BatchRecord, BatchSession, BatchStatus, Publisher, RecordStatus

COUNT_BOUND = 10_000
"""Counts are exact up to here and "more than" beyond."""


S = TypeVar("S", bound=Select)
A = type[Article]
"""``articles``, or an alias of it."""


class Analysed(StrEnum):
    ANY = "any"
    YES = "analysed"
    NO = "not analysed"


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    PROMISING = "most promising"
    LONGEST = "longest"


class ArticleFilter(BaseModel):
    """What the Articles page and ``signaldesk analyze`` filter on. Dates are UTC days, both ends included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ready_only: bool = True
    publishers: tuple[int, ...] = ()
    text: str = Field("", max_length=200)
    since: date | None = None
    until: date | None = None
    analysed: Analysed = Analysed.ANY
    samples: bool = True
    priority_first: bool = True
    order: Order = Order.NEWEST
    as_stories: bool = False
    """One article a story: of those that match and could be analysed the first published. A story is analysed if one of it is."""
    archived: bool | None = None
    """Only those that were taken out of work (not active); False: none of them; None: either."""
    ids: tuple[int, ...] = ()
    """Of these articles only; none given, of all."""
    excluded: tuple[int, ...] = ()
    """Not these: what was unticked after all that match were selected."""
    besides: tuple[int, ...] = ()
    """These too, whether they match or not: what was ticked after all that match were selected."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What "ready for analysis" means now: long enough, and not yet analysed with this configuration."""

    configuration_hash: str
    minimum_chars: int


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


@dataclass(frozen=True, slots=True)
class Count:
    """A number that is exact, or at least so much."""

    value: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.value:,}" if self.exact else f"more than {self.value:,}"


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


def is_ready(readiness: Readiness, article: A = Article) -> ColumnElement[bool]:
    """Active, long enough, and not analysed with the current configuration since its text last changed."""
    return and_(article.is_active, article.body_chars >= readiness.minimum_chars, ~is_analysed(readiness, article))


def is_analysed(readiness: Readiness, article: A = Article) -> ColumnElement[bool]:
    return exists().where(
        Analysis.article_id == article.id,
        Analysis.configuration_hash == readiness.configuration_hash,
        Analysis.content_hash == article.content_hash,
        Analysis.completed_at.is_not(None),
    )


def is_in_flight(article: A = Article) -> ColumnElement[bool]:
    """Pending or processing in a batch that is still open."""
    return exists().where(
        BatchRecord.article_id == article.id,
        BatchRecord.status.in_(RecordStatus.open()),
        BatchSession.id == BatchRecord.batch_id,
        BatchSession.status.in_(BatchStatus.open()),
    )


def story_has(condition: Callable[[A], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether another article of the same story is so."""
    other = aliased(Article)
    return exists().where(other.story_id == Article.story_id, other.id != Article.id, condition(other))


def matching(article_filter: ArticleFilter, readiness: Readiness) -> list[ColumnElement[bool]]:
    """The filter as SQL conditions on ``articles``."""
    conditions = _matching_one_by_one(article_filter, readiness, Article)
    if article_filter.as_stories:
        if article_filter.ready_only or article_filter.analysed is Analysed.NO:
            conditions.append(~story_has(lambda other: is_analysed(readiness, other)))
        conditions.append(
            ~story_has(lambda other: and_(_stands_before(readiness, other), *_matching_one_by_one(article_filter, readiness, other)))
        )
    if article_filter.ids:
        conditions.append(among(Article.id, article_filter.ids))
    if article_filter.excluded:
        conditions.append(~among(Article.id, article_filter.excluded))
    return [or_(and_(*conditions), among(Article.id, article_filter.besides))] if article_filter.besides else conditions


def _stands_before(readiness: Readiness, other: A) -> ColumnElement[bool]:
    """Whether ``other`` stands for a story rather than ``articles``: long enough and active first, then as published."""
    fit, others_fit = (and_(one.is_active, one.body_chars >= readiness.minimum_chars) for one in (Article, other))
    earlier = or_(other.published_at < Article.published_at, and_(other.published_at == Article.published_at, other.id < Article.id))
    return or_(and_(others_fit, ~fit), and_(others_fit == fit, earlier))


def _matching_one_by_one(article_filter: ArticleFilter, readiness: Readiness, article: A) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if article_filter.ready_only:
        conditions.append(is_ready(readiness, article))
    if article_filter.publishers:
        conditions.append(article.publisher_id.in_(article_filter.publishers))
    if article_filter.text.strip():
        conditions.append(article.search.op("@@")(func.to_tsquery("english", prefix_query(article_filter.text))))
    if article_filter.since:
        conditions.append(article.published_at >= day_start(article_filter.since))
    if article_filter.until:
        conditions.append(article.published_at < day_after(article_filter.until))
    if article_filter.analysed is Analysed.YES:
        conditions.append(is_analysed(readiness, article))
    if article_filter.analysed is Analysed.NO:
        conditions.append(~is_analysed(readiness, article))
    if not article_filter.samples:
        conditions.append(~article.is_sample)
    if article_filter.archived is not None:
        conditions.append(article.is_active.is_not(article_filter.archived))
    return conditions


def prefix_query(text: str) -> str:
    """A ``to_tsquery`` text that finds what has every word of ``text``, each also as the beginning of a longer word.

    Without a word it is empty, which finds nothing.
    """
    return " & ".join(f"{word}:*" for word in re.findall(r"\w+", text))


def page(session: Session, article_filter: ArticleFilter, readiness: Readiness, *, offset: int, size: int) -> list[ArticleRow]:
    """One page of the articles that match, in the filter's order."""
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
    )
    rows = session.execute(_ordered(statement, article_filter, readiness).offset(offset).limit(size)).mappings()
    return [ArticleRow(**row) for row in rows]


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


def count(session: Session, article_filter: ArticleFilter, readiness: Readiness) -> Count:
    """How many articles match, exact up to ``COUNT_BOUND``."""
    bounded = select(Article.id).where(*matching(article_filter, readiness)).limit(COUNT_BOUND + 1).subquery()
    found = session.scalar(select(func.count()).select_from(bounded)) or 0
    return Count(min(found, COUNT_BOUND), found <= COUNT_BOUND)


def resolve(session: Session, selection: Selection, readiness: Readiness) -> list[int]:
    """The ids a selection stands for now, in the order they should run: priority publishers first."""
    if selection.filter is not None:
        statement = _ordered(select(Article.id), selection.filter, readiness)
        return list(session.scalars(statement.limit(selection.limit) if selection.limit else statement))
    statement = (
        select(Article.id)
        .join(Publisher, Publisher.id == Article.publisher_id)
        .where(among(Article.id, selection.ids))
        .order_by(Publisher.is_priority.desc(), Article.published_at.desc(), Article.id.desc())
    )
    return list(session.scalars(statement))


def _ordered(statement: S, article_filter: ArticleFilter, readiness: Readiness) -> S:
    orders: dict[Order, tuple[ColumnElement[Any], ...]] = {
        Order.NEWEST: (Article.published_at.desc(), Article.id.desc()),
        Order.OLDEST: (Article.published_at.asc(), Article.id.asc()),
        Order.PROMISING: (Article.promise.desc(), Article.id.desc()),
        Order.LONGEST: (Article.body_chars.desc(), Article.id.desc()),
    }
    first = (Publisher.is_priority.desc(),) if article_filter.priority_first else ()
    joined = statement.select_from(Article).join(Publisher, Publisher.id == Article.publisher_id)
    return joined.where(*matching(article_filter, readiness)).order_by(*first, *orders[article_filter.order])


def day_start(value: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime(value.year, value.month, value.day, tzinfo=UTC)


def day_after(value: date) -> datetime:
    """The first moment after a UTC day; the last moment there is for the calendar's last day."""
    return day_start(value) + timedelta(days=1) if value < date.max else datetime.max.replace(tzinfo=UTC)
