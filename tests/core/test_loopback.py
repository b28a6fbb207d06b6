"""The loopback providers, reached by the real clients: right answers, right bills, and the failures they are asked for."""

import asyncio
import json
import os
import re
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import pytest
from google.genai import Client
from pydantic import BaseModel, Field
from pydantic_ai import Agent, ModelSettings, NativeOutput, PromptedOutput, exceptions
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider
from tavily import AsyncTavilyClient, errors

from core.agents.outputs import MAX_SIGNALS, ContentAnalysis, SignalValidation, Verdict, signal_validation_for
from tests.loopback import LoopbackProviders, loopback_fixture, read_record, subject_of, totals
from tests.loopback.__main__ import options_from
from tests.loopback.answers import answer
from tests.loopback.faults import KINDS, PROVIDERS, STATUSES, Faults, Rule
from tests.loopback.searches import invented_articles, search
from tests.loopback.writing import Habits

ARTICLE = invented_articles(1, chars=3_000)[0]
PROMPT = f"Title: {ARTICLE['TITLE']}\n<article>\n{ARTICLE['BODY']}\n</article>\n"
FOUND = (
    ("https://harbourledger.example/a", "Larkfield Mining confirmed the closure on Friday. Its books show 4,100 BTC moved."),
    ("https://coinstead.example/b", "A spokesperson denied that any coins had moved at all. No evidence has been filed."),
    ("https://mempoolgazette.example/c", "The exchange listed the transfer in its weekly statement of reserves."),
)
RESULTS = "".join(f'<result url="{url}">\nTitle: Something\n{text}\n</result>\n' for url, text in FOUND)


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackProviders]:
    with LoopbackProviders() as providers:
        yield providers


@pytest.fixture
def providers(server: LoopbackProviders, monkeypatch: pytest.MonkeyPatch) -> LoopbackProviders:
    server.reset()
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    for name, value in server.env().items():
        monkeypatch.setenv(name, value)
    return server


def analyse(output: Any = ContentAnalysis, prompt: str = PROMPT, model: str = "gemini-2.5-flash", **settings: Any) -> Any:
    """One run of a fresh agent on a fresh loop: how the desk's batch threads use it."""

    async def run() -> Any:
        agent = Agent(GoogleModel(model, provider=GoogleProvider()), output_type=output, instructions="Read the article.")
        return await agent.run(prompt, model_settings=ModelSettings(timeout=5.0) | ModelSettings(**settings))

    return asyncio.run(run())


def seek(query: str, key: str | None = None, **arguments: Any) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        base = os.environ["TAVILY_BASE_URL"]
        async with AsyncTavilyClient(api_key=key or os.environ["TAVILY_API_KEY"], api_base_url=base) as client:
            return await client.search(query, **arguments)

    return asyncio.run(run())


# Answers


@pytest.mark.parametrize("form", [ContentAnalysis, NativeOutput(ContentAnalysis), PromptedOutput(ContentAnalysis)])
def test_an_analysis_quotes_the_article_and_is_billed_as_it_says(providers: LoopbackProviders, form: Any) -> None:
    result = analyse(form)
    assert 2 <= len(result.output.signals) <= 4
    assert all(quote in ARTICLE["BODY"] for signal in result.output.signals for quote in signal.evidence)
    (entry,) = providers.entries()
    assert (entry["status"], entry["billed"], entry["subject"]) == (200, True, subject_of(ARTICLE["BODY"]))
    assert result.usage.input_tokens == entry["prompt"] > len(PROMPT) / 5
    assert result.usage.output_tokens == entry["candidates"] + entry["thoughts"]
    assert result.usage.details["thoughts_tokens"] == entry["thoughts"] > 0
    assert result.usage.cost > 0
    assert providers.served()["tokens"]["prompt"] == entry["prompt"]


def test_cached_tokens_are_part_of_the_prompt_tokens(providers: LoopbackProviders) -> None:
    providers.behave(cached_share=0.5)
    usage = analyse().usage
    assert usage.cache_read_tokens == providers.entries()[0]["cached"] == usage.input_tokens // 2


