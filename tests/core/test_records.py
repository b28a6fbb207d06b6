"""Records: claimed once, held under a lease, ended once, and queued again when their worker is gone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text, update

from core import batch_actions, budget, launching, records
from core.access import local
from core.articles import delete_articles
from core.budget import Call
from core.configuration import Desk
from core.errors import NotPossible
from core.models import BatchRecord, BatchSession, BatchStatus, LedgerEntry, LedgerKind, LedgerStatus, RecordStatus, Worker
from core.paging import FIRST
from core.records import LEASE, Claim
from core.selection import Selection
from tests.actors import ANN
from tests.conftest import NOW

P, R, C, F, S, X = (
    RecordStatus.PENDING,
    RecordStatus.PROCESSING,
    RecordStatus.COMPLETED,
    RecordStatus.FAILED,
    RecordStatus.SKIPPED,
    RecordStatus.CANCELLED,
)
AFTER_LEASE = NOW + LEASE + timedelta(seconds=1)


@pytest.fixture
def batch(desk: Desk, articles: Any) -> Any:
    """``batch(3)`` launches so many new articles and returns the batch's id."""

    def launch(number: int) -> int:
        ids = articles(number)
        return desk.transaction(
            lambda session: launching.launch(session, Selection.of_ids(ids), desk.environment, by=local("ada"), now=NOW)
        )

    return launch


def claim(desk: Desk, batch_id: int, most: int = 1, *, owner: str = "w1", now: datetime = NOW) -> list[Claim]:
    return desk.transaction(lambda session: records.claim(session, batch_id, owner=owner, most=most, now=now))


def heartbeat(desk: Desk, owner: str, held: list[int], now: datetime) -> None:
    desk.transaction(lambda session: records.heartbeat(session, held, owner=owner, host="here", pid=1, now=now))


def recover(desk: Desk, *dead: str, now: datetime = NOW) -> int:
    return desk.transaction(lambda session: records.recover(session, dead, now=now))


def statuses(desk: Desk, batch_id: int) -> list[RecordStatus]:
    with desk.database.session() as session:
        return list(session.scalars(select(BatchRecord.status).where(BatchRecord.batch_id == batch_id).order_by(BatchRecord.position)))


def record(desk: Desk, record_id: int) -> BatchRecord:
    with desk.database.session() as session:
        return session.get_one(BatchRecord, record_id)


# Claims


def test_records_are_claimed_in_their_order(desk: Desk, batch: Any) -> None:
    batch_id = batch(40)
    with desk.database.session() as session:
        in_order = list(session.scalars(select(BatchRecord.id).order_by(BatchRecord.position)))
        for index, record_id in enumerate(reversed(in_order)):  # so that neither ids nor places on disk give the order away
            session.execute(update(BatchRecord).where(BatchRecord.id == record_id).values(position=1_000 + index))
    expected = in_order[::-1]
    claimed = [[held.record_id for held in claim(desk, batch_id, most)] for most in (1, 7, 30, 30)]
    assert claimed == [expected[:1], expected[1:8], expected[8:38], expected[38:]]
    assert claim(desk, batch_id, 5) == []


def test_a_claimed_record_is_held_under_a_lease(desk: Desk, batch: Any) -> None:
    (held,) = claim(desk, batch(1))
    row = record(desk, held.record_id)
    assert (row.status, row.lease_owner, row.lease_expires_at, row.started_at, row.attempts) == (R, "w1", NOW + LEASE, NOW, 1)
    assert (held.article_id, held.article_title, held.attempt, held.batch_id) == (row.article_id, row.article_title, 1, row.batch_id)


def test_the_first_claim_starts_the_batch_and_later_ones_leave_its_start(desk: Desk, batch: Any) -> None:
    batch_id = batch(2)
    claim(desk, batch_id)
    claim(desk, batch_id, now=NOW + timedelta(minutes=1))
    with desk.database.session() as session:
        row = session.get_one(BatchSession, batch_id)
    assert (row.status, row.started_at) == (BatchStatus.PROCESSING, NOW)


