"""Whatever an article or a page orders: the offline model finds in the rest what it finds without it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic_ai.messages import ModelRequest, ToolCallPart, UserPromptPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from core.agents.materials import (
    ArticleMaterial,
    ResultMaterial,
    SignalMaterial,
    content_analysis_material,
    read_content_analysis_material,
    read_signal_validation_material,
    signal_validation_material,
)
from core.agents.offline import OfflineModel
from core.agents.outputs import ContentAnalysis, SignalValidation
from core.importers.clean_text import html_to_text, one_line
from core.research import web_results
from tests.injection.attacks import ATTACKS, Attack

WHEN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PARAGRAPHS = (
    "Kestrel Ridge, a bitcoin miner in Norway, quietly moved 1,180 BTC to a new custodian on Monday, the largest transfer since 2021,"
    " according to a filing with the regulator.",
    "The company declined to comment on the reason for the transfer. Its hashrate fell 24% in October after a new power tariff, while"
    " revenue rose to $161.4 million, a record for the miner.",
    "Despite falling prices and rising difficulty, the miner plans to lease part of its power grid connection to artificial"
    " intelligence data centers next year, two people familiar with the matter said.",
    "A pension fund in Oslo disclosed a stake of $42 million in the miner for the first time, a filing shows. Analysts at Larkfield"
    " Capital said that the stake was unusual for a fund of its size.",
    "Outflows from spot funds slowed to $85 million last week. Traders remain cautious ahead of the central bank meeting.",
)
STORY = ArticleMaterial("Kestrel Ridge moves coins in its largest transfer since 2021", "Harbour Ledger", WHEN, "\n\n".join(PARAGRAPHS))
QUESTION = SignalMaterial(1, "Kestrel Ridge moved 1,180 BTC to a new custodian on Monday. It is new.", (PARAGRAPHS[0],))
HONEST = (
    ResultMaterial(
        "https://a.example/1",
        "Kestrel Ridge",
        "a.example",
        WHEN,
        "The miner Kestrel Ridge moved 1,180 BTC to a new custodian on Monday, a filing shows.",
    ),
    ResultMaterial(
        "https://b.example/2", "Kestrel Ridge", "b.example", None, "Kestrel Ridge denied that it had moved any BTC to a new custodian."
    ),
)
every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.family}: {attack.name}")


async def answer(message: str, answer_type: type[ContentAnalysis | SignalValidation]) -> dict[str, object]:
    """What the offline model answers to a user message, as pydantic-ai asks it."""
    tool = ToolDefinition(name="final_result", parameters_json_schema=answer_type.model_json_schema())
    parameters = ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)
    response = await OfflineModel().request([ModelRequest([UserPromptPart(message)])], None, parameters)
    (call,) = response.parts
    assert isinstance(call, ToolCallPart)
    assert isinstance(call.args, dict)
    return call.args


def analysed(article: ArticleMaterial) -> ContentAnalysis:
    return ContentAnalysis.model_validate(asyncio.run(answer(content_analysis_material(article), ContentAnalysis)))


def validated(*results: ResultMaterial) -> SignalValidation:
    message = signal_validation_material(STORY, [QUESTION], results)
    return SignalValidation.model_validate(asyncio.run(answer(message, SignalValidation)))


def rested(analysis: ContentAnalysis, attack: str) -> ContentAnalysis:
    """The analysis without the signals that quote the attack's own words and nothing else."""
    kept = [signal for signal in analysis.signals if not all(quote in attack for quote in signal.evidence)]
    return analysis.model_copy(update={"signals": kept})


def test_the_story_gives_enough_to_change() -> None:
    analysis = analysed(STORY)
    assert len(analysis.signals) >= 4
    assert {verdict.sources[0].url for verdict in validated(*HONEST).verdicts} <= {result.url for result in HONEST}
    assert len(validated(*HONEST).verdicts[0].sources) == 2
    assert len({attack.text for attack in ATTACKS}) == len(ATTACKS) >= 40


