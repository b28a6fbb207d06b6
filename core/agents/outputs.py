"""What the two agents answer with.

These schemas are what a model is shown (field descriptions included) and what its answer is checked against.
They hold no verdict of our own: whether a quote stands in the article is decided in ``core.evidence``,
whether a source was really found in ``core.research``.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, create_model

Storable = BeforeValidator(lambda value: value.replace("\x00", "") if isinstance(value, str) else value)
"""Without the one character that Postgres cannot hold, so that an answer that was paid for is never lost to it."""
Score = Annotated[float, Field(ge=0, le=1)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000), Storable]
Quote = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=1_000), Storable]
Query = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400), Storable]

MAX_SIGNALS = 12
MAX_SOURCES = 8


class SignalKind(StrEnum):
    """What sort of thing an analyst is looking at."""

    WEAK_SIGNAL = "weak_signal"
    PATTERN_ANOMALY = "pattern_anomaly"
    ADJACENT_CONNECTION = "adjacent_connection"
    NARRATIVE_GAP = "narrative_gap"
    EDGE_INDICATOR = "edge_indicator"


class Timeframe(StrEnum):
    IMMEDIATE = "immediate"
    SHORT_TERM = "short-term"
    MEDIUM_TERM = "medium-term"
    LONG_TERM = "long-term"


class Sentiment(StrEnum):
    POSITIVE = "POSITIVE"
    NEGATIVE = "NEGATIVE"
    NEUTRAL = "NEUTRAL"
    MIXED = "MIXED"


class Verdict(StrEnum):
    """What research says of one signal."""

    VALIDATED = "VALIDATED"
    CONTRADICTED = "CONTRADICTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Stance(StrEnum):
    SUPPORTS = "supports"
    CONTRADICTS = "contradicts"
    NEUTRAL = "neutral"


class FoundSignal(BaseModel):
    """One signal in the article."""

    kind: SignalKind = Field(
        description="weak_signal: an early, small sign of change. pattern_anomaly: a break with what usually happens. "
        "adjacent_connection: a link to another field or market. narrative_gap: what the story leaves out or contradicts. "
        "edge_indicator: behaviour at the margin that may move to the centre."
    )
    category: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=60), Storable] = Field(
        description="Subject in one or two words, such as mining, regulation, flows, security, macro, technology, adoption, market."
    )
    description: Sentence = Field(description="What the signal is, in one or two sentences a newsletter editor understands.")
    implications: Sentence = Field(description="Why it may matter, in one or two sentences.")
    timeframe: Timeframe = Field(description="When it may matter.")
    confidence: Score = Field(description="How sure you are that this is a signal, 0 to 1.")
    evidence: list[Quote] = Field(
        min_length=1, max_length=6, description="Quotes copied word for word from the article body, each one a sentence or a part of one."
    )
    research_query: Query = Field(
        description="A web search that could confirm or refute the signal. Self-contained: full names, places and dates, "
        "never 'the company' or 'yesterday'. At most 400 characters."
    )


class ContentAnalysis(BaseModel):
    """The content analysis agent's whole answer for one article."""

    sentiment: Sentiment = Field(description="The article's sentiment towards Bitcoin and its market.")
    impact: Score = Field(description="How much the news may move the market or the industry, 0 to 1.")
    summary: Sentence = Field(description="The article in two or three sentences.")
    context: Sentence = Field(description="The wider background a reader needs, in one or two sentences.")
    signal_strength: Score = Field(description="How strong the article's signals are taken together, 0 to 1.")
    uniqueness: Score = Field(description="How unlike the usual news flow the article is, 0 to 1.")
    confidence: Score = Field(description="How sure you are of this analysis, 0 to 1.")
    signals: list[FoundSignal] = Field(max_length=MAX_SIGNALS, description="The signals found; empty if there are none.")


class CitedSource(BaseModel):
    """A search result that bears on a signal."""

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=2_000), Storable] = Field(
        description="The address of one of the search results given, copied exactly."
    )
    stance: Stance = Field(description="Whether the result supports the signal, contradicts it, or is neutral.")
    quote: Quote = Field(description="The words of that result on which the stance rests, copied exactly.")


class SignalVerdict(BaseModel):
    """The validation of one signal."""

    signal: int = Field(ge=1, description="The number of the signal, as given.")
    verdict: Verdict = Field(
        description="VALIDATED, CONTRADICTED, INCONCLUSIVE (sources disagree or only touch on it) "
        "or INSUFFICIENT_DATA (nothing relevant found)."
    )
    confidence_adjustment: Annotated[float, Field(ge=-1, le=1)] = Field(
        description="How much the research should move the confidence in the signal, -1 to +1."
    )
    reason: Sentence = Field(description="Why, in one or two sentences that name the sources.")
    sources: list[CitedSource] = Field(
        max_length=MAX_SOURCES, description="The results that the verdict rests on; empty if none is relevant."
    )


class SignalValidation(BaseModel):
    """The signal validation agent's whole answer for one article: one verdict for each signal asked about."""

    verdicts: list[SignalVerdict]


@lru_cache
def signal_validation_for(count: int) -> type[SignalValidation]:
    """The answer's type when ``count`` signals are asked about: exactly that many verdicts, in the same order."""
    return create_model(
        "SignalValidation",
        __base__=SignalValidation,
        __doc__=SignalValidation.__doc__,
        verdicts=(
            list[SignalVerdict],
            Field(min_length=count, max_length=count, description="One verdict for each signal, in the order given."),
        ),
    )
