"""From a model's name to a pydantic-ai model, and from a prompt's name to an agent.

One setting a model, keys by the provider's usual environment variables.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from pydantic_ai import Agent, NativeOutput, RunContext
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model

from core.agents.offline import OfflineModel
from core.agents.prompts import prompt
from core.errors import SettingsError
from core.pricing import TokenUsage, model_cost
from core.settings import OFFLINE_MODEL, Settings

A = TypeVar("A")
D = TypeVar("D")

CONNECTIONS_AT_MOST = 256
GOOGLE = frozenset({"google", "google-gla"})


@asynccontextmanager
async def open_model(name: str, settings: Settings) -> AsyncIterator[Model]:
    """A model of its own for the running event loop; its connections are closed at the end of the block.

    Raises:
        SettingsError: its key is missing, its name is malformed, its package is not installed, or its price is unknown.
    """
    if name == OFFLINE_MODEL:
        yield OfflineModel()
        return
    model_cost(name, TokenUsage(), settings.model_prices)
    provider, _, model = name.partition(":")
    if provider in GOOGLE:
        if settings.gemini_api_key is None:
            raise SettingsError(f"The model '{name}' needs a key. Set GEMINI_API_KEY and start again, or choose the model 'offline'.")
        from core.agents.gemini import open_gemini  # 25 MB of types, which only this needs

        async with open_gemini(model, settings.gemini_api_key.get_secret_value(), settings, CONNECTIONS_AT_MOST) as gemini:
            yield gemini
        return
    try:
        other = infer_model(name)
    except (UserError, ImportError, ValueError) as error:
        raise SettingsError(f"The model '{name}' cannot be used: {error}") from error
    async with other:
        yield other


def preload(name: str) -> None:
    """Import what calls of this model need, some seconds of work, for a process that is not to do it with the first call."""
    if name.partition(":")[0] in GOOGLE:
        import core.agents.gemini  # noqa: F401


def has_native_output(model: Model) -> bool:
    """Whether a model can be held to a JSON schema without a tool: cheaper, and on Gemini less often malformed."""
    return bool(model.profile.get("supports_json_schema_output"))


def build_agent(
    name: str, answer: type[A], deps_type: type[D], check: Callable[[RunContext[D], A], Awaitable[A]], *, native: bool
) -> Agent[D, A]:
    """An agent with the instructions called ``name``, whose answer is checked by ``check`` and corrected once.

    ``check`` is quick, and a coroutine function only so that pydantic-ai does not run it in a thread.
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
