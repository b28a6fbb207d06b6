"""Two hundred real articles, and a model that makes up a fifth of its quotes and addresses: none of them reaches a screen.

The providers are stand-ins that keep what they answered; what is read is what the Signals and Article pages read.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import text

from console.signal_card import evidence_in_context, marks_in
from core import signals, validations
from core.articles import get_article
from core.clock import utc_now
from core.configuration import Desk
from core.importers.clean_text import clean_characters
from core.importers.formats import read_articles
from core.importers.import_articles import import_articles
from core.importers.parsed_article import ParsedArticle
from core.models import EvidenceMatch
from core.research import TEXT_AT_MOST
from core.signal_filter import SignalFilter
from tests.actors import ANN
from tests.conftest import SHARED_DATA
from tests.loopback import LoopbackProviders

REAL = SHARED_DATA / "articles/bitcoin_news_2025_2000.jsonl.gz"
ARTICLES, LEAST_CHARACTERS, SHARE = 200, 2_000, 0.2


def real_articles() -> Iterator[ParsedArticle]:
    """The first so many different articles that are long enough."""
    seen: set[str] = set()
    for row in read_articles(REAL.name, REAL, now=utc_now()):
        if isinstance(row, ParsedArticle) and len(row.body) >= LEAST_CHARACTERS and seen.isdisjoint(row.identity_keys):
            seen.update(row.identity_keys)
            yield row


def answered_strings(value: Any) -> Iterator[str]:
    """Every string of a model's answer."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from answered_strings(part)
    elif isinstance(value, str):
        yield value


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="the real articles are not part of the repository")
def test_every_quote_shown_stands_and_every_address_shown_was_found(
    desk: Desk, run: Callable[..., Desk], providers: LoopbackProviders
) -> None:
    assert import_articles(desk, "real", islice(real_articles(), ARTICLES), by=ANN).new == ARTICLES
    providers.behave(fabricated_quotes=SHARE, fabricated_urls=SHARE)
    run(research_provider="tavily")
    given = providers.served()["given"]
    assert SHARE / 2 < given["made_up_quotes"] / given["quotes"] < SHARE * 2
    assert SHARE / 2 < given["made_up_urls"] / given["urls"] < SHARE * 2

    exchanges = providers.exchanges()
    pages: dict[str, str] = {}
    said: set[str] = set()
    for exchange in exchanges:
        if exchange["provider"] == "tavily":
            for result in exchange["answered"]["results"]:
                pages.setdefault(result["url"], clean_characters(result["content"])[:TEXT_AT_MOST])
        else:
            for candidate in exchange["answered"]["candidates"]:
                said.update(answered_strings([json.loads(part["text"]) for part in candidate["content"]["parts"]]))

    quotes, sources, dropped_sources = [], [], 0
    with desk.database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM analyses WHERE completed_at IS NOT NULL")) == ARTICLES
        rows = signals.signal_page(session, SignalFilter(), offset=0, size=5_000)
        for row in rows:
            signal = signals.get_signal(session, row.id)
            article = get_article(session, signal.article_id)
            assert signal.evidence
            for quote in signal.evidence:
                assert article.body[quote.start : quote.end] == quote.quote
                assert quote.match is not EvidenceMatch.EXACT or quote.quote in said
                quotes.append(quote)
            marks = marks_in(article, [signal])
            assert [(mark.start, mark.end) for mark in marks] == [(quote.start, quote.end) for quote in signal.evidence]
            shown = evidence_in_context(article, signal)
            assert [excerpt[mark.start : mark.end] for excerpt, (mark,) in shown] == [quote.quote for quote in signal.evidence]
            for validation in validations.validations_of(session, signal.id):
                dropped_sources += validation.dropped_sources
                for source in validation.sources:
                    came_back = pages[source.url] if source.article_id is None else get_article(session, source.article_id).body
                    assert source.quote in came_back
                    sources.append(source)
        analyses = session.execute(text("SELECT sum(dropped_quotes), sum(ungrounded_signals) FROM analyses")).one()
        stored = session.scalar(text("SELECT count(*) FROM signals"))
    dropped_quotes, ungrounded = analyses
    assert stored == len(rows)
    assert min(len(quotes), len(sources), dropped_quotes, dropped_sources, ungrounded) > 0
    near = sum(quote.match is EvidenceMatch.FUZZY for quote in quotes)
    print(f"{len(rows)} signals with {len(quotes)} quotes ({near} with slips), {dropped_quotes} dropped, {ungrounded} signals kept out;")
    print(f"{len(sources)} sources, {dropped_sources} dropped; the model gave {given}")