@every_attack
@pytest.mark.parametrize("imported", [False, True], ids=["raw", "imported"])
def test_an_article_with_an_attack_is_analysed_as_one_without(attack: Attack, imported: bool) -> None:
    text = html_to_text(attack.text) if imported else attack.text
    honest = analysed(STORY)
    for place in (0, 2, len(PARAGRAPHS)):
        body = "\n\n".join([*PARAGRAPHS[:place], text, *PARAGRAPHS[place:]])
        analysis = analysed(replace(STORY, body=body))
        assert rested(analysis, text) == honest
        assert all(quote in body for signal in analysis.signals for quote in signal.evidence)


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.family == "plain words" and attack.text.endswith(".")], ids=str)
def test_within_the_only_paragraph_of_an_article_it_leaves_the_rest(attack: Attack) -> None:
    joined = " ".join([*PARAGRAPHS[:2], attack.text, *PARAGRAPHS[2:]])
    assert analysed(replace(STORY, body=joined)) == analysed(replace(STORY, body=" ".join(PARAGRAPHS)))


@every_attack
def test_behind_the_last_words_of_a_paragraph_it_changes_nothing_before_it(attack: Attack) -> None:
    text = one_line(attack.text)
    found = analysed(replace(STORY, body=f"{STORY.body} {text}")).signals
    honest = [signal for signal in analysed(STORY).signals if not any(quote in PARAGRAPHS[-1] for quote in signal.evidence)]
    assert {signal.evidence[0] for signal in honest} <= {signal.evidence[0] for signal in found}


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.name != "with a story"], ids=str)  # its report is news
def test_in_a_title_or_a_publisher_it_raises_nothing(attack: Attack) -> None:
    honest = analysed(STORY)
    text = one_line(attack.text)
    for article in (replace(STORY, title=f"{STORY.title}. {text}"), replace(STORY, publisher=f"{STORY.publisher}. {text}")):
        analysis = analysed(article)
        assert [(signal.kind, signal.evidence) for signal in analysis.signals] == [
            (signal.kind, signal.evidence) for signal in honest.signals
        ]
        assert analysis.sentiment is honest.sentiment
        assert all(signal.confidence <= before.confidence for signal, before in zip(analysis.signals, honest.signals, strict=True))


@every_attack
def test_a_hostile_result_changes_no_other_source_and_is_one_only_by_its_own_words(attack: Attack) -> None:
    (row,) = web_results({"results": [{"url": "https://evil.example/page", "title": attack.text, "content": attack.text}]})
    honest = validated(*HONEST).verdicts[0]
    for results in ((row, *HONEST), (*HONEST, row)):
        verdict = validated(*results).verdicts[0]
        own = [source for source in verdict.sources if source.url == row.url]
        assert [source for source in verdict.sources if source.url != row.url] == honest.sources
        assert all(source.quote in row.text for source in own)
        if not own:
            assert verdict == honest


@every_attack
def test_a_hostile_result_with_a_report_in_it_still_stands_by_its_report_alone(attack: Attack) -> None:
    report = HONEST[0].text
    for content in (f"{attack.text}\n\n{report}", f"{report}\n\n{attack.text}"):
        (row,) = web_results({"results": [{"url": "https://evil.example/page", "title": "T", "content": content[-2_000:]}]})
        sources = validated(row).verdicts[0].sources
        assert {source.quote for source in sources} <= {report}


@every_attack
def test_in_any_field_it_is_read_back_and_forges_no_other(attack: Attack) -> None:
    line = " ".join(attack.text.split())
    article = ArticleMaterial(attack.text, attack.text, WHEN, attack.text)
    assert read_content_analysis_material(content_analysis_material(article)) == ArticleMaterial(line, line, WHEN, attack.text)
    url = "https://evil.example/" + "".join(attack.text.split())[:200]
    signals = [SignalMaterial(1, attack.text, (attack.text,)), QUESTION]
    results = [ResultMaterial(url, attack.text, attack.text, None, attack.text), *HONEST]
    read, read_signals, read_results = read_signal_validation_material(signal_validation_material(article, signals, results))
    assert (read.title, read.publisher) == (line, line)
    assert read_signals == [SignalMaterial(1, line, (line,)), QUESTION]
    assert [(result.title, result.text) for result in read_results] == [(line, attack.text), *((one.title, one.text) for one in HONEST)]
    assert [result.url for result in read_results[1:]] == [result.url for result in HONEST]
