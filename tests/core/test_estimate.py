"""The estimate: what a launch will cost, from the text itself and this desk's own recent calls."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.agents.prompts import prompt
from core.configuration import Configuration, Desk
from core.errors import SettingsError
from core.estimate import (
    CHARS_PER_TOKEN,
    ENOUGH_CALLS,
    RECENT_CALLS,
    RESULTS_TOKENS,
    SCHEMA_TOKENS,
    TEXT_AT_MOST,
    Averages,
    Estimate,
    estimate,
    measure,
    recent_averages,
)
from core.models import LedgerEntry, LedgerKind, LedgerStatus
from core.pricing import TokenUsage, model_cost
from core.settings import DEFAULT_PAID_MODEL, Settings
from tests.conftest import NOW

PROMPTS = (len(prompt("content_analysis").text) + len(prompt("signal_validation").text)) // CHARS_PER_TOKEN
PAID = Settings(_env_file=None, gemini_api_key="k", tavily_api_key="t")


def estimated(articles: int, chars: int, settings: Settings = PAID, averages: Averages | None = None) -> Estimate:
    return estimate(articles, chars, Configuration.of(settings), settings, averages or Averages(), settings.model_prices)


def test_input_is_counted_from_the_text_with_prompts_schemas_and_results() -> None:
    fixed = PROMPTS + 2 * SCHEMA_TOKENS + RESULTS_TOKENS
    assert estimated(1, 4_000).input_tokens == 1_000 + fixed
    assert estimated(10, 40_000).input_tokens == 10 * (1_000 + fixed)


def test_the_likely_cost_is_that_of_its_tokens_and_searches() -> None:
    found = estimated(10, 40_000)
    tokens = TokenUsage(input=found.input_tokens, output=found.output_tokens)
    assert found.output_tokens == 10 * (2_200 + 1_300)
    assert found.searches == 35
    assert found.usd == model_cost(DEFAULT_PAID_MODEL, tokens, {}) + 35 * Decimal("0.008")
    assert isinstance(found.usd, Decimal)


def test_the_most_it_can_cost_is_the_ceiling_of_every_article_and_never_less_than_the_likely_cost() -> None:
    assert estimated(10, 40_000).usd_at_most == Decimal("2.50")
    low = PAID.model_copy(update={"cost_ceiling_per_article": Decimal("0.0001")})
    assert estimated(10, 40_000, low).usd_at_most == estimated(10, 40_000, low).usd


def test_no_more_searches_are_reckoned_with_than_an_article_may_make() -> None:
    assert estimated(10, 40_000, PAID.model_copy(update={"searches_per_article": 2})).searches == 20
    assert estimated(10, 40_000, PAID.model_copy(update={"searches_per_article": 0})).searches == 0


def test_the_archive_is_free_to_search() -> None:
    archive = PAID.model_copy(update={"research_provider": "archive"})
    assert estimated(10, 40_000, archive).searches == 0
    assert estimated(10, 40_000, archive).usd == estimated(10, 40_000).usd - 35 * Decimal("0.008")


def test_offline_and_archive_cost_nothing_at_all() -> None:
    found = estimated(10, 40_000, Settings(_env_file=None))
    assert (found.usd, found.usd_at_most, found.input_tokens, found.output_tokens, found.searches) == (0, 0, 0, 0, 0)


def test_offline_rules_with_web_research_cost_the_searches() -> None:
    found = estimated(10, 40_000, Settings(_env_file=None, tavily_api_key="t"))
    assert (found.usd, found.searches, found.input_tokens) == (35 * Decimal("0.008"), 35, 0)
    assert found.usd_at_most == Decimal("2.50")


def test_articles_run_side_by_side() -> None:
    one_by_one, wide = (estimated(8, 40_000, PAID.model_copy(update={"concurrency": at_once})) for at_once in (1, 4))
    assert one_by_one.seconds == 8 * 2 * 9.0
    assert wide.seconds == one_by_one.seconds / 4
    assert estimated(2, 8_000).seconds == 2 * 9.0  # two articles cannot use sixteen places


def test_nothing_selected_costs_nothing_and_takes_no_time() -> None:
    found = estimated(0, 0)
    assert (found.usd, found.usd_at_most, found.seconds, found.searches) == (0, 0, 0, 0)


def test_a_model_without_a_price_cannot_be_estimated() -> None:
    with pytest.raises(SettingsError, match="acme:large"):
        estimated(1, 4_000, PAID.model_copy(update={"model": "acme:large"}))


@given(st.integers(0, 500), st.integers(0, 10_000_000), st.integers(0, 50), st.integers(0, 100_000))
def test_more_text_or_more_articles_never_cost_less(articles: int, chars: int, more: int, longer: int) -> None:
    small, large = estimated(articles, chars), estimated(articles + more, chars + longer)
    assert Decimal(0) <= small.usd <= large.usd
    assert small.usd <= small.usd_at_most
    assert small.usd_at_most <= large.usd_at_most


def test_an_estimate_is_kept_as_json_without_losing_a_fraction_of_a_cent() -> None:
    found = estimated(3, 12_345)
    kept = found.as_json()
    assert Decimal(kept["usd"]) == found.usd
    assert kept["articles"] == 3


# From the database


def measured(desk: Desk, ids: list[int], settings: Settings = PAID) -> tuple[int, int, Averages]:
    with desk.database.session() as session:
        return measure(session, ids, Configuration.of(settings))


def test_a_selection_is_measured_by_what_of_it_is_sent(desk: Desk, articles: Any) -> None:
    ids = [articles(1, body="x" * chars)[0] for chars in (2_000, TEXT_AT_MOST, TEXT_AT_MOST + 5_000)]
    assert measured(desk, ids)[:2] == (3, 2_000 + 2 * TEXT_AT_MOST)
    assert measured(desk, [ids[0], 10**9])[:2] == (1, 2_000)
    assert measured(desk, [])[:2] == (0, 0)


def calls(desk: Desk, number: int, **values: Any) -> None:
    usual = {
        "status": LedgerStatus.SETTLED,
        "kind": LedgerKind.MODEL,
        "agent": "content_analysis",
        "provider": "google",
        "model": DEFAULT_PAID_MODEL,
        "created_at": NOW,
        "settled_at": NOW + timedelta(seconds=4),
        "output_tokens": 1_000,
        "thinking_tokens": 500,
        "day": NOW.date(),
    }
    with desk.database.session() as session:
        session.add_all(LedgerEntry(**(usual | values)) for _ in range(number))


def averages(desk: Desk, model: str = DEFAULT_PAID_MODEL) -> Averages:
    with desk.database.session() as session:
        return recent_averages(session, model)


def test_until_there_are_enough_calls_of_a_model_the_defaults_hold(desk: Desk) -> None:
    calls(desk, ENOUGH_CALLS - 1)
    calls(desk, 50, model="google:gemini-2.5-pro")
    calls(desk, 50, status=LedgerStatus.RELEASED)
    calls(desk, 50, status=LedgerStatus.UNKNOWN)
    assert averages(desk) == Averages()
    calls(desk, 1)
    assert averages(desk) != Averages()


def test_enough_calls_give_averages_of_each_agent_thinking_included(desk: Desk) -> None:
    calls(desk, 10, output_tokens=800, thinking_tokens=200)
    calls(desk, 10, output_tokens=1_000, thinking_tokens=1_000)
    calls(desk, 20, agent="signal_validation", output_tokens=300, thinking_tokens=0, settled_at=NOW + timedelta(seconds=2))
    found = averages(desk)
    assert (found.content_output_tokens, found.validation_output_tokens, found.seconds_per_call) == (1_500, 300, 3.0)
    assert found.measured_calls == 40
    assert found.searches_per_article == Averages().searches_per_article


def test_only_the_newest_calls_count(desk: Desk) -> None:
    calls(desk, 30, output_tokens=9_000, created_at=NOW - timedelta(days=30), settled_at=NOW - timedelta(days=30))
    calls(desk, RECENT_CALLS)
    found = averages(desk)
    assert (found.content_output_tokens, found.measured_calls, found.seconds_per_call) == (1_500, RECENT_CALLS, 4.0)


def test_searches_an_article_are_counted_from_the_same_articles(desk: Desk, articles: Any) -> None:
    first, second = articles(2)
    calls(desk, 10, article_id=first)
    calls(desk, 10, article_id=second)
    calls(desk, 3, kind=LedgerKind.SEARCH, provider="tavily", model="tavily-basic", agent="research", article_id=first)
    calls(desk, 9, kind=LedgerKind.SEARCH, provider="tavily", model="tavily-basic", agent="research")
    assert averages(desk).searches_per_article == 1.5


def test_a_search_that_was_refused_is_not_one_to_reckon_with(desk: Desk, articles: Any) -> None:
    (article,) = articles(1)
    calls(desk, 20, article_id=article)
    search = {"kind": LedgerKind.SEARCH, "provider": "tavily", "model": "tavily-basic", "agent": "research", "article_id": article}
    calls(desk, 2, **search)
    calls(desk, 4, **search, status=LedgerStatus.RELEASED, error_kind="rate_limit")
    assert averages(desk).searches_per_article == 2


def test_the_offline_rules_are_known_to_be_quick(desk: Desk) -> None:
    assert averages(desk, "offline").seconds_per_call < 1
