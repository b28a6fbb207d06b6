"""The rows of an export, streamed: signals in chunks with what belongs to them, other tables by a cursor on the server."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on
from sqlalchemy.orm import Session

from core.agents.outputs import SignalKind
from core.database import among
from core.exports.tables import COLUMNS, Format, Table
from core.figures import unsupported
from core.ledger_list import LedgerFilter, conditions
from core.models import ARTICLE_ORIGIN, Analysis, Article, BatchRecord, Evidence, LedgerEntry, Publisher, Review, Signal, Source, Validation
from core.signal_filter import Reviewed, SignalFilter, is_blind, joined, matching_signals, signal_order

FETCH = 1_000
ISO = "%Y-%m-%dT%H:%M:%SZ"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """What is asked for. ``batch_id`` and ``article_id`` narrow every table, ``signals`` narrows signals alone."""

    table: Table = Table.SIGNALS
    format: Format = Format.CSV
    signals: SignalFilter = field(default_factory=SignalFilter)
    batch_id: int | None = None
    article_id: int | None = None
    bom: bool = False
    """CSV begins with a byte order mark, by which spreadsheets know UTF-8."""
    ledger: LedgerFilter = field(default_factory=LedgerFilter)
    """Narrows the ledger alone."""

    @property
    def filter(self) -> SignalFilter:
        """The filter of the signals; a briefing has accepted ones only."""
        narrowed: Row = {"batch_id": self.batch_id or self.signals.batch_id, "article_id": self.article_id or self.signals.article_id}
        if self.format is Format.BRIEFING:
            narrowed["reviewed"] = Reviewed.ACCEPTED
        return self.signals.model_copy(update=narrowed)


def export_rows(session: Session, export: Export) -> Iterator[Row]:
    """The rows, one dict a row, streamed from the database. Use it within the session's block."""
    if export.table is Table.SIGNALS:
        return _signals(session, export.filter)
    result = session.connection().execute(_statement(export), execution_options={"yield_per": FETCH})
    return (dict(zip(COLUMNS[export.table], row, strict=True)) for row in result)


@dataclass(frozen=True, slots=True)
class Span:
    """How many signals of one kind there are, and from when their articles are."""

    kind: SignalKind
    count: int
    first: datetime
    last: datetime


def spans(session: Session, signal_filter: SignalFilter) -> list[Span]:
    """The kinds of the signals that match."""
    facts = (Signal.kind, func.count(), func.min(Article.published_at), func.max(Article.published_at))
    statement = joined(select(*facts)).where(*matching_signals(signal_filter)).group_by(Signal.kind)
    return [Span(*row) for row in session.execute(statement)]


def count_rows(session: Session, export: Export) -> int:
    """How many rows there are to export."""
    if export.table is Table.SIGNALS:
        statement = joined(select(func.count())).where(*matching_signals(export.filter))
    else:
        statement = select(func.count()).select_from(_statement(export).order_by(None).subquery())
    return session.scalar(statement) or 0


# --- signals ---------------------------------------------------------------------------------------------------------


def _signals(session: Session, signal_filter: SignalFilter) -> Iterator[Row]:
    """The order is made of ids alone, which sort in little memory; the rest is read for a chunk of them at a time."""
    ordered = joined(select(Signal.id)).where(*matching_signals(signal_filter)).order_by(*signal_order(signal_filter))
    parts = session.connection().execute(ordered, execution_options={"yield_per": FETCH}).scalars().partitions()

    def read() -> list[Row] | None:
        if not (ids := next(parts, ())):
            return None
        found = _chunk(session, ids, signal_filter)
        return [found[id_] for id_ in ids if id_ in found]  # one may have been deleted since

    with ThreadPoolExecutor(1, "export") as reader:  # the next chunk is read while this one is written; the session is the reader's alone
        coming = reader.submit(read)
        while (rows := coming.result()) is not None:
            coming = reader.submit(read)
            yield from rows


def _chunk(session: Session, ids: Sequence[int], signal_filter: SignalFilter) -> dict[int, Row]:
    """These signals by id, each with all that belongs to it."""
    statement = joined(
        select(
            Signal.id.label("signal_id"), Signal.kind, Signal.category, Signal.description, Signal.implications, Signal.timeframe,
            Signal.confidence, Signal.decision, Signal.article_id, Article.title.label("article_title"),
            Publisher.name.label("publisher"), Article.url.label("article_url"), Article.published_at, Article.is_sample,
            Analysis.batch_id, Analysis.model, Analysis.prompt_version, Signal.created_at,
            is_blind(signal_filter.blind_share).label("verdict_hidden"),
            Signal.corrected_category, Signal.corrected_description, Signal.corrected_timeframe, Signal.review_id,
        )
    ).where(among(Signal.id, ids))  # fmt: skip
    signals = list(_rows(session, statement))
    evidence = _evidence(session, ids)
    validations = _validations(session, {row["signal_id"]: row["published_at"] for row in signals if not row["verdict_hidden"]})
    reviews = _reviews(session, [row["review_id"] for row in signals if row["review_id"] is not None])
    rows: dict[int, Row] = {}
    for signal in signals:
        id_ = signal["signal_id"]
        quotes = evidence.get(id_, [])
        numbers = list(unsupported(signal["description"], [quote["quote"] for quote in quotes]))
        known = signal | {"evidence": quotes, "unsupported_numbers": numbers}
        known |= validations.get(id_, {})
        known |= reviews.get(signal["review_id"], {})
        rows[id_] = {name: known.get(name) for name in COLUMNS[Table.SIGNALS]}
    return rows