def test_a_validation_cites_only_results_it_was_shown(providers: LoopbackProviders) -> None:
    verdicts = analyse(signal_validation_for(3), f"<signals>...</signals>\n{RESULTS}").output.verdicts
    assert [verdict.signal for verdict in verdicts] == [1, 2, 3]
    shown = dict(FOUND)
    for source in (source for verdict in verdicts for source in verdict.sources):
        assert source.quote in shown[source.url]
        assert (source.stance == "contradicts") == ("denied" in shown[source.url])
    for verdict in verdicts:
        agree, disagree = ([s.stance for s in verdict.sources].count(stance) for stance in ("supports", "contradicts"))
        assert (verdict.verdict is Verdict.VALIDATED) == (agree > disagree)


def test_without_results_there_is_nothing_to_cite(providers: LoopbackProviders) -> None:
    (verdict,) = analyse(signal_validation_for(1), "One signal, nothing found.").output.verdicts
    assert (verdict.verdict, verdict.sources) == (Verdict.INSUFFICIENT_DATA, [])


def test_results_are_cited_under_the_signal_they_were_found_for(providers: LoopbackProviders) -> None:
    shown = "".join(f'<result signal="{n}" url="{url}">\n{text}\n</result>\n' for n, (url, text) in enumerate(FOUND, start=1))
    verdicts = analyse(signal_validation_for(3), shown).output.verdicts
    assert [[source.url for source in verdict.sources] for verdict in verdicts] == [[url] for url, _ in FOUND]


def test_fabrication_on_demand(providers: LoopbackProviders) -> None:
    providers.behave(fabricated_quotes=1.0, fabricated_urls=1.0)
    quotes = [quote for signal in analyse().output.signals for quote in signal.evidence]
    assert quotes
    assert not any(quote in ARTICLE["BODY"] for quote in quotes)
    sources = [s for v in analyse(signal_validation_for(2), RESULTS).output.verdicts for s in v.sources]
    assert sources
    assert not any(source.url in RESULTS or source.quote in RESULTS for source in sources)


def body(prompt: str = PROMPT, schema: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    schema = ContentAnalysis.model_json_schema() if schema is None else schema
    return {"contents": [{"role": "user", "parts": [{"text": prompt}]}], "generationConfig": {"responseJsonSchema": schema, **config}}


USUAL = Habits()


def told(request: dict[str, Any], habits: Habits = USUAL, model: str = "gemini-2.5-flash") -> str:
    return answer(request, model, habits)[1].body["candidates"][0]["content"]["parts"][0]["text"]


def test_the_same_request_and_seed_give_the_same_answer() -> None:
    assert told(body()) == told(body())
    assert told(body()) != told(body(), Habits(seed=8))
    assert told(body()) != told(body(PROMPT + "again"))


def test_a_share_of_fabricated_quotes_is_about_that_share() -> None:
    quotes = [
        quote
        for n in range(60)
        for signal in json.loads(told(body(f"{n}\n{PROMPT}"), Habits(fabricated_quotes=0.2)))["signals"]
        for quote in signal["evidence"]
    ]
    assert 0.12 < sum(quote not in ARTICLE["BODY"] for quote in quotes) / len(quotes) < 0.28


class Awkward(BaseModel):
    """Corners of JSON schema that a model's output may have."""

    number: int = Field(ge=3, lt=9)
    share: float = Field(gt=0, lt=1)
    below: float = Field(le=-2)
    name: str = Field(min_length=300, max_length=310)
    short: str = Field(max_length=5)
    maybe: Verdict | None
    either: int | str
    many: list[str] = Field(min_length=4, max_length=4)
    nested: list[SignalValidation] = Field(max_length=2)
    flag: bool


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("model", [Awkward, ContentAnalysis, SignalValidation])
def test_what_is_generated_satisfies_its_schema(model: type[BaseModel], seed: int) -> None:
    model.model_validate_json(told(body(PROMPT + RESULTS, model.model_json_schema()), Habits(seed=seed)))


def test_openapi_style_schemas_and_empty_prompts_are_answered() -> None:
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}, "n": {"type": "INTEGER", "nullable": True}}}
    request = {"contents": [{"parts": [{"text": ""}]}], "generationConfig": {"responseSchema": schema}}
    assert set(json.loads(told(request))) == {"city", "n"}


def test_signals_stay_within_the_range_asked_for() -> None:
    counts = {len(json.loads(told(body(f"{n}{PROMPT}"), Habits(signals=(0, MAX_SIGNALS + 9))))["signals"]) for n in range(40)}
    assert min(counts) >= 0
    assert max(counts) == MAX_SIGNALS


