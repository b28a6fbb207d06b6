"""The tables. Postgres is the only state: every status is a column here.

Money is ``NUMERIC`` and ``Decimal``, never float. Times are ``timestamptz`` in UTC. Nothing is loaded lazily: queries say
what they need. Status enums state one meaning a member; sets such as ``BatchStatus.open()`` name what code asks about.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    Connection,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from core.access import Role
from core.agents.outputs import Sentiment, SignalKind, Stance, Timeframe, Verdict


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


class WorkerKind(StrEnum):
    POOL = "pool"  # runs batches in threads of its own
    CONSOLE = "console"  # looks after batches that Celery's workers run
    CELERY = "celery"  # runs tasks of Celery
    BEAT = "beat"  # runs the schedule


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


class LedgerStatus(StrEnum):
    RESERVED = "RESERVED"  # a call may be in flight; reserved_usd is held against the budgets
    SETTLED = "SETTLED"  # the provider's own count is known; usd is the true cost
    RELEASED = "RELEASED"  # the call was never made or certainly not billed; usd is 0
    UNKNOWN = "UNKNOWN"  # the call may have reached the provider but no answer came; usd is the worst case


class LedgerKind(StrEnum):
    MODEL = "model"
    SEARCH = "search"


class EvidenceMatch(StrEnum):
    EXACT = "exact"
    NORMALISED = "normalised"
    FUZZY = "fuzzy"


class Decision(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNSURE = "unsure"
    WITHDRAWN = "withdrawn"  # the signal is undecided again


class ReviewAct(StrEnum):
    DECISION = "decision"
    CORRECTION = "correction"  # of category, description or timeframe; what was found stays beside it
    NOTE = "note"
    UNDO = "undo"  # of one earlier act: what stood before it stands again


class Authority(StrEnum):
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class BudgetScope(StrEnum):
    BATCH = "batch"  # key: the batch's id
    DAY = "day"  # key: 2026-11-24 (UTC)
    MONTH = "month"  # key: 2026-11 (UTC)


class BudgetEventKind(StrEnum):
    ALERT = "alert"
    TOP_UP = "top_up"
    LIMIT = "limit"


def _enum(kind: type[StrEnum]) -> Enum:
    """The enum's values as text with a check, so that adding a member is an ordinary migration."""
    return Enum(kind, native_enum=False, length=32, values_callable=lambda members: [member.value for member in members])


Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Money = Annotated[Decimal, mapped_column(Numeric(14, 8))]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        str: Text,
        Role: _enum(Role),
        BatchStatus: _enum(BatchStatus),
        RecordStatus: _enum(RecordStatus),
        WorkerKind: _enum(WorkerKind),
        LedgerStatus: _enum(LedgerStatus),
        LedgerKind: _enum(LedgerKind),
        EvidenceMatch: _enum(EvidenceMatch),
        Decision: _enum(Decision),
        ReviewAct: _enum(ReviewAct),
        Authority: _enum(Authority),
        BudgetScope: _enum(BudgetScope),
        BudgetEventKind: _enum(BudgetEventKind),
        SignalKind: _enum(SignalKind),
        Timeframe: _enum(Timeframe),
        Sentiment: _enum(Sentiment),
        Verdict: _enum(Verdict),
        Stance: _enum(Stance),
    }


def table_of(model: type[Base]) -> Table:
    """The table itself, for writes on the hot path that need none of the ORM's bookkeeping."""
    return cast(Table, model.__table__)


# --- import and articles ---------------------------------------------------------------------------------------------


class Publisher(Base):
    __tablename__ = "publishers"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(300))
    name_key: Mapped[str] = mapped_column(String(300), unique=True)
    """The name's letters and digits in lower case, so that "CryptoPotato" and "Crypto Potato" are one publisher."""
    is_priority: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Created]


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(200), unique=True)


