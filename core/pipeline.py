"""One article's way through the agents: content analysis, evidence check, research, signal validation.

Each step that was paid for is kept before the next begins, and a step whose result is kept already is not done again. So a
crash repeats at most the call that was in flight. Runs on a batch's event loop; database work leaves the loop.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from sqlalchemy.orm import Session

from core.agents import content_analysis, signal_validation
from core.agents.content_analysis import analyse_content
from core.agents.materials import ArticleMaterial, ResultMaterial, SignalMaterial
from core.agents.signal_validation import validate_signals
from core.articles import ArticleText, get_article
from core.budget import NoRoom
from core.clock import utc_now
from core.configuration import Configuration
from core.failures import Action, CallFailed, classify
from core.metering import Meter, MeteredModel
from core.research import Search, SearchResult, WebSearch, search_archive
from core.signals import SignalDetail, complete_analysis, find_analysis, keep_analysis, signals_of
from core.validations import keep_insufficient, keep_validation, validated_signals


@dataclass(frozen=True, slots=True)
class Tools:
    """What a batch's articles share on its event loop."""

    configuration: Configuration
    model: Model
    web: WebSearch | None


async def run_article(meter: Meter, tools: Tools) -> None:
    """Take one article all the way.

    Raises:
        NotFound: the article was deleted.
        CallFailed: with what a person can do about it.
        NoRoom: a budget has no room.
    """
    article = await meter.desk.offload(lambda session: get_article(session, meter.article_id))
    analysis_id = await analyse(article, meter, tools)
    await research_and_validate(article, analysis_id, meter, tools)
    await meter.desk.offload(lambda session: complete_analysis(session, analysis_id, now=utc_now()))


async def analyse(article: ArticleText, meter: Meter, tools: Tools) -> int:
    """Content analysis and evidence check; returns the id of the kept analysis."""
    configuration = tools.configuration
    existing = await meter.desk.offload(lambda session: find_analysis(session, article.id, configuration.hash, article.content_hash))
    if existing is not None:
        return existing.id
    model = MeteredModel(tools.model, meter, agent=content_analysis.NAME, name=configuration.model)
    try:
        analysis, grounding = await analyse_content(_material(article), model, _model_settings(configuration))
    except (CallFailed, NoRoom):
        raise
    except Exception as error:
        raise CallFailed(classify(error)) from error
    return await meter.desk.offload(
        lambda session: keep_analysis(
            session,
            article_id=article.id,
            content_hash=article.content_hash,
            batch_id=meter.batch_id,
            configuration=configuration,
            analysis=analysis,
            grounding=grounding,
        ),
    )


async def research_and_validate(article: ArticleText, analysis_id: int, meter: Meter, tools: Tools) -> None:
    """Research the signals that are worth it and have no validation yet, and keep a verdict for each."""
    signals = await meter.desk.offload(lambda session: _open_signals(session, analysis_id, tools.configuration.minimum_confidence))
    if not signals:
        return
    results, searches, trouble = await research(article, signals, meter, tools)
    if not results:
        reason = trouble or "The searches found nothing that bears on this signal."
        await meter.desk.offload(lambda session: _keep_all_insufficient(session, signals, reason, searches, tools.configuration))
        return
    model = MeteredModel(tools.model, meter, agent=signal_validation.NAME, name=tools.configuration.model)
    questions = [
        SignalMaterial(number, signal.description, tuple(evidence.quote for evidence in signal.evidence))
        for number, signal in enumerate(signals, start=1)
    ]
    materials = [ResultMaterial(result.url, result.title, result.publisher, result.published_at, result.text) for result in results]
    try:
        verdicts = await validate_signals(_material(article), questions, materials, model, _model_settings(tools.configuration))
    except NoRoom:
        raise
    except Exception as error:
        failure = classify(error)
        if failure.action is Action.STOP:
            raise CallFailed(failure) from error
        reason = f"The signal could not be validated. {failure.message}"
        await meter.desk.offload(lambda session: _keep_all_insufficient(session, signals, reason, searches, tools.configuration))
        return

    def keep(session: Session) -> None:
        for signal, verdict in zip(signals, verdicts, strict=True):
            keep_validation(session, signal.id, verdict, results, searches[signal.id], tools.configuration)

    await meter.desk.offload(keep)


async def research(
    article: ArticleText, signals: Sequence[SignalDetail], meter: Meter, tools: Tools
) -> tuple[list[SearchResult], dict[int, list[Search]], str | None]:
    """Search for every signal, the archive first.

    Returns the distinct results, the searches made for each signal, and what went wrong if a search failed for good.

    Raises:
        CallFailed: the search provider refuses every call, so the batch must stop.
        NoRoom: a budget has no room.
    """
    results: dict[str, SearchResult] = {}
    searches: dict[int, list[Search]] = {signal.id: [] for signal in signals}

    def look_up(session: Session) -> None:
        for signal in signals:
            found = search_archive(session, signal.research_query, article_id=article.id, around=article.published_at)
            searches[signal.id].append(Search("archive", signal.research_query, len(found)))
            results.update((result.url, result) for result in found if result.url not in results)

    await meter.desk.offload(look_up)
    if tools.web is None:
        return list(results.values()), searches, None
    worth_a_search = signals[: tools.configuration.searches_per_article]
    answers = await asyncio.gather(*(tools.web.search(signal.research_query, meter) for signal in worth_a_search), return_exceptions=True)
    trouble = None
    for signal, answer in zip(worth_a_search, answers, strict=True):
        if isinstance(answer, list):
            searches[signal.id].append(Search(tools.web.provider, signal.research_query, len(answer)))
            results.update((result.url, result) for result in answer if result.url not in results)
        elif isinstance(answer, CallFailed) and answer.failure.action is not Action.STOP:
            trouble = f"The search failed. {answer.failure.message}"
        else:
            raise answer
    return list(results.values()), searches, trouble


def _open_signals(session: Session, analysis_id: int, minimum_confidence: float) -> list[SignalDetail]:
    """The signals to research, strongest first."""
    strong = [signal for signal in signals_of(session, analysis_id) if signal.confidence >= minimum_confidence]
    done = validated_signals(session, [signal.id for signal in strong])
    return sorted((signal for signal in strong if signal.id not in done), key=lambda signal: -signal.confidence)


def _keep_all_insufficient(
    session: Session, signals: Sequence[SignalDetail], reason: str, searches: dict[int, list[Search]], configuration: Configuration
) -> None:
    for signal in signals:
        keep_insufficient(session, signal.id, reason, searches[signal.id], configuration)


def _material(article: ArticleText) -> ArticleMaterial:
    return ArticleMaterial(article.title, article.publisher, article.published_at, article.body)


def _model_settings(configuration: Configuration) -> ModelSettings:
    return ModelSettings(max_tokens=configuration.max_output_tokens, temperature=0.2)
