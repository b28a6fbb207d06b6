"""The audit log: who decided, or changed money, settings or access, when, and what stood before and after.

``record`` is called in the transaction of the change, so that there is neither a change without its entry nor an entry without its
change. Nothing that was written is changed or deleted: the database refuses it. No secret is ever written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_jsonable_python
from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.orm import Session

from core.access import Actor
from core.models import AuditEntry, table_of
from core.paging import COUNT_BOUND, Count, Key, Page, Place, beyond, ordered_by, walk

NAMED_AT_MOST = 100
"""Ids of many things at once that an entry names; it always says how many there were."""


class Action(StrEnum):
    """What was done, by the thing that it was done to."""

    DECIDE = "review.decide"
    CORRECT = "review.correct"
    NOTE = "review.note"
    UNDO = "review.undo"
    DECIDE_ALL = "review.decide all"
    UNDO_ALL = "review.undo all"
    LAUNCH = "run.launch"
    PAUSE = "run.pause"
    STOP = "run.stop at once"
    RESUME = "run.resume"
    CANCEL = "run.cancel"
    RETRY = "run.retry"
    RESEARCH = "run.research again"
    QUEUE = "run.queue again"
    TAKE_OUT = "run.take out"
    CHANGE_LIMIT = "limit.change"
    TOP_UP = "limit.top up"
    UNDO_LIMIT = "limit.undo"
    SAVE_SETTING = "setting.save"
    RESET_SETTING = "setting.reset"
    PRIORITY = "publisher.priority"
    AUTHORITY = "web sources.change"
    ARCHIVE = "article.archive"
    RESTORE = "article.restore"
    DELETE = "article.delete"
    FEED = "feed.change"
    SWITCH_JOB = "schedule.change"
    RUN_JOB = "schedule.run now"
    BEGIN_IMPORT = "import.begin"
    END_IMPORT = "import.end"
    PRICES = "import.prices"
    SET_ROLE = "role.set"
    REMOVE_ROLE = "role.remove"
    CREATE_TOKEN = "token.create"  # noqa: S105 - no password
    REVOKE_TOKEN = "token.revoke"  # noqa: S105
    BACK_UP = "backup.write"
    RESTORE_BACKUP = "backup.restore"


class AuditFilter(BaseModel):
    """Which entries; an empty one lets all through."""

    model_config = ConfigDict(frozen=True)

    actor: str | None = None
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as the list shows it."""

    id: int
    at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def record(
    session: Session,
    actor: Actor,
    action: Action,
    subject: tuple[str, object],
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry, in the transaction of the change. ``subject`` is a kind and an id; values may be of any plain type."""
    kind, id_ = subject
    values = {"before": to_jsonable_python(before), "after": to_jsonable_python(after)}
    session.execute(
        insert(table_of(AuditEntry)).values(actor=actor.name, action=action.value, subject_kind=kind, subject_id=str(id_)[:300], **values)
    )


def several(ids: Iterable[int]) -> dict[str, Any]:
    """Many things in an entry: how many, and the first of them by name."""
    known = list(ids)
    return {"number": len(known), "ids": known[:NAMED_AT_MOST]}


def page(session: Session, chosen: AuditFilter, place: Place, *, size: int) -> Page[Entry]:
    """A page of the entries that match, newest first."""

    def fetch(key: Key | None, back: bool, limit: int) -> list[tuple[Key, Entry]]:
        columns = (AuditEntry.id,)
        statement = (
            select(*[getattr(AuditEntry, name) for name in Entry.__dataclass_fields__])
            .where(*_conditions(chosen), *beyond(columns, key, falls=True, back=back))
            .order_by(*ordered_by(columns, falls=True, back=back))
            .limit(limit)
        )
        return [((row["id"],), Entry(**row)) for row in session.execute(statement).mappings()]

    return walk([fetch], place, size)


def count(session: Session, chosen: AuditFilter) -> Count:
    """How many entries match, exact up to ``COUNT_BOUND``."""
    bounded = select(AuditEntry.id).where(*_conditions(chosen)).limit(COUNT_BOUND + 1).subquery()
    found = session.scalar(select(func.count()).select_from(bounded)) or 0
    return Count(min(found, COUNT_BOUND), found <= COUNT_BOUND)


def actors(session: Session) -> list[str]:
    """Everybody who has an entry, by name."""
    name = select(func.min(AuditEntry.actor).label("name")).cte("names", recursive=True)  # from one to the next by the index
    later = select(func.min(AuditEntry.actor)).where(AuditEntry.actor > name.c.name).scalar_subquery()
    names = name.union_all(select(later).where(name.c.name.is_not(None)))
    return list(session.scalars(select(names.c.name).where(names.c.name.is_not(None)).order_by(names.c.name)))


def _conditions(chosen: AuditFilter) -> list[ColumnElement[bool]]:
    columns: dict[str, Any] = {"actor": AuditEntry.actor, "action": AuditEntry.action}
    return [columns[name] == value for name, value in chosen if value is not None]
