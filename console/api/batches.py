"""Batches over HTTP: the list, one with its progress, costs, timing and quality."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session

from console.api.cursors import Page, as_page, cursor_of, place_of
from console.api.etags import NOT_MODIFIED, tagged
from console.api.fields import MOST_ID, Id, Moment, Name, PageAsked, Shape, Usd, Words
from console.api.refusals import refusals
from console.api.serving import Caller, Guarded
from core import batches, records
from core.batch_figures import Quality, elapsed_seconds, quality
from core.batches import Progress
from core.clock import utc_now
from core.models import BatchStatus, RecordStatus
from core.paging import Page as Found
from core.paging import Place
from core.records import RecordRow

router = APIRouter(prefix="/api", tags=["batches"], route_class=Guarded)
BATCHES = "batches"
FARTHEST_ETA = 366 * 24 * 3_600.0
"""Seconds beyond which an end is no longer told: a batch that stood still for weeks has no pace."""


# --- shapes ----------------------------------------------------------------------------------------------------------


class ProgressFigures(Shape):
    total: int
    processed: int = Field(description="Articles that reached an end, whichever.")
    remaining: int
    percent: float = Field(ge=0, le=100)


class RecordFigures(Shape):
    """Articles of the batch by their state."""

    pending: int
    processing: int
    completed: int
    failed: int
    skipped: int
    cancelled: int


class CostFigures(Shape):
    """What the batch costs."""

    estimated_usd: Usd
    spent_usd: Usd
    reserved_usd: Usd = Field(description="Held for calls under way, each at its worst case.")
    limit_usd: Usd | None = Field(description="The batch's own limit; null without one.")
    left_usd: Usd = Field(description="What may still be spent of its limit or, without one, what is left of the estimate.")


class TimeFigures(Shape):
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    elapsed_seconds: float
    eta_seconds: float | None = Field(description="Null while the batch does not run, and until enough of it has run to tell.")
    eta_at: Moment | None


class QualityFigures(Shape):
    """What the articles came to. Shares are 0..1; null where there is nothing to take them of."""

    signal_strength: float | None = Field(description="Mean of the analyses.")
    success_rate: float | None = Field(description="Completed, of the articles that ran to an end.")
    retry_rate: float | None = Field(description="Calls that repeated one that had failed, of all calls.")
    calls: int


class BatchLine(Shape):
    """A batch of the list."""

    id: int
    status: BatchStatus
    launched_by: str
    model: str
    research: str
    pause_reason: str | None
    failed_research: int = Field(description="Signals whose newest research failed.")
    progress: ProgressFigures
    records: RecordFigures
    costs: CostFigures
    timing: TimeFigures


class Batch(BatchLine):
    """One batch."""

    quality: QualityFigures


class RecordLine(Shape):
    """One article of a batch."""

    id: int
    article_id: int | None = Field(description="Null once the article was deleted.")
    title: str
    status: RecordStatus
    attempts: int
    started_at: Moment | None
    finished_at: Moment | None
    error_kind: str | None
    error_message: str | None
    skip_reason: str | None
    usd: Usd = Field(description="Of its calls so far.")


# --- endpoints -------------------------------------------------------------------------------------------------------


class BatchesAsked(PageAsked):
    limit: int = Field(25, ge=1, le=100, description="Rows of the page: the articles of each are counted.")
    status: list[BatchStatus] = Field([], max_length=10, description="Only of these states. May be given several times.")


@router.get("/batches")
def list_batches(at: Caller, asked: Annotated[BatchesAsked, Query()]) -> Page[BatchLine]:
    """Batches, newest first."""
    statuses = tuple(sorted(set(asked.status)))
    chosen = BatchesAsked(status=list(statuses))
    place = place_of(asked.cursor, BATCHES, chosen)
    before = int(place.after[1]) if place.after else None

    def work(session: Session) -> tuple[batches.Page, int | None]:
        found = batches.page(session, statuses, before=before, size=asked.limit)
        first = found.rows[0].id if found.rows else before or 0
        if not found.has_newer:
            return found, None
        return found, batches.page_before(session, statuses, first, size=asked.limit) or MOST_ID

    found, newer = at.read(work)
    now = utc_now()
    following = Place(after=(0, found.rows[-1].id)) if found.has_older else None
    previous = Place(after=(0, newer)) if newer is not None else None
    return Page(
        items=[line_of(row, now) for row in found.rows],
        next=cursor_of(following, BATCHES, chosen),
        previous=cursor_of(previous, BATCHES, chosen),
    )


@router.get("/batches/{batch_id}", response_model=Batch, responses=refusals(404) | NOT_MODIFIED)
def one_batch(at: Caller, request: Request, batch_id: Annotated[Id, Path()]) -> Response:
    """One batch: progress, records by state, costs, timing and quality. Sends an ETag, which holds once the batch has ended."""
    return tagged(request, at.read(lambda session: batch_of(session, batch_id, utc_now())))


class RecordsAsked(PageAsked):
    status: list[RecordStatus] = Field([], max_length=10, description="Only of these states. May be given several times.")
    kind: Name | None = Field(None, description="Only what failed so, such as `blocked`.")
    q: Words = Field("", description="Words that stand in the title.")


@router.get("/batches/{batch_id}/records", responses=refusals(404))
def batch_records(at: Caller, batch_id: Annotated[Id, Path()], asked: Annotated[RecordsAsked, Query()]) -> Page[RecordLine]:
    """The articles of a batch, with why they failed or were skipped: those in work first, then failed, completed and the rest."""
    statuses = sorted(set(asked.status))
    chosen, name = RecordsAsked(status=statuses, kind=asked.kind, q=asked.q), f"{BATCHES}:{batch_id}"
    place = place_of(asked.cursor, name, chosen)

    def work(session: Session) -> Found[RecordRow]:
        batches.progress(session, batch_id)
        return records.page_at(session, batch_id, place, asked.limit, statuses=statuses, words=asked.q, kind=asked.kind)

    return as_page(at.read(work), RecordLine.model_validate, name, chosen)


# --- pieces ----------------------------------------------------------------------------------------------------------


def batch_of(session: Session, batch_id: int, now: datetime) -> Batch:
    """One batch as the API shows it.

    Raises:
        NotFound: there is no such batch.
    """
    found = batches.progress(session, batch_id)
    return shown(found, quality(session, found), now)


def shown(found: Progress, its: Quality, now: datetime) -> Batch:
    """A batch as the API shows it. Pure."""
    return Batch(**dict(line_of(found, now)), quality=QualityFigures.model_validate(its))


def line_of(found: Progress, now: datetime) -> BatchLine:
    """A batch as lists show it. Pure."""
    eta = found.seconds_left(now)
    if eta is not None and eta > FARTHEST_ETA:
        eta = None
    whole = found.limit_usd if found.limit_usd is not None else found.estimated_usd
    return BatchLine(
        id=found.id,
        status=found.status,
        launched_by=found.launched_by,
        model=found.model,
        research=found.research,
        pause_reason=found.pause_reason,
        failed_research=found.failed_research,
        progress=ProgressFigures(
            total=found.total, processed=found.ended, remaining=found.total - found.ended, percent=round(found.share * 100, 2)
        ),
        records=RecordFigures(**{status.value.lower(): found.counts[status] for status in RecordStatus}),
        costs=CostFigures(
            estimated_usd=found.estimated_usd,
            spent_usd=found.spent_usd,
            reserved_usd=found.reserved_usd,
            limit_usd=found.limit_usd,
            left_usd=max(whole - found.spent_usd - found.reserved_usd, Decimal(0)),
        ),
        timing=TimeFigures(
            created_at=found.created_at,
            started_at=found.started_at,
            finished_at=found.finished_at,
            elapsed_seconds=round(elapsed_seconds(found, now), 3),
            eta_seconds=None if eta is None else round(eta, 1),
            eta_at=None if eta is None else now + timedelta(seconds=eta),
        ),
    )
