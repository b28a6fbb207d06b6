"""Price import: what a file may look like, what is refused, and that importing again changes only what differs."""

import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core import prices
from core.configuration import Desk
from core.errors import ImportRefused
from core.importers.parsed_article import RejectedRow
from core.prices import Close, import_prices, price_span, prices_between, read_prices
from tests.actors import ANN
from tests.conftest import NOW, SHARED_DATA

DAY = date(2026, 11, 20)


def closes(content: str | bytes) -> dict[date, str]:
    """What is read of a file, rejected rows by their reason under no day."""
    data = content.encode() if isinstance(content, str) else content
    rows = list(read_prices("btc.csv", data, now=NOW))
    assert not [row for row in rows if isinstance(row, RejectedRow)]
    return {row.day: str(row.close.normalize()) for row in rows if isinstance(row, Close)}


def rejected(*lines: str) -> list[str]:
    rows = read_prices("btc.csv", "\n".join(("date,close", *lines)).encode(), now=NOW)
    return [row.reason for row in rows if isinstance(row, RejectedRow)]


@pytest.mark.parametrize(
    "content",
    [
        "date,close\n2026-11-20,91250.10\n",
        "\ufeffdate,close\r\n2026-11-20,91250.10\r\n",
        "Date,Open,High,Low,Close,Adj Close,Volume\n2026-11-20,1,2,3,91250.10,4,5\n",
        '"Date","Price","Vol."\n"Nov 20, 2026","91,250.10","1K"\n',
        "timestamp;close\n1795132800;91250.10\n",
        "timestamp\tclose\n1795132800000\t$91,250.10\n",
        "\n\nclose,DATE\n91250.1000,2026-11-20T00:00:00Z\n\n",
        "date,close\n2026-11-20,91250.10",
        "snapped_at,price\n2026-11-20 00:00:00 UTC,91250.10\n",
    ],
)
def test_the_usual_forms_of_a_price_file(content: str) -> None:
    assert closes(content) == {DAY: "91250.1"}
    assert closes(gzip.compress(content.encode())) == {DAY: "91250.1"}


def test_a_file_in_utf_16_is_read() -> None:
    assert closes("date,close\n2026-11-20,91250.10\n".encode("utf-16")) == {DAY: "91250.1"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-11-20,", "no close"),
        (",5", "no date"),
        ("2026-11-20", "too few columns"),
        ("2026-11-20,n/a", "close is no number: 'n/a'"),
        ("2026-11-20,NaN", "close is no number: 'NaN'"),
        ("2026-11-20,Infinity", "close is no number: 'Infinity'"),
        ("2026-11-20,1e999999999", "close is too large: '1e999999999'"),
        ("2026-11-20,9_1", "close is no number: '9_1'"),
        ("2026-11-20,٩١", "close is no number: '٩١'"),
        ("2026-11-20,0", "close is not above zero: '0'"),
        ("2026-11-20,-0.00", "close is not above zero: '-0.00'"),
        ("2026-11-20,0.000000001", "close is not above zero: '0.000000001'"),
        ("2026-11-20,-5", "close is not above zero: '-5'"),
        ("2026-11-20,1000000000000", "close is too large: '1000000000000'"),
        ('2026-11-20,"91.250,10"', "close is no number: '91.250,10'"),
        ('2026-11-20,"=HYPERLINK(""https://a.example"")"', "close is no number: '=HYPERLINK(\"https://a.example\")'"),
        ("31 February 2026,5", "unreadable date: '31 February 2026'"),
        ("2031-01-01,5", "date in the future: '2031-01-01'"),
        ("1999-01-01,5", "date before 2009-01-03: '1999-01-01'"),
        ("2026-11-20,<script>alert(1)</script>", "close is no number: '<script>alert(1)</script>'"),
        ("2026-11-20," + "9" * 100_000, "close is no number: '" + "9" * 39 + "…'"),
        ("2026-11-20," + "9" * 200_000, "close is no number: '" + "9" * 39 + "…'"),
    ],
    ids=lambda value: value[:40],
)
def test_a_bad_row_is_rejected_with_its_reason_and_the_rest_is_taken(line: str, reason: str) -> None:
    assert rejected("2026-11-19,90000", line, "2026-11-21,90001") == [reason]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "It is empty."),
        (b"title,body\nA,B\n", "Its first line is 'title,body'."),
        (b'{"date": "2026-11-20", "close": 5}\n', "is no price file"),
        (b"PK\x03\x04\x14\x00\x06\x00", "is no price file"),
        (b"2026-11-20,91250.10\n2026-11-21,91250.10\n", "is no price file"),
        (b"date,close\n", "has no price in it."),
        (b"date,close\nx,5\ny,6\n", "has no price in it (2 × unreadable date)."),
        (b"\x1f\x8b\x08broken", "damaged or incomplete gzip"),
    ],
)
def test_what_is_no_price_file_is_refused_as_a_whole(desk: Desk, content: bytes, words: str) -> None:
    with pytest.raises(ImportRefused, match="btc.csv") as refused:
        import_prices(desk, "btc.csv", content, now=NOW, by=ANN)
    assert words in str(refused.value)
    assert desk.transaction(price_span) is None


