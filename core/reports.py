"""Reports: the figures behind the Overview. Reads only."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.agents.outputs import SignalKind
from core.models import (
    Article,
    BatchRecord,
    BatchSession,
    BatchStatus,
    Decision,
    Publisher,
    RecordStatus,
    Signal,
)
from core.selection import ArticleFilter, Count, Readiness
from core.selection import count as count_articles


@dataclass(frozen=True, slots=True)
class Today:
    """What an analyst wants to know first."""

    articles: int
    ready: Count
    running: int
    waiting: int
    to_review: int
    accepted: int


def today(session: Session, readiness: Readiness) -> Today:
    """The counts at the top of the Overview."""
    records = dict(
        session.execute(
            select(BatchRecord.status, func.count())
            .join(BatchSession, BatchSession.id == BatchRecord.batch_id)
            .where(BatchSession.status.in_(BatchStatus.open()), BatchRecord.status.in_(RecordStatus.open()))
            .group_by(BatchRecord.status)
        ).all()
    )
    decisions = dict(session.execute(select(Signal.decision, func.count()).group_by(Signal.decision)).all())
    return Today(
        articles=session.scalar(select(func.count()).select_from(Article)) or 0,
        ready=count_articles(session, ArticleFilter(), readiness),
        running=records.get(RecordStatus.PROCESSING, 0),
        waiting=records.get(RecordStatus.PENDING, 0),
        to_review=decisions.get(None, 0),
        accepted=decisions.get(Decision.ACCEPTED, 0),
    )


def signals_by_day(session: Session, *, since: date) -> list[tuple[date, SignalKind, int]]:
    """Signals by the UTC day of their article and by kind."""
    day = func.date(func.timezone("UTC", Article.published_at))
    rows = session.execute(
        select(day, Signal.kind, func.count())
        .join(Article, Article.id == Signal.article_id)
        .where(Article.published_at >= since)
        .group_by(day, Signal.kind)
        .order_by(day, Signal.kind)
    )
    return list(rows)


def newest_article_day(session: Session) -> date | None:
    """The UTC day of the newest article with a signal."""
    newest = session.scalar(select(func.max(Article.published_at)).where(Article.id.in_(select(Signal.article_id))))
    return newest.date() if newest else None


def publishers_by_signals(session: Session, limit: int = 10) -> list[tuple[str, int, int]]:
    """Publishers with their number of signals and of accepted ones, most first."""
    rows = session.execute(
        select(Publisher.name, func.count(), func.count().filter(Signal.decision == Decision.ACCEPTED))
        .select_from(Signal)
        .join(Article, Article.id == Signal.article_id)
        .join(Publisher, Publisher.id == Article.publisher_id)
        .group_by(Publisher.name)
        .order_by(func.count().desc(), Publisher.name)
        .limit(limit)
    )
    return list(rows)
