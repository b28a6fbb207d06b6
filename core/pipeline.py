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

from core import kept_answers, records, tracing
from core.agents import content_analysis, signal_validation
from core.agents.content_analysis import analyse_content
from core.agents.materials import ArticleMaterial, ResultMaterial, SignalMaterial
from core.agents.signal_validation import validate_signals
from core.articles import ArticleText, get_articles
from core.authorities import authorities
from core.budget import LeaseLost
from core.clock import utc_now
from core.configuration import Configuration
from core.errors import DeskError, NotFound
from core.failures import Action, CallFailed, FailureKind, classify
from core.metering import Account, Meter, MeteredModel
from core.models import Authority
from core.queries import self_contained
from core.research import ARCHIVE_RESULTS_AN_ARTICLE, Search, SearchResult, WebSearch, search_archive
from core.settled import settled
from core.signals import NewAnalysis, OpenSignal, complete_analyses, find_analyses, keep_analyses, signals_of
from core.validations import NOTHING_FOUND, Finding, keep_validations, validated_signals
from core.verdicts import standings

T = TypeVar("T")

TEMPERATURE = 0.2  # near enough to the evidence, without repeating one answer for ever


@dataclass(frozen=True, slots=True)
class Research:
    """What was searched for and found: results by their address, searches by signal, and what went wrong for good, if anything."""

    results: Mapping[str, SearchResult]
    searches: Mapping[int, Sequence[Search]]
    authorities: Mapping[str, Authority]
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """An article at the end of its way."""

    record_id: int
    analysis_id: int
    findings: Sequence[Finding]