def test_a_batch_with_nothing_to_claim_is_not_started(desk: Desk, batch: Any) -> None:
    batch_id = batch(1)
    with desk.database.session() as session:
        records.cancel_one(session, session.scalars(select(BatchRecord.id)).one(), now=NOW, by=ANN)
    assert claim(desk, batch_id) == []
    with desk.database.session() as session:
        assert session.get_one(BatchSession, batch_id).status is BatchStatus.INITIATED


@pytest.mark.parametrize("status", sorted(set(BatchStatus) - BatchStatus.claimable()))
def test_nothing_is_claimed_from_a_batch_that_is_paused_or_ended(desk: Desk, batch: Any, status: BatchStatus) -> None:
    batch_id = batch(2)
    desk.transaction(lambda session: session.execute(update(BatchSession).values(status=status)))
    assert claim(desk, batch_id, 2) == []


def test_only_the_asked_batch_is_claimed_from(desk: Desk, batch: Any) -> None:
    first, second = batch(1), batch(1)
    assert [held.batch_id for held in claim(desk, second, 5)] == [second]
    assert statuses(desk, first) == [P]


def test_what_another_transaction_is_claiming_is_skipped_not_waited_for(desk: Desk, batch: Any) -> None:
    batch_id = batch(4)
    claim(desk, batch_id)  # the first claim of all also starts the batch, which others wait for
    with desk.database.session() as session:
        first = records.claim(session, batch_id, owner="w1", most=2, now=NOW)
        with desk.database.session() as other:  # w1's transaction is still open
            other.execute(text("SET LOCAL lock_timeout = '5s'"))
            second = records.claim(other, batch_id, owner="w2", most=5, now=NOW)
    assert (len(first), len(second)) == (2, 1)
    assert not {held.record_id for held in first} & {held.record_id for held in second}


def test_many_threads_claim_each_record_once(desk: Desk, batch: Any) -> None:
    batch_id = batch(60)
    together = threading.Barrier(12)

    def work(number: int) -> list[int]:
        together.wait(30)
        mine: list[int] = []
        while claims := claim(desk, batch_id, 3, owner=f"w{number}"):
            assert len(claims) <= 3
            mine += [held.record_id for held in claims]
        return mine

    with ThreadPoolExecutor(12) as pool:
        claimed = [record_id for mine in pool.map(work, range(12)) for record_id in mine]
    assert len(claimed) == len(set(claimed)) == 60
    assert statuses(desk, batch_id) == [R] * 60
    with desk.database.session() as session:
        assert set(session.scalars(select(BatchRecord.attempts))) == {1}


# Heartbeat and recovery


def test_a_heartbeat_renews_only_the_owners_leases_of_what_it_holds(desk: Desk, batch: Any) -> None:
    batch_id = batch(3)
    (mine,), (unheld,), (theirs,) = claim(desk, batch_id), claim(desk, batch_id), claim(desk, batch_id, owner="w2")
    later = NOW + timedelta(seconds=30)
    heartbeat(desk, "w1", [mine.record_id, theirs.record_id], later)
    assert record(desk, mine.record_id).lease_expires_at == later + LEASE
    assert record(desk, unheld.record_id).lease_expires_at == NOW + LEASE
    assert record(desk, theirs.record_id).lease_expires_at == NOW + LEASE


def test_a_heartbeat_registers_the_worker_once(desk: Desk) -> None:
    heartbeat(desk, "w1", [], NOW)
    heartbeat(desk, "w1", [], NOW + timedelta(seconds=10))
    heartbeat(desk, "w2", [], NOW + timedelta(seconds=20))
    with desk.database.session() as session:
        assert [(worker.owner, worker.started_at) for worker in records.workers(session)] == [
            ("w2", NOW + timedelta(seconds=20)),
            ("w1", NOW),
        ]
        assert [worker.owner for worker in records.workers_on(session, "elsewhere")] == []
        records.recover(session, ["w1"], now=NOW + timedelta(seconds=20))
        assert [worker.owner for worker in records.workers_on(session, "here")] == ["w2"]


def test_a_record_is_queued_again_only_after_its_lease_ran_out(desk: Desk, batch: Any) -> None:
    (held,) = claim(desk, batch(1))
    assert recover(desk, now=NOW + LEASE) == 0
    assert record(desk, held.record_id).status is R
    assert recover(desk, now=AFTER_LEASE) == 1
    row = record(desk, held.record_id)
    assert (row.status, row.lease_owner, row.lease_expires_at, row.attempts) == (P, None, None, 1)
    assert recover(desk, now=AFTER_LEASE) == 0


