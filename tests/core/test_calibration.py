"""Shares, kappa and calibration against published values, hand-worked ones, and what must always hold."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calibration import BINS, ENOUGH, FEW, Share, bin_of, calibration, cohens_kappa

forecasts = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        # Newcombe (1998), Two-sided confidence intervals for the single proportion, Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_as_published(part: int, whole: int, low: float, high: float) -> None:
    assert Share(part, whole).interval == pytest.approx((low, high), abs=6e-5)


def test_nothing_is_known_of_nothing() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, (0.0, 1.0))


def test_enough_is_within_ten_points_and_few_within_twenty_at_worst() -> None:
    for whole, points in ((ENOUGH, 0.10), (FEW, 0.20)):
        low, high = Share(whole // 2, whole).interval
        assert points - 0.01 < (high - low) / 2 < points + 0.001


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_an_interval_contains_its_share_and_stays_within_0_and_1(part: int, rest: int) -> None:
    share = Share(part, part + rest)
    low, high = share.interval
    assert 0 <= low <= (0.5 if share.value is None else share.value) <= high <= 1


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_ends_solve_the_score_equation(part: int, rest: int) -> None:
    whole = part + rest
    for end in Share(part, whole).interval:
        if 0 < end < 1:
            assert abs(part / whole - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / whole), rel=1e-4)


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304),  # 0.60 observed, 0.54 by chance
        ([[10, 0], [0, 10]], 1.0),
        ([[0, 10], [10, 0]], -1.0),
        ([[10, 0], [0, 0]], None),
        ([[0, 0], [0, 0]], None),
    ],
)
def test_kappa(table: list[list[int]], kappa: float | None) -> None:
    found = cohens_kappa(table)
    assert found == (None if kappa is None else pytest.approx(kappa, abs=5e-5))


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_kappa_stays_within_its_bounds(cells: list[int]) -> None:
    found = cohens_kappa([cells[:2], cells[2:]])
    assert found is None or -1 - 1e-9 <= found <= 1 + 1e-9


@pytest.mark.parametrize(
    ("confidence", "number"), [(0.0, 0), (0.0999, 0), (0.1, 1), (1 - 0.9, 1), (0.3, 3), (0.1 + 0.2, 3), (0.7, 7), (0.999, 9), (1.0, 9)]
)
def test_bins_begin_at_their_bound(confidence: float, number: int) -> None:
    assert bin_of(confidence) == number


def test_brier_reference_skill_and_bins_by_hand() -> None:
    found = calibration([(0.9, True), (0.9, False), (0.6, True), (0.2, False)])
    assert found.brier == pytest.approx((0.01 + 0.81 + 0.16 + 0.04) / 4)
    assert found.reference == pytest.approx(0.25)
    assert found.skill == pytest.approx(1 - 0.255 / 0.25)
    assert [(one.number, one.size, one.accepted) for one in found.bins] == [(2, 1, 0), (6, 1, 1), (9, 2, 1)]
    assert found.bins[-1].confidence == pytest.approx(0.9)


def test_no_forecast_has_no_score_and_one_outcome_no_skill() -> None:
    empty = calibration([])
    assert (empty.brier, empty.reference, empty.skill, empty.bins) == (None, None, None, ())
    same = calibration([(0.8, True), (0.6, True)])
    assert same.brier == pytest.approx(0.1)
    assert (same.reference, same.skill) == (0, None)


@given(forecasts)
def test_counts_add_up_and_scores_stay_in_bounds(made: list[tuple[float, bool]]) -> None:
    found = calibration(made)
    assert found.outcomes == Share(sum(accepted for _, accepted in made), len(made))
    assert all(one.size for one in found.bins)
    assert all(one.number / BINS - 1e-6 <= one.confidence <= (one.number + 1) / BINS + 1e-6 for one in found.bins)
    if made:
        assert found.brier == pytest.approx(sum((confidence - accepted) ** 2 for confidence, accepted in made) / len(made))
        assert 0 <= found.brier <= 1
        assert found.skill is None or found.skill <= 1


@given(st.lists(st.booleans(), min_size=1))
def test_perfect_foresight_scores_0_and_the_base_rate_has_no_skill(outcomes: list[bool]) -> None:
    assert calibration([(float(outcome), outcome) for outcome in outcomes]).brier == 0
    rate = sum(outcomes) / len(outcomes)
    always = calibration([(rate, outcome) for outcome in outcomes])
    assert always.brier == pytest.approx(always.reference)
