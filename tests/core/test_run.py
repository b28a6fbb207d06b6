"""A whole run through the real Gemini and Tavily clients against the loopback server, held against what that server served."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from core import batch_actions, batches, launching
from core.access import local
from core.article_filter import ArticleFilter
from core.clock import utc_now
from core.configuration import Desk
from core.models import BatchStatus, RecordStatus
from core.orchestrator import Orchestrator
from core.selection import Selection
from tests.actors import ANN
from tests.loopback import LoopbackProviders

ALL = Selection.of_filter(ArticleFilter())


@pytest.fixture
def providers() -> Iterator[LoopbackProviders]:
    with LoopbackProviders(fabricated_quotes=0.2, fabricated_urls=0.2, cached_share=0.3, signals=(1, 4), seed=3) as loopback:
        yield loopback


@pytest.fixture
def run(database: Any, make_settings: Any, providers: LoopbackProviders) -> Any:
    """``run(concurrency=4)`` launches all articles on the loopback providers and waits for the end; returns desk and progress."""

    def to_the_end(selection: Selection = ALL, budget: Decimal | None = None, **settings: Any) -> tuple[Desk, batches.Progress]:
        given = {
            "gemini_api_key": providers.env()["GEMINI_API_KEY"],
            "gemini_base_url": providers.url,
            "tavily_api_key": providers.env()["TAVILY_API_KEY"],
            "tavily_base_url": providers.url,
            "daily_budget": "50",
        }
        desk = Desk(database, make_settings(**(given | settings)))
        with database.session() as session:
            batch_id = launching.launch(session, selection, desk.settings(session), by=local("tester"), now=utc_now(), budget=budget)
        return desk, finish(desk, batch_id)

    return to_the_end


def finish(desk: Desk, batch_id: int, patience: float = 60.0) -> batches.Progress:
    """Run an orchestrator until the batch is not running any more."""
    orchestrator = Orchestrator(desk)
    orchestrator.start()
    deadline = time.monotonic() + patience
    try:
        while time.monotonic() < deadline:
            with desk.database.session() as session:
                progress = batches.progress(session, batch_id)
            if progress.status not in BatchStatus.claimable() and not progress.counts[RecordStatus.PROCESSING]:
                return progress
            time.sleep(0.05)
        raise AssertionError(f"the batch did not end: {progress}")
    finally:
        orchestrator.stop()


def ledger(desk: Desk) -> Any:
    with desk.database.session() as session:
        return session.execute(
            text(
                "SELECT count(*) AS calls, sum(input_tokens) AS prompt, sum(cached_tokens) AS cached, sum(output_tokens) AS candidates,"
                " sum(thinking_tokens) AS thoughts, sum(search_credits) AS credits, sum(usd) AS usd,"
                " count(*) FILTER (WHERE status = 'RESERVED') AS reserved FROM ledger_entries"
            )
        ).one()


def assert_ledger_equals_what_was_served(desk: Desk, providers: LoopbackProviders) -> None:
    served, kept = providers.served(), ledger(desk)
    assert kept.calls == served["requests"]
    assert {name: getattr(kept, name) for name in ("prompt", "cached", "candidates", "thoughts")} == served["tokens"]
    assert kept.credits == served["credits"]
    assert kept.reserved == 0
    with desk.database.session() as session:
        budgets = session.execute(text("SELECT spent_usd, reserved_usd FROM budgets WHERE scope <> 'batch'")).all()
    assert [(spent, reserved) for spent, reserved in budgets] == [(kept.usd, Decimal(0))] * 2


def test_ledger_equals_what_the_providers_served_to_the_token(run: Any, articles: Any, providers: LoopbackProviders) -> None:
    articles(12)
    desk, progress = run()
    assert progress.status is BatchStatus.COMPLETED
    assert progress.counts[RecordStatus.COMPLETED] == 12
    assert providers.served()["tokens"]["cached"] > 0
    assert_ledger_equals_what_was_served(desk, providers)
    assert progress.spent_usd == ledger(desk).usd > 0


def test_made_up_quotes_and_addresses_never_become_evidence_or_sources(run: Any, articles: Any, providers: LoopbackProviders) -> None:
    articles(12)
    desk, _ = run()
    with desk.database.session() as session:
        quotes = session.execute(
            text(
                "SELECT e.quote, e.start, e.end, a.body FROM evidence e JOIN signals s ON s.id = e.signal_id JOIN articles a ON a.id = s.article_id"
            )
        ).all()
        urls = set(session.scalars(text("SELECT url FROM validation_sources")))
        dropped = session.scalar(text("SELECT sum(dropped_quotes) FROM analyses"))
    assert quotes
    assert all(body[start:end] == quote for quote, start, end, body in quotes)
    assert urls
    assert not any("fabricated" in url for url in urls)
    assert dropped > 0


def test_failed_and_retried_calls_are_in_the_ledger(
    run: Any, articles: Any, providers: LoopbackProviders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.metering.BACKOFF_BASE_SECONDS", 0.01)
    articles(6)
    providers.faults(
        {"provider": "gemini", "kind": "overloaded", "first_n": 4},
        {"provider": "tavily", "kind": "server_error", "first_n": 2},
    )
    desk, progress = run()
    assert progress.counts[RecordStatus.COMPLETED] == 6
    with desk.database.session() as session:
        failed = dict(session.execute(text("SELECT provider, count(*) FROM ledger_entries WHERE error_kind = 'overload' GROUP BY 1")).all())
    assert failed == {"google": 4, "tavily": 2}
    assert_ledger_equals_what_was_served(desk, providers)


def test_a_failing_article_fails_alone_with_a_reason(run: Any, articles: Any, providers: LoopbackProviders) -> None:
    articles(4)
    articles(1, title="Poisoned article")
    providers.faults({"provider": "gemini", "kind": "safety", "contains": "Poisoned article"})
    desk, progress = run()
    assert progress.counts[RecordStatus.COMPLETED] == 4
    assert progress.counts[RecordStatus.FAILED] == 1
    with desk.database.session() as session:
        kind, message = session.execute(text("SELECT error_kind, error_message FROM batch_records WHERE status = 'FAILED'")).one()
    assert kind == "blocked"
    assert "safety filter" in message
    assert_ledger_equals_what_was_served(desk, providers)


def test_a_wrong_key_pauses_the_batch_and_loses_nothing(run: Any, articles: Any, providers: LoopbackProviders) -> None:
    articles(5)
    desk, progress = run(gemini_api_key="wrong")
    assert progress.status is BatchStatus.PAUSED
    assert "key" in (progress.pause_reason or "")
    assert progress.counts[RecordStatus.PENDING] == 5
    assert ledger(desk).usd == 0
    right = Desk(
        desk.database,
        desk.environment.model_copy(update={"gemini_api_key": type(desk.environment.gemini_api_key)(providers.env()["GEMINI_API_KEY"])}),
    )
    with desk.database.session() as session:
        batch_actions.resume(session, progress.id, by=ANN)
    assert finish(right, progress.id).counts[RecordStatus.COMPLETED] == 5


def test_without_room_in_the_budget_the_batch_pauses_and_says_what_it_needs(run: Any, articles: Any, providers: LoopbackProviders) -> None:
    articles(8)
    desk, progress = run(budget=Decimal("0.06"), concurrency=2)
    assert progress.status is BatchStatus.PAUSED
    assert "Budget for batch 1 is $0.0600" in (progress.pause_reason or "")
    assert "to finish" in (progress.pause_reason or "")
    assert progress.counts[RecordStatus.COMPLETED] + progress.counts[RecordStatus.PENDING] == 8
    assert ledger(desk).usd <= Decimal("0.06")


def test_an_article_deleted_while_queued_is_skipped(run: Any, articles: Any, database: Any, make_settings: Any) -> None:
    first, _ = articles(2)
    desk = Desk(database, make_settings(model="offline", research_provider="archive"))
    with database.session() as session:
        batch_id = launching.launch(session, ALL, desk.settings(session), by=local("tester"), now=utc_now())
    with database.session() as session:
        session.execute(text("DELETE FROM articles WHERE id = :id"), {"id": first})
    progress = finish(desk, batch_id)
    assert progress.status is BatchStatus.COMPLETED
    assert progress.counts[RecordStatus.SKIPPED] == 1
    assert progress.counts[RecordStatus.COMPLETED] == 1
    with database.session() as session:
        assert session.scalar(text("SELECT skip_reason FROM batch_records WHERE status = 'SKIPPED'")) == "the article was deleted"


def test_what_was_analysed_is_skipped_the_next_time(run: Any, articles: Any, providers: LoopbackProviders) -> None:
    ids = articles(3)
    run()
    (fresh,) = articles(1)
    before = providers.served()["requests"]
    _, progress = run(Selection.of_ids([*ids, fresh]))
    assert progress.counts[RecordStatus.SKIPPED] == 3
    assert progress.counts[RecordStatus.COMPLETED] == 1
    assert providers.served()["requests"] > before
    assert not [subject for subject in providers.served()["paid_twice"] if subject.startswith("gemini")]
