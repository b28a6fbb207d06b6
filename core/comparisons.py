"""Two batches side by side: on the articles that both analysed, which signals one found and the other did not.

``match`` pairs the signals of one article by a stated rule and is pure; ``compare`` reads what it needs of two batches, at most
``MOST_ARTICLES`` articles.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from core.agents.outputs import Sentiment, SignalKind, Verdict
from core.calibration import Share
from core.database import among
from core.errors import NotFound
from core.models import Analysis, Article, BatchRecord, BatchSession, Decision, Evidence, LedgerEntry, RecordStatus, Signal

MOST_ARTICLES = 1_000
LOOKED_AT = 2_000
"""Articles of a batch by which others that share some are found."""
OVERLAP = 0.5
"""Of the shorter quote, that must stand in the other one."""
LIKENESS = 0.5
"""Of the words of the shorter description, that must stand in the other one."""
RULE = (
    "Signals of one article are the same if they are of one kind and their quotes overlap (by half of the shorter one), "
    "or half of the words of the shorter description stand in the other."
)
_WORD = re.compile(r"[^\W_]{4,}|\d+")


@dataclass(frozen=True, slots=True)
class Found:
    """A signal, as far as it is compared. ``spans`` are where its quotes stand; offsets of another text are left out."""

    id: int
    article_id: int
    article_title: str
    kind: SignalKind
    description: str
    confidence: float
    spans: tuple[tuple[int, int], ...] = ()
    verdict: Verdict | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """Signals of two sides: the same ones, those of one quote but another kind, and those of one side only."""

    same: tuple[tuple[Found, Found], ...] = ()
    other_kind: tuple[tuple[Found, Found], ...] = ()
    lost: tuple[Found, ...] = ()
    gained: tuple[Found, ...] = ()

    @property
    def agreement(self) -> Share:
        """The same ones, of all that either side found."""
        same = len(self.same)
        return Share(same, same + len(self.other_kind) + len(self.lost) + len(self.gained))


def overlap(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> float:
    """The largest share of a quote (the shorter of a pair) that stands in a quote of the other side, 0..1."""
    shares = (
        (min(end, other_end) - max(start, other_start)) / min(end - start, other_end - other_start)
        for start, end in one
        for other_start, other_end in other
        if end > start and other_end > other_start
    )
    return max(max(shares, default=0.0), 0.0)


def likeness(one: str, other: str) -> float:
    """The share of the words of the one with fewer that stand in the other, 0..1. Words of under four letters do not count."""
    words, others = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    return len(words & others) / min(len(words), len(others)) if words and others else 0.0


def match(before: Sequence[Found], after: Sequence[Found]) -> Matching:
    """Pair the signals of one article, each at most once, the closest pairs first (``RULE``)."""
    closeness = {
        (one.id, other.id): (overlap(one.spans, other.spans), likeness(one.description, other.description))
        for one in before
        for other in after
    }
    taken: set[int] = set()
    taken_after: set[int] = set()

    def pairs(candidates: Iterable[tuple[Found, Found]]) -> list[tuple[Found, Found]]:
        chosen = []
        for one, other in sorted(
            candidates, key=lambda pair: (*(-value for value in closeness[pair[0].id, pair[1].id]), pair[0].id, pair[1].id)
        ):
            if one.id not in taken and other.id not in taken_after:
                taken.add(one.id)
                taken_after.add(other.id)
                chosen.append((one, other))
        return chosen

    every = [(one, other) for one in before for other in after]
    quoted = {pair for pair, (shared, _) in closeness.items() if shared >= OVERLAP}
    alike = {pair for pair, (_, words) in closeness.items() if words >= LIKENESS}
    same = pairs((one, other) for one, other in every if one.kind is other.kind and (one.id, other.id) in quoted | alike)
    renamed = pairs((one, other) for one, other in every if one.kind is not other.kind and (one.id, other.id) in quoted)
    return Matching(
        tuple(same),
        tuple(renamed),
        tuple(one for one in before if one.id not in taken),
        tuple(other for other in after if other.id not in taken_after),
    )


@dataclass(frozen=True, slots=True)
class Side:
    """One batch on the compared articles. Cost and time are per article; None where nothing is known."""

    batch_id: int
    configuration: dict[str, Any]
    signals: int
    accepted: int
    reviewed: int
    usd: Decimal
    """A mean, as is ``seconds``."""
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two batches on the articles that both analysed."""

    before: Side
    after: Side
    articles: int
    bounded: bool
    """There are more articles in common than are compared."""
    changed_texts: int
    """Articles whose text changed in between: their signals are compared by description alone."""
    matching: Matching
    sentiment: Share
    """Of the articles: those of one sentiment."""
    verdict: Share = field(default_factory=lambda: Share(0, 0))
    """Of the same signals with a verdict on both sides: those of one verdict."""

    @property
    def differences(self) -> list[tuple[str, Any, Any]]:
        """Names of the configuration's parts that differ, with both values."""
        one, other = self.before.configuration, self.after.configuration
        return [(name, one.get(name), other.get(name)) for name in {**one, **other} if one.get(name) != other.get(name)]


