"""Facets: how many articles each choice of the Articles page's filter would leave, and which of a page a selection holds. Reads only."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.database import among
from core.models import Article
from core.selection import ArticleFilter, Count, Readiness, matching

FACET_BOUND = 1_000
"""Facets are exact up to here: they say which choice is worth a click, the list's own count says the rest."""
IS_SAMPLE: ColumnElement[bool] = Article.is_sample.is_(True)


def facets(
    session: Session, chosen: ArticleFilter, readiness: Readiness, choices: Mapping[str, Mapping[str, Any] | ColumnElement[bool]]
) -> dict[str, Count]:
    """How many articles match ``chosen`` with each of ``choices`` (values of its fields, or a condition more), in one round trip."""
    counts = []
    for choice in choices.values():
        if isinstance(choice, ColumnElement):
            conditions = [*matching(chosen, readiness), choice]
        else:
            conditions = matching(chosen.model_copy(update=dict(choice)), readiness)
        bounded = select(Article.id).where(*conditions).limit(FACET_BOUND + 1).subquery()
        counts.append(select(func.count()).select_from(bounded).scalar_subquery())
    found = session.execute(select(*counts)).one()
    return {name: Count(min(value, FACET_BOUND), value <= FACET_BOUND) for name, value in zip(choices, found, strict=True)}


def matched_among(session: Session, chosen: ArticleFilter, readiness: Readiness, ids: Iterable[int]) -> set[int]:
    """Those of ``ids`` that match."""
    return set(session.scalars(select(Article.id).where(among(Article.id, list(ids)), *matching(chosen, readiness))))
