"""The desk itself over HTTP: whether it lives, whether it is ready, its state for whoever runs it, its figures for analysts."""

from datetime import date, datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session

from console.api.articles import PublisherLine
from console.api.costs import BudgetLine
from console.api.fields import Moment, Shape, Total, Usd
from console.api.problems import RETRY_SECONDS, Fault, problem
from console.api.serving import Caller, Guarded, serving
from core import overall, quality, reports
from core.agents.outputs import SignalKind
from core.articles import counts
from core.broker import broker_state
from core.budget import utc_day
from core.clock import utc_now
from core.health import WorkerState, versions
from core.launching import readiness
from core.models import BatchStatus, RecordStatus, WorkerKind
from core.records import LEASE
from core.schedule import Job
from core.settings import Settings
from core.windows import window_of

open_router = APIRouter(tags=["desk"])
"""Without a token."""
router = APIRouter(tags=["desk"], route_class=Guarded)
STATISTICS_DAYS = 30


# --- shapes ----------------------------------------------------------------------------------------------------------


class Alive(Shape):
    status: str = Field(examples=["ok"])
    articles: int


class CheckLine(Shape):
    name: str
    ok: bool
    detail: str


class Ready(Shape):
    status: str = Field(examples=["ready"])
    checks: list[CheckLine]


class WorkerLine(Shape):
    """A process that runs batches or looks after them."""

    owner: str
    kind: WorkerKind
    name: str = Field(description="Celery's name of it; empty for others.")
    host: str
    pid: int
    started_at: Moment
    heartbeat_at: Moment
    is_alive: bool = Field(description=f"Its heartbeat is no older than {LEASE.total_seconds():.0f} s.")
    in_work: int = Field(description="Articles that it holds.")
    batches: list[int] = Field(description="Of these batches.")
    tasks: int = Field(description="Tasks of Celery that it ran at its last heartbeat.")
    slots: int | None = Field(description="So many at most; null for what runs none.")

    @classmethod
    def of(cls, state: WorkerState, now: datetime) -> "WorkerLine":
        return cls(
            owner=state.owner,
            kind=state.kind,
            name=state.name,
            host=state.host,
            pid=state.pid,
            started_at=state.started_at,
            heartbeat_at=state.heartbeat_at,
            is_alive=now - state.heartbeat_at < LEASE,
            in_work=sum(number for _, number in state.runs),
            batches=[batch_id for batch_id, _ in state.runs],
            tasks=state.tasks,
            slots=state.slots,
        )


class JobLine(Shape):
    """Something that the desk does by itself."""

    name: Job
    enabled: bool
    every_seconds: int
    next_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    failed: bool | None = Field(description="The last run; null before the first.")
    result: str | None


class BrokerLine(Shape):
    """Redis, where Celery runs the batches."""

    address: str = Field(description="Without name and password.")
    waiting: int | None = Field(description="Tasks in the queue; null while it is away.")
    taken: int | None = Field(description="Tasks with workers.")
    trouble: str | None = Field(description="Why it does not answer.")


class ProviderLine(Shape):
    """How a provider's calls went in the last hour."""

    name: str
    in_flight: int
    reserved_usd: Usd
    answered: int
    failed: int
    latency_seconds: float | None = Field(description="Median of the answered ones.")
    last_at: Moment | None
    last_error: str | None
    last_error_at: Moment | None


class ArticleFigures(Shape):
    total: int
    last_24_hours: Total = Field(description="Published in the last 24 hours.")
    analysis_ready: Total
    by_publisher: list[PublisherLine] = Field(description=f"The {overall.PUBLISHERS} with most articles.")


class QueueFigures(Shape):
    waiting: Total = Field(description="Articles that wait in batches that run.")
    paused: Total = Field(description="Articles that wait in batches that are paused.")
    in_work: int


class Status(Shape):
    """The desk's state for whoever runs it."""

    at: Moment
    version: str
    migration: str | None = Field(description="Revision of the database's schema.")
    migration_is_current: bool
    articles: ArticleFigures
    batches: dict[BatchStatus, int]
    running_batches: int
    open_records: dict[RecordStatus, int] = Field(description="Articles of batches that have not ended, by state.")
    queue: QueueFigures
    executor: str = Field(description="Who runs batches: pool or celery.")
    workers: list[WorkerLine] = Field(description="Newest heartbeat first.")
    broker: BrokerLine | None = Field(description="Redis, where Celery runs the batches; null where none is set.")
    missing: list[str] = Field(description="Processes that the desk needs and that do not live, each with how to start it.")
    schedule: list[JobLine] = Field(description="What the desk does by itself.")
    budgets: list[BudgetLine] = Field(description="Today's and this month's.")
    providers: list[ProviderLine] = Field(description="Those with a call in flight or within the last hour.")


class KindFigures(Shape):
    kind: SignalKind
    signals: int


class DayFigures(Shape):
    day: date
    signals: int


class PublisherFigures(Shape):
    publisher: str
    signals: int
    accepted: int


