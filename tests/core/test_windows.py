"""Windows of days: where they end, and what an address may say."""

from datetime import date

import pytest

from core.windows import Window, change, totals_by_day, window_of

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("newest", "length", "words"),
    [
        (None, 30, "28 Oct to 26 Nov 2026"),
        (date(2026, 11, 26), 7, "20 Nov to 26 Nov 2026"),
        (date(2026, 11, 20), 7, "20 Nov to 26 Nov 2026"),
        (date(2026, 11, 19), 7, "13 Nov to 19 Nov 2026"),
        (date(2026, 11, 28), 7, "22 Nov to 28 Nov 2026"),
        (date(2025, 1, 10), 30, "12 Dec 2024 to 10 Jan 2025"),
    ],
)
def test_a_window_ends_today_or_where_the_archive_does(newest: date | None, length: int, words: str) -> None:
    window = window_of(length, newest=newest, today=TODAY)
    assert (str(window), window.length, len(window.days)) == (words, length, length)
    assert window.before.last < window.first
    assert window.before.length == length
    assert Window.read(window.address) == window


@pytest.mark.parametrize(
    "text", ["", "..", "2026-11-01", "2026-11-02..2026-11-01", "2026-02-31..2026-03-01", "a..b", "2026-11-01..2026-11-02..x", "0..0"]
)
def test_an_address_that_names_no_days_is_none(text: str) -> None:
    assert Window.read(text) is None


def test_change_and_totals() -> None:
    assert (change(3, 2), change(1, 2), change(5, 0)) == (0.5, -0.5, None)
    window = Window.ending(TODAY, 3)
    assert totals_by_day([(TODAY, 2), (date(2026, 11, 24), 1), (TODAY, 3), (date(2026, 11, 1), 9)], window) == [1, 0, 5]
