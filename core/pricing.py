"""What a call costs, before (its worst case) and after (its true cost). Pure; USD as ``Decimal``.

Prices come from the table that genai-prices carries in its wheel, or from the ``model_prices`` setting for a model that
the table does not know. Thinking tokens are billed as output. A model without a price cannot be used: it could not be
kept within a budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from genai_prices import Usage, calc_price

from core.errors import SettingsError
from core.settings import OFFLINE_MODEL, ModelPrice

MILLION = Decimal(1_000_000)
CENT_FRACTION = Decimal("0.00000001")  # the scale of every money column


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one model call. ``input`` includes ``cached``; ``output`` excludes ``thinking``."""

    input: int = 0
    cached: int = 0
    output: int = 0
    thinking: int = 0


def is_free(model: str) -> bool:
    """Whether calls of this model cost nothing: only the offline rules do."""
    return model == OFFLINE_MODEL


def model_cost(model: str, usage: TokenUsage, prices: Mapping[str, ModelPrice]) -> Decimal:
    """USD of one call.

    Raises:
        SettingsError: the model has no known price.
    """
    if is_free(model):
        return Decimal(0)
    if own := prices.get(model):
        return _up((usage.input * own.input + (usage.output + usage.thinking) * own.output) / MILLION)
    provider, _, name = model.partition(":")
    try:
        tokens = Usage(input_tokens=usage.input, cache_read_tokens=usage.cached, output_tokens=usage.output + usage.thinking)
        price = calc_price(tokens, model_ref=name or provider, provider_id=_PRICE_PROVIDER.get(provider, provider) if name else None)
    except LookupError:
        raise SettingsError(
            f"No price is known for the model '{model}', so it cannot be kept within a budget. "
            f'Set SIGNALDESK_MODEL_PRICES to {{"{model}": {{"input": 0.30, "output": 2.50}}}} (USD per million tokens), '
            "or choose another model."
        ) from None
    return _up(price.total_price)


_PRICE_PROVIDER = {"google": "google", "google-gla": "google", "google-vertex": "google", "google-cloud": "google"}


def _up(usd: Decimal) -> Decimal:
    return usd.quantize(CENT_FRACTION, rounding=ROUND_UP)


_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def input_tokens_at_most(text: str) -> int:
    """An upper bound of the tokens that ``text`` may count as.

    Gemini averages about 4 characters a token on English prose (https://ai.google.dev/gemini-api/docs/tokens). The bound
    takes 3 letters a token; each other byte (space, digit, sign, any byte of a character outside ASCII) counts as a token and
    may begin a word whose last letters count as one, so it counts for 5/3.
    """
    data = text.encode("utf-8", "replace")
    without_letters = len(data.translate(None, _LETTERS))
    return -(-(len(data) + 4 * without_letters) // 3)
