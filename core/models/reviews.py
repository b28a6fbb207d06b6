"""What the analysts make of what was found."""

from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Numeric, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.agents.outputs import SignalKind, Timeframe, Verdict
from core.models.base import Base, Created, Key, Moment
from core.models.findings import Decision


class ReviewAct(StrEnum):
    DECISION = "decision"
    CORRECTION = "correction"  # of category, description or timeframe; what was found stays beside it
    NOTE = "note"
    UNDO = "undo"  # of one earlier act: what stood before it stands again


class Review(Base):
    """One act of an analyst on a signal. Append-only: the newest that is not undone counts, history stays."""

    __tablename__ = "reviews"
    __table_args__ = (
        Index("ix_reviews_bulk", "bulk", postgresql_where=text("bulk IS NOT NULL")),
        Index("ix_reviews_reviewer", "reviewer", "id"),
    )

    id: Mapped[Key]
    signal_id: Mapped[int] = mapped_column(ForeignKey("signals.id", ondelete="CASCADE"), index=True)
    act: Mapped[ReviewAct] = mapped_column(server_default=ReviewAct.DECISION.value)
    decision: Mapped[Decision | None]
    """Set for a decision."""
    note: Mapped[str | None]
    corrected_category: Mapped[str | None] = mapped_column(String(100))
    """For a correction, all three: what stands from then on; null where what was found stands."""
    corrected_description: Mapped[str | None]
    corrected_timeframe: Mapped[Timeframe | None]
    undoes: Mapped[int | None] = mapped_column(ForeignKey("reviews.id", ondelete="CASCADE"))
    """Set for an undo: the act that it takes back."""
    verdict: Mapped[Verdict | None]
    """For a decision: the signal's verdict when it was made."""
    blind: Mapped[bool] = mapped_column(server_default=text("false"))
    """The verdict was hidden from the analyst until the decision."""
    bulk: Mapped[str | None] = mapped_column(String(36))
    """Decisions of one click carry one name."""
    reviewer: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[Created]


class ReviewClaim(Base):
    """A signal that lies before an analyst. Nobody else is handed it until the claim runs out."""

    __tablename__ = "review_claims"
    __table_args__ = (Index("ix_review_claims_holder", "holder"),)

    signal_id: Mapped[int] = mapped_column(ForeignKey("signals.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(String(200))
    """The browser session it lies in, or, once handed over, the colleague's name."""
    reviewer: Mapped[str] = mapped_column(String(100))
    handed_by: Mapped[str | None] = mapped_column(String(100))
    """Set when a colleague handed it over."""
    expires_at: Mapped[Moment]


class StandingDecision(Base):
    """The decision that stands on a signal, with all that Quality tells apart. Kept by the triggers of migration 0006."""

    __tablename__ = "standing_decisions"
    __table_args__ = (Index("ix_standing_decisions_decided_at", "decided_at"),)

    signal_id: Mapped[int] = mapped_column(ForeignKey("signals.id", ondelete="CASCADE"), primary_key=True)
    decided_at: Mapped[Moment]
    reviewer: Mapped[str] = mapped_column(String(100))
    in_bulk: Mapped[bool]
    blind: Mapped[bool]
    verdict: Mapped[Verdict | None]
    """The signal's when the decision was made."""
    decision: Mapped[Decision]
    kind: Mapped[SignalKind]
    category: Mapped[str] = mapped_column(String(100))
    """As found."""
    publisher_id: Mapped[int] = mapped_column(BigInteger)
    model: Mapped[str] = mapped_column(String(200))
    prompt_version: Mapped[str] = mapped_column(String(40))
    confidence: Mapped[float]
    adjustment: Mapped[float]
    """Of the newest validation; 0 without one."""


class DecisionSum(Base):
    """How many decisions of all time stand, by each thing that Quality tells apart. Sums over rows (``core.rollups``); kept by the triggers
    of migration 0017."""

    __tablename__ = "decision_sums"
    __table_args__ = (
        Index("ix_decision_sums_about", "about", "name"),
        Index("ix_decision_sums_unfolded", "id", postgresql_where=text("NOT folded")),
    )

    id: Mapped[Key]
    reviewer: Mapped[str] = mapped_column(String(100))
    in_bulk: Mapped[bool]
    about: Mapped[str] = mapped_column(String(20))
    """A ``core.quality.Dimension``; ``blind`` or ``in sight``: then the name is a verdict, or empty; ``given`` or ``researched``: then
    it is a bin of confidence."""
    name: Mapped[str] = mapped_column(String(200))
    decision: Mapped[Decision]
    number: Mapped[int]
    confidence: Mapped[Decimal] = mapped_column(Numeric)
    """Of a bin: their sum."""
    error: Mapped[Decimal] = mapped_column(Numeric)
    """Of a bin: the sum of squared errors."""
    folded: Mapped[bool] = mapped_column(server_default=text("false"))