def _evidence(session: Session, ids: Sequence[int]) -> dict[int, list[Row]]:
    """The quotes of signals, as they stand in the article."""
    quote = func.json_build_object("quote", Evidence.quote, "start", Evidence.start, "end", Evidence.end, "match", Evidence.match)
    listed = func.json_agg(aggregate_order_by(quote, Evidence.start, Evidence.id)).label("quotes")
    statement = select(Evidence.signal_id, listed).where(among(Evidence.signal_id, ids)).group_by(Evidence.signal_id)
    return {row["signal_id"]: row["quotes"] for row in _rows(session, statement)}


def _validations(session: Session, published: Mapping[int, datetime]) -> dict[int, Row]:
    """The newest validation of signals, with its sources and the number of their origins. ``published`` are their articles' times."""
    newest = (
        select(
            Validation.signal_id, Validation.id.label("validation_id"), Validation.verdict, Validation.confidence_adjustment,
            Validation.reason.label("validation_reason"), Validation.model_verdict, Validation.research_provider,
            Validation.failed.label("research_failed"), Validation.created_at.label("validated_at"),
        )
        .where(among(Validation.signal_id, list(published)))
        .order_by(Validation.signal_id, Validation.id.desc())
        .ext(distinct_on(Validation.signal_id))
    )  # fmt: skip
    rows = {row.pop("signal_id"): row for row in _rows(session, newest)}
    sources = _sources(session, [row["validation_id"] for row in rows.values()])
    for id_, row in rows.items():
        own = row["sources"] = sources.get(row["validation_id"], [])
        article = f"{published[id_].astimezone(UTC):{ISO}}"
        for source in own:
            at = source["published_at"]
            source["timing"] = None if at is None else "before" if at < article else "after"
        row["origins"] = len({source["origin"] for source in own if not source["own_publisher"]} - {None, ARTICLE_ORIGIN})
    return rows


def _sources(session: Session, validation_ids: Sequence[int]) -> dict[int, list[Row]]:
    """The sources of validations, in their order; a source's time is text already, in UTC whatever the server's own zone."""
    published = func.to_char(func.timezone("UTC", Source.published_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    source = func.json_build_object(
        "url", Source.url, "title", Source.title, "publisher", Source.publisher, "published_at", published, "stance", Source.stance,
        "authority", Source.authority, "quote", Source.quote, "origin", Source.origin, "own_publisher", Source.is_own,
    )  # fmt: skip
    statement = (
        select(Source.validation_id, func.json_agg(aggregate_order_by(source, Source.id)).label("sources"))
        .where(among(Source.validation_id, validation_ids))
        .group_by(Source.validation_id)
    )
    return {row["validation_id"]: row["sources"] for row in _rows(session, statement)}


def _reviews(session: Session, review_ids: Sequence[int]) -> dict[int, Row]:
    """The acts that decided, by their own ids."""
    statement = select(
        Review.id, Review.note.label("review_note"), Review.reviewer, Review.created_at.label("reviewed_at"),
        Review.verdict.label("verdict_at_decision"), Review.blind.label("review_blind"),
    ).where(among(Review.id, review_ids))  # fmt: skip
    return {row["id"]: row for row in _rows(session, statement)}


def _rows(session: Session, statement: Any) -> Iterator[Row]:
    """Rows as dicts, past the ORM's own machinery, which would take half the time of an export."""
    result = session.connection().execute(statement)
    names = tuple(result.keys())
    return (dict(zip(names, row, strict=True)) for row in result.fetchall())


# --- the other tables ------------------------------------------------------------------------------------------------


def _statement(export: Export) -> Any:
    model, statement = {Table.ANALYSES: _analyses, Table.RECORDS: _records, Table.LEDGER: _ledger}[export.table]()
    if export.batch_id is not None:
        statement = statement.where(model.batch_id == export.batch_id)
    if export.article_id is not None:
        statement = statement.where(model.article_id == export.article_id)
    if export.table is Table.LEDGER:
        statement = statement.where(*conditions(export.ledger))
    return statement


def _analyses() -> tuple[Any, Any]:
    signals = select(func.count()).where(Signal.analysis_id == Analysis.id).correlate(Analysis).scalar_subquery()
    statement = (
        select(
            Analysis.id, Analysis.article_id, Article.title, Publisher.name, Article.published_at, Analysis.batch_id, Analysis.model,
            Analysis.prompt_version, Analysis.sentiment, Analysis.impact, Analysis.signal_strength, Analysis.uniqueness,
            Analysis.confidence, signals, Analysis.ungrounded_signals, Analysis.dropped_quotes, Analysis.summary, Analysis.context,
            Analysis.created_at, Analysis.completed_at,
        )
        .join(Article, Article.id == Analysis.article_id)
        .join(Publisher, Publisher.id == Article.publisher_id)
        .order_by(Analysis.id)
    )  # fmt: skip
    return Analysis, statement


def _records() -> tuple[Any, Any]:
    statement = select(
        BatchRecord.id, BatchRecord.batch_id, BatchRecord.article_id, BatchRecord.article_title, BatchRecord.status, BatchRecord.attempts,
        BatchRecord.started_at, BatchRecord.finished_at, BatchRecord.error_kind, BatchRecord.error_message, BatchRecord.skip_reason,
    ).order_by(BatchRecord.batch_id, BatchRecord.position)  # fmt: skip
    return BatchRecord, statement


def _ledger() -> tuple[Any, Any]:
    return LedgerEntry, select(*[getattr(LedgerEntry, name) for name in COLUMNS[Table.LEDGER]]).order_by(LedgerEntry.id)
