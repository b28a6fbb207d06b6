"""From a model's name to a pydantic-ai model, and from a prompt's name to an agent.

One setting a model, keys by the provider's usual environment variables.
"""

from collections.abc import Callable
from typing import TypeVar

import httpx2
from pydantic_ai import Agent, NativeOutput, RunContext
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

from core.agents.offline import OfflineModel
from core.agents.prompts import prompt
from core.errors import SettingsError
from core.pricing import TokenUsage, model_cost
from core.settings import OFFLINE_MODEL, Settings

A = TypeVar("A")
D = TypeVar("D")

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


def build_agent(name: str, answer: type[A], deps_type: type[D], check: Callable[[RunContext[D], A], A], *, native: bool) -> Agent[D, A]:
    """An agent with the instructions called ``name``, whose answer is checked by ``check`` and corrected once.

    ``native`` asks for the answer by the model's own structured output, else through a tool. The model comes with each run.
    """
    agent: Agent[D, A] = Agent(
        name=name,
        output_type=NativeOutput(answer) if native else answer,
        deps_type=deps_type,
        instructions=prompt(name).text,
        retries={"output": 1},
        defer_model_check=True,
    )
    agent.output_validator(check)
    return agent


def _http_client(settings: Settings) -> httpx2.AsyncClient:
    timeout = httpx2.Timeout(settings.call_timeout_seconds, connect=10.0)
    limits = httpx2.Limits(max_connections=CONNECTIONS_AT_MOST, max_keepalive_connections=CONNECTIONS_AT_MOST)
    return httpx2.AsyncClient(timeout=timeout, limits=limits, follow_redirects=True)
