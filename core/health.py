"""Health: what the desk's parts do right now. Reads only, by any thread; every query is bounded, whatever the tables hold."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import metadata

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from core.database import Database, current_revision, known_revisions
from core.models import BatchRecord, BatchSession, BatchStatus, LedgerEntry, LedgerStatus, RecordStatus, WorkerKind
from core.paging import COUNT_BOUND, Count
from core.records import LEASE, workers
from core.settings import Settings

LATELY = timedelta(hours=1)
CALLS_LOOKED_AT = 2_000
"""Of the calls of the last hour the newest so many count for a provider's health."""
BIG_TABLES = ("articles", "signals", "evidence", "validation_sources", "ledger_entries", "batch_records")
PACKAGES = (
    "signaldesk",
    "streamlit",
    "sqlalchemy",
    "psycopg",
    "celery",
    "pydantic-ai-slim",
    "google-genai",
    "tavily-python",
    "genai-prices",
    "plotly",
    "pandas",
)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A process that runs batches or looks after them; ``runs`` has the records it holds, by batch.

    ``tasks`` of Celery ran at its heartbeat, of ``slots`` at most; None for what runs none.
    """

    owner: str
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    runs: tuple[tuple[int, int], ...]
    kind: WorkerKind = WorkerKind.POOL
    name: str = ""
    slots: int | None = None
    tasks: int = 0

    @property
    def runs_batches(self) -> bool:
        return self.kind in (WorkerKind.POOL, WorkerKind.CELERY)


@dataclass(frozen=True, slots=True)
class Queue:
    """Records by what they wait for."""

    waiting: Count
    paused: Count
    """Waiting in batches that are paused."""
    in_work: int


@dataclass(frozen=True, slots=True)
class ProviderState:
    """A provider's calls: those in flight, and how those of the last hour went. Latency is the median of the answered ones, in seconds."""

    name: str
    in_flight: int
    reserved_usd: Decimal
    oldest_in_flight: datetime | None
    answered: int
    failed: int
    latency: float | None
    last_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The server and this desk's database on it. Rows are the server's own estimate; sizes are in bytes, indexes included."""

    version: str
    started_at: datetime
    name: str
    size: int
    connections: int
    most_connections: int
    revision: str | None
    tables: tuple[tuple[str, int | None, int], ...]
    """Name, rows, bytes of the big ones; rows are null until the server counted for the first time."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """This process's connections: in use, open, and how many there may be."""

    in_use: int
    open: int
    most: int


NO_WORKER = "No worker runs, so batches wait. Start one: signaldesk worker"


def what_is_missing(workers: Sequence[WorkerState], settings: Settings, now: datetime) -> list[str]:
    """Processes that the desk needs and that do not live, each with how to start it. Pure."""
    living = {one.kind for one in workers if now - one.heartbeat_at < LEASE}
    if settings.executor == "pool":
        return []
    missing = []
    if WorkerKind.CELERY not in living:
        missing.append(NO_WORKER)
    if WorkerKind.BEAT not in living:
        missing.append("The schedule does not run. Start it: signaldesk beat")
    return missing


def worker_states(session: Session) -> list[WorkerState]:
    """All registered workers with what they hold, newest heartbeat first."""
    held: dict[str, list[tuple[int, int]]] = {}
    statement = (
        select(BatchRecord.lease_owner, BatchRecord.batch_id, func.count())
        .where(BatchRecord.status == RecordStatus.PROCESSING, BatchRecord.lease_owner.is_not(None))
        .group_by(BatchRecord.lease_owner, BatchRecord.batch_id)
        .order_by(BatchRecord.batch_id)
    )
    for owner, batch_id, number in session.execute(statement):
        held.setdefault(owner or "", []).append((batch_id, number))
    return [
        WorkerState(
            one.owner,
            one.host,
            one.pid,
            one.started_at,
            one.heartbeat_at,
            tuple(held.get(one.owner, ())),
            one.kind,
            one.name,
            one.slots,
            one.tasks,
        )
        for one in workers(session)
    ]


def queue(session: Session) -> Queue:
    """How much work waits, exact up to ``COUNT_BOUND``, and how much is in work."""
    in_work = session.scalar(select(func.count()).where(BatchRecord.status == RecordStatus.PROCESSING)) or 0
    return Queue(_pending(session, BatchStatus.claimable()), _pending(session, {BatchStatus.PAUSED}), in_work)


