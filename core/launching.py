"""Launching: from a selection to a batch with its records.

Every launch is one transaction under a lock that lasts as long as it, so two launches of the same articles cannot both take
them. Nothing here runs work: ``core.orchestrator`` finds open batches with pending records and runs them.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import case, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.article_filter import Readiness, is_analysed, is_in_flight, story_has
from core.budget import create_batch_budget, current_budgets, refuse_if_over, usd
from core.configuration import Configuration
from core.database import LAUNCH_LOCK, among
from core.errors import NothingSelected, NotPossible, SettingsError
from core.estimate import Estimate, estimate, measure
from core.models import Article, BatchRecord, BatchSession, RecordStatus
from core.paging import Count
from core.selection import Selection, count, matching_among, newest, resolve, words_in_articles
from core.settings import Settings

logger = logging.getLogger(__name__)

ALREADY_ANALYSED = "already analysed with this configuration"
PLANNED_AT_MOST = 2_000
"""Articles of a selection that an outline looks at one by one; of more, the newest so many stand for all."""
COUNTED_AT_MOST = 250_000
"""Articles of a selection are counted up to here, in an index; of more an outline says that there are more."""
COMMON_AT_MOST = 200
"""The same where they have a common word: to come upon each, others are read."""
IN_FLIGHT = "in flight in another batch"
TOO_SHORT = "shorter than the analysis-ready length"
INACTIVE = "not active"
STORY_ANALYSED = "of a story already analysed with this configuration"
STORY_IN_FLIGHT = "of a story in flight in another batch"
STORY_TAKEN = "of a story of which another article is taken"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a launch would do: the articles that would run, those that would not and why, and the estimate."""

    runnable: tuple[int, ...]
    skipped: tuple[tuple[int, str], ...]
    estimate: Estimate
    every_article: Estimate
    """For one article after the other, whatever story it tells; the same as ``estimate`` unless one a story is taken."""
    one_per_story: Estimate
    """For one article a story."""

    @property
    def has_repeats(self) -> bool:
        """Whether taking one article a story would leave some out."""
        return self.one_per_story.articles < self.every_article.articles


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan in figures, for a screen: exact for ``PLANNED_AT_MOST`` articles, of more what the newest so many come to, scaled."""

    articles: int
    """That are selected."""
    runnable: int
    reasons: Mapping[str, int]
    """Why the others would not run, with how many."""
    estimate: Estimate
    every_article: Estimate
    one_per_story: Estimate
    about: str = ""
    """What is said before its figures: nothing if they are exact, else "about " or "more than "."""

    @property
    def is_exact(self) -> bool:
        return not self.about

    @property
    def has_repeats(self) -> bool:
        return self.one_per_story.articles < self.every_article.articles


def readiness(settings: Settings) -> Readiness:
    """What analysis-ready means with these settings."""
    return Readiness(Configuration.of(settings).hash, settings.minimum_body_chars)


def plan(session: Session, selection: Selection, settings: Settings) -> Plan:
    """What launching ``selection`` now would do. Changes nothing.

    Raises:
        NothingSelected: nothing was chosen, or nothing of it exists any more.
    """
    ids = [] if selection.is_empty else resolve(session, selection, readiness(settings))
    if not ids:
        raise NothingSelected("No article is selected. Pick some rows, or choose all that match the filter.")
    return _planned(session, ids, selection, settings)


def outline(session: Session, selection: Selection, settings: Settings) -> Outline:
    """What launching ``selection`` now would do, in figures that cost the same however much was selected; a launch is exact.

    Raises:
        NothingSelected: nothing was chosen, or nothing of it exists any more.
    """
    sample, number = _sample(session, selection, readiness(settings))
    factor = max(number.value / len(sample), 1.0) if sample else 1.0
    planned = _planned(session, sample, selection, settings, factor) if sample else plan(session, selection, settings)
    selected, reasons = len(planned.runnable) + len(planned.skipped), Counter(reason for _, reason in planned.skipped)
    return Outline(
        articles=round(selected * factor),
        runnable=round(len(planned.runnable) * factor),
        reasons={reason: round(times * factor) for reason, times in reasons.items()},
        estimate=planned.estimate,
        every_article=planned.every_article,
        one_per_story=planned.one_per_story,
        about="" if not sample else "about " if number.exact else "more than ",
    )


def _sample(session: Session, selection: Selection, ready: Readiness) -> tuple[list[int], Count]:
    """The newest articles of a selection that is too large to plan, and about how many it has; none of one that is not."""
    chosen = selection.filter
    if chosen is None or (selection.limit or PLANNED_AT_MOST + 1) <= PLANNED_AT_MOST:
        return [], Count(0, True)
    words = words_in_articles(session, chosen.text)
    most = PLANNED_AT_MOST if words is None or words.ids is not None else COMMON_AT_MOST
    sample = newest(session, chosen, ready, most + 1, words)
    if len(sample) <= most:
        return [], Count(0, True)
    few = words if words is not None and words.ids is not None else None
    anything = chosen.model_copy(update={"as_stories": False, "text": chosen.text if few else "", "besides": ()})
    number = count(session, anything, ready, bound=COUNTED_AT_MOST, words=few)
    share = words.often.rows / max(words.often.of, 1) if words is not None and few is None else 1.0
    if chosen.as_stories:
        alike = newest(session, chosen.model_copy(update={"as_stories": False}), ready, COMMON_AT_MOST, words)
        share *= len(matching_among(session, chosen, ready, alike)) / max(len(alike), 1)
    about = max(round(number.value * share) + len(chosen.besides), len(sample))
    if selection.limit is not None and selection.limit <= about:
        return sample, Count(selection.limit, True)
    return sample, Count(about, number.exact)


def _planned(session: Session, ids: list[int], selection: Selection, settings: Settings, factor: float = 1.0) -> Plan:
    """The plan for these articles; its estimates are for ``factor`` times as many."""
    reasons = _reasons_to_skip(session, ids, readiness(settings))
    able = [article_id for article_id in ids if article_id in reasons and reasons[article_id] is None]
    repeats = _reasons_by_story(session, able, readiness(settings))
    of_stories = [article_id for article_id in able if article_id not in repeats]
    every_article = _estimate(session, able, settings, factor)
    one_per_story = _estimate(session, of_stories, settings, factor) if repeats else every_article
    if selection.one_per_story:
        reasons |= repeats
    return Plan(
        runnable=tuple(of_stories if selection.one_per_story else able),
        skipped=tuple((article_id, reason) for article_id in ids if (reason := reasons.get(article_id))),
        estimate=one_per_story if selection.one_per_story else every_article,
        every_article=every_article,
        one_per_story=one_per_story,
    )


def launch(
    session: Session,
    selection: Selection,
    settings: Settings,
    *,
    by: Actor,
    now: datetime,
    idempotency_key: str | None = None,
    request_hash: str | None = None,
    budget: Decimal | None = None,
) -> int:
    """Make a batch of a selection and return its id. The same idempotency key returns the batch it made the first time.

    ``request_hash`` says with an idempotency key what was asked for: the key of another request is refused.

    Launches are made one after the other (a lock held for this transaction), so two launches of the same articles cannot
    both take them: the second finds them in flight and skips them, shown as such.

    Raises:
        NothingSelected: nothing was chosen, or every chosen article would be skipped (with the reasons).
        BudgetExceeded: the likely cost passes today's or this month's budget. (``budget`` is this batch's own limit, at which it pauses.)
        SettingsError: a key is missing, or the model has no known price.
        NotPossible: the idempotency key was used for something else.
    """
    by.require(Permission.RUN)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LAUNCH_LOCK})
    if idempotency_key is not None:
        known = select(BatchSession.id, BatchSession.request_hash).where(BatchSession.idempotency_key == idempotency_key)
        if (existing := session.execute(known).first()) is not None:
            if existing.request_hash != request_hash:
                raise NotPossible(f"This idempotency key was used for another launch, which made batch {existing.id}. Take a new one.")
            return existing.id
    planned = plan(session, selection, settings)
    if problem := settings.key_problem:
        raise SettingsError(problem)
    if not planned.runnable:
        raise NothingSelected(f"Nothing to analyse: {reasons_in_words(planned.skipped)}.")
    refuse_if_over(current_budgets(session, settings, now), planned.estimate.usd)
    configuration = Configuration.of(settings)
    batch = BatchSession(
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        launched_by=by.name,
        configuration=configuration.as_json(),
        configuration_hash=configuration.hash,
        selection=selection.model_dump(mode="json"),
        estimate=planned.estimate.as_json(),
        concurrency=settings.concurrency,
        created_at=now,
    )
    session.add(batch)
    session.flush()
    if budget is not None:
        create_batch_budget(session, batch.id, budget)
        session.flush()
    _add_records(session, batch.id, planned)
    facts = {"articles": len(planned.runnable), "skipped": len(planned.skipped), "model": configuration.model}
    facts |= {"estimate_usd": planned.estimate.usd, "limit_usd": budget}
    audit.record(session, by, audit.Action.LAUNCH, ("run", batch.id), after=facts)
    told = "launched by %s: %d articles with %s"
    logger.info(told, by.name, len(planned.runnable), configuration.model, extra={"batch_id": batch.id})
    return batch.id


def was_launched(session: Session, idempotency_key: str | None) -> bool:
    """Whether a batch was made under this key."""
    known = select(BatchSession.id).where(BatchSession.idempotency_key == idempotency_key)
    return idempotency_key is not None and session.scalar(known) is not None


def reasons_in_words(skipped: Sequence[tuple[int, str]] | Mapping[str, int]) -> str:
    """Such as "3 already analysed with this configuration, 1 not active"."""
    counted = skipped if isinstance(skipped, Mapping) else Counter(reason for _, reason in skipped)
    return ", ".join(f"{number:,} {reason}" for reason, number in counted.items())


def _reasons_to_skip(session: Session, ids: list[int], ready: Readiness) -> dict[int, str | None]:
    """For each article that exists, why it would not run, or None."""
    reason = case(
        (~Article.is_active, INACTIVE),
        (Article.body_chars < ready.minimum_chars, TOO_SHORT),
        (is_analysed(ready), ALREADY_ANALYSED),
        (is_in_flight(), IN_FLIGHT),
    )
    return dict(session.execute(select(Article.id, reason).where(among(Article.id, ids))).all())


def stories_in_words(planned: Plan | Outline) -> str:
    """Such as "40 articles, 23 stories: $1.10 instead of $1.92"."""
    articles, stories = planned.every_article, planned.one_per_story
    counted = f"{articles.articles:,} articles, {stories.articles:,} {'story' if stories.articles == 1 else 'stories'}"
    return f"{counted}: {usd(stories.usd)} instead of {usd(articles.usd)}"


def _estimate(session: Session, ids: list[int], settings: Settings, factor: float = 1.0) -> Estimate:
    configuration = Configuration.of(settings)
    articles, chars, averages = measure(session, ids, configuration)
    return estimate(round(articles * factor), round(chars * factor), configuration, settings, averages, settings.model_prices)


def _reasons_by_story(session: Session, ids: list[int], ready: Readiness) -> dict[int, str]:
    """Of articles that could run those that one a story leaves out, and why: the story's first of them runs, unless it is covered."""
    covered = case(
        (story_has(lambda other: is_analysed(ready, other)), STORY_ANALYSED),
        (story_has(is_in_flight), STORY_IN_FLIGHT),
    )
    rows = session.execute(
        select(Article.id, Article.story_id, covered)
        .where(among(Article.id, ids), Article.story_id.is_not(None))
        .order_by(Article.published_at, Article.id)
    )
    left_out: dict[int, str] = {}
    taken: set[int] = set()
    for article_id, story_id, reason in rows:
        if reason:
            left_out[article_id] = reason
        elif story_id in taken:
            left_out[article_id] = STORY_TAKEN
        taken.add(story_id)
    return left_out


def _add_records(session: Session, batch_id: int, planned: Plan) -> None:
    reasons = dict(planned.skipped)
    ids = [*planned.runnable, *reasons]
    titles = dict(session.execute(select(Article.id, Article.title).where(among(Article.id, ids))).all())
    rows = [
        {
            "batch_id": batch_id,
            "article_id": article_id,
            "article_title": titles[article_id],
            "position": position,
            "status": RecordStatus.SKIPPED if article_id in reasons else RecordStatus.PENDING,
            "skip_reason": reasons.get(article_id),
        }
        for position, article_id in enumerate(ids)
    ]
    session.execute(insert(BatchRecord), rows)
