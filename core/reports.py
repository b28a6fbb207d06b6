"""Reports: the figures behind the Overview. Reads only."""

from dataclasses import dataclass
from datetime import UTC, date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.agents.outputs import SignalKind
from core.article_filter import ArticleFilter, Readiness
from core.articles import counts as count_all
from core.models import (
    BatchRecord,
    BatchSession,
    BatchStatus,
    Decision,
    Publisher,
    PublisherDay,
    RecordStatus,
    Signal,
    SignalDay,
)
from core.paging import Count
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
    decisions = dict(session.execute(select(SignalDay.decision, func.sum(SignalDay.signals)).group_by(SignalDay.decision)).all())
    return Today(
        articles=count_all(session)[0],
        ready=count_articles(session, ArticleFilter(), readiness),
        running=records.get(RecordStatus.PROCESSING, 0),
        waiting=records.get(RecordStatus.PENDING, 0),
        to_review=decisions.get(None, 0),
        accepted=decisions.get(Decision.ACCEPTED, 0),
    )


def signals_by_day(session: Session, *, since: date) -> list[tuple[date, SignalKind, int]]:
    """Signals by the UTC day of their article and by kind."""
    number = func.sum(SignalDay.signals)
    statement = select(SignalDay.day, SignalDay.kind, number).where(SignalDay.day >= since).group_by(SignalDay.day, SignalDay.kind)
    return [
        (day, kind, found) for day, kind, found in session.execute(statement.having(number > 0).order_by(SignalDay.day, SignalDay.kind))
    ]


def newest_article_day(session: Session) -> date | None:
    """The UTC day of the newest article with a signal."""
    newest = session.scalar(select(func.max(Signal.published_at)))
    return newest.astimezone(UTC).date() if newest else None


def publishers_by_signals(session: Session, limit: int = 10) -> list[tuple[str, int, int]]:
    """Publishers with their number of signals and of accepted ones, most first."""
    number, accepted = func.sum(PublisherDay.signals), func.sum(PublisherDay.accepted)
    each = (
        select(PublisherDay.publisher_id, number.label("signals"), accepted.label("accepted"))
        .group_by(PublisherDay.publisher_id)
        .having(number > 0)
        .subquery()
    )
    rows = session.execute(
        select(Publisher.name, each.c.signals, each.c.accepted)
        .join(each, each.c.publisher_id == Publisher.id)
        .order_by(each.c.signals.desc(), Publisher.name)
        .limit(limit)
    )
    return [(name, signals, taken) for name, signals, taken in rows]