def test_output_limits_are_honoured_thinking_included() -> None:
    _, cut = answer(body(maxOutputTokens=300), "gemini-2.5-flash", Habits(thoughts=(100, 100)))
    assert (cut.candidates, cut.thoughts) == (200, 100)
    assert cut.body["candidates"][0]["finishReason"] == "MAX_TOKENS"
    _, starved = answer(body(maxOutputTokens=80), "gemini-2.5-flash", Habits(thoughts=(100, 100)))
    assert (starved.candidates, starved.thoughts) == (0, 80)
    assert "parts" not in starved.body["candidates"][0]["content"]


def test_counting_and_looking_up_a_model(providers: LoopbackProviders) -> None:
    client = Client(api_key=providers.env()["GEMINI_API_KEY"])
    assert client.models.count_tokens(model="gemini-2.5-flash", contents="x" * 400).total_tokens == 100
    assert client.models.get(model="gemini-2.5-flash").name == "models/gemini-2.5-flash"
    assert providers.served()["billed"] == 0


# Faults

E = exceptions
GEMINI_FAULTS: list[tuple[str, type[Exception], dict[str, Any]]] = [
    ("rate_limit", E.ModelRateLimitError, {"status_code": 429, "retry_after": 26.0, "provider_error_code": "RESOURCE_EXHAUSTED"}),
    ("rate_limit_header", E.ModelRateLimitError, {"status_code": 429, "retry_after": 26.0}),
    ("quota_day", E.ModelQuotaExceededError, {"status_code": 429, "retry_after": 26.0, "provider_error_code": "RESOURCE_EXHAUSTED"}),
    ("server_error", E.ModelServerError, {"status_code": 500, "retry_after": None}),
    ("overloaded", E.ModelOverloadedError, {"status_code": 503, "retry_after": None}),
    ("unavailable", E.ModelUnavailableError, {"status_code": 503}),
    ("outage", E.ModelUnavailableError, {"status_code": 503}),
    ("deadline", E.ModelServerError, {"status_code": 504, "provider_error_code": "DEADLINE_EXCEEDED"}),
    ("unauthorized", E.ModelAuthenticationError, {"status_code": 401}),
    ("forbidden", E.ModelAuthenticationError, {"status_code": 403}),
    ("not_found", E.ModelNotFoundError, {"status_code": 404}),
    ("key_invalid", E.ModelAuthenticationError, {"status_code": 400, "provider_error_code": "INVALID_ARGUMENT"}),
    ("bad_request", E.ModelRequestRejectedError, {"status_code": 400}),
    ("reset", E.ModelConnectionError, {"phase": "read"}),
    ("reset_billed", E.ModelConnectionError, {"phase": "read"}),
    ("hang", E.ModelTimeoutError, {"phase": "read"}),
    ("bad_json", E.ModelAPIError, {}),
    ("html", E.ModelAPIError, {}),
    ("schema_violation", E.UnexpectedModelBehavior, {}),
    ("safety", E.ContentFilterError, {}),
    ("blocked", E.ContentFilterError, {}),
    ("empty", E.UnexpectedModelBehavior, {}),
    ("max_tokens", E.OutputTokenLimitExceeded, {}),
    ("malformed_call", E.UnexpectedModelBehavior, {}),
]
BILLED = {"reset_billed", "bad_json", "schema_violation", "safety", "blocked", "empty", "max_tokens", "malformed_call"}
ASKED_AGAIN = {"schema_violation", "empty", "malformed_call"}  # pydantic-ai asks once more before it gives up


@pytest.mark.parametrize("form", [ContentAnalysis, NativeOutput(ContentAnalysis)], ids=["tool", "native"])
@pytest.mark.parametrize(("kind", "raised", "attributes"), GEMINI_FAULTS, ids=[row[0] for row in GEMINI_FAULTS])
def test_what_the_model_client_raises(
    providers: LoopbackProviders, kind: str, raised: type[Exception], attributes: dict[str, Any], form: Any
) -> None:
    providers.faults({"provider": "gemini", "kind": kind, "retry_delay": 26})
    with pytest.raises(raised) as caught:
        analyse(form, timeout=0.3)
    assert getattr(type(caught.value), "category", type(caught.value)) is raised
    assert {name: getattr(caught.value, name) for name in attributes} == attributes
    served = providers.served(entries=True)
    assert served["requests"] == (2 if kind in ASKED_AGAIN else 1)
    assert served["billed"] == (served["requests"] if kind in BILLED else 0)
    assert {entry["fault"] for entry in served["entries"]} == {kind}


