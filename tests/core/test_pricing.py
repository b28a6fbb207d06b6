"""Prices: exact where the provider counts, never too low where the desk must guess."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import SettingsError
from core.pricing import TokenUsage, input_tokens_at_most, is_free, model_cost
from core.settings import ModelPrice

FLASH = "google:gemini-2.5-flash"
OWN = {"acme:large": ModelPrice(input=Decimal("0.30"), output=Decimal("2.50"))}
tokens = st.integers(0, 200_000)


def test_gemini_flash_costs_what_its_price_list_says() -> None:
    assert model_cost(FLASH, TokenUsage(input=1_000_000), {}) == Decimal("0.30")
    assert model_cost(FLASH, TokenUsage(output=1_000_000), {}) == Decimal("2.50")


def test_thinking_is_billed_as_output() -> None:
    assert model_cost(FLASH, TokenUsage(100, 0, 300, 700), {}) == model_cost(FLASH, TokenUsage(100, 0, 1_000, 0), {})
    assert model_cost("acme:large", TokenUsage(0, 0, 1, 3), OWN) == Decimal("0.00001")


def test_cached_input_is_part_of_the_input_and_cheaper() -> None:
    plain, cached = (model_cost(FLASH, TokenUsage(10_000, share), {}) for share in (0, 8_000))
    assert 0 < cached < plain


def test_only_the_offline_rules_are_free() -> None:
    assert is_free("offline")
    assert model_cost("offline", TokenUsage(10**6, 0, 10**6, 10**6), {}) == 0
    assert not is_free(FLASH)
    assert not is_free("acme:offline")


@pytest.mark.parametrize("prefix", ["google", "google-gla", "google-vertex", "google-cloud"])
def test_every_name_of_googles_provider_finds_the_price(prefix: str) -> None:
    usage = TokenUsage(1_000, 0, 1_000)
    assert model_cost(f"{prefix}:gemini-2.5-flash", usage, {}) == model_cost(FLASH, usage, {})


@pytest.mark.parametrize("model", ["acme:large", "google:no-such-model", "google:", "nonsense", ""])
def test_a_model_without_a_price_is_refused_with_the_setting_that_would_help(model: str) -> None:
    with pytest.raises(SettingsError, match="SIGNALDESK_MODEL_PRICES"):
        model_cost(model, TokenUsage(), {})


def test_a_price_of_ones_own_goes_before_the_bundled_one() -> None:
    own = {FLASH: ModelPrice(input=Decimal(1), output=Decimal(2))}
    assert model_cost(FLASH, TokenUsage(1_000_000, 0, 1_000_000), own) == Decimal(3)


def test_a_cost_is_rounded_up_to_the_scale_of_the_money_columns() -> None:
    tiny = {"acme:small": ModelPrice(input=Decimal("0.0001"), output=Decimal(0))}
    assert model_cost("acme:small", TokenUsage(input=1), tiny) == Decimal("0.00000001")
    assert model_cost("acme:large", TokenUsage(input=1), OWN) == Decimal("0.0000003").quantize(Decimal("0.00000001"))


@given(tokens, tokens, tokens, st.integers(0, 50_000), st.integers(0, 50_000))
@pytest.mark.parametrize("model", [FLASH, "acme:large"])
def test_a_call_never_costs_more_than_the_worst_case_of_its_tokens(
    model: str, read: int, cached: int, written: int, spare: int, more: int
) -> None:
    true = TokenUsage(read, min(cached, read), written // 2, written - written // 2)
    worst = TokenUsage(read + spare, 0, written + more)
    assert 0 <= model_cost(model, true, OWN) <= model_cost(model, worst, OWN)


@given(st.text(max_size=400))
@example("abc   " * 40)
@example("\n" * 40)
def test_the_token_bound_is_never_below_four_characters_a_token(text: str) -> None:
    assert input_tokens_at_most(text) >= len(text) // 4


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_token_bound_does_not_shrink_when_a_text_grows(text: str, more: str) -> None:
    assert input_tokens_at_most(text + more) >= input_tokens_at_most(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("abc", 1),
        ("abcd", 2),
        ("abc def", 2),
        ("a b c d", 4),
        ("1234", 4),
        ("比特", 6),
        ("$1.5", 4),
        ("a.b", 3),
        ("a  b", 3),
        ("a\n\nb", 3),
    ],
)
def test_the_token_bound_is_not_below_what_a_tokenizer_may_count(text: str, tokens: int) -> None:
    assert tokens <= input_tokens_at_most(text) <= 2 * tokens + 1
