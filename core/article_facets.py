"""Facets: how many articles each choice of the Articles page's filter would leave, and which of a page a selection holds. Reads only."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import among
from core.models import Article
from core.selection import ArticleFilter, Count, Readiness, matching

FACET_BOUND = 1_000
"""Facets are exact up to here: they say which choice is worth a click, the list's own count says the rest."""


def facets(session: Session, chosen: ArticleFilter, readiness: Readiness, choices: Mapping[str, Mapping[str, Any]]) -> dict[str, Count]:
    """How many articles match ``chosen`` with each of ``choices`` (values of its fields, by name), in one round trip."""
    counts = [
        select(func.count())
        .select_from(
            select(Article.id).where(*matching(chosen.model_copy(update=dict(values)), readiness)).limit(FACET_BOUND + 1).subquery()
        )
        .scalar_subquery()
        for values in choices.values()
    ]
    found = session.execute(select(*counts)).one() if counts else ()
    return {name: Count(min(value, FACET_BOUND), value <= FACET_BOUND) for name, value in zip(choices, found, strict=True)}


def matched_among(session: Session, chosen: ArticleFilter, readiness: Readiness, ids: Iterable[int]) -> set[int]:
    """Those of ``ids`` that match."""
    return set(session.scalars(select(Article.id).where(among(Article.id, list(ids)), *matching(chosen, readiness))))
