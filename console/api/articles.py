"""Articles, publishers and categories over HTTP."""

from dataclasses import asdict, replace
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, model_validator
from sqlalchemy.orm import Session

from console.api.asked import beginning, publishers_named, require_days_in_order
from console.api.cursors import Page, as_page, beside, place_of
from console.api.etags import NOT_MODIFIED, tagged
from console.api.fields import FARTHEST, Day, Id, Moment, Name, PageAsked, Shape, Since, Total, Words
from console.api.refusals import refusals
from console.api.serving import Caller, Guarded
from console.api.signals import FoundSignal, found_signals
from core import catalogue, launching, selection
from core.agents.outputs import Sentiment
from core.article_filter import Analysed, ArticleFilter, Order, Readiness
from core.articles import get_article
from core.settings import Settings
from core.signals import analyses_of, signals_in_article

router = APIRouter(prefix="/api", tags=["articles"], route_class=Guarded)
ANALYSIS_READY, ALL_ARTICLES, PUBLISHERS, CATEGORIES = "analysis-ready", "articles", "publishers", "categories"


# --- shapes ----------------------------------------------------------------------------------------------------------


class ArticleLine(Shape):
    """An article of a list."""

    id: int
    title: str
    publisher: str
    is_priority: bool = Field(description="Its publisher is one of those that come first.")
    published_at: Moment
    body_chars: int = Field(description="Length of the text in characters.")
    promise: float = Field(description="The offline rules' own score of how much it is likely to yield, 0..1.")
    analysed: bool = Field(description="With the current configuration, since its text last changed.")
    in_flight: bool = Field(description="Waits or is in work in a batch that has not ended.")
    is_sample: bool
    is_active: bool
    story_size: int = Field(description="How many articles tell this story, this one included.")
    first_publisher: str = Field(description="Whose article of the story was published first.")


class Articles(Page[ArticleLine]):
    """A page of articles, and how many match in all."""

    total: Total


class AnalysisLine(Shape):
    """One analysis of an article. Scores are 0..1."""

    id: int
    batch_id: int
    model: str
    prompt_version: str
    sentiment: Sentiment
    impact: float
    summary: str
    context: str
    signal_strength: float
    uniqueness: float
    confidence: float
    ungrounded_signals: int = Field(description="Kept out because none of their quotes stands in the article.")
    dropped_quotes: int
    created_at: Moment
    completed_at: Moment | None = Field(description="Null until its signals are researched, too.")


class ArticleDetail(Shape):
    """One article with its text and what was found in it."""

    id: int
    title: str
    subtitle: str | None
    authors: str | None
    publisher: str
    url: str | None
    published_at: Moment
    language: str
    body: str
    content_hash: str = Field(description="Of title and text: evidence offsets hold for the text of this hash.")
    is_active: bool
    is_sample: bool
    provider_sentiment: str | None
    categories: list[str]
    analyses: list[AnalysisLine] = Field(description="Newest first.")
    signals: list[FoundSignal] = Field(description="Of the newest analysis first.")


class PublisherLine(Shape):
    id: int
    name: str
    is_priority: bool
    articles: int
    signals: int
    accepted: int = Field(description="Signals that analysts accepted.")


class CategoryLine(Shape):
    id: int | None = Field(description="Null for a category of signals.")
    name: str
    count: Total


class CategoryOf(StrEnum):
    ARTICLES = "articles"
    SIGNALS = "signals"


# --- parameters ------------------------------------------------------------------------------------------------------


class ListAsked(PageAsked):
    """What lists of articles are narrowed by."""

    offset: int | None = Field(None, ge=0, le=FARTHEST, description="Rows to pass over, instead of a cursor.")
    publisher: list[Name] = Field([], max_length=50, description="Only of these publishers, by name. May be given several times.")
    q: Words = Field("", description="Words that stand in title or text, each also as the beginning of a longer one.")
    since: Since | None = Field(None, description="First UTC day, or the earliest moment with its zone, of publication.")

    @model_validator(mode="after")
    def _one_way(self) -> "ListAsked":
        if self.cursor is not None and self.offset is not None:
            raise ValueError("give a cursor or an offset, not both")
        return self


class ReadyAsked(ListAsked):
    min_length: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Shortest text in characters; else the desk's analysis-ready length: 2,000 unless changed.",
    )


class ArticlesAsked(ListAsked):
    until: Day | None = Field(None, description="Last UTC day, included.")
    analysed: Analysed = Field(Analysed.ANY, description="With the current configuration.")
    ready: bool = Field(False, description="Only what is ready for analysis.")
    archived: bool | None = Field(False, description="Only what is archived; false: none of it.")
    samples: bool = Field(True, description="With the invented articles that come with the desk.")
    stories: bool = Field(False, description="One article a story: the first published of those that match.")
    priority_first: bool = True
    order: Order = Order.NEWEST


