"""What a launch will cost and take, before a cent is spent.

Input is counted from the selected text itself. What is not known in advance (length of answers, signals an article, seconds
a call) comes from this desk's own recent calls of the same model where there are enough, else from the defaults below.
Pure but for ``measure``, which reads both from the database.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.agents.prompts import prompt
from core.configuration import Configuration
from core.database import among
from core.models import Article, LedgerEntry, LedgerKind, LedgerStatus
from core.pricing import TokenUsage, is_free, model_cost
from core.settings import ModelPrice, Settings

CHARS_PER_TOKEN = 4  # English prose, https://ai.google.dev/gemini-api/docs/tokens
SCHEMA_TOKENS = 900  # the output schema that goes with every request
RESULTS_TOKENS = 2_500  # signals and search results of one validation request
ENOUGH_CALLS = 20  # recent calls from which averages are taken
RECENT_CALLS = 500
TEXT_AT_MOST = 60_000  # characters of one body that are sent


@dataclass(frozen=True, slots=True)
class Averages:
    """What calls of a model were like. The defaults are those of Gemini 2.5 Flash on news articles of 4,000 characters."""

    content_output_tokens: float = 2_200
    validation_output_tokens: float = 1_300
    searches_per_article: float = 3.5
    seconds_per_call: float = 9.0
    measured_calls: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Figures for the whole selection. ``usd`` is the likely cost, ``usd_at_most`` the ceiling per article times articles."""

    articles: int
    input_tokens: int
    output_tokens: int
    searches: int
    usd: Decimal
    usd_at_most: Decimal
    seconds: float
    measured_calls: int

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def estimate(
    articles: int,
    body_chars: int,
    configuration: Configuration,
    settings: Settings,
    averages: Averages,
    prices: Mapping[str, ModelPrice],
) -> Estimate:
    """The estimate for ``articles`` articles with ``body_chars`` characters in all.

    Raises:
        SettingsError: the model has no known price.
    """
    prompts = sum(len(prompt(name).text) for name in ("content_analysis", "signal_validation")) // CHARS_PER_TOKEN
    input_tokens = body_chars // CHARS_PER_TOKEN + articles * (prompts + 2 * SCHEMA_TOKENS + RESULTS_TOKENS)
    output_tokens = round(articles * (averages.content_output_tokens + averages.validation_output_tokens))
    searches = round(articles * min(averages.searches_per_article, configuration.searches_per_article))
    if configuration.research_provider != "tavily":
        searches = 0
    model_usd = model_cost(configuration.model, TokenUsage(input=input_tokens, output=output_tokens), prices)
    usd = model_usd + searches * settings.tavily_usd_per_credit
    free = is_free(configuration.model) and not searches
    at_most = Decimal(0) if free else settings.cost_ceiling_per_article * articles
    if is_free(configuration.model):
        input_tokens = output_tokens = 0
    seconds = articles * 2 * averages.seconds_per_call / min(settings.concurrency, max(articles, 1))
    return Estimate(articles, input_tokens, output_tokens, searches, usd, max(at_most, usd), seconds, averages.measured_calls)


def measure(session: Session, ids: list[int], configuration: Configuration) -> tuple[int, int, Averages]:
    """How many of ``ids`` exist, their characters in all (each at most what is sent), and the averages to reckon with."""
    articles, chars = session.execute(
        select(func.count(), func.coalesce(func.sum(func.least(Article.body_chars, TEXT_AT_MOST)), 0)).where(among(Article.id, ids))
    ).one()
    return articles, int(chars), recent_averages(session, configuration.model)


def recent_averages(session: Session, model: str) -> Averages:
    """Averages over the newest settled calls of ``model``; the defaults where there are too few."""
    newest = (
        select(LedgerEntry)
        .where(LedgerEntry.model == model, LedgerEntry.status == LedgerStatus.SETTLED, LedgerEntry.error_kind.is_(None))
        .order_by(LedgerEntry.id.desc())  # as its index ends
        .limit(RECENT_CALLS)
        .subquery()
    )
    tokens = newest.c.output_tokens + newest.c.thinking_tokens
    seconds = func.extract("epoch", newest.c.settled_at - newest.c.created_at)
    content, validation, mean_seconds, calls, articles = session.execute(
        select(
            func.avg(tokens).filter(newest.c.agent == "content_analysis"),
            func.avg(tokens).filter(newest.c.agent == "signal_validation"),
            func.avg(seconds),
            func.count(),
            func.count(newest.c.article_id.distinct()),
        )
    ).one()
    defaults = Averages()
    if calls < ENOUGH_CALLS or content is None:
        return Averages(seconds_per_call=0.05) if is_free(model) else defaults
    searches = session.scalar(
        select(func.count()).where(
            LedgerEntry.kind == LedgerKind.SEARCH,
            LedgerEntry.provider == "tavily",
            LedgerEntry.status == LedgerStatus.SETTLED,
            LedgerEntry.article_id.in_(select(newest.c.article_id)),
        )
    )
    return Averages(
        content_output_tokens=float(content),
        validation_output_tokens=float(validation or 0),
        searches_per_article=(searches or 0) / articles if articles and searches else defaults.searches_per_article,
        seconds_per_call=float(mean_seconds),
        measured_calls=calls,
    )