def sharing(session: Session, batch_id: int, *, limit: int = 20) -> list[tuple[int, int]]:
    """Ids of batches that completed articles of this one, with how many of its first ``LOOKED_AT``, those with most first."""
    own = (
        select(BatchRecord.article_id)
        .where(BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.COMPLETED)
        .order_by(BatchRecord.position)
        .limit(LOOKED_AT)
        .subquery()
    )
    common = func.count()
    rows = session.execute(
        select(BatchRecord.batch_id, common)
        .join(own, own.c.article_id == BatchRecord.article_id)
        .where(BatchRecord.batch_id != batch_id, BatchRecord.status == RecordStatus.COMPLETED)
        .group_by(BatchRecord.batch_id)
        .order_by(common.desc(), BatchRecord.batch_id.desc())
        .limit(limit)
    )
    return [(other, number) for other, number in rows]


def compare(session: Session, before_id: int, after_id: int, *, most: int = MOST_ARTICLES) -> Comparison:
    """Compare what two batches found in the articles that both analysed to the end.

    Raises:
        NotFound: there is no such batch.
    """
    configurations = dict(
        session.execute(select(BatchSession.id, BatchSession.configuration).where(BatchSession.id.in_([before_id, after_id]))).all()
    )
    for batch_id in (before_id, after_id):
        if batch_id not in configurations:
            raise NotFound(f"There is no batch {batch_id}.")
    one, other = aliased(Analysis), aliased(Analysis)
    rows = session.execute(
        select(one.article_id, one.id, other.id, one.sentiment, other.sentiment, one.content_hash == other.content_hash)
        .join(other, other.article_id == one.article_id)
        .where(one.batch_id == before_id, other.batch_id == after_id, one.completed_at.is_not(None), other.completed_at.is_not(None))
        .order_by(one.article_id)
        .limit(most + 1)
    ).all()
    bounded, rows = len(rows) > most, rows[:most]
    changed = {article_id for article_id, *_, same_text in rows if not same_text}
    before = _found(session, [row[1] for row in rows], changed)
    after = _found(session, [row[2] for row in rows], changed)
    parts = [match(before.get(row[1], []), after.get(row[2], [])) for row in rows]
    same = tuple(pair for part in parts for pair in part.same)
    judged = [(left.verdict, right.verdict) for left, right in same if left.verdict and right.verdict]
    articles = [row[0] for row in rows]
    return Comparison(
        _side(session, before_id, configurations[before_id], articles, [signal for found in before.values() for signal in found]),
        _side(session, after_id, configurations[after_id], articles, [signal for found in after.values() for signal in found]),
        len(rows),
        bounded,
        len(changed),
        Matching(
            same,
            tuple(pair for part in parts for pair in part.other_kind),
            tuple(signal for part in parts for signal in part.lost),
            tuple(signal for part in parts for signal in part.gained),
        ),
        Share(sum(_sentiments_agree(row[3], row[4]) for row in rows), len(rows)),
        Share(sum(left is right for left, right in judged), len(judged)),
    )


def _sentiments_agree(one: Sentiment, other: Sentiment) -> bool:
    return one is other


def _found(session: Session, analysis_ids: list[int], changed: set[int]) -> dict[int, list[Found]]:
    """The signals of analyses, by analysis."""
    signals = session.execute(
        select(
            Signal.analysis_id,
            Signal.id,
            Signal.article_id,
            Article.title,
            Signal.kind,
            Signal.description,
            Signal.confidence,
            Signal.verdict,
            Signal.decision,
        )
        .join(Article, Article.id == Signal.article_id)
        .where(among(Signal.analysis_id, analysis_ids))
        .order_by(Signal.analysis_id, Signal.position)
    ).all()
    spans: dict[int, list[tuple[int, int]]] = {}
    quotes = select(Evidence.signal_id, Evidence.start, Evidence.end).where(among(Evidence.signal_id, [row.id for row in signals]))
    for signal_id, start, end in session.execute(quotes):
        spans.setdefault(signal_id, []).append((start, end))
    found: dict[int, list[Found]] = {}
    for row in signals:
        places = () if row.article_id in changed else tuple(spans.get(row.id, ()))
        one = Found(row.id, row.article_id, row.title, row.kind, row.description, row.confidence, places, row.verdict, row.decision)
        found.setdefault(row.analysis_id, []).append(one)
    return found


def _side(session: Session, batch_id: int, configuration: dict[str, Any], articles: list[int], signals: list[Found]) -> Side:
    spent = session.scalar(
        select(func.coalesce(func.sum(LedgerEntry.usd), 0)).where(LedgerEntry.batch_id == batch_id, among(LedgerEntry.article_id, articles))
    )
    seconds = session.scalar(
        select(func.avg(func.extract("epoch", BatchRecord.finished_at - BatchRecord.started_at))).where(
            BatchRecord.batch_id == batch_id, among(BatchRecord.article_id, articles), BatchRecord.status == RecordStatus.COMPLETED
        )
    )
    return Side(
        batch_id,
        configuration,
        len(signals),
        sum(signal.decision is Decision.ACCEPTED for signal in signals),
        sum(signal.decision in (Decision.ACCEPTED, Decision.REJECTED) for signal in signals),
        Decimal(spent or 0) / len(articles) if articles else Decimal(0),
        float(seconds) if seconds is not None else None,
    )
