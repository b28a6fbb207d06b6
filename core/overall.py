"""The desk in one look: what ``/admin/status`` and ``/metrics`` tell. Reads only, by any thread; every query is bounded or a roll-up's."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from core import health, reports, schedule, spending
from core.budget import BudgetState, current_budgets
from core.catalogue import PublisherLine, most_articles
from core.database import current_revision, known_revisions
from core.health import ProviderState, Queue, WorkerState
from core.launching import readiness
from core.models import Article, BatchRecord, BatchSession, BatchStatus, RecordStatus, Worker, WorkerKind
from core.paging import COUNT_BOUND, Count
from core.records import LEASE
from core.reports import Today
from core.schedule import JobRow
from core.settings import Settings
from core.spending import Usage

PUBLISHERS = 50
"""Of the publishers those with most articles."""


@dataclass(frozen=True, slots=True)
class Overall:
    """Everything that an operator asks first."""

    today: Today
    published_lately: Count
    """Articles published in the last 24 hours."""
    publishers: list[PublisherLine]
    batches: dict[BatchStatus, int]
    records: dict[RecordStatus, int]
    """Of the batches that have not ended."""
    queue: Queue
    workers: list[WorkerState]
    missing: list[str]
    """Processes that the desk needs and that do not live, each with how to start it."""
    jobs: list[JobRow]
    """What the desk does by itself."""
    budgets: list[BudgetState]
    providers: list[ProviderState]
    calls: dict[str, Usage]
    """All calls ever that have ended, by provider."""
    revision: str | None
    newest_revision: str


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of being ready, with what was found."""

    name: str
    ok: bool
    detail: str


def overall(session: Session, settings: Settings, now: datetime) -> Overall:
    """The desk now."""
    workers = health.worker_states(session)
    return Overall(
        today=reports.today(session, readiness(settings)),
        published_lately=_published_since(session, now - timedelta(hours=24)),
        publishers=most_articles(session, PUBLISHERS),
        batches=batches_by_status(session),
        records=_open_records(session),
        queue=health.queue(session),
        workers=workers,
        missing=health.what_is_missing(workers, settings, now),
        jobs=schedule.jobs(session),
        budgets=current_budgets(session, settings, now),
        providers=health.provider_states(session, now),
        calls=spending.calls_by_provider(session),
        revision=current_revision(session.connection()),
        newest_revision=known_revisions()[0][0],
    )


def checks(session: Session, now: datetime) -> list[Check]:
    """Whether the desk can do its work: the database takes what is written, its schema is current, something that runs batches lives.

    Raises:
        DatabaseUnavailable: through the session, when the database is away or cannot write.
    """
    _write_and_take_back(session, now)
    revision, newest = current_revision(session.connection()), known_revisions()[0][0]
    beat = session.scalar(select(func.max(Worker.heartbeat_at)).where(Worker.kind.in_((WorkerKind.POOL, WorkerKind.CELERY))))
    alive = beat is not None and beat >= now - LEASE
    said = f"last heartbeat {beat.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if beat else "no worker has registered"
    return [
        Check("database", True, "takes what is written"),
        Check("migration", revision == newest, f"revision {revision}" + ("" if revision == newest else f", not {newest}")),
        Check("worker", alive, said),
    ]


def batches_by_status(session: Session) -> dict[BatchStatus, int]:
    """Batches by status, from the index on it."""
    counted = select(BatchSession.status, func.count()).group_by(BatchSession.status)
    return dict.fromkeys(BatchStatus, 0) | dict(session.execute(counted).all())


def _open_records(session: Session) -> dict[RecordStatus, int]:
    open_ones = session.scalars(select(BatchSession.id).where(BatchSession.status.in_(BatchStatus.open()))).all()
    counted = select(BatchRecord.status, func.count()).where(BatchRecord.batch_id.in_(open_ones)).group_by(BatchRecord.status)
    return dict.fromkeys(RecordStatus, 0) | dict(session.execute(counted).all())


def _published_since(session: Session, since: datetime) -> Count:
    bounded = select(Article.id).where(Article.published_at >= since).limit(COUNT_BOUND + 1).subquery()
    found = session.scalar(select(func.count()).select_from(bounded)) or 0
    return Count(min(found, COUNT_BOUND), found <= COUNT_BOUND)


def _write_and_take_back(session: Session, now: datetime) -> None:
    """Write a row and take it back: a server that answers may still be read-only, or out of room."""
    with session.begin_nested() as probe:
        session.execute(insert(Worker).values(owner="readiness probe", host="", pid=0, started_at=now, heartbeat_at=now))
        probe.rollback()
