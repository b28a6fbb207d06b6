"""Batch sessions: launch, progress, pause, resume, cancel, retry, and their end.

Every action is one short transaction on status columns, so it is idempotent and safe from two consoles at once. Nothing
here runs work: ``core.orchestrator`` finds open batches with pending records and runs them.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.budget import NoRoom, create_batch_budget, current_budgets, refuse_if_over, top_up, usd
from core.configuration import Configuration
from core.database import LAUNCH_LOCK, among
from core.errors import NotFound, NothingSelected, NotPossible, SettingsError
from core.estimate import Estimate, estimate, measure
from core.models import (
    Analysis,
    Article,
    BatchRecord,
    BatchSession,
    BatchStatus,
    Budget,
    BudgetScope,
    LedgerEntry,
    RecordStatus,
    Signal,
    Validation,
)
from core.selection import Readiness, Selection, is_analysed, is_in_flight, resolve
from core.settings import Settings

ALREADY_ANALYSED = "already analysed with this configuration"
IN_FLIGHT = "in flight in another batch"
TOO_SHORT = "shorter than the analysis-ready length"
INACTIVE = "not active"

_NOT_PAUSED: dict[str, Any] = {"pause_reason": None, "pause_budget_id": None, "pause_needs_usd": None, "interrupt": False}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a launch would do: the articles that would run, those that would not and why, and the estimate."""

    runnable: tuple[int, ...]
    skipped: tuple[tuple[int, str], ...]
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch now, counted from its records and the ledger."""

    id: int
    status: BatchStatus
    launched_by: str
    model: str
    research: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    pause_reason: str | None
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


def readiness(settings: Settings) -> Readiness:
    """What analysis-ready means with these settings."""
    return Readiness(Configuration.of(settings).hash, settings.minimum_body_chars)


def plan(session: Session, selection: Selection, settings: Settings) -> Plan:
    """What launching ``selection`` now would do. Changes nothing.

    Raises:
        NothingSelected: nothing was chosen, or nothing of it exists any more.
    """
    ids = [] if selection.is_empty else resolve(session, selection, readiness(settings))
    if not ids:
        raise NothingSelected("No article is selected. Pick some rows, or choose all that match the filter.")
    reasons = _reasons_to_skip(session, ids, readiness(settings))
    runnable = tuple(article_id for article_id in ids if article_id in reasons and reasons[article_id] is None)
    skipped = tuple((article_id, reason) for article_id in ids if (reason := reasons.get(article_id)))
    configuration = Configuration.of(settings)
    articles, chars, averages = measure(session, list(runnable), configuration)
    return Plan(runnable, skipped, estimate(articles, chars, configuration, settings, averages, settings.model_prices))


def launch(
    session: Session,
    selection: Selection,
    settings: Settings,
    *,
    by: str,
    now: datetime,
    idempotency_key: str | None = None,
    budget: Decimal | None = None,
) -> int:
    """Make a batch of a selection and return its id. The same idempotency key returns the batch it made the first time.

    Launches are made one after the other (a lock held for this transaction), so two launches of the same articles cannot
    both take them: the second finds them in flight and skips them, shown as such.

    Raises:
        NothingSelected: nothing was chosen, or every chosen article would be skipped (with the reasons).
        BudgetExceeded: the likely cost passes today's or this month's budget. (``budget`` is this batch's own limit, at which it pauses.)
        SettingsError: a key is missing, or the model has no known price.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LAUNCH_LOCK})
    if idempotency_key is not None:
        existing = session.scalar(select(BatchSession.id).where(BatchSession.idempotency_key == idempotency_key))
        if existing is not None:
            return existing
    planned = plan(session, selection, settings)
    if problem := settings.key_problem:
        raise SettingsError(problem)
    if not planned.runnable:
        raise NothingSelected(f"Nothing to analyse: {reasons_in_words(planned.skipped)}.")
    refuse_if_over(current_budgets(session, settings, now), planned.estimate.usd)
    configuration = Configuration.of(settings)
    batch = BatchSession(
        idempotency_key=idempotency_key,
        launched_by=by,
        configuration=configuration.as_json(),
        configuration_hash=configuration.hash,
        selection=selection.model_dump(mode="json"),
        estimate=planned.estimate.as_json(),
        concurrency=settings.concurrency,
        created_at=now,
    )
    session.add(batch)
    session.flush()
    if budget is not None:
        create_batch_budget(session, batch.id, budget)
        session.flush()
    _add_records(session, batch.id, planned)
    return batch.id


