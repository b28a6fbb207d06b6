"""Themes: what a name means, and that every number of a narrative is what the pages count."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from core import themes
from core.agents.outputs import Sentiment, SignalKind
from core.article_filter import Analysed, ArticleFilter
from core.configuration import Desk
from core.launching import readiness
from core.selection import count
from core.signals import count_signals
from core.themes import Narrative, Theme, frequent_categories, narrative
from core.windows import Window
from tests.core.answered import a_signal, keep

WINDOW = Window(date(2026, 11, 14), date(2026, 11, 20))


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def told(desk: Desk, theme: Theme, window: Window = WINDOW, *, without_samples: bool = False, **values: Any) -> Narrative:
    with desk.database.session() as session:
        return narrative(session, theme, window, readiness(desk.environment), values.get("prices", ()), without_samples=without_samples)


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        (None, None),
        ("", None),
        (" \u200b&|!() ", None),
        ("mining", Theme(category="mining")),
        (" MINING ", Theme(category="mining")),
        ("mining pools", Theme(words="mining pools")),
        ("Strategy\x00\n & (saylor)", Theme(words="Strategy & (saylor)")),
        ("x" * 500, Theme(words="x" * 100)),
    ],
)
def test_a_name_is_a_category_or_words(text: str | None, theme: Theme | None) -> None:
    assert Theme.of(text, ["regulation", "mining"]) == theme


def test_a_category_by_day_and_kind_is_what_the_signals_page_counts(desk: Desk, articles: Any) -> None:
    first = articles(1, published_at=at(14, 0), publisher="CoinDesk")[0]
    last = articles(1, published_at=at(20, 23), publisher="NewsBTC")[0]
    before, after = articles(1, published_at=at(13, 23))[0], articles(1, published_at=at(21, 0))[0]
    keep(desk, first, a_signal(), a_signal(kind="narrative_gap"), a_signal(category="macro"))
    keep(desk, last, a_signal())
    for outside in (before, after):
        keep(desk, outside, a_signal())
    theme = Theme(category="mining")
    prices = [(date(2026, 11, 14), Decimal(90_000)), (date(2026, 11, 20), Decimal(91_000))]
    story = told(desk, theme, prices=prices)
    assert [day.signals for day in story.days] == [2, 0, 0, 0, 0, 0, 1]
    assert story.days[0].kinds == {SignalKind.WEAK_SIGNAL: 1, SignalKind.NARRATIVE_GAP: 1}
    assert [day.articles for day in story.days] == [1, 0, 0, 0, 0, 0, 1]
    assert [day.close for day in story.days][::6] == [Decimal(90_000), Decimal(91_000)]
    assert story.days[1].close is None
    assert story.mood == (0, 0, 2)
    assert [articles for _, articles in story.publishers] == [1, 1]
    with desk.database.session() as session:
        assert count_signals(session, theme.signals(WINDOW)) == story.signals
        assert frequent_categories(session, WINDOW) == [("mining", 3), ("macro", 1)]


def test_words_count_articles_that_were_not_analysed_too(desk: Desk, articles: Any) -> None:
    body = "Harbour Mining told its shareholders on Monday that it would sell. " * 40
    (analysed,) = articles(1, title="Harbour sells", body=body + "One.", published_at=at(15))
    articles(1, title="Harbour buys", body=body + "Two.", published_at=at(15))
    articles(1, title="Harbour waits", body=body + "Three.", published_at=at(17), is_sample=True)
    articles(1, title="Nothing of it", published_at=at(17))
    keep(desk, analysed, a_signal(), a_signal(description="Another."))
    theme = Theme(words="harbour SELL")
    story = told(desk, theme)
    assert [day.articles for day in story.days] == [0, 2, 0, 1, 0, 0, 0]
    assert (story.signals.value, story.days[1].sentiments) == (2, {Sentiment.NEUTRAL: 1})
    assert told(desk, theme, without_samples=True).articles.value == 2
    chosen = ArticleFilter(ready_only=False, text=theme.words, since=WINDOW.first, until=WINDOW.last, analysed=Analysed.ANY)
    with desk.database.session() as session:
        assert count(session, chosen, readiness(desk.environment)) == story.articles


def test_nothing_about_a_theme_is_empty(desk: Desk, articles: Any) -> None:
    articles(1, published_at=at(15))
    assert told(desk, Theme(words="zebra")).is_empty
    assert told(desk, Theme(category="zebra")).is_empty
    assert told(desk, Theme(words="'); DROP TABLE articles; --")).is_empty


def test_of_too_many_only_whole_days_are_shown(desk: Desk, articles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (15, 16, 17):
        keep(desk, articles(1, published_at=at(day))[0], a_signal(), a_signal(description="Another."))
    monkeypatch.setattr(themes, "MOST", 3)
    story = told(desk, Theme(category="mining"))
    assert story.counted_from == date(2026, 11, 17)
    assert [day.signals for day in story.days] == [0, 0, 0, 2, 0, 0, 0]
    assert (story.signals.value, story.signals.exact) == (2, False)
    monkeypatch.setattr(themes, "MOST", 7)
    whole = told(desk, Theme(category="mining"))
    assert (whole.signals.value, whole.signals.exact, whole.counted_from) == (6, True, WINDOW.first)
