"""What the Overview puts first: strongest signals without telling a hidden verdict, and shared stories."""

from datetime import date, timedelta
from typing import Any

from core import reviews
from core.access import local
from core.agents.outputs import SignalKind, Verdict
from core.configuration import Desk
from core.headlines import SharedStory, publisher_names, ranked, sample_signals_by_day, shared_stories, strongest, strongest_among
from core.launching import readiness
from core.models import Decision
from core.reports import signals_by_day
from core.signal_filter import SignalFilter
from core.signals import signal_page
from core.windows import Window
from tests.conftest import NOW
from tests.core.answered import a_signal, keep, validated

DAY = NOW.date()
WINDOW = Window.ending(DAY, 30)
TEXT = "The exchange said that withdrawals resume on Thursday after a review of its wallets and its books by two firms. "
LONG = " ".join(f"{TEXT} It counted {number} wallets in that part of its review." for number in range(30))


def told(desk: Desk, **values: Any) -> list[SharedStory]:
    with desk.database.session() as session:
        return shared_stories(session, WINDOW, readiness(desk.environment), size=8, **values)


def test_validated_first_then_by_confidence_and_nothing_rejected_or_contradicted(desk: Desk, articles: Any) -> None:
    (article,) = articles(1, published_at=NOW)
    strengths = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
    ids = keep(desk, article, *[a_signal(confidence=strength, description=f"At {strength}.") for strength in strengths])
    validated(desk, ids[4])
    validated(desk, ids[0], verdict=Verdict.CONTRADICTED, confidence_adjustment=-0.3)
    with desk.database.session() as session:
        reviews.decide(session, ids[1], Decision.REJECTED, by=local("ada"))
        reviews.decide(session, ids[2], Decision.ACCEPTED, by=local("ada"))
        reviews.decide(session, ids[5], Decision.UNSURE, by=local("ada"))
    with desk.database.session() as session:
        found = strongest(session, SignalFilter(), 5)
        assert [row.id for row in found] == [ids[4], ids[2], ids[3]]
        assert [row.id for row in strongest(session, SignalFilter(), 1)] == [ids[4]]
        assert strongest(session, SignalFilter(until=DAY - timedelta(days=1)), 5) == []


def test_a_hidden_verdict_decides_nothing(desk: Desk, articles: Any) -> None:
    (article,) = articles(1, published_at=NOW)
    strong, weak = keep(desk, article, a_signal(confidence=0.9), a_signal(confidence=0.3))
    validated(desk, weak)
    validated(desk, strong, verdict=Verdict.CONTRADICTED, confidence_adjustment=-0.3)
    with desk.database.session() as session:
        assert [row.id for row in strongest(session, SignalFilter(), 5)] == [weak]
        hidden = strongest(session, SignalFilter(blind_share=1), 5)
        assert [(row.id, row.verdict) for row in hidden] == [(strong, None), (weak, None)]
        rows = signal_page(session, SignalFilter(), offset=0, size=5)
    assert [row.id for row in ranked(reversed(rows))] == [weak]


def test_the_strongest_among_some_are_those_of_a_filter_that_finds_just_these(desk: Desk, articles: Any) -> None:
    (article,) = articles(1, published_at=NOW)
    strengths = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
    ids = keep(desk, article, *[a_signal(confidence=strength) for strength in strengths])
    validated(desk, ids[4])
    validated(desk, ids[5])
    validated(desk, ids[0], verdict=Verdict.CONTRADICTED, confidence_adjustment=-0.3)
    with desk.database.session() as session:
        reviews.decide(session, ids[1], Decision.REJECTED, by=local("ada"))
        reviews.decide(session, ids[2], Decision.ACCEPTED, by=local("ada"))
    with desk.database.session() as session:
        for share in (0, 0.5, 1):
            chosen = SignalFilter(blind_share=share)
            for size in (2, 10):
                assert strongest_among(session, ids, chosen, size) == strongest(session, chosen, size)
        assert [row.id for row in strongest_among(session, ids[:4], SignalFilter(), 5)] == [ids[2], ids[3]]
        assert strongest_among(session, [], SignalFilter(), 5) == []


def test_a_story_of_several_publishers_with_its_facts(desk: Desk, articles: Any) -> None:
    (first,) = articles(1, title="Exchange resumes withdrawals", body=LONG, publisher="Alpha", published_at=NOW - timedelta(days=31))
    (copy,) = articles(1, title="Withdrawals resume", body=LONG, publisher="Beta", published_at=NOW - timedelta(days=29))
    articles(1, title="They resume", body=LONG, publisher="Gamma", published_at=NOW - timedelta(days=28, hours=5))
    own = LONG.replace("exchange", "custodian").replace("wallets", "vaults").replace("books", "ledgers")
    articles(1, title="One", body=own, publisher="Alpha", published_at=NOW - timedelta(days=1))
    articles(1, title="Two", body=own, publisher="Alpha", published_at=NOW - timedelta(hours=9))
    keep(desk, copy, a_signal(), a_signal(description="Another."))
    (story,) = told(desk)
    assert (story.articles, story.publishers, story.first_article_id, story.first_publisher) == (3, 3, first, "Alpha")
    assert (story.title, story.signals, story.is_analysed, story.is_sample) == ("Exchange resumes withdrawals", 2, True, False)
    assert story.span == timedelta(days=2, hours=19)


def test_stories_with_most_publishers_come_first_and_samples_can_be_left_out(desk: Desk, articles: Any) -> None:
    other = LONG.replace("exchange", "miner").replace("withdrawals", "deliveries").replace("wallets", "machines")
    for place, publisher in enumerate(("Alpha", "Beta")):
        articles(1, title=f"Miner {place}", body=other, publisher=publisher, published_at=NOW - timedelta(hours=place))
    for place, publisher in enumerate(("Alpha", "Beta", "Gamma")):
        articles(1, title=f"Exchange {place}", body=LONG, publisher=publisher, published_at=NOW - timedelta(days=place + 1), is_sample=True)
    assert [(story.publishers, story.is_sample) for story in told(desk)] == [(3, True), (2, False)]
    assert [story.publishers for story in told(desk, without_samples=True)] == [2]


def test_a_story_told_outside_of_the_window_is_not_of_it(desk: Desk, articles: Any) -> None:
    for publisher in ("Alpha", "Beta"):
        articles(1, title=publisher, body=LONG, publisher=publisher, published_at=NOW - timedelta(days=31))
    assert told(desk) == []


def test_signals_of_samples_by_day_are_a_part_of_all(desk: Desk, articles: Any) -> None:
    sample, real = articles(1, published_at=NOW, is_sample=True)[0], articles(1, published_at=NOW)[0]
    keep(desk, sample, a_signal())
    keep(desk, real, a_signal(), a_signal(kind="edge_indicator"))
    with desk.database.session() as session:
        since = date(2026, 11, 1)
        assert sample_signals_by_day(session, since=since) == [(DAY, SignalKind.WEAK_SIGNAL, 1)]
        assert {(day, kind): n for day, kind, n in signals_by_day(session, since=since)} == {
            (DAY, SignalKind.WEAK_SIGNAL): 2,
            (DAY, SignalKind.EDGE_INDICATOR): 1,
        }
        assert set(publisher_names(session, [1, 2, 99]).values()) == {"Hashyard"}