def test_a_named_dead_workers_records_are_queued_at_once_and_nobody_elses(desk: Desk, batch: Any) -> None:
    batch_id = batch(3)
    claim(desk, batch_id, 2, owner="dead")
    claim(desk, batch_id, 1, owner="alive")
    assert recover(desk, "dead") == 2
    assert statuses(desk, batch_id) == [P, P, R]
    assert [held.attempt for held in claim(desk, batch_id, 5, owner="next")] == [2, 2]


def test_a_worker_that_missed_its_heartbeats_loses_records_and_reservations(desk: Desk, batch: Any) -> None:
    batch_id = batch(1)
    claim(desk, batch_id, owner="stale")
    heartbeat(desk, "stale", [], NOW)
    heartbeat(desk, "fresh", [], AFTER_LEASE)
    call = Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", Decimal("0.10"), batch_id=batch_id)
    entries = [
        desk.transaction(lambda session, owner=owner: budget.reserve(session, [call], desk.environment, owner=owner, now=NOW))
        for owner in ("stale", "fresh")
    ]
    assert recover(desk, now=AFTER_LEASE) == 1
    with desk.database.session() as session:
        assert [session.get_one(LedgerEntry, entry).status for entry in entries] == [LedgerStatus.UNKNOWN, LedgerStatus.RESERVED]
        assert list(session.scalars(select(Worker.owner))) == ["fresh"]


def test_two_recoveries_at_once_queue_each_record_once(desk: Desk, batch: Any) -> None:
    claim(desk, batch(10), 10, owner="dead")
    together = threading.Barrier(4)

    def work(_: int) -> int:
        together.wait(30)
        return recover(desk, "dead")

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 10


def test_what_is_recovered_in_a_cancelled_batch_is_cancelled(desk: Desk, batch: Any) -> None:
    batch_id, other = batch(2), batch(1)
    claim(desk, batch_id, owner="dead")
    claim(desk, other, owner="dead")
    desk.transaction(lambda session: batch_actions.cancel(session, batch_id, now=NOW, by=ANN))
    assert statuses(desk, batch_id) == [R, X]
    recover(desk, "dead")
    assert statuses(desk, batch_id) == [X, X]
    assert statuses(desk, other) == [P]


# Ends

ENDS: dict[RecordStatus, Callable[[Any, int, str], bool]] = {
    C: lambda session, record_id, owner: records.complete(session, [record_id], owner=owner, now=NOW),
    F: lambda session, record_id, owner: records.fail(session, record_id, "blocked", "The filter.", owner=owner, now=NOW),
    S: lambda session, record_id, owner: records.skip(session, record_id, "deleted", owner=owner, now=NOW),
}


@pytest.mark.parametrize("end", list(ENDS))
def test_an_ended_record_is_free_of_its_lease_and_says_why(desk: Desk, batch: Any, end: RecordStatus) -> None:
    (held,) = claim(desk, batch(1))
    assert desk.transaction(lambda session: ENDS[end](session, held.record_id, "w1"))
    row = record(desk, held.record_id)
    assert (row.status, row.lease_owner, row.lease_expires_at, row.finished_at) == (end, None, None, NOW)
    assert (row.error_kind, row.error_message) == (("blocked", "The filter.") if end is F else (None, None))
    assert row.skip_reason == ("deleted" if end is S else None)


@pytest.mark.parametrize("end", list(ENDS))
def test_a_worker_that_lost_its_lease_cannot_end_the_record(desk: Desk, batch: Any, end: RecordStatus) -> None:
    batch_id = batch(1)
    (held,) = claim(desk, batch_id, owner="slow")
    recover(desk, now=AFTER_LEASE)
    assert not desk.transaction(lambda session: ENDS[end](session, held.record_id, "slow"))
    assert statuses(desk, batch_id) == [P]
    claim(desk, batch_id, owner="next", now=AFTER_LEASE)
    assert not desk.transaction(lambda session: ENDS[end](session, held.record_id, "slow"))
    row = record(desk, held.record_id)
    assert (row.status, row.lease_owner, row.finished_at, row.error_kind, row.skip_reason) == (R, "next", None, None, None)