class Article(Base):
    """A news item. ``search`` weighs the title over the body."""

    __tablename__ = "articles"
    __table_args__ = (
        Index("ix_articles_search", "search", postgresql_using="gin"),
        Index("ix_articles_published_at_id", text("published_at DESC"), text("id DESC")),
        Index("ix_articles_publisher_id_published_at", "publisher_id", text("published_at DESC")),
        Index("ix_articles_story", "story_id", "published_at", "id", postgresql_where=text("story_id IS NOT NULL")),
        Index(
            "ix_articles_story_published",
            text("published_at DESC"),
            "story_id",
            "publisher_id",
            postgresql_where=text("story_id IS NOT NULL"),
        ),
        Index("ix_articles_samples", text("published_at DESC"), text("id DESC"), postgresql_where=text("is_sample")),
        Index("ix_articles_archived", text("published_at DESC"), text("id DESC"), postgresql_where=text("NOT is_active")),
        Index("ix_articles_ungrouped", "id", postgresql_where=text("story_keys IS NULL")),
        # Without its list of pending entries, which every search would read from one end to the other.
        Index("ix_articles_story_keys", "story_keys", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    id: Mapped[Key]
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"))
    url: Mapped[str | None]
    title: Mapped[str]
    subtitle: Mapped[str | None]
    authors: Mapped[str | None]
    body: Mapped[str]
    body_chars: Mapped[int] = mapped_column(Computed("char_length(body)", persisted=True))
    language: Mapped[str] = mapped_column(String(16))
    keywords: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    provider_sentiment: Mapped[str | None] = mapped_column(String(16))
    published_at: Mapped[Moment]
    imported_at: Mapped[Created]
    updated_at: Mapped[Created]
    import_hash: Mapped[str] = mapped_column(String(64))
    """Of everything a source gave: says whether a re-import changed anything."""
    content_hash: Mapped[str] = mapped_column(String(64))
    """Of title and body: says whether the text that was analysed is still this one."""
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    archived_at: Mapped[Moment | None]
    """When an analyst archived it; null where the source says that it is inactive, and where it is active."""
    is_sample: Mapped[bool] = mapped_column(server_default=text("false"))
    promise: Mapped[float] = mapped_column(server_default=text("0"))
    """The offline rules' own score, 0..1, of how promising the article is."""
    story_id: Mapped[int | None] = mapped_column(BigInteger)
    """The same for all articles of one story: the id that was its smallest member's. Null for an article that is alone."""
    story_keys: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger), deferred=True)
    """By which copies of the text are found (``core.stories``). Null until the article was compared with the others."""
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('english', left(title, 1000)), 'A') || setweight(to_tsvector('english', left(body, 60000)), 'B')",
            persisted=True,
        ),
        deferred=True,
    )


class ArticleCell(Base):
    """Articles that every filter but dates and words takes or leaves as a whole. ``ListedArticle`` says which are of it."""

    __tablename__ = "article_cells"
    __table_args__ = (UniqueConstraint("publisher_id", "analysed_with", "thousands", "is_active", "is_sample"),)

    id: Mapped[Key]
    publisher_id: Mapped[int] = mapped_column(BigInteger)
    analysed_with: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Hashes of the configurations with which the text as it is now was analysed, sorted."""
    thousands: Mapped[int]
    """Length of the body in thousands of characters, rounded down; 4 is 4 or more."""
    is_active: Mapped[bool]
    is_sample: Mapped[bool]


class ListedArticle(Base):
    """What lists of articles are ordered by: a narrow row an article. Kept by the triggers of migration 0006."""

    __tablename__ = "article_list"
    __table_args__ = (
        Index("ix_article_list_newest", "cell_id", text("published_at DESC"), text("article_id DESC"), postgresql_include=["body_chars"]),
        Index("ix_article_list_promise", "cell_id", text("promise DESC"), text("article_id DESC"), postgresql_include=["body_chars"]),
        Index(
            "ix_article_list_any_newest", text("published_at DESC"), text("article_id DESC"), postgresql_include=["cell_id", "body_chars"]
        ),
        Index("ix_article_list_length", "cell_id", text("body_chars DESC"), text("article_id DESC")),
        Index("ix_article_list_story", "story_id", postgresql_where=text("story_id IS NOT NULL")),
    )

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    cell_id: Mapped[int] = mapped_column(BigInteger)
    published_at: Mapped[Moment]
    body_chars: Mapped[int]
    promise: Mapped[float]
    story_id: Mapped[int | None] = mapped_column(BigInteger)


class ArticleKey(Base):
    """An identifier by which an article is recognised when it is seen again: its address, provider id or guid."""

    __tablename__ = "article_keys"

    key: Mapped[str] = mapped_column(String(700), primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), index=True)


class ArticleCategory(Base):
    __tablename__ = "article_categories"

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id", ondelete="CASCADE"), primary_key=True, index=True)


class Move(Base):
    """Another newsletter's database that articles were imported from, and how far (``core.moving``)."""

    __tablename__ = "moves"

    id: Mapped[Key]
    identity: Mapped[str] = mapped_column(String(200), unique=True)
    """Which database of the world it is, whatever its address."""
    name: Mapped[str] = mapped_column(String(300))
    """Host, port and database, as last given."""
    place: Mapped[Json | None]
    """Where an import that has not ended goes on; null once it ended."""
    started_at: Mapped[Created]
    finished_at: Mapped[Moment | None]
    """When it last ended; null while it never did."""


