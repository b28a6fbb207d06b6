"""Processing records: one article's place in a batch, claimed under a lease.

A worker claims with ``FOR UPDATE SKIP LOCKED``, renews its leases with one heartbeat, and ends each record once. A record
whose lease ran out goes back to PENDING, whoever held it; every end checks that the lease is still its own, so a worker
that lost its lease cannot overwrite what the next one does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, kept_answers
from core.access import Actor, Permission
from core.budget import settle_orphans
from core.database import CLAIM_LOCKS, among
from core.errors import NotPossible
from core.models import BatchRecord, BatchSession, BatchStatus, LedgerEntry, RecordStatus, Worker, WorkerKind
from core.paging import FIRST, Key, Page, Place, beyond, ordered_by, walk
from core.settings import Settings

HEARTBEAT_SECONDS = 10
LEASE = timedelta(seconds=40)
"""Four heartbeats: a worker that misses so many is taken for dead."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A record that a worker holds."""

    record_id: int
    batch_id: int
    article_id: int | None
    article_title: str
    attempt: int


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A line of a batch's records."""

    id: int
    article_id: int | None
    title: str
    status: RecordStatus
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    error_kind: str | None
    error_message: str | None
    skip_reason: str | None
    usd: Decimal
    """Of its calls so far."""


_ROW = (
    BatchRecord.id,
    BatchRecord.article_id,
    BatchRecord.article_title.label("title"),
    BatchRecord.status,
    BatchRecord.attempts,
    BatchRecord.started_at,
    BatchRecord.finished_at,
    BatchRecord.error_kind,
    BatchRecord.error_message,
    BatchRecord.skip_reason,
)


def claim(
    session: Session,
    batch_id: int,
    *,
    owner: str,
    most: int,
    now: datetime,
    only: Sequence[int] | None = None,
    last_first: bool = False,
    over_all: int | None = None,
    has_begun: bool = False,
) -> list[Claim]:
    """Take up to ``most`` pending records of a batch that may be claimed from, in their order, under a lease for ``owner``.

    With ``only``, none but these; with ``last_first``, from the end. No more than ``over_all`` of the batch are then held, exactly,
    however many claim at once. ``has_begun`` spares a look whether these are the batch's first.
    """
    if over_all is not None:
        most = min(most, _room(session, batch_id, over_all))
    if most <= 0:
        return []
    if not has_begun:
        session.execute(  # before the records are locked, as every action on a batch does
            update(BatchSession)
            .where(
                BatchSession.id == batch_id,
                BatchSession.status.in_(BatchStatus.claimable()),
                BatchSession.started_at.is_(None),  # also of one that was paused and resumed before anything of it began
                exists().where(BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.PENDING),
            )
            .values(status=BatchStatus.PROCESSING, started_at=now)
        )
    among_these = [] if only is None else [among(BatchRecord.id, only)]
    next_ones = (
        select(BatchRecord.id)
        .join(BatchSession, BatchSession.id == BatchRecord.batch_id)
        .where(
            BatchRecord.batch_id == batch_id,
            BatchRecord.status == RecordStatus.PENDING,
            BatchSession.status.in_(BatchStatus.claimable()),
            *among_these,
        )
        .order_by(BatchRecord.position.desc() if last_first else BatchRecord.position)
        .limit(most)
        .with_for_update(of=BatchRecord, skip_locked=True)
        .cte("next_ones")  # run once, whatever the plan: as a subquery it may be run again for each row, and claim more than asked for
    )
    claimed = session.execute(
        update(BatchRecord)
        .where(BatchRecord.id == next_ones.c.id)
        .values(
            status=RecordStatus.PROCESSING,
            attempts=BatchRecord.attempts + 1,
            lease_owner=owner,
            lease_expires_at=now + LEASE,
            started_at=now,
        )
        .returning(
            BatchRecord.position,
            BatchRecord.id,
            BatchRecord.batch_id,
            BatchRecord.article_id,
            BatchRecord.article_title,
            BatchRecord.attempts,
        )
    )
    return [Claim(*row[1:]) for row in sorted(claimed)]


