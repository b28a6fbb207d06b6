"""The ledger and the budgets: reserve before a paid call, settle after it.

A reservation is one ledger entry, held against every budget that applies (its batch's, today's, this month's) in one
statement (``core.ledger``) that locks the budget rows. So ``spent + reserved <= limit`` holds at every moment,
whoever else is calling. After the call the entry ends in one of three ways: settled (the provider's own count),
released (certainly not billed), unknown (it may have been billed: the worst case is counted as spent).
Free calls are entered too, without touching a budget.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import ColumnElement, Row, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import ledger
from core.errors import BudgetExceeded, DeskError
from core.models import Budget, BudgetEvent, BudgetEventKind, BudgetScope, LedgerEntry, LedgerKind, LedgerStatus
from core.pricing import TokenUsage
from core.settings import Settings

ALERT_THRESHOLDS = (67, 83, 100)
"""Percent of a limit at which an alert is raised, once a budget."""

ZERO = Decimal(0)
FORGOTTEN = timedelta(hours=1)
"""Well above the longest call timeout that can be set, 20 minutes."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call about to be made: who asks whom, for which article."""

    kind: LedgerKind
    agent: str
    provider: str
    model: str
    worst_case_usd: Decimal
    attempt: int = 1
    batch_id: int | None = None
    record_id: int | None = None
    article_id: int | None = None
    ceiling_usd: Decimal | None = None
    """What its batch may spend on its article at most."""
    leased: bool = False
    """Whether the call may only be made while its record is held by its worker."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """One budget now."""

    id: int
    scope: BudgetScope
    key: str
    limit: Decimal
    spent: Decimal
    reserved: Decimal

    @property
    def room(self) -> Decimal:
        return max(self.limit - self.spent - self.reserved, ZERO)

    @property
    def label(self) -> str:
        return {BudgetScope.DAY: "today", BudgetScope.MONTH: "this month", BudgetScope.BATCH: f"batch {self.key}"}[self.scope]

    @property
    def share_used(self) -> float:
        """Spent and reserved as a share of the limit, 0 and up; 1 when the limit is 0 and nothing fits."""
        return float((self.spent + self.reserved) / self.limit) if self.limit else 1.0


class NoRoom(DeskError):
    """A budget has no room for a call's worst case.

    ``may_free`` says that others' reservations stand in the way, so waiting may help; without them it cannot.
    """

    def __init__(self, budget: BudgetState, asked: Decimal) -> None:
        self.budget = budget
        self.asked = asked
        self.may_free = budget.reserved > 0
        super().__init__(
            f"Budget for {budget.label} is {usd(budget.limit)}; {usd(budget.spent)} is spent"
            + (f", {usd(budget.reserved)} reserved" if budget.reserved else "")
            + f" and {usd(asked)} was asked for."
        )


class CeilingReached(DeskError):
    """A call would take its article over the ceiling."""


class LeaseLost(DeskError):
    """A record is not its worker's any more: it was cancelled, or its lease ran out."""


Refusal = NoRoom | CeilingReached | LeaseLost


def usd(amount: Decimal) -> str:
    """``$1.97``, ``$0.0013``: cents, and more places where cents would show nothing."""
    if amount and abs(amount) < Decimal("0.0001"):
        return f"${amount.normalize():f}"
    if amount and abs(amount) < Decimal("0.1"):
        return f"${amount.quantize(Decimal('0.0001')):f}"
    return f"${amount.quantize(Decimal('0.01')):,f}"


def budget_keys(now: datetime, batch_id: int | None) -> list[tuple[BudgetScope, str]]:
    """The budgets that a call made ``now`` counts against."""
    utc = now.astimezone(UTC)
    keys = [(BudgetScope.DAY, f"{utc:%Y-%m-%d}"), (BudgetScope.MONTH, f"{utc:%Y-%m}")]
    return [*keys, (BudgetScope.BATCH, str(batch_id))] if batch_id is not None else keys


def ensure_budgets(session: Session, settings: Settings, now: datetime) -> None:
    """Make today's and this month's budget from the settings if they are not there yet."""
    limits = {BudgetScope.DAY: settings.daily_budget, BudgetScope.MONTH: settings.monthly_budget}
    rows = [{"scope": scope, "key": key, "limit_usd": limits[scope]} for scope, key in budget_keys(now, None)]
    session.execute(insert(Budget).values(rows).on_conflict_do_nothing(index_elements=["scope", "key"]))


def create_batch_budget(session: Session, batch_id: int, limit: Decimal) -> None:
    """Give a batch a limit of its own."""
    session.add(Budget(scope=BudgetScope.BATCH, key=str(batch_id), limit_usd=limit))


