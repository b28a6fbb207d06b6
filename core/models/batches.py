"""Batches and their records."""

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Created, Json, Key, Moment, Money


class BatchStatus(StrEnum):
    INITIATED = "INITIATED"  # launched; nothing claimed yet
    PROCESSING = "PROCESSING"  # records are being claimed
    PAUSED = "PAUSED"  # nothing more is claimed until resumed; pause_reason says why
    COMPLETED = "COMPLETED"  # every record reached an end, at least one of them completed or skipped
    FAILED = "FAILED"  # every record reached an end and none completed
    CANCELLED = "CANCELLED"  # stopped by a person; what was done is kept

    @classmethod
    def claimable(cls) -> frozenset["BatchStatus"]:
        return frozenset({cls.INITIATED, cls.PROCESSING})

    @classmethod
    def open(cls) -> frozenset["BatchStatus"]:
        return frozenset({cls.INITIATED, cls.PROCESSING, cls.PAUSED})


class RecordStatus(StrEnum):
    PENDING = "PENDING"  # waits to be claimed
    PROCESSING = "PROCESSING"  # claimed under a lease
    COMPLETED = "COMPLETED"  # analysed and validated
    FAILED = "FAILED"  # gave up; error_kind and error_message say why
    SKIPPED = "SKIPPED"  # not run; skip_reason says why
    CANCELLED = "CANCELLED"  # its batch, or it alone, was cancelled before it was done

    @classmethod
    def open(cls) -> frozenset["RecordStatus"]:
        return frozenset({cls.PENDING, cls.PROCESSING})


class BatchSession(Base):
    """One launch. Its configuration is what every article of it is analysed with."""

    __tablename__ = "batch_sessions"
    __table_args__ = (
        Index("ix_batch_sessions_open", "status", postgresql_where=text("status IN ('INITIATED', 'PROCESSING', 'PAUSED')")),
        Index("ix_batch_sessions_status_id", "status", "id"),
    )

    id: Mapped[Key]
    idempotency_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    request_hash: Mapped[str | None] = mapped_column(String(64))
    """Set with a key by whoever says what was asked for under it: SHA-256 of the request."""
    status: Mapped[BatchStatus] = mapped_column(server_default=BatchStatus.INITIATED.value)
    launched_by: Mapped[str] = mapped_column(String(100))
    configuration: Mapped[Json]
    configuration_hash: Mapped[str] = mapped_column(String(16))
    selection: Mapped[Json]
    """The ids or the filter that were launched, as the analyst chose them."""
    estimate: Mapped[Json]
    concurrency: Mapped[int]
    created_at: Mapped[Created]
    started_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]
    pause_reason: Mapped[str | None]
    """Set while PAUSED: what happened and what to change, or who paused it."""
    pause_kind: Mapped[str | None] = mapped_column(String(40))
    """With it: what kind of thing happened (``core.causes``); null where a person paused it."""
    pause_budget_id: Mapped[int | None] = mapped_column(ForeignKey("budgets.id", ondelete="SET NULL"))
    """Set while PAUSED for want of room in a budget: that budget."""
    pause_needs_usd: Mapped[Money | None]
    """With it: about how much the rest of the batch needs."""
    interrupt: Mapped[bool] = mapped_column(server_default=text("false"))
    """Set to have what is in flight stop at once, too."""


class BatchRecord(Base):
    """One article of a batch. The lease columns are set while PROCESSING."""

    __tablename__ = "batch_records"
    __table_args__ = (
        UniqueConstraint("batch_id", "article_id"),
        Index("ix_batch_records_claim", "batch_id", "position", postgresql_where=text("status = 'PENDING'")),
        Index("ix_batch_records_lease", "lease_expires_at", postgresql_where=text("status = 'PROCESSING'")),
        Index("ix_batch_records_place", "batch_id", "status", "position"),
        Index("ix_batch_records_position", "batch_id", "position"),
        Index("ix_batch_records_sent", "batch_id", "sent_at", postgresql_where=text("status = 'PENDING' AND sent_at IS NOT NULL")),
    )

    id: Mapped[Key]
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch_sessions.id", ondelete="CASCADE"))
    article_id: Mapped[int | None] = mapped_column(ForeignKey("articles.id", ondelete="SET NULL"), index=True)
    """Null once the article was deleted; the record keeps its title."""
    article_title: Mapped[str]
    position: Mapped[int]
    status: Mapped[RecordStatus] = mapped_column(server_default=RecordStatus.PENDING.value)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_expires_at: Mapped[Moment | None]
    sent_at: Mapped[Moment | None]
    """When a task of Celery was sent that covers it; null when none does (``core.chunks``)."""
    started_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]
    error_kind: Mapped[str | None] = mapped_column(String(40))
    error_message: Mapped[str | None]
    skip_reason: Mapped[str | None]


class KeptAnswer(Base):
    """An answer that was paid for, of a record that has not ended: a crash does not pay for it again. Deleted when the record ends."""

    __tablename__ = "kept_answers"

    record_id: Mapped[int] = mapped_column(ForeignKey("batch_records.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of what was asked."""
    answer: Mapped[str]
    """JSON, as text: ``jsonb`` does not take every character that a model may write."""
