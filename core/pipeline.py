"""One article's way through the agents: content analysis, evidence check, research, signal validation.

Each step that was paid for is kept before the next begins, and a step whose result is kept already is not done again. So a
crash repeats at most the call that was in flight. Runs on a batch's event loop; database work leaves the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic_ai.exceptions import OutputTokenLimitExceeded
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from sqlalchemy.orm import Session

from core import kept_answers, records
from core.agents import content_analysis, signal_validation
from core.agents.content_analysis import analyse_content
from core.agents.materials import ArticleMaterial, ResultMaterial, SignalMaterial
from core.agents.signal_validation import validate_signals
from core.articles import ArticleText, get_article
from core.budget import LeaseLost
from core.clock import utc_now
from core.configuration import Configuration
from core.errors import DeskError
from core.failures import Action, CallFailed, FailureKind, classify
from core.metering import Meter, MeteredModel
from core.research import Search, SearchResult, WebSearch, search_archive
from core.signals import OpenSignal, complete_analysis, find_analysis, keep_analysis, signals_of
from core.validations import NOTHING_FOUND, Finding, keep_validations, validated_signals

T = TypeVar("T")

TEMPERATURE = 0.2  # near enough to the evidence, without repeating one answer for ever


@dataclass(frozen=True, slots=True)
class Tools:
    """What a batch's articles share on its event loop."""

    configuration: Configuration
    model: Model
    web: WebSearch | None


@dataclass(frozen=True, slots=True)
class Research:
    """What was searched for and found: results by their address, searches by signal, and what went wrong for good, if anything."""

    results: Mapping[str, SearchResult]
    searches: Mapping[int, Sequence[Search]]
    trouble: str | None = None


async def run_article(meter: Meter, tools: Tools) -> None:
    """Take one article all the way, and complete its record.

    Raises:
        NotFound: the article was deleted.
        CallFailed: with what a person can do about it.
        NoRoom: a budget has no room.
        LeaseLost: the record was cancelled or taken over.
    """
    configuration = tools.configuration

    def begin(session: Session) -> tuple[ArticleText, int | None]:
        article = get_article(session, meter.article_id)
        meter.kept.update(kept_answers.of_record(session, meter.record_id))
        return article, find_analysis(session, article.id, configuration.hash, article.content_hash)

    article, analysis_id = await meter.commits.run(begin)
    if analysis_id is None:
        analysis_id, found = await analyse(article, meter, tools)
    else:
        kept = analysis_id
        found = await meter.commits.run(lambda session: not_yet_researched(session, kept))
    signals = worth_researching(found, configuration.minimum_confidence)
    findings, results = await research_and_validate(article, signals, meter, tools) if signals else ([], {})

    def finish(session: Session) -> None:
        keep_validations(session, findings, results, configuration)
        complete_analysis(session, analysis_id, now=utc_now())
        if not records.complete(session, meter.record_id, owner=meter.owner, now=utc_now()):
            raise LeaseLost("The article was taken over by another worker; what it found is kept by that one.")

    await meter.commits.run(finish)


async def analyse(article: ArticleText, meter: Meter, tools: Tools) -> tuple[int, list[OpenSignal]]:
    """Content analysis and evidence check; returns the id of the kept analysis and its signals."""
    configuration = tools.configuration
    model = MeteredModel(tools.model, meter, agent=content_analysis.NAME, name=configuration.model)
    try:
        analysis, grounding = await with_more_room(lambda room: analyse_content(_material(article), model, room), configuration)
    except (CallFailed, DeskError):
        raise
    except Exception as error:
        raise CallFailed(classify(error)) from error

    def keep(session: Session) -> tuple[int, list[OpenSignal]]:
        kept = find_analysis(session, article.id, configuration.hash, article.content_hash)
        if kept is not None:  # by this very transaction, if the connection broke at its end
            return kept, not_yet_researched(session, kept)
        return keep_analysis(
            session,
            article_id=article.id,
            content_hash=article.content_hash,
            batch_id=meter.batch_id,
            configuration=configuration,
            analysis=analysis,
            grounding=grounding,
        )

    return await meter.commits.run(keep)


def not_yet_researched(session: Session, analysis_id: int) -> list[OpenSignal]:
    """The signals of a kept analysis that have no finding yet, or one that failed."""
    found = signals_of(session, analysis_id)
    done = validated_signals(session, [signal.id for signal in found])
    return [signal for signal in found if signal.id not in done]


