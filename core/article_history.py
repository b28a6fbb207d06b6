"""What became of one article: the runs it was in, how each ended, and what it cost there. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.models import BatchRecord, BatchSession, LedgerEntry, RecordStatus

RECENT = 50


@dataclass(frozen=True, slots=True)
class ArticleRun:
    """One article in one run."""

    batch_id: int
    status: RecordStatus
    model: str
    reason: str
    """Why it failed or was left out; empty otherwise."""
    attempts: int
    launched_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    calls: int
    usd: Decimal
    """What its calls cost, in USD; a call still in the air counts with what is reserved for it only once it has ended."""


def runs_of(session: Session, article_id: int, limit: int = RECENT) -> list[ArticleRun]:
    """The runs an article was in, the newest first, up to ``limit``."""
    spent = (
        select(LedgerEntry.batch_id, func.count().label("calls"), func.sum(LedgerEntry.usd).label("usd"))
        .where(LedgerEntry.article_id == article_id)
        .group_by(LedgerEntry.batch_id)
        .subquery()
    )
    rows = session.execute(
        select(
            BatchRecord.batch_id,
            BatchRecord.status,
            BatchSession.configuration["model"].as_string().label("model"),
            func.coalesce(BatchRecord.error_message, BatchRecord.skip_reason, "").label("reason"),
            BatchRecord.attempts,
            BatchSession.created_at.label("launched_at"),
            BatchRecord.started_at,
            BatchRecord.finished_at,
            func.coalesce(spent.c.calls, 0).label("calls"),
            func.coalesce(spent.c.usd, 0).label("usd"),
        )
        .join(BatchSession, BatchSession.id == BatchRecord.batch_id)
        .outerjoin(spent, spent.c.batch_id == BatchRecord.batch_id)
        .where(BatchRecord.article_id == article_id)
        .order_by(BatchRecord.batch_id.desc())
        .limit(limit)
    )
    return [ArticleRun(**row) for row in rows.mappings()]
