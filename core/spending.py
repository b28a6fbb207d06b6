"""What was spent on what: the roll-ups of the ledger, and what the Budget page reads of them.

The statement that ends calls (``core.ledger``) also appends what they add to ``spend_deltas``; ``fold`` adds that up into one row a day
and group, whenever the supervisor comes by. A read adds both up in one statement, so it shows the ledger's own sums at every moment,
folded or not. Appending locks nothing; folding is done by one process at a time. A group is what the call was for when it ended: an
article or batch that is deleted later keeps its spending here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Subquery, and_, case, cast, func, literal, select, text, true, union, union_all
from sqlalchemy.orm import Session

from core.budget import BudgetState
from core.database import SPENDING_LOCK
from core.forecast import Comparison, Outlook, outlook_of_day, pace_since
from core.models import (
    Article,
    BatchRecord,
    BatchSession,
    BatchStatus,
    LedgerEntry,
    LedgerStatus,
    Publisher,
    RecordStatus,
    SpendBatch,
    SpendDay,
    SpendDelta,
    SpendPublisher,
    SpendSlot,
)

LONGEST = 100
"""Rows of a table of groups."""
COMPARED = 20
LOOKED_AT = 500
"""Newest runs among which the compared ones are looked for: free ones have nothing to compare."""
SUMS = (
    "calls", "released_calls", "unknown_calls", "usd", "unknown_usd", "input_tokens", "cached_tokens", "output_tokens", "thinking_tokens",
    "search_credits",
)  # fmt: skip
_MONEY = ("usd", "unknown_usd", "search_credits")
_GROUPS = {
    "spend_days": ("day", "kind", "agent", "provider", "model"),
    "spend_publishers": ("day", "publisher_id"),
    "spend_batches": ("batch_id", "day", "model"),
    "spend_slots": ("slot",),
}


class Dimension(StrEnum):
    """What spending is told apart by."""

    MODEL = "model"
    AGENT = "agent"
    PUBLISHER = "publisher"
    RUN = "run"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls that have ended, and what they used. Cached tokens are a part of the input's; thinking is not in the output's."""

    calls: int = 0
    released_calls: int = 0
    unknown_calls: int = 0
    usd: Decimal = Decimal(0)
    unknown_usd: Decimal = Decimal(0)
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    search_credits: Decimal = Decimal(0)

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.thinking_tokens


@dataclass(frozen=True, slots=True)
class Group:
    """One group's use. ``key`` is a model, an agent, an id of a publisher or batch (0 for none), a day or a month's first day."""

    key: Any
    name: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Reserved:
    """What calls under way hold."""

    calls: int
    usd: Decimal
    since: datetime | None
    """When the oldest of them began."""


# --- keeping the roll-ups --------------------------------------------------------------------------------------------


def _add(taken: str) -> str:
    """SQL that adds the rows of ``taken``, a list of common table expressions of which the last is so called, to the roll-ups."""

    def into(table: str) -> str:
        keys = ", ".join(_GROUPS[table])
        sums = ("usd",) if table == "spend_slots" else SUMS
        return (
            f"INSERT INTO {table} ({keys}, {', '.join(sums)}) SELECT {keys}, {', '.join(f'sum({name})' for name in sums)}"  # noqa: S608
            f" FROM taken GROUP BY {keys} ON CONFLICT ({keys}) DO UPDATE SET "
            + ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
        )

    ctes = ", ".join(f"into_{table} AS ({into(table)})" for table in _GROUPS if table != "spend_slots")
    return f"WITH {taken}, {ctes} {into('spend_slots')}"


_FOLD = text(_add("taken AS MATERIALIZED (DELETE FROM spend_deltas RETURNING *)"))
_REBUILD = text(
    _add(
        """dropped AS (DELETE FROM spend_deltas), taken AS MATERIALIZED (
    SELECT line.day, date_bin('10 minutes', coalesce(line.settled_at, line.created_at), timestamptz '2000-01-01 00:00Z') AS slot,
           coalesce(line.batch_id, 0) AS batch_id,
           coalesce(articles.publisher_id, 0) AS publisher_id, line.kind, line.agent, line.provider, line.model, count(*) AS calls,
           count(*) FILTER (WHERE line.status = 'RELEASED') AS released_calls,
           count(*) FILTER (WHERE line.status = 'UNKNOWN') AS unknown_calls, sum(line.usd) AS usd,
           coalesce(sum(line.usd) FILTER (WHERE line.status = 'UNKNOWN'), 0) AS unknown_usd, sum(line.input_tokens) AS input_tokens,
           sum(line.cached_tokens) AS cached_tokens, sum(line.output_tokens) AS output_tokens, sum(line.thinking_tokens) AS thinking_tokens,
           sum(line.search_credits) AS search_credits
    FROM ledger_entries AS line LEFT JOIN articles ON articles.id = line.article_id
    WHERE line.status <> 'RESERVED' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)"""
    )
)


