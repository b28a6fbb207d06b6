"""What can be done with a batch: pause, resume, cancel, retry, top up, and its end.

Every action is one short transaction that first locks the batch's row, so it is idempotent and safe from two consoles at once;
one that can't be done says why.
"""

from collections.abc import Collection, Set
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.orm import Session, aliased

from core import audit
from core.access import Actor, Permission
from core.audit import Action
from core.batches import progress, research_failed
from core.budget import NoRoom, usd
from core.causes import BUDGET, Cause
from core.database import LAUNCH_LOCK, among
from core.errors import NotFound, NotPossible
from core.launching import IN_FLIGHT
from core.limits import top_up
from core.models import Analysis, BatchRecord, BatchSession, BatchStatus, RecordStatus, Signal

_NOT_PAUSED: dict[str, Any] = {
    "pause_reason": None,
    "pause_kind": None,
    "pause_budget_id": None,
    "pause_needs_usd": None,
    "interrupt": False,
}


def pause(session: Session, batch_id: int, reason: str | None = None, *, by: Actor) -> None:
    """Claim nothing more; what is in flight finishes. Pausing a paused batch changes nothing.

    Raises:
        NotFound: there is no such batch.
        NotPossible: it has already ended.
    """
    by.require(Permission.RUN)
    _audited_pause(session, batch_id, reason or f"Paused by {by.name}.", by, Action.PAUSE)


def pause_for_cause(session: Session, batch_id: int, reason: str, *, kind: str) -> None:
    """As ``pause``, by the run itself; ``kind`` says what happened (``core.causes``).

    Raises:
        NotFound, NotPossible: as ``pause``.
    """
    _pause(session, batch_id, reason, kind)


def _audited_pause(session: Session, batch_id: int, reason: str, by: Actor, action: Action) -> None:
    before = _pause(session, batch_id, reason, None)
    if before is not BatchStatus.PAUSED or action is Action.STOP:
        audit.record(
            session, by, action, ("run", batch_id), before={"status": before}, after={"status": BatchStatus.PAUSED, "reason": reason}
        )


def _pause(session: Session, batch_id: int, reason: str, kind: str | None) -> BatchStatus:
    """Returns what the batch was before."""
    status = lock(session, batch_id)
    if status is not BatchStatus.PAUSED:
        _refuse_unless(status, BatchStatus.claimable(), f"Batch {batch_id} can't be paused")
        _become(session, batch_id, BatchStatus.PAUSED, pause_reason=reason, pause_kind=kind)
    return status


def pause_for_budget(session: Session, batch_id: int, refusal: NoRoom) -> None:
    """Pause for want of room, and say about how much the rest needs. A batch that has ended or is paused stays as it is."""
    if lock(session, batch_id) not in BatchStatus.claimable():
        return
    state = progress(session, batch_id)
    left = state.counts[RecordStatus.PENDING] + state.counts[RecordStatus.PROCESSING]
    ran = state.counts[RecordStatus.COMPLETED] + state.counts[RecordStatus.FAILED]
    each = state.spent_usd / ran if ran else state.estimated_usd / max(state.total, 1)
    needs = max(each * left, refusal.asked) - refusal.budget.room
    _become(
        session,
        batch_id,
        BatchStatus.PAUSED,
        pause_reason=f"{refusal} It needs about {usd(needs)} more to finish {left} {'article' if left == 1 else 'articles'}.",
        pause_kind=BUDGET,
        pause_budget_id=refusal.budget.id,
        pause_needs_usd=needs,
    )


def pause_now(session: Session, batch_id: int, reason: str | None = None, *, by: Actor) -> None:
    """As ``pause``, and what is in flight stops at once; a call that was under way is entered at its worst case.

    Raises:
        NotFound, NotPossible: as ``pause``.
    """
    by.require(Permission.RUN)
    _audited_pause(session, batch_id, reason or f"Stopped at once by {by.name}.", by, Action.STOP)
    session.execute(update(BatchSession).where(BatchSession.id == batch_id).values(interrupt=True))


