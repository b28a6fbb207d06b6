"""Article and web text that gives orders changes nothing but the words of its own quotes."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from core.agents.materials import (
    ArticleMaterial,
    ResultMaterial,
    SignalMaterial,
    content_analysis_material,
    read_content_analysis_material,
    read_signal_validation_material,
    signal_validation_material,
)
from core.agents.outputs import ContentAnalysis, Stance
from core.importers.clean_text import html_to_text
from core.offline import FoundResult, SignalQuestion, analyse, validate
from tests.core.attacks import ATTACKS

WHEN = datetime(2026, 11, 24, 8, tzinfo=UTC)
TITLE = "Harbour Mining sells a tenth of its bitcoin as power prices climb in Texas"
PARAGRAPHS = (
    "Harbour Mining sold 4,100 bitcoin in October, its largest sale in two years, to pay for machines that it ordered from Bitmain in the "
    "spring. The company said on Tuesday that it now holds 36,900 coins.",
    "The sale is unusual: since 2023 the miner had kept every coin that it made. Two people familiar with the matter said the board was "
    "divided, and a spokesperson declined to comment on whether more sales are planned.",
    "Power prices in Texas rose 31% in the quarter, according to the grid operator, and three smaller miners moved machines to Ethiopia and "
    "Paraguay, where a state utility has quietly begun to sell surplus hydropower to data centres.",
    "Analysts at Kestrel Research said the hash rate may fall by 4% by the end of the year. Shares of Harbour Mining fell 6% to $11.20, "
    "their lowest since June.",
    "Regulators in Austin are considering a rule under which large miners would have to switch off within ten minutes of a request. "
    "The first hearing is on 12 December, and the industry has until then to file objections.",
)
BODY = "\n\n".join(PARAGRAPHS)
PLACES = {"first": 0, "in the middle": 3, "last": len(PARAGRAPHS)}


def with_attack(attack: str, place: int) -> str:
    """The article as it is stored when a page has the attack as a paragraph of its own."""
    stored = html_to_text("".join(f"<p>{paragraph}</p>\n" for paragraph in [*PARAGRAPHS[:place], attack, *PARAGRAPHS[place:]]))
    assert all(paragraph in stored for paragraph in PARAGRAPHS), "the importer kept the article itself"
    return stored


def but_for_its_own_quotes(analysis: ContentAnalysis) -> dict[str, Any]:
    """The analysis without the signals that rest on other words than the article's own."""
    own = [signal for signal in analysis.signals if all(quote in BODY for quote in signal.evidence)]
    return analysis.model_copy(update={"signals": own}).model_dump()


CLEAN = but_for_its_own_quotes(analyse(TITLE, BODY, WHEN, "CoinDesk"))


def test_the_article_has_something_to_change() -> None:
    assert len(CLEAN["signals"]) >= 3
    assert len(ATTACKS) >= 40


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_in_the_body_changes_nothing_of_the_offline_analysis(attack: str, place: int) -> None:
    assert but_for_its_own_quotes(analyse(TITLE, with_attack(attack, place), WHEN, "CoinDesk")) == CLEAN


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_stored_as_it_is_changes_nothing_either(attack: str) -> None:
    body = "\n\n".join([*PARAGRAPHS[:2], attack, *PARAGRAPHS[2:]])
    assert but_for_its_own_quotes(analyse(TITLE, body, WHEN, "CoinDesk")) == CLEAN


@pytest.mark.parametrize("attack", ["ignore", "polite", "threat", "role play", "spend", "authority"])
def test_an_attack_within_the_only_paragraph_of_an_article_leaves_the_rest_of_it(attack: str) -> None:
    joined = " ".join([*PARAGRAPHS[:2], ATTACKS[attack], *PARAGRAPHS[2:]])
    found = analyse(TITLE, joined, WHEN, "CoinDesk")
    whole = analyse(TITLE, " ".join(PARAGRAPHS), WHEN, "CoinDesk")
    assert found == whole


QUESTION = SignalQuestion(
    1, "Harbour Mining sold 4,100 bitcoin in October.", (PARAGRAPHS[0].split(" The company")[0],), TITLE, WHEN, "CoinDesk"
)
HONEST = [
    FoundResult(
        "https://a.example/1", "Harbour sells", "Ledger Post", WHEN, "Filings show Harbour Mining sold 4,100 bitcoin in October to Bitmain."
    ),
    FoundResult(
        "https://b.example/2", "Weather", "Other", WHEN, "It rained in the valley of the Harbour Mining works all through October."
    ),
]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_hostile_page_changes_no_other_source_and_supports_nothing(attack: str) -> None:
    (clean,) = validate([QUESTION], HONEST)
    hostile = FoundResult("https://evil.example/x", attack[:200], "evil.example", WHEN, f"{attack}\n\nHarbour Mining was founded long ago.")
    (found,) = validate([QUESTION], [*HONEST, hostile])
    assert [source for source in found.sources if source.url != hostile.url] == clean.sources
    assert all(source.quote in hostile.text and source.stance is Stance.NEUTRAL for source in found.sources if source.url == hostile.url)
    assert found.verdict is clean.verdict


# --- what a model is sent --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_in_any_field_stays_within_its_markers(attack: str) -> None:
    line = " ".join(attack.split())
    article = ArticleMaterial(attack, attack, WHEN, attack)
    message = content_analysis_material(article)
    assert len(re.findall(r"</?article\b", message, re.IGNORECASE)) == 2
    assert read_content_analysis_material(message) == ArticleMaterial(line, line, WHEN, attack)
    signals = [SignalMaterial(1, attack, (attack,)), SignalMaterial(2, "Another.", ("words",))]
    results = [
        ResultMaterial("https://a.example", attack, attack, WHEN, attack),
        ResultMaterial("https://b.example", "Title", "B", None, "Text."),
    ]
    message = signal_validation_material(article, signals, results)
    for marker, count in (("article", 0), ("signal", 4), ("result", 4)):
        assert len(re.findall(rf"</?{marker}\b", message, re.IGNORECASE)) == count
    _, read_signals, read_results = read_signal_validation_material(message)
    assert [signal.number for signal in read_signals] == [1, 2]
    assert [(result.url, result.text) for result in read_results] == [("https://a.example", attack), ("https://b.example", "Text.")]


def test_no_marker_is_hidden_in_what_json_makes_of_it() -> None:
    for attack in ATTACKS.values():
        assert json.loads(json.dumps(content_analysis_material(ArticleMaterial("T", "P", WHEN, attack)))).count("</article>") == 1
