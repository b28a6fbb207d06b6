"""Signals over HTTP: the list, one with all that is known of it, and the files that the console exports."""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Annotated, Any, cast

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from console.api.asked import publishers_named, require_days_in_order
from console.api.cursors import Page, beside, place_of
from console.api.etags import NOT_MODIFIED, require_unchanged, tagged
from console.api.fields import Asked, Day, Id, Moment, Name, Note, PageAsked, Shape, Total, Words
from console.api.refusals import refusals
from console.api.serving import Caller, Desktop, Guarded, serving
from core import exports, reviews
from core.agents.outputs import SignalKind, Stance, Timeframe, Verdict
from core.clock import utc_now
from core.exports import Export, Format
from core.models import Authority, Decision, EvidenceMatch, ReviewAct
from core.settings import Settings
from core.signal_filter import Reviewed, SignalFilter, SignalOrder
from core.signals import SignalDetail, count_signals, get_signal, signals_at
from core.validations import ValidationRow, validations_of

router = APIRouter(prefix="/api", tags=["signals"], route_class=Guarded)
SIGNALS = "signals"
HIDDEN = "Null until validated, and while it is hidden."


# --- shapes ----------------------------------------------------------------------------------------------------------


class SignalLine(Shape):
    """A signal of a list; category, description and timeframe as an analyst corrected them, else as found."""

    id: int
    kind: SignalKind
    category: str
    description: str
    confidence: float = Field(description="The model's own, 0..1.")
    timeframe: Timeframe
    verdict: Verdict | None = Field(description=HIDDEN)
    is_blind: bool = Field(description="The verdict is hidden until somebody decides.")
    decision: Decision | None
    publisher: str
    article_id: int
    article_title: str
    published_at: Moment
    model: str
    created_at: Moment


class Signals(Page[SignalLine]):
    """A page of signals, and how many match in all."""

    total: Total


class Quote(Shape):
    """Evidence: what stands at ``body[start:end]`` of the article."""

    quote: str
    start: int
    end: int
    match: EvidenceMatch


class SourceFound(Shape):
    """What research rests on."""

    url: str
    title: str
    publisher: str
    published_at: Moment | None
    stance: Stance
    authority: Authority
    quote: str
    article_id: int | None = Field(description="Set when it is an article of this desk.")
    is_own: bool = Field(description="By the article's own publisher.")


class ValidationFound(Shape):
    """Research on a signal."""

    id: int
    verdict: Verdict
    model_verdict: Verdict | None
    confidence_adjustment: float
    reason: str
    model: str
    research_provider: str
    origins: int = Field(description="Independent origins among the sources.")
    dropped_sources: int
    failed: bool = Field(description="Research failed, rather than found nothing.")
    created_at: Moment
    sources: list[SourceFound]


class FoundSignal(Shape):
    """One signal, as it was found, with its evidence and its newest research."""

    id: int
    analysis_id: int
    batch_id: int
    article_id: int
    kind: SignalKind
    category: str
    description: str
    implications: str
    timeframe: Timeframe
    confidence: float
    research_query: str
    verdict: Verdict | None = Field(description=HIDDEN)
    is_blind: bool
    decision: Decision | None
    corrected_category: str | None
    corrected_description: str | None
    corrected_timeframe: Timeframe | None
    model: str
    prompt_version: str
    content_hash: str
    created_at: Moment
    evidence: list[Quote]
    validation: ValidationFound | None = Field(description=HIDDEN)


class ReviewFound(Shape):
    """One act of an analyst."""

    id: int
    act: ReviewAct
    decision: Decision | None
    note: str | None
    undoes: int | None = Field(description="For an undo: the act that it took back.")
    verdict: Verdict | None = Field(description="For a decision: the verdict when it was made.")
    blind: bool
    reviewer: str
    created_at: Moment


class ReviewedSignal(FoundSignal):
    """A signal with what analysts made of it."""

    reviews: list[ReviewFound] = Field(description="Oldest first.")


# --- parameters ------------------------------------------------------------------------------------------------------


class FilterAsked(Asked):
    """The filter of the Signals page."""

    kind: list[SignalKind] = Field([], max_length=10)
    category: list[Name] = Field([], max_length=50, description="As corrected, else as found.")
    verdict: list[Verdict] = Field([], max_length=10, description="Hidden verdicts are passed over.")
    reviewed: Reviewed = Reviewed.ANY
    publisher: list[Name] = Field([], max_length=50, description="By name.")
    minimum_confidence: float = Field(0, ge=0, le=1)
    q: Words = Field("", description="Words that stand in the signal or its article.")
    since: Day | None = Field(None, description="First UTC day of the article.")
    until: Day | None = Field(None, description="Last UTC day of the article, included.")
    batch_id: Id | None = None
    article_id: Id | None = None
    samples: bool = Field(True, description="With those found in the invented articles that come with the desk.")
    order: SignalOrder = SignalOrder.STRONGEST

    def chosen(self, session: Session, settings: Settings) -> SignalFilter:
        """The filter that core knows."""
        return SignalFilter(
            kinds=tuple(self.kind),
            categories=tuple(self.category),
            verdicts=tuple(self.verdict),
            reviewed=self.reviewed,
            publishers=publishers_named(session, self.publisher),
            minimum_confidence=self.minimum_confidence,
            text=self.q,
            since=self.since,
            until=self.until,
            batch_id=self.batch_id,
            article_id=self.article_id,
            without_samples=not self.samples,
            order=self.order,
            blind_share=settings.blind_share,
        )


