"""The price of Bitcoin: a daily series that is imported from a CSV file and drawn behind the narrative.

A day (UTC) has one close in USD; importing again replaces what differs. Call from any thread.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.configuration import Desk
from core.errors import ImportRefused
from core.importers.clean_text import clean_characters
from core.importers.dates import parse_date
from core.importers.parsed_article import RejectedRow, reasons
from core.importers.source_bytes import MAX_LINE, SourceStream, text_lines
from core.models import Price

MAX_BYTES = 32 << 20
MAX_ROWS = 400_000
"""An hourly series of more than forty years; more is no file of daily closes."""
MAX_CLOSE = Decimal(10) ** 12
CHUNK = 2_000
DATE_COLUMNS = ("date", "day", "time", "timestamp", "datetime", "open time", "snapped at")
CLOSE_COLUMNS = ("close", "price", "close price", "closing price", "last", "value")
_DELIMITERS = ",;\t"
_EXPECTED = "A price file is CSV with a column date and a column close, such as 2026-11-24,91250.10."


@dataclass(frozen=True, slots=True)
class Close:
    """A row of a price file: when, and what a Bitcoin cost in USD."""

    moment: datetime
    close: Decimal

    @property
    def day(self) -> date:
        return self.moment.date()


@dataclass
class PriceReport:
    """What became of every row. ``new``, ``updated`` and ``unchanged`` are days; rows of a day that had a later one are ``repeated``."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)
    first: date | None = None
    last: date | None = None

    @property
    def days(self) -> int:
        return self.new + self.updated + self.unchanged

    def reasons(self) -> dict[str, int]:
        """How many rows were rejected for each reason, most frequent first."""
        return reasons(self.rejected)

    def in_words(self) -> list[str]:
        """A line of counts, then one for each reason that rows were rejected for."""
        repeated = f"{self.repeated:,} repeated, " if self.repeated else ""
        counts = f"{self.new:,} new, {self.updated:,} updated, {self.unchanged:,} unchanged, {repeated}{len(self.rejected):,} rejected"
        return [f"Prices of {self.first} to {self.last}: {counts}.", *(f"{number:,} × {why}" for why, number in self.reasons().items())]


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """What of the series is here."""

    days: int
    first: date
    last: date


def read_prices(source: str, data: bytes | Path | BinaryIO, *, now: datetime) -> Iterator[Close | RejectedRow]:
    """The rows of a price file, one by one: CSV with a header, comma, semicolon or tab between the fields, also gzipped.

    Takes every form of date that articles may have (a day without a zone is one of UTC) and closes such as ``91250.10``,
    ``$91,250.10``. ``now`` is aware.

    Raises:
        ImportRefused: the file is none of prices, is too large, damaged or unreadable.
    """
    with SourceStream(source, data, MAX_BYTES) as stream:
        lines = text_lines(stream)
        header = next((line for line in lines if line.strip()), "")
        delimiter, date_column, close_column = _columns(source, header)
        for number, line in enumerate((line for line in lines if line.strip()), start=1):
            if number > MAX_ROWS:
                raise ImportRefused(f"{source} has more than {MAX_ROWS:,} rows. Import daily closes, one row a day, or in parts.")
            fields = _fields(line, delimiter)
            try:
                if len(fields) <= max(date_column, close_column):
                    raise ValueError("too few columns")
                moment = parse_date(fields[date_column], now)
                yield Close(moment, _close(fields[close_column]))
            except ValueError as error:
                yield RejectedRow(source, number, str(error), excerpt=_excerpt(line))


