"""The limits of the budgets: changed, topped up and changed back, each on the record. Beside it, what a change would do. Pure but for I/O.

Every change of a limit, from whatever screen or command, goes through ``_change``.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.budget import ALERT_THRESHOLDS, ZERO, BudgetState, budget_states, usd
from core.errors import NotFound, NotPossible
from core.models import BatchSession, BatchStatus, Budget, BudgetEvent, BudgetEventKind, BudgetScope

MOST = Decimal(999_999)
"""USD that a limit can be, by its column."""


@dataclass(frozen=True, slots=True)
class Event:
    """An alert, a top-up or a change of limit, for a list."""

    id: int
    created_at: datetime
    scope: BudgetScope
    key: str
    kind: BudgetEventKind
    threshold: int | None
    amount: Decimal | None
    before: Decimal | None
    made_by: str
    told_at: datetime | None
    undoes: int | None
    newest: bool
    """Whether the limit is still the one that this change made it."""

    @property
    def after(self) -> Decimal | None:
        """The limit after a top-up or a change, where it is known."""
        if self.kind is BudgetEventKind.TOP_UP:
            return None if self.before is None or self.amount is None else self.before + self.amount
        return self.amount

    @property
    def can_be_undone(self) -> bool:
        return self.newest and self.before is not None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a new limit would do to a budget."""

    room: Decimal
    """USD left then."""
    over: Decimal
    """USD spent and reserved beyond the new limit: nothing more is let through."""
    passes: tuple[int, ...]
    """Alert thresholds (percent) that what is spent already lies beyond."""


def effect(state: BudgetState, limit: Decimal) -> Effect:
    """What setting the limit of a budget does. Pure."""
    used = state.spent + state.reserved
    passed = tuple(threshold for threshold in ALERT_THRESHOLDS if state.spent and state.spent * 100 >= threshold * limit)
    return Effect(max(limit - used, ZERO), max(used - limit, ZERO), passed)


def change_limit(session: Session, budget_id: int, limit: Decimal, *, by: Actor) -> int:
    """Set a budget's limit (USD); what is spent and reserved already stays. Returns the id of the change, to undo it by.

    Raises:
        NotFound: there is no such budget.
        NotPossible: the limit is below zero or above ``MOST``.
    """
    by.require(Permission.MONEY)
    return _change(session, budget_id, BudgetEventKind.LIMIT, limit, by)


def top_up(session: Session, budget_id: int, amount: Decimal, *, by: Actor) -> int:
    """Add USD to a budget's limit, on the record. Returns the id of the change.

    Raises:
        NotFound, NotPossible: as ``change_limit``.
    """
    by.require(Permission.MONEY)
    return _change(session, budget_id, BudgetEventKind.TOP_UP, amount, by)


def undo(session: Session, event_id: int, *, by: Actor) -> Decimal:
    """Give a budget the limit back that it had before a change; one more change, on the record. Returns that limit (USD).

    Raises:
        NotFound: there is no such change.
        NotPossible: the limit was changed again since, or what it was before is not known.
    """
    by.require(Permission.MONEY)
    event = session.get(BudgetEvent, event_id)
    if event is None or event.kind is BudgetEventKind.ALERT:
        raise NotFound(f"There is no change {event_id} of a limit.")
    session.execute(select(Budget.id).where(Budget.id == event.budget_id).with_for_update())
    newest = session.scalar(
        select(func.max(BudgetEvent.id)).where(BudgetEvent.budget_id == event.budget_id, BudgetEvent.kind != BudgetEventKind.ALERT)
    )
    if newest != event_id:
        raise NotPossible("This limit was changed again since. Set it to what it should be instead.")
    if event.before_usd is None:
        raise NotPossible("What this limit was before is not on record. Set it to what it should be instead.")
    _change(session, event.budget_id, BudgetEventKind.LIMIT, event.before_usd, by, undoes=event_id)
    return event.before_usd


def events(session: Session, *, size: int, kinds: tuple[BudgetEventKind, ...] = (), before: int | None = None) -> list[Event]:
    """Alerts, top-ups and changes of limits, newest first: ``size`` of them, older than event ``before``."""
    later = select(func.max(BudgetEvent.id)).where(BudgetEvent.kind != BudgetEventKind.ALERT).group_by(BudgetEvent.budget_id)
    statement = (
        select(
            BudgetEvent.id,
            BudgetEvent.created_at,
            Budget.scope,
            Budget.key,
            BudgetEvent.kind,
            BudgetEvent.threshold,
            BudgetEvent.amount_usd.label("amount"),
            BudgetEvent.before_usd.label("before"),
            BudgetEvent.made_by,
            BudgetEvent.told_at,
            BudgetEvent.undoes,
            BudgetEvent.id.in_(later).label("newest"),
        )
        .join(Budget, Budget.id == BudgetEvent.budget_id)
        .order_by(BudgetEvent.id.desc())
        .limit(size)
    )
    if kinds:
        statement = statement.where(BudgetEvent.kind.in_(kinds))
    if before is not None:
        statement = statement.where(BudgetEvent.id < before)
    return [Event(**row) for row in session.execute(statement).mappings()]


def open_batch_budgets(session: Session) -> list[BudgetState]:
    """The budgets of the batches that have not ended, newest first; a batch without a limit of its own has none."""
    open_batches = session.scalars(select(BatchSession.id).where(BatchSession.status.in_(BatchStatus.open())))
    return budget_states(session, [(BudgetScope.BATCH, str(batch_id)) for batch_id in open_batches])[::-1]


def _change(session: Session, budget_id: int, kind: BudgetEventKind, amount: Decimal, by: Actor, undoes: int | None = None) -> int:
    """The one place where a limit changes, by somebody."""
    held = select(Budget.scope, Budget.key, Budget.limit_usd).where(Budget.id == budget_id)
    budget = session.execute(held.with_for_update()).first()
    if budget is None:
        raise NotFound(f"There is no budget {budget_id}.")
    before: Decimal = budget.limit_usd
    limit = before + amount if kind is BudgetEventKind.TOP_UP else amount
    if not ZERO <= limit <= MOST:
        raise NotPossible(f"A limit is between {usd(ZERO)} and {usd(MOST)}; {usd(limit)} is not.")
    session.execute(update(Budget).where(Budget.id == budget_id).values(limit_usd=limit))
    event = BudgetEvent(budget_id=budget_id, kind=kind, amount_usd=amount, before_usd=before, undoes=undoes, made_by=by.name)
    session.add(event)
    session.flush()
    action = _ACTIONS[kind] if undoes is None else audit.Action.UNDO_LIMIT
    audit.record(session, by, action, ("budget", f"{budget.scope.value} {budget.key}"), before={"limit": before}, after={"limit": limit})
    return event.id


_ACTIONS = {BudgetEventKind.TOP_UP: audit.Action.TOP_UP, BudgetEventKind.LIMIT: audit.Action.CHANGE_LIMIT}
