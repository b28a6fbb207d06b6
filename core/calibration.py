"""Shares with their uncertainty, agreement, and calibration: the statistics of quality. Pure.

Intervals take decisions as independent of one another. Signals of one article, or decisions of one click, are less so: then the
truth is wider.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
BINS = 10
FEW = 20
"""Under so many decisions a share near one half is known to ±20 points or worse, and ten bins hold two each: no scores, no diagram."""
ENOUGH = 100
"""From so many on every share is known to ±10 points or better."""


@dataclass(frozen=True, slots=True)
class Share:
    """``part`` of ``whole``, with its uncertainty."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """0..1; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % score interval, 0..1; all of it for nothing.

        Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212.
        """
        if not self.whole:
            return 0.0, 1.0
        n, share, square = self.whole, self.part / self.whole, Z_95**2
        centre = (share + square / (2 * n)) / (1 + square / n)
        half = Z_95 / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
        # At the ends the interval reaches the share itself; rounding must not keep it from that.
        low = 0.0 if self.part == 0 else max(centre - half, 0.0)
        return low, 1.0 if self.part == n else min(centre + half, 1.0)


def cohens_kappa(table: Sequence[Sequence[int]]) -> float | None:
    """Agreement of two raters beyond what chance would give, -1..1, from a square table of counts. None where chance alone agrees.

    Cohen (1960), A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20, 37-46.
    """
    n = sum(map(sum, table))
    if not n:
        return None
    observed = sum(row[position] for position, row in enumerate(table)) / n
    expected = sum(sum(row) * sum(other[position] for other in table) for position, row in enumerate(table)) / (n * n)
    return (observed - expected) / (1 - expected) if expected < 1 else None


@dataclass(frozen=True, slots=True)
class Bin:
    """Signals of about one confidence: their number, the sum of their confidence, the accepted ones, the sum of squared errors."""

    number: int
    """From 0: confidence from ``number / BINS`` up to the next; 1.0 is in the last."""
    size: int
    confidence_sum: float
    accepted: int
    squared_error: float

    @property
    def confidence(self) -> float:
        """Mean, 0..1."""
        return self.confidence_sum / self.size

    @property
    def observed(self) -> Share:
        """How many of them were accepted."""
        return Share(self.accepted, self.size)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well a confidence foretells acceptance. Empty bins are left out."""

    bins: tuple[Bin, ...] = ()

    @property
    def outcomes(self) -> Share:
        """The accepted of all that were accepted or rejected: the base rate."""
        return Share(sum(one.accepted for one in self.bins), sum(one.size for one in self.bins))

    @property
    def brier(self) -> float | None:
        """Mean squared difference of confidence and outcome (1 accepted, 0 rejected): 0 is perfect, always saying 0.5 has 0.25.

        Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1-3.
        """
        whole = self.outcomes.whole
        return sum(one.squared_error for one in self.bins) / whole if whole else None

    @property
    def reference(self) -> float | None:
        """The Brier score of always saying the base rate."""
        rate = self.outcomes.value
        return rate * (1 - rate) if rate is not None else None

    @property
    def skill(self) -> float | None:
        """1 is perfect, 0 no better than always saying the base rate, below 0 worse. None where all came out the same."""
        return 1 - self.brier / self.reference if self.brier is not None and self.reference else None


def bin_of(confidence: float) -> int:
    """The bin of a confidence, 0..1. What arithmetic leaves under a bound (1 - 0.9) counts as the bound."""
    return min(int(round(confidence * BINS, 6)), BINS - 1)


def calibration(forecasts: Iterable[tuple[float, bool]]) -> Calibration:
    """Calibration of confidences (0..1), each with whether the signal was accepted."""
    sums: dict[int, Bin] = {}
    for confidence, accepted in forecasts:
        number = bin_of(confidence)
        had = sums.get(number, Bin(number, 0, 0.0, 0, 0.0))
        error = (confidence - accepted) ** 2
        sums[number] = Bin(number, had.size + 1, had.confidence_sum + confidence, had.accepted + accepted, had.squared_error + error)
    return Calibration(tuple(sums[number] for number in sorted(sums)))
