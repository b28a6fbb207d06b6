"""Two hundred real articles through a model that makes up a fifth of its quotes and addresses: what is shown is true all the same."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import func, select

from console.signal_card import evidence_in_context, marks_in
from core import launching
from core.articles import get_article
from core.clock import utc_now
from core.configuration import Desk
from core.evidence import Text
from core.importers.formats import read_articles
from core.importers.import_articles import import_articles
from core.models import Analysis, BatchStatus, EvidenceMatch, RecordStatus, Validation
from core.research import web_results
from core.selection import ArticleFilter, Selection
from core.signals import signals_in_article
from core.validations import validations_of
from tests.conftest import SHARED_DATA
from tests.core.test_run import finish
from tests.loopback import LoopbackProviders

ARTICLES = SHARED_DATA / "articles" / "bitcoin_news_2025_2000.jsonl.gz"
NUMBER = 200

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not ARTICLES.exists(), reason="the real articles are not on this machine")]


@pytest.fixture
def providers() -> Iterator[LoopbackProviders]:
    options: dict[str, Any] = {"fabricated_quotes": 0.2, "fabricated_urls": 0.2, "signals": (1, 4), "traffic": 5_000, "seed": 11}
    with LoopbackProviders(subprocess=True, **options) as loopback:
        yield loopback


@pytest.fixture
def analysed(database: Any, make_settings: Any, providers: LoopbackProviders) -> Desk:
    """A desk with the articles analysed and researched through the loopback model."""
    settings = make_settings(
        gemini_api_key=providers.env()["GEMINI_API_KEY"],
        gemini_base_url=providers.url,
        tavily_api_key=providers.env()["TAVILY_API_KEY"],
        tavily_base_url=providers.url,
        daily_budget="100",
        concurrency=32,
        minimum_confidence=0,
    )
    desk = Desk(database, settings)
    import_articles(desk, "real", islice(read_articles(ARTICLES.name, ARTICLES, now=utc_now()), 600))
    chosen = Selection.of_filter(ArticleFilter(), limit=NUMBER)
    with database.session() as session:
        batch_id = launching.launch(session, chosen, desk.settings(session), by="tester", now=utc_now())
    progress = finish(desk, batch_id, patience=180)
    assert progress.status is BatchStatus.COMPLETED
    assert progress.counts[RecordStatus.COMPLETED] == NUMBER
    return desk


def test_every_quote_stands_in_its_article_and_every_source_came_back_from_a_search(analysed: Desk, providers: LoopbackProviders) -> None:
    pages = {}
    for one in providers.traffic("tavily"):
        for result in web_results(json.loads(one["answer"])):
            pages.setdefault(result.url, []).append(result.text)
    quotes: Counter[EvidenceMatch] = Counter()
    sources = 0
    with analysed.database.session() as session:
        for article_id in session.scalars(select(Analysis.article_id)).all():
            article = get_article(session, article_id)
            found = signals_in_article(session, article_id)
            marks = marks_in(article, found)
            shown = [quote for signal in found for quote in signal.evidence]
            assert all(signal.evidence for signal in found), "a signal without evidence is shown"
            assert len(marks) == len(shown)
            for quote in shown:
                assert article.body[quote.start : quote.end] == quote.quote
                quotes[quote.match] += 1
            for signal in found:
                for body, (mark,) in evidence_in_context(article, signal):
                    assert body[mark.start : mark.end] in article.body
                for validation in validations_of(session, signal.id):
                    for source in validation.sources:
                        texts = [get_article(session, source.article_id).body] if source.article_id else pages.get(source.url, [])
                        assert any(Text(page).find(source.quote) for page in texts), f"{source.url} or its words came from nowhere"
                        sources += 1
        dropped = session.execute(select(func.sum(Analysis.dropped_quotes), func.sum(Analysis.ungrounded_signals))).one()
        dropped_sources = session.scalar(select(func.sum(Validation.dropped_sources)))
    print(f"{sum(quotes.values())} quotes shown ({dict(quotes)}), {dropped[0]} dropped, {dropped[1]} signals ungrounded")
    print(f"{sources} sources shown, {dropped_sources} dropped")
    assert sum(quotes.values()) > NUMBER
    assert sources > NUMBER
    assert min(*dropped, dropped_sources) > 0, "the model did make things up"