def fold(session: Session) -> bool:
    """Add what was appended up into the roll-ups. Returns False where another process is at it."""
    if not session.scalar(select(func.pg_try_advisory_xact_lock(SPENDING_LOCK))):
        return False
    session.execute(_FOLD)
    return True


def rebuild(session: Session) -> None:
    """Make the roll-ups anew from the ledger, after something wrote it that does not keep them (a bulk load, a repair by hand).

    Calls may go on meanwhile: the second statement sees an entry and what it appended, or neither.
    """
    session.execute(select(func.pg_advisory_xact_lock(SPENDING_LOCK)))
    for table in (SpendDay, SpendPublisher, SpendBatch, SpendSlot):
        session.execute(table.__table__.delete())  # type: ignore[attr-defined]
    session.execute(_REBUILD)


# --- reading ---------------------------------------------------------------------------------------------------------


def usage(session: Session, *, since: date, until: date = date.max) -> Usage:
    """Everything from one UTC day to another."""
    days = _days(since)
    return Usage(*session.execute(select(*_sums(days)).where(days.c.day <= until)).one())


def by(session: Session, dimension: Dimension, *, since: date, until: date = date.max) -> list[Group]:
    """Spending from one UTC day to another, told apart: dearest first, then most called; days and months newest first.

    At most ``LONGEST`` groups.
    """
    rows = _of(dimension, since)
    key = _key(dimension, rows)
    sums = _sums(rows)
    order = (key.desc(),) if dimension in (Dimension.DAY, Dimension.MONTH) else (sums[SUMS.index("usd")].desc(), sums[0].desc(), key)
    grouped = select(key, *sums).where(rows.c.day <= until).group_by(key)
    found = session.execute(grouped.order_by(*order).limit(LONGEST)).all()
    names = _publishers(session, [row[0] for row in found]) if dimension is Dimension.PUBLISHER else {}
    return [Group(row[0], _name(dimension, row[0], names), Usage(*row[1:])) for row in found]


def by_day(session: Session, dimension: Dimension, keys: list[Any], *, since: date) -> list[tuple[date, Any, Decimal, int]]:
    """UTC day, key, USD and calls of the groups with these keys; all others together are under None."""
    rows = _of(dimension, since)
    if dimension in (Dimension.DAY, Dimension.MONTH):
        key: ColumnElement[Any] = literal(None)
    else:
        own = _key(dimension, rows)
        key = case((own.in_(keys), own))
    statement = select(rows.c.day, key.label("key"), func.sum(rows.c.usd), cast(func.sum(rows.c.calls), BigInteger))
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(statement.group_by(rows.c.day, "key").order_by(rows.c.day))]


def usage_by_day(session: Session, *, since: date) -> list[tuple[date, Usage]]:
    """Each UTC day with a call."""
    rows = _days(since)
    found = session.execute(select(rows.c.day, *_sums(rows)).group_by(rows.c.day).order_by(rows.c.day))
    return [(row[0], Usage(*row[1:])) for row in found]


def in_all(days: Sequence[tuple[date, Usage]]) -> Usage:
    """All of these days together. Pure."""
    together: dict[str, Any] = {name: sum((getattr(used, name) for _, used in days), getattr(Usage(), name)) for name in SUMS}
    return Usage(**together)


def usd_by_slot(session: Session, *, since: datetime) -> dict[datetime, Decimal]:
    """USD by the ten minutes in which calls ended."""
    rows = _both(SpendSlot, ("slot", "usd"), SpendSlot.slot >= since, SpendDelta.slot >= since)
    return dict(session.execute(select(rows.c.slot, func.sum(rows.c.usd)).group_by(rows.c.slot)).all())


