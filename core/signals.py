"""Analyses and signals: keeping what content analysis found, and the lists that analysts read.

An analysis is kept in one transaction with its signals and their evidence, so a crash leaves all of it or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, insert, select, union_all, update
from sqlalchemy.orm import Session

from core.agents.outputs import ContentAnalysis, Sentiment, SignalKind, Timeframe, Verdict
from core.configuration import Configuration
from core.database import among
from core.errors import NotFound
from core.evidence import Grounding
from core.models import Analysis, Article, ArticleWords, Decision, Evidence, EvidenceMatch, Publisher, Signal, SignalCategory, table_of
from core.paging import COUNT_BOUND, FIRST, Count, Fetch, Key, Page, Place, beyond, by_index, ordered_by, sifted, walk
from core.signal_filter import (
    CATEGORY,
    DESCRIPTION,
    TIMEFRAME,
    SignalFilter,
    Stretch,
    has_signal_words,
    is_blind,
    joined,
    matching_but_words,
    stretches,
    with_words,
    words_in_signals,
)
from core.text_search import ENOUGH, TEXT_BOUND, Words, looked_at

TESTED_SIGNALS = 400
"""Signals that are tested, each with its article, to count those with a common word."""


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


def signal_page(session: Session, signal_filter: SignalFilter, *, offset: int = 0, size: int) -> list[SignalRow]:
    """The signals that match, in the filter's order, from ``offset`` on; for far offsets ``signals_at`` is the way."""
    return signals_at(session, signal_filter, FIRST, offset + size).rows[offset:]


def first_ids(session: Session, signal_filter: SignalFilter, most: int) -> list[int]:
    """The ids of the first ``most`` signals that match, in the filter's order."""
    return list(walk(_fetches(session, signal_filter), FIRST, most).rows)


def strongest_of_each(session: Session, signal_filters: Sequence[SignalFilter], most: int) -> list[int]:
    """The ids of the strongest ``most`` signals of each of these filters, in one statement unless they have a text."""
    if any(one.text.strip() for one in signal_filters):
        return [id_ for one in signal_filters for id_ in first_ids(session, one, most)]
    each = [
        select(Signal.id).where(*matching_but_words(one)).order_by(Signal.confidence.desc(), Signal.id.desc()).limit(most).subquery()
        for one in signal_filters
    ]
    return list(session.scalars(union_all(*(select(one.c.id) for one in each))))


def signals_at(session: Session, signal_filter: SignalFilter, place: Place, size: int, words: Words | None = None) -> Page[SignalRow]:
    """The page at ``place`` of the signals that match, in the filter's order. ``words`` are those of its text, if looked up before."""
    found = walk(_fetches(session, signal_filter, words), place, size)
    by_id = signal_rows(session, found.rows, blind_share=signal_filter.blind_share)
    return Page([by_id[id_] for id_ in found.rows if id_ in by_id], found.previous, found.next, found.position)


def signal_rows(session: Session, ids: Sequence[int], *, blind_share: float = 0) -> dict[int, SignalRow]:
    """Lines of the signals table by id, of those that exist. ``blind_share`` as in ``SignalFilter``."""
    rows = session.execute(_lines(blind_share).where(among(Signal.id, ids))).mappings()
    return {row["id"]: SignalRow(**row) for row in rows}


@lru_cache(maxsize=16)
def _lines(blind_share: float) -> Select[Any]:
    statement = select(
        Signal.id,
        Signal.kind,
        CATEGORY.label("category"),
        DESCRIPTION.label("description"),
        Signal.confidence,
        TIMEFRAME.label("timeframe"),
        case((is_blind(blind_share), None), else_=Signal.verdict).label("verdict"),
        Signal.decision,
        is_blind(blind_share).label("is_blind"),
        Publisher.name.label("publisher"),
        Signal.article_id,
        Article.title.label("article_title"),
        Article.published_at,
        Analysis.model,
        Signal.created_at,
    )
    return joined(statement)


