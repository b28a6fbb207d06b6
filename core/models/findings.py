"""What the agents found."""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Computed, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from core.agents.outputs import Sentiment, SignalKind, Stance, Timeframe, Verdict
from core.models.base import Base, Created, Json, Key, Moment


class EvidenceMatch(StrEnum):
    EXACT = "exact"
    NORMALISED = "normalised"
    FUZZY = "fuzzy"


class Authority(StrEnum):
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class Decision(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNSURE = "unsure"
    WITHDRAWN = "withdrawn"  # the signal is undecided again


class Analysis(Base):
    """The content analysis of one article's text with one configuration. ``completed_at`` is null until it is validated too."""

    __tablename__ = "analyses"
    __table_args__ = (UniqueConstraint("article_id", "configuration_hash", "content_hash"),)

    id: Mapped[Key]
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"))
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch_sessions.id", ondelete="CASCADE"), index=True)
    configuration_hash: Mapped[str] = mapped_column(String(16))
    content_hash: Mapped[str] = mapped_column(String(64))
    """The article's text when it was analysed; evidence offsets hold for that text."""
    model: Mapped[str] = mapped_column(String(200))
    prompt_version: Mapped[str] = mapped_column(String(40))
    sentiment: Mapped[Sentiment]
    impact: Mapped[float]
    summary: Mapped[str]
    context: Mapped[str]
    signal_strength: Mapped[float]
    uniqueness: Mapped[float]
    confidence: Mapped[float]
    ungrounded_signals: Mapped[int] = mapped_column(server_default=text("0"))
    """Signals kept out because none of their quotes stands in the article."""
    dropped_quotes: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[Created]
    completed_at: Mapped[Moment | None]


TESTED = ("kind", "verdict", "decision", "publisher_id", "published_at", "is_sample", "category", "corrected_category", "confidence")
"""What the filters of signals test: carried by the indexes, so that a list is found and counted without a look at the rows."""


def _tested(name: str, *first: Any) -> Index:
    """An index of signals by ``first``, then by strength, that carries what the filters test."""
    carried = [column for column in TESTED if column != "confidence" and column not in map(str, first)]
    return Index(name, *first, text("confidence DESC"), text("id DESC"), postgresql_include=carried)


class Signal(Base):
    """What content analysis found. ``verdict`` and ``decision`` repeat the newest validation and review, for filters."""

    __tablename__ = "signals"
    __table_args__ = (
        Index("ix_signals_created_at_id", text("created_at DESC"), text("id DESC")),
        _tested("ix_signals_strongest"),
        Index(
            "ix_signals_published",
            text("published_at DESC"),
            text("id DESC"),
            postgresql_include=[*(name for name in TESTED if name != "published_at"), "article_id", "analysis_id"],
        ),
        _tested("ix_signals_disagreement", text("disagreement DESC")),
        _tested("ix_signals_decision", "decision"),
        _tested("ix_signals_kind", "kind"),
        _tested("ix_signals_verdict", "verdict"),
        _tested("ix_signals_publisher", "publisher_id"),
        Index("ix_signals_batch", "batch_id", text("confidence DESC"), text("id DESC")),
        _tested("ix_signals_category", text("COALESCE(corrected_category, category)")),
        Index("ix_signals_search", "search", postgresql_using="gin"),
    )

    id: Mapped[Key]
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analyses.id", ondelete="CASCADE"), index=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    kind: Mapped[SignalKind]
    category: Mapped[str] = mapped_column(String(100))
    description: Mapped[str]
    implications: Mapped[str]
    timeframe: Mapped[Timeframe]
    confidence: Mapped[float]
    research_query: Mapped[str]
    created_at: Mapped[Created]
    verdict: Mapped[Verdict | None]
    """Null until validated; signals under the minimum confidence stay so."""
    disagreement: Mapped[float] = mapped_column(server_default=text("0"))
    """How much the newest research disagrees with the signal and with itself, 0..1 (``core.verdicts.disagreement``)."""
    decision: Mapped[Decision | None]
    """Null until reviewed, and again after an undo."""
    review_id: Mapped[int | None] = mapped_column(BigInteger)
    """The act that decided; null while undecided."""
    corrected_category: Mapped[str | None] = mapped_column(String(100))
    """As an analyst corrected it, here and below; null where what was found stands."""
    corrected_description: Mapped[str | None]
    corrected_timeframe: Mapped[Timeframe | None]
    publisher_id: Mapped[int] = mapped_column(BigInteger)
    """This and the next three repeat the article's and the analysis's, for filters; triggers of migration 0006 set and keep them."""
    published_at: Mapped[Moment]
    is_sample: Mapped[bool]
    batch_id: Mapped[int] = mapped_column(BigInteger)
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "to_tsvector('english', coalesce(corrected_description, description) || ' ' || implications || ' '"
            " || coalesce(corrected_category, category))",
            persisted=True,
        ),
        deferred=True,
    )


