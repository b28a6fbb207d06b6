"""Search queries that stand on their own."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.queries import QUERY_AT_MOST, self_contained

TITLE = "Harbour Mining sells treasury coins as Kestrel Ridge waits"
PUBLISHED = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "query",
    [
        "Harbour Mining moved 4,100 BTC January 2026",
        "US spot Bitcoin ETF outflows",
        "Did the SEC delay its decision on the Kestrel fund?",
        "Bhutan hydropower mining capacity 2025",
        "did the government of El Salvador sell bitcoin",
        "reserves of the exchange Kraken",
        "the Bank of England on stablecoins",
    ],
)
def test_a_query_that_stands_on_its_own_stays(query: str) -> None:
    assert self_contained(query, TITLE, PUBLISHED) == query


@pytest.mark.parametrize(
    ("query", "resolved"),
    [
        ("Harbour Mining transfer yesterday", "Harbour Mining transfer 4 January 2026"),
        ("Harbour Mining transfer today", "Harbour Mining transfer 5 January 2026"),
        ("Kestrel Ridge output last month", "Kestrel Ridge output December 2025"),
        ("Kestrel Ridge output last year", "Kestrel Ridge output 2025"),
        ("Kestrel Ridge output Last  Quarter", "Kestrel Ridge output Q4 2025"),
        ("Kestrel Ridge plans for next month", "Kestrel Ridge plans for February 2026"),
        ("Harbour Mining reserves this week", "Harbour Mining reserves January 2026"),
    ],
)
def test_relative_times_are_resolved_from_the_articles_date(query: str, resolved: str) -> None:
    assert self_contained(query, TITLE, PUBLISHED) == resolved


@pytest.mark.parametrize(
    "query", ["the company said it will sell more coins", "did he say the firm sold its reserve", "more coins sold this month"]
)
def test_vague_actors_are_replaced_by_the_names_of_the_title(query: str) -> None:
    resolved = self_contained(query, TITLE, PUBLISHED)
    assert "Harbour Mining" in resolved
    assert "2026" in resolved
    for vague in ("the company", "the firm", "this month"):
        assert vague not in resolved


def test_a_long_query_is_cut_between_words() -> None:
    resolved = self_contained("Harbour Mining " + "transfers " * 80, TITLE, PUBLISHED)
    assert len(resolved) <= QUERY_AT_MOST
    assert resolved.endswith("transfers")


@given(st.text(max_size=600), st.text(max_size=200), st.datetimes(timezones=st.just(UTC)))
@example("x" * 900, "", datetime(1, 1, 1, tzinfo=UTC))
@example("tomorrow next week next month next year", "", datetime(9999, 12, 31, tzinfo=UTC))
@example("yesterday last week last quarter last year", "", datetime(1, 1, 1, tzinfo=UTC))
def test_any_query_is_at_most_so_long(query: str, title: str, published: datetime) -> None:
    assert len(self_contained(query, title, published)) <= QUERY_AT_MOST