def reasons_in_words(skipped: Sequence[tuple[int, str]]) -> str:
    """Such as "3 already analysed with this configuration, 1 not active"."""
    reasons = [reason for _, reason in skipped]
    return ", ".join(f"{reasons.count(reason)} {reason}" for reason in dict.fromkeys(reasons))


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


def pause(session: Session, batch_id: int, reason: str) -> None:
    """Claim nothing more; what is in flight finishes. Pausing a paused batch changes nothing.

    Raises:
        NotFound: there is no such batch.
        NotPossible: it has already ended.
    """
    if not _move(session, batch_id, BatchStatus.claimable(), BatchStatus.PAUSED, pause_reason=reason):
        _refuse_unless(session, batch_id, BatchStatus.PAUSED, "paused")


def pause_for_budget(session: Session, batch_id: int, refusal: NoRoom) -> None:
    """Pause for want of room, and say about how much the rest needs. A batch that has ended or is paused stays as it is."""
    state = progress(session, batch_id)
    left = state.counts[RecordStatus.PENDING] + state.counts[RecordStatus.PROCESSING]
    ran = state.counts[RecordStatus.COMPLETED] + state.counts[RecordStatus.FAILED]
    each = state.spent_usd / ran if ran else state.estimated_usd / max(state.total, 1)
    needs = max(each * left, refusal.asked) - refusal.budget.room
    _move(
        session,
        batch_id,
        BatchStatus.claimable(),
        BatchStatus.PAUSED,
        pause_reason=f"{refusal} It needs about {usd(needs)} more to finish {left} {'article' if left == 1 else 'articles'}.",
        pause_budget_id=refusal.budget.id,
        pause_needs_usd=needs,
    )


def pause_now(session: Session, batch_id: int, reason: str) -> None:
    """As ``pause``, and what is in flight stops at once; a call that was under way is entered at its worst case.

    Raises:
        NotFound, NotPossible: as ``pause``.
    """
    pause(session, batch_id, reason)
    session.execute(update(BatchSession).where(BatchSession.id == batch_id).values(interrupt=True))


def resume(session: Session, batch_id: int) -> None:
    """Claim again. Resuming a running batch changes nothing.

    Raises:
        NotFound: there is no such batch.
        NotPossible: it has already ended.
    """
    if not _move(session, batch_id, {BatchStatus.PAUSED}, BatchStatus.PROCESSING, **_NOT_PAUSED):
        _refuse_unless(session, batch_id, BatchStatus.PROCESSING, "resumed", also={BatchStatus.INITIATED})


def cancel(session: Session, batch_id: int, *, now: datetime) -> None:
    """Give up what is not done; what is done stays. In-flight articles end with the call they are in.

    Raises:
        NotFound: there is no such batch.
        NotPossible: it has already ended.
    """
    if not _move(session, batch_id, BatchStatus.open(), BatchStatus.CANCELLED, finished_at=now, **_NOT_PAUSED):
        _refuse_unless(session, batch_id, BatchStatus.CANCELLED, "cancelled")
    session.execute(
        update(BatchRecord)
        .where(BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.PENDING)
        .values(status=RecordStatus.CANCELLED, finished_at=now)
    )


