"""The ledger line by line: a page of it by a filter, newest first, and how many lines there are. Reads only.

Lines are ordered by id, the order in which they were entered, so that every filter has an index that ends with the order.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
from sqlalchemy.orm import Session

from core.models import LedgerEntry, LedgerKind, LedgerStatus
from core.paging import COUNT_BOUND, Count
from core.spending import calls_ended

MOST_ID = 2**63 - 1


class LedgerFilter(BaseModel):
    """Which lines; an empty one lets all through."""

    model_config = ConfigDict(frozen=True)

    status: LedgerStatus | None = None
    agent: str | None = None
    model: str | None = None
    batch_id: int | None = None
    day: date | None = None
    """The UTC day whose budget the line counts against."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger."""

    id: int
    created_at: datetime
    settled_at: datetime | None
    day: date
    status: LedgerStatus
    kind: LedgerKind
    agent: str
    provider: str
    model: str
    batch_id: int | None
    article_id: int | None
    attempt: int
    reserved_usd: Decimal
    usd: Decimal
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    thinking_tokens: int
    search_credits: Decimal
    error_message: str | None


def conditions(chosen: LedgerFilter) -> list[ColumnElement[bool]]:
    """What lines have to meet."""
    columns: dict[str, Any] = {name: getattr(LedgerEntry, name) for name in LedgerFilter.model_fields}
    return [columns[name] == value for name, value in chosen if value is not None]


def page(session: Session, chosen: LedgerFilter, *, size: int, before: int | None = None, after: int | None = None) -> list[Line]:
    """``size`` lines, newest first: the next older than line ``before``, or the next newer than line ``after``."""
    found = session.execute(statement(chosen, size=size, before=before, after=after)).mappings()
    lines = [Line(**row) for row in found]
    return lines[::-1] if after is not None else lines


def statement(chosen: LedgerFilter, *, size: int, before: int | None = None, after: int | None = None) -> Select[Any]:
    """What ``page`` reads; with ``after`` the oldest comes first."""
    found = select(*[getattr(LedgerEntry, name) for name in Line.__dataclass_fields__]).limit(size)
    order: list[Any] = [LedgerEntry.id]
    if chosen.model is not None and chosen.batch_id is None and chosen.day is None:
        # Said as a range of the index on both: the planner would walk the whole ledger by id for a model that was used long ago.
        both = tuple_(LedgerEntry.model, LedgerEntry.id)
        found = found.where(both >= tuple_(literal(chosen.model), literal(0)), both <= tuple_(literal(chosen.model), literal(MOST_ID)))
        chosen = chosen.model_copy(update={"model": None})
        order = [LedgerEntry.model, LedgerEntry.id]
    found = found.where(*conditions(chosen))
    if after is not None:
        return found.where(LedgerEntry.id > after).order_by(*order)
    found = found.order_by(*(column.desc() for column in order))
    return found.where(LedgerEntry.id < before) if before is not None else found


def count(session: Session, chosen: LedgerFilter) -> Count:
    """How many lines there are: of a batch exact up to ``COUNT_BOUND``, else always, since the roll-up knows those that have ended."""
    if chosen.batch_id is not None:
        bounded = select(LedgerEntry.id).where(*conditions(chosen)).limit(COUNT_BOUND + 1).subquery()
        found = session.scalar(select(func.count()).select_from(bounded)) or 0
        return Count(min(found, COUNT_BOUND), found <= COUNT_BOUND)
    open_ones = chosen.model_copy(update={"status": LedgerStatus.RESERVED})
    reserved = session.scalar(select(func.count()).select_from(LedgerEntry).where(*conditions(open_ones))) or 0
    ended = calls_ended(session, agent=chosen.agent, model=chosen.model, day=chosen.day)
    of_status = {
        None: ended.calls + reserved,
        LedgerStatus.RESERVED: reserved,
        LedgerStatus.RELEASED: ended.released_calls,
        LedgerStatus.UNKNOWN: ended.unknown_calls,
        LedgerStatus.SETTLED: ended.calls - ended.released_calls - ended.unknown_calls,
    }
    return Count(of_status[chosen.status], exact=True)