def resume(session: Session, batch_id: int, *, by: Actor) -> None:
    """Claim again. Resuming a running batch changes nothing.

    Raises:
        NotFound: there is no such batch.
        NotPossible: it has already ended.
    """
    by.require(Permission.RUN)
    status = lock(session, batch_id)
    if status not in BatchStatus.claimable():
        _refuse_unless(status, {BatchStatus.PAUSED}, f"Batch {batch_id} can't be resumed")
        _become(session, batch_id, BatchStatus.PROCESSING, **_NOT_PAUSED)
        audit.record(session, by, Action.RESUME, ("run", batch_id), before={"status": status}, after={"status": BatchStatus.PROCESSING})


def cancel(session: Session, batch_id: int, *, by: Actor, now: datetime) -> None:
    """Give up what is not done; what is done stays. In-flight articles end with the call they are in.

    Raises:
        NotFound: there is no such batch.
        NotPossible: it has already ended.
    """
    by.require(Permission.RUN)
    status = lock(session, batch_id)
    if status is not BatchStatus.CANCELLED:
        _refuse_unless(status, BatchStatus.open(), f"Batch {batch_id} can't be cancelled")
        _become(session, batch_id, BatchStatus.CANCELLED, finished_at=now, **_NOT_PAUSED)
        audit.record(session, by, Action.CANCEL, ("run", batch_id), before={"status": status}, after={"status": BatchStatus.CANCELLED})
    session.execute(
        update(BatchRecord)
        .where(BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.PENDING)
        .values(status=RecordStatus.CANCELLED, finished_at=now)
    )


def retry_failed(session: Session, batch_id: int, cause: Cause | None = None, *, by: Actor) -> int:
    """Queue the failed articles of a batch again and reopen it, but for those that another batch has in flight. Returns how many.

    With ``cause`` only those that failed of it.

    Raises:
        NotFound: there is no such batch.
        NotPossible: none failed (so), all that failed are in flight elsewhere, or the batch was cancelled.
    """
    by.require(Permission.RUN)
    _hold_launches(session)
    _refuse_cancelled(session, batch_id)
    failed = failed_of(session, batch_id, cause)
    elsewhere = _in_flight_elsewhere(session, batch_id)
    free = [record_id for record_id, article_id in failed.items() if article_id not in elsewhere]
    if not free:
        raise NotPossible(f"The failed articles of batch {batch_id} are {IN_FLIGHT}.")
    retried = session.scalars(
        update(BatchRecord)
        .where(among(BatchRecord.id, free), BatchRecord.status == RecordStatus.FAILED)
        .values(status=RecordStatus.PENDING, attempts=0, error_kind=None, error_message=None, finished_at=None, sent_at=None)
        .returning(BatchRecord.id)
    ).all()
    _become(session, batch_id, BatchStatus.PROCESSING, finished_at=None, **_NOT_PAUSED)
    audit.record(session, by, Action.RETRY, ("run", batch_id), after={"articles": len(retried), "cause": cause.kind if cause else None})
    return len(retried)


def take_out(session: Session, batch_id: int, cause: Cause, *, by: Actor, now: datetime) -> int:
    """Give up the failed articles of one cause; each can still be queued again. Returns how many.

    Raises:
        NotFound: there is no such batch.
        NotPossible: none failed so.
    """
    by.require(Permission.RUN)
    lock(session, batch_id)
    taken = session.scalars(
        update(BatchRecord)
        .where(among(BatchRecord.id, list(failed_of(session, batch_id, cause))), BatchRecord.status == RecordStatus.FAILED)
        .values(status=RecordStatus.CANCELLED, finished_at=func.coalesce(BatchRecord.finished_at, now))
        .returning(BatchRecord.id)
    ).all()
    audit.record(session, by, Action.TAKE_OUT, ("run", batch_id), after={"articles": len(taken), "cause": cause.kind})
    return len(taken)


def failed_of(session: Session, batch_id: int, cause: Cause | None = None) -> dict[int, int]:
    """Articles by record of a batch's failed records, those of one cause or all, without deleted articles.

    Raises:
        NotPossible: there are none.
    """
    rows = session.execute(
        select(BatchRecord.id, BatchRecord.article_id, BatchRecord.error_kind, BatchRecord.error_message)
        .where(BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.FAILED, BatchRecord.article_id.is_not(None))
        .order_by(BatchRecord.position)
    )
    failed = {record: article for record, article, kind, words in rows if article and (cause is None or Cause.of(kind, words) == cause)}
    if not failed:
        raise NotPossible(f"No article of batch {batch_id} failed{' of this any more' if cause else ''}.")
    return failed


