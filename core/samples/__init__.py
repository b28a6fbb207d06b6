"""The sample articles: written for this project, by invented publishers, so that a new desk has something to show."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.access import Actor, Permission
from core.configuration import Desk
from core.importers.formats import read_articles
from core.importers.import_articles import ImportReport, import_articles
from core.importers.parsed_article import ParsedArticle, RejectedRow

FILE = Path(__file__).resolve().parent / "articles.jsonl"
NEWEST = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
"""When the newest sample is from, as written: a Sunday."""


def sample_articles(now: datetime) -> Iterator[ParsedArticle | RejectedRow]:
    """The samples, moved by whole weeks (their texts name weekdays) so that the newest is at most a week old."""
    weeks = timedelta(weeks=(now - NEWEST) // timedelta(weeks=1))
    for row in read_articles(FILE.name, FILE, now=max(now, NEWEST)):
        yield replace(row, published_at=row.published_at + weeks) if isinstance(row, ParsedArticle) else row


def load_samples(desk: Desk, now: datetime, *, by: Actor) -> ImportReport:
    """Import the samples; those that are there already are only moved to the dates they have ``now``."""
    by.require(Permission.ARTICLES)
    return import_articles(desk, FILE.name, sample_articles(now), by=by)
