"""Workers, clocks and people in any order: a batch and its records never come into a state that says two things at once."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from core import batch_actions, budget, kept_answers, launching, records
from core.access import local
from core.budget import Call, End
from core.configuration import Desk
from core.errors import NotPossible
from core.kept_answers import Answer
from core.models import BatchRecord, BatchSession, BatchStatus, KeptAnswer, LedgerEntry, LedgerKind, LedgerStatus, RecordStatus, Worker
from core.selection import Selection
from tests.actors import ANN
from tests.conftest import NOW

ARTICLES = 4
OWNERS = ("w1", "w2")
ENDED = frozenset(RecordStatus) - RecordStatus.open()


class Batch:
    """One batch, two workers, one person, and a clock that only goes forward. Each rule is one transaction, as in the desk."""

    def __init__(self, desk: Desk, article_ids: list[int]) -> None:
        self.desk = desk
        self.now: datetime = NOW
        with self.desk.database.session() as session:
            for open_one in session.scalars(select(BatchSession.id).where(BatchSession.status.in_(BatchStatus.open()))).all():
                batch_actions.cancel(session, open_one, now=NOW, by=ANN)
            records.recover(session, ["w1", "w2"], now=NOW)
            chosen = Selection.of_ids(article_ids)
            self.batch_id = launching.launch(session, chosen, self.desk.environment, by=local("ada"), now=NOW)
            self.ids = list(session.scalars(select(BatchRecord.id).where(BatchRecord.batch_id == self.batch_id).order_by(BatchRecord.id)))
        self.believed: set[tuple[int, str]] = set()
        """What workers believe to hold: records and owners. One may be wrong, after its lease ran out."""
        self.reserved: dict[int, tuple[int, str]] = {}
        self.done: set[int] = set()

    def within(self, work: Any) -> Any:
        return self.desk.transaction(work)

    def possible(self, work: Any) -> bool:
        """Whether a person's action was possible; one that was not says why and changes nothing."""
        before = self.picture()
        try:
            self.within(work)
        except NotPossible as refusal:
            words = str(refusal)
        else:
            return True
        assert words
        assert self.picture() == before
        return False

    def picture(self) -> Any:
        with self.desk.database.session() as session:
            batch = session.execute(
                select(BatchSession.status, BatchSession.pause_reason, BatchSession.interrupt).where(BatchSession.id == self.batch_id)
            ).one()
            rows = session.execute(
                select(
                    BatchRecord.id,
                    BatchRecord.status,
                    BatchRecord.lease_owner,
                    BatchRecord.lease_expires_at,
                    BatchRecord.finished_at,
                    BatchRecord.error_kind,
                )
                .where(BatchRecord.batch_id == self.batch_id)
                .order_by(BatchRecord.id)
            ).all()
        return tuple(batch), [tuple(row) for row in rows]

    def holder(self, record_id: int) -> str | None:
        return next(row[2] for row in self.picture()[1] if row[0] == record_id)

    # --- workers

    def claim(self, number: int, owner: str) -> None:
        status = self.picture()[0][0]
        claims = self.within(lambda session: records.claim(session, self.batch_id, owner=owner, most=1 + number, now=self.now))
        assert not claims or status in BatchStatus.claimable()
        for claim in claims:
            self.believed.add((claim.record_id, owner))

    def heartbeat(self, _: int, owner: str) -> None:
        held = [record_id for record_id, believed in self.believed if believed == owner]
        self.within(lambda session: records.heartbeat(session, held, owner=owner, host="h", pid=1, now=self.now))

    def time_passes_and_leases_run_out(self, number: int, _: str) -> None:
        self.now += timedelta(seconds=(0, 5, 60, 60)[number])
        self.within(lambda session: records.recover(session, [], now=self.now))

    def die(self, _: int, owner: str) -> None:
        self.within(lambda session: records.recover(session, [owner], now=self.now))
        self.believed = {(record_id, believed) for record_id, believed in self.believed if believed != owner}
        self.reserved = {entry: held for entry, held in self.reserved.items() if held[1] != owner}

    def end(self, number: int, _: str) -> None:
        if not self.believed:
            return
        end = ("complete", "complete", "fail", "give_back")[number]
        record_id, owner = sorted(self.believed)[number % len(self.believed)]
        self.believed.discard((record_id, owner))
        was_held = self.holder(record_id) == owner
        before = self.picture()

        def work(session: Any) -> bool:
            match end:
                case "complete":
                    return bool(records.complete(session, [record_id], owner=owner, now=self.now))
                case "fail":
                    return records.fail(session, record_id, "blocked", "The filter.", owner=owner, now=self.now)
            records.give_back(session, record_id, owner=owner, now=self.now)
            return was_held

        assert self.within(work) == was_held  # a worker that lost its lease changes nothing
        if not was_held:
            assert self.picture() == before
        elif end == "complete":
            assert record_id not in self.done, "completed twice"
            self.done.add(record_id)
        self.within(lambda session: batch_actions.finish_if_done(session, self.batch_id, now=self.now))

    def reserve(self, number: int, _: str) -> None:
        if not self.believed:
            return
        record_id, owner = sorted(self.believed)[number % len(self.believed)]
        call = Call(
            LedgerKind.MODEL, "a", "p", "m", self.desk.environment.daily_budget / 1_000_000, 1, self.batch_id, record_id, leased=True
        )
        may = self.holder(record_id) == owner and self.picture()[0][0] is not BatchStatus.CANCELLED
        (answer,) = self.within(lambda session: budget.reserve(session, [call], self.desk.environment, owner=owner, now=self.now))
        assert isinstance(answer, int) == may
        if isinstance(answer, int):
            self.reserved[answer] = (record_id, owner)

    def settle_and_keep_all(self, _: int, __: str) -> None:
        """What was reserved, by the living and by those who were taken for dead."""
        ends = [End.settled(entry, self.desk.environment.daily_budget / 2_000_000) for entry in self.reserved]
        answers = [Answer(record_id, f"{entry:064x}", "{}") for entry, (record_id, _) in self.reserved.items()]
        self.reserved = {}

        def work(session: Any) -> None:
            budget.end(session, ends, now=self.now)
            kept_answers.keep(session, answers)

        self.within(work)

    # --- people

    def act(self, number: int, _: str) -> None:
        action = ("pause", "pause_now", "resume", "retry_failed")[number]

        def work(session: Any) -> None:
            if action == "resume":
                batch_actions.resume(session, self.batch_id, by=ANN)
            elif action == "retry_failed":
                batch_actions.retry_failed(session, self.batch_id, by=ANN)
            else:
                getattr(batch_actions, action)(session, self.batch_id, "Asked by ada.", by=ANN)

        if self.possible(work):
            once = self.picture()
            if action != "retry_failed":
                assert self.possible(work)
                assert self.picture() == once  # idempotent

    def cancel(self, _: int, __: str) -> None:
        if self.possible(lambda session: batch_actions.cancel(session, self.batch_id, now=self.now, by=ANN)):
            assert self.picture()[0][0] is BatchStatus.CANCELLED

    def cancel_one(self, number: int, _: str) -> None:
        record_id = self.ids[number]

        def work(session: Any) -> None:
            records.cancel_one(session, record_id, now=self.now, by=ANN)
            batch_actions.finish_if_done(session, self.batch_id, now=self.now)

        self.possible(work)

    def requeue(self, number: int, _: str) -> None:
        self.possible(lambda session: batch_actions.requeue(session, self.ids[number], by=ANN))

    # --- what always holds

    def every_state_says_one_thing(self) -> None:
        (status, reason, interrupt), rows = self.picture()
        assert [row[0] for row in rows] == self.ids  # nothing is lost
        assert (reason is not None) == (status is BatchStatus.PAUSED)
        assert not interrupt or status is BatchStatus.PAUSED
        for record_id, record_status, owner, expires, finished, error in rows:
            assert (owner is not None) == (expires is not None) == (record_status is RecordStatus.PROCESSING)
            assert (finished is not None) == (record_status in ENDED)
            assert (error is not None) == (record_status is RecordStatus.FAILED)
            assert record_id not in self.done or record_status is RecordStatus.COMPLETED  # done is done
        statuses = {row[1] for row in rows}
        if status is BatchStatus.CANCELLED:
            assert RecordStatus.PENDING not in statuses
        if status in (BatchStatus.COMPLETED, BatchStatus.FAILED):
            assert not statuses & RecordStatus.open()

    def every_reservation_has_an_owner_and_kept_answers_an_open_record(self) -> None:
        with self.desk.database.session() as session:
            for entry in session.scalars(select(LedgerEntry).where(LedgerEntry.batch_id == self.batch_id)):
                assert (entry.owner is not None) == (entry.status is LedgerStatus.RESERVED)
            kept = session.scalars(
                select(BatchRecord.status)
                .join(KeptAnswer, KeptAnswer.record_id == BatchRecord.id)
                .where(BatchRecord.batch_id == self.batch_id)
            ).all()
            assert RecordStatus.COMPLETED not in kept
            assert session.scalars(select(Worker.owner).where(Worker.owner.not_in(["w1", "w2"]))).all() == []


ACTIONS = [
    *(3 * [Batch.claim, Batch.end, Batch.reserve, Batch.settle_and_keep_all]),
    *(2 * [Batch.time_passes_and_leases_run_out, Batch.act, Batch.requeue]),
    *[Batch.heartbeat, Batch.die, Batch.cancel_one],
]
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, ARTICLES - 1), st.sampled_from(OWNERS)), min_size=10, max_size=40)


def test_in_any_order_a_batch_and_its_records_agree(desk: Desk, articles: Any) -> None:
    ids = articles(ARTICLES)

    @hypothesis_settings(max_examples=60, deadline=None)
    @given(STEPS, st.booleans())
    def in_this_order(steps: list[Any], cancelled_at_the_end: bool) -> None:
        batch = Batch(desk, ids)
        for action, number, owner in [*steps, *([(Batch.cancel, 0, "w1"), *steps[:8]] if cancelled_at_the_end else [])]:
            action(batch, number, owner)
            batch.every_state_says_one_thing()
            batch.every_reservation_has_an_owner_and_kept_answers_an_open_record()

    in_this_order()