# --- endpoints -------------------------------------------------------------------------------------------------------


@router.get("/articles/analysis-ready")
def analysis_ready(at: Caller, asked: Annotated[ReadyAsked, Query()]) -> Articles:
    """Articles that are active, long enough and not analysed with the current configuration; priority publishers first, then newest."""

    def work(session: Session, settings: Settings) -> Articles:
        ready = launching.readiness(settings)
        ready = replace(ready, minimum_chars=asked.min_length or ready.minimum_chars)
        named = publishers_named(session, asked.publisher)
        chosen = ArticleFilter(ready_only=True, publishers=named, text=asked.q, **beginning(asked.since))
        return _listed(session, asked, chosen, ready, ANALYSIS_READY)

    return at.with_settings(work)


@router.get("/articles")
def articles(at: Caller, asked: Annotated[ArticlesAsked, Query()]) -> Articles:
    """Articles by the filter of the Articles page."""
    require_days_in_order(asked.since, asked.until)

    def work(session: Session, settings: Settings) -> Articles:
        chosen = ArticleFilter(
            ready_only=asked.ready,
            publishers=publishers_named(session, asked.publisher),
            text=asked.q,
            **beginning(asked.since),
            until=asked.until,
            analysed=asked.analysed,
            archived=asked.archived,
            samples=asked.samples,
            as_stories=asked.stories,
            priority_first=asked.priority_first,
            order=asked.order,
        )
        return _listed(session, asked, chosen, launching.readiness(settings), ALL_ARTICLES)

    return at.with_settings(work)


@router.get("/articles/{article_id}", response_model=ArticleDetail, responses=refusals(404) | NOT_MODIFIED)
def article(at: Caller, request: Request, article_id: Annotated[Id, Path()]) -> Response:
    """One article with its text, its analyses and the signals found in it. Sends an ETag."""

    def work(session: Session, settings: Settings) -> ArticleDetail:
        text = get_article(session, article_id)
        details = signals_in_article(session, article_id, blind_share=settings.blind_share)
        return ArticleDetail(
            **asdict(text),
            analyses=[AnalysisLine.model_validate(row) for row in analyses_of(session, article_id)],
            signals=found_signals(session, details),
        )

    return tagged(request, at.with_settings(work))


class NamesAsked(PageAsked):
    q: Words = Field("", description="Text that stands in the name.")


@router.get("/publishers", response_model=Page[PublisherLine], responses=NOT_MODIFIED)
def publishers(at: Caller, request: Request, asked: Annotated[NamesAsked, Query()]) -> Response:
    """Publishers with their figures: priority publishers first, then by name. Sends an ETag."""
    chosen = NamesAsked(q=asked.q)
    place = place_of(asked.cursor, PUBLISHERS, chosen)
    found = at.read(lambda session: catalogue.publishers_at(session, place, asked.limit, find=asked.q))
    return tagged(request, as_page(found, PublisherLine.model_validate, PUBLISHERS, chosen))


class CategoriesAsked(NamesAsked):
    of: CategoryOf = Field(CategoryOf.ARTICLES, description="Those that sources give articles, or those that signals have (the first 100).")


@router.get("/categories", response_model=Page[CategoryLine], responses=NOT_MODIFIED)
def categories(at: Caller, request: Request, asked: Annotated[CategoriesAsked, Query()]) -> Response:
    """Categories with how many there are of each. Sends an ETag."""
    chosen = CategoriesAsked(q=asked.q, of=asked.of)
    place = place_of(asked.cursor, CATEGORIES, chosen)
    if asked.of is CategoryOf.SIGNALS:
        rows = at.read(catalogue.signal_categories)
        named = [(name, number) for name, number in rows if asked.q.strip().lower() in name.lower()][: asked.limit]
        items = [CategoryLine(id=None, name=name, count=Total(value=number, exact=True)) for name, number in named]
        return tagged(request, Page[CategoryLine](items=items, next=None, previous=None))
    found = at.read(lambda session: catalogue.categories_at(session, place, asked.limit, find=asked.q))
    return tagged(request, as_page(found, _category, CATEGORIES, chosen))


# --- pieces ----------------------------------------------------------------------------------------------------------


def _category(row: catalogue.CategoryLine) -> CategoryLine:
    return CategoryLine(id=row.id, name=row.name, count=Total.of(row.articles))


def _listed(session: Session, asked: ListAsked, chosen: ArticleFilter, ready: Readiness, name: str) -> Articles:
    name = f"{name}:{ready.minimum_chars}"
    offset = asked.offset or 0
    place = place_of(asked.cursor, name, chosen)
    found = selection.page_at(session, chosen, ready, place, offset + asked.limit, skip=offset)
    rows = [ArticleLine.model_validate(row) for row in found.rows]
    total = selection.count(session, chosen, ready)
    ways = beside(found, name, chosen)
    return Articles(items=rows, total=Total.of(total), **ways)