@dataclass(frozen=True, eq=False, slots=True)
class Pipeline:
    """What a batch's articles share, and their way. ``begin``, ``keep`` and ``finish`` are its work for group commit."""

    account: Account
    configuration: Configuration
    model: Model
    web: WebSearch | None

    async def run(self, meter: Meter) -> None:
        """Take one article all the way, and complete its record.

        Raises:
            NotFound: the article was deleted.
            CallFailed: with what a person can do about it.
            NoRoom: a budget has no room.
            LeaseLost: the record was cancelled or taken over.
            DatabaseUnavailable: the server stays away.
        """
        commits = self.account.commits
        article, known = await commits.run(self.begin, meter)
        if article is None:
            raise NotFound(f"Article {meter.article_id} was deleted.")
        if known is not None:
            analysis_id, found = known, await commits.run(not_yet_researched, known)
        else:
            analysis_id, found = await commits.run(self.keep, await self.analyse(article, meter))
        signals = worth_researching(found, self.configuration.minimum_confidence)
        findings = await self.research_and_validate(article, signals, meter) if signals else []
        finishing = commits.run(self.finish, Done(meter.record_id, analysis_id, findings))
        is_ours, _ = await asyncio.gather(finishing, meter.settled())
        if not is_ours:
            raise LeaseLost("The article was taken over by another worker; what it found is kept by that one.")

    # --- what is read and kept -------------------------------------------------------------------------------------------

    def begin(self, session: Session, meters: Sequence[Meter]) -> list[tuple[ArticleText | None, int | None]]:
        """Read articles, None where one was deleted, and ids of their analyses where those are kept already."""
        articles = get_articles(session, [meter.article_id for meter in meters])
        texts = {article.id: article.content_hash for article in articles.values()}
        analyses = find_analyses(session, texts, self.configuration.hash)
        kept = kept_answers.of_records(session, [meter.record_id for meter in meters])
        for meter in meters:
            meter.kept.update(kept[meter.record_id])
        return [(articles.get(meter.article_id), analyses.get(meter.article_id)) for meter in meters]

    def keep(self, session: Session, new: Sequence[NewAnalysis]) -> list[tuple[int, list[OpenSignal]]]:
        """Keep analyses; returns the id of each, and its signals that are still to be researched."""
        texts = {one.article_id: one.content_hash for one in new}
        known = find_analyses(session, texts, self.configuration.hash)  # kept by this very work, if the connection broke at its end
        kept = keep_analyses(session, [one for one in new if one.article_id not in known], self.account.batch_id, self.configuration)
        fresh = iter(kept)
        again = dict(zip(known.values(), not_yet_researched(session, list(known.values())), strict=True))
        return [(id_, again[id_]) if (id_ := known.get(one.article_id)) else next(fresh) for one in new]

    def finish(self, session: Session, done: Sequence[Done]) -> list[bool]:
        """Complete records with what was found; False for one whose lease was lost, of which nothing is kept."""
        now = utc_now()
        ours = records.complete(session, [one.record_id for one in done], owner=self.account.owner, now=now)
        ended = [one for one in done if one.record_id in ours]
        keep_validations(session, [finding for one in ended for finding in one.findings], self.configuration)
        complete_analyses(session, [one.analysis_id for one in ended], now=now)
        return [one.record_id in ours for one in done]

    # --- what is asked and searched --------------------------------------------------------------------------------------

    async def analyse(self, article: ArticleText, meter: Meter) -> NewAnalysis:
        """Content analysis and evidence check."""
        model = MeteredModel(self.model, meter, agent=content_analysis.NAME, name=self.configuration.model)
        try:
            analysis, grounding = await with_more_room(lambda room: analyse_content(_material(article), model, room), self.configuration)
        except (CallFailed, DeskError):
            raise
        except Exception as error:
            raise CallFailed(classify(error)) from error
        return NewAnalysis(article.id, article.content_hash, analysis, grounding)

    async def research_and_validate(self, article: ArticleText, signals: Sequence[OpenSignal], meter: Meter) -> list[Finding]:
        """Research signals and ask the validation agent; returns a finding for each.

        Raises:
            CallFailed: every call of the batch would fail the same way, so it must stop.
            NoRoom, LeaseLost: as ``run``.
        """
        found = await self.research(article, signals, meter)
        if not found.results:
            words = found.trouble or NOTHING_FOUND
            failed = found.trouble is not None
            return [Finding(signal.id, tuple(found.searches[signal.id]), reason=words, failed=failed) for signal in signals]
        model = MeteredModel(self.model, meter, agent=signal_validation.NAME, name=self.configuration.model)
        questions = [SignalMaterial(number, signal.description, signal.quotes) for number, signal in enumerate(signals, start=1)]
        materials = [
            ResultMaterial(result.url, result.title, result.publisher, result.published_at, result.text)
            for result in found.results.values()
        ]
        try:
            verdicts = await with_more_room(
                lambda room: validate_signals(_material(article), questions, materials, model, room), self.configuration
            )
        except DeskError:
            raise
        except Exception as error:
            failure = classify(error)
            if failure.action is Action.STOP or failure.kind is FailureKind.INTERNAL:
                raise CallFailed(failure) from error
            reason = f"The signal could not be validated. {failure.message}"
            return [Finding(signal.id, tuple(found.searches[signal.id]), reason=reason, failed=True) for signal in signals]
        return [
            Finding(
                signal.id,
                tuple(found.searches[signal.id]),
                verdict,
                standings(article.body, article.publisher, verdict.sources, found.results, found.authorities),
                found.results,
            )
            for signal, verdict in zip(signals, verdicts, strict=True)
        ]

    async def research(self, article: ArticleText, signals: Sequence[OpenSignal], meter: Meter) -> Research:
        """Search for every signal, the archive first.

        Raises:
            CallFailed: the search provider refuses every call, so the batch must stop.
            NoRoom, LeaseLost: as ``run``.
        """
        queries = {signal.id: self_contained(signal.research_query, article.title, article.published_at) for signal in signals}
        results: dict[str, SearchResult] = {}
        searches: dict[int, list[Search]] = {signal.id: [] for signal in signals}

        def add(signal: OpenSignal, provider: str, found: Sequence[SearchResult]) -> None:
            searches[signal.id].append(Search(provider, queries[signal.id], len(found)))
            for result in found:
                results.setdefault(result.url, result)

        def look_up(session: Session) -> tuple[dict[str, Authority], list[OpenSignal]]:
            """Search the archive; returns the authorities, and the signals that it does not settle."""
            known, unsettled, published = authorities(session), [], article.published_at
            for signal in signals:
                room = ARCHIVE_RESULTS_AN_ARTICLE - len(results)
                found = search_archive(session, queries[signal.id], article_id=article.id, around=published)[: max(room, 0)]
                add(signal, "archive", found)
                if self.web is not None and not settled(signal, found, article, known):
                    unsettled.append(signal)
            return known, unsettled

        with tracing.span("search archive"):
            known, unsettled = await self.account.desk.offload(look_up)
        if self.web is None:
            return Research(results, searches, known)
        worth_a_search = unsettled[: self.configuration.searches_per_article]
        distinct = list(dict.fromkeys(queries[signal.id] for signal in worth_a_search))  # two signals may ask the same
        answers = await asyncio.gather(*(self.web.search(query, meter) for query in distinct), return_exceptions=True)
        answer_to = dict(zip(distinct, answers, strict=True))
        trouble = None
        for signal in worth_a_search:
            answer = answer_to[queries[signal.id]]
            if isinstance(answer, list):
                add(signal, self.web.provider, answer)
            elif isinstance(answer, CallFailed) and answer.failure.action is not Action.STOP:
                trouble = f"The search failed. {answer.failure.message}"
            else:
                raise answer
        return Research(results, searches, known, trouble)


def not_yet_researched(session: Session, analysis_ids: Sequence[int]) -> list[list[OpenSignal]]:
    """Of each kept analysis, the signals that have no finding yet, or one that failed."""
    if not analysis_ids:
        return []
    found = signals_of(session, analysis_ids)
    done = validated_signals(session, [signal.id for signals in found.values() for signal in signals])
    return [[signal for signal in found[analysis_id] if signal.id not in done] for analysis_id in analysis_ids]


def worth_researching(found: Sequence[OpenSignal], minimum_confidence: float) -> list[OpenSignal]:
    """The signals with enough confidence, strongest first."""
    return sorted((signal for signal in found if signal.confidence >= minimum_confidence), key=lambda signal: -signal.confidence)


def _material(article: ArticleText) -> ArticleMaterial:
    return ArticleMaterial(article.title, article.publisher, article.published_at, article.body)


async def with_more_room(ask: Callable[[ModelSettings], Awaitable[T]], configuration: Configuration) -> T:
    """Ask, and once more with twice the output tokens when the answer was cut off."""
    try:
        return await ask(ModelSettings(max_tokens=configuration.max_output_tokens, temperature=TEMPERATURE))
    except OutputTokenLimitExceeded:
        return await ask(ModelSettings(max_tokens=2 * configuration.max_output_tokens, temperature=TEMPERATURE))