def retry_research(session: Session, batch_id: int, article_id: int | None = None, *, by: Actor) -> int:
    """Research again what failed to be researched, keeping the analyses; of one article, or of the whole batch.

    Returns how many articles were queued.

    Raises:
        NotFound: there is no such batch.
        NotPossible: no research of it failed, all of these articles are in flight elsewhere, or the batch was cancelled.
    """
    by.require(Permission.RUN)
    _hold_launches(session)
    _refuse_cancelled(session, batch_id)
    elsewhere = _in_flight_elsewhere(session, batch_id)
    unresearched = (
        select(Analysis.id).join(Signal, Signal.analysis_id == Analysis.id).where(Analysis.batch_id == batch_id, research_failed())
    )
    if article_id is not None:
        unresearched = unresearched.where(Analysis.article_id == article_id)
    failed = dict(session.execute(select(Analysis.article_id, Analysis.id).where(Analysis.id.in_(unresearched))).all())
    if failed and failed.keys() <= elsewhere:
        raise NotPossible(f"The articles whose research failed are {IN_FLIGHT}.")
    free = [analysis_id for article, analysis_id in failed.items() if article not in elsewhere]
    articles = session.scalars(
        update(Analysis).where(among(Analysis.id, free)).values(completed_at=None).returning(Analysis.article_id)
    ).all()
    queued = session.scalars(
        update(BatchRecord)
        .where(BatchRecord.batch_id == batch_id, BatchRecord.article_id.in_(articles), BatchRecord.status == RecordStatus.COMPLETED)
        .values(status=RecordStatus.PENDING, attempts=0, finished_at=None, sent_at=None)
        .returning(BatchRecord.id)
    ).all()
    if not queued:
        raise NotPossible("No research of it failed.")
    reopen(session, batch_id)
    audit.record(session, by, Action.RESEARCH, ("run", batch_id), after={"articles": len(queued)})
    return len(queued)


def requeue(session: Session, record_id: int, *, by: Actor) -> None:
    """Run one article of a batch again: a failed or cancelled one, or one in work whose worker seems stuck.

    Raises:
        NotFound: there is no such record, or its article was deleted.
        NotPossible: it waits already, is done, is in flight in another batch, or its batch was cancelled.
    """
    by.require(Permission.RUN)
    _hold_launches(session)
    record = select(BatchRecord.batch_id, BatchRecord.status, BatchRecord.article_id).where(BatchRecord.id == record_id)
    batch_id = session.scalar(select(BatchRecord.batch_id).where(BatchRecord.id == record_id))
    if batch_id is None:
        raise NotFound("The article does not exist any more.")
    _refuse_cancelled(session, batch_id)
    found = session.execute(record.with_for_update()).one()
    if found.article_id is None:
        raise NotFound("The article was deleted.")
    if found.status not in (RecordStatus.FAILED, RecordStatus.CANCELLED, RecordStatus.PROCESSING):
        raise NotPossible(f"The article can't be queued again: it is {found.status.value}.")
    if found.article_id in _in_flight_elsewhere(session, batch_id):
        raise NotPossible(f"The article can't be queued again: it is {IN_FLIGHT}.")
    session.execute(
        update(BatchRecord)
        .where(BatchRecord.id == record_id)
        .values(
            status=RecordStatus.PENDING,
            attempts=0,
            lease_owner=None,
            lease_expires_at=None,
            sent_at=None,
            finished_at=None,
            error_kind=None,
            error_message=None,
        )
    )
    reopen(session, batch_id)
    facts = {"run": batch_id, "article": found.article_id}
    audit.record(session, by, Action.QUEUE, ("record", record_id), before={"status": found.status}, after=facts)


def reopen(session: Session, batch_id: int) -> None:
    """Let an ended batch run again; a paused one stays paused."""
    if lock(session, batch_id) in (BatchStatus.COMPLETED, BatchStatus.FAILED):
        _become(session, batch_id, BatchStatus.PROCESSING, finished_at=None)