def worth_researching(found: Sequence[OpenSignal], minimum_confidence: float) -> list[OpenSignal]:
    """The signals with enough confidence, strongest first."""
    return sorted((signal for signal in found if signal.confidence >= minimum_confidence), key=lambda signal: -signal.confidence)


async def research_and_validate(
    article: ArticleText, signals: Sequence[OpenSignal], meter: Meter, tools: Tools
) -> tuple[list[Finding], Mapping[str, SearchResult]]:
    """Research signals and ask the validation agent; returns a finding for each, and the results they rest on.

    Raises:
        CallFailed: every call of the batch would fail the same way, so it must stop.
        NoRoom, LeaseLost: as ``run_article``.
    """
    found = await research(article, signals, meter, tools)
    if not found.results:
        words = found.trouble or NOTHING_FOUND
        failed = found.trouble is not None
        return [Finding(signal.id, tuple(found.searches[signal.id]), reason=words, failed=failed) for signal in signals], {}
    model = MeteredModel(tools.model, meter, agent=signal_validation.NAME, name=tools.configuration.model)
    questions = [SignalMaterial(number, signal.description, signal.quotes) for number, signal in enumerate(signals, start=1)]
    materials = [
        ResultMaterial(result.url, result.title, result.publisher, result.published_at, result.text) for result in found.results.values()
    ]
    try:
        verdicts = await with_more_room(
            lambda room: validate_signals(_material(article), questions, materials, model, room), tools.configuration
        )
    except DeskError:
        raise
    except Exception as error:
        failure = classify(error)
        if failure.action is Action.STOP or failure.kind is FailureKind.INTERNAL:
            raise CallFailed(failure) from error
        reason = f"The signal could not be validated. {failure.message}"
        return [Finding(signal.id, tuple(found.searches[signal.id]), reason=reason, failed=True) for signal in signals], {}
    return [
        Finding(signal.id, tuple(found.searches[signal.id]), verdict) for signal, verdict in zip(signals, verdicts, strict=True)
    ], found.results


async def research(article: ArticleText, signals: Sequence[OpenSignal], meter: Meter, tools: Tools) -> Research:
    """Search for every signal, the archive first.

    Raises:
        CallFailed: the search provider refuses every call, so the batch must stop.
        NoRoom, LeaseLost: as ``run_article``.
    """
    results: dict[str, SearchResult] = {}
    searches: dict[int, list[Search]] = {signal.id: [] for signal in signals}

    def look_up(session: Session) -> list[list[SearchResult]]:
        return [search_archive(session, signal.research_query, article_id=article.id, around=article.published_at) for signal in signals]

    def add(signal: OpenSignal, provider: str, found: Sequence[SearchResult]) -> None:
        searches[signal.id].append(Search(provider, signal.research_query, len(found)))
        for result in found:
            results.setdefault(result.url, result)

    for signal, found in zip(signals, await meter.desk.offload(look_up), strict=True):
        add(signal, "archive", found)
    if tools.web is None:
        return Research(results, searches)
    worth_a_search = signals[: tools.configuration.searches_per_article]
    answers = await asyncio.gather(*(tools.web.search(signal.research_query, meter) for signal in worth_a_search), return_exceptions=True)
    trouble = None
    for signal, answer in zip(worth_a_search, answers, strict=True):
        if isinstance(answer, list):
            add(signal, tools.web.provider, answer)
        elif isinstance(answer, CallFailed) and answer.failure.action is not Action.STOP:
            trouble = f"The search failed. {answer.failure.message}"
        else:
            raise answer
    return Research(results, searches, trouble)


def _material(article: ArticleText) -> ArticleMaterial:
    return ArticleMaterial(article.title, article.publisher, article.published_at, article.body)


async def with_more_room(ask: Callable[[ModelSettings], Awaitable[T]], configuration: Configuration) -> T:
    """Ask, and once more with twice the output tokens when the answer was cut off."""
    try:
        return await ask(ModelSettings(max_tokens=configuration.max_output_tokens, temperature=TEMPERATURE))
    except OutputTokenLimitExceeded:
        return await ask(ModelSettings(max_tokens=2 * configuration.max_output_tokens, temperature=TEMPERATURE))
