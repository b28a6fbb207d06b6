"""Analyses and signals: keeping what content analysis found, and the lists that analysts read.

An analysis is kept in one transaction with its signals and their evidence, so a crash leaves all of it or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, insert, select, update
from sqlalchemy.orm import Session

from core.agents.outputs import ContentAnalysis, Sentiment, SignalKind, Timeframe, Verdict
from core.configuration import Configuration
from core.database import among
from core.errors import NotFound
from core.evidence import Grounding
from core.models import Analysis, Article, Decision, Evidence, EvidenceMatch, Publisher, Signal, table_of
from core.selection import COUNT_BOUND, Count
from core.signal_filter import CATEGORY, DESCRIPTION, TIMEFRAME, SignalFilter, is_blind, joined, matching_signals, signal_order


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


def get_signals(session: Session, ids: Sequence[int], *, blind_share: float = 0) -> list[SignalDetail]:
    """Those of some signals that exist. ``blind_share`` as in ``SignalFilter``."""
    return _details(session, among(Signal.id, ids), blind_share)


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
