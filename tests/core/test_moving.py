"""Moving in from other databases: real ones, of several shapes, through roles that may only read."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from core import access
from core.configuration import Desk
from core.moving.move import MoveReport, move
from tests.conftest import NOW
from tests.core.elsewhere import NEWSLETTER, Elsewhere, elsewhere

ADA = access.local("ada")


@pytest.fixture(scope="module")
def other(server_url: str) -> Iterator[Elsewhere]:
    with elsewhere(server_url) as made:
        yield made


@pytest.fixture(scope="module")
def newsletter(other: Elsewhere) -> str:
    """A newsletter's database as a role that may only read it sees it."""
    return other.reader(other.make(NEWSLETTER))


def moved(desk: Desk, url: str, **more: Any) -> MoveReport:
    return move(desk, url, by=ADA, now=NOW, **more)


def ask(desk: Desk, query: str) -> list[tuple[Any, ...]]:
    with desk.database.session() as session:
        return [tuple(row) for row in session.execute(text(query))]


def test_articles_publishers_categories_and_analyses_come_over(desk: Desk, newsletter: str) -> None:
    report = moved(desk, newsletter)
    assert (report.articles.new, report.articles.rejected) == (2_100, [])
    assert (report.publishers, report.categories) == (3, 3)
    assert {name: number for name, number in report.earlier.items() if number} == {
        "analyses": 300,
        "signals": 600,
        "signals without a quote that stands in the article": 300,
        "quotes that do not stand in the article": 300,
        "analyses that failed there or had not ended": 1,
    }
