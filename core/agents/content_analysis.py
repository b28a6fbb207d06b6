"""The content analysis agent: one article in, sentiment, scores, summary and signals with quotes out.

Its answer is checked as it arrives: an answer with quotes that stand nowhere in the article is sent back once with those
quotes named; what is still missing then is dropped by ``core.evidence.ground`` and counted.
"""

from dataclasses import dataclass
from functools import cache

from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from core.agents.materials import ArticleMaterial, content_analysis_material
from core.agents.outputs import ContentAnalysis
from core.agents.providers import build_agent, has_native_output
from core.evidence import Grounding, Text, ground

NAME = "content_analysis"


@dataclass(frozen=True, slots=True)
class Deps:
    article: Text


@cache
def agent_for(native: bool) -> Agent[Deps, ContentAnalysis]:
    """The agent, asking for its answer by the model's own structured output where it has one, else through a tool."""
    return build_agent(NAME, ContentAnalysis, Deps, quotes_stand_in_the_article, native=native)


async def quotes_stand_in_the_article(context: RunContext[Deps], analysis: ContentAnalysis) -> ContentAnalysis:
    """Send an answer with made-up quotes back, once."""
    if context.partial_output or context.last_attempt:
        return analysis
    missing = ground(analysis, context.deps.article).missing
    # Named by their place: what a hostile article made the model say is not said again in the desk's own voice.
    places = [
        f"- signal {number}, quote {place}"
        for number, signal in enumerate(analysis.signals, start=1)
        for place, quote in enumerate(signal.evidence, start=1)
        if quote in missing
    ]
    if places:
        listed = "\n".join(places)
        raise ModelRetry(f"These quotes do not stand in the article. Copy quotes word for word, or leave them out:\n{listed}")
    return analysis


async def analyse_content(article: ArticleMaterial, model: Model, settings: ModelSettings) -> tuple[ContentAnalysis, Grounding]:
    """Run the agent on one article.

    Raises:
        Whatever the model's client raises; ``core.failures.classify`` says what it means.
    """
    text = Text(article.body)
    agent = agent_for(has_native_output(model))
    result = await agent.run(content_analysis_material(article), deps=Deps(text), model=model, model_settings=settings)
    return result.output, ground(result.output, text)