def import_prices(desk: Desk, source: str, data: bytes | Path | BinaryIO, *, by: Actor, now: datetime) -> PriceReport:
    """Import a price file in one transaction: all of its days or, where it is refused, none.

    Where a day has several rows, the latest moment is its close, and of equal moments the last row.

    Raises:
        ImportRefused: as ``read_prices``, or no row of it is a price.
        DatabaseUnavailable: the database is away; nothing was changed.
    """
    by.require(Permission.ARTICLES)
    report = PriceReport()
    by_day: dict[date, Close] = {}
    for row in read_prices(source, data, now=now):
        if isinstance(row, RejectedRow):
            report.rejected.append(row)
            continue
        known = by_day.get(row.day)
        report.repeated += known is not None
        if known is None or row.moment >= known.moment:
            by_day[row.day] = row
    if not by_day:
        found = "; ".join(f"{number:,} × {reason}" for reason, number in report.reasons().items())
        raise ImportRefused(f"{source} has no price in it{f' ({found})' if found else ''}. {_EXPECTED}")
    report.first, report.last = min(by_day), max(by_day)
    days = sorted(by_day)
    with desk.database.session() as session:
        for start in range(0, len(days), CHUNK):
            new, updated = _keep(session, [by_day[day] for day in days[start : start + CHUNK]])
            report.new += new
            report.updated += updated
        facts = {"new": report.new, "updated": report.updated, "first": report.first, "last": report.last}
        audit.record(session, by, audit.Action.PRICES, ("file", source), after=facts)
    report.unchanged = len(days) - report.new - report.updated
    return report


def prices_between(session: Session, since: date, until: date) -> list[tuple[date, Decimal]]:
    """The closes of these days (UTC, both ends included) that there are, in order; USD."""
    statement = select(Price.day, Price.close).where(Price.day.between(since, until)).order_by(Price.day)
    return [(day, close) for day, close in session.execute(statement)]


def price_span(session: Session) -> PriceSpan | None:
    """From when to when prices were imported; None without any."""
    days, first, last = session.execute(select(func.count(), func.min(Price.day), func.max(Price.day))).one()
    return PriceSpan(days, first, last) if days else None


def _keep(session: Session, closes: list[Close]) -> tuple[int, int]:
    """Insert what is new and update what differs; returns how many of each."""
    known = dict(session.execute(select(Price.day, Price.close).where(Price.day.in_([one.day for one in closes]))).all())
    new = sum(one.day not in known for one in closes)
    changed = [one for one in closes if known.get(one.day) != one.close]
    if changed:
        statement = insert(Price)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[Price.day], set_={"close": statement.excluded.close, "imported_at": func.now()}
            ),
            [{"day": one.day, "close": one.close} for one in changed],
        )
    return new, len(changed) - new


def _columns(source: str, header: str) -> tuple[str, int, int]:
    """The delimiter and the places of date and close, by the first line."""
    for delimiter in _DELIMITERS:
        names = [" ".join(name.strip(" \ufeff\"'").casefold().replace("_", " ").split()) for name in _fields(header, delimiter)]
        places = [next((names.index(name) for name in wanted if name in names), None) for wanted in (DATE_COLUMNS, CLOSE_COLUMNS)]
        if places[0] is not None and places[1] is not None:
            return delimiter, places[0], places[1]
    found = f" Its first line is '{_excerpt(header)}'." if header.strip() else " It is empty."
    raise ImportRefused(f"{source} is no price file.{found} {_EXPECTED}")


def _fields(line: str, delimiter: str) -> list[str]:
    """The fields of one line; none where it is no CSV. A line is a record: prices hold no line breaks."""
    try:
        csv.field_size_limit(MAX_LINE)  # of the process: without it, what was read before decides
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return []


def _close(value: str) -> Decimal:
    shown = _excerpt(value, 40)
    digits = value.strip().removeprefix("$").removesuffix("USD").strip()
    if not digits:
        raise ValueError("no close")
    whole, comma, rest = digits.partition(",")
    if comma:
        groups = f"{rest.partition('.')[0]}".split(",")
        if not (whole.lstrip("-").isdigit() and 1 <= len(whole.lstrip("-")) <= 3 and all(len(part) == 3 for part in groups)):
            raise ValueError(f"close is no number: '{shown}'")
    try:
        number = Decimal(digits.replace(",", "")) if digits.isascii() and "_" not in digits and len(digits) <= 40 else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"close is no number: '{shown}'")
    if not 0 < number < MAX_CLOSE:
        raise ValueError(f"close is not above zero: '{shown}'" if number <= 0 else f"close is too large: '{shown}'")
    rounded = number.quantize(Decimal("0.00000001"))
    if not rounded:
        raise ValueError(f"close is not above zero: '{shown}'")
    return rounded


def _excerpt(text: str, length: int = 100) -> str:
    text = " ".join(clean_characters(text[: 4 * length]).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"
