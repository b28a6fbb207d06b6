"""The Quality page's words: with few reviews it says how few."""

from datetime import UTC, datetime

import pytest

from console import quality_charts
from console.quality_view import brier, figure, how_few, interval, nothing_decided, share
from core.calibration import Share, calibration
from core.quality import EVERYTHING, Scope


def test_with_few_reviews_it_says_how_few_and_how_many_more_it_takes() -> None:
    assert how_few(1).startswith("**1 decision** accepted or rejected so far: too few to judge by.")
    seven = how_few(7)
    assert "**7 decisions**" in seven
    assert "13 more (from 20 on)" in seven
    assert "93 more (from 100 on)" in seven
    twenty = how_few(20)
    assert "too few" not in twenty
    assert "**20 decisions**" in twenty
    assert "80 more" in twenty
    assert "1 more" in how_few(99)
    assert how_few(100) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Share(0, 0), ("–", "none yet")),
        (Share(1, 1), ("21–100%", "1 of 1 so far")),
        (Share(10, 20), ("50%", "10 of 20 · 30–70%")),
        (Share(871, 1859), ("47%", "871 of 1,859 · 45–49%")),
    ],
)
def test_a_share_of_few_is_its_interval(value: Share, words: tuple[str, str]) -> None:
    assert figure(value) == words


def test_a_share_in_words() -> None:
    assert (share(Share(0, 0)), share(Share(2, 3)), interval(Share(0, 0))) == ("–", "67%", "none yet")


def test_the_brier_score_waits_for_enough_decisions() -> None:
    assert brier(calibration([(0.9, True)] * 19)) == ("–", "from 20 decisions on")
    assert brier(calibration([(0.9, True)] * 20)) == ("0.010", "one outcome only")
    assert brier(calibration([(0.9, True), (0.1, False)] * 10)) == ("0.010", "skill +96%")
    assert brier(calibration([(0.9, False), (0.9, True)] * 10)) == ("0.410", "below the base rate")


def test_without_a_decision_it_says_what_to_do_next() -> None:
    assert "Accept or reject some signals" in nothing_decided(EVERYTHING)
    narrowed = nothing_decided(Scope(since=datetime(2026, 11, 1, tzinfo=UTC), reviewer="ida [x](y)"))
    assert "Widen the time" in narrowed
    assert "[x](y)" not in narrowed


def test_charts_show_a_name_as_it_is_and_few_decisions_pale() -> None:
    chart = quality_charts.acceptance_bars([("<b>x</b>" * 9, Share(3, 4)), ("flows", Share(30, 40))])
    assert "<" not in str(chart.layout.yaxis.ticktext) + str(chart.data[0].customdata)
    pale, full = chart.data[0].marker.opacity
    assert pale < full
    low, high = Share(3, 4).interval
    assert (0.75 - chart.data[0].error_x.arrayminus[0], 0.75 + chart.data[0].error_x.array[0]) == pytest.approx((low, high))


def test_the_reliability_diagram_has_the_diagonal_and_a_point_a_bin() -> None:
    chart = quality_charts.reliability((("given", calibration([(0.9, True), (0.95, False), (0.2, False)])),))
    diagonal, given = chart.data
    assert (list(diagonal.x), list(diagonal.y)) == ([0, 1], [0, 1])
    assert list(given.y) == [0.0, 0.5]
    assert given.marker.size[1] > given.marker.size[0]