def outlook_today(session: Session, budget: BudgetState, now: datetime) -> Outlook:
    """How today goes on. ``budget`` is that of the day."""
    return outlook_of_day(budget.limit, budget.spent, now, usd_by_slot(session, since=pace_since(now)))


def calls_by_provider(session: Session) -> dict[str, Usage]:
    """All calls ever that have ended, by provider."""
    folded = (*_GROUPS["spend_days"], *SUMS)
    rows = _both(SpendDay, folded, true(), true())
    found = session.execute(select(rows.c.provider, *_sums(rows)).group_by(rows.c.provider).order_by(rows.c.provider))
    return {row[0]: Usage(*row[1:]) for row in found}


def first_day(session: Session) -> date | None:
    """The first UTC day with a call."""
    days = [session.scalar(select(func.min(table.day))) for table in (SpendDay, SpendDelta)]
    return min((day for day in days if day), default=None)


def calls_ended(session: Session, *, agent: str | None = None, model: str | None = None, day: date | None = None) -> Usage:
    """All calls ever of an agent, a model or a day, or of all together."""
    given = {"agent": agent, "model": model, "day": day}
    rows = _both(
        SpendDay,
        SUMS,
        and_(true(), *(getattr(SpendDay, name) == value for name, value in given.items() if value is not None)),
        and_(true(), *(getattr(SpendDelta, name) == value for name, value in given.items() if value is not None)),
    )
    return Usage(*session.execute(select(*_sums(rows))).one())


def names(session: Session) -> tuple[list[str], list[str]]:
    """The models and the agents that calls have ended of."""
    found = session.execute(union(select(SpendDay.model, SpendDay.agent), select(SpendDelta.model, SpendDelta.agent))).all()
    return sorted({row.model for row in found}), sorted({row.agent for row in found})


def usd_by_batch(session: Session, batch_ids: list[int]) -> dict[int, Decimal]:
    """USD that each of these batches has spent; one without a call is not in it."""
    columns = ("batch_id", "usd")
    rows = _both(SpendBatch, columns, SpendBatch.batch_id.in_(batch_ids), SpendDelta.batch_id.in_(batch_ids))
    return dict(session.execute(select(rows.c.batch_id, func.sum(rows.c.usd)).group_by(rows.c.batch_id)).all())


def batch_spending(since: date | None) -> Subquery:
    """``batch_id``, ``model``, ``usd`` and ``unknown_usd`` of what was paid for from a UTC day on; several rows a batch."""
    folded, fresh = [SpendBatch.usd > 0], [SpendDelta.usd > 0]
    if since is not None:
        folded, fresh = [*folded, SpendBatch.day >= since], [*fresh, SpendDelta.day >= since]
    columns = ("batch_id", "model", "usd", "unknown_usd")
    return union_all(
        *(
            select(*[getattr(table, name) for name in columns]).where(*conditions)
            for table, conditions in ((SpendBatch, folded), (SpendDelta, fresh))
        )
    ).subquery()


def reserved(session: Session) -> Reserved:
    """What calls under way hold now, free ones included."""
    columns = (func.count(), func.coalesce(func.sum(LedgerEntry.reserved_usd), 0), func.min(LedgerEntry.created_at))
    return Reserved(*session.execute(select(*columns).where(LedgerEntry.status == LedgerStatus.RESERVED)).one())


def reserved_by(session: Session, dimension: Dimension) -> dict[Any, Decimal]:
    """USD that calls under way hold, by the keys that ``by`` uses. There are never more of them than calls in flight."""
    key: dict[Dimension, Any] = {
        Dimension.MODEL: LedgerEntry.model,
        Dimension.AGENT: LedgerEntry.agent,
        Dimension.RUN: func.coalesce(LedgerEntry.batch_id, 0),
        Dimension.DAY: LedgerEntry.day,
        Dimension.MONTH: _month(LedgerEntry.day),
        Dimension.PUBLISHER: func.coalesce(_publisher_of_entry(), 0),
    }
    held = select(key[dimension].label("key"), LedgerEntry.reserved_usd).where(LedgerEntry.status == LedgerStatus.RESERVED).subquery()
    return dict(session.execute(select(held.c.key, func.sum(held.c.reserved_usd)).group_by(held.c.key)).all())


