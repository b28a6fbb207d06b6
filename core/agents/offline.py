"""The ``offline`` model: a pydantic-ai ``Model`` that answers from rules instead of a network call. It costs nothing.

It reads the very messages that any other model is sent and answers through the same output schema, so that everything behind
it (evidence check, research, ledger) is the one path that paid models take.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from core.agents.materials import read_content_analysis_material, read_signal_validation_material
from core.agents.outputs import SignalValidation
from core.offline.analysis import analyse
from core.offline.validation import FoundResult, SignalQuestion, validate
from core.settings import OFFLINE_MODEL

# One thread: the rules are pure Python, so more would only fight over the interpreter lock, and with the pages' threads too.
_rules = ThreadPoolExecutor(max_workers=1, thread_name_prefix="offline-rules")


class OfflineModel(Model[None]):
    """Rules of our own behind pydantic-ai's model interface. Knows the two agents' messages and nothing else."""

    @property
    def model_name(self) -> str:
        return OFFLINE_MODEL

    @property
    def system(self) -> str:
        return OFFLINE_MODEL

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        tool = parameters.output_tools[0]
        answer = _validation if "verdicts" in tool.parameters_json_schema.get("properties", {}) else _content_analysis
        arguments = await asyncio.get_running_loop().run_in_executor(_rules, answer, _user_message(messages))
        return ModelResponse(
            parts=[ToolCallPart(tool.name, arguments)],
            usage=RequestUsage(),
            model_name=OFFLINE_MODEL,
            provider_name=OFFLINE_MODEL,
            finish_reason="stop",
        )


def _user_message(messages: list[ModelMessage]) -> str:
    for message in messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                if isinstance(part, UserPromptPart) and isinstance(part.content, str):
                    return part.content
    raise ValueError("The offline model was sent no user message.")


def _content_analysis(message: str) -> dict[str, Any]:
    article = read_content_analysis_material(message)
    return analyse(article.title, article.body, article.published_at, article.publisher).model_dump(mode="json")


def _validation(message: str) -> dict[str, Any]:
    article, signals, results = read_signal_validation_material(message)
    questions = [
        SignalQuestion(signal.number, signal.description, signal.evidence, article.title, article.published_at, article.publisher)
        for signal in signals
    ]
    found = [FoundResult(result.url, result.title, result.publisher, result.published_at, result.text) for result in results]
    return SignalValidation(verdicts=validate(questions, found)).model_dump(mode="json")
