"""Text search: which way is taken to what a text finds, decided from how frequent its words are."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from core import launching, selection, text_search
from core.article_facets import IS_SAMPLE, facets
from core.article_filter import ArticleFilter
from core.configuration import Desk
from core.models import Article
from core.paging import FIRST, Count
from core.signal_filter import SignalFilter, words_in_signals
from core.signals import count_signals, signals_at
from core.text_search import Frequency, looked_at, looked_up
from tests.core.answered import a_signal, keep

MILLION = 1_000_000
ALL = ArticleFilter(ready_only=False, priority_first=False)


@pytest.mark.parametrize(
    ("rows", "of", "walked"),
    [
        (0, 0, False),
        (7_999, MILLION, False),
        (8_000, MILLION, True),
        (8_000, 2 * MILLION, False),  # 12,500 rows would be tested for a page: more than are fetched
        (10_000, 2 * MILLION, True),
        (850_000, MILLION, True),
        (9_000, 10_000, True),
    ],
)
def test_a_text_is_walked_where_that_reads_fewer_rows_than_its_matches(rows: int, of: int, walked: bool) -> None:
    assert Frequency(rows, of).is_common is walked


@pytest.mark.parametrize(
    ("alone", "asked", "tested"),
    [
        ((), "wallet 4711", ""),
        ((("wallet", 900_000), ("4711", 40)), "4711", "wallet"),
        ((("miner", 120_000), ("etf", 200_000)), "miner etf", ""),
        ((("wallet", 19), ("4711", 0)), "wallet 4711", ""),
        ((("wallet", 21), ("4711", 0)), "4711", "wallet"),
    ],
)
def test_the_index_is_asked_for_rare_words_only(alone: tuple[tuple[str, int], ...], asked: str, tested: str) -> None:
    words = " ".join(word for word, _ in alone) or "wallet 4711"
    assert Frequency(10, MILLION, alone).parted(words) == (asked, tested)


def test_as_many_rows_are_tested_as_likely_hold_what_is_wanted() -> None:
    assert Frequency(40_000, MILLION).candidates(51) == 1_644
    assert Frequency(MILLION, MILLION).candidates(51) == 114
    assert Frequency(0, 0).candidates(51) > 51


@pytest.mark.parametrize(
    ("ids", "matches", "found"),
    [(range(5), 2, Count(2, True)), (range(6), 2, Count(2, False)), (range(6), 0, Count(0, False)), ((), 0, Count(0, True))],
)
def test_a_look_at_some_says_more_than(ids: Sequence[int], matches: int, found: Count) -> None:
    assert looked_at(list(ids), lambda some: set(some[:matches]), at_most=5) == found


def test_words_that_are_tested_find_what_the_index_would(desk: Desk, articles: Any) -> None:
    (both,) = articles(1, title="Greenhouse 4711 opens")
    articles(1, title="Greenhouse 17 opens")
    articles(1, title="Account 4711 waits")
    often = Frequency(1, 9, (("greenhouse", 900), ("4711", 1)))
    with desk.database.session() as session:
        assert session.scalars(select(Article.id).where(looked_up(Article.search, "greenhouse 4711", often))).all() == [both]
        for words, expected in (("greenhouse 4711", [both]), ("4711 greenhouse", [both]), ("greenhouse 4712", [])):
            found = selection.words_in_articles(session, words)
            assert found is not None
            assert list(found.ids or ()) == expected
        assert selection.words_in_articles(session, "  ") is None


@pytest.fixture
def everything_is_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_search, "COMMON", 0)
    monkeypatch.setattr(text_search, "PAGE", 0)


@pytest.mark.usefixtures("everything_is_common")
def test_a_common_text_that_the_first_rows_lack_is_found_all_the_same(desk: Desk, articles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "TESTED_AT_MOST", 2)
    ready = launching.readiness(desk.environment)
    articles(4, title="Nothing of it")
    (last,) = articles(1, title="A greenhouse is heated", publisher="Zebra News")
    filter_ = ALL.model_copy(update={"text": "greenhouse"})
    with desk.database.session() as session:
        assert selection.count(session, filter_, ready) == Count(1, True)
        assert [row.id for row in selection.page(session, filter_, ready, size=5)] == [last]


@pytest.mark.usefixtures("everything_is_common")
@pytest.mark.parametrize("as_stories", [False, True])
def test_facets_of_a_common_text_are_those_of_a_rare_one(desk: Desk, articles: Any, as_stories: bool) -> None:
    articles(3, title="A greenhouse is heated")
    articles(1, title="Another greenhouse", body="short")
    articles(1, title="Yet another greenhouse", body="brief")
    articles(1, title="A third greenhouse", is_sample=True)
    articles(2, title="Nothing of it")
    choices: dict[str, Any] = {"all": {}, "ready": {"ready_only": True}, "samples": IS_SAMPLE}
    filter_ = ALL.model_copy(update={"text": "greenhouse", "as_stories": as_stories})
    with desk.database.session() as session:
        walked = facets(session, filter_, launching.readiness(desk.environment), choices)
    assert {name: str(count) for name, count in walked.items()} == {"all": "6", "ready": "4", "samples": "1"}


@pytest.mark.parametrize("common", [False, True], ids=["looked up", "walked"])
def test_signals_are_found_by_their_own_words_and_their_articles(
    desk: Desk, articles: Any, request: pytest.FixtureRequest, common: bool
) -> None:
    if common:
        request.getfixturevalue("everything_is_common")
    (of_words,) = articles(1, title="A greenhouse is heated")
    (other,) = articles(1, title="Nothing of it")
    first = keep(desk, of_words, a_signal(description="Pools wait."), a_signal(description="Coins move."))
    second, _ = keep(desk, other, a_signal(description="A greenhouse sells heat."), a_signal(description="Coins move."))
    with desk.database.session() as session:
        for words, expected in (("greenhouse", {*first, second}), ("greenhouse coins", set()), ("xyzzy", set())):
            chosen, found = SignalFilter(text=words), words_in_signals(session, words)
            assert found is not None
            assert (found.ids is None) is common
            page = signals_at(session, chosen, FIRST, 9, found)
            assert {row.id for row in page.rows} == expected
            assert count_signals(session, chosen, found) == Count(len(expected), True)


def test_an_expected_frequency_is_asked_for_once_in_a_while(desk: Desk, articles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    articles(1, title="A greenhouse is heated")
    asked: list[str] = []
    monkeypatch.setattr(text_search, "_asked", lambda _session, _column, text: asked.append(text) or Frequency(len(asked), 9))
    moment = 1_000.0
    monkeypatch.setattr(text_search.time, "monotonic", lambda: moment)
    with desk.database.session() as session:
        assert [text_search.frequency(session, Article.search, "heated greenhouse").rows for _ in range(3)] == [1, 1, 1]
        assert text_search.frequency(session, Article.search, "pools").rows == 2
        moment += text_search.KEPT_FOR
        assert text_search.frequency(session, Article.search, "heated greenhouse").rows == 3
