"""Whether the money lasts: the pace of spending, what it comes to, and when a limit is reached. Pure.

Today goes on at the pace of its last hours, since a run starts and ends within hours; a month at the mean of its last whole days.
Where too little was spent to tell a pace, there is none: a guess would look like knowledge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PACE_HOURS = 3
"""Whole hours before this one that today's pace is taken from."""
LEAST_TIME = timedelta(minutes=30)
"""Since the first spending in these hours, from which on a pace is told."""
PACE_DAYS = 7
LEAST_DAYS = 2
"""Whole days since the first spending, from which on a daily mean is told."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a day or a month goes on. ``rate`` and ``at_end`` are None while too little was spent to tell."""

    ends_at: datetime
    rests_on: timedelta
    """The time that the pace is taken from."""
    rate: Decimal | None = None
    """USD a day."""
    at_end: Decimal | None = None
    """USD that will have been spent at its end, at this rate."""
    reached_at: datetime | None = None
    """When the limit is reached at this rate; None when it is not within this day or month."""

    @property
    def can_tell(self) -> bool:
        return self.rate is not None


def outlook_of_day(limit: Decimal, spent: Decimal, now: datetime, slots: Mapping[datetime, Decimal]) -> Outlook:
    """How today goes on. ``slots`` has the USD of each stretch of a few minutes, by its beginning, from ``pace_since`` on.

    The pace is taken from the first spending on, so that a run that began an hour ago counts as an hour's spending.
    """
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    ends_at = this_hour.replace(hour=0) + DAY
    recent = {begin: usd for begin, usd in slots.items() if pace_since(now) <= begin <= now and usd}
    if not recent:
        return _outlook(limit, spent, now, ends_at, PACE_HOURS * HOUR, ZERO)
    elapsed = now - min(recent)
    if elapsed < LEAST_TIME:
        return Outlook(ends_at, elapsed)
    return _outlook(limit, spent, now, ends_at, elapsed, sum(recent.values(), ZERO) / _days(elapsed))


def outlook_of_month(limit: Decimal, spent: Decimal, now: datetime, days: Mapping[date, Decimal], first_day: date | None) -> Outlook:
    """How this month goes on. ``days`` has the USD of each of the last ``PACE_DAYS`` UTC days; ``first_day`` is the first with any call."""
    today = now.astimezone(UTC).date()
    ends_at = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
    whole = min((today - first_day).days, PACE_DAYS) if first_day else 0
    if whole < LEAST_DAYS:
        return Outlook(ends_at, whole * DAY)
    counted = sum((usd for day, usd in days.items() if today - whole * DAY <= day < today), ZERO)
    return _outlook(limit, spent, now, ends_at, whole * DAY, counted / whole)


def pace_since(now: datetime) -> datetime:
    """The hour from which on today's pace is taken."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - PACE_HOURS * HOUR


def _outlook(limit: Decimal, spent: Decimal, now: datetime, ends_at: datetime, rests_on: timedelta, rate: Decimal) -> Outlook:
    at_end = spent + rate * _days(ends_at - now)
    reached_at = None
    if spent >= limit:
        reached_at = now
    elif at_end >= limit:
        reached_at = now + float((limit - spent) / rate) * DAY
    return Outlook(ends_at, rests_on, rate, at_end, reached_at)


def _days(time: timedelta) -> Decimal:
    return Decimal(time // timedelta(microseconds=1)) / Decimal(DAY // timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a run was thought to cost when it was launched, and what it did cost."""

    batch_id: int
    created_at: datetime
    model: str
    articles: int
    """That it was launched with."""
    completed: int
    estimated: Decimal
    actual: Decimal

    @property
    def error(self) -> float:
        """Actual over estimate, less one: +0.25 when it cost a quarter more than estimated."""
        return float(self.actual / self.estimated) - 1


def median_error(comparisons: list[Comparison]) -> float | None:
    """The median of the absolute errors; None without a run to judge by."""
    errors = sorted(abs(one.error) for one in comparisons)
    if not errors:
        return None
    half = len(errors) // 2
    return errors[half] if len(errors) % 2 else (errors[half - 1] + errors[half]) / 2
