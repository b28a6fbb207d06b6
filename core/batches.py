"""Batch sessions as they are now: progress counted from the records, spending from the ledger's roll-up. Reads only."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session, aliased

from core.errors import NotFound
from core.models import BatchRecord, BatchSession, BatchStatus, Budget, BudgetScope, LedgerEntry, RecordStatus, Signal, Validation
from core.spending import usd_by_batch


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch now."""

    id: int
    status: BatchStatus
    launched_by: str
    model: str
    research: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    pause_reason: str | None
    pause_kind: str | None
    counts: dict[RecordStatus, int]
    estimated_usd: Decimal
    spent_usd: Decimal
    reserved_usd: Decimal
    limit_usd: Decimal | None
    pause_budget_id: int | None = None
    pause_needs_usd: Decimal | None = None
    failed_research: int = 0
    """Signals whose newest research failed."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        return self.total - sum(self.counts[status] for status in RecordStatus.open())

    @property
    def share(self) -> float:
        return self.ended / self.total if self.total else 1.0

    def seconds_left(self, now: datetime) -> float | None:
        """Seconds until the end at the pace so far; None until 3 articles have run."""
        ran = self.counts[RecordStatus.COMPLETED] + self.counts[RecordStatus.FAILED]
        left = self.counts[RecordStatus.PENDING] + self.counts[RecordStatus.PROCESSING]
        if ran < 3 or self.started_at is None or self.status not in BatchStatus.claimable():
            return None
        return (now - self.started_at).total_seconds() / ran * left


def progress(session: Session, batch_id: int) -> Progress:
    """One batch.

    Raises:
        NotFound: there is no such batch.
    """
    found = _progress_of(session, select(BatchSession).where(BatchSession.id == batch_id))
    if not found:
        raise NotFound(f"There is no batch {batch_id}.")
    return found[0]


def recent(session: Session, limit: int = 20) -> list[Progress]:
    """The newest batches, newest first."""
    return _progress_of(session, select(BatchSession).order_by(BatchSession.id.desc()).limit(limit))


def some(session: Session, ids: Collection[int]) -> list[Progress]:
    """The batches with these ids that there are."""
    return _progress_of(session, select(BatchSession).where(BatchSession.id.in_(ids)))


def unended(session: Session, limit: int = 20) -> list[Progress]:
    """The newest batches that run, wait or are paused, newest first."""
    found = select(BatchSession).where(BatchSession.status.in_(BatchStatus.open()))
    return _progress_of(session, found.order_by(BatchSession.id.desc()).limit(limit))


@dataclass(frozen=True, slots=True)
class Page:
    """A page of batches, newest first, and whether there are newer and older ones."""

    rows: list[Progress]
    has_newer: bool
    has_older: bool


def page(session: Session, statuses: Collection[BatchStatus] = (), *, before: int | None = None, size: int = 25) -> Page:
    """Batches with an id under ``before``, of ``statuses`` or of any."""
    chosen = select(BatchSession)
    if statuses:
        chosen = chosen.where(BatchSession.status.in_(statuses))
    older = chosen if before is None else chosen.where(BatchSession.id < before)
    rows = _progress_of(session, older.order_by(BatchSession.id.desc()).limit(size + 1))
    newer = before is not None and session.scalar(select(exists(chosen.where(BatchSession.id >= before))))
    return Page(rows[:size], bool(newer), len(rows) > size)


def page_before(session: Session, statuses: Collection[BatchStatus], first: int, *, size: int = 25) -> int | None:
    """What ``page`` takes to show the page of newer batches that ends before ``first``; None for the first page."""
    newer = select(BatchSession.id).where(BatchSession.id > first).order_by(BatchSession.id)
    if statuses:
        newer = newer.where(BatchSession.status.in_(statuses))
    ids = session.scalars(newer.limit(size + 1)).all()
    return ids[size] if len(ids) > size else None


def neighbours(session: Session, batch_id: int) -> tuple[int | None, int | None]:
    """The batches launched before and after this one."""
    before = select(BatchSession.id).where(BatchSession.id < batch_id).order_by(BatchSession.id.desc()).limit(1)
    after = select(BatchSession.id).where(BatchSession.id > batch_id).order_by(BatchSession.id).limit(1)
    return session.scalar(before), session.scalar(after)


def _progress_of(session: Session, batches: Select[BatchSession]) -> list[Progress]:
    found = list(session.scalars(batches))
    ids = [batch.id for batch in found]
    counts = _record_counts(session, ids)
    spent = usd_by_batch(session, ids)
    reserved = dict(
        session.execute(
            select(LedgerEntry.batch_id, func.sum(LedgerEntry.reserved_usd))
            .where(LedgerEntry.batch_id.in_(ids), LedgerEntry.status == "RESERVED")
            .group_by(LedgerEntry.batch_id)
        ).all()
    )
    failed = select(Signal.batch_id, func.count()).where(
        Signal.id.in_(select(Validation.signal_id).where(Validation.failed)), research_failed()
    )
    unresearched = dict(session.execute(failed.where(Signal.batch_id.in_(ids)).group_by(Signal.batch_id)).all())
    keys = [str(batch_id) for batch_id in ids]
    batch_budgets = select(Budget.key, Budget.limit_usd).where(Budget.scope == BudgetScope.BATCH, Budget.key.in_(keys))
    limits = dict(session.execute(batch_budgets).all())
    return [
        Progress(
            id=batch.id,
            status=batch.status,
            launched_by=batch.launched_by,
            model=batch.configuration["model"],
            research=batch.configuration["research_provider"],
            created_at=batch.created_at,
            started_at=batch.started_at,
            finished_at=batch.finished_at,
            pause_reason=batch.pause_reason,
            pause_kind=batch.pause_kind,
            counts={status: counts.get(batch.id, {}).get(status, 0) for status in RecordStatus},
            estimated_usd=Decimal(batch.estimate["usd"]),
            spent_usd=spent.get(batch.id, Decimal(0)),
            reserved_usd=reserved.get(batch.id) or Decimal(0),
            limit_usd=limits.get(str(batch.id)),
            pause_budget_id=batch.pause_budget_id,
            pause_needs_usd=batch.pause_needs_usd,
            failed_research=unresearched.get(batch.id, 0),
        )
        for batch in found
    ]


def research_failed() -> ColumnElement[bool]:
    """Of ``signals``: the newest research failed. Begins with what failed, of which there is little."""
    newer = aliased(Validation)
    later = exists().where(newer.signal_id == Validation.signal_id, newer.id > Validation.id)
    return Signal.id.in_(select(Validation.signal_id).where(Validation.failed, ~later))


def _record_counts(session: Session, batch_ids: list[int]) -> dict[int, dict[RecordStatus, int]]:
    rows = session.execute(
        select(BatchRecord.batch_id, BatchRecord.status, func.count())
        .where(BatchRecord.batch_id.in_(batch_ids))
        .group_by(BatchRecord.batch_id, BatchRecord.status)
    )
    counts: dict[int, dict[RecordStatus, int]] = {}
    for batch_id, status, number in rows:
        counts.setdefault(batch_id, {})[status] = number
    return counts
