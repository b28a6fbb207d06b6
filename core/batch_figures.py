"""How well one batch goes: time, signal strength, success and retries. Reads one batch's own rows only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.batches import Progress
from core.models import Analysis, LedgerEntry, RecordStatus


@dataclass(frozen=True, slots=True)
class Quality:
    """What a batch's articles came to. Shares are 0..1; None where there is nothing to take them of."""

    signal_strength: float | None
    """Mean of its analyses, 0..1."""
    success_rate: float | None
    """Completed, of the articles that ran to an end."""
    retry_rate: float | None
    """Calls that repeated one that had failed, of all calls."""
    calls: int


def quality(session: Session, progress: Progress) -> Quality:
    """The quality of a batch so far."""
    completed, failed = (progress.counts[status] for status in (RecordStatus.COMPLETED, RecordStatus.FAILED))
    strength = session.scalar(select(func.avg(Analysis.signal_strength)).where(Analysis.batch_id == progress.id))
    of_batch = select(func.count(), func.count().filter(LedgerEntry.attempt > 1)).where(LedgerEntry.batch_id == progress.id)
    calls, repeated = session.execute(of_batch).one()
    return Quality(
        signal_strength=None if strength is None else float(strength),
        success_rate=completed / (completed + failed) if completed + failed else None,
        retry_rate=repeated / calls if calls else None,
        calls=calls,
    )


def elapsed_seconds(progress: Progress, now: datetime) -> float:
    """From the first claim (or the launch) to the end, or to now."""
    return max(((progress.finished_at or now) - (progress.started_at or progress.created_at)).total_seconds(), 0.0)