def test_a_huge_file_is_refused_before_it_fills_the_memory(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"date,close\n2026-11-20,5\n" + b"x,y\n" * 100
    monkeypatch.setattr(prices, "MAX_ROWS", 50)
    with pytest.raises(ImportRefused, match="more than 50 rows"):
        import_prices(desk, "btc.csv", content, now=NOW, by=ANN)
    monkeypatch.setattr(prices, "MAX_BYTES", 100)
    with pytest.raises(ImportRefused, match="larger than 100 bytes"):
        import_prices(desk, "btc.csv", content, now=NOW, by=ANN)
    bomb = gzip.compress(b"date,close\n" + b"0" * 10_000)
    with pytest.raises(ImportRefused, match="larger than 100 bytes"):
        import_prices(desk, "btc.csv.gz", bomb, now=NOW, by=ANN)
    assert desk.transaction(price_span) is None


def test_importing_again_changes_only_what_differs(desk: Desk) -> None:
    first = import_prices(desk, "a.csv", b"date,close\n2026-11-18,1\n2026-11-19,2\n2026-11-20,3\nbad,3\n", now=NOW, by=ANN)
    assert (first.new, first.updated, first.unchanged, len(first.rejected)) == (3, 0, 0, 1)
    assert first.in_words() == ["Prices of 2026-11-18 to 2026-11-20: 3 new, 0 updated, 0 unchanged, 1 rejected.", "1 × unreadable date"]
    with desk.database.session() as session:
        stamps = dict(session.execute(text("SELECT day, imported_at FROM prices")).all())
    again = import_prices(desk, "a.csv", b"date,close\n2026-11-19,2.0\n2026-11-20,3.5\n2026-11-21,4\n", now=NOW, by=ANN)
    assert (again.new, again.updated, again.unchanged) == (1, 1, 1)
    with desk.database.session() as session:
        assert prices_between(session, date(2026, 11, 19), date(2026, 11, 20)) == [(date(2026, 11, 19), Decimal(2)), (DAY, Decimal("3.5"))]
        after = dict(session.execute(text("SELECT day, imported_at FROM prices")).all())
        span = price_span(session)
    assert span is not None
    assert (span.days, span.first, span.last) == (4, date(2026, 11, 18), date(2026, 11, 21))
    assert {day for day, stamp in after.items() if stamps.get(day) != stamp} == {DAY, date(2026, 11, 21)}


def test_of_several_rows_of_a_day_the_latest_is_its_close(desk: Desk) -> None:
    content = b"timestamp,close\n2026-11-20T23:00Z,5\n2026-11-20T01:00Z,4\n2026-11-19,1\n2026-11-19,2\n2026-11-21T02:00+05:00,6\n"
    report = import_prices(desk, "hourly.csv", content, now=NOW, by=ANN)
    assert (report.new, report.repeated) == (2, 3)
    with desk.database.session() as session:
        found = prices_between(session, date(2026, 11, 1), date(2026, 11, 30))
    assert found == [(date(2026, 11, 19), Decimal(2)), (DAY, Decimal(5))], "02:00+05:00 is 21:00 UTC of the day before, before 23:00"


def test_the_real_series_is_imported_whole(desk: Desk) -> None:
    path: Path = SHARED_DATA / "prices" / "btc_usd_daily_close.csv"
    if not path.exists():
        pytest.skip("the real price series is not here")
    report: Any = import_prices(desk, path.name, path, now=NOW, by=ANN)
    lines = len(path.read_text().splitlines()) - 1
    assert (report.new, report.rejected) == (lines, [])
    assert import_prices(desk, path.name, path, now=NOW, by=ANN).unchanged == lines