class Statistics(Shape):
    """The figures of the Overview."""

    articles: int
    analysis_ready: Total
    in_work: int
    waiting: int
    to_review: int
    accepted: int
    rejected: int
    unsure: int
    acceptance_rate: float | None = Field(description="Accepted, of all accepted or rejected, 0..1; null without one.")
    since: date = Field(description="First UTC day of the articles that the next two lists are of: as on the Overview.")
    until: date = Field(description="Last one: today, or where the archive ends.")
    signals_by_kind: list[KindFigures]
    signals_by_day: list[DayFigures]
    publishers: list[PublisherFigures] = Field(description="The ten with most signals.")


# --- open ------------------------------------------------------------------------------------------------------------


@open_router.get("/health")
async def health(request: Request) -> Alive:
    """200 while the database answers and takes what is written; 503 with the reason when it does not, within seconds."""
    held = serving(request)

    def work() -> Alive:
        desk = held.desk_of()
        articles, _samples = desk.transaction(counts)
        if desk.trouble is not None:
            raise desk.trouble
        return Alive(status="ok", articles=articles)

    return await held.probes.look("alive", work)


@open_router.get("/health/ready", response_model=Ready)
async def ready(request: Request) -> Ready | Response:
    """200 when the database takes what is written, its schema is current and a worker lives; 503 with what is missing."""
    held, now = serving(request), utc_now()
    found = await held.probes.look("ready", lambda: held.desk_of().transaction(lambda session: overall.checks(session, now)))
    missing = [Fault(location=check.name, detail=check.detail) for check in found if not check.ok]
    if missing:
        detail = "; ".join(f"{fault.location}: {fault.detail}" for fault in missing)
        headers = {"Retry-After": str(RETRY_SECONDS)}
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "Not ready", detail, errors=missing, headers=headers)
    return Ready(status="ready", checks=[CheckLine.model_validate(check) for check in found])


# --- for whoever may read --------------------------------------------------------------------------------------------


@router.get("/admin/status")
def status(at: Caller) -> Status:
    """The desk's state: articles, batches, queue, workers, budgets, providers, version, migration."""
    now = utc_now()
    found = at.with_settings(lambda session, settings: overall.overall(session, settings, now))
    return Status(
        at=now,
        version=versions()["signaldesk"],
        migration=found.revision,
        migration_is_current=found.revision == found.newest_revision,
        articles=ArticleFigures(
            total=found.today.articles,
            last_24_hours=Total.of(found.published_lately),
            analysis_ready=Total.of(found.today.ready),
            by_publisher=[PublisherLine.model_validate(row) for row in found.publishers],
        ),
        batches=found.batches,
        running_batches=sum(found.batches[one] for one in BatchStatus.claimable()),
        open_records=found.records,
        queue=QueueFigures(waiting=Total.of(found.queue.waiting), paused=Total.of(found.queue.paused), in_work=found.queue.in_work),
        executor=at.desk.environment.executor,
        broker=BrokerLine.model_validate(broker) if (broker := broker_state(at.desk.environment)) else None,
        workers=[WorkerLine.of(one, now) for one in found.workers],
        missing=found.missing,
        schedule=[JobLine.model_validate(job) for job in found.jobs],
        budgets=[BudgetLine.of(state) for state in found.budgets],
        providers=[
            ProviderLine(
                name=one.name,
                in_flight=one.in_flight,
                reserved_usd=one.reserved_usd,
                answered=one.answered,
                failed=one.failed,
                latency_seconds=one.latency,
                last_at=one.last_at,
                last_error=one.last_error,
                last_error_at=one.last_error_at,
            )
            for one in found.providers
        ],
    )


@router.get("/api/stats")
def statistics(at: Caller) -> Statistics:
    """The figures of the Overview: articles, queue, reviews; signals of 30 days by kind and by day."""

    def work(session: Session, settings: Settings) -> Statistics:
        today, decided = reports.today(session, readiness(settings)), quality.acceptance(quality.agreement(session))
        window = window_of(STATISTICS_DAYS, newest=reports.newest_article_day(session), today=utc_day(utc_now()))
        days: dict[date, int] = {}
        kinds = dict.fromkeys(SignalKind, 0)
        for day, kind, number in reports.signals_by_day(session, since=window.first):
            if day > window.last:
                continue
            days[day] = days.get(day, 0) + number
            kinds[kind] += number
        return Statistics(
            articles=today.articles,
            analysis_ready=Total.of(today.ready),
            in_work=today.running,
            waiting=today.waiting,
            to_review=today.to_review,
            accepted=today.accepted,
            rejected=decided.rejected,
            unsure=decided.unsure,
            acceptance_rate=decided.share.value,
            since=window.first,
            until=window.last,
            signals_by_kind=[KindFigures(kind=kind, signals=number) for kind, number in kinds.items()],
            signals_by_day=[DayFigures(day=day, signals=number) for day, number in days.items()],
            publishers=[
                PublisherFigures(publisher=name, signals=number, accepted=accepted)
                for name, number, accepted in reports.publishers_by_signals(session)
            ],
        )

    return at.with_settings(work)