def _pending(session: Session, statuses: frozenset[BatchStatus] | set[BatchStatus]) -> Count:
    batches = session.scalars(select(BatchSession.id).where(BatchSession.status.in_(statuses))).all()
    bounded = (
        select(BatchRecord.id)
        .where(BatchRecord.status == RecordStatus.PENDING, BatchRecord.batch_id.in_(batches))
        .limit(COUNT_BOUND + 1)
        .subquery()
    )
    found = session.scalar(select(func.count()).select_from(bounded)) or 0
    return Count(min(found, COUNT_BOUND), found <= COUNT_BOUND)


def provider_states(session: Session, now: datetime) -> list[ProviderState]:
    """Every provider with a call in flight or within the last hour, by name."""
    flying = {
        row.provider: row
        for row in session.execute(
            select(
                LedgerEntry.provider,
                func.count().label("calls"),
                func.sum(LedgerEntry.reserved_usd).label("usd"),
                func.min(LedgerEntry.created_at).label("oldest"),
            )
            .where(LedgerEntry.status == LedgerStatus.RESERVED)
            .group_by(LedgerEntry.provider)
        )
    }
    recent = (
        select(LedgerEntry)
        .where(LedgerEntry.created_at >= now - LATELY)
        .order_by(LedgerEntry.created_at.desc(), LedgerEntry.id.desc())
        .limit(CALLS_LOOKED_AT)
        .subquery()
    )
    went_wrong = recent.c.error_kind.is_not(None)
    answered = recent.c.status == LedgerStatus.SETTLED
    seconds = func.extract("epoch", recent.c.settled_at - recent.c.created_at)
    newest_error = func.array_agg(aggregate_order_by(recent.c.error_message, recent.c.created_at.desc())).filter(went_wrong)
    ended = {
        row.provider: row
        for row in session.execute(
            select(
                recent.c.provider,
                func.count().filter(answered, ~went_wrong).label("answered"),
                func.count().filter(went_wrong).label("failed"),
                func.percentile_cont(0.5).within_group(seconds).filter(answered).label("latency"),
                func.max(recent.c.created_at).label("last_at"),
                newest_error.label("errors"),
                func.max(recent.c.created_at).filter(went_wrong).label("last_error_at"),
            )
            .where(recent.c.status != LedgerStatus.RESERVED)
            .group_by(recent.c.provider)
        )
    }
    states = []
    for name in sorted(flying.keys() | ended.keys()):
        now_, then = flying.get(name), ended.get(name)
        states.append(
            ProviderState(
                name=name,
                in_flight=now_.calls if now_ else 0,
                reserved_usd=now_.usd if now_ else Decimal(0),
                oldest_in_flight=now_.oldest if now_ else None,
                answered=then.answered if then else 0,
                failed=then.failed if then else 0,
                latency=float(then.latency) if then and then.latency is not None else None,
                last_at=then.last_at if then else None,
                last_error=then.errors[0] if then and then.errors else None,
                last_error_at=then.last_error_at if then else None,
            )
        )
    return states


def database_state(session: Session) -> DatabaseState:
    """Version, size and connections as the server tells them."""
    row = session.execute(
        text(
            "SELECT current_setting('server_version') AS version, pg_postmaster_start_time() AS started_at, current_database() AS name,"
            " pg_database_size(current_database()) AS size, current_setting('max_connections')::int AS most_connections,"
            " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections"
        )
    ).one()
    tables = session.execute(
        text(
            "SELECT relname, nullif(reltuples, -1)::bigint AS rows, pg_total_relation_size(oid) AS bytes FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname = ANY(:names) ORDER BY 3 DESC"
        ),
        {"names": list(BIG_TABLES)},
    )
    return DatabaseState(
        revision=current_revision(session.connection()), tables=tuple((name, rows, size) for name, rows, size in tables), **row._mapping
    )


def pool_state(database: Database) -> PoolState:
    """Connections of this process. Needs no query."""
    pool = database.engine.pool
    in_use, idle = pool.checkedout(), pool.checkedin()  # type: ignore[attr-defined]
    return PoolState(in_use, in_use + idle, pool.size() + pool._max_overflow)  # type: ignore[attr-defined]


def migrations(revision: str | None) -> list[tuple[str, str, bool]]:
    """Every migration that this checkout knows, newest first: revision, title, and whether the database has it."""
    found = []
    applied = revision is not None and revision not in {name for name, _ in known_revisions()}
    for name, title in known_revisions():
        applied = applied or name == revision
        found.append((name, title, applied))
    return found


@cache
def versions() -> dict[str, str]:
    """Python and what the desk is built on, by name."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "not installed"
    return found
