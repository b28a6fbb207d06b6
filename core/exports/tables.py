"""What can be exported, in which formats, and the columns of each table: names, order and kinds. They are stable: new ones come last."""

from enum import StrEnum, auto


class Table(StrEnum):
    SIGNALS = "signals"
    ANALYSES = "analyses"
    RECORDS = "records"
    LEDGER = "ledger"

    @classmethod
    def _missing_(cls, value: object) -> "Table | None":
        return cls.LEDGER if value == "costs" else None  # as it was called at first


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    BRIEFING = "briefing"  # HTML for reading: the accepted signals

    @property
    def suffix(self) -> str:
        return ".html" if self is Format.BRIEFING else f".{self.value}"


class Kind(StrEnum):
    """What a column holds."""

    TEXT = auto()
    INTEGER = auto()
    REAL = auto()
    MONEY = auto()  # USD, eight places
    CREDITS = auto()  # four places
    TIME = auto()
    BOOLEAN = auto()
    EVIDENCE = auto()  # a list of quotes
    SOURCES = auto()  # a list of sources
    TEXTS = auto()  # a list of texts


def _kinds(**columns: str) -> dict[str, Kind]:
    """Columns by kind; a name may stand under one kind only."""
    return {name: Kind(kind) for kind, names in columns.items() for name in names.split()}


_KINDS = _kinds(
    integer="""signal_id article_id batch_id analysis_id record_id id attempt attempts origins signals ungrounded_signals dropped_quotes
        input_tokens cached_tokens output_tokens thinking_tokens""",
    real="confidence confidence_adjustment impact signal_strength uniqueness",
    money="reserved_usd usd",
    credits="search_credits",
    time="published_at reviewed_at created_at completed_at started_at finished_at settled_at validated_at",
    boolean="verdict_hidden review_blind research_failed is_sample",
    evidence="evidence",
    sources="sources",
    texts="unsupported_numbers",
)

COLUMNS: dict[Table, tuple[str, ...]] = {
    Table.SIGNALS: (
        "signal_id", "kind", "category", "description", "implications", "timeframe", "confidence", "evidence", "verdict",
        "confidence_adjustment", "validation_reason", "sources", "decision", "review_note", "reviewer", "reviewed_at", "article_id",
        "article_title", "publisher", "article_url", "published_at", "batch_id", "model", "prompt_version", "created_at",
        "model_verdict", "unsupported_numbers", "verdict_hidden", "origins", "research_provider", "research_failed", "validated_at",
        "corrected_category", "corrected_description", "corrected_timeframe", "verdict_at_decision", "review_blind",
        "is_sample",
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
    Table.LEDGER: (
        "id", "created_at", "status", "kind", "agent", "provider", "model", "batch_id", "record_id", "article_id", "attempt",
        "reserved_usd", "usd", "input_tokens", "cached_tokens", "output_tokens", "thinking_tokens", "search_credits", "error_kind",
        "error_message", "settled_at",
    ),
}  # fmt: skip
"""The columns of each export, in their order; documented in the README."""


def kinds(table: Table) -> dict[str, Kind]:
    """What each column of a table holds."""
    return {name: _KINDS.get(name, Kind.TEXT) for name in COLUMNS[table]}
