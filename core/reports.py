"""Reports: the figures behind the Overview and Budget pages. Reads only."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.agents.outputs import SignalKind
from core.article_filter import ArticleFilter, Readiness
from core.articles import counts as count_all
from core.budget import BudgetState
from core.models import (
    BatchRecord,
    BatchSession,
    BatchStatus,
    Budget,
    BudgetEvent,
    BudgetEventKind,
    BudgetScope,
    Decision,
    LedgerEntry,
    LedgerKind,
    LedgerStatus,
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


@dataclass(frozen=True, slots=True)
class Spend:
    """A group's use of money, tokens and credits."""

    key: str
    calls: int
    input_tokens: int
    output_tokens: int
    search_credits: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A line of the ledger."""

    id: int
    created_at: datetime
    status: LedgerStatus
    kind: LedgerKind
    agent: str
    provider: str
    model: str
    batch_id: int | None
    record_id: int | None
    article_id: int | None
    attempt: int
    reserved_usd: Decimal
    usd: Decimal
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    thinking_tokens: int
    search_credits: Decimal
    error_kind: str | None
    error_message: str | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class BudgetEventRow:
    """An alert, a top-up or a change of limit, for a list."""

    created_at: datetime
    scope: BudgetScope
    key: str
    kind: BudgetEventKind
    threshold: int | None
    amount_usd: Decimal | None
    made_by: str


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
    rows = session.execute(
        select(Publisher.name, number, accepted)
        .join(Publisher, Publisher.id == PublisherDay.publisher_id)
        .group_by(Publisher.name)
        .having(number > 0)
        .order_by(number.desc(), Publisher.name)
        .limit(limit)
    )
    return [(name, signals, taken) for name, signals, taken in rows]


def spend_by_day(session: Session, *, since: date) -> list[tuple[date, str, Decimal]]:
    """USD by UTC day and model; today's reservations are not in it."""
    rows = session.execute(
        select(LedgerEntry.day, LedgerEntry.model, func.sum(LedgerEntry.usd))
        .where(LedgerEntry.day >= since, LedgerEntry.status != LedgerStatus.RESERVED)
        .group_by(LedgerEntry.day, LedgerEntry.model)
        .order_by(LedgerEntry.day, LedgerEntry.model)
    )
    return list(rows)


def spend_by(session: Session, column: str, *, since: date) -> list[Spend]:
    """Spend grouped by ``day``, ``model``, ``agent`` or ``batch_id``, most expensive first."""
    key = {"day": LedgerEntry.day, "model": LedgerEntry.model, "agent": LedgerEntry.agent, "batch_id": LedgerEntry.batch_id}[column]
    rows = session.execute(
        select(
            key,
            func.count(),
            func.sum(LedgerEntry.input_tokens),
            func.sum(LedgerEntry.output_tokens + LedgerEntry.thinking_tokens),
            func.sum(LedgerEntry.search_credits),
            func.sum(LedgerEntry.usd),
        )
        .where(LedgerEntry.day >= since, LedgerEntry.status != LedgerStatus.RESERVED)
        .group_by(key)
        .order_by(func.sum(LedgerEntry.usd).desc(), func.count().desc())
    )
    return [Spend(str(row[0]), *row[1:]) for row in rows]


def ledger_page(session: Session, *, offset: int = 0, size: int = 100, batch_id: int | None = None) -> list[LedgerRow]:
    """A page of the ledger, newest first."""
    columns = [getattr(LedgerEntry, name) for name in LedgerRow.__dataclass_fields__]
    statement = select(*columns).order_by(LedgerEntry.created_at.desc(), LedgerEntry.id.desc()).offset(offset).limit(size)
    if batch_id is not None:
        statement = statement.where(LedgerEntry.batch_id == batch_id)
    return [LedgerRow(**row) for row in session.execute(statement).mappings()]


def budget_events(session: Session, limit: int = 50) -> list[BudgetEventRow]:
    """Alerts, top-ups and changes of limits, newest first."""
    rows = session.execute(
        select(
            BudgetEvent.created_at,
            Budget.scope,
            Budget.key,
            BudgetEvent.kind,
            BudgetEvent.threshold,
            BudgetEvent.amount_usd,
            BudgetEvent.made_by,
        )
        .join(Budget, Budget.id == BudgetEvent.budget_id)
        .order_by(BudgetEvent.id.desc())
        .limit(limit)
    )
    return [BudgetEventRow(*row) for row in rows]


def burn_rate(state: BudgetState, now: datetime) -> Decimal:
    """USD that the day will have cost at its pace so far; what is spent already in the day's first hour."""
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    elapsed = now - start
    if elapsed < timedelta(hours=1):
        return state.spent
    return state.spent * Decimal(timedelta(days=1) / elapsed)
