"""Themes: what an analyst follows through the days, a category of signals or words, and how its narrative went.

A theme means what the Signals page's own filter means by it, so a number here is the number found there.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import Date, Subquery, func, select, tuple_
from sqlalchemy.orm import Session

from core.agents.outputs import Sentiment, SignalKind
from core.article_filter import ArticleFilter, Readiness
from core.database import among
from core.importers.clean_text import clean_characters
from core.models import Analysis, Article, Signal
from core.paging import Count
from core.selection import Selection, resolve
from core.signal_filter import CATEGORY, SignalFilter, SignalOrder, matching_but_words
from core.signals import first_ids
from core.windows import Window

MOST = 5_000
"""Of a theme's signals, and of the articles that mention it, the newest so many are counted."""
MAX_CHARS = 100
DAY: Any = func.timezone("UTC", Article.published_at).cast(Date)
DAY_OF_SIGNAL: Any = func.timezone("UTC", Signal.published_at).cast(Date)
"""The UTC day of an article."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Either a category that signals have, or words that signals or their articles have."""

    category: str = ""
    words: str = ""

    @classmethod
    def of(cls, text: str | None, categories: Iterable[str]) -> "Theme | None":
        """What a person typed or an address says: the category of that name, else words; None without a word in it."""
        cleaned = " ".join(clean_characters(text or "").split())[:MAX_CHARS]
        known = {category.casefold(): category for category in categories}
        if category := known.get(cleaned.casefold()):
            return cls(category=category)
        return cls(words=cleaned) if any(character.isalnum() for character in cleaned) else None

    @property
    def name(self) -> str:
        return self.category or self.words

    def signals(self, window: Window, *, without_samples: bool = False, blind_share: float = 0) -> SignalFilter:
        """The theme in these days, as the Signals page filters."""
        return SignalFilter(
            categories=(self.category,) if self.category else (),
            text=self.words,
            since=window.first,
            until=window.last,
            without_samples=without_samples,
            order=SignalOrder.PUBLISHED,
            blind_share=blind_share,
        )


@dataclass(frozen=True, slots=True)
class ThemeDay:
    """One UTC day of a narrative."""

    day: date
    kinds: dict[SignalKind, int]
    """Signals by kind; kinds without one are left out."""
    articles: int
    """Articles that mention the theme: with its words, analysed or not, or, for a category, with such a signal."""
    sentiments: dict[Sentiment, int]
    """Of those, the ones with a signal of the theme, by the sentiment of the analysis that found it."""
    close: Decimal | None = None
    """Bitcoin's close in USD, where one was imported."""

    @property
    def signals(self) -> int:
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class Narrative:
    """A theme through the days of a window."""

    theme: Theme
    window: Window
    days: tuple[ThemeDay, ...]
    signals: Count
    articles: Count
    publishers: tuple[tuple[int, int], ...]
    """Publishers (ids) with their articles of it, most first."""
    counted_from: date
    """The first day that is counted in full: the window's own, or later where there is too much to count."""
    signal_ids: tuple[int, ...] = ()
    """Of a theme of words the signals that were counted: to find them again takes as long as the first time."""

    @property
    def is_empty(self) -> bool:
        return not (self.signals.value or self.articles.value)

    @property
    def mood(self) -> tuple[int, int, int]:
        """Analysed articles of it that are positive, negative, and neither."""
        positive, negative = (sum(day.sentiments.get(mood, 0) for day in self.days) for mood in (Sentiment.POSITIVE, Sentiment.NEGATIVE))
        return positive, negative, sum(sum(day.sentiments.values()) for day in self.days) - positive - negative

    @classmethod
    def of(
        cls,
        theme: Theme,
        window: Window,
        *,
        kinds: "Sequence[tuple[date, SignalKind, int]]",
        mentions: "Sequence[tuple[date, int, int]]",
        moods: "Sequence[tuple[date, Sentiment, int]]",
        prices: "Sequence[tuple[date, Decimal]]",
        counted_from: date,
        signal_ids: "Sequence[int]" = (),
    ) -> Self:
        """Put together what was counted by day: signals by kind, mentions by publisher, articles by sentiment, closes.

        Days before ``counted_from`` are left empty, since only a part of them was counted.
        """
        by_kind: dict[date, dict[SignalKind, int]] = defaultdict(dict)
        by_mood: dict[date, dict[Sentiment, int]] = defaultdict(dict)
        by_publisher: dict[int, int] = defaultdict(int)
        articles: dict[date, int] = defaultdict(int)
        for day, kind, number in kinds:
            by_kind[day][kind] = number
        for day, mood, number in moods:
            by_mood[day][mood] = number
        for day, publisher_id, number in mentions:
            articles[day] += number
            by_publisher[publisher_id] += number * (day >= counted_from)
        closes = dict(prices)
        days = tuple(
            ThemeDay(day, dict(by_kind[day]), articles[day], dict(by_mood[day]), closes.get(day))
            if day >= counted_from
            else ThemeDay(day, {}, 0, {}, closes.get(day))
            for day in window.days
        )
        exact = counted_from == window.first
        return cls(
            theme=theme,
            window=window,
            days=days,
            signals=Count(sum(day.signals for day in days), exact),
            articles=Count(sum(day.articles for day in days), exact),
            publishers=tuple(sorted(((key, n) for key, n in by_publisher.items() if n), key=lambda one: (-one[1], one[0]))),
            counted_from=counted_from,
            signal_ids=tuple(signal_ids),
        )


