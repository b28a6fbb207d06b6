"""Publication times in the many forms that sources write them. Pure; any thread may call it."""

import calendar
import math
import re
import time
from datetime import UTC, date, datetime, timedelta, tzinfo

from dateutil import parser, tz

EARLIEST = datetime(2009, 1, 3, tzinfo=UTC)  # the day of the genesis block: nothing was written about Bitcoin's market before
FUTURE_ALLOWANCE = timedelta(days=2)  # time zones, and clocks that run ahead

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?")
_DAYS_ONLY = re.compile(r"(?:19|20)\d{6}")
_COMPACT_TIME = re.compile(r"(?:19|20)\d{10}(?:\d{2})?")
_ZONE_HOURS = {
    **{"UTC": 0, "GMT": 0, "Z": 0, "UT": 0, "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3},
    **{"EST": -5, "EDT": -4, "ET": -5, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "HST": -10},
    **{"GST": 4, "HKT": 8, "SGT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "BRT": -3},
}
_NEW_YORK = tz.gettz("America/New_York")


def parse_date(value: object, now: datetime) -> datetime:
    """``value`` as an aware UTC time.

    Takes epoch seconds, milliseconds, microseconds and nanoseconds (numbers or digits), ISO 8601, RFC 822, the usual written
    forms, ``datetime``, ``date`` and ``time.struct_time`` (in UTC, as feedparser gives it). Without a zone it is UTC; d/m/y is
    read month first unless that is impossible. ``now`` is aware.

    Raises ValueError, with a message fit to be a rejected row's reason: "no date", "unreadable date: ...", "date in the
    future: ..." (more than two days after ``now``), "date before 2009-01-03: ...".
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("no date")
    shown = value if isinstance(value, str) else repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    try:
        moment = _read(value)
        moment = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except Exception as error:  # dateutil raises whatever its tokens lead to
        raise ValueError(f"unreadable date: '{shown}'") from error
    if moment > now + FUTURE_ALLOWANCE:
        raise ValueError(f"date in the future: '{shown}'")
    if moment < EARLIEST:
        raise ValueError(f"date before {EARLIEST:%Y-%m-%d}: '{shown}'")
    return moment


def _read(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, time.struct_time):
        return _from_epoch(calendar.timegm(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value)
    if isinstance(value, str):
        return _from_text(" ".join(value.split()))
    raise ValueError("neither a number nor text")


def _from_text(text: str) -> datetime:
    if len(text) > 100:
        raise ValueError("too long")
    if _NUMBER.fullmatch(text):
        if _DAYS_ONLY.fullmatch(text):
            return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
        if _COMPACT_TIME.fullmatch(text):
            return datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return _from_epoch(float(text) if "." in text else int(text))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    # Two defaults that differ in year, month and day show which of the three the text leaves open.
    first, second = (parser.parse(text, default=datetime(*d), tzinfos=_zone) for d in ((2020, 1, 1), (2024, 2, 2)))
    if first.date() != second.date():
        raise ValueError("day, month or year is missing")
    return first


def _from_epoch(number: float) -> datetime:
    if not math.isfinite(number):
        raise ValueError("not finite")
    for limit, per_second in ((1e17, 10**9), (1e14, 10**6), (1e11, 1000)):
        if abs(number) >= limit:
            return datetime.fromtimestamp(number / per_second, UTC)
    return datetime.fromtimestamp(number, UTC)


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    if offset is not None:
        return tz.tzoffset(name, offset)
    if name == "ET":
        return _NEW_YORK
    return tz.tzoffset(name, 3600 * _ZONE_HOURS.get(name or "", 0))
