"""The signal validation agent: the signals of one article and the search results in, one verdict a signal out.

Its answer is checked as it arrives: addresses that no search returned, and quotes that do not stand in the result they are
said to come from, are sent back once; what is still wrong then is dropped and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from core.agents.materials import ArticleMaterial, ResultMaterial, SignalMaterial, signal_validation_material
from core.agents.outputs import SignalValidation, SignalVerdict, Stance, signal_validation_for
from core.agents.providers import build_agent, has_native_output
from core.evidence import Text

NAME = "signal_validation"


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """A source that came back from a search, with a quote that stands in it."""

    url: str
    stance: Stance
    quote: str


@dataclass(frozen=True, slots=True)
class CheckedVerdict:
    """A verdict with the sources that hold, and how many did not."""

    answer: SignalVerdict
    sources: tuple[CheckedSource, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class Deps:
    results: Mapping[str, Text] = field(default_factory=dict)
    """Text of each result, by its address."""


@cache
def agent_for(count: int, native: bool) -> Agent[Deps, SignalValidation]:
    """The agent for ``count`` signals: its output schema asks for exactly that many verdicts."""
    return build_agent(NAME, signal_validation_for(count), Deps, sources_came_back, native=native)


async def sources_came_back(context: RunContext[Deps], validation: SignalValidation) -> SignalValidation:
    """Send an answer with made-up addresses or quotes back, once."""
    if context.partial_output or context.last_attempt:
        return validation
    problems = [
        f"- signal {verdict.signal}: {problem} of source {place}"  # by its place: hostile words are not said again by the desk
        for verdict in validation.verdicts
        for place, source in enumerate(verdict.sources, start=1)
        if (problem := _problem(source.url, source.quote, context.deps.results))
    ]
    if problems:
        raise ModelRetry("Some sources do not hold. Correct them, or leave them out:\n" + "\n".join(problems))
    return validation


async def validate_signals(
    article: ArticleMaterial,
    signals: Sequence[SignalMaterial],
    results: Sequence[ResultMaterial],
    model: Model,
    settings: ModelSettings,
) -> list[CheckedVerdict]:
    """Run the agent; returns one checked verdict for each signal, in their order.

    Raises:
        Whatever the model's client raises; ``core.failures.classify`` says what it means.
    """
    texts = {result.url: Text(result.text) for result in results}
    run = await agent_for(len(signals), has_native_output(model)).run(
        signal_validation_material(article, signals, results),
        deps=Deps(texts),
        model=model,
        model_settings=settings,
    )
    return [check(verdict, texts) for verdict in in_order(run.output.verdicts, [signal.number for signal in signals])]


def in_order(verdicts: Sequence[SignalVerdict], numbers: Sequence[int]) -> list[SignalVerdict]:
    """The verdicts in the order of ``numbers``: by their own numbers where these fit, else as they came."""
    by_number = {verdict.signal: verdict for verdict in verdicts}
    if set(by_number) == set(numbers):
        return [by_number[number] for number in numbers]
    return list(verdicts)


def check(verdict: SignalVerdict, results: Mapping[str, Text]) -> CheckedVerdict:
    """Keep the sources whose address came back and whose quote stands in its text."""
    sources = []
    for source in verdict.sources:
        span = results[source.url].find(source.quote) if source.url in results else None
        if span is not None:
            sources.append(CheckedSource(source.url, source.stance, span.quote))
    distinct = tuple({source.url: source for source in sources}.values())
    return CheckedVerdict(verdict, distinct, dropped=len(verdict.sources) - len(sources))


def _problem(url: str, quote: str, results: Mapping[str, Text]) -> str | None:
    if url not in results:
        return "not among the results is the address"
    if results[url].find(quote) is None:
        return "not in that result's text is the quote"
    return None