class SignalsAsked(FilterAsked, PageAsked):
    """A page of the signals that match."""


class CsvAsked(FilterAsked):
    bom: bool = Field(False, description="Begin with a byte order mark, by which Excel knows UTF-8.")


# --- endpoints -------------------------------------------------------------------------------------------------------


@router.get("/signals")
def signals(at: Caller, asked: Annotated[SignalsAsked, Query()]) -> Signals:
    """Signals by the filter of the Signals page."""
    require_days_in_order(asked.since, asked.until)

    def work(session: Session, settings: Settings) -> Signals:
        chosen = asked.chosen(session, settings)
        found = signals_at(session, chosen, place_of(asked.cursor, SIGNALS, chosen), asked.limit)
        items = [SignalLine.model_validate(row) for row in found.rows]
        return Signals(items=items, total=Total.of(count_signals(session, chosen)), **beside(found, SIGNALS, chosen))

    return at.with_settings(work)


@router.get("/signals.csv", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
async def signals_csv(at: Caller, request: Request, asked: Annotated[CsvAsked, Query()]) -> StreamingResponse:
    """All signals that match as CSV (RFC 4180), as the console exports them."""
    return await _file(at, request, asked, Format.CSV, "text/csv", bom=asked.bom)


@router.get(
    "/signals.jsonl", response_class=StreamingResponse, responses={200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}}
)
async def signals_jsonl(at: Caller, request: Request, asked: Annotated[FilterAsked, Query()]) -> StreamingResponse:
    """All signals that match as JSON, an object a line, as the console exports them."""
    return await _file(at, request, asked, Format.JSONL, "application/jsonl")


@router.get("/signals/{signal_id}", response_model=ReviewedSignal, responses=refusals(404) | NOT_MODIFIED)
def signal(at: Caller, request: Request, signal_id: Annotated[Id, Path()]) -> Response:
    """One signal with its evidence, its newest research and its reviews. Sends an ETag."""
    return tagged(request, at.with_settings(lambda session, settings: reviewed_signal(session, signal_id, settings)))


class Review(Asked):
    """A decision on a signal."""

    decision: Decision = Field(description="`withdrawn` makes it undecided again.")
    note: Note | None = None


Known = Annotated[str | None, Header(description="The signal's ETag as you know it: 412 if somebody acted on it since.")]


@router.post("/signals/{signal_id}/review", responses=refusals(404, 409, 412, 415))
def review(at: Caller, request: Request, signal_id: Annotated[Id, Path()], asked: Review, if_match: Known = None) -> ReviewedSignal:
    """Decide on a signal; answers it as it stands then, with a verdict that was hidden before. It counts as blind if it was."""

    def work(session: Session, settings: Settings) -> ReviewedSignal:
        share = settings.blind_share
        if if_match is not None:
            reviews.hold(session, signal_id)
            require_unchanged(request, reviewed_signal(session, signal_id, settings))
        reviews.decide(session, signal_id, asked.decision, by=at.actor, note=asked.note, blind_share=share)
        return reviewed_signal(session, signal_id, settings)

    return at.change(work)


# --- pieces ----------------------------------------------------------------------------------------------------------


def found_signals(session: Session, details: Sequence[SignalDetail]) -> list[FoundSignal]:
    """Signals with their newest research; what is hidden on screen is hidden here."""
    return [FoundSignal.model_validate(_facts(session, detail)) for detail in details]


def reviewed_signal(session: Session, signal_id: int, settings: Settings) -> ReviewedSignal:
    """One signal with what analysts made of it.

    Raises:
        NotFound: it does not exist (any more).
    """
    detail = get_signal(session, signal_id, blind_share=settings.blind_share)
    acts = [ReviewFound.model_validate(act) for act in reviews.acts_of(session, signal_id)]
    if detail.is_blind:  # it was decided before, and withdrawn since
        acts = [act.model_copy(update={"verdict": None}) for act in acts]
    return ReviewedSignal.model_validate(_facts(session, detail) | {"reviews": acts})


def _facts(session: Session, detail: SignalDetail) -> dict[str, Any]:
    facts = {name: getattr(detail, name) for name in FoundSignal.model_fields if hasattr(detail, name)}
    if detail.is_blind:
        return facts | {"verdict": None, "validation": None}
    newest: list[ValidationRow] = validations_of(session, detail.id)[:1]
    return facts | {"validation": ValidationFound.model_validate(newest[0]) if newest else None}


async def _file(
    at: Desktop, request: Request, asked: FilterAsked, kind: Format, media_type: str, *, bom: bool = False
) -> StreamingResponse:
    require_days_in_order(asked.since, asked.until)
    name = exports.suggested_name(Export(format=kind, batch_id=asked.batch_id, article_id=asked.article_id), utc_now())
    parts = _rows(at, asked, kind, bom=bom)
    return await serving(request).streams.answer(parts, media_type=media_type, name=name)


def _rows(at: Desktop, asked: FilterAsked, kind: Format, *, bom: bool) -> Generator[str]:
    """The export, all rows as they stood at one moment."""
    with at.desk.database.session() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        export = Export(format=kind, signals=asked.chosen(session, at.desk.settings(session)), bom=bom)
        with closing(cast(Generator[Any], exports.export_rows(session, export))) as rows:  # which reads ahead, in a thread of its own
            yield from exports.csv_lines(export.table, rows, bom=bom) if kind is Format.CSV else exports.json_lines(rows)
