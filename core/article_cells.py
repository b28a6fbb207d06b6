"""Cells: what a filter of articles takes or leaves as a whole, and what is left to be asked of each row of the list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, any_, cast, false, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from core.article_filter import Analysed, ArticleFilter, Readiness, day_after, day_start
from core.database import among
from core.models import ArticleCell, ListedArticle, Publisher
from core.text_search import Words


@dataclass(frozen=True, slots=True)
class Cells:
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


def of_cells(article_filter: ArticleFilter, readiness: Readiness) -> list[ColumnElement[bool]]:
    """The filter as conditions on ``article_cells``."""
    chosen = article_filter
    optional: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
        (chosen.ready_only, lambda: and_(ArticleCell.is_active, _is_long(readiness), ~_has_analysed(readiness))),
        (chosen.publishers, lambda: ArticleCell.publisher_id.in_(chosen.publishers)),
        (chosen.analysed is Analysed.YES, lambda: _has_analysed(readiness)),
        (chosen.analysed is Analysed.NO, lambda: ~_has_analysed(readiness)),
        (not chosen.samples, lambda: ~ArticleCell.is_sample),
        (chosen.archived is not None, lambda: ArticleCell.is_active.is_not(chosen.archived)),
    ]
    return [condition() for given, condition in optional if given]


def of_rows(
    article_filter: ArticleFilter, readiness: Readiness, words: Words | None, row: Any = ListedArticle
) -> list[ColumnElement[bool]]:
    """What the cells leave open, as conditions on ``article_list``, or on ``row``, some of it."""
    rest = _is_listed_long(readiness, row) if article_filter.ready_only else []
    if article_filter.since:
        rest.append(row.published_at >= day_start(article_filter.since))
    if article_filter.since_moment:
        rest.append(row.published_at >= article_filter.since_moment)
    if article_filter.until:
        rest.append(row.published_at < day_after(article_filter.until))
    if article_filter.ids:
        rest.append(among(row.article_id, article_filter.ids))
    if words is not None and words.ids is not None:
        rest.append(among(row.article_id, words.ids))
    if left_out := (*article_filter.excluded, *article_filter.besides):
        rest.append(~among(row.article_id, left_out))
    return rest


def cells_of(session: Session, article_filter: ArticleFilter, readiness: Readiness, words: Words | None = None) -> Cells:
    taken = and_(true(), *of_cells(article_filter, readiness))
    parts = [Publisher.is_priority, ~Publisher.is_priority] if article_filter.priority_first else [true(), false()]
    first, then = cell_ids(session, [and_(taken, part) for part in parts])
    return Cells(first, then, tuple(of_rows(article_filter, readiness, words)))


def cell_ids(session: Session, conditions: Sequence[ColumnElement[bool]]) -> list[list[int]]:
    """The cells that each of these conditions takes, which are on ``article_cells`` and their ``publishers``."""
    taken = [func.array_agg(ArticleCell.id, type_=ARRAY(BigInteger)).filter(condition) for condition in conditions]
    rows = session.execute(select(*taken).select_from(ArticleCell).join(Publisher, Publisher.id == ArticleCell.publisher_id))
    return [ids or [] for ids in rows.one()]


def in_cells(cells: list[int], row: Any = ListedArticle) -> ColumnElement[bool]:
    return row.cell_id == any_(cast(cells, ARRAY(BigInteger)))
