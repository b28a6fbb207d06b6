"""Analyses and signals: keeping what content analysis found, and the lists that analysts read.

An analysis is kept in one transaction with its signals and their evidence, so a crash leaves all of it or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, case, func, insert, select, update
from sqlalchemy.orm import Session

from core.agents.outputs import ContentAnalysis, Sentiment, SignalKind, Timeframe, Verdict
from core.configuration import Configuration
from core.database import among
from core.errors import NotFound
from core.evidence import Grounding
from core.models import Analysis, Article, Decision, Evidence, EvidenceMatch, Publisher, Signal, table_of
from core.selection import COUNT_BOUND, Count, S, day_after, day_start, prefix_query

CATEGORY: ColumnElement[str] = func.coalesce(Signal.corrected_category, Signal.category)
DESCRIPTION: ColumnElement[str] = func.coalesce(Signal.corrected_description, Signal.description)
TIMEFRAME: ColumnElement[Timeframe] = func.coalesce(Signal.corrected_timeframe, Signal.timeframe)
"""As an analyst corrected them, else as found."""


class Reviewed(StrEnum):
    ANY = "any"
    OPEN = "to review"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNSURE = "unsure"


class SignalOrder(StrEnum):
    STRONGEST = "strongest"
    NEWEST = "newest"
    OLDEST = "waiting longest"
    PUBLISHED = "article date"
    PUBLISHER = "publisher"
    DISAGREEMENT = "disagreement"


class SignalFilter(BaseModel):
    """What the Signals page and exports filter on. Dates are UTC days of the article, both ends included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[SignalKind, ...] = ()
    categories: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    reviewed: Reviewed = Reviewed.ANY
    publishers: tuple[int, ...] = ()
    minimum_confidence: float = Field(0.0, ge=0, le=1)
    text: str = Field("", max_length=200)
    since: date | None = None
    until: date | None = None
    batch_id: int | None = None
    article_id: int | None = None
    order: SignalOrder = SignalOrder.STRONGEST
    blind_share: float = Field(0.0, ge=0, le=1)
    """Share of the undecided signals whose verdict is hidden: a filter on verdicts passes these over."""


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A line of the signals table."""

    id: int
    kind: SignalKind
    category: str
    description: str
    confidence: float
    timeframe: Timeframe
    verdict: Verdict | None
    """None also while it is hidden."""
    decision: Decision | None
    is_blind: bool
    publisher: str
    article_id: int
    article_title: str
    published_at: datetime
    model: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    quote: str
    start: int
    end: int
    match: EvidenceMatch


@dataclass(frozen=True, slots=True)
class SignalDetail:
    """One signal with all that is known of it but its validations and reviews."""

    id: int
    analysis_id: int
    kind: SignalKind
    category: str
    description: str
    implications: str
    timeframe: Timeframe
    confidence: float
    research_query: str
    verdict: Verdict | None
    is_blind: bool
    """The verdict is hidden until somebody decides."""
    decision: Decision | None
    corrected_category: str | None
    corrected_description: str | None
    corrected_timeframe: Timeframe | None
    article_id: int
    batch_id: int
    model: str
    prompt_version: str
    content_hash: str
    created_at: datetime
    evidence: tuple[EvidenceRow, ...]


@dataclass(frozen=True, slots=True)
class OpenSignal:
    """A signal on its way to research: what the search and the validation agent are told of it."""

    id: int
    description: str
    confidence: float
    research_query: str
    quotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnalysisRow:
    """One analysis of an article."""

    id: int
    article_id: int
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
    ungrounded_signals: int
    dropped_quotes: int
    created_at: datetime
    completed_at: datetime | None


def find_analyses(session: Session, texts: Mapping[int, str], configuration_hash: str) -> dict[int, int]:
    """Ids of analyses made of these texts (content hashes by article id) with this configuration, finished or not, by article id.

    They are the checkpoints of articles in work.
    """
    rows = session.execute(
        select(Analysis.article_id, Analysis.content_hash, Analysis.id).where(
            among(Analysis.article_id, list(texts)), Analysis.configuration_hash == configuration_hash
        )
    )
    return {article_id: analysis_id for article_id, content_hash, analysis_id in rows if texts[article_id] == content_hash}


@dataclass(frozen=True, slots=True)
class NewAnalysis:
    """An analysis to be kept: of which text, what the agent answered, and which of it holds."""

    article_id: int
    content_hash: str
    analysis: ContentAnalysis
    grounding: Grounding


def keep_analyses(
    session: Session, new: Sequence[NewAnalysis], batch_id: int, configuration: Configuration
) -> list[tuple[int, list[OpenSignal]]]:
    """Keep analyses with the signals whose evidence holds. Returns the id of each, and those signals."""
    if not new:
        return []
    rows = [
        {
            "article_id": one.article_id,
            "batch_id": batch_id,
            "configuration_hash": configuration.hash,
            "content_hash": one.content_hash,
            "model": configuration.model,
            "prompt_version": configuration.content_prompt,
            "ungrounded_signals": one.grounding.ungrounded,
            "dropped_quotes": len(one.grounding.missing),
            **one.analysis.model_dump(exclude={"signals"}),
        }
        for one in new
    ]
    analysis_ids = session.scalars(insert(table_of(Analysis)).returning(Analysis.id, sort_by_parameter_order=True), rows).all()
    grounded = [
        (analysis_id, one.article_id, position, found)
        for analysis_id, one in zip(analysis_ids, new, strict=True)
        for position, found in enumerate(one.grounding.signals)
    ]
    opened: dict[int, list[OpenSignal]] = {analysis_id: [] for analysis_id in analysis_ids}
    if grounded:
        signals = [
            {
                "analysis_id": analysis_id,
                "article_id": article_id,
                "position": position,
                **found.signal.model_dump(exclude={"evidence"}),
            }
            for analysis_id, article_id, position, found in grounded
        ]
        signal_ids = session.scalars(insert(table_of(Signal)).returning(Signal.id, sort_by_parameter_order=True), signals).all()
        evidence = []
        for signal_id, (analysis_id, _, _, found) in zip(signal_ids, grounded, strict=True):
            signal, quotes = found.signal, tuple(span.quote for span in found.spans)
            opened[analysis_id].append(OpenSignal(signal_id, signal.description, signal.confidence, signal.research_query, quotes))
            evidence += [
                {"signal_id": signal_id, "quote": span.quote, "start": span.start, "end": span.end, "match": span.match}
                for span in found.spans
            ]
        session.execute(insert(table_of(Evidence)), evidence)
    return list(opened.items())


def complete_analyses(session: Session, analysis_ids: Sequence[int], *, now: datetime) -> None:
    """The analyses are validated too: their articles are done with this configuration."""
    table = table_of(Analysis)
    session.execute(update(table).where(among(Analysis.id, analysis_ids), table.c.completed_at.is_(None)).values(completed_at=now))


def signals_of(session: Session, analysis_ids: Sequence[int]) -> dict[int, list[OpenSignal]]:
    """The signals of kept analyses, in the order found, by analysis."""
    found: dict[int, list[OpenSignal]] = {analysis_id: [] for analysis_id in analysis_ids}
    for row in _details(session, among(Signal.analysis_id, analysis_ids)):
        quotes = tuple(evidence.quote for evidence in row.evidence)
        found[row.analysis_id].append(OpenSignal(row.id, row.description, row.confidence, row.research_query, quotes))
    return found


def signals_in_article(session: Session, article_id: int, *, blind_share: float = 0) -> list[SignalDetail]:
    """All signals found in an article, newest analysis first. ``blind_share`` as in ``SignalFilter``."""
    return _details(session, Signal.article_id == article_id, blind_share)


def get_signal(session: Session, signal_id: int, *, blind_share: float = 0) -> SignalDetail:
    """One signal. ``blind_share`` as in ``SignalFilter``.

    Raises:
        NotFound: it does not exist (any more).
    """
    found = _details(session, Signal.id == signal_id, blind_share)
    if not found:
        raise NotFound(f"Signal {signal_id} does not exist; its article may have been deleted.")
    return found[0]


def analyses_of(session: Session, article_id: int) -> list[AnalysisRow]:
    """The analyses of an article, newest first."""
    columns = [getattr(Analysis, name) for name in AnalysisRow.__dataclass_fields__]
    rows = session.execute(select(*columns).where(Analysis.article_id == article_id).order_by(Analysis.id.desc())).mappings()
    return [AnalysisRow(**row) for row in rows]


def matching_signals(signal_filter: SignalFilter) -> list[ColumnElement[bool]]:
    """The filter as SQL conditions on ``signals`` joined to ``articles`` and ``analyses``."""
    decisions = {
        Reviewed.OPEN: Signal.decision.is_(None),
        Reviewed.ACCEPTED: Signal.decision == Decision.ACCEPTED,
        Reviewed.REJECTED: Signal.decision == Decision.REJECTED,
        Reviewed.UNSURE: Signal.decision == Decision.UNSURE,
    }
    words = func.to_tsquery("english", prefix_query(signal_filter.text))
    own_words = func.to_tsvector("english", DESCRIPTION + " " + Signal.implications + " " + CATEGORY)
    optional: list[tuple[object, ColumnElement[bool]]] = [
        (signal_filter.kinds, Signal.kind.in_(signal_filter.kinds)),
        (signal_filter.categories, CATEGORY.in_(signal_filter.categories)),
        (signal_filter.verdicts, Signal.verdict.in_(signal_filter.verdicts)),
        (signal_filter.verdicts and signal_filter.blind_share, ~is_blind(signal_filter.blind_share)),
        (signal_filter.publishers, Article.publisher_id.in_(signal_filter.publishers)),
        (signal_filter.minimum_confidence, Signal.confidence >= signal_filter.minimum_confidence),
        (signal_filter.text.strip(), own_words.bool_op("@@")(words) | Article.search.bool_op("@@")(words)),
        (signal_filter.batch_id, Analysis.batch_id == signal_filter.batch_id),
        (signal_filter.article_id, Signal.article_id == signal_filter.article_id),
    ]
    conditions = [condition for given, condition in optional if given]
    if signal_filter.reviewed in decisions:
        conditions.append(decisions[signal_filter.reviewed])
    if signal_filter.since:
        conditions.append(Article.published_at >= day_start(signal_filter.since))
    if signal_filter.until:
        conditions.append(Article.published_at < day_after(signal_filter.until))
    return conditions


def is_blind(share: float) -> ColumnElement[bool]:
    """Whether a signal's verdict is hidden until somebody decides on it: undecided, validated, and among ``share`` (0..1) of all.

    Which ones these are follows from the id (Knuth's multiplicative hash, The Art of Computer Programming, 6.4), so that neither
    a reload nor another page shows what this one hides.
    """
    among_share = (Signal.id * 2_654_435_761) % 4_294_967_296 < round(share * 4_294_967_296)
    return and_(Signal.decision.is_(None), Signal.verdict.is_not(None), among_share)


def joined(statement: S) -> S:
    """``signals`` with the tables that its filters and lists read."""
    return (
        statement.select_from(Signal)
        .join(Analysis, Analysis.id == Signal.analysis_id)
        .join(Article, Article.id == Signal.article_id)
        .join(Publisher, Publisher.id == Article.publisher_id)
    )


def signal_order(signal_filter: SignalFilter) -> tuple[ColumnElement[Any], ...]:
    """The filter's order, made total by the id."""
    first: dict[SignalOrder, ColumnElement[Any]] = {
        SignalOrder.STRONGEST: Signal.confidence.desc(),
        SignalOrder.NEWEST: Signal.created_at.desc(),
        SignalOrder.OLDEST: Signal.created_at.asc(),
        SignalOrder.PUBLISHED: Article.published_at.desc(),
        SignalOrder.PUBLISHER: func.lower(Publisher.name),
        SignalOrder.DISAGREEMENT: case((is_blind(signal_filter.blind_share), 0.0), else_=Signal.disagreement).desc(),
    }
    then = {SignalOrder.PUBLISHER, SignalOrder.DISAGREEMENT}
    second = (Signal.confidence.desc(),) if signal_filter.order in then else ()
    return first[signal_filter.order], *second, Signal.id.desc()


def signal_page(session: Session, signal_filter: SignalFilter, *, offset: int, size: int) -> list[SignalRow]:
    """One page of the signals that match."""
    statement = select(
        Signal.id,
        Signal.kind,
        CATEGORY.label("category"),
        DESCRIPTION.label("description"),
        Signal.confidence,
        TIMEFRAME.label("timeframe"),
        case((is_blind(signal_filter.blind_share), None), else_=Signal.verdict).label("verdict"),
        Signal.decision,
        is_blind(signal_filter.blind_share).label("is_blind"),
        Publisher.name.label("publisher"),
        Signal.article_id,
        Article.title.label("article_title"),
        Article.published_at,
        Analysis.model,
        Signal.created_at,
    )
    ordered = joined(statement).where(*matching_signals(signal_filter)).order_by(*signal_order(signal_filter))
    return [SignalRow(**row) for row in session.execute(ordered.offset(offset).limit(size)).mappings()]


def count_signals(session: Session, signal_filter: SignalFilter) -> Count:
    """How many signals match, exact up to ``COUNT_BOUND``."""
    bounded = joined(select(Signal.id)).where(*matching_signals(signal_filter)).limit(COUNT_BOUND + 1).subquery()
    found = session.scalar(select(func.count()).select_from(bounded)) or 0
    return Count(min(found, COUNT_BOUND), found <= COUNT_BOUND)


def count_exactly(session: Session, signal_filter: SignalFilter, *, decided: bool = False) -> int:
    """How many signals match, however many; with ``decided`` only those that somebody decided on."""
    conditions = matching_signals(signal_filter) + ([Signal.decision.is_not(None)] if decided else [])
    return session.scalar(joined(select(func.count(Signal.id))).where(*conditions)) or 0


def categories(session: Session) -> list[str]:
    """The categories that signals have, most frequent first."""
    return list(session.scalars(select(CATEGORY).group_by(CATEGORY).order_by(func.count().desc(), CATEGORY).limit(100)))


def _details(session: Session, condition: ColumnElement[bool], blind_share: float = 0) -> list[SignalDetail]:
    names = [name for name in SignalDetail.__dataclass_fields__ if hasattr(Signal, name)]
    of_analysis = (Analysis.batch_id, Analysis.model, Analysis.prompt_version, Analysis.content_hash)
    statement = (
        select(*[getattr(Signal, name) for name in names], *of_analysis, is_blind(blind_share).label("is_blind"))
        .join(Analysis, Analysis.id == Signal.analysis_id)
        .where(condition)
        .order_by(Signal.analysis_id.desc(), Signal.position)
    )
    rows = session.execute(statement).mappings().all()
    quotes = session.execute(
        select(Evidence.signal_id, Evidence.quote, Evidence.start, Evidence.end, Evidence.match)
        .where(Evidence.signal_id.in_([row["id"] for row in rows]))
        .order_by(Evidence.start, Evidence.id)
    )
    evidence: dict[int, list[EvidenceRow]] = {}
    for row in quotes:
        evidence.setdefault(row[0], []).append(EvidenceRow(*row[1:]))
    return [SignalDetail(**row, evidence=tuple(evidence.get(row["id"], ()))) for row in rows]
