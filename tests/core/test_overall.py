"""The desk in one look, and whether it is ready."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from core import batch_actions, batch_figures, batches, launching, records
from core.access import local
from core.configuration import Desk
from core.errors import DatabaseUnavailable
from core.models import BatchRecord, BatchStatus, LedgerEntry, LedgerKind, LedgerStatus, RecordStatus, Worker, WorkerKind
from core.overall import checks, overall
from core.records import LEASE
from core.selection import Selection
from tests.conftest import NOW
from tests.core.answered import a_signal, keep

ADA = local("ada")


def state(desk: Desk) -> dict[str, bool]:
    return desk.transaction(lambda session: {check.name: check.ok for check in checks(session, NOW)})


def beat(desk: Desk, ago: timedelta = timedelta(0)) -> None:
    desk.transaction(lambda session: records.heartbeat(session, [], owner="vm:1:a", host="vm", pid=1, now=NOW - ago))


def test_it_is_ready_with_a_worker_that_lives(desk: Desk) -> None:
    assert state(desk) == {"database": True, "migration": True, "worker": False}
    beat(desk, LEASE + timedelta(seconds=1))
    assert not state(desk)["worker"]
    beat(desk)
    assert state(desk) == {"database": True, "migration": True, "worker": True}
    desk.transaction(lambda session: session.execute(update(Worker).values(kind=WorkerKind.CONSOLE)))
    assert not state(desk)["worker"], "a console that only looks after Celery's workers runs nothing"
    assert desk.transaction(lambda session: len(records.workers(session))) == 1, "the probe leaves nothing"


def test_a_database_that_takes_nothing_and_a_schema_of_another_checkout_are_not_ready(desk: Desk) -> None:
    def read_only(session: Session) -> None:
        session.execute(text("SET TRANSACTION READ ONLY"))
        checks(session, NOW)

    with pytest.raises(DatabaseUnavailable, match="read-only"):
        desk.transaction(read_only)
    with desk.database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0011'"))
        found = {check.name: check for check in checks(session, NOW)}
        session.rollback()
    assert not found["migration"].ok
    assert "0011, not " in found["migration"].detail


def test_the_look_counts_what_there_is(desk: Desk, articles: Any) -> None:
    old = articles(2, published_at=NOW - timedelta(days=3))
    new = articles(3, publisher="CoinDesk", published_at=NOW - timedelta(hours=3))
    running = desk.transaction(lambda session: launching.launch(session, Selection.of_ids(new), desk.environment, by=ADA, now=NOW))
    paused = desk.transaction(lambda session: launching.launch(session, Selection.of_ids(old), desk.environment, by=ADA, now=NOW))
    desk.transaction(lambda session: batch_actions.pause(session, paused, "Lunch.", by=ADA))
    beat(desk)
    desk.transaction(lambda session: records.claim(session, running, owner="vm:1:a", most=1, now=NOW))
    found = desk.transaction(lambda session: overall(session, desk.environment, NOW))
    assert (found.today.articles, found.published_lately.value) == (5, 3)
    assert [(line.name, line.articles) for line in found.publishers] == [("CoinDesk", 3), ("Hashyard", 2)]
    assert {status: number for status, number in found.batches.items() if number} == {BatchStatus.PROCESSING: 1, BatchStatus.PAUSED: 1}
    assert {status: number for status, number in found.records.items() if number} == {RecordStatus.PROCESSING: 1, RecordStatus.PENDING: 4}
    assert (found.queue.waiting.value, found.queue.paused.value, found.queue.in_work) == (2, 2, 1)
    assert [worker.runs for worker in found.workers] == [((running, 1),)]
    assert [budget.limit for budget in found.budgets] == [desk.environment.daily_budget, desk.environment.monthly_budget]
    assert found.revision == found.newest_revision


def test_a_batch_is_as_good_as_its_articles_and_its_calls(desk: Desk, articles: Any) -> None:
    (article,) = articles(1)
    keep(desk, article, a_signal())
    (batch,) = desk.transaction(batches.recent)
    nothing = desk.transaction(lambda session: batch_figures.quality(session, batch))
    assert (nothing.signal_strength, nothing.success_rate, nothing.retry_rate, nothing.calls) == (0.5, 1.0, None, 0)
    values = {"kind": LedgerKind.MODEL, "agent": "content_analysis", "provider": "google", "model": "m", "day": NOW.date()}
    with desk.database.session() as session:
        for attempt in (1, 1, 1, 2):
            session.add(LedgerEntry(**values, batch_id=batch.id, status=LedgerStatus.SETTLED, attempt=attempt))
        session.execute(update(BatchRecord).values(status=RecordStatus.FAILED))
    (batch,) = desk.transaction(batches.recent)
    found = desk.transaction(lambda session: batch_figures.quality(session, batch))
    assert (found.success_rate, found.retry_rate, found.calls) == (0.0, 0.25, 4)
