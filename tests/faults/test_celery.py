"""Celery with a real Redis and workers that are processes of their own: killed, forgotten, paused, mixed with a pool. Nothing is lost
and nothing paid twice, by the providers' own record."""

import base64
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from core import batch_actions, schedule
from core.batches import Progress
from core.broker import QUEUE
from core.clock import utc_now
from core.configuration import Desk
from core.database import Database, make_engine
from core.dispatching import Dispatcher
from core.feeds import add_feed
from core.importers.import_articles import import_articles
from core.models import BatchStatus, RecordStatus, WorkerKind
from core.orchestrator import ABORT_SECONDS, GRACE_SECONDS, Orchestrator
from core.schedule import Job
from core.settings import Settings
from tests.actors import ANN
from tests.conftest import an_article
from tests.faults.accounts import Accounts, assert_budgets_hold, finished_articles, searches_kept, served_usd
from tests.faults.conftest import CHECKOUT, ROOMY, launch, progress_of, provider_settings, wait_for, wait_until_it_rests
from tests.faults.redis_server import RedisServer
from tests.faults.test_database_fails import postmaster
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
def start_beat(broker: RedisServer, database_url: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """``signaldesk beat`` on this database and this broker, which may fetch from loopback."""
    started: list[tuple[subprocess.Popen[bytes], Path]] = []
    own = {"SIGNALDESK_EXECUTOR": "celery", "CELERY_BROKER_URL": broker.url, "DATABASE_URL": database_url}
    environment = os.environ | own | {"SIGNALDESK_DATA_DIR": str(tmp_path), "SIGNALDESK_ALLOW_PRIVATE_FEEDS": "true"}

    def start() -> subprocess.Popen[bytes]:
        log = tmp_path / f"beat-{len(started)}.log"
        command = [sys.executable, "-m", "console.cli", "beat"]
        beat = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT)
        started.append((beat, log))
        return beat

    yield start
    for beat, log in started:
        wait_for(lambda log=log: "the schedule runs" in log.read_text(), 60, "the beat runs")  # type: ignore[misc]
        beat.terminate()
    assert [beat.wait(60) for beat, _ in started] == [0] * len(started), [log.read_text() for _, log in started]