class MovedRow(Base):
    """A row of another database that became an article here, or an analysis of one. It goes with the article."""

    __tablename__ = "moved_rows"

    move_id: Mapped[int] = mapped_column(ForeignKey("moves.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    """``article``, ``analysis``, or ``reference``: what other tables there call an article whose key has several columns."""
    key: Mapped[str] = mapped_column(String(500), primary_key=True)
    """The row's key as text; of one that is longer its SHA-256."""
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), index=True)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    """Of an article: what it was when it was last taken, so that the same again is left alone."""


class Price(Base):
    """What a Bitcoin cost in USD at the end of a UTC day, as an analyst imported it."""

    __tablename__ = "prices"
    __table_args__ = (CheckConstraint("close > 0", name="above_zero"),)

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    close: Mapped[Decimal] = mapped_column(Numeric(20, 8))
    imported_at: Mapped[Created]


# --- batches and records ---------------------------------------------------------------------------------------------


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


# --- what the agents found -------------------------------------------------------------------------------------------


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


# --- what the analysts make of it ------------------------------------------------------------------------------------


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


# --- roll-ups: sums over rows, since a write appends what it adds; see core.rollups ---------------------------------------


class PublisherDay(Base):
    """Articles of one publisher and UTC day, the signals found in them, and those accepted of them."""

    __tablename__ = "publisher_days"
    __table_args__ = (
        Index("ix_publisher_days_day", "day", "publisher_id"),
        Index("ix_publisher_days_unfolded", "id", postgresql_where=text("NOT folded")),
    )

    id: Mapped[Key]
    day: Mapped[date] = mapped_column(Date)
    publisher_id: Mapped[int] = mapped_column(BigInteger)
    articles: Mapped[int] = mapped_column(server_default=text("0"))
    signals: Mapped[int] = mapped_column(server_default=text("0"))
    accepted: Mapped[int] = mapped_column(server_default=text("0"))
    folded: Mapped[bool] = mapped_column(server_default=text("false"))


class SignalDay(Base):
    """Signals found in the articles of one UTC day, by kind, verdict and decision."""

    __tablename__ = "signal_days"
    __table_args__ = (
        Index("ix_signal_days_day", "day", "kind"),
        Index("ix_signal_days_unfolded", "id", postgresql_where=text("NOT folded")),
    )

    id: Mapped[Key]
    day: Mapped[date] = mapped_column(Date)
    kind: Mapped[SignalKind]
    verdict: Mapped[Verdict | None]
    decision: Mapped[Decision | None]
    signals: Mapped[int]
    folded: Mapped[bool] = mapped_column(server_default=text("false"))


class SignalCategory(Base):
    """Signals by category, as corrected or else as found."""

    __tablename__ = "signal_categories"
    __table_args__ = (Index("ix_signal_categories_category", "category"),)

    id: Mapped[Key]
    category: Mapped[str] = mapped_column(String(100))
    signals: Mapped[int]
    folded: Mapped[bool] = mapped_column(server_default=text("false"))


# --- money -----------------------------------------------------------------------------------------------------------


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