def budget_states(session: Session, keys: Iterable[tuple[BudgetScope, str]]) -> list[BudgetState]:
    """The budgets with these keys, those that exist."""
    statement = (
        select(Budget.id, Budget.scope, Budget.key, Budget.limit_usd, Budget.spent_usd, Budget.reserved_usd)
        .where(tuple_(Budget.scope, Budget.key).in_(list(keys)))
        .order_by(Budget.id)
    )
    return [BudgetState(*row) for row in session.execute(statement)]


def current_budgets(session: Session, settings: Settings, now: datetime) -> list[BudgetState]:
    """Today's and this month's budget, in this order, made if needed."""
    keys = budget_keys(now, None)
    states = budget_states(session, keys)
    if len(states) < len(keys):
        ensure_budgets(session, settings, now)
        states = budget_states(session, keys)
    return sorted(states, key=lambda state: keys.index((state.scope, state.key)))  # from its second day on the month's is the older row


def refuse_if_over(states: Sequence[BudgetState], asked: Decimal) -> None:
    """Refuse a launch whose likely cost passes a budget.

    Raises:
        BudgetExceeded: with the figures.
    """
    for state in states:
        if asked > state.room:
            raise BudgetExceeded(str(NoRoom(state, asked)) + " Select fewer articles, or raise the budget on the Budget page.")


