"""The ledger, its roll-ups, and budgets."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Created, Key, Moment, Money


class LedgerStatus(StrEnum):
    RESERVED = "RESERVED"  # a call may be in flight; reserved_usd is held against the budgets
    SETTLED = "SETTLED"  # the provider's own count is known; usd is the true cost
    RELEASED = "RELEASED"  # the call was never made or certainly not billed; usd is 0
    UNKNOWN = "UNKNOWN"  # the call may have reached the provider but no answer came; usd is the worst case


class LedgerKind(StrEnum):
    MODEL = "model"
    SEARCH = "search"


class BudgetScope(StrEnum):
    BATCH = "batch"  # key: the batch's id
    DAY = "day"  # key: 2026-11-24 (UTC)
    MONTH = "month"  # key: 2026-11 (UTC)


class BudgetEventKind(StrEnum):
    ALERT = "alert"
    TOP_UP = "top_up"
    LIMIT = "limit"


class LedgerEntry(Base):
    """One paid call, or one reservation for it. Free calls (offline rules, archive) are entered too, at $0."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        Index("ix_ledger_entries_created_at_id", text("created_at DESC"), text("id DESC")),
        # With what a run's page adds up, so that it need not read the entries themselves.
        Index("ix_ledger_entries_run", "batch_id", "created_at", postgresql_include=["settled_at", "status", "usd", "reserved_usd"]),
        Index("ix_ledger_entries_reserved", "owner", postgresql_where=text("status = 'RESERVED'")),
        Index("ix_ledger_entries_troubled", "status", "id", postgresql_where=text("status IN ('RELEASED', 'UNKNOWN')")),
        Index("ix_ledger_entries_batch_id", "batch_id", "id"),
        Index("ix_ledger_entries_model_id", "model", "id"),
        Index("ix_ledger_entries_day_id", "day", "id"),
        CheckConstraint("usd >= 0 AND reserved_usd >= 0", name="not_negative"),
    )

    id: Mapped[Key]
    created_at: Mapped[Created]
    settled_at: Mapped[Moment | None]
    status: Mapped[LedgerStatus]
    kind: Mapped[LedgerKind]
    agent: Mapped[str] = mapped_column(String(40))
    provider: Mapped[str] = mapped_column(String(60))
    model: Mapped[str] = mapped_column(String(200))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch_sessions.id", ondelete="SET NULL"))
    record_id: Mapped[int | None] = mapped_column(ForeignKey("batch_records.id", ondelete="SET NULL"), index=True)
    article_id: Mapped[int | None] = mapped_column(ForeignKey("articles.id", ondelete="SET NULL"), index=True)
    owner: Mapped[str | None] = mapped_column(String(200))
    """The worker that holds the reservation; set while RESERVED."""
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    reserved_usd: Mapped[Money] = mapped_column(server_default=text("0"))
    usd: Mapped[Money] = mapped_column(server_default=text("0"))
    input_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    """Prompt tokens, cached ones included."""
    cached_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    output_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    """Answer tokens, thinking excluded."""
    thinking_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    search_credits: Mapped[Decimal] = mapped_column(Numeric(12, 4), server_default=text("0"))
    error_kind: Mapped[str | None] = mapped_column(String(40))
    error_message: Mapped[str | None]
    day: Mapped[date] = mapped_column(Date)
    """The UTC day whose budget the entry counts against."""


Total = Annotated[int, mapped_column(BigInteger, server_default=text("0"))]
TotalMoney = Annotated[Decimal, mapped_column(Numeric(18, 8), server_default=text("0"))]


class Usage:
    """What ledger entries that have ended come to: the sums of the roll-ups (``core.spending``)."""

    calls: Mapped[Total]
    released_calls: Mapped[Total]
    """Of ``calls``: refused or never made, so not billed."""
    unknown_calls: Mapped[Total]
    """Of ``calls``: without an answer, so counted at their worst case."""
    usd: Mapped[TotalMoney]
    unknown_usd: Mapped[TotalMoney]
    """Of ``usd``: the worst cases."""
    input_tokens: Mapped[Total]
    cached_tokens: Mapped[Total]
    output_tokens: Mapped[Total]
    thinking_tokens: Mapped[Total]
    search_credits: Mapped[TotalMoney]