@pytest.fixture
def feed() -> Iterator[tuple[str, list[str]]]:
    """The address of a feed with one article on loopback, and what was asked of its server."""
    asked: list[str] = []
    body = "Miners moved coins on Tuesday, the desk learned. " * 60
    rss = (
        '<rss version="2.0"><channel><title>Mill</title><item><title>Miners move</title><link>https://mill.example/1</link>'
        f"<pubDate>Tue, 24 Nov 2026 10:00:00 GMT</pubDate><description>{body}</description></item></channel></rss>"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-type", "application/rss+xml")
            self.end_headers()
            self.wfile.write(rss.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/feed", asked
    server.shutdown()
    server.server_close()


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


def assert_all_done_and_paid_once(state: Progress, articles: int, record: Path, database: Database) -> None:
    assert state.counts[RecordStatus.COMPLETED] == articles
    accounts = Accounts.read(record, database)
    accounts.assert_equal()
    assert not accounts.paid_twice


def has_begun(database: Database, job: Job) -> bool:
    with database.session() as session:
        return any(row.name is job for row in schedule.jobs(session))


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
    assert_all_done_and_paid_once(state, 60, record, database)


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
    assert_all_done_and_paid_once(state, 120, record, database)


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
    assert_all_done_and_paid_once(state, 60, record, database)


def test_asked_to_end_while_calls_take_long_a_worker_gives_back_in_time(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    providers: LoopbackProviders,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
) -> None:
    providers.behave(latency=35)  # longer than the grace time
    articles(12)
    batch_id = launch(database, celery_desk().environment)
    worker = start_worker("w1")
    wait_for(lambda: providers.served()["in_flight"] >= 10, 120, "10 calls are in flight")
    began = time.monotonic()
    worker.process.terminate()
    assert worker.process.wait(90) == 0, worker.printed
    assert time.monotonic() - began < GRACE_SECONDS + ABORT_SECONDS + 15
    state = progress_of(database, batch_id)
    assert state is not None
    assert (state.counts[RecordStatus.PENDING], state.counts[RecordStatus.PROCESSING]) == (12, 0)
    accounts = Accounts.read(record, database)
    assert len(accounts.lines("UNKNOWN")) == 10  # they may have been billed
    assert not accounts.lines("RESERVED")
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM workers")) == 0  # signed off


def test_a_database_that_is_killed_in_the_middle_of_tasks_comes_back_and_they_go_on(
    embedded_folder: Path, broker: RedisServer, providers: LoopbackProviders, start_worker: Callable[..., WorkerProcess], record: Path
) -> None:
    providers.behave(latency=0.3)
    celery = {"executor": "celery", "celery_broker_url": broker.url}
    settings = Settings(_env_file=None, data_dir=embedded_folder, **provider_settings(providers, **celery))
    with Desk.open(settings) as desk:
        import_articles(desk, "test", [an_article() for _ in range(50)], by=ANN)
        batch_id = launch(desk.database, settings)
        onlooker = Database(make_engine(desk.database.engine.url.render_as_string(hide_password=False)))
        worker = start_worker("w1", slots=2, DATABASE_URL="", SIGNALDESK_DATA_DIR=str(embedded_folder))
        wait_for(lambda: done(onlooker, batch_id) >= 10, 120, "10 articles are done")
    pid = postmaster(embedded_folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    try:
        wait_for(lambda: postmaster(embedded_folder) not in (None, pid), 60, "the worker starts the server again")
        with Desk.open(settings) as desk:
            state = wait_until_it_rests(desk.database, batch_id, 180)
            assert state.counts[RecordStatus.COMPLETED] == 50, worker.printed
            accounts = Accounts.read(record, desk.database)
            accounts.assert_they_agree()
            accounts.assert_no_answer_was_paid_twice(finished_articles(desk.database, batch_id), searches_kept(desk.database))
    finally:
        onlooker.close()
        worker.process.terminate()
        worker.process.wait(60)


def test_a_job_of_the_schedule_is_done_once_by_the_beat_however_many_processes_there_are(
    database: Database, start_worker: Callable[..., WorkerProcess], start_beat: Callable[[], subprocess.Popen[bytes]], feed: Any
) -> None:
    address, asked = feed
    for name in ("w1", "w2"):
        start_worker(name)
    wait_for(lambda: {"w1", "w2"} <= signed_on(database).keys(), 120, "the workers have signed on")
    wait_for(lambda: has_begun(database, Job.FETCH), 60, "the schedule begins")
    with database.session() as session:
        add_feed(session, address, by=ANN)
        schedule.run_now(session, Job.FETCH, by=ANN, now=utc_now())
    assert not asked  # workers do not fetch
    for _ in range(2):
        start_beat()

    def fetched() -> bool:
        with database.session() as session:
            return any(row.name is Job.FETCH and row.ended_at for row in schedule.jobs(session))

    wait_for(fetched, 120, "the feed is fetched")
    with database.session() as session:
        (row,) = [row for row in schedule.jobs(session) if row.name is Job.FETCH]
        kinds = set(session.scalars(text("SELECT kind FROM workers")))
    assert asked == ["/feed"]
    assert (row.failed, row.result) == (False, "1 new and 0 updated articles from 1 source.")
    assert kinds >= {"celery", "beat"}


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def message(body: bytes, content_type: str = "application/json", task: str = "signaldesk.run_chunk", **headers: Any) -> str:
    """What lies in the queue, in the form of Celery's messages."""
    number = str(uuid.uuid4())
    properties = {"delivery_info": {"exchange": "", "routing_key": QUEUE}, "body_encoding": "base64", "delivery_tag": number}
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-type": content_type,
            "content-encoding": "utf-8",
            "headers": {"task": task, "id": number, "root_id": number, "argsrepr": "", "kwargsrepr": "", **headers},
            "properties": properties,
        }
    )


def arguments(*given: Any) -> bytes:
    return json.dumps([given, {}, {}]).encode()


def test_whatever_lies_in_the_queue_ends_no_worker_and_fills_no_worker_s_hands(
    celery_desk: Callable[..., Desk],
    database: Database,
    articles: Any,
    broker: RedisServer,
    start_worker: Callable[..., WorkerProcess],
    record: Path,
    tmp_path: Path,
) -> None:
    sprung = tmp_path / "sprung"
    forms: list[str | bytes] = ["no JSON", b"\xff\xfe", "[" * 5_000, "{}", "[]", "null", "7", '{"body": "x", "properties": {}}']
    forms += ['{"body": "eA==", "properties": {"delivery_tag": "1", "delivery_info": {}}}']
    forms += [message(pickle.dumps(Trap(sprung)), "application/x-python-serialize"), message(b"{broken"), message(b"5")]
    forms += [message(arguments(1, [1]), task="another.task"), message(arguments(1, [1]), "application/x-yaml")]
    forms += [message(arguments(*given)) for given in ((), ("x", "y"), (999_999, [1]), (1, ["a", None]), (1, [10**30]), (True, 1), (1, {}))]
    forms += [message(arguments(1, [1]), **{name: "odd"}) for name in ("eta", "expires", "retries", "timelimit")]
    for form in forms * 2:  # more than a worker takes at once
        broker.client.lpush(QUEUE, form)
    worker = start_worker("w1").wait_until_it_listens()
    wait_for(lambda: broker.tasks() == 0 or worker.process.poll() is not None, 60, "the queue is empty")
    assert worker.process.poll() is None
    assert "is no task of this desk's and is dropped" in worker.printed
    assert "names no records of a batch and is dropped" in worker.printed
    assert not sprung.exists()

    articles(12)
    state = wait_until_it_rests(database, launch(database, celery_desk().environment), 120)
    assert_all_done_and_paid_once(state, 12, record, database)
    wait_for(lambda: broker.client.hlen("unacked") == 0, 30, "no message is left with the worker")
    assert worker.process.poll() is None
