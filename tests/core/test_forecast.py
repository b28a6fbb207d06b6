"""Whether the money lasts: by table, at the edges of hours, days and months, and with too little to tell."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from core.forecast import Comparison, Outlook, median_error, outlook_of_day, outlook_of_month, pace_since

D = Decimal
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)


def at(hour: int, minute: int = 0, day: int = 24) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "spent", "hours", "rate", "at_end", "reached_at"),
    [
        # $1 an hour since 9:00; 12 hours are left, and $2 of $5
        (at(12), "3", {at(9): "1", at(10): "1", at(11): "1"}, "24", "15", at(14)),
        # it stopped being spent: only the last hours count
        (at(18), "3", {at(9): "1", at(10): "2"}, "0", "3", None),
        # slow enough to last
        (at(12), "0.30", {at(9): "0.10", at(10): "0.10", at(11): "0.10"}, "2.4", "1.5", None),
        # begun within the hour: its own time, not three hours of rest before it
        (at(12, 30), "1", {at(12): "1"}, "48", "24", at(14, 30)),
        # right after midnight, yesterday's last hours are the pace
        (at(0, 0), "0", {at(21, day=23): "1", at(22, day=23): "1", at(23, day=23): "1"}, "24", "24", at(5)),
        # the limit is reached already
        (at(12), "5", {}, "0", "5", at(12)),
        # nothing at all
        (at(12), "0", {}, "0", "0", None),
    ],
)
def test_today_goes_on_as_its_last_hours(
    now: datetime, spent: str, hours: dict[datetime, str], rate: str, at_end: str, reached_at: datetime | None
) -> None:
    outlook = outlook_of_day(D(5), D(spent), now, {hour: D(usd) for hour, usd in hours.items()})
    assert outlook.rate == pytest.approx(D(rate))
    assert outlook.at_end == pytest.approx(D(at_end))
    assert outlook.reached_at == reached_at
    assert outlook.ends_at == MIDNIGHT


def test_minutes_of_spending_tell_no_pace() -> None:
    assert outlook_of_day(D(5), D(1), at(12, 29), {at(12): D(1)}) == Outlook(MIDNIGHT, timedelta(minutes=29))
    assert outlook_of_day(D(5), D(1), at(12, 30), {at(12): D(1)}).can_tell


def test_hours_before_the_last_ones_are_left_out() -> None:
    assert pace_since(at(12, 40)) == at(9)
    assert outlook_of_day(D(5), D(3), at(12, 40), {at(8): D(3)}).rate == 0


def days(first: date, *usd: str) -> dict[date, Decimal]:
    return {first + timedelta(days=n): D(one) for n, one in enumerate(usd)}


@pytest.mark.parametrize(
    ("spent", "spending", "first_day", "rate", "at_end", "reached_at"),
    [
        # a week of $2 a day; half of the 24th and six days are left
        ("30", days(date(2026, 11, 17), *["2"] * 7), date(2026, 1, 1), "2", "43", at(0, day=29)),
        # days without spending count as such
        ("30", days(date(2026, 11, 17), "7", "7"), date(2026, 1, 1), "2", "43", at(0, day=29)),
        # a desk that began three days ago has three days to go by; today, which is not over, is not one of them
        ("6", days(date(2026, 11, 21), "2", "2", "2", "9"), date(2026, 11, 21), "2", "19", None),
        ("0", {}, date(2026, 11, 1), "0", "0", None),
        ("41", {}, date(2026, 11, 1), "0", "41", at(12)),
    ],
)
def test_a_month_goes_on_as_its_last_whole_days(
    spent: str, spending: dict[date, Decimal], first_day: date, rate: str, at_end: str, reached_at: datetime | None
) -> None:
    limit = D("39") if reached_at and reached_at > at(12) else D(40)
    outlook = outlook_of_month(limit, D(spent), at(12), spending, first_day)
    assert outlook.rate == pytest.approx(D(rate))
    assert outlook.at_end == pytest.approx(D(at_end))
    assert outlook.reached_at == reached_at
    assert outlook.ends_at == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("first_day", [None, date(2026, 11, 24), date(2026, 11, 23)])
def test_a_day_or_less_tells_no_mean(first_day: date | None) -> None:
    assert not outlook_of_month(D(40), D(1), at(12), {}, first_day).can_tell


def test_a_year_ends_with_its_december() -> None:
    outlook = outlook_of_month(D(40), D(1), datetime(2026, 12, 31, 23, tzinfo=UTC), {}, date(2026, 1, 1))
    assert outlook.ends_at == datetime(2027, 1, 1, tzinfo=UTC)


def compared(estimated: str, actual: str) -> Comparison:
    return Comparison(1, at(12), "google:gemini", 1, 1, D(estimated), D(actual))


@pytest.mark.parametrize(
    ("runs", "median"),
    [
        ([], None),
        ([compared("1", "1.2")], 0.2),
        ([compared("1", "0.5"), compared("1", "1.1")], 0.3),
        ([compared("1", "0.5"), compared("1", "1.1"), compared("1", "9")], 0.5),
    ],
)
def test_the_median_error_takes_too_much_as_it_takes_too_little(runs: list[Comparison], median: float | None) -> None:
    assert median_error(runs) == pytest.approx(median)