def retry_failed(session: Session, batch_id: int) -> int:
    """Queue the failed articles of a batch again and reopen it, but for those that another batch has in flight. Returns how many.

    Raises:
        NotFound: there is no such batch.
        NotPossible: none failed, all that failed are in flight elsewhere, or the batch was cancelled.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LAUNCH_LOCK})
    state = progress(session, batch_id)
    if state.status is BatchStatus.CANCELLED:
        raise NotPossible(f"Batch {batch_id} was cancelled; launch its articles again instead.")
    failed = dict(
        session.execute(
            select(BatchRecord.article_id, BatchRecord.id).where(
                BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.FAILED, BatchRecord.article_id.is_not(None)
            )
        ).all()
    )
    if not failed:
        raise NotPossible(f"No article of batch {batch_id} failed.")
    elsewhere = set(
        session.scalars(select(Article.id).where(among(Article.id, [article_id for article_id in failed if article_id]), is_in_flight()))
    )
    free = [record_id for article_id, record_id in failed.items() if article_id not in elsewhere]
    if not free:
        raise NotPossible(f"The failed articles of batch {batch_id} are {IN_FLIGHT}.")
    retried = session.scalars(
        update(BatchRecord)
        .where(among(BatchRecord.id, free), BatchRecord.status == RecordStatus.FAILED)
        .values(status=RecordStatus.PENDING, attempts=0, error_kind=None, error_message=None, finished_at=None)
        .returning(BatchRecord.id)
    ).all()
    reopened = set(BatchStatus) - {BatchStatus.CANCELLED}
    if not _move(session, batch_id, reopened, BatchStatus.PROCESSING, finished_at=None, **_NOT_PAUSED):
        raise NotPossible(f"Batch {batch_id} was cancelled; launch its articles again instead.")
    return len(retried)


def retry_research(session: Session, batch_id: int, article_id: int | None = None) -> int:
    """Research again what failed to be researched, keeping the analyses; of one article, or of the whole batch.

    Returns how many articles were queued.

    Raises:
        NotFound: there is no such batch.
        NotPossible: no research of it failed, or the batch was cancelled.
    """
    if progress(session, batch_id).status is BatchStatus.CANCELLED:
        raise NotPossible(f"Batch {batch_id} was cancelled; launch its articles again instead.")
    unresearched = (
        select(Analysis.id).join(Signal, Signal.analysis_id == Analysis.id).where(Analysis.batch_id == batch_id, _research_failed())
    )
    if article_id is not None:
        unresearched = unresearched.where(Analysis.article_id == article_id)
    articles = session.scalars(
        update(Analysis).where(Analysis.id.in_(unresearched)).values(completed_at=None).returning(Analysis.article_id)
    ).all()
    queued = session.scalars(
        update(BatchRecord)
        .where(BatchRecord.batch_id == batch_id, BatchRecord.article_id.in_(articles), BatchRecord.status == RecordStatus.COMPLETED)
        .values(status=RecordStatus.PENDING, attempts=0, finished_at=None)
        .returning(BatchRecord.id)
    ).all()
    if not queued:
        raise NotPossible("No research of it failed.")
    reopen(session, batch_id)
    return len(queued)


def requeue(session: Session, record_id: int) -> None:
    """Run one article of a batch again: a failed or cancelled one, or one in work whose worker seems stuck.

    Raises:
        NotFound: there is no such record, or its article was deleted.
        NotPossible: it waits already, is done, or its batch was cancelled.
    """
    found = session.execute(
        select(BatchRecord.batch_id, BatchRecord.status, BatchRecord.article_id).where(BatchRecord.id == record_id).with_for_update()
    ).one_or_none()
    if found is None or found.article_id is None:
        raise NotFound("The article does not exist any more.")
    if progress(session, found.batch_id).status is BatchStatus.CANCELLED:
        raise NotPossible(f"Batch {found.batch_id} was cancelled; launch its articles again instead.")
    if found.status not in (RecordStatus.FAILED, RecordStatus.CANCELLED, RecordStatus.PROCESSING):
        raise NotPossible(f"The article can't be queued again: it is {found.status.value}.")
    session.execute(
        update(BatchRecord)
        .where(BatchRecord.id == record_id)
        .values(
            status=RecordStatus.PENDING,
            attempts=0,
            lease_owner=None,
            lease_expires_at=None,
            finished_at=None,
            error_kind=None,
            error_message=None,
        )
    )
    reopen(session, found.batch_id)


def reopen(session: Session, batch_id: int) -> None:
    """Let an ended batch run again; a paused one stays paused."""
    _move(session, batch_id, {BatchStatus.COMPLETED, BatchStatus.FAILED}, BatchStatus.PROCESSING, finished_at=None)


def top_up_and_resume(session: Session, batch_id: int, *, by: str) -> Decimal:
    """Add to the budget that paused a batch what the rest of it needs, and resume. Returns the USD added.

    Raises:
        NotFound: there is no such batch.
        NotPossible: it is not paused for want of budget.
    """
    state = progress(session, batch_id)
    if state.status is not BatchStatus.PAUSED or state.pause_budget_id is None or state.pause_needs_usd is None:
        raise NotPossible(f"Batch {batch_id} is not paused for want of budget.")
    top_up(session, state.pause_budget_id, state.pause_needs_usd, by=by)
    resume(session, batch_id)
    return state.pause_needs_usd


def finish_if_done(session: Session, batch_id: int, *, now: datetime) -> bool:
    """End a batch whose records have all ended. Returns whether it has ended (now or before)."""
    status = session.scalar(select(BatchSession.status).where(BatchSession.id == batch_id).with_for_update())
    if status is None or status not in BatchStatus.open():
        return True
    counts = _record_counts(session, [batch_id]).get(batch_id, {})
    if any(counts.get(open_status) for open_status in RecordStatus.open()):
        return False
    done = counts.get(RecordStatus.COMPLETED, 0) or not counts.get(RecordStatus.FAILED, 0)
    end = BatchStatus.COMPLETED if done else BatchStatus.FAILED
    _move(session, batch_id, BatchStatus.open(), end, finished_at=now, **_NOT_PAUSED)
    return True


def _reasons_to_skip(session: Session, ids: list[int], ready: Readiness) -> dict[int, str | None]:
    """For each article that exists, why it would not run, or None."""
    reason = case(
        (~Article.is_active, INACTIVE),
        (Article.body_chars < ready.minimum_chars, TOO_SHORT),
        (is_analysed(ready), ALREADY_ANALYSED),
        (is_in_flight(), IN_FLIGHT),
    )
    return dict(session.execute(select(Article.id, reason).where(among(Article.id, ids))).all())


def _add_records(session: Session, batch_id: int, planned: Plan) -> None:
    reasons = dict(planned.skipped)
    ids = [*planned.runnable, *reasons]
    titles = dict(session.execute(select(Article.id, Article.title).where(among(Article.id, ids))).all())
    rows = [
        {
            "batch_id": batch_id,
            "article_id": article_id,
            "article_title": titles[article_id],
            "position": position,
            "status": RecordStatus.SKIPPED if article_id in reasons else RecordStatus.PENDING,
            "skip_reason": reasons.get(article_id),
        }
        for position, article_id in enumerate(ids)
    ]
    session.execute(insert(BatchRecord), rows)


def _progress_of(session: Session, batches: Select[BatchSession]) -> list[Progress]:
    found = list(session.scalars(batches))
    ids = [batch.id for batch in found]
    counts = _record_counts(session, ids)
    spent = dict(
        session.execute(
            select(LedgerEntry.batch_id, func.sum(LedgerEntry.usd)).where(LedgerEntry.batch_id.in_(ids)).group_by(LedgerEntry.batch_id)
        ).all()
    )
    reserved = dict(
        session.execute(
            select(LedgerEntry.batch_id, func.sum(LedgerEntry.reserved_usd))
            .where(LedgerEntry.batch_id.in_(ids), LedgerEntry.status == "RESERVED")
            .group_by(LedgerEntry.batch_id)
        ).all()
    )
    failed = select(Analysis.batch_id, func.count()).join(Signal, Signal.analysis_id == Analysis.id).where(_research_failed())
    unresearched = dict(session.execute(failed.where(Analysis.batch_id.in_(ids)).group_by(Analysis.batch_id)).all())
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
            counts={status: counts.get(batch.id, {}).get(status, 0) for status in RecordStatus},
            estimated_usd=Decimal(batch.estimate["usd"]),
            spent_usd=spent.get(batch.id) or Decimal(0),
            reserved_usd=reserved.get(batch.id) or Decimal(0),
            limit_usd=limits.get(str(batch.id)),
            pause_budget_id=batch.pause_budget_id,
            pause_needs_usd=batch.pause_needs_usd,
            failed_research=unresearched.get(batch.id, 0),
        )
        for batch in found
    ]


def _research_failed() -> ColumnElement[bool]:
    """Of ``signals``: the newest research failed."""
    newest = select(func.max(Validation.id)).where(Validation.signal_id == Signal.id).correlate(Signal).scalar_subquery()
    return exists().where(Validation.id == newest, Validation.failed)


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


def _move(session: Session, batch_id: int, origin: Set[BatchStatus], target: BatchStatus, **values: object) -> bool:
    moved = session.execute(
        update(BatchSession)
        .where(BatchSession.id == batch_id, BatchSession.status.in_(origin))
        .values(status=target, **values)
        .returning(BatchSession.id)
    )
    return moved.first() is not None


def _refuse_unless(session: Session, batch_id: int, expected: BatchStatus, action: str, also: Set[BatchStatus] = frozenset()) -> None:
    status = session.scalar(select(BatchSession.status).where(BatchSession.id == batch_id))
    if status is None:
        raise NotFound(f"There is no batch {batch_id}.")
    if status is not expected and status not in also:
        raise NotPossible(f"Batch {batch_id} can't be {action}: it is {status.value}.")