class Evidence(Base):
    """A quote that stands in the article: ``body[start:end]`` is what the reader highlights."""

    __tablename__ = "evidence"

    id: Mapped[Key]
    signal_id: Mapped[int] = mapped_column(ForeignKey("signals.id", ondelete="CASCADE"), index=True)
    quote: Mapped[str]
    start: Mapped[int]
    end: Mapped[int]
    match: Mapped[EvidenceMatch]


class Validation(Base):
    """Research on one signal. Append-only: the newest counts."""

    __tablename__ = "validations"
    __table_args__ = (Index("ix_validations_failed", "signal_id", postgresql_where=text("failed")),)

    id: Mapped[Key]
    signal_id: Mapped[int] = mapped_column(ForeignKey("signals.id", ondelete="CASCADE"), index=True)
    verdict: Mapped[Verdict]
    """By the desk's rule (``core.verdicts``)."""
    model_verdict: Mapped[Verdict | None]
    """What the model said; null where it was not asked."""
    confidence_adjustment: Mapped[float]
    reason: Mapped[str]
    model: Mapped[str] = mapped_column(String(200))
    research_provider: Mapped[str] = mapped_column(String(40))
    prompt_version: Mapped[str] = mapped_column(String(40))
    searches: Mapped[Json]
    """The queries sent, each with its number of results, or why there were none."""
    dropped_sources: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[bool] = mapped_column(server_default=text("false"))
    """Research failed, rather than found nothing; ``reason`` says how. It can be tried again alone."""
    created_at: Mapped[Created]


ARTICLE_ORIGIN = 0


class Source(Base):
    """A search result that a validation rests on; its address came back from a search of that run."""

    __tablename__ = "validation_sources"

    id: Mapped[Key]
    validation_id: Mapped[int] = mapped_column(ForeignKey("validations.id", ondelete="CASCADE"), index=True)
    article_id: Mapped[int | None] = mapped_column(ForeignKey("articles.id", ondelete="SET NULL"), index=True)
    """Set when the source is an article of this desk's archive."""
    url: Mapped[str]
    title: Mapped[str]
    publisher: Mapped[str]
    published_at: Mapped[Moment | None]
    stance: Mapped[Stance]
    authority: Mapped[Authority]
    quote: Mapped[str]
    origin: Mapped[int | None]
    """Those of a validation with one number are one origin; ``ARTICLE_ORIGIN`` are copies of the article; null before migration 0003."""
    is_own: Mapped[bool] = mapped_column(server_default=text("false"))
    """By the article's own publisher."""


class DomainAuthority(Base):
    """How much weight a web source has, by its domain and those below it, where the desk differs from ``core.authorities.DEFAULTS``."""

    __tablename__ = "domain_authorities"

    domain: Mapped[str] = mapped_column(String(253), primary_key=True)
    authority: Mapped[Authority]