def completed_articles(session: Session, *, since: date) -> int:
    """Articles completed so far in the batches that made a call from a UTC day on."""
    batches = union_all(
        select(SpendBatch.batch_id).where(SpendBatch.day >= since), select(SpendDelta.batch_id).where(SpendDelta.day >= since)
    ).subquery()
    done = select(func.count()).where(BatchRecord.status == RecordStatus.COMPLETED, BatchRecord.batch_id.in_(select(batches.c.batch_id)))
    return session.scalar(done) or 0


def comparisons(session: Session) -> list[Comparison]:
    """The last ``COMPARED`` runs that ran to their end and were to cost something, newest first: estimate at launch against actual."""
    newest = select(BatchSession).order_by(BatchSession.id.desc()).limit(LOOKED_AT).subquery()
    estimated = newest.c.estimate["usd"].astext.cast(SpendDay.usd.type)
    found = session.execute(
        select(newest.c.id, newest.c.created_at, newest.c.configuration["model"].astext, newest.c.estimate["articles"].astext, estimated)
        .where(newest.c.status.in_((BatchStatus.COMPLETED, BatchStatus.FAILED)), estimated > 0)
        .order_by(newest.c.id.desc())
        .limit(COMPARED)
    ).all()
    ids = [row[0] for row in found]
    spent = usd_by_batch(session, ids)
    done = select(BatchRecord.batch_id, func.count()).where(BatchRecord.batch_id.in_(ids), BatchRecord.status == RecordStatus.COMPLETED)
    completed: dict[int, int] = dict(session.execute(done.group_by(BatchRecord.batch_id)).all())
    return [
        Comparison(id_, created_at, model, int(articles or 0), completed.get(id_, 0), usd, spent.get(id_, Decimal(0)))
        for id_, created_at, model, articles, usd in found
    ]


def _both(folded: Any, columns: tuple[str, ...], of_folded: ColumnElement[bool], of_fresh: ColumnElement[bool]) -> Subquery:
    """A roll-up with what waits to be folded into it."""
    return union_all(
        select(*[getattr(folded, name) for name in columns]).where(of_folded),
        select(*[getattr(SpendDelta, name) for name in columns]).where(of_fresh),
    ).subquery()


@lru_cache(maxsize=64)
def _days(since: date) -> Subquery:
    return _both(SpendDay, (*_GROUPS["spend_days"], *SUMS), SpendDay.day >= since, SpendDelta.day >= since)


@lru_cache(maxsize=64)
def _of(dimension: Dimension, since: date) -> Subquery:
    """The roll-up that tells a dimension apart."""
    if dimension is Dimension.RUN:
        return _both(SpendBatch, (*_GROUPS["spend_batches"], *SUMS), SpendBatch.day >= since, SpendDelta.day >= since)
    if dimension is Dimension.PUBLISHER:
        return _both(SpendPublisher, (*_GROUPS["spend_publishers"], *SUMS), SpendPublisher.day >= since, SpendDelta.day >= since)
    return _days(since)


@lru_cache(maxsize=64)
def _sums(rows: Subquery) -> tuple[ColumnElement[Any], ...]:
    return tuple(
        func.coalesce(func.sum(rows.c[name]), 0) if name in _MONEY else cast(func.coalesce(func.sum(rows.c[name]), 0), BigInteger)
        for name in SUMS
    )


def _key(dimension: Dimension, rows: Subquery) -> ColumnElement[Any]:
    keys: dict[Dimension, Any] = {Dimension.PUBLISHER: "publisher_id", Dimension.RUN: "batch_id"}
    return _month(rows.c.day) if dimension is Dimension.MONTH else rows.c[keys.get(dimension, dimension.value)]


def _month(day: Any) -> ColumnElement[date]:
    return cast(func.date_trunc("month", day), SpendDay.day.type)


def _publisher_of_entry() -> Any:
    return select(Article.publisher_id).where(Article.id == LedgerEntry.article_id).correlate(LedgerEntry).scalar_subquery()


def _publishers(session: Session, ids: list[int]) -> dict[int, str]:
    return dict(session.execute(select(Publisher.id, Publisher.name).where(Publisher.id.in_(ids))).all())


def _name(dimension: Dimension, key: Any, publishers: dict[int, str]) -> str:
    if dimension is Dimension.PUBLISHER:
        return publishers.get(key, "none" if key == 0 else "deleted")
    if dimension is Dimension.RUN:
        return f"#{key}" if key else "none"
    return f"{key:%Y-%m}" if dimension is Dimension.MONTH else str(key)
