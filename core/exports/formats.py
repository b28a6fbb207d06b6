"""CSV and JSON lines. RFC 4180, UTF-8, times in UTC ISO 8601, decimals unrounded."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic_core import to_json

from core.exports.tables import COLUMNS, Kind, Table, kinds
from core.spreadsheets import harmless

BOM = "\ufeff"
BLOCK = 64 * 1_024
"""Characters that are written at a time."""


def _as_is(number: float | None) -> float | None:
    return number


def _text(text: str | None) -> str | None:
    return harmless(text) if text else text


WRITTEN: dict[Kind, Callable[[Any], Any]] = {Kind.INTEGER: _as_is, Kind.REAL: _as_is, Kind.TEXT: _text}
"""What the csv module itself writes as ``cell`` would, and sooner."""


def csv_lines(table: Table, rows: Iterable[dict[str, Any]], *, bom: bool = False) -> Iterator[str]:
    """The export as CSV, a header and then a line a row, some lines at a time."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write(BOM if bom else "")
    writer.writerow(COLUMNS[table])
    columns = [(name, WRITTEN.get(kind, cell)) for name, kind in kinds(table).items()]
    for row in rows:
        if buffer.tell() > BLOCK:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
        writer.writerow([written(row.get(name)) for name, written in columns])
    yield buffer.getvalue()


def json_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The export as JSON, an object a line: lists stay lists, decimals are text, and text is as it was found."""
    for row in rows:
        plain = {name: cell(value) if isinstance(value, datetime | Decimal) else value for name, value in row.items()}
        yield to_json(plain, fallback=cell).decode() + "\n"


def cell(value: Any) -> str:
    """One value as a CSV cell that no spreadsheet takes for a formula."""
    if isinstance(value, str):  # most are
        return harmless(str(value))
    match value:
        case None:
            written = ""
        case datetime():
            written = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal():
            written = format(value, "f")
        case bool():
            written = str(value).lower()
        case int() | float():
            written = str(value)
        case list() | tuple() | dict():
            written = to_json(value, fallback=cell).decode()
        case _:
            written = harmless(str(value))
    return written


def as_json(value: Any) -> Any:
    """A value as ``json.dumps`` takes it: decimals as text, times in ISO 8601, dataclasses as objects."""
    match value:
        case datetime() | Decimal() | Enum():
            return cell(value)
        case date():
            return value.isoformat()
        case dict():
            return {str(as_json(key)): as_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(item) for item in value]
    return as_json(asdict(value)) if is_dataclass(value) and not isinstance(value, type) else value
