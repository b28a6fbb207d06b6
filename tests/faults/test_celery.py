"""Celery with a real Redis and workers that are processes of their own: killed, forgotten, paused, mixed with a pool. Nothing is lost
and nothing paid twice, by the providers' own record."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core import batch_actions
from core.broker import QUEUE
from core.clock import utc_now
from core.configuration import Desk
from core.database import Database
from core.dispatching import Dispatcher
from core.models import BatchStatus, RecordStatus, WorkerKind
from core.orchestrator import Orchestrator
from tests.actors import ANN
from tests.faults.accounts import Accounts, assert_budgets_hold, finished_articles, searches_kept, served_usd
from tests.faults.conftest import CHECKOUT, ROOMY, launch, progress_of, provider_settings, wait_for, wait_until_it_rests
from tests.faults.redis_server import RedisServer
from tests.loopback import LoopbackProviders

pytestmark = pytest.mark.slow


class WorkerProcess:
    """``signaldesk worker`` as a process."""

    def __init__(self, environment: dict[str, str], name: str, log: Path, slots: int) -> None:
        self.name = name
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console.cli", "worker", "--name", name, "--concurrency", str(slots)],
            cwd=CHECKOUT,
            env=environment,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    @property
    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_it_listens(self) -> "WorkerProcess":
        wait_for(lambda: "at a time from" in self.printed or self.process.poll() is not None, 120, f"{self.name} listens")
        assert self.process.poll() is None, self.printed
        return self

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@pytest.fixture
def broker() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def start_worker(
    providers: LoopbackProviders, broker: RedisServer, database_url: str, tmp_path: Path
) -> Iterator[Callable[..., WorkerProcess]]:
    """``start_worker("w1", slots=1)``: a worker on these providers, this database and this broker; what is left ends with the test."""
    started: list[WorkerProcess] = []

    def start(name: str, slots: int = 1, **environment: str) -> WorkerProcess:
        celery = {"SIGNALDESK_EXECUTOR": "celery", "CELERY_BROKER_URL": broker.url, "DATABASE_URL": database_url}
        given = os.environ | {"SIGNALDESK_DATA_DIR": str(tmp_path)} | providers.env() | ROOMY | celery | environment
        started.append(WorkerProcess(given, name, tmp_path / f"{name}-{len(started)}.log", slots))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()
        print(f"--- {worker.name}\n{worker.printed}")  # shown where the test failed


@pytest.fixture
def celery_desk(database: Database, make_settings: Any, providers: LoopbackProviders, broker: RedisServer) -> Callable[..., Desk]:
    """``celery_desk(concurrency=8)``: a desk that launches for Celery."""

    def make(**values: Any) -> Desk:
        celery = {"executor": "celery", "celery_broker_url": broker.url}
        return Desk(database, make_settings(**provider_settings(providers, **celery, **values)))

    return make


def done(database: Database, batch_id: int) -> int:
    state = progress_of(database, batch_id)
    return state.counts[RecordStatus.COMPLETED] if state else 0


def signed_on(database: Database) -> dict[str, str]:
    """The workers that have signed on, with their kind."""
    with database.session() as session:
        return dict(session.execute(text("SELECT name, kind FROM workers")).all())


def test_three_workers_one_killed_and_redis_restarted_lose_nothing_and_pay_nothing_twice(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    providers: LoopbackProviders,
    broker: RedisServer,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
) -> None:
    providers.behave(latency=0.3)
    articles(300)
    workers = [start_worker(name, slots=2) for name in ("w1", "w2", "w3")]
    for worker in workers:
        worker.wait_until_it_listens()
    desk = celery_desk()
    batch_id = launch(database, desk.environment)

    wait_for(lambda: done(database, batch_id) >= 60, 120, "60 articles are done")
    workers[0].kill()
    wait_for(lambda: done(database, batch_id) >= 120, 120, "120 articles are done")
    broker.stop()
    at_stop = done(database, batch_id)
    broker.start()

    state = wait_until_it_rests(database, batch_id, 240)
    assert state.status is BatchStatus.COMPLETED
    assert state.counts[RecordStatus.COMPLETED] == 300
    assert 120 <= at_stop < 300
    accounts = Accounts.read(record, database)
    accounts.assert_they_agree()
    accounts.assert_no_answer_was_paid_twice(finished_articles(database, batch_id), searches_kept(database))
    in_doubt = accounts.lines("UNKNOWN")
    assert {line.error_kind for line in in_doubt} == {"worker_died"}  # the calls that the kill fell into, and no other
    assert len(in_doubt) <= 2 * 16  # a process has 16 articles in flight, and a search of an article may be beside another
    assert len(accounts.paid_twice) <= len(in_doubt)
    assert_budgets_hold(database)
    assert all(worker.process.poll() is None for worker in workers[1:])
    assert broker.tasks() == 0
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM workers WHERE name = 'w1'")) == 0  # taken for dead


def test_launched_while_redis_is_away_it_is_sent_once_redis_is_there(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    broker: RedisServer,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
) -> None:
    articles(12)
    broker.stop()
    worker = start_worker("w1")
    wait_for(lambda: "w1" in signed_on(database), 120, "the worker has signed on")
    batch_id = launch(database, celery_desk().environment)
    wait_for(lambda: "The broker at" in worker.printed, 60, "it says that the broker is away")
    assert done(database, batch_id) == 0

    broker.start()
    state = wait_until_it_rests(database, batch_id, 120)
    assert state.counts[RecordStatus.COMPLETED] == 12
    Accounts.read(record, database).assert_equal()


def test_tasks_that_redis_forgot_and_tasks_that_come_twice_change_nothing(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    broker: RedisServer,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
) -> None:
    articles(60)
    desk = celery_desk()
    batch_id = launch(database, desk.environment)
    dispatcher = Dispatcher(desk)
    dispatcher.look(utc_now())
    assert broker.tasks() == 6  # chunks of ten
    dispatcher.look(utc_now())
    assert broker.tasks() == 6  # sent once
    again = broker.client.lrange(QUEUE, 0, -1)
    broker.client.flushall()  # forgotten
    broker.client.rpush(QUEUE, *again[:3], *again[:3])  # type: ignore[misc]  # but for some, which come twice
    start_worker("w1", slots=2)

    state = wait_until_it_rests(database, batch_id, 120)
    assert state.counts[RecordStatus.COMPLETED] == 60
    accounts = Accounts.read(record, database)
    accounts.assert_equal()
    assert not accounts.paid_twice


def test_a_paused_batch_is_not_claimed_from_and_goes_on_when_resumed_until_it_is_cancelled(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    providers: LoopbackProviders,
    broker: RedisServer,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
) -> None:
    providers.behave(latency=0.5)
    articles(80)
    batch_id = launch(database, celery_desk(concurrency=8).environment)
    start_worker("w1", slots=2)
    wait_for(lambda: done(database, batch_id) >= 10, 120, "10 articles are done")
    with database.session() as session:
        batch_actions.pause(session, batch_id, by=ANN)
    paused = wait_until_it_rests(database, batch_id)
    wait_for(lambda: broker.tasks() == 0, 30, "the tasks ended without claiming")
    assert 10 <= paused.counts[RecordStatus.COMPLETED] < 80
    assert paused.counts[RecordStatus.COMPLETED] + paused.counts[RecordStatus.PENDING] == 80
    assert providers.served()["peak_concurrency"]["gemini"] <= 8

    with database.session() as session:
        batch_actions.resume(session, batch_id, by=ANN)
    more = paused.counts[RecordStatus.COMPLETED] + 10
    wait_for(lambda: done(database, batch_id) >= more, 60, "it goes on")
    with database.session() as session:
        batch_actions.cancel(session, batch_id, by=ANN, now=utc_now())
    cancelled = wait_until_it_rests(database, batch_id)
    assert cancelled.status is BatchStatus.CANCELLED
    assert cancelled.counts[RecordStatus.COMPLETED] + cancelled.counts[RecordStatus.CANCELLED] == 80
    Accounts.read(record, database).assert_equal()


def test_workers_stop_at_the_budget_and_go_on_when_it_is_topped_up(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    providers: LoopbackProviders,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
) -> None:
    budget = Decimal("0.25")
    articles(60)
    settings = celery_desk(searches_per_article=1, max_output_tokens=2_048).environment
    batch_id = launch(database, settings, budget)
    for name in ("w1", "w2"):
        start_worker(name, slots=2, SIGNALDESK_SEARCHES_PER_ARTICLE="1", SIGNALDESK_MAX_OUTPUT_TOKENS="2048")
    state = wait_until_it_rests(database, batch_id, 180)
    accounts = Accounts.read(record, database)
    assert state.status is BatchStatus.PAUSED
    assert f"Budget for batch {batch_id} is" in (state.pause_reason or "")
    assert Decimal(0) < served_usd(accounts.served) <= budget
    accounts.assert_equal()
    for _ in range(6):
        with database.session() as session:
            batch_actions.top_up_and_resume(session, batch_id, by=ANN)
        state = wait_until_it_rests(database, batch_id)
        if state.status is BatchStatus.COMPLETED:
            break
    assert state.counts[RecordStatus.COMPLETED] == 60
    Accounts.read(record, database).assert_equal()
    assert_budgets_hold(database)


def test_a_pool_and_a_worker_finish_one_batch_together(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    make_settings: Any,
    providers: LoopbackProviders,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
) -> None:
    providers.behave(latency=0.5)
    articles(120)
    start_worker("w1", slots=2).wait_until_it_listens()
    desk = celery_desk()
    batch_id = launch(database, desk.environment)
    pool = Orchestrator(Desk(database, make_settings(**provider_settings(providers))))
    pool.start()
    try:
        kinds: set[str] = set()

        def both_hold_articles() -> bool:
            with database.session() as session:
                found = session.scalars(
                    text(
                        "SELECT DISTINCT w.kind FROM batch_records r JOIN workers w ON w.owner = r.lease_owner WHERE r.status = 'PROCESSING'"
                    )
                )
                kinds.update(found)
            return kinds >= {WorkerKind.POOL.value, WorkerKind.CELERY.value}

        wait_for(both_hold_articles, 60, "both hold articles")
        state = wait_until_it_rests(database, batch_id, 120)
    finally:
        pool.stop()
    assert state.counts[RecordStatus.COMPLETED] == 120
    accounts = Accounts.read(record, database)
    accounts.assert_equal()
    assert not accounts.paid_twice


def test_a_limit_over_all_holds_over_all_workers(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    providers: LoopbackProviders,
    start_worker: Callable[..., WorkerProcess],
) -> None:
    providers.behave(latency=0.5)
    articles(60)
    limit = {"SIGNALDESK_CONCURRENCY_OVER_ALL": "12"}
    for name in ("w1", "w2"):
        start_worker(name, slots=2, **limit).wait_until_it_listens()
    batch_id = launch(database, celery_desk(concurrency_over_all=12).environment)
    state = wait_until_it_rests(database, batch_id, 180)
    assert state.counts[RecordStatus.COMPLETED] == 60
    assert 10 <= providers.served()["peak_concurrency"]["gemini"] <= 12


def test_asked_to_end_a_worker_finishes_what_is_in_flight_and_the_next_one_the_rest(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    providers: LoopbackProviders,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
) -> None:
    providers.behave(latency=0.5)
    articles(60)
    batch_id = launch(database, celery_desk().environment)
    worker = start_worker("w1", slots=2)
    wait_for(lambda: done(database, batch_id) >= 10, 120, "10 articles are done")
    worker.process.terminate()
    assert worker.process.wait(60) == 0, worker.printed
    state = progress_of(database, batch_id)
    assert state is not None
    assert 0 < state.counts[RecordStatus.COMPLETED] < 60
    assert state.counts[RecordStatus.PROCESSING] == 0
    Accounts.read(record, database).assert_equal()

    start_worker("w2")
    state = wait_until_it_rests(database, batch_id, 180)
    assert state.counts[RecordStatus.COMPLETED] == 60
    accounts = Accounts.read(record, database)
    accounts.assert_equal()
    assert not accounts.paid_twice
