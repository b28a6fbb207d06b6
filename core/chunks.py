"""Chunks: a batch's pending records as tasks of Celery, and which of them a task covers.

A task names records, it does not own them: it claims those that are still pending, under leases as everybody does. ``sent_at``
says that a task is believed to cover a record. It is set before the task is sent, and taken back where the task could not be
sent, ended without the record, or is lost. So a task that is lost costs time and one that comes twice costs nothing. Reads and
writes by any thread; what is sent, and when, is decided by ``core.dispatching``.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.database import among
from core.models import BatchRecord, BatchSession, BatchStatus, RecordStatus
from core.settings import Settings

AHEAD = 100
"""Tasks of one batch that are sent ahead at most: a launch of 100,000 articles must not stand before a small one of later."""
LOST_AFTER = timedelta(seconds=20)
"""A task that was sent so long ago, and is not in the queue, has been taken by a worker or is lost."""
CALLS_IN_A_ROW = 9
"""Calls that one article can wait for, one after the other: a search; the analysis and the validation with a correction each, and
both again with more room for the answer."""


def chunked(ids: Sequence[int], size: int) -> Iterator[list[int]]:
    """``ids`` in lists of ``size``, the last one shorter."""
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])


def longest_seconds(settings: Settings, longest_wait: float) -> float:
    """Seconds that a chunk can take at most: rounds x calls in a row x attempts x (call timeout + longest wait before another attempt).

    Rounds: a chunk wider than a process may have in flight is done in several; and it may help with as many records of others.
    """
    rounds = 2 * ceil(settings.batch_chunk / settings.concurrency)
    return rounds * CALLS_IN_A_ROW * settings.max_attempts * (settings.call_timeout_seconds + longest_wait)


def cover(session: Session, batch_id: int, settings: Settings, *, now: datetime, lost_before: datetime) -> list[int]:
    """Take records that no task covers, in their order, to be sent now; those sent before ``lost_before`` count as not covered.

    As many as leave ``AHEAD`` chunks waiting, or twice what may be held at once where that is limited. Two who ask at once get
    different ones.
    """
    ahead = AHEAD * settings.batch_chunk
    if settings.concurrency_over_all is not None:
        ahead = min(ahead, max(2 * settings.concurrency_over_all, settings.batch_chunk))
    pending = (BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.PENDING)
    covered = session.scalar(select(func.count()).where(*pending, BatchRecord.sent_at >= lost_before)) or 0
    if covered >= ahead:
        return []
    uncovered = (
        select(BatchRecord.id)
        .join(BatchSession, BatchSession.id == BatchRecord.batch_id)
        .where(
            *pending,
            BatchRecord.sent_at.is_(None) | (BatchRecord.sent_at < lost_before),
            BatchSession.status.in_(BatchStatus.claimable()),
        )
        .order_by(BatchRecord.position)
        .limit(ahead - covered)
        .with_for_update(of=BatchRecord, skip_locked=True)
        .cte("uncovered")
    )
    taken = update(BatchRecord).where(BatchRecord.id == uncovered.c.id).values(sent_at=now)
    return [record_id for _, record_id in sorted(session.execute(taken.returning(BatchRecord.position, BatchRecord.id)).all())]


def uncover(session: Session, record_ids: Sequence[int]) -> None:
    """No task covers these any more, those of them that still wait: to be sent again."""
    waiting = among(BatchRecord.id, record_ids), BatchRecord.status == RecordStatus.PENDING, BatchRecord.sent_at.is_not(None)
    session.execute(update(BatchRecord).where(*waiting).values(sent_at=None))
