"""From a model's name to a pydantic-ai model. One setting a model, keys by the provider's usual environment variables."""

import httpx2
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

from core.agents.offline import OfflineModel
from core.errors import SettingsError
from core.pricing import TokenUsage, model_cost
from core.settings import OFFLINE_MODEL, Settings

CONNECTIONS_AT_MOST = 256


def build_model(name: str, settings: Settings) -> Model:
    """A model of its own for one event loop; ``async with`` it, so that its connections are closed with the loop.

    Raises:
        SettingsError: its key is missing, its name is malformed, its package is not installed, or its price is unknown.
    """
    if name == OFFLINE_MODEL:
        return OfflineModel()
    model_cost(name, TokenUsage(), settings.model_prices)
    provider, _, model = name.partition(":")
    if provider in ("google", "google-gla"):
        if settings.gemini_api_key is None:
            raise SettingsError(f"The model '{name}' needs a key. Set GEMINI_API_KEY and start again, or choose the model 'offline'.")
        return GoogleModel(
            model,
            provider=GoogleProvider(
                api_key=settings.gemini_api_key.get_secret_value(),
                base_url=settings.gemini_base_url,
                http_client=_http_client(settings),
            ),
        )
    try:
        return infer_model(name)
    except (UserError, ImportError, ValueError) as error:
        raise SettingsError(f"The model '{name}' cannot be used: {error}") from error


def has_native_output(model: Model) -> bool:
    """Whether a model can be held to a JSON schema without a tool: cheaper, and on Gemini less often malformed."""
    return bool(model.profile.get("supports_json_schema_output"))


def _http_client(settings: Settings) -> httpx2.AsyncClient:
    timeout = httpx2.Timeout(settings.call_timeout_seconds, connect=10.0)
    limits = httpx2.Limits(max_connections=CONNECTIONS_AT_MOST, max_keepalive_connections=CONNECTIONS_AT_MOST)
    return httpx2.AsyncClient(timeout=timeout, limits=limits, follow_redirects=True)
