"""The filter of signals: what the Signals page, the review queue, bulk decisions and exports mean by "all that match"."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select
from sqlalchemy.orm import Session

from core.agents.outputs import SignalKind, Timeframe, Verdict
from core.article_filter import day_after, day_start
from core.models import Analysis, Article, Decision, Publisher, Signal
from core.selection import S
from core.text_search import UNKNOWN, Frequency, Words, frequency, has_words, looked_up

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
    without_samples: bool = False
    """Without what was found in the invented articles that come with the desk."""
    order: SignalOrder = SignalOrder.STRONGEST
    blind_share: float = Field(0.0, ge=0, le=1)
    """Share of the undecided signals whose verdict is hidden: a filter on verdicts passes these over."""


def matching_signals(signal_filter: SignalFilter) -> list[ColumnElement[bool]]:
    """The filter as SQL conditions on ``signals`` joined to ``articles``."""
    worded = [has_signal_words(signal_filter.text)] if signal_filter.text.strip() else []
    return [*matching_but_words(signal_filter), *worded]


def has_signal_words(text: str, in_article: Any = Article.search) -> ColumnElement[bool]:
    """Whether a signal or its article has the words of a search text; ``in_article`` is the column of the article's, which may be that of
    ``article_words`` where many are tested."""
    return has_words(Signal.search, text) | has_words(in_article, text)


def words_in_signals(session: Session, text: str) -> Words | None:
    """Look a search text up, in signals themselves and in their articles, for all that is then read of the signals that have it; None for
    a text without a word."""
    if not text.strip():
        return None
    own, others = frequency(session, Signal.search, text), frequency(session, Article.search, text)
    if own.is_common or others.is_common:
        share = own.rows / max(own.of, 1) + others.rows / max(others.of, 1)
        return Words(Frequency(round(min(share, 1) * own.of), own.of), None)
    return Words(own, tuple(session.scalars(with_words(text, own, others))))


def with_words(text: str, own: Frequency = UNKNOWN, others: Frequency = UNKNOWN) -> Select[int]:
    """Ids of the signals with the words, in themselves or in their article: each by its own index."""
    first = select(Signal.id).where(looked_up(Signal.search, text, own))
    through_article = select(Signal.id).join(Article, Article.id == Signal.article_id).where(looked_up(Article.search, text, others))
    return select(first.union(through_article).subquery().c.id)


def matching_but_words(signal_filter: SignalFilter) -> list[ColumnElement[bool]]:
    """The filter but for its search text, as SQL conditions on ``signals`` alone."""
    chosen, decided = signal_filter, {one.value: one for one in Decision}
    optional: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
        (chosen.kinds, lambda: Signal.kind.in_(chosen.kinds)),
        (chosen.categories, lambda: CATEGORY.in_(chosen.categories)),
        (chosen.verdicts, lambda: Signal.verdict.in_(chosen.verdicts)),
        (chosen.verdicts and chosen.blind_share, lambda: ~is_blind(chosen.blind_share)),
        (chosen.publishers, lambda: Signal.publisher_id.in_(chosen.publishers)),
        (chosen.minimum_confidence, lambda: Signal.confidence >= chosen.minimum_confidence),
        (chosen.batch_id, lambda: Signal.batch_id == chosen.batch_id),
        (chosen.article_id, lambda: Signal.article_id == chosen.article_id),
        (chosen.without_samples, lambda: ~Signal.is_sample),
        (chosen.reviewed is Reviewed.OPEN, lambda: Signal.decision.is_(None)),
        (chosen.reviewed in decided, lambda: Signal.decision == decided[chosen.reviewed]),
        (chosen.since, lambda: Signal.published_at >= day_start(chosen.since or date.min)),
        (chosen.until, lambda: Signal.published_at < day_after(chosen.until or date.max)),
    ]
    return [condition() for given, condition in optional if given]


@lru_cache(maxsize=16)
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
    """The filter's order as one, made total by the id; the same as that of its stretches."""
    strength: tuple[ColumnElement[Any], ...] = (Signal.confidence.desc(), Signal.id.desc())
    orders: dict[SignalOrder, tuple[ColumnElement[Any], ...]] = {
        SignalOrder.STRONGEST: strength,
        SignalOrder.NEWEST: (Signal.created_at.desc(), Signal.id.desc()),
        SignalOrder.OLDEST: (Signal.created_at.asc(), Signal.id.asc()),
        SignalOrder.PUBLISHED: (Signal.published_at.desc(), Signal.id.desc()),
        SignalOrder.PUBLISHER: (func.lower(Publisher.name), Publisher.id.asc(), *strength),
        SignalOrder.DISAGREEMENT: (case((is_blind(signal_filter.blind_share), 0.0), else_=Signal.disagreement).desc(), *strength),
    }
    return orders[signal_filter.order]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the list that an index has in its order."""

    columns: tuple[Any, ...]
    falls: bool = True
    where: tuple[ColumnElement[bool], ...] = ()


def stretches(session: Session, signal_filter: SignalFilter) -> list[Stretch]:
    """What the list is made of, one after the other; each is ordered by columns that an index has."""
    strength = (Signal.confidence, Signal.id)
    if signal_filter.order is SignalOrder.PUBLISHER:
        named = select(Publisher.id).order_by(func.lower(Publisher.name), Publisher.id)
        if signal_filter.publishers:
            named = named.where(Publisher.id.in_(signal_filter.publishers))
        return [Stretch(strength, where=(Signal.publisher_id == id_,)) for id_ in session.scalars(named)]
    if signal_filter.order is SignalOrder.DISAGREEMENT:
        blind = is_blind(signal_filter.blind_share) if signal_filter.blind_share else false()
        return [
            Stretch((Signal.disagreement, *strength), where=(Signal.disagreement > 0, ~blind)),
            Stretch(strength, where=(or_(Signal.disagreement == 0, blind),)),
        ]
    one: dict[SignalOrder, Stretch] = {
        SignalOrder.STRONGEST: Stretch(strength),
        SignalOrder.NEWEST: Stretch((Signal.created_at, Signal.id)),
        SignalOrder.OLDEST: Stretch((Signal.created_at, Signal.id), falls=False),
        SignalOrder.PUBLISHED: Stretch((Signal.published_at, Signal.id)),
    }
    return [one[signal_filter.order]]
