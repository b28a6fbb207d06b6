"""The days that a page looks at: a number of them, up to today or to where the archive ends. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self


@dataclass(frozen=True, slots=True)
class Window:
    """Days in UTC, both ends included."""

    first: date
    last: date

    @classmethod
    def ending(cls, last: date, days: int) -> Self:
        return cls(last - timedelta(days=days - 1), last)

    @classmethod
    def read(cls, text: str) -> "Window | None":
        """What an address says as ``2026-10-28..2026-11-26``; None for what is no such days."""
        first, _, last = text.partition("..")
        try:
            window = cls(date.fromisoformat(first), date.fromisoformat(last))
        except ValueError:
            return None
        return window if window.first <= window.last else None

    @property
    def address(self) -> str:
        """As ``read`` takes it."""
        return f"{self.first}..{self.last}"

    @property
    def length(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=step) for step in range(self.length)]

    @property
    def before(self) -> "Window":
        """As many days, right before these."""
        return Window.ending(self.first - timedelta(days=1), self.length)

    def __str__(self) -> str:
        """``28 Oct to 26 Nov 2026``; the first year is left out where it is the last one's."""
        year = "" if self.first.year == self.last.year else f" {self.first.year}"
        return f"{self.first.day} {self.first:%b}{year} to {self.last.day} {self.last:%b %Y}"


def window_of(length: int, *, newest: date | None, today: date) -> Window:
    """The ``length`` days that end today; where nothing is that recent, or the newest is dated ahead, those that end at ``newest``."""
    ends_today = newest is None or Window.ending(today, length).first <= newest <= today
    return Window.ending(today if ends_today or newest is None else newest, length)


def change(now: int, before: int) -> float | None:
    """By what share ``now`` is above ``before`` (-1..); None where there was nothing before."""
    return (now - before) / before if before else None


def totals_by_day(rows: Sequence[tuple[date, int]], window: Window) -> list[int]:
    """One number for each day of the window; days that ``rows`` does not name are 0, and what lies outside is left out."""
    sums = dict.fromkeys(window.days, 0)
    for day, number in rows:
        if day in sums:
            sums[day] += number
    return list(sums.values())
