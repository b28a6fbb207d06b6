"""Health: what workers, queue, providers, database and migrations are doing, as the System page shows it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, text

from core import batch_actions, health, launching, records
from core.access import local
from core.articles import PUBLISHER_BOUND, publisher_lines, set_priorities
from core.configuration import Desk
from core.database import known_revisions
from core.models import Article, LedgerEntry, LedgerKind, LedgerStatus
from core.selection import Selection
from tests.actors import ANN
from tests.conftest import NOW


def enter(desk: Desk, status: LedgerStatus, ago: timedelta, *, provider: str = "google", **values: Any) -> None:
    with desk.database.session() as session:
        row = {"kind": LedgerKind.MODEL, "agent": "content_analysis", "provider": provider, "model": "m", "day": NOW.date()}
        session.execute(insert(LedgerEntry).values(**row, status=status, created_at=NOW - ago, **values))


def test_a_worker_is_shown_with_what_it_holds_and_the_queue_with_what_waits(desk: Desk, articles: Any) -> None:
    ids = articles(5)
    with desk.database.session() as session:
        running = launching.launch(session, Selection.of_ids(ids[:3]), desk.environment, by=local("ada"), now=NOW)
        paused = launching.launch(session, Selection.of_ids(ids[3:]), desk.environment, by=local("ada"), now=NOW)
        batch_actions.pause(session, paused, "Paused by ada.", by=ANN)
        records.heartbeat(session, [], owner="vm:1:a", host="vm", pid=1, now=NOW)
        records.claim(session, running, owner="vm:1:a", most=2, now=NOW)
    with desk.database.session() as session:
        (worker,) = health.worker_states(session)
        queue = health.queue(session)
    assert (worker.host, worker.pid, worker.heartbeat_at, worker.runs) == ("vm", 1, NOW, ((running, 2),))
    assert (queue.waiting.value, queue.paused.value, queue.in_work) == (1, 2, 2)
    assert queue.waiting.exact


def test_a_provider_is_shown_by_its_calls_of_the_last_hour_and_those_in_flight(desk: Desk) -> None:
    minute = timedelta(minutes=1)
    for seconds in (1, 2, 9):
        enter(desk, LedgerStatus.SETTLED, 5 * minute, settled_at=NOW - 5 * minute + timedelta(seconds=seconds))
    enter(desk, LedgerStatus.RELEASED, 9 * minute, error_kind="overloaded", error_message="older", settled_at=NOW)
    enter(desk, LedgerStatus.UNKNOWN, 3 * minute, error_kind="timeout", error_message="newest", settled_at=NOW)
    enter(desk, LedgerStatus.RELEASED, 61 * minute, error_kind="overloaded", error_message="too old to count", settled_at=NOW)
    enter(desk, LedgerStatus.RESERVED, 2 * minute, reserved_usd=Decimal("0.02"), owner="vm:1:a")
    enter(desk, LedgerStatus.RESERVED, 90 * minute, reserved_usd=Decimal("0.01"), owner="vm:1:a")
    enter(desk, LedgerStatus.SETTLED, minute, provider="tavily", settled_at=NOW)
    with desk.database.session() as session:
        google, tavily = health.provider_states(session, NOW)
    assert (google.name, google.answered, google.failed, google.latency) == ("google", 3, 2, 2.0)
    assert (google.last_error, google.last_error_at) == ("newest", NOW - 3 * minute)
    assert (google.in_flight, google.reserved_usd, google.oldest_in_flight) == (2, Decimal("0.03"), NOW - 90 * minute)
    assert google.last_at == NOW - 3 * minute
    assert (tavily.name, tavily.answered, tavily.failed, tavily.in_flight, tavily.last_error) == ("tavily", 1, 0, 0, None)


def test_without_a_call_there_is_no_provider_to_show(desk: Desk) -> None:
    with desk.database.session() as session:
        assert health.provider_states(session, NOW) == []


def test_the_database_tells_its_version_size_and_revision(desk: Desk) -> None:
    with desk.database.session() as session:
        state = health.database_state(session)
        in_use = health.pool_state(desk.database).in_use
    assert state.revision == known_revisions()[0][0]
    assert state.size > 1_000_000
    assert 0 < state.connections <= state.most_connections
    assert {name for name, _, _ in state.tables} == set(health.BIG_TABLES)
    assert in_use == 1
    assert health.pool_state(desk.database).in_use == 0


def test_migrations_are_applied_up_to_the_databases_revision() -> None:
    newest = known_revisions()[0][0]
    assert all(applied for _, _, applied in health.migrations(newest))
    assert [revision for revision, _, applied in health.migrations("0003") if applied] == ["0003", "0002", "0001"]
    assert not any(applied for _, _, applied in health.migrations(None))
    assert all(title for _, title, _ in health.migrations(None))


def test_publishers_are_found_by_a_part_of_their_name_with_bounded_counts(desk: Desk, articles: Any) -> None:
    articles(2, publisher="Miner's 100% Wire")
    articles(1, publisher="CoinDesk")
    with desk.database.session() as session:
        rows, total = publisher_lines(session, "", size=1)
        assert ([row.name for row in rows], total) == (["CoinDesk"], 2)
        (found,), total = publisher_lines(session, " 100% W", size=10)
        assert (found.name, found.articles, found.is_priority, total) == ("Miner's 100% Wire", 2, False, 1)
        assert found.newest is not None
        assert publisher_lines(session, "nobody", size=10) == ([], 0)
        set_priorities(session, {found.id: True}, by=ANN)
        rows, _ = publisher_lines(session, "", size=10)
        assert [row.is_priority for row in rows] == [True, True]
        like = session.execute(text("SELECT * FROM articles LIMIT 1")).mappings().one()
        computed = {"id", "body_chars", "search"}
        copies = [{key: value for key, value in like.items() if key not in computed} for _ in range(PUBLISHER_BOUND + 5)]
        session.execute(insert(Article), copies)
        assert max(row.articles for row in publisher_lines(session, "", size=10)[0]) == PUBLISHER_BOUND + 1
