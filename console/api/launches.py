"""Launching batches over HTTP, and what can be done with one: pause, resume, cancel, retry."""

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Header, Path, Response
from pydantic import Field, StrictBool, model_validator
from sqlalchemy.orm import Session

from console.api.asked import beginning, publishers_named, require_days_in_order
from console.api.batches import Batch, batch_of
from console.api.fields import Asked, Day, Id, Name, Note, Shape, Since, StrictId, Usd, Words
from console.api.problems import Invalid
from console.api.refusals import refusals
from console.api.serving import Caller, Desktop, Guarded
from core import batch_actions, launching, selection
from core.access import Permission
from core.article_filter import Analysed, ArticleFilter, Order
from core.clock import utc_now
from core.launching import Plan
from core.selection import Selection
from core.settings import USD, Settings

router = APIRouter(prefix="/api", tags=["batches"], route_class=Guarded)
MOST_ARTICLES = 10_000
"""Of a list of ids; a filter may take more."""


# --- what is asked for -----------------------------------------------------------------------------------------------


class Filter(Asked):
    """All articles that match, as on the Articles page."""

    publisher: list[Name] = Field([], max_length=50, description="Only of these publishers, by name.")
    q: Words = Field("", description="Words that stand in title or text.")
    since: Since | None = Field(None, description="First UTC day, or the earliest moment with its zone, of publication.")
    until: Day | None = Field(None, description="Last UTC day, included.")
    analysed: Analysed = Analysed.ANY
    ready: StrictBool = Field(True, description="Only what is ready for analysis.")
    samples: StrictBool = True
    stories: StrictBool = Field(False, description="One article a story.")
    priority_first: StrictBool = True
    order: Order = Order.NEWEST
    limit: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=1_000_000,
        description="At most so many, in this order; what another batch has in flight counts, and is skipped.",
    )


class Options(Asked):
    """What this batch is made with; what is not given is as the desk's settings say."""

    model: Name | None = Field(None, description="`auto`, `offline`, or any pydantic-ai model such as `google:gemini-2.5-flash`.")
    research: Literal["auto", "tavily", "archive"] | None = None
    concurrency: int | None = Field(None, strict=True, ge=1, le=256, description="Articles in work at once.")
    minimum_confidence: float | None = Field(None, strict=True, ge=0, le=1, description="Signals below it are not researched.")
    searches_per_article: int | None = Field(None, strict=True, ge=0, le=20)
    max_output_tokens: int | None = Field(None, strict=True, ge=512, le=65_536)
    budget_usd: USD | None = Field(None, description="US dollars that the batch may spend at most: there it pauses.")
    one_per_story: StrictBool = Field(False, description="Of the articles that tell the same story only one.")

    def over(self, settings: Settings) -> Settings:
        """The settings with these laid over them."""
        names = {"research": "research_provider"}
        given = self.model_dump(exclude={"budget_usd", "one_per_story"}, exclude_none=True)
        return settings.model_copy(update={names.get(name, name): value for name, value in given.items()})


