"""The filter of articles: what the Articles page, launches and facets mean by "all that match", and what makes an article ready."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, any_, exists, literal, or_
from sqlalchemy.orm import aliased

from core.models import Analysis, Article, ArticleCell, BatchRecord, BatchSession, BatchStatus, ListedArticle, RecordStatus
from core.text_search import has_words

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
    since_moment: datetime | None = None
    """Not before this moment, beside ``since``: for programs that ask for what is new."""
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


def matching_one_by_one(article_filter: ArticleFilter, readiness: Readiness, article: A) -> list[ColumnElement[bool]]:
    """The filter as SQL conditions on ``articles``, stories apart."""
    chosen = article_filter
    optional: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
        (chosen.ready_only, lambda: is_ready(readiness, article)),
        (chosen.publishers, lambda: article.publisher_id.in_(chosen.publishers)),
        (chosen.text.strip(), lambda: has_words(article.search, chosen.text)),
        (chosen.analysed is Analysed.YES, lambda: is_analysed(readiness, article)),
        (chosen.analysed is Analysed.NO, lambda: ~is_analysed(readiness, article)),
        (not chosen.samples, lambda: ~article.is_sample),
        (chosen.archived is not None, lambda: article.is_active.is_not(chosen.archived)),
        (chosen.since, lambda: article.published_at >= day_start(chosen.since or date.min)),
        (chosen.since_moment, lambda: article.published_at >= chosen.since_moment),
        (chosen.until, lambda: article.published_at < day_after(chosen.until or date.max)),
    ]
    return [condition() for given, condition in optional if given]


def for_its_story(article_filter: ArticleFilter, readiness: Readiness) -> list[ColumnElement[bool]]:
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


def day_start(value: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime(value.year, value.month, value.day, tzinfo=UTC)


def day_after(value: date) -> datetime:
    """The first moment after a UTC day; the last moment there is for the calendar's last day."""
    return day_start(value) + timedelta(days=1) if value < date.max else datetime.max.replace(tzinfo=UTC)
