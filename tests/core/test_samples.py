"""The sample articles: sixty of them, recent whenever they are loaded, and never taken for news."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from core.access import ITSELF
from core.article_filter import ArticleFilter
from core.configuration import Desk
from core.importers.parsed_article import ParsedArticle
from core.launching import readiness
from core.samples import NEWEST, load_samples, sample_articles
from core.selection import count

WEEK = timedelta(weeks=1)
MOMENTS = [
    datetime(2026, 3, 1, tzinfo=UTC),
    NEWEST - timedelta(hours=1),
    NEWEST,
    NEWEST + timedelta(minutes=1),
    datetime(2026, 11, 24, 12, tzinfo=UTC),
    NEWEST + WEEK - timedelta(minutes=1),
    NEWEST + WEEK,
    datetime(2028, 2, 29, 13, 37, tzinfo=UTC),
    datetime(2031, 7, 4, 23, 59, 59, tzinfo=UTC),
]


def parsed(now: datetime) -> list[ParsedArticle]:
    rows = list(sample_articles(now))
    articles = [row for row in rows if isinstance(row, ParsedArticle)]
    assert articles == rows, "a sample was rejected"
    return articles


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_the_newest_sample_is_from_the_last_seven_days_and_none_is_from_the_future(now: datetime) -> None:
    times = [article.published_at for article in parsed(now)]
    assert now - WEEK <= max(times) <= now
    assert min(times) > now - 8 * WEEK


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_weekdays_stay_what_the_texts_say(now: datetime) -> None:
    written = [article.published_at for article in parsed(NEWEST)]
    moved = [article.published_at for article in parsed(now)]
    assert len({after - before for before, after in zip(written, moved, strict=True)}) == 1
    assert [moment.weekday() for moment in moved] == [moment.weekday() for moment in written]


def test_the_samples_are_sixty_distinct_articles_by_several_publishers_and_all_marked() -> None:
    articles = parsed(NEWEST)
    assert len(articles) == 60
    assert len({key for article in articles for key in article.identity_keys}) >= 60
    assert len({article.title for article in articles}) == 60
    assert len({article.publisher for article in articles}) >= 5
    assert all(article.is_sample for article in articles)
    assert all(article.url and ".example/" in article.url for article in articles), "a sample names a real site"
    lengths = [len(article.body) for article in articles]
    assert sum(length >= 2_000 for length in lengths) >= 40
    assert sum(length < 2_000 for length in lengths) >= 5


def test_loading_makes_sixty_articles_most_of_them_ready_and_again_adds_nothing(desk: Desk) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    report = load_samples(desk, now, by=ITSELF)
    assert (report.new, report.updated, report.unchanged, report.rejected) == (60, 0, 0, [])
    with desk.database.session() as session:
        ready = count(session, ArticleFilter(), readiness(desk.settings(session)))
        assert ready.exact
        assert 40 <= ready.value < 60
        assert count(session, ArticleFilter(ready_only=False, samples=False), readiness(desk.settings(session))).value == 0
        ids = session.scalars(text("SELECT id FROM articles ORDER BY id")).all()
    again = load_samples(desk, now, by=ITSELF)
    assert (again.new, again.updated, again.unchanged, again.rejected) == (0, 0, 60, [])
    later = load_samples(desk, now + 3 * WEEK, by=ITSELF)
    assert later.new == 0
    with desk.database.session() as session:
        assert session.scalars(text("SELECT id FROM articles ORDER BY id")).all() == ids
        assert session.scalar(text("SELECT count(*) FROM articles WHERE is_sample")) == 60