@pytest.mark.parametrize("second", list(ENDS))
@pytest.mark.parametrize("first", list(ENDS))
def test_a_record_ends_once(desk: Desk, batch: Any, first: RecordStatus, second: RecordStatus) -> None:
    (held,) = claim(desk, batch(1))
    assert desk.transaction(lambda session: ENDS[first](session, held.record_id, "w1"))
    assert not desk.transaction(lambda session: ENDS[second](session, held.record_id, "w1"))
    assert record(desk, held.record_id).status is first


def test_a_lost_heartbeat_cannot_take_a_lease_back(desk: Desk, batch: Any) -> None:
    batch_id = batch(1)
    (held,) = claim(desk, batch_id, owner="slow")
    recover(desk, now=AFTER_LEASE)
    heartbeat(desk, "slow", [held.record_id], AFTER_LEASE)
    assert record(desk, held.record_id).lease_expires_at is None
    claim(desk, batch_id, owner="next", now=AFTER_LEASE)
    heartbeat(desk, "slow", [held.record_id], AFTER_LEASE + LEASE)
    assert record(desk, held.record_id).lease_expires_at == AFTER_LEASE + LEASE


def test_a_record_given_back_counts_as_never_claimed(desk: Desk, batch: Any) -> None:
    batch_id = batch(1)
    (held,) = claim(desk, batch_id)
    desk.transaction(lambda session: records.give_back(session, held.record_id, owner="w1", now=NOW))
    row = record(desk, held.record_id)
    assert (row.status, row.lease_owner, row.attempts) == (P, None, 0)
    assert [again.attempt for again in claim(desk, batch_id)] == [1]


def test_a_record_of_another_worker_cannot_be_given_back(desk: Desk, batch: Any) -> None:
    (held,) = claim(desk, batch(1))
    desk.transaction(lambda session: records.give_back(session, held.record_id, owner="w2", now=NOW))
    assert (record(desk, held.record_id).status, record(desk, held.record_id).attempts) == (R, 1)


def test_a_record_given_back_in_a_cancelled_batch_is_cancelled(desk: Desk, batch: Any) -> None:
    batch_id = batch(1)
    (held,) = claim(desk, batch_id)
    desk.transaction(lambda session: batch_actions.cancel(session, batch_id, now=NOW, by=ANN))
    desk.transaction(lambda session: records.give_back(session, held.record_id, owner="w1", now=NOW))
    assert (record(desk, held.record_id).status, record(desk, held.record_id).finished_at) == (X, NOW)


def test_a_record_given_back_in_a_paused_batch_waits_there(desk: Desk, batch: Any) -> None:
    batch_id = batch(1)
    (held,) = claim(desk, batch_id)
    desk.transaction(lambda session: batch_actions.pause(session, batch_id, "Ada paused it.", by=ANN))
    desk.transaction(lambda session: records.give_back(session, held.record_id, owner="w1", now=NOW))
    assert statuses(desk, batch_id) == [P]
    assert claim(desk, batch_id) == []


def test_one_article_that_waits_or_is_in_work_can_be_cancelled_and_no_other(desk: Desk, batch: Any) -> None:
    batch_id = batch(2)
    (held,) = claim(desk, batch_id)
    with desk.database.session() as session:
        waiting = session.scalars(select(BatchRecord.id).where(BatchRecord.status == P)).one()
        records.cancel_one(session, waiting, now=NOW, by=ANN)
    assert statuses(desk, batch_id) == [R, X]
    desk.transaction(lambda session: records.cancel_one(session, held.record_id, now=NOW, by=ANN))
    assert statuses(desk, batch_id) == [X, X]
    for record_id, words in ((waiting, "CANCELLED"), (10**6, "gone")):
        with pytest.raises(NotPossible, match=words):
            desk.transaction(lambda session, record_id=record_id: records.cancel_one(session, record_id, now=NOW, by=ANN))


# Lists


