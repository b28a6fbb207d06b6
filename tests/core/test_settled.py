"""The archive first: what it settles is not searched for on the web, and what it doesn't is, within the limits."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from core.articles import ArticleText, get_article
from core.configuration import Configuration, Desk
from core.models import Authority
from core.pipeline import Pipeline
from core.research import ARCHIVE_RESULTS_AN_ARTICLE, SearchResult
from core.settled import settled
from core.signals import OpenSignal
from tests.conftest import NOW

FACT = "Harbour Mining sold 4,100 bitcoin in October to pay for new machines, the company said on Tuesday."
BODY = FACT + " The sale is its largest since the halving, and it will report its quarter next week." + " Rain fell in the valley." * 90
SAME = "Filings show that Harbour Mining sold 4,100 bitcoin in October, a sale that funds its order of machines from Bitmain."
DENIAL = "Harbour Mining denied that it sold bitcoin in October; the company said it sold no bitcoin at all last month."
TOPIC = "Miners sold more bitcoin in October than in any month of the year, and Harbour Mining is among the largest of them."


def page(text: str, publisher: str = "Ledger Post", number: int = 1) -> SearchResult:
    return SearchResult(f"archive:{number}", "A headline", publisher, NOW, text, number)


@pytest.fixture
def article(desk: Desk, articles: Any) -> ArticleText:
    (article_id,) = articles(1, body=BODY, title="Harbour Mining sells 4,100 bitcoin", publisher="CoinDesk", published_at=NOW)
    return desk.transaction(lambda session: get_article(session, article_id))


SIGNAL = OpenSignal(
    7, "Harbour Mining sold 4,100 bitcoin in October to pay for new machines.", 0.8, "Harbour Mining sold 4,100 BTC", (FACT,)
)


@pytest.mark.parametrize(
    ("pages", "is_settled"),
    [
        ([], False),
        ([page(SAME)], True),
        ([page(DENIAL)], True),
        ([page(TOPIC)], False),
        ([page(SAME, publisher="CoinDesk")], False),
        ([page(SAME), page(DENIAL, number=2)], False),
        ([page(BODY[:1_500])], False),
    ],
    ids=["nothing", "the same fact", "a denial", "the subject only", "its own publisher", "one for, one against", "a copy of the article"],
)
def test_the_archive_settles_what_it_states_or_denies(article: ArticleText, pages: Sequence[SearchResult], is_settled: bool) -> None:
    assert settled(SIGNAL, pages, article, {}) is is_settled


def test_what_counts_as_low_authority_settles_nothing_alone(article: ArticleText) -> None:
    assert not settled(SIGNAL, [page(SAME, publisher="rumours.example")], article, {"rumours.example": Authority.LOW})


class Web:
    """A web search that notes what it is asked."""

    provider = "web"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def search(self, query: str, meter: Any) -> list[SearchResult]:
        self.asked.append(query)
        return [SearchResult(f"https://web.example/{len(self.asked)}", "Found", "web.example", NOW, "Something else.")]


class Offloading:
    """An account as far as research needs one."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk


def research(desk: Desk, make_settings: Any, article: ArticleText, signals: Sequence[OpenSignal], web: Web, **settings: Any) -> Any:
    configuration = Configuration.of(make_settings(**settings))
    pipeline = Pipeline(Offloading(desk), configuration, None, web)  # type: ignore[arg-type]
    return asyncio.run(pipeline.research(article, signals, None))  # type: ignore[arg-type]


def test_only_what_the_archive_leaves_open_goes_to_the_web(desk: Desk, make_settings: Any, articles: Any, article: ArticleText) -> None:
    articles(1, body=SAME + " More follows." * 200, title="Harbour filings", publisher="Ledger Post", published_at=NOW - timedelta(days=1))
    open_one = OpenSignal(8, "Kestrel Ridge may follow.", 0.5, "will the company follow yesterday", ("it will report",))
    web = Web()
    found = research(desk, make_settings, article, [SIGNAL, open_one], web)
    assert len(web.asked) == 1
    assert "the company" not in web.asked[0]
    assert "yesterday" not in web.asked[0]
    assert "Harbour Mining" in web.asked[0]
    assert [search.provider for search in found.searches[7]] == ["archive"]
    assert [search.provider for search in found.searches[8]] == ["archive", "web"]
    assert found.searches[8][1].query == web.asked[0], "what is shown is what was asked"
    assert [result.publisher for result in found.results.values()] == ["Ledger Post", "web.example"]


def test_both_searches_have_limits(desk: Desk, make_settings: Any, articles: Any, article: ArticleText) -> None:
    articles(60, title="Mining of the year", publisher="Ledger Post", published_at=NOW)
    signals = [OpenSignal(id_, "x", 0.5, f"Miner number {id_} mining year", ("quote",)) for id_ in range(1, 13)]
    web = Web()
    found = research(desk, make_settings, article, signals, web, searches_per_article=3)
    assert len(web.asked) == 3
    archive = [search for searches in found.searches.values() for search in searches if search.provider == "archive"]
    assert len(archive) == 12
    assert max(search.results for search in archive) == 4
    assert sum(result.article_id is not None for result in found.results.values()) <= ARCHIVE_RESULTS_AN_ARTICLE