def test_a_trickle_outlasts_a_read_timeout_but_not_a_deadline(providers: LoopbackProviders) -> None:
    providers.faults({"provider": "gemini", "kind": "trickle", "seconds": 1.2})
    assert analyse(timeout=0.5).output.signals
    with pytest.raises(E.ModelRequestTimeout) as caught:
        analyse(request_timeout=0.5)
    assert (caught.value.timeout, caught.value.setting) == (0.5, "request_timeout")
    assert providers.served()["paid_twice"]


TAVILY_FAULTS: list[tuple[str, type[Exception], str]] = [
    ("rate_limit", errors.UsageLimitExceededError, "excessive requests"),
    ("server_error", httpx.HTTPStatusError, "500"),
    ("overloaded", httpx.HTTPStatusError, "503"),
    ("deadline", httpx.HTTPStatusError, "504"),
    ("unauthorized", errors.InvalidAPIKeyError, "invalid API key"),
    ("key_invalid", errors.InvalidAPIKeyError, "invalid API key"),
    ("forbidden", errors.ForbiddenError, "Forbidden"),
    ("bad_request", errors.BadRequestError, "Invalid request"),
    ("plan_limit", errors.ForbiddenError, "plan's set usage limit"),
    ("paygo_limit", errors.ForbiddenError, "pay-as-you-go limit"),
    ("reset", httpx.ReadError, ""),
    ("reset_billed", httpx.ReadError, ""),
    ("hang", errors.TimeoutError, "timed out"),
    ("bad_json", json.JSONDecodeError, ""),
    ("html", json.JSONDecodeError, ""),
]


@pytest.mark.parametrize(("kind", "raised", "words"), TAVILY_FAULTS, ids=[row[0] for row in TAVILY_FAULTS])
def test_what_the_search_client_raises(providers: LoopbackProviders, kind: str, raised: type[Exception], words: str) -> None:
    providers.faults({"provider": "tavily", "kind": kind})
    with pytest.raises(raised, match=re.escape(words) or None):
        seek("Larkfield Mining closure", timeout=0.3)
    assert providers.served()["credits"] == (1 if kind in {"reset_billed", "bad_json"} else 0)


@pytest.mark.parametrize(
    ("conditions", "hits"),
    [
        ({}, "1111111111"),
        ({"first_n": 3}, "1110000000"),
        ({"every_n": 3}, "0010010010"),
        ({"after_n": 7}, "0000000111"),
        ({"count": 2}, "1100000000"),
        ({"every_n": 2, "count": 3}, "0101010000"),
        ({"after_n": 2, "first_n": 4}, "0011000000"),
        ({"probability": 0.0}, "0000000000"),
        ({"probability": 1.0}, "1111111111"),
        ({"contains": "poison"}, "0000000000"),
        ({"provider": "tavily"}, "0000000000"),
    ],
)
def test_when_a_rule_strikes(conditions: dict[str, Any], hits: str) -> None:
    rule, rng = Rule(kind="overloaded", **conditions), Random(1)
    assert "".join(str(int(rule.strikes("gemini", b"{}", rng))) for _ in range(10)) == hits


