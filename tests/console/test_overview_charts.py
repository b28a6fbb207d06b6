"""The Overview's charts and their words: every day has its place, every number is said, hostile words stay words."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from console import overview_charts
from core.agents.outputs import Sentiment, SignalKind, Timeframe
from core.signals import SignalRow
from core.themes import Narrative, Theme
from core.windows import Window

WINDOW = Window(date(2026, 11, 14), date(2026, 11, 20))
WEAK, GAP = SignalKind.WEAK_SIGNAL, SignalKind.NARRATIVE_GAP
ROWS = [(date(2026, 11, 14), WEAK, 2), (date(2026, 11, 20), GAP, 3), (date(2026, 11, 20), WEAK, 1), (date(2026, 11, 10), WEAK, 4)]


def a_narrative(**values: Any) -> Narrative:
    usual: dict[str, Any] = {
        "kinds": [(date(2026, 11, 15), WEAK, 2), (date(2026, 11, 20), GAP, 1)],
        "mentions": [(date(2026, 11, 15), 7, 3), (date(2026, 11, 16), 8, 1)],
        "moods": [(date(2026, 11, 15), Sentiment.POSITIVE, 2)],
        "prices": [(date(2026, 11, 14), Decimal("90000")), (date(2026, 11, 20), Decimal("91800.5"))],
        "counted_from": WINDOW.first,
    }
    return Narrative.of(Theme(words="pools"), WINDOW, **(usual | values))


def a_row(day: int, description: str = "A miner moves coins.") -> SignalRow:
    moment = datetime(2026, 11, day, 23, 30, tzinfo=UTC)
    return SignalRow(
        id=day,
        kind=WEAK,
        category="mining",
        description=description,
        confidence=0.8,
        timeframe=Timeframe.SHORT_TERM,
        verdict=None,
        decision=None,
        is_blind=False,
        publisher="Alpha",
        article_id=1,
        article_title="A title",
        published_at=moment,
        model="offline",
        created_at=moment,
    )


def test_the_trend_has_every_day_and_only_kinds_that_occur() -> None:
    figure = overview_charts.trend(ROWS, WINDOW)
    assert [trace.name for trace in figure.data] == ["weak signal", "narrative gap"]
    assert [list(trace.y) for trace in figure.data] == [[2, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 3]]
    assert list(figure.data[0].x) == [day.isoformat() for day in WINDOW.days]


def test_the_trend_in_words() -> None:
    assert overview_charts.trend_in_words(ROWS, WINDOW) == (
        "6 signals",
        "3 weak signals, 3 narrative gaps; 50% more than in the 7 days before (4)",
    )
    assert overview_charts.trend_in_words(ROWS[:1], WINDOW)[1] == "2 weak signals; none in the 7 days before"
    assert overview_charts.trend_in_words([], WINDOW) == ("0 signals", "none in the 7 days before")


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (4, 4, "as many as in the 7 days before"),
        (3, 4, "25% fewer than in the 7 days before (4)"),
        (0, 4, "100% fewer than in the 7 days before (4)"),
        (12, 4, "3.0 times as many as in the 7 days before (4)"),
        (5, 0, "none in the 7 days before"),
    ],
)
def test_a_count_against_the_days_before(now: int, before: int, words: str) -> None:
    assert overview_charts.against(now, before, 7) == words


def test_the_narrative_has_signals_price_and_articles() -> None:
    figure = overview_charts.narrative(a_narrative(), [a_row(15), a_row(15), a_row(13)])
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces) == ["weak signal", "narrative gap", "BTC close (right)", "notable", "positive", "without a signal of it"]
    assert list(traces["weak signal"].y) == [0, 2, 0, 0, 0, 0, 0]
    assert list(traces["BTC close (right)"].y) == [90_000, 91_800.5]
    assert traces["BTC close (right)"].yaxis == "y2"
    assert (list(traces["notable"].text), list(traces["notable"].y)) == (["<b>1, 2</b>"], [2]), "13 November is not of the window"
    assert list(traces["without a signal of it"].y) == [0, 1, 1, 0, 0, 0, 0]


def test_the_narrative_in_words() -> None:
    assert overview_charts.narrative_in_words(a_narrative()) == (
        "3 signals and 4 articles by 2 publishers; most on 15 Nov (2 signals); analysed: 2 positive, 0 negative, 0 neither;"
        " Bitcoin from $90,000 to $91,800 (+2.0%)"
    )
    bare = a_narrative(kinds=[], moods=[], prices=[], mentions=[(date(2026, 11, 16), 8, 1)])
    assert overview_charts.narrative_in_words(bare) == "0 signals and 1 article by 1 publisher"
    assert overview_charts.price_in_words(a_narrative(prices=[(date(2026, 11, 14), Decimal("0.0858"))]).days) == "Bitcoin at $0.0858"


def test_without_a_price_there_is_no_line_and_no_axis() -> None:
    figure = overview_charts.narrative(a_narrative(prices=[]), [])
    assert "BTC close (right)" not in [trace.name for trace in figure.data]
    assert figure.layout.yaxis2.visible is False


def test_days_that_were_counted_in_part_are_left_empty() -> None:
    story = a_narrative(counted_from=date(2026, 11, 16))
    assert [day.signals for day in story.days] == [0, 0, 0, 0, 0, 0, 1]
    assert (story.signals.exact, story.articles.value, story.publishers) == (False, 1, ((8, 1),))


def test_hostile_words_stay_words() -> None:
    figure = overview_charts.narrative(a_narrative(), [a_row(15, "<img src=x onerror=alert(1)> <b>x</b> " + "y" * 200)])
    hover = {trace.name: trace for trace in figure.data}["notable"].customdata[0][0]
    assert "<img" not in hover
    assert "&lt;img src=x" in hover
    assert len(hover) < 160


def test_the_legend_names_every_colour_by_row() -> None:
    legend = overview_charts.legend(overview_charts.narrative(a_narrative(), [a_row(15)]))
    assert legend.index("signals:") < legend.index("weak signal") < legend.index("BTC close") < legend.index("articles:")
    assert legend.index("articles:") < legend.index("positive")
    assert "notable" not in legend


@pytest.mark.parametrize(("most", "step"), [(0, 1), (2, 1), (4, 1), (5, 2), (11, 5), (38, 10), (41, 20), (900, 500)])
def test_counts_are_marked_at_whole_numbers(most: int, step: int) -> None:
    axis = overview_charts.whole_numbers(most)
    assert (axis["tick0"], axis["dtick"]) == (0, step)