# --- the desk itself -------------------------------------------------------------------------------------------------


class SavedSetting(Base):
    """A setting changed on screen."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)
    saved_by: Mapped[str] = mapped_column(String(100))
    saved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())


# --- who may do what, and who did ------------------------------------------------------------------------------------


class Person(Base):
    """The role of somebody who signs in, by e-mail address in lower case."""

    __tablename__ = "people"

    email: Mapped[str] = mapped_column(String(100), primary_key=True)
    role: Mapped[Role]
    given_by: Mapped[str] = mapped_column(String(100))
    given_at: Mapped[Created]


class ApiToken(Base):
    """What a program shows to be let in. The secret itself is kept nowhere."""

    __tablename__ = "api_tokens"
    __table_args__ = (Index("uq_api_tokens_in_force", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),)

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(80))
    """Of those that are not revoked one has it."""
    prefix: Mapped[str] = mapped_column(String(16))
    """The secret's first characters, by which a person knows it again."""
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256, hex. The secret has 256 random bits, so that nothing slower is needed."""
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    """Values of ``core.access.Permission``."""
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[Created]
    expires_at: Mapped[Moment | None]
    last_used_at: Mapped[Moment | None]
    """To the minute."""
    revoked_at: Mapped[Moment | None]
    revoked_by: Mapped[str | None] = mapped_column(String(100))


class AuditEntry(Base):
    """One decision, or one change of money, settings or access. Append-only: a trigger refuses the rest."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_actor", "actor", "id"),
        Index("ix_audit_log_action", "action", "id"),
        Index("ix_audit_log_actor_action", "actor", "action", "id"),
    )

    id: Mapped[Key]
    at: Mapped[Created]
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(40))
    """A value of ``core.audit.Action``."""
    subject_kind: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(String(300))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class Worker(Base):
    """A process that runs batches. One without a fresh heartbeat is dead, and its leases and reservations are taken back."""

    __tablename__ = "workers"

    owner: Mapped[str] = mapped_column(String(200), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int]
    kind: Mapped[WorkerKind] = mapped_column(server_default=WorkerKind.POOL.value)
    name: Mapped[str] = mapped_column(String(100), server_default=text("''"))
    """As it was started with; empty where it was given none."""
    slots: Mapped[int | None]
    """Tasks that it runs at once; null for what runs none."""
    tasks: Mapped[int] = mapped_column(server_default=text("0"))
    """Tasks that it ran at its last heartbeat."""
    started_at: Mapped[Created]
    heartbeat_at: Mapped[Created]


class ScheduledJob(Base):
    """Something that the desk does by itself at its times (``core.schedule``). ``running_owner`` is set while it runs."""

    __tablename__ = "schedule"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    enabled: Mapped[bool]
    every_seconds: Mapped[int]
    next_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    asked_at: Mapped[Moment | None]
    """When a person asked for it now; null once it began."""
    options: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    running_owner: Mapped[str | None] = mapped_column(String(200))
    running_until: Mapped[Moment | None]
    """With it: when it is taken for dead unless that is renewed."""
    started_at: Mapped[Moment | None]
    ended_at: Mapped[Moment | None]
    failed: Mapped[bool | None]
    result: Mapped[str | None]
    """What the last run did, or why it failed."""


class Feed(Base):
    """A feed that the schedule fetches."""

    __tablename__ = "feeds"

    id: Mapped[Key]
    address: Mapped[str] = mapped_column(unique=True)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    added_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[Created]
    fetched_at: Mapped[Moment | None]
    failed: Mapped[bool | None]
    result: Mapped[str | None]
    """What the last fetch brought, or why it failed."""


# --- what follows from the tables --------------------------------------------------------------------------------------------

TRIGGERS = tuple(Path(__file__).parent / "migrations" / "sql" / name for name in ("0006.sql", "audit_log.sql"))
"""Views, functions and triggers, in order, as migrations made them."""


@event.listens_for(Base.metadata, "after_create")
def _make_triggers(_metadata: MetaData, connection: Connection, **_: Any) -> None:
    for script in TRIGGERS:
        connection.exec_driver_sql(script.read_text(encoding="utf-8"))
