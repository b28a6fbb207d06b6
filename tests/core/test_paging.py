"""Keyset paging: walking a list gives each of its rows once, in order, forwards and back, with ties, and while rows come and go."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from core import launching, reviews, selection, text_search
from core.access import local
from core.article_filter import ArticleFilter, Order
from core.configuration import Desk
from core.models import Article, Decision, Signal
from core.paging import FIRST, Count, Key, Page, Place, sifted, walk
from core.signal_filter import Reviewed, SignalFilter, SignalOrder
from core.signals import signal_page, signals_at
from tests.conftest import NOW
from tests.core.answered import a_signal, keep, validated

# --- pure ------------------------------------------------------------------------------------------------------------


def a_list(rows: list[tuple[int, int]]) -> Callable[[Key | None, bool, int], list[tuple[Key, int]]]:
    """A stretch of rows with a value and an id, falling, as a database would give it; reads ``rows`` anew each time."""

    def fetch(key: Key | None, back: bool, limit: int) -> list[tuple[Key, int]]:
        ordered = sorted(rows, reverse=not back)
        found = [row for row in ordered if key is None or (row > key if back else row < key)]
        return [(row, row[1]) for row in found[:limit]]

    return fetch


LISTS = st.lists(st.lists(st.integers(0, 4), max_size=12), min_size=1, max_size=4)


def stretches(values: list[list[int]]) -> list[list[tuple[int, int]]]:
    """Rows with ids of their own."""
    ids = iter(range(1_000))
    return [[(value, next(ids)) for value in part] for part in values]


@given(LISTS, st.integers(1, 7))
def test_walking_gives_each_row_once_in_order_and_back_again(values: list[list[int]], size: int) -> None:
    parts = stretches(values)
    expected = [row[1] for part in parts for row in sorted(part, reverse=True)]
    fetches = [a_list(part) for part in parts]
    pages = [walk(fetches, FIRST, size)]
    while (following := pages[-1].next) is not None:
        assert pages[-1].position == (len(pages) - 1) * size
        pages.append(walk(fetches, following, size))
    assert [row for page in pages for row in page.rows] == expected
    assert pages[0].previous is None
    for before, page in zip(reversed(pages[:-1]), reversed(pages), strict=False):
        assert page.previous is not None
        assert (walk(fetches, page.previous, size).rows, walk(fetches, page.previous, size).position) == (before.rows, before.position)


@given(LISTS, st.integers(1, 5), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=8), st.randoms(use_true_random=False))
def test_rows_that_come_or_go_meanwhile_make_no_other_appear_twice_or_not_at_all(
    values: list[list[int]], size: int, coming: list[tuple[int, int]], chance: Any
) -> None:
    parts = stretches(values)
    stays = {row[1] for part in parts for row in part}
    fetches = [a_list(part) for part in parts]
    page, seen, new = walk(fetches, FIRST, size), list[int](), iter(range(1_000, 2_000))
    while True:
        seen += page.rows
        if page.next is None:
            break
        if coming:
            number, value = coming.pop()
            parts[number % len(parts)].append((value, next(new)))
        if chance.random() < 0.3 and (part := chance.choice(parts)):
            gone = part.pop(chance.randrange(len(part)))
            stays.discard(gone[1])
        page = walk(fetches, page.next, size)
    assert len(seen) == len(set(seen))
    assert stays <= set(seen)


@given(st.lists(st.integers(0, 300), max_size=400), st.integers(1, 60), st.integers(1, 9))
def test_sifting_gives_what_a_filter_would(values: list[int], limit: int, modulus: int) -> None:
    rows = [(value, id_) for id_, value in enumerate(values)]
    passing = {id_ for value, id_ in rows if value % modulus == 0}
    found = sifted(a_list(rows), lambda ids: passing & set(ids))(None, False, limit)
    assert [id_ for _, id_ in found] == [row[1] for row in sorted(rows, reverse=True) if row[1] in passing][:limit]


def test_sifting_gives_up_on_what_is_too_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.paging.SIFTED_AT_MOST", 150)
    rows = [(0, id_) for id_ in range(1_000)]
    assert sifted(a_list(rows), lambda _: set(), lambda *_: [((0, 7), 7)])(None, False, 5) == [((0, 7), 7)]


@pytest.mark.parametrize(
    "place", [Place(after=(0, 0.5, 7), position=50), Place(before=(2, datetime(2026, 1, 2, tzinfo=UTC), 7), position=1)]
)
def test_a_place_is_read_back_from_its_token(place: Place) -> None:
    assert Place.of_token(place.token) == place
    assert FIRST.token == ""


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: Place(after=(0, 1, len(raw))).token[: len(raw)]))
def test_what_is_no_token_is_the_first_page(words: str) -> None:
    place = Place.of_token(words)
    assert place == FIRST or place.token


# --- lists of the desk -----------------------------------------------------------------------------------------------


def walked(at: Callable[[Place], Page[Any]]) -> list[list[int]]:
    """The ids of each page, after going to the end and all the way back."""
    pages = [at(FIRST)]
    while (following := pages[-1].next) is not None:
        pages.append(at(following))
    back = [pages[-1]]
    while (previous := back[-1].previous) is not None:
        back.append(at(previous))
    assert [[row.id for row in page.rows] for page in reversed(back)] == [[row.id for row in page.rows] for page in pages]
    return [[row.id for row in page.rows] for page in pages]


@pytest.mark.parametrize("filter_", [ArticleFilter(order=order, priority_first=first, text=words) for order in Order for first in (True, False) for words in ("", "miner")], ids=str)  # fmt: skip
def test_articles_page_by_page_are_those_of_a_launch(desk: Desk, articles: Any, filter_: ArticleFilter) -> None:
    for publisher in ("CoinDesk", "Hashyard", "NewsBTC"):
        articles(3, publisher=publisher, published_at=NOW)
        articles(2, publisher=publisher, published_at=NOW - timedelta(days=1))
    with desk.database.session() as session:
        session.execute(update(Article).where(Article.id % 2 == 0).values(promise=0.5))
        ready = launching.readiness(desk.environment)
        pages = walked(lambda place: selection.page_at(session, filter_, ready, place, 4))
        assert [len(page) for page in pages] == [4, 4, 4, 3]
        chosen = selection.Selection.of_filter(filter_)
        assert [id_ for page in pages for id_ in page] == selection.resolve(session, chosen, ready)


@pytest.mark.parametrize("common", [1, 10**9], ids=["walked", "looked up"])
def test_a_common_word_is_found_as_a_rare_one(desk: Desk, articles: Any, monkeypatch: pytest.MonkeyPatch, common: int) -> None:
    monkeypatch.setattr(text_search, "COMMON", common)
    monkeypatch.setattr(text_search, "PAGE", 0)
    articles(7, title="A greenhouse is heated")
    articles(5)
    filter_, ready = ArticleFilter(text="greenhouse"), launching.readiness(desk.environment)
    with desk.database.session() as session:
        pages = walked(lambda place: selection.page_at(session, filter_, ready, place, 3))
        assert [len(page) for page in pages] == [3, 3, 1]
        assert str(selection.count(session, filter_, ready)) == "7"
        found = selection.count(session, filter_, ready, bound=4)
        assert found == Count(7, exact=True) or (not found.exact and 0 < found.value < 7)


def test_a_key_of_another_order_is_the_beginning(desk: Desk, articles: Any) -> None:
    articles(3)
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        for key in ((0, 0.5, 1), (9, NOW, 1), (0, NOW, 2**62), (0, NOW), (-3, NOW, 1), (0, 1, 2, 3, 4)):
            assert selection.page_at(session, ArticleFilter(), ready, Place(after=key), 9) is not None
            assert signals_at(session, SignalFilter(), Place(before=key), 9) is not None


@pytest.fixture
def found(desk: Desk, articles: Any) -> list[int]:
    """Signals with ties in all they are ordered by."""
    ids: list[int] = []
    for publisher, days in (("CoinDesk", 0), ("hashyard two", 0), ("Hashyard", 2)):
        (article,) = articles(1, publisher=publisher, published_at=NOW - timedelta(days=days))
        ids += keep(desk, article, *[a_signal(confidence=confidence) for confidence in (0.5, 0.9, 0.5, 0.7)])
    with desk.database.session() as session:
        session.execute(update(Signal).where(Signal.id % 3 == 0).values(disagreement=0.4))
    for id_ in ids[::5]:
        validated(desk, id_)
    return ids


@pytest.mark.parametrize("order", SignalOrder)
@pytest.mark.parametrize("blind", [0.0, 1.0])
def test_signals_page_by_page_are_all_in_their_order(desk: Desk, found: list[int], order: SignalOrder, blind: float) -> None:
    chosen = SignalFilter(order=order, blind_share=blind)
    with desk.database.session() as session:
        pages = walked(lambda place: signals_at(session, chosen, place, 5))
        assert [len(page) for page in pages] == [5, 5, 2]
        assert [id_ for page in pages for id_ in page] == [row.id for row in signal_page(session, chosen, size=99)]
        assert sorted(id_ for page in pages for id_ in page) == sorted(found)


def test_signals_decided_while_one_pages_through_those_to_review_hide_no_other(desk: Desk, found: list[int]) -> None:
    chosen, seen, place = SignalFilter(reviewed=Reviewed.OPEN), list[int](), FIRST
    while place is not None:
        page = desk.transaction(lambda session, place=place: signals_at(session, chosen, place, 3))  # type: ignore[misc]
        seen += [row.id for row in page.rows]
        for row in page.rows:
            desk.transaction(lambda session, id_=row.id: reviews.decide(session, id_, Decision.ACCEPTED, by=local("ada")))  # type: ignore[misc]
        place = page.next
    assert sorted(seen) == sorted(found)


@given(st.lists(st.sampled_from([0.2, 0.5, 0.8]), min_size=1, max_size=12), st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
def test_ties_of_any_pattern(desk: Desk, articles: Any, confidences: list[float], size: int) -> None:
    with desk.database.session() as session:
        session.execute(delete(Article))
    keep(desk, articles(1)[0], *[a_signal(confidence=one) for one in confidences])
    with desk.database.session() as session:
        rows = session.execute(select(Signal.confidence, Signal.id).order_by(Signal.confidence.desc(), Signal.id.desc())).all()
        pages = walked(lambda place: signals_at(session, SignalFilter(), place, size))
    assert [id_ for page in pages for id_ in page] == [row.id for row in rows]
