"""Celery's side without workers: which records become tasks, when they are sent again, what is told of the broker."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from core import batch_actions, chunks, health, launching, records
from core.article_filter import ArticleFilter
from core.broker import QUEUE, BrokerState, broker_state, broker_url
from core.celery_app import TASK, make_celery, visibility_seconds
from core.celery_transport import LenientTransport
from core.celery_worker import TRIES, add_task, slots_for
from core.chunks import AHEAD, LOST_AFTER, chunked, longest_seconds
from core.configuration import Desk
from core.database import Database
from core.dispatching import Dispatcher, pause_seconds
from core.errors import DatabaseUnavailable, SettingsError
from core.executors import executor_of
from core.health import WorkerState
from core.metering import BACKOFF_MOST_SECONDS
from core.models import WorkerKind
from core.records import LEASE, Claim
from core.selection import Selection
from core.settings import Settings, load_settings
from tests.actors import ANN
from tests.conftest import NOW
from tests.faults.redis_server import RedisServer

LATER = NOW + timedelta(minutes=1)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    running = RedisServer()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def broker(server: RedisServer) -> RedisServer:
    """Redis, empty."""
    server.client.flushall()
    return server


@pytest.fixture
def celery_desk(database: Database, make_settings: Any, broker: RedisServer) -> Callable[..., Desk]:
    def make(**values: Any) -> Desk:
        return Desk(database, make_settings(executor="celery", celery_broker_url=broker.url, **values))

    return make


@pytest.fixture
def batch(database: Database, make_settings: Any, articles: Any) -> Callable[[int], int]:
    """``batch(25)`` launches so many articles."""

    def launch(number: int) -> int:
        articles(number)
        with database.session() as session:
            return launching.launch(session, Selection.of_filter(ArticleFilter()), make_settings(), by=ANN, now=NOW)

    return launch


def queued(broker: RedisServer) -> list[list[Any]]:
    """What the tasks of the queue say, oldest first: their arguments."""
    messages: Any = broker.client.lrange(QUEUE, 0, -1)
    return [json.loads(b64decode(json.loads(message)["body"]))[0] for message in reversed(messages)]


def in_order(desk: Desk, batch_id: int) -> list[int]:
    with desk.database.session() as session:
        return list(session.scalars(text("SELECT id FROM batch_records WHERE batch_id = :id ORDER BY position"), {"id": batch_id}))


def cover(desk: Desk, batch_id: int, *, now: datetime = NOW, lost_before: datetime = NOW - LOST_AFTER) -> list[int]:
    return desk.transaction(lambda session: chunks.cover(session, batch_id, desk.environment, now=now, lost_before=lost_before))


def claim(desk: Desk, batch_id: int, most: int, *, owner: str = "w1", only: list[int] | None = None, **options: Any) -> list[Claim]:
    return desk.transaction(lambda session: records.claim(session, batch_id, owner=owner, most=most, now=NOW, only=only, **options))


# --- chunks ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(), max_size=60), st.integers(1, 12))
def test_chunks_are_the_ids_in_their_order_and_none_but_the_last_is_shorter(ids: list[int], size: int) -> None:
    found = list(chunked(ids, size))
    assert [one for chunk in found for one in chunk] == ids
    assert all(len(chunk) == size for chunk in found[:-1])
    assert all(1 <= len(chunk) <= size for chunk in found)


def test_the_visibility_timeout_is_above_the_longest_chunk_by_the_formula(make_settings: Any) -> None:
    settings = make_settings(batch_chunk=10, concurrency=16, max_attempts=4, call_timeout_seconds=120)
    assert longest_seconds(settings, 60) == 2 * 9 * 4 * (120 + 60)
    assert longest_seconds(make_settings(batch_chunk=10, concurrency=4), 60) == 6 * 9 * 4 * (120 + 60)
    assert visibility_seconds(settings) > longest_seconds(settings, BACKOFF_MOST_SECONDS)


def test_a_launch_is_sent_in_order_as_chunks_of_the_batch_size(celery_desk: Callable[..., Desk], batch: Any, broker: RedisServer) -> None:
    desk, batch_id = celery_desk(batch_chunk=10), batch(25)
    Dispatcher(desk).look(NOW)
    ids = in_order(desk, batch_id)
    assert queued(broker) == [[batch_id, ids[:10]], [batch_id, ids[10:20]], [batch_id, ids[20:]]]
    Dispatcher(desk).look(LATER)  # all of them still lie in the queue, however long
    assert broker.tasks() == 3


def test_processes_that_send_at_once_send_each_record_once(celery_desk: Callable[..., Desk], batch: Any, broker: RedisServer) -> None:
    batch_id = batch(60)
    desks = [celery_desk(batch_chunk=5) for _ in range(4)]
    together = Barrier(4)

    def look(dispatcher: Dispatcher) -> None:
        together.wait()
        dispatcher.look(NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, [Dispatcher(desk) for desk in desks]))
    Dispatcher(desks[0]).look(NOW)  # what one of them held while another passed it over
    assert sorted(record_id for _, ids in queued(broker) for record_id in ids) == sorted(in_order(desks[0], batch_id))


def test_what_redis_forgot_is_sent_again_once_it_has_not_been_seen_for_a_while(
    celery_desk: Callable[..., Desk], batch: Any, broker: RedisServer
) -> None:
    desk, batch_id = celery_desk(), batch(12)
    Dispatcher(desk).look(NOW)
    broker.client.flushall()
    Dispatcher(desk).look(NOW + LOST_AFTER)
    assert broker.tasks() == 0
    Dispatcher(desk).look(NOW + LOST_AFTER + timedelta(seconds=1))
    assert [ids for _, ids in queued(broker)] == [in_order(desk, batch_id)[:10], in_order(desk, batch_id)[10:]]


def test_a_broker_that_is_away_leaves_the_records_to_be_sent_and_is_asked_less_and_less(
    celery_desk: Callable[..., Desk], batch: Any, database: Database, make_settings: Any, broker: RedisServer
) -> None:
    batch(12)
    away = Desk(database, make_settings(executor="celery", celery_broker_url="redis://127.0.0.1:1/0"))
    dispatcher = Dispatcher(away)
    dispatcher.look(NOW)
    assert dispatcher._try_from == NOW + timedelta(seconds=2)
    dispatcher.look(NOW + timedelta(seconds=1))  # not yet
    dispatcher.look(NOW + timedelta(seconds=2))
    assert dispatcher._try_from == NOW + timedelta(seconds=2 + 4)
    assert [pause_seconds(number) for number in (1, 2, 5, 6, 50)] == [2, 4, 32, 60, 60]
    Dispatcher(celery_desk()).look(NOW)
    assert broker.tasks() == 2


def test_a_broker_that_goes_in_the_middle_of_sending_leaves_the_rest_to_be_sent(
    celery_desk: Callable[..., Desk], batch: Any, broker: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import dispatching
    from core.broker import unavailable

    desk, batch_id = celery_desk(), batch(30)
    send, sent = dispatching.send, []

    def once(celery: Any, settings: Settings, *task: Any) -> None:
        if sent:
            raise unavailable(settings, ConnectionError("gone"))
        sent.append(task)
        send(celery, settings, *task)

    monkeypatch.setattr(dispatching, "send", once)
    Dispatcher(desk).look(NOW)
    monkeypatch.undo()
    Dispatcher(desk).look(NOW)
    ids = in_order(desk, batch_id)
    assert [record_ids for _, record_ids in queued(broker)] == [ids[:10], ids[10:20], ids[20:]]


def test_a_large_batch_is_sent_a_part_at_a_time(celery_desk: Callable[..., Desk], batch: Any) -> None:
    desk, batch_id = celery_desk(batch_chunk=1), batch(AHEAD + 20)
    first = cover(desk, batch_id)
    assert first == in_order(desk, batch_id)[:AHEAD]
    assert cover(desk, batch_id) == []
    claim(desk, batch_id, 7, only=first)
    assert len(cover(desk, batch_id)) == 7


def test_with_a_limit_over_all_no_more_than_twice_as_many_are_sent(celery_desk: Callable[..., Desk], batch: Any) -> None:
    batch_id = batch(60)
    assert len(cover(celery_desk(concurrency_over_all=12), batch_id)) == 24


def test_nothing_of_a_paused_batch_is_sent_and_what_was_given_back_is_sent_again(celery_desk: Callable[..., Desk], batch: Any) -> None:
    desk, batch_id = celery_desk(), batch(20)
    sent = cover(desk, batch_id)
    desk.transaction(lambda session: chunks.uncover(session, sent[:5]))
    desk.transaction(lambda session: batch_actions.pause(session, batch_id, by=ANN))
    assert cover(desk, batch_id) == []
    desk.transaction(lambda session: batch_actions.resume(session, batch_id, by=ANN))
    assert cover(desk, batch_id) == sent[:5]


def test_what_a_dead_worker_held_is_sent_again_without_delay(celery_desk: Callable[..., Desk], batch: Any) -> None:
    desk, batch_id = celery_desk(), batch(20)
    sent = cover(desk, batch_id)
    held = [one.record_id for one in claim(desk, batch_id, 4, only=sent)]
    desk.transaction(lambda session: records.recover(session, ["w1"], now=NOW))
    assert cover(desk, batch_id) == held


# --- claims of a chunk -----------------------------------------------------------------------------------------------


def test_a_chunk_claims_none_but_its_own_records(celery_desk: Callable[..., Desk], batch: Any) -> None:
    desk, batch_id = celery_desk(), batch(10)
    ids = in_order(desk, batch_id)
    assert [one.record_id for one in claim(desk, batch_id, 10, only=ids[4:7])] == ids[4:7]
    assert claim(desk, batch_id, 10, only=ids[4:7]) == []  # the same task once more
    assert claim(desk, batch_id, 10, only=[]) == []
    assert desk.transaction(lambda session: records.pending(session, ids)) == {*ids[:4], *ids[7:]}


def test_the_limit_over_all_holds_for_all_workers_together(celery_desk: Callable[..., Desk], batch: Any) -> None:
    desk, batch_id = celery_desk(), batch(30)
    taken = [len(claim(desk, batch_id, 4, owner=owner, over_all=10)) for owner in ("w1", "w2", "w1", "w3")]
    assert taken == [4, 4, 2, 0]


def test_who_helps_claims_from_the_end(celery_desk: Callable[..., Desk], batch: Any) -> None:
    desk, batch_id = celery_desk(), batch(10)
    ids = in_order(desk, batch_id)
    assert [one.record_id for one in claim(desk, batch_id, 3, last_first=True)] == ids[7:]


def test_the_limit_over_all_holds_however_many_claim_at_once(celery_desk: Callable[..., Desk], batch: Any) -> None:
    desk, batch_id = celery_desk(), batch(60)
    together = Barrier(8)

    def one(number: int) -> int:
        together.wait()
        return len(claim(desk, batch_id, 5, owner=f"w{number % 2}", over_all=20))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 20


# --- Celery and the broker -------------------------------------------------------------------------------------------


def test_celery_is_set_up_as_the_desk_needs_it(celery_desk: Callable[..., Desk]) -> None:
    settings = celery_desk().environment
    celery = make_celery(settings)
    add_task(celery, lambda *_: None)
    task = celery.tasks[TASK]
    assert (task.acks_late, task.reject_on_worker_lost, task.ignore_result) == (True, True, True)
    assert (task.autoretry_for, task.retry_backoff, task.retry_backoff_max, task.retry_jitter) == ((DatabaseUnavailable,), True, 60, True)
    conf = celery.conf
    assert (conf.accept_content, conf.task_serializer, conf.result_backend) == (["json"], "json", None)
    assert (conf.worker_prefetch_multiplier, conf.task_acks_late, conf.task_reject_on_worker_lost) == (1, True, True)
    assert conf.broker_transport_options["visibility_timeout"] == visibility_seconds(settings)
    assert celery.amqp.router.route({}, TASK)["queue"].name == QUEUE == "batch_processing"


def test_a_task_is_tried_again_while_the_database_is_away_and_given_up_in_the_end(celery_desk: Callable[..., Desk]) -> None:
    celery = make_celery(celery_desk().environment)
    tries: list[tuple[int, Any]] = []

    def run(batch_id: int, record_ids: Any) -> None:
        tries.append((batch_id, record_ids))
        if batch_id == 2 or len(tries) < 3:
            raise DatabaseUnavailable("away")

    add_task(celery, run)
    assert celery.tasks[TASK].apply(args=[1, [5, 6]]).successful()
    assert tries == [(1, [5, 6])] * 3
    tries.clear()
    assert not celery.tasks[TASK].apply(args=[2, [7]]).successful()
    assert len(tries) == 1 + TRIES


@pytest.mark.parametrize(("concurrency", "chunk", "slots"), [(16, 10, 3), (10, 10, 2), (64, 10, 8), (4, 10, 2)])
def test_a_worker_has_tasks_enough_for_its_articles_and_one_more(make_settings: Any, concurrency: int, chunk: int, slots: int) -> None:
    assert slots_for(make_settings(concurrency=concurrency, batch_chunk=chunk)) == slots


def test_the_broker_says_how_many_tasks_it_has_or_why_not_and_never_its_password(
    celery_desk: Callable[..., Desk], batch: Any, broker: RedisServer, make_settings: Any
) -> None:
    assert broker_state(make_settings()) is None
    desk = celery_desk()
    batch(25)
    Dispatcher(desk).look(NOW)
    assert broker_state(desk.environment) == BrokerState(f"redis://127.0.0.1:{broker.port}/0", 3, 0, None)
    away = broker_state(make_settings(celery_broker_url="redis://me:s3cr3t@127.0.0.1:1/0"))
    assert away is not None
    assert not away.is_there
    assert (away.waiting, away.taken) == (None, None)
    assert "does not answer" in (away.trouble or "")
    assert "s3cr3t" not in str(away)


@pytest.mark.parametrize(
    ("address", "used"),
    [
        ("redis://:pw@mill:6379/0", "redis://:pw@mill:6379/0"),
        ("rediss://:pw@mill:6380/0", "rediss://:pw@mill:6380/0?ssl_cert_reqs=required"),
        ("rediss://mill/0?ssl_ca_certs=/own.pem", "rediss://mill/0?ssl_ca_certs=/own.pem&ssl_cert_reqs=required"),
        ("rediss://mill/0?ssl_cert_reqs=none", "rediss://mill/0?ssl_cert_reqs=none"),
    ],
)
def test_the_broker_s_certificate_is_checked_by_whoever_asks_it(make_settings: Any, address: str, used: str) -> None:
    settings = make_settings(celery_broker_url=address)
    assert broker_url(settings) == used
    with make_celery(settings).connection_for_read() as connection:
        assert connection.as_uri().startswith(address.partition(":")[0])  # and not a class's name
        assert connection.transport_cls in ("redis", "rediss")
        assert isinstance(connection.transport, LenientTransport)
        assert bool(connection.ssl) is address.startswith("rediss")


def test_what_runs_batches_is_chosen_by_the_executor(celery_desk: Callable[..., Desk], desk: Desk) -> None:
    assert type(executor_of(desk)).__name__ == "Orchestrator"
    assert type(executor_of(celery_desk())).__name__ == "Dispatching"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SIGNALDESK_EXECUTOR": "celery"}, "needs CELERY_BROKER_URL"),
        ({"SIGNALDESK_EXECUTOR": "celery", "CELERY_BROKER_URL": "amqp://me:s3cr3t@host"}, "must begin with redis://"),
        ({"SIGNALDESK_EXECUTOR": "threads"}, "'pool' or 'celery'"),
        ({"SIGNALDESK_BATCH_CHUNK": "0"}, "greater than or equal to 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=words) as refusal:
        load_settings()
    assert "s3cr3t" not in str(refusal.value)


# --- health ----------------------------------------------------------------------------------------------------------


def test_a_worker_is_shown_with_its_kind_name_and_tasks(desk: Desk) -> None:
    with desk.database.session() as session:
        records.heartbeat(session, [], owner="a", host="vm", pid=1, kind=WorkerKind.CELERY, name="alpha", slots=3, tasks=1, now=NOW)
        records.heartbeat(session, [], owner="a", host="vm", pid=1, kind=WorkerKind.CELERY, name="alpha", slots=3, tasks=2, now=LATER)
        (worker,) = health.worker_states(session)
    assert (worker.kind, worker.name, worker.tasks, worker.slots, worker.runs_batches) == (WorkerKind.CELERY, "alpha", 2, 3, True)


def test_what_is_missing_is_said_with_how_to_start_it(make_settings: Any) -> None:
    def state(kind: WorkerKind, ago: timedelta) -> WorkerState:
        return WorkerState("o", "vm", 1, NOW, NOW - ago, (), kind)

    settings = make_settings(executor="celery", celery_broker_url="redis://localhost/0")
    fresh, stale = timedelta(seconds=5), LEASE + timedelta(seconds=1)
    assert health.what_is_missing([], make_settings(), NOW) == []
    assert len(health.what_is_missing([state(WorkerKind.CONSOLE, fresh), state(WorkerKind.CELERY, stale)], settings, NOW)) == 2
    (words,) = health.what_is_missing([state(WorkerKind.CELERY, fresh)], settings, NOW)
    assert "signaldesk beat" in words
    assert health.what_is_missing([state(WorkerKind.CELERY, fresh), state(WorkerKind.BEAT, fresh)], settings, NOW) == []