def top_up_and_resume(session: Session, batch_id: int, *, by: Actor) -> Decimal:
    """Add to the budget that paused a batch what the rest of it needs, and resume. Returns the USD added.

    Raises:
        NotFound: there is no such batch.
        NotPossible: it is not paused for want of budget.
    """
    by.require(Permission.MONEY)
    by.require(Permission.RUN)
    lock(session, batch_id)
    state = progress(session, batch_id)
    if state.status is not BatchStatus.PAUSED or state.pause_budget_id is None or state.pause_needs_usd is None:
        raise NotPossible(f"Batch {batch_id} is not paused for want of budget.")
    top_up(session, state.pause_budget_id, state.pause_needs_usd, by=by)
    resume(session, batch_id, by=by)
    return state.pause_needs_usd


def finish_if_done(session: Session, batch_id: int, *, now: datetime) -> bool:
    """End a batch whose records have all ended. Returns whether it has ended (now or before)."""
    try:
        if lock(session, batch_id) not in BatchStatus.open():
            return True
    except NotFound:
        return True
    still_open = exists().where(BatchRecord.batch_id == batch_id, BatchRecord.status.in_(RecordStatus.open()))
    if session.scalar(select(still_open)):
        return False
    counts = progress(session, batch_id).counts
    done = counts[RecordStatus.COMPLETED] or not counts[RecordStatus.FAILED]
    end = BatchStatus.COMPLETED if done else BatchStatus.FAILED
    _become(session, batch_id, end, finished_at=now, **_NOT_PAUSED)
    return True


def to_be_run(session: Session, *, busy: Collection[int] = (), now: datetime) -> list[int]:
    """The batches that may be claimed from and have pending records, oldest first; of the others those that are done are ended.

    ``busy`` are batches that whoever asks is at work on, which it will end itself.
    """
    pending = exists().where(BatchRecord.batch_id == BatchSession.id, BatchRecord.status == RecordStatus.PENDING)
    claimable = select(BatchSession.id, pending).where(BatchSession.status.in_(BatchStatus.claimable())).order_by(BatchSession.id)
    found = session.execute(claimable).all()
    for batch_id, has_pending in found:
        if not has_pending and batch_id not in busy:
            finish_if_done(session, batch_id, now=now)
    return [batch_id for batch_id, has_pending in found if has_pending]


def lock(session: Session, batch_id: int) -> BatchStatus:
    """Hold the batch's row until the transaction ends, and return its status. Batches are locked before their records.

    Raises:
        NotFound: there is no such batch.
    """
    of_batch = select(BatchSession.status).where(BatchSession.id == batch_id)
    status = session.scalar(of_batch.with_for_update(key_share=True))  # which lets calls of the batch be entered meanwhile
    if status is None:
        raise NotFound(f"There is no batch {batch_id}.")
    return status


def _hold_launches(session: Session) -> None:
    """Let nothing be launched until the transaction ends, so that no article comes to run twice. Taken before any batch is locked."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LAUNCH_LOCK})


def _in_flight_elsewhere(session: Session, batch_id: int) -> set[int]:
    """Articles of a batch that wait or are in work in another open one."""
    other, own = aliased(BatchRecord), aliased(BatchRecord)
    found = session.scalars(
        select(other.article_id)
        .join(own, own.article_id == other.article_id)
        .join(BatchSession, BatchSession.id == other.batch_id)
        .where(
            own.batch_id == batch_id,
            other.batch_id != batch_id,
            other.status.in_(RecordStatus.open()),
            BatchSession.status.in_(BatchStatus.open()),
        )
    )
    return {article_id for article_id in found if article_id is not None}


def _become(session: Session, batch_id: int, status: BatchStatus, **values: object) -> None:
    session.execute(update(BatchSession).where(BatchSession.id == batch_id).values(status=status, **values))


def _refuse_unless(status: BatchStatus, allowed: Set[BatchStatus], action: str) -> None:
    if status not in allowed:
        raise NotPossible(f"{action}: it is {status.value}.")


def _refuse_cancelled(session: Session, batch_id: int) -> None:
    if lock(session, batch_id) is BatchStatus.CANCELLED:
        raise NotPossible(f"Batch {batch_id} was cancelled; launch its articles again instead.")