def _room(session: Session, batch_id: int, over_all: int) -> int:
    """How many records more may be held. Until the transaction ends nobody else who keeps a limit claims of this batch."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CLAIM_LOCKS + batch_id})
    in_work = BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.PROCESSING
    held = session.scalar(select(func.count()).select_from(BatchRecord).where(*in_work)) or 0
    return over_all - held


def pending(session: Session, record_ids: Sequence[int]) -> set[int]:
    """Those of these records that wait to be claimed."""
    waiting = select(BatchRecord.id).where(among(BatchRecord.id, record_ids), BatchRecord.status == RecordStatus.PENDING)
    return set(session.scalars(waiting))


def heartbeat(
    session: Session,
    held: Sequence[int],
    *,
    owner: str,
    host: str,
    pid: int,
    now: datetime,
    kind: WorkerKind = WorkerKind.POOL,
    name: str = "",
    slots: int | None = None,
    tasks: int = 0,
) -> None:
    """Say that a worker lives, what it is, and that it runs ``tasks`` of Celery; renew the leases of the records it has in flight."""
    worker = insert(Worker).values(
        owner=owner, host=host, pid=pid, kind=kind, name=name, slots=slots, tasks=tasks, started_at=now, heartbeat_at=now
    )
    session.execute(worker.on_conflict_do_update(index_elements=["owner"], set_={"heartbeat_at": now, "tasks": tasks}))
    ours = (  # but those that are being ended at this moment
        select(BatchRecord.id)
        .where(among(BatchRecord.id, held), BatchRecord.lease_owner == owner, BatchRecord.status == RecordStatus.PROCESSING)
        .with_for_update(key_share=True, skip_locked=True)
    )
    session.execute(update(BatchRecord).where(BatchRecord.id.in_(ours.scalar_subquery())).values(lease_expires_at=now + LEASE))


def recover(session: Session, dead: Sequence[str], *, now: datetime) -> int:
    """Queue again what dead workers held: those named, and any whose lease ran out. Returns how many records that were.

    Their reservations end as unknown. Safe to run twice, and from several processes at once.
    """
    stale = session.scalars(select(Worker.owner).where(Worker.heartbeat_at < now - LEASE)).all()
    gone = sorted({*dead, *stale})
    settle_orphans(session, gone, now=now)
    expired = (
        select(BatchRecord.id)
        .where(
            BatchRecord.status == RecordStatus.PROCESSING,
            (BatchRecord.lease_expires_at < now) | BatchRecord.lease_owner.in_(gone),
        )
        .with_for_update(skip_locked=True)
    )
    queued = session.scalars(
        update(BatchRecord)
        .where(BatchRecord.id.in_(expired.scalar_subquery()))
        .values(status=RecordStatus.PENDING, lease_owner=None, lease_expires_at=None, sent_at=None)
        .returning(BatchRecord.batch_id)
    ).all()
    _cancel_in_cancelled_batches(session, set(queued), now)
    session.execute(delete(Worker).where(Worker.owner.in_(gone)))
    return len(queued)


def workers_on(session: Session, host: str) -> list[Worker]:
    """The workers that have registered from this host."""
    return list(session.scalars(select(Worker).where(Worker.host == host)))


def workers(session: Session) -> list[Worker]:
    """All registered workers, newest heartbeat first."""
    return list(session.scalars(select(Worker).order_by(Worker.heartbeat_at.desc())))


def complete(session: Session, record_ids: Sequence[int], *, owner: str, now: datetime) -> set[int]:
    """The articles are done. Returns the records that ended so, without those whose lease was lost."""
    return _end(session, record_ids, owner, RecordStatus.COMPLETED, finished_at=now, error_kind=None, error_message=None)


def fail(session: Session, record_id: int, kind: str, message: str, *, owner: str, now: datetime) -> bool:
    """The article could not be done, for a reason that a person can act on. Returns False when the lease was lost."""
    return bool(_end(session, [record_id], owner, RecordStatus.FAILED, finished_at=now, error_kind=kind, error_message=message))


def skip(session: Session, record_id: int, reason: str, *, owner: str, now: datetime) -> bool:
    """The article need not or cannot be done any more. Returns False when the lease was lost."""
    return bool(_end(session, [record_id], owner, RecordStatus.SKIPPED, finished_at=now, skip_reason=reason))


def give_back(session: Session, record_id: int, *, owner: str, now: datetime) -> None:
    """Queue a claimed record again, as if it had not been claimed."""
    batch_id = session.scalar(select(BatchRecord.batch_id).where(BatchRecord.id == record_id))
    if _end(session, [record_id], owner, RecordStatus.PENDING, attempts=BatchRecord.attempts - 1) and batch_id is not None:
        _cancel_in_cancelled_batches(session, {batch_id}, now)


def failures(session: Session, batch_id: int) -> tuple[int, int]:
    """How many articles of a batch have failed, and how many have run at all."""
    statuses = session.scalars(
        select(BatchRecord.status).where(
            BatchRecord.batch_id == batch_id, BatchRecord.status.in_([RecordStatus.COMPLETED, RecordStatus.FAILED])
        )
    ).all()
    return statuses.count(RecordStatus.FAILED), len(statuses)


def too_many_failed(failed: int, ran: int, settings: Settings) -> bool:
    """Whether a batch should stop: more than so many failed, or more than a share of those that ran once enough have."""
    if settings.failure_most is not None and failed > settings.failure_most:
        return True
    return ran >= settings.failure_minimum and failed > settings.failure_share * ran


SHOWN_FIRST = (
    RecordStatus.PROCESSING,
    RecordStatus.FAILED,
    RecordStatus.COMPLETED,
    RecordStatus.PENDING,
    RecordStatus.CANCELLED,
    RecordStatus.SKIPPED,
)
"""The order of a batch's records on screen: what a person may have to act on comes first."""