def test_a_list_shows_what_is_in_work_then_what_failed_then_the_rest(desk: Desk, batch: Any) -> None:
    batch_id = batch(5)
    for end in (C, F, S):
        (held,) = claim(desk, batch_id)
        desk.transaction(lambda session, held=held, end=end: ENDS[end](session, held.record_id, "w1"))
    claim(desk, batch_id)
    with desk.database.session() as session:
        rows = records.rows(session, batch_id)
        assert [row.status for row in rows] == [R, F, C, P, S]
        assert [row.status for row in records.rows(session, batch_id, statuses=[F, P])] == [F, P]
        second = records.page_at(session, batch_id, records.page_at(session, batch_id, FIRST, 2).next or FIRST, 2)
        assert (second.rows, second.position) == (rows[2:4], 2)
        assert records.page_at(session, batch_id, second.previous or second.next or FIRST, 2).rows == rows[:2]
        assert records.failures(session, batch_id) == (1, 2)


def test_a_deleted_articles_record_keeps_its_title(desk: Desk, batch: Any) -> None:
    batch_id = batch(1)
    (held,) = claim(desk, batch_id)
    with desk.database.session() as session:
        assert held.article_id is not None
        delete_articles(session, [held.article_id], by=ANN)
        (row,) = records.rows(session, batch_id)
    assert (row.article_id, row.title) == (None, held.article_title)


def test_a_list_is_narrowed_by_words_and_by_kind_and_paged_across_states(desk: Desk, articles: Any) -> None:
    ids = [*articles(3, title="Fed holds rates"), *articles(4, title="100% of a_b is up")]
    batch_id = desk.transaction(
        lambda session: launching.launch(session, Selection.of_ids(ids), desk.environment, by=local("ada"), now=NOW)
    )
    (first, second) = claim(desk, batch_id, most=2)
    desk.transaction(lambda session: records.fail(session, first.record_id, "timeout", "No answer.", owner="w1", now=NOW))
    desk.transaction(lambda session: records.complete(session, [second.record_id], owner="w1", now=NOW))

    def titles(**values: Any) -> list[str]:
        return [row.title for row in desk.transaction(lambda session: records.rows(session, batch_id, **values))]

    def counted(**values: Any) -> int:
        return desk.transaction(lambda session: records.count(session, batch_id, **values))

    assert titles(words="rates FED") == ["Fed holds rates"] * 3
    assert titles(words="100% a_b") == ["100% of a_b is up"] * 4
    assert titles(words="1000 axb") == []
    assert (counted(words="fed"), counted(words="fed", statuses=[P]), counted(kind="timeout"), counted()) == (3, 1, 1, 7)
    assert len(titles(kind="timeout")) == 1
    every = desk.transaction(lambda session: records.rows(session, batch_id))
    paged, place = [], FIRST
    while place is not None:
        page = desk.transaction(lambda session, at=place: records.page_at(session, batch_id, at, 2))
        paged, place = [*paged, *page.rows], page.next
    assert paged == every
    assert [row.status for row in every] == [F, C, P, P, P, P, P]


def test_records_that_end_while_one_pages_through_hide_no_other_of_their_state(desk: Desk, batch: Any) -> None:
    batch_id = batch(6)
    first = desk.transaction(lambda session: records.page_at(session, batch_id, FIRST, 2, statuses=[P]))
    for _ in range(2):
        (held,) = claim(desk, batch_id)
        desk.transaction(lambda session, held=held: records.complete(session, [held.record_id], owner="w1", now=NOW))
    with desk.database.session() as session:
        assert first.next is not None
        second = records.page_at(session, batch_id, first.next, 9, statuses=[P])
        waiting = records.rows(session, batch_id, statuses=[P])
    assert {row.id for row in waiting} <= {row.id for row in [*first.rows, *second.rows]}


def test_a_record_shows_what_its_calls_cost(desk: Desk, batch: Any) -> None:
    batch_id = batch(2)
    (held,) = claim(desk, batch_id)
    with desk.database.session() as session:
        for usd in ("0.25", "0.5"):
            session.add(
                LedgerEntry(
                    status=LedgerStatus.SETTLED,
                    kind=LedgerKind.MODEL,
                    agent="a",
                    provider="p",
                    model="m",
                    batch_id=batch_id,
                    record_id=held.record_id,
                    usd=Decimal(usd),
                    day=NOW.date(),
                )
            )
    assert [row.usd for row in desk.transaction(lambda session: records.rows(session, batch_id))] == [Decimal("0.75"), 0]