def reserve(session: Session, calls: Sequence[Call], settings: Settings, *, owner: str, now: datetime) -> list[int | Refusal]:
    """Enter one batch's calls, each held with its worst case against every budget that applies, in their order.

    Returns an entry's id for each, or why it was refused; a refused call was not entered.
    """
    rows = _enter(session, calls, owner, now)
    if not all(row.complete for row in rows):
        ensure_budgets(session, settings, now)
        rows = _enter(session, calls, owner, now)
    answers: dict[int, int | Refusal] = {}
    without_room: dict[int, Call] = {}
    for number, (call, row) in enumerate(zip(calls, rows, strict=True)):
        answer = row.entry or _refusal(call, row)
        if answer is None:
            without_room[number] = call
        else:
            answers[number] = answer
    if without_room:
        states = budget_states(session, budget_keys(now, calls[0].batch_id))
        fitting: dict[int, Call] = {}  # refused for those before it in the list, which were refused themselves: asked again
        for number, call in without_room.items():
            too_small = next((state for state in states if call.worst_case_usd > state.room), None)
            if too_small is None:
                fitting[number] = call
            else:
                answers[number] = NoRoom(too_small, call.worst_case_usd)
        if fitting:
            again = reserve(session, list(fitting.values()), settings, owner=owner, now=now)
            answers |= dict(zip(fitting, again, strict=True))
    return [answers[number] for number in range(len(calls))]


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended. ``cost`` None means what was reserved for it."""

    entry: int
    status: LedgerStatus
    cost: Decimal | None
    tokens: TokenUsage = field(default_factory=TokenUsage)
    credits: Decimal = ZERO
    error_kind: str | None = None
    error_message: str | None = None

    @classmethod
    def settled(cls, entry: int, cost: Decimal, tokens: TokenUsage | None = None, credits: Decimal = ZERO) -> Self:
        """The call was answered: its true cost takes the place of the reservation."""
        return cls(entry, LedgerStatus.SETTLED, cost, tokens or TokenUsage(), credits)

    @classmethod
    def released(cls, entry: int, error_kind: str, error_message: str) -> Self:
        """The call was refused or never made: nothing is owed."""
        return cls(entry, LedgerStatus.RELEASED, ZERO, error_kind=error_kind, error_message=error_message)

    @classmethod
    def unknown(cls, entry: int, error_kind: str, error_message: str) -> Self:
        """No answer came, and the provider may have billed the call: the worst case counts as spent, and is shown as such."""
        return cls(entry, LedgerStatus.UNKNOWN, None, error_kind=error_kind, error_message=error_message)


def end(session: Session, ends: Sequence[End], *, now: datetime) -> None:
    """Move entries out of RESERVED; a second end of the same entry changes nothing. Raises alerts for the thresholds passed."""
    budgets = ledger.end(session, [_as_row(one) for one in ends], now=now)
    rows = [
        {"budget_id": row.id, "kind": BudgetEventKind.ALERT, "threshold": threshold, "made_by": "desk"}
        for row in budgets
        for threshold in thresholds_passed(row.limit_usd, row.spent_usd - row.added, row.spent_usd)
    ]
    if rows:
        session.execute(insert(BudgetEvent).values(rows).on_conflict_do_nothing())


def settle_forgotten(session: Session, *, now: datetime) -> int:
    """End as unknown what was reserved longer ago than any call can take: its worker lives, but lost sight of it."""
    old = LedgerEntry.created_at < now - FORGOTTEN
    return _settle_lost(session, old, "forgotten", "No end of this call was ever written down.", now)


def settle_orphans(session: Session, owners: Sequence[str], *, now: datetime) -> int:
    """End the reservations of dead workers as unknown. Returns how many there were."""
    return _settle_lost(session, LedgerEntry.owner.in_(owners), "worker_died", "The worker died during this call.", now)


@dataclass(frozen=True, slots=True)
class Alert:
    """A threshold that a budget passed."""

    scope: BudgetScope
    key: str
    threshold: int
    limit: Decimal
    spent: Decimal

    def __str__(self) -> str:
        reached = "has reached its limit" if self.threshold >= 100 else f"has passed {self.threshold}% of its limit"
        return f"The budget of {self.scope.value} {self.key} {reached}: {usd(self.spent)} of {usd(self.limit)} is spent."


def take_alerts(session: Session, now: datetime) -> list[Alert]:
    """Alerts that nobody was told of yet; each is returned once, whoever asks."""
    fresh = (
        select(BudgetEvent.id)
        .where(BudgetEvent.kind == BudgetEventKind.ALERT, BudgetEvent.told_at.is_(None))
        .with_for_update(skip_locked=True)
    )
    taken = session.execute(
        update(BudgetEvent)
        .where(BudgetEvent.id.in_(fresh.scalar_subquery()))
        .values(told_at=now)
        .returning(BudgetEvent.budget_id, BudgetEvent.threshold)
    ).all()
    budgets = {row.id: row for row in session.scalars(select(Budget).where(Budget.id.in_([row[0] for row in taken])))}
    return [
        Alert(budget.scope, budget.key, row[1] or 0, budget.limit_usd, budget.spent_usd)
        for row in taken
        if (budget := budgets.get(row[0])) is not None
    ]


def current_alerts(session: Session, now: datetime) -> list[Alert]:
    """The highest alert of today's and of this month's budget, for the console."""
    rows = session.execute(
        select(Budget.scope, Budget.key, func.max(BudgetEvent.threshold), Budget.limit_usd, Budget.spent_usd)
        .join(BudgetEvent, BudgetEvent.budget_id == Budget.id)
        .where(BudgetEvent.kind == BudgetEventKind.ALERT, tuple_(Budget.scope, Budget.key).in_(budget_keys(now, None)))
        .group_by(Budget.id)
    ).all()
    alerts = [Alert(row[0], row[1], row[2] or 0, row[3], row[4]) for row in rows]
    return [alert for alert in alerts if alert.spent * 100 >= alert.threshold * alert.limit]  # a raised limit takes an alert back


def _settle_lost(session: Session, lost: ColumnElement[bool], kind: str, words: str, now: datetime) -> int:
    """End reservations whose calls nobody follows any more as unknown. Returns how many there were.

    All entries are locked before any budget is, as whoever ends a single call does: a worker that was only slow may be ending its own.
    """
    entries = session.scalars(
        select(LedgerEntry.id).where(LedgerEntry.status == LedgerStatus.RESERVED, lost).order_by(LedgerEntry.id).with_for_update()
    ).all()
    end(session, [End.unknown(entry, kind, words) for entry in entries], now=now)
    return len(entries)


def _enter(session: Session, calls: Sequence[Call], owner: str, now: datetime) -> Sequence[Row[Any]]:
    (batch_id,) = {call.batch_id for call in calls}
    rows = [
        {
            "kind": call.kind.value,
            "agent": call.agent,
            "provider": call.provider,
            "model": call.model,
            "record_id": call.record_id,
            "article_id": call.article_id,
            "attempt": call.attempt,
            "worst": call.worst_case_usd,
            "ceiling": call.ceiling_usd,
            "leased": call.leased,
        }
        for call in calls
    ]
    return ledger.enter(session, rows, batch_id=batch_id, owner=owner, now=now)


def _refusal(call: Call, row: Row[Any]) -> Refusal | None:
    """Why a call was not entered; None where it is for want of room."""
    if not row.is_ours:
        return LeaseLost("The article was taken over or cancelled.")
    if not row.under_ceiling:
        return CeilingReached(
            f"The ceiling per article is {usd(call.ceiling_usd or ZERO)}; {usd(row.spent)} is spent on this one "
            f"and up to {usd(call.worst_case_usd)} was asked for."
        )
    return None


def _as_row(end: End) -> dict[str, Any]:
    return {
        "entry": end.entry,
        "status": end.status.value,
        "cost": end.cost,
        "input": end.tokens.input,
        "cached": end.tokens.cached,
        "output": end.tokens.output,
        "thinking": end.tokens.thinking,
        "credits": end.credits,
        "error_kind": end.error_kind,
        "error_message": end.error_message,
    }


def thresholds_passed(limit: Decimal, before: Decimal, after: Decimal) -> list[int]:
    """The alert thresholds (percent of ``limit``) that spending from ``before`` to ``after`` passes."""
    return [threshold for threshold in ALERT_THRESHOLDS if limit and before * 100 < threshold * limit <= after * 100]


def utc_day(now: datetime) -> date:
    """The UTC day that ``now`` falls on."""
    return now.astimezone(UTC).date()
