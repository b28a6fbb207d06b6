"""Facets: how many articles each choice of the Articles page's filter would leave, and which of a page a selection holds. Reads only."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from core.article_filter import ArticleFilter, Readiness
from core.models import ArticleCell
from core.paging import Count
from core.selection import counts, matching_among, words_in_articles
from core.text_search import Words

FACET_BOUND = 1_000
"""Facets are exact up to here: they say which choice is worth a click, the list's own count says the rest."""
IS_SAMPLE: ColumnElement[bool] = ArticleCell.is_sample.is_(True)


def facets(
    session: Session,
    chosen: ArticleFilter,
    readiness: Readiness,
    choices: Mapping[str, Mapping[str, Any] | ColumnElement[bool]],
    words: Words | None = None,
) -> dict[str, Count]:
    """How many articles match ``chosen`` with each of ``choices``: values of its fields, or a condition more on ``article_cells``.

    ``words`` are those of its text, if looked up before.
    """
    words = words or words_in_articles(session, chosen.text)
    each = [
        (chosen, choice) if isinstance(choice, ColumnElement) else (chosen.model_copy(update=dict(choice)), None)
        for choice in choices.values()
    ]
    return dict(zip(choices, counts(session, each, readiness, bound=FACET_BOUND, words=words), strict=True))


def matched_among(session: Session, chosen: ArticleFilter, readiness: Readiness, ids: Iterable[int]) -> set[int]:
    """Those of ``ids`` that match."""
    return matching_among(session, chosen, readiness, list(ids))