class Launch(Asked):
    """Either some articles by their ids, or all that match a filter."""

    ids: list[StrictId] | None = Field(None, min_length=1, max_length=MOST_ARTICLES, description="Of articles.")
    filter: Filter | None = None
    options: Options = Options()

    @model_validator(mode="after")
    def _one_way(self) -> "Launch":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or a filter")
        return self

    @property
    def digest(self) -> str:
        """Says whether two launches ask for the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def selection(self, session: Session) -> Selection:
        """What core knows it as."""
        if self.filter is None:
            return Selection.of_ids(self.ids or [], one_per_story=self.options.one_per_story)
        require_days_in_order(self.filter.since, self.filter.until, "body.filter.since")
        chosen = ArticleFilter(
            ready_only=self.filter.ready,
            publishers=publishers_named(session, self.filter.publisher, "body.filter.publisher"),
            text=self.filter.q,
            **beginning(self.filter.since),
            until=self.filter.until,
            analysed=self.filter.analysed,
            samples=self.filter.samples,
            archived=False,
            as_stories=self.filter.stories,
            priority_first=self.filter.priority_first,
            order=self.filter.order,
        )
        return Selection.of_filter(chosen, self.filter.limit, one_per_story=self.options.one_per_story)


class Pause(Asked):
    reason: Note | None = None
    at_once: StrictBool = Field(False, description="Stop what is in flight, too; a call under way is entered at its worst case.")


# --- answers ---------------------------------------------------------------------------------------------------------


class Skipped(Shape):
    reason: str
    articles: int


class Estimate(Shape):
    """What a launch would do now."""

    articles: int = Field(description="That would run.")
    skipped: list[Skipped]
    usd: Usd = Field(description="Likely cost.")
    usd_at_most: Usd = Field(description="The ceiling per article times the articles.")
    seconds: float
    input_tokens: int
    output_tokens: int
    searches: int
    measured_calls: int = Field(description="Recent calls that this rests on; 0: defaults.")


class Retried(Shape):
    queued: int = Field(description="Articles that were queued again.")
    batch: Batch


Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="Any text of yours. The same key and body never make two batches; the same key with another body is refused.",
    ),
]
BatchId = Annotated[Id, Path()]


# --- endpoints -------------------------------------------------------------------------------------------------------


@router.post(
    "/batches",
    status_code=HTTPStatus.CREATED,
    responses=refusals(409, 415) | {200: {"model": Batch, "description": "The batch that this key made before"}},
)
def launch(at: Caller, asked: Launch, response: Response, idempotency_key: Key = None) -> Batch:
    """Make a batch and begin it at once. Answers 201 with it, or 200 with the one that the same key made before."""
    now = utc_now()
    key = _own_key(at, idempotency_key)

    def work(session: Session, settings: Settings) -> Batch:
        if not launching.was_launched(session, key):
            _require_all(session, asked, settings)
        batch_id = launching.launch(
            session,
            asked.selection(session),
            asked.options.over(settings),
            by=at.actor,
            now=now,
            idempotency_key=key,
            request_hash=asked.digest if key else None,
            budget=asked.options.budget_usd,
        )
        return batch_of(session, batch_id, now)

    batch = at.change(work)
    if batch.timing.created_at != now:  # an earlier launch with this key made it
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/batches/{batch.id}"
    return batch


@router.post("/estimates", responses=refusals(409, 415))
def estimate(at: Caller, asked: Launch) -> Estimate:
    """What the same launch would do and cost now. Changes nothing."""
    at.actor.require(Permission.READ)

    def work(session: Session, settings: Settings) -> Plan:
        _require_all(session, asked, settings)
        return launching.plan(session, asked.selection(session), asked.options.over(settings))

    planned = at.with_settings(work)
    reasons = [reason for _, reason in planned.skipped]
    figures = planned.estimate
    return Estimate(
        articles=len(planned.runnable),
        skipped=[Skipped(reason=reason, articles=reasons.count(reason)) for reason in dict.fromkeys(reasons)],
        usd=figures.usd,
        usd_at_most=figures.usd_at_most,
        seconds=figures.seconds,
        input_tokens=figures.input_tokens,
        output_tokens=figures.output_tokens,
        searches=figures.searches,
        measured_calls=figures.measured_calls,
    )


@router.post("/batches/{batch_id}/pause", responses=refusals(404, 409, 415))
def pause(at: Caller, batch_id: BatchId, asked: Annotated[Pause | None, Body()] = None) -> Batch:
    """Claim nothing more; what is in flight finishes, or stops at once if asked. Pausing a paused batch changes nothing."""
    wanted = asked or Pause()
    action = batch_actions.pause_now if wanted.at_once else batch_actions.pause
    return _done(at, batch_id, lambda session: action(session, batch_id, wanted.reason or None, by=at.actor))


@router.post("/batches/{batch_id}/resume", responses=refusals(404, 409))
def resume(at: Caller, batch_id: BatchId) -> Batch:
    """Claim again. Resuming a running batch changes nothing."""
    return _done(at, batch_id, lambda session: batch_actions.resume(session, batch_id, by=at.actor))


@router.post("/batches/{batch_id}/cancel", responses=refusals(404, 409))
def cancel(at: Caller, batch_id: BatchId) -> Batch:
    """Give up what is not done; what is done stays. Cancelling a cancelled batch changes nothing."""
    return _done(at, batch_id, lambda session: batch_actions.cancel(session, batch_id, by=at.actor, now=utc_now()))


@router.post("/batches/{batch_id}/retry-failed", responses=refusals(404, 409))
def retry_failed(at: Caller, batch_id: BatchId) -> Retried:
    """Queue the failed articles again and reopen the batch, but for those that another batch has in flight."""

    def work(session: Session, _settings: Settings) -> Retried:
        queued = batch_actions.retry_failed(session, batch_id, by=at.actor)
        session.flush()
        return Retried(queued=queued, batch=batch_of(session, batch_id, utc_now()))

    return at.change(work)


# --- pieces ----------------------------------------------------------------------------------------------------------


def _done(at: Desktop, batch_id: int, action: Callable[[Session], object]) -> Batch:
    """Do something to a batch, and show it."""

    def work(session: Session, _settings: Settings) -> Batch:
        action(session)
        session.flush()
        return batch_of(session, batch_id, utc_now())

    return at.change(work)


def _require_all(session: Session, asked: Launch, settings: Settings) -> None:
    """Refuse ids of which there is no article: a launch of fewer than were asked for would go unnoticed.

    Raises:
        Invalid: with the first of them.
    """
    if asked.ids is None:
        return
    known = set(selection.resolve(session, Selection.of_ids(asked.ids), launching.readiness(settings)))
    if missing := [one for one in dict.fromkeys(asked.ids) if one not in known]:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise Invalid("body.ids", f"there is no article {', '.join(map(str, missing[:5]))}{more}")


def _own_key(at: Desktop, given: str | None) -> str | None:
    """The key as the database keeps it: two who use the API may choose the same."""
    if given is None:
        return None
    return "api:" + hashlib.sha256(f"{at.actor.name}\0{given}".encode(errors="surrogateescape")).hexdigest()