class SpendDay(Usage, Base):
    """The ledger by the UTC day that entries count against, and by who called whom: a few rows a day."""

    __tablename__ = "spend_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    kind: Mapped[LedgerKind] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(String(40), primary_key=True)
    provider: Mapped[str] = mapped_column(String(60), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)


class SpendPublisher(Usage, Base):
    """The ledger by day and by the publisher of the article."""

    __tablename__ = "spend_publishers"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    publisher_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """0 for calls without an article."""


class SpendBatch(Usage, Base):
    """The ledger by batch, day and model. One table for all of them would have as many rows as the ledger where batches are small."""

    __tablename__ = "spend_batches"
    __table_args__ = (Index("ix_spend_batches_day", "day"),)

    batch_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """0 for calls without a batch."""
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)


class SpendSlot(Base):
    """USD by the ten minutes in which calls ended: the pace."""

    __tablename__ = "spend_slots"

    slot: Mapped[Moment] = mapped_column(primary_key=True)
    usd: Mapped[TotalMoney]


class SpendDelta(Usage, Base):
    """What one statement that ended calls adds to the tables above, written by that statement and waiting to be folded into them.

    Appended, never updated: calls that end at once, in batches and processes that know nothing of each other, lock nothing of each
    other's.
    """

    __tablename__ = "spend_deltas"

    id: Mapped[Key]
    day: Mapped[date] = mapped_column(Date)
    slot: Mapped[Moment]
    batch_id: Mapped[int] = mapped_column(BigInteger)
    publisher_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[LedgerKind]
    agent: Mapped[str] = mapped_column(String(40))
    provider: Mapped[str] = mapped_column(String(60))
    model: Mapped[str] = mapped_column(String(200))


class Budget(Base):
    """A limit and what is used of it. Invariant: ``spent_usd + reserved_usd <= limit_usd`` for every call that was let through."""

    __tablename__ = "budgets"
    __table_args__ = (
        UniqueConstraint("scope", "key"),
        CheckConstraint("spent_usd >= 0 AND reserved_usd >= 0 AND limit_usd >= 0", name="not_negative"),
    )

    id: Mapped[Key]
    scope: Mapped[BudgetScope]
    key: Mapped[str] = mapped_column(String(40))
    limit_usd: Mapped[Money]
    spent_usd: Mapped[Money] = mapped_column(server_default=text("0"))
    reserved_usd: Mapped[Money] = mapped_column(server_default=text("0"))
    created_at: Mapped[Created]


class BudgetEvent(Base):
    """An alert, a top-up or a change of limit. An alert is raised once for a budget and threshold."""

    __tablename__ = "budget_events"
    __table_args__ = (Index("uq_budget_events_alert", "budget_id", "threshold", unique=True, postgresql_where=text("kind = 'alert'")),)

    id: Mapped[Key]
    budget_id: Mapped[int] = mapped_column(ForeignKey("budgets.id", ondelete="CASCADE"), index=True)
    kind: Mapped[BudgetEventKind]
    threshold: Mapped[int | None]
    """For an alert: percent of the limit."""
    amount_usd: Mapped[Money | None]
    """For a top-up: what was added. For a change of limit: the new limit."""
    before_usd: Mapped[Money | None]
    """The limit before a top-up or a change; null for alerts, and for changes made before this was kept."""
    undoes: Mapped[int | None] = mapped_column(ForeignKey("budget_events.id", ondelete="CASCADE"))
    """The change that this one took back."""
    made_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[Created]
    told_at: Mapped[Moment | None]
    """When an alert went to the log and the webhook; null until then."""