def frequent_categories(session: Session, window: Window, *, without_samples: bool = False, size: int = 12) -> list[tuple[str, int]]:
    """The categories of the newest ``MOST`` signals of the window with how many have them, most first."""
    chosen = SignalFilter(since=window.first, until=window.last, without_samples=without_samples)
    newest = _newest(chosen, CATEGORY.label("category"))
    by = newest.c.category
    rows = session.execute(select(by, func.count()).group_by(by).order_by(func.count().desc(), by).limit(size))
    return [(row[0], row[1]) for row in rows]


def narrative(
    session: Session,
    theme: Theme,
    window: Window,
    readiness: Readiness,
    prices: Sequence[tuple[date, Decimal]],
    *,
    without_samples: bool = False,
) -> Narrative:
    """How a theme went through the window's days. ``prices`` are closes of these days.

    Of its signals and of the articles that mention it the newest ``MOST`` are counted; where there are more, the days before are
    left empty and ``counted_from`` says from when on it is whole.
    """
    chosen = theme.signals(window, without_samples=without_samples)
    ids = first_ids(session, chosen, MOST) if theme.words else []
    kinds, moods, mentions = _counted(session, chosen, ids if theme.words else None)
    full = cut_signals = sum(number for _, _, number in kinds) >= MOST
    if theme.words:
        mentioning = _mentioning(theme.words, window, without_samples=without_samples)
        article_ids = resolve(session, mentioning, readiness)
        statement = select(DAY, Article.publisher_id, func.count()).where(among(Article.id, article_ids))
        mentions = [(row[0], row[1], row[2]) for row in session.execute(statement.group_by(DAY, Article.publisher_id))]
        full = len(article_ids) >= MOST
    cut = [min(row[0] for row in rows) for rows, is_full in ((kinds, cut_signals), (mentions, full)) if is_full]
    return Narrative.of(
        theme,
        window,
        kinds=kinds,
        mentions=mentions,
        moods=moods,
        prices=prices,
        signal_ids=ids,
        counted_from=max((_next_day(day, window) for day in cut), default=window.first),
    )


Rows = list[tuple[date, Any, int]]


def _newest(chosen: SignalFilter, *columns: Any) -> Subquery:
    """The newest ``MOST`` signals of a filter without words; an index has all that is asked of them."""
    matching = select(*columns).where(*matching_but_words(chosen))
    return matching.order_by(Signal.published_at.desc(), Signal.id.desc()).limit(MOST).subquery()


def _counted(session: Session, chosen: SignalFilter, ids: Sequence[int] | None) -> tuple[Rows, Rows, Rows]:
    """By the day of their article: signals by kind, their articles by sentiment, and by publisher. Of ``ids``, else of the filter."""
    columns = (DAY_OF_SIGNAL.label("day"), Signal.kind, Signal.publisher_id, Signal.article_id, Signal.analysis_id)
    newest = _newest(chosen, *columns) if ids is None else select(*columns).where(among(Signal.id, ids)).subquery()
    day, kind, publisher, sentiment = newest.c.day, newest.c.kind, newest.c.publisher_id, Analysis.sentiment
    found = session.execute(
        select(day, kind, sentiment, publisher, func.count(), func.count(newest.c.article_id.distinct()))
        .join(Analysis, Analysis.id == newest.c.analysis_id)
        .group_by(func.grouping_sets(tuple_(day, kind), tuple_(day, sentiment), tuple_(day, publisher)))
    ).all()
    kinds = [(row[0], row[1], row[4]) for row in found if row[1] is not None]
    moods = [(row[0], row[2], row[5]) for row in found if row[2] is not None]
    return kinds, moods, [(row[0], row[3], row[5]) for row in found if row[3] is not None]


def _mentioning(words: str, window: Window, *, without_samples: bool) -> Selection:
    """Articles with these words, analysed or not: the newest ``MOST``."""
    chosen = ArticleFilter(
        ready_only=False, text=words, since=window.first, until=window.last, samples=not without_samples, priority_first=False
    )
    return Selection.of_filter(chosen, MOST)


def _next_day(day: date, window: Window) -> date:
    """The day after one that was counted in part, within the window."""
    later = [one for one in window.days if one > day]
    return later[0] if later else window.last