def _fetches(session: Session, signal_filter: SignalFilter, words: Words | None = None) -> list[Fetch[int]]:
    """How each stretch of the list is read: in its order, among the few with the words, or in its order and tested for them."""
    parts = stretches(session, signal_filter)
    words = words or words_in_signals(session, signal_filter.text)
    if words is None or words.ids is not None:
        return [partial(_nearest, session, signal_filter, part, words) for part in parts]
    passing = partial(_passing, session, signal_filter.text)
    return [
        sifted(
            partial(_nearest, session, signal_filter, part, None),
            passing,
            partial(_nearest, session, signal_filter, part, words),
            words.often.candidates,
        )
        for part in parts
    ]


def _nearest(
    session: Session, signal_filter: SignalFilter, part: Stretch, words: Words | None, key: Key | None, back: bool, limit: int
) -> list[tuple[Key, int]]:
    """The next signals of a stretch, with the words if there are any."""
    statement = select(Signal.id, *part.columns[:-1]).where(
        *matching_but_words(signal_filter), *part.where, *beyond(part.columns, key, falls=part.falls, back=back)
    )
    if words is not None:
        statement = statement.where(_have(words, signal_filter.text))
    ordered = statement.order_by(*ordered_by(part.columns, falls=part.falls, back=back)).limit(limit)
    return [((*values, id_), id_) for id_, *values in session.execute(ordered)]


def _passing(session: Session, text: str, ids: list[int]) -> set[int]:
    statement = select(Signal.id).join(ArticleWords, ArticleWords.article_id == Signal.article_id)
    has = has_signal_words(text, ArticleWords.search).is_(True)  # never by the index of words
    return set(session.scalars(statement.where(among(Signal.id, ids), has)))


def count_signals(session: Session, signal_filter: SignalFilter, words: Words | None = None) -> Count:
    """How many signals match, exact up to ``COUNT_BOUND``; with a common word up to what a look at some hundreds finds.

    ``words`` are those of its text, if looked up before.
    """
    matching, text = select(Signal.id).where(*matching_but_words(signal_filter)), signal_filter.text
    words = words or words_in_signals(session, text)
    if words is None:
        return _bounded(session, matching, COUNT_BOUND)
    if words.ids is not None:
        return _bounded(session, matching.where(_have(words, text)), COUNT_BOUND)
    plain = signal_filter.model_copy(update={"text": ""})  # in the list's order, since the page looks at the same ones
    at_most = min(TESTED_SIGNALS, words.often.candidates(ENOUGH))
    ids = walk(_fetches(session, plain), FIRST, at_most + 1).rows
    found = looked_at(ids, partial(_passing, session, text), at_most=at_most)
    return found if found.value or found.exact else _bounded(session, matching.where(_have(words, text)), TEXT_BOUND)


def _have(words: Words, text: str) -> ColumnElement[bool]:
    """Whether a signal has the words that were looked up."""
    return Signal.id.in_(with_words(text)) if words.ids is None else among(Signal.id, words.ids)


def _bounded(session: Session, matching: Select[int], bound: int) -> Count:
    with by_index(session):
        found = session.scalar(select(func.count()).select_from(matching.limit(bound + 1).subquery())) or 0
    return Count(min(found, bound), found <= bound)


def categories(session: Session) -> list[str]:
    """The categories that signals have, most frequent first."""
    number = func.sum(SignalCategory.signals)
    statement = select(SignalCategory.category).group_by(SignalCategory.category).having(number > 0)
    return list(session.scalars(statement.order_by(number.desc(), SignalCategory.category).limit(100)))


def _details(session: Session, condition: ColumnElement[bool], blind_share: float = 0) -> list[SignalDetail]:
    names = [name for name in SignalDetail.__dataclass_fields__ if hasattr(Signal, name)]
    of_analysis = (Analysis.model, Analysis.prompt_version, Analysis.content_hash)
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