def rows(
    session: Session,
    batch_id: int,
    *,
    statuses: Sequence[RecordStatus] = (),
    words: str = "",
    kind: str | None = None,
    size: int = 100,
) -> list[RecordRow]:
    """The first ``size`` of what ``page_at`` pages through."""
    return page_at(session, batch_id, FIRST, size, statuses=statuses, words=words, kind=kind).rows


def page_at(
    session: Session,
    batch_id: int,
    place: Place,
    size: int,
    *,
    statuses: Sequence[RecordStatus] = (),
    words: str = "",
    kind: str | None = None,
) -> Page[RecordRow]:
    """The page at ``place`` of a batch's records, state by state (``SHOWN_FIRST``) and each in its order.

    Only those with all ``words`` in the title and that failed of ``kind``, if given. A place is one of these
    statuses.
    """
    shown = [status for status in SHOWN_FIRST if not statuses or status in statuses]
    these = _matching(batch_id, words, kind)
    found = walk([partial(_nearest, session, [*these, BatchRecord.status == status]) for status in shown], place, size)
    spent = _spent(session, [row.id for row in found.rows])
    rows = [_row(row, spent.get(row.id, Decimal(0))) for row in found.rows]
    return Page(rows, found.previous, found.next, found.position)


def _row(row: Any, usd: Decimal) -> RecordRow:
    return RecordRow(**{name: getattr(row, name) for name in RecordRow.__dataclass_fields__ if name != "usd"}, usd=usd)


def _nearest(session: Session, these: list[ColumnElement[bool]], key: Key | None, back: bool, limit: int) -> list[tuple[Key, Any]]:
    columns = (BatchRecord.position, BatchRecord.id)
    statement = select(BatchRecord.position, *_ROW).where(*these, *beyond(columns, key, falls=False, back=back))
    found = session.execute(statement.order_by(*ordered_by(columns, falls=False, back=back)).limit(limit)).all()
    return [((row.position, row.id), row) for row in found]


def count(session: Session, batch_id: int, *, statuses: Sequence[RecordStatus] = (), words: str = "", kind: str | None = None) -> int:
    """How many records ``rows`` has in all."""
    these = _matching(batch_id, words, kind)
    if statuses:
        these.append(BatchRecord.status.in_(statuses))
    return session.scalar(select(func.count()).select_from(BatchRecord).where(*these)) or 0


def _matching(batch_id: int, words: str, kind: str | None) -> list[ColumnElement[bool]]:
    these: list[ColumnElement[bool]] = [BatchRecord.batch_id == batch_id]
    these += [BatchRecord.article_title.icontains(word, autoescape=True) for word in words.split()]
    return these if kind is None else [*these, BatchRecord.error_kind == kind]


def _spent(session: Session, record_ids: Sequence[int]) -> dict[int, Decimal]:
    """USD of each record's calls."""
    of_record = select(LedgerEntry.record_id, func.sum(LedgerEntry.usd)).where(among(LedgerEntry.record_id, record_ids))
    return {record_id: usd for record_id, usd in session.execute(of_record.group_by(LedgerEntry.record_id)) if record_id is not None}


def cancel_one(session: Session, record_id: int, *, by: Actor, now: datetime) -> None:
    """Take one article out of its batch: one that waits, or one in work, which stops with the call it is in.

    Raises:
        NotPossible: it is not waiting any more.
    """
    by.require(Permission.RUN)
    taken = session.execute(
        update(BatchRecord)
        .where(BatchRecord.id == record_id, BatchRecord.status.in_(RecordStatus.open()))
        .values(status=RecordStatus.CANCELLED, finished_at=now, lease_owner=None, lease_expires_at=None)
        .returning(BatchRecord.batch_id, BatchRecord.article_id)
    ).first()
    if taken is None:
        status = session.scalar(select(BatchRecord.status).where(BatchRecord.id == record_id))
        raise NotPossible(f"The article can't be cancelled: it is {status.value if status else 'gone'}.")
    facts = {"run": taken.batch_id, "article": taken.article_id}
    audit.record(session, by, audit.Action.TAKE_OUT, ("record", record_id), after=facts)


def _cancel_in_cancelled_batches(session: Session, batch_ids: set[int], now: datetime) -> None:
    cancelled = select(BatchSession.id).where(BatchSession.id.in_(batch_ids), BatchSession.status == BatchStatus.CANCELLED)
    session.execute(
        update(BatchRecord)
        .where(BatchRecord.batch_id.in_(cancelled), BatchRecord.status == RecordStatus.PENDING)
        .values(status=RecordStatus.CANCELLED, finished_at=now)
    )


def _end(session: Session, record_ids: Sequence[int], owner: str, status: RecordStatus, **values: object) -> set[int]:
    ended = session.scalars(
        update(BatchRecord)
        .where(among(BatchRecord.id, record_ids), BatchRecord.lease_owner == owner, BatchRecord.status == RecordStatus.PROCESSING)
        .values(status=status, lease_owner=None, lease_expires_at=None, **values)
        .returning(BatchRecord.id)
    ).all()
    if ended and status is not RecordStatus.PENDING:
        kept_answers.forget(session, ended)
    return set(ended)
