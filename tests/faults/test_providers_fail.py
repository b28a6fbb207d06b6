"""The providers refuse, hang, break off, talk nonsense or revoke a key: each article is done or has a reason, each call an entry."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core import batch_actions, batches
from core.configuration import Desk
from core.database import Database
from core.models import BatchStatus, RecordStatus
from core.orchestrator import Orchestrator
from tests.actors import ANN
from tests.faults.accounts import Accounts, assert_budgets_hold
from tests.faults.conftest import launch, provider_settings, wait_for, wait_until_it_rests
from tests.loopback import LoopbackProviders

pytestmark = pytest.mark.slow

ARTICLES = 40


@pytest.fixture
def providers(record: Path) -> Iterator[LoopbackProviders]:
    with LoopbackProviders(signals=(1, 3), record=str(record), latency=0.01) as running:
        yield running


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.metering.BACKOFF_BASE_SECONDS", 0.01)


@contextmanager
def orchestrated(desk: Desk) -> Iterator[Orchestrator]:
    orchestrator = Orchestrator(desk)
    orchestrator.start()
    try:
        yield orchestrator
    finally:
        orchestrator.stop()


@pytest.fixture
def launched(database: Database, make_settings: Any, providers: LoopbackProviders, articles: Any) -> Callable[..., tuple[Desk, int]]:
    """``launched(max_attempts=8)``: a desk with these settings and a batch that nobody runs yet."""

    def make(**settings: Any) -> tuple[Desk, int]:
        articles(ARTICLES)
        desk = Desk(database, make_settings(**provider_settings(providers, **settings)))
        return desk, launch(database, desk.environment)

    return make


def run(desk: Desk, batch_id: int) -> batches.Progress:
    with orchestrated(desk):
        return wait_until_it_rests(desk.database, batch_id)


def accounts_of(desk: Desk, providers: LoopbackProviders, record: Path) -> Accounts:
    """Both accounts, once the providers are through with what was given up on."""
    wait_for(lambda: providers.served()["in_flight"] == 0, 30, "the providers are idle")
    return Accounts.read(record, desk.database)


def failures(desk: Desk) -> list[tuple[str | None, str | None]]:
    """Kind and words of each failed article."""
    with desk.database.session() as session:
        return [tuple(row) for row in session.execute(text("SELECT error_kind, error_message FROM batch_records WHERE status = 'FAILED'"))]


def finish_what_is_left(desk: Desk, batch_id: int, state: batches.Progress) -> batches.Progress:
    """What an analyst does once the trouble is over: retry what failed, and the research that failed."""
    with desk.database.session() as session:
        if state.counts[RecordStatus.FAILED]:
            batch_actions.retry_failed(session, batch_id, by=ANN)
        if state.failed_research:
            batch_actions.retry_research(session, batch_id, by=ANN)
        if state.status is BatchStatus.PAUSED:
            batch_actions.resume(session, batch_id, by=ANN)
    return run(desk, batch_id)


def assert_finished(state: batches.Progress) -> None:
    assert state.status is BatchStatus.COMPLETED, state.pause_reason
    assert state.counts[RecordStatus.COMPLETED] == ARTICLES
    assert state.failed_research == 0


def test_a_storm_of_rate_limits_loses_nothing_and_costs_nothing(
    launched: Callable[..., tuple[Desk, int]], providers: LoopbackProviders, record: Path
) -> None:
    desk, batch_id = launched(failure_share=1)
    providers.faults({"kind": "rate_limit", "probability": 0.4, "retry_delay": 0.05})
    state = run(desk, batch_id)
    assert state.status is BatchStatus.COMPLETED
    assert state.counts[RecordStatus.COMPLETED] + state.counts[RecordStatus.FAILED] == ARTICLES
    assert all(kind == "rate_limit" and "limits the rate" in (words or "") for kind, words in failures(desk))
    accounts = accounts_of(desk, providers, record)
    accounts.assert_equal()
    refused = [entry for entry in accounts.served if entry.status == 429]
    assert len(refused) == len([line for line in accounts.ledger if line.error_kind == "rate_limit"]) > ARTICLES
    assert all(line.usd == 0 for line in accounts.lines("RELEASED"))

    providers.clear_faults()
    assert_finished(finish_what_is_left(desk, batch_id, state) if failures(desk) or state.failed_research else state)
    accounts = accounts_of(desk, providers, record)
    accounts.assert_equal()
    assert len(accounts.billed("content_analysis")) == ARTICLES
    assert_budgets_hold(desk.database)
    print(f"{len(refused)} of {len(accounts.served)} requests were refused; failed at first: {state.counts[RecordStatus.FAILED]}")


@pytest.mark.parametrize("seconds", [None, 1.5], ids=["for_ever", "answered_too_late_and_billed"])
def test_calls_that_hang_are_given_up_and_counted_at_their_worst(
    seconds: float | None, launched: Callable[..., tuple[Desk, int]], providers: LoopbackProviders, record: Path
) -> None:
    desk, batch_id = launched(call_timeout_seconds=1, max_attempts=6)
    providers.faults(
        {"kind": "hang", "provider": "gemini", "count": 8, "seconds": seconds},
        {"kind": "hang", "provider": "tavily", "count": 4, "seconds": seconds},
    )
    assert_finished(run(desk, batch_id))
    accounts = accounts_of(desk, providers, record)
    accounts.assert_they_agree()
    in_doubt = accounts.lines("UNKNOWN")
    assert len(in_doubt) == 12
    assert {line.error_kind for line in in_doubt} == {"timeout"}
    assert sum(entry.billed for entry in accounts.served if entry.fault == "hang") == (12 if seconds else 0)
    assert_budgets_hold(desk.database)


@pytest.mark.parametrize(("kind", "billed"), [("reset", False), ("reset_billed", True), ("bad_json", True), ("html", False)])
def test_broken_connections_and_unreadable_answers_are_tried_again(
    kind: str, billed: bool, launched: Callable[..., tuple[Desk, int]], providers: LoopbackProviders, record: Path
) -> None:
    desk, batch_id = launched(max_attempts=10)
    providers.faults({"kind": kind, "probability": 0.2})
    assert_finished(run(desk, batch_id))
    accounts = accounts_of(desk, providers, record)
    accounts.assert_they_agree()
    struck = [entry for entry in accounts.served if entry.fault == kind]
    assert all(entry.billed is billed for entry in struck)
    in_doubt = accounts.lines("UNKNOWN")
    assert len(in_doubt) == len(struck) > 10
    assert {line.error_kind for line in in_doubt} == {"connection"}
    assert all(line.usd > 0 for line in in_doubt)
    assert_budgets_hold(desk.database)
    print(f"{kind}: {len(struck)} of {len(accounts.served)} requests")


def test_answers_that_do_not_fit_fail_their_article_with_a_reason_and_are_paid(
    launched: Callable[..., tuple[Desk, int]], providers: LoopbackProviders, record: Path
) -> None:
    desk, batch_id = launched(failure_share=1)
    providers.faults({"kind": "schema_violation", "provider": "gemini", "probability": 0.5})
    state = run(desk, batch_id)
    failed = failures(desk)
    assert failed
    assert all(kind == "bad_answer" and "did not fit" in (words or "") for kind, words in failed)
    assert state.counts[RecordStatus.COMPLETED] + len(failed) == ARTICLES
    accounts_of(desk, providers, record).assert_equal()
    providers.clear_faults()
    assert_finished(finish_what_is_left(desk, batch_id, state))
    accounts_of(desk, providers, record).assert_equal()
    assert_budgets_hold(desk.database)


@pytest.mark.parametrize("provider", ["gemini", "tavily"])
def test_a_key_revoked_half_way_pauses_with_words_and_resuming_loses_nothing(
    provider: str, launched: Callable[..., tuple[Desk, int]], providers: LoopbackProviders, record: Path
) -> None:
    providers.behave(latency=0.05)
    desk, batch_id = launched(concurrency=8)
    key = providers.options.keys[provider]
    with orchestrated(desk):
        wait_for(lambda: providers.served()["requests"] >= 60, 30, "60 requests")
        providers.keys(revoke=list(key))
        state = wait_until_it_rests(desk.database, batch_id)
    assert state.status is BatchStatus.PAUSED
    assert "refuses the key" in (state.pause_reason or "")
    assert f"{provider.upper()}_API_KEY" in (state.pause_reason or "")
    assert 0 < state.counts[RecordStatus.COMPLETED] < ARTICLES
    assert state.counts[RecordStatus.COMPLETED] + state.counts[RecordStatus.PENDING] == ARTICLES
    accounts_of(desk, providers, record).assert_equal()

    providers.keys(**{provider: list(key)})
    assert_finished(finish_what_is_left(desk, batch_id, state))
    accounts = accounts_of(desk, providers, record)
    accounts.assert_equal()
    assert not accounts.paid_twice
    assert_budgets_hold(desk.database)


def test_when_the_grace_time_is_over_hanging_calls_are_stopped_and_nothing_stays_reserved(
    launched: Callable[..., tuple[Desk, int]], providers: LoopbackProviders, record: Path
) -> None:
    desk, batch_id = launched()
    providers.faults({"kind": "hang", "after_n": 30})
    with orchestrated(desk) as orchestrator:
        wait_for(lambda: sum(providers.served()["by_fault"].values()) >= 10, 30, "ten calls hang")
        began = time.monotonic()
        orchestrator.stop(grace_seconds=1)
        assert time.monotonic() - began < 10

    accounts = accounts_of(desk, providers, record)
    accounts.assert_they_agree()
    assert {line.error_kind for line in accounts.lines("UNKNOWN")} == {"cancelled"}
    with desk.database.session() as session:
        state = batches.progress(session, batch_id)
    assert state.counts[RecordStatus.COMPLETED] + state.counts[RecordStatus.PENDING] == ARTICLES

    providers.clear_faults()
    assert_finished(run(desk, batch_id))
    assert_budgets_hold(desk.database)


def test_the_ledger_is_never_below_what_the_providers_charge_whatever_goes_wrong_at_once(
    launched: Callable[..., tuple[Desk, int]], providers: LoopbackProviders, record: Path
) -> None:
    desk, batch_id = launched(failure_share=1, max_attempts=3, call_timeout_seconds=1)
    kinds = ("rate_limit_header", "server_error", "overloaded", "reset", "reset_billed", "bad_json", "schema_violation", "hang")
    providers.faults(*({"kind": kind, "probability": 0.05, "seconds": 1.2 if kind == "hang" else None} for kind in kinds))
    state = run(desk, batch_id)
    assert state.counts[RecordStatus.COMPLETED] + state.counts[RecordStatus.FAILED] == ARTICLES
    assert all(kind and words for kind, words in failures(desk))
    accounts_of(desk, providers, record).assert_they_agree()
    providers.clear_faults()
    if failures(desk) or state.failed_research:
        state = finish_what_is_left(desk, batch_id, state)
    assert_finished(state)
    accounts = accounts_of(desk, providers, record)
    accounts.assert_they_agree()
    assert len(accounts.ledger) == len(accounts.served)
    assert sum(line.usd for line in accounts.ledger) > Decimal(0)
    assert_budgets_hold(desk.database)
