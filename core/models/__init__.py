"""The tables. Postgres is the only state: every status is a column here.

Money is ``NUMERIC`` and ``Decimal``, never float. Times are ``timestamptz`` in UTC. Nothing is loaded lazily: queries say
what they need. Status enums state one meaning a member; sets such as ``BatchStatus.open()`` name what code asks about.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, event

from core.models.articles import (
    Article,
    ArticleCategory,
    ArticleCell,
    ArticleKey,
    ArticleWords,
    Category,
    ListedArticle,
    Move,
    MovedRow,
    Price,
    Publisher,
)
from core.models.base import Base, table_of
from core.models.batches import BatchRecord, BatchSession, BatchStatus, KeptAnswer, RecordStatus
from core.models.days import PublisherDay, SignalCategory, SignalDay
from core.models.desk import Feed, SavedSetting, ScheduledJob, Worker, WorkerKind
from core.models.findings import (
    ARTICLE_ORIGIN,
    Analysis,
    Authority,
    Decision,
    DomainAuthority,
    Evidence,
    EvidenceMatch,
    Signal,
    Source,
    Validation,
)
from core.models.money import (
    Budget,
    BudgetEvent,
    BudgetEventKind,
    BudgetScope,
    LedgerEntry,
    LedgerKind,
    LedgerStatus,
    SpendBatch,
    SpendDay,
    SpendDelta,
    SpendPublisher,
    SpendSlot,
)
from core.models.people import ApiToken, AuditEntry, EndedSignIn, Person
from core.models.reviews import DecisionSum, Review, ReviewAct, ReviewClaim, StandingDecision

__all__ = [
    "ARTICLE_ORIGIN",
    "Analysis",
    "ApiToken",
    "Article",
    "ArticleCategory",
    "ArticleCell",
    "ArticleKey",
    "ArticleWords",
    "AuditEntry",
    "Authority",
    "Base",
    "BatchRecord",
    "BatchSession",
    "BatchStatus",
    "Budget",
    "BudgetEvent",
    "BudgetEventKind",
    "BudgetScope",
    "Category",
    "Decision",
    "DecisionSum",
    "DomainAuthority",
    "EndedSignIn",
    "Evidence",
    "EvidenceMatch",
    "Feed",
    "KeptAnswer",
    "LedgerEntry",
    "LedgerKind",
    "LedgerStatus",
    "ListedArticle",
    "Move",
    "MovedRow",
    "Person",
    "Price",
    "Publisher",
    "PublisherDay",
    "RecordStatus",
    "Review",
    "ReviewAct",
    "ReviewClaim",
    "SavedSetting",
    "ScheduledJob",
    "Signal",
    "SignalCategory",
    "SignalDay",
    "Source",
    "SpendBatch",
    "SpendDay",
    "SpendDelta",
    "SpendPublisher",
    "SpendSlot",
    "StandingDecision",
    "Validation",
    "Worker",
    "WorkerKind",
    "table_of",
]

TRIGGERS = tuple(Path(__file__).parents[1] / "migrations" / "sql" / name for name in ("0006.sql", "audit_log.sql", "0017.sql"))
"""Views, functions and triggers, in order, as migrations made them."""


@event.listens_for(Base.metadata, "after_create")
def _make_triggers(_metadata: MetaData, connection: Connection, **_: Any) -> None:
    for script in TRIGGERS:
        connection.exec_driver_sql(script.read_text(encoding="utf-8"))