def test_a_probability_is_about_that_and_repeats_for_a_seed() -> None:
    def run(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add({"kind": "overloaded", "probability": 0.3})
        return [faults.strike("gemini", b"") is not None for _ in range(500)]

    assert run(1) == run(1) != run(2)
    assert 0.22 < sum(run(1)) / 500 < 0.38


def test_every_kind_names_its_status_once() -> None:
    assert len(set(KINDS)) == len(KINDS)
    assert set(STATUSES) <= set(KINDS)


def test_nonsense_rules_are_refused(providers: LoopbackProviders) -> None:
    for rule in ({"kind": "gremlins"}, {"kind": "hang", "provider": "aol"}, {"kind": "hang", "whenever": 1}):
        with pytest.raises(ValueError, match=r"gremlins|aol|whenever"):
            providers.faults(rule)
    assert providers.control("GET", "faults") == []


def test_one_poisoned_article_fails_and_others_do_not(providers: LoopbackProviders) -> None:
    providers.faults({"kind": "server_error", "contains": "Poisonwood"})
    with pytest.raises(E.ModelServerError):
        analyse(prompt=PROMPT + "Poisonwood")
    assert analyse().output.signals


def test_an_outage_lasts_until_it_is_switched_off(providers: LoopbackProviders) -> None:
    providers.outage()
    with pytest.raises(E.ModelUnavailableError):
        analyse()
    with pytest.raises(httpx.HTTPStatusError):
        seek("anything")
    providers.outage(on=False)
    assert analyse().output.signals


def test_a_lost_answer_that_is_asked_for_again_was_paid_twice(providers: LoopbackProviders) -> None:
    providers.faults({"provider": "gemini", "kind": "reset_billed", "count": 1})
    with pytest.raises(E.ModelConnectionError):
        analyse()
    assert providers.served()["paid_twice"] == {}
    analyse()
    served = providers.served()
    assert list(served["paid_twice"].values()) == [2]
    assert served["subjects"][subject_of(ARTICLE["BODY"])] == {"requests": 2, "billed": 2}


def test_hanging_requests_do_not_hold_up_a_stop() -> None:
    with LoopbackProviders() as providers, httpx.Client(timeout=0.2) as client:
        providers.faults({"kind": "hang"})
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{providers.url}/search", json={"query": "q"}, headers={"authorization": "Bearer tvly-loopback"})
        started = time.monotonic()
    assert time.monotonic() - started < 2


# Keys


def test_wrong_and_revoked_keys(providers: LoopbackProviders, monkeypatch: pytest.MonkeyPatch) -> None:
    assert analyse().output
    providers.keys(revoke=list(providers.env().values()))
    with pytest.raises(E.ModelAuthenticationError) as caught:
        analyse()
    assert caught.value.body["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    with pytest.raises(errors.InvalidAPIKeyError):
        seek("anything")
    providers.keys(gemini=["renewed"], tavily=["tvly-renewed"])
    monkeypatch.setenv("GEMINI_API_KEY", "renewed")
    assert analyse().output
    assert seek("anything", key="tvly-renewed")["results"]


def test_an_unknown_model_is_not_found(providers: LoopbackProviders) -> None:
    with pytest.raises(E.ModelNotFoundError) as caught:
        analyse(model="gemini-2.5-flahs")
    assert caught.value.suggested_model_id is not None


# Searches


def test_searches_are_billed_and_shaped_like_tavily(providers: LoopbackProviders) -> None:
    query = "Larkfield Mining moved 4,210 BTC in Norhaven"
    basic = seek(query, include_usage=True, topic="news", max_results=4)
    assert basic["usage"] == {"credits": 1}
    assert set(basic["results"][0]) == {"url", "title", "content", "score", "raw_content", "published_date"}
    assert len(basic["results"]) == 4
    assert seek(query, include_usage=True, search_depth="advanced")["usage"] == {"credits": 2}
    assert "usage" not in seek(query)
    assert providers.served()["credits"] == 4
    assert {entry["subject"] for entry in providers.entries()} == {subject_of(query)}


def test_a_query_over_400_characters_is_refused(providers: LoopbackProviders) -> None:
    with pytest.raises(errors.BadRequestError, match="400 characters"):
        seek("q" * 401)
    assert seek("q" * 400)["results"]
    assert providers.served()["credits"] == 1


def test_nothing_found_on_demand(providers: LoopbackProviders) -> None:
    providers.faults({"kind": "no_results", "contains": "Nowhere"})
    assert seek("Nowhere Bank")["results"] == []
    assert seek("Quarry Street Bank")["results"]


def test_results_support_dispute_digress_and_copy() -> None:
    results = [r for n in range(30) for r in search({"query": f"Brindle Capital lost {n}50 million"})["results"]]
    assert search({"query": "same"}) == search({"query": "same"})
    contents = [result["content"] for result in results]
    assert any("confirmed" in content for content in contents)
    assert any("denied" in content for content in contents)
    assert any(result["score"] < 0.35 for result in results)
    assert len(set(contents)) < len(contents)
    assert len({result["url"] for result in results}) == len(results)


def test_coindesk_pages_back_in_time_and_wants_a_key(providers: LoopbackProviders) -> None:
    address, key = f"{providers.url}/news/v1/article/list", {"api_key": providers.env()["COINDESK_API_KEY"]}
    seen: list[int] = []
    to_ts: int | None = None
    with httpx.Client() as client:
        assert client.get(address).status_code == 401
        assert client.get(address, params=key | {"limit": "0"}).status_code == 400
        while page := client.get(address, params=key | {"limit": "10"} | ({"to_ts": to_ts} if to_ts else {})).json()["Data"]:
            seen += [article["ID"] for article in page]
            to_ts = page[-1]["PUBLISHED_ON"] - 1
    assert len(seen) == len(set(seen)) == 24


# Starting it


def test_the_command_line_reads_its_options() -> None:
    line = "--latency gemini=1.0,tavily=0.2-0.4 --signals 1-3 --fabricated-quotes 0.2 --key gemini=a --key gemini=b --seed 3"
    given, options = options_from([*line.split(), "--fault", '{"kind": "overloaded", "first_n": 2}'])
    assert given.port == 0
    assert options.latency == {"gemini": 1.0, "tavily": [0.2, 0.4]}
    assert 0.2 <= options.seconds("tavily", Random(1)) <= 0.4
    assert (options.habits.signals, options.habits.fabricated_quotes, options.habits.seed) == ((1, 3), 0.2, 3)
    assert (options.keys["gemini"], options.keys["tavily"]) == (["a", "b"], ["tvly-loopback"])
    assert options.faults[0]["kind"] == "overloaded"


by_fixture = loopback_fixture(scope="module", latency=0.0)


def test_it_comes_as_a_fixture(by_fixture: LoopbackProviders) -> None:
    assert by_fixture.served()["requests"] == 0
    assert set(by_fixture.env()) >= {"GOOGLE_GEMINI_BASE_URL", "TAVILY_BASE_URL", "COINDESK_BASE_URL", "GEMINI_API_KEY"}


# Record


def test_the_record_survives_a_kill_and_goes_on(tmp_path: Any) -> None:
    path = tmp_path / "served.jsonl"
    key = {"x-goog-api-key": "loopback-gemini"}
    for run in (1, 2):
        providers = LoopbackProviders(subprocess=True, record=str(path)).start()
        address = f"{providers.url}/v1beta/models/gemini-2.5-flash:generateContent"
        assert httpx.post(address, json=body(), headers=key).status_code == 200
        served = providers.served()
        providers.kill()
        providers.stop()
        kept = totals(read_record(path))
        assert kept["requests"] == served["requests"] == run
        assert kept["tokens"] == served["tokens"]
    assert list(kept["paid_twice"].values()) == [2]


def test_a_client_that_gives_up_is_billed_all_the_same(providers: LoopbackProviders) -> None:
    providers.behave(latency={"gemini": 0.4})
    with pytest.raises(E.ModelTimeoutError):
        analyse(timeout=0.1)
    until = time.monotonic() + 5
    while not providers.served()["billed"] and time.monotonic() < until:
        time.sleep(0.02)
    assert providers.served()["billed"] == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_has_its_own_latency(providers: LoopbackProviders, provider: str) -> None:
    providers.behave(latency={provider: [0.2, 0.3]})
    seek("anything")
    (entry,) = providers.entries()
    assert (entry["time"] - entry["started"] > 0.19) == (provider == "tavily")


@pytest.mark.slow
def test_128_requests_at_once_take_little_more_than_one(record_property: Any) -> None:
    """With a client of bare sockets: httpx itself needs seconds for 128 at once (its pool polls every connection)."""
    articles = invented_articles(128, chars=6_000)
    bodies = [json.dumps(body(f"<article>\n{article['BODY']}\n</article>")).encode() for article in articles]
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    head = "POST {} HTTP/1.1\r\nhost: x\r\nx-goog-api-key: loopback-gemini\r\ncontent-length: {}\r\n\r\n"

    async def ask(port: int, content: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.format(path, len(content)).encode() + content)
        status = await reader.readline()
        writer.close()
        return status.split()[1]

    async def ask_all(port: int) -> list[bytes]:
        return await asyncio.gather(*(ask(port, content) for content in bodies))

    with LoopbackProviders(subprocess=True, latency=1.0) as providers:
        before, started = providers.served()["cpu_seconds"], time.perf_counter()
        statuses = asyncio.run(ask_all(int(providers.url.rsplit(":", 1)[1])))
        seconds = time.perf_counter() - started
        served = providers.served()
    milliseconds = (served["cpu_seconds"] - before) / 128 * 1_000
    record_property("cpu_ms_per_request", milliseconds)
    print(f"128 at once: {seconds:.2f} s, {milliseconds:.2f} ms of server CPU each")
    assert statuses == [b"200"] * 128
    assert served["peak_concurrency"]["gemini"] == 128
    assert seconds < 2.0
    assert milliseconds < 3.0
