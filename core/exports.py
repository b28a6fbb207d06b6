"""Exports: what is on screen as CSV, streamed row by row.

RFC 4180, UTF-8, times in UTC ISO 8601, decimals unrounded. A cell that a spreadsheet would take for a formula (it begins with
``= + - @``, tab or carriage return, and is no number) gets an apostrophe before it
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from core.figures import unsupported
from core.models import Analysis, Article, BatchRecord, Evidence, LedgerEntry, Publisher, Review, Signal, Source, Validation
from core.reports import LedgerRow
from core.signals import SignalFilter, joined, matching_signals, signal_order

FETCH = 500
UNSUPPORTED = "unsupported_numbers"  # worked out of the other columns


class Table(StrEnum):
    SIGNALS = "signals"
    ANALYSES = "analyses"
    RECORDS = "records"
    COSTS = "costs"


COLUMNS: dict[Table, tuple[str, ...]] = {
    Table.SIGNALS: (
        "signal_id", "kind", "category", "description", "implications", "timeframe", "confidence", "evidence", "verdict",
        "confidence_adjustment", "validation_reason", "sources", "decision", "review_note", "reviewer", "reviewed_at", "article_id",
        "article_title", "publisher", "article_url", "published_at", "batch_id", "model", "prompt_version", "created_at",
        "model_verdict", UNSUPPORTED,
    ),
    Table.ANALYSES: (
        "analysis_id", "article_id", "article_title", "publisher", "published_at", "batch_id", "model", "prompt_version", "sentiment",
        "impact", "signal_strength", "uniqueness", "confidence", "signals", "ungrounded_signals", "dropped_quotes", "summary", "context",
        "created_at", "completed_at",
    ),
    Table.RECORDS: (
        "record_id", "batch_id", "article_id", "article_title", "status", "attempts", "started_at", "finished_at", "error_kind",
        "error_message", "skip_reason",
    ),
    Table.COSTS: tuple(LedgerRow.__dataclass_fields__),
}  # fmt: skip
"""The columns of each export, in their order; stable, and documented in the README."""


def export_rows(
    session: Session, table: Table, *, signal_filter: SignalFilter | None = None, batch_id: int | None = None, article_id: int | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of an export, one dict a row, streamed from the database. Use it within the session's block.

    ``batch_id`` and ``article_id`` narrow every table; ``signal_filter`` narrows signals.
    """
    if table is Table.SIGNALS:
        chosen = signal_filter or SignalFilter()
        narrowed = {"batch_id": batch_id or chosen.batch_id, "article_id": article_id or chosen.article_id}
        return _signals(session, chosen.model_copy(update=narrowed))
    model, statement = {Table.ANALYSES: _analyses, Table.RECORDS: _records, Table.COSTS: _costs}[table]()
    if batch_id is not None:
        statement = statement.where(model.batch_id == batch_id)
    if article_id is not None:
        statement = statement.where(model.article_id == article_id)
    return _named(session, table, statement)


def csv_lines(table: Table, rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The export as CSV, a header and then a line a row."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS[table], lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: cell(value) for name, value in row.items()})
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def to_csv(session: Session, table: Table, **narrowed: Any) -> bytes:
    """The whole export as bytes; ``narrowed`` as for ``export_rows``."""
    return "".join(csv_lines(table, export_rows(session, table, **narrowed))).encode()


def cell(value: Any) -> str:
    """One value as a CSV cell that no spreadsheet takes for a formula."""
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal():
            return format(value, "f")
        case Enum():
            return str(value.value)
        case bool() | int() | float():
            return str(value)
        case list() | tuple() | dict():
            text = json.dumps(value, ensure_ascii=False, default=cell)
        case _:
            text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def as_json(value: Any) -> Any:
    """A value as ``json.dumps`` takes it: decimals as text, times in ISO 8601, dataclasses as objects."""
    match value:
        case datetime() | Decimal() | Enum():
            return cell(value)
        case date():
            return value.isoformat()
        case dict():
            return {str(as_json(key)): as_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(item) for item in value]
    return as_json(asdict(value)) if is_dataclass(value) and not isinstance(value, type) else value


def _signals(session: Session, signal_filter: SignalFilter) -> Iterator[dict[str, Any]]:
    newest_validation = select(func.max(Validation.id)).where(Validation.signal_id == Signal.id).correlate(Signal).scalar_subquery()
    newest_review = select(func.max(Review.id)).where(Review.signal_id == Signal.id).correlate(Signal).scalar_subquery()
    validation, review = aliased(Validation), aliased(Review)
    quotes = (
        select(
            func.json_agg(
                aggregate_order_by(
                    func.json_build_object("quote", Evidence.quote, "start", Evidence.start, "end", Evidence.end, "match", Evidence.match),
                    Evidence.start,
                    Evidence.id,
                )
            )
        )
        .where(Evidence.signal_id == Signal.id)
        .correlate(Signal)
        .scalar_subquery()
    )
    published = func.to_char(func.timezone("UTC", Source.published_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')  # whatever the server's own zone
    sources = (
        select(
            func.json_agg(
                aggregate_order_by(
                    func.json_build_object(
                        "url", Source.url, "title", Source.title, "publisher", Source.publisher, "published_at", published,
                        "stance", Source.stance, "authority", Source.authority, "quote", Source.quote, "origin", Source.origin,
                        "own_publisher", Source.is_own,
                    ),
                    Source.id,
                )
            )
        )
        .where(Source.validation_id == validation.id)
        .correlate(validation)
        .scalar_subquery()
    )  # fmt: skip
    statement = (
        joined(
            select(
                Signal.id, Signal.kind, Signal.category, Signal.description, Signal.implications, Signal.timeframe, Signal.confidence,
                quotes, validation.verdict, validation.confidence_adjustment, validation.reason, sources, Signal.decision, review.note,
                review.reviewer, review.created_at, Signal.article_id, Article.title, Publisher.name, Article.url, Article.published_at,
                Analysis.batch_id, Analysis.model, Analysis.prompt_version, Signal.created_at, validation.model_verdict,
            )
        )
        .outerjoin(validation, validation.id == newest_validation)
        .outerjoin(review, review.id == newest_review)
        .where(*matching_signals(signal_filter))
        .order_by(*signal_order(signal_filter))
    )  # fmt: skip
    for row in _named(session, Table.SIGNALS, statement):
        stands = [evidence["quote"] for evidence in row["evidence"] or ()]
        yield row | {UNSUPPORTED: list(unsupported(row["description"], stands))}


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


def _costs() -> tuple[Any, Any]:
    statement = select(*[getattr(LedgerEntry, name) for name in COLUMNS[Table.COSTS]]).order_by(LedgerEntry.id)
    return LedgerEntry, statement


def _named(session: Session, table: Table, statement: Any) -> Iterator[dict[str, Any]]:
    names = [name for name in COLUMNS[table] if name != UNSUPPORTED]
    for row in session.execute(statement.execution_options(yield_per=FETCH)):
        yield dict(zip(names, row, strict=True))
