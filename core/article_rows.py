"""What the articles table says of an article: one line, read for the few that are in view."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from core.article_filter import Readiness, is_analysed, is_in_flight
from core.database import among
from core.models import Article, Publisher


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


def article_rows(session: Session, ids: list[int], readiness: Readiness) -> dict[int, ArticleRow]:
    """Lines of the articles table by id, of those that exist."""
    rows = session.execute(_lines(readiness).where(among(Article.id, ids))).mappings()
    return {row["id"]: ArticleRow(**row) for row in rows}


@lru_cache(maxsize=16)
def _lines(readiness: Readiness) -> Select[*tuple[Any, ...]]:
    statement: Select[*tuple[Any, ...]] = select(
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
    return statement.join(Publisher, Publisher.id == Article.publisher_id)


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
