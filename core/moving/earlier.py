"""Earlier analyses: what another desk's row says, in this desk's words. Pure.

What it says is taken, what it leaves out is not made up: a score that is missing is 0, a text ``NOT_GIVEN``. Whether its quotes
hold is decided where it is kept, against the article (``core.evidence``).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.agents.outputs import ContentAnalysis, FoundSignal, Sentiment, SignalKind, Stance, Timeframe, Verdict
from core.importers.clean_text import clean_characters, one_line
from core.importers.dates import parse_date
from core.importers.fields import normalised_names
from core.moving.matching import entries, with_validations
from core.moving.rows import opened, text_of

NOT_GIVEN = "Not given."
MAX_SIGNALS = 50
MAX_QUOTES = 20
MAX_SOURCES = 30
MAX_TEXT = 2_000
LEAST_QUOTE, MOST_QUOTE = 8, 1_000

SIGNALS = ("signals", "detectedsignals", "keysignals", "allsignals", "marketsignals")
KINDS: Mapping[str, SignalKind] = {
    **dict.fromkeys(("weaksignals", "weaksignal"), SignalKind.WEAK_SIGNAL),
    **dict.fromkeys(("patternanomalies", "patternanomaly", "anomalies", "anomaly"), SignalKind.PATTERN_ANOMALY),
    **dict.fromkeys(("adjacentconnections", "adjacentconnection", "connections"), SignalKind.ADJACENT_CONNECTION),
    **dict.fromkeys(("narrativegaps", "narrativegap", "gaps"), SignalKind.NARRATIVE_GAP),
    **dict.fromkeys(("edgeindicators", "edgeindicator"), SignalKind.EDGE_INDICATOR),
}
NESTED = ("analysis", "analysisresult", "analysisdata", "contentanalysis", "result", "results", "output", "response", "payload", "data")
SENTIMENT = ("sentiment", "overallsentiment", "sentimentlabel", "marketsentiment", "sentimentscore")
IMPACT = ("impact", "impactscore", "marketimpact", "impactlevel")
SUMMARY = ("summary", "analysissummary", "abstract", "tldr", "overview")
CONTEXT = ("context", "corecontext", "background", "marketcontext", "widercontext", "reasoning", "rationale")
STRENGTH = ("signalstrength", "overallsignalstrength", "strength", "strengthscore", "signalscore")
UNIQUENESS = ("uniqueness", "uniquenessscore", "novelty", "noveltyscore", "originality")
CONFIDENCE = ("confidence", "confidencescore", "analysisconfidence", "overallconfidence", "confidencelevel")
MODEL = ("model", "modelname", "modelused", "llmmodel", "aimodel", "llm", "modelid")
PROMPT = ("promptversion", "analysisversion", "version")
MADE = ("completedat", "analyzedat", "analysedat", "processedat", "createdat", "analysisdate", "timestamp", "updatedat")
STATE = ("analysisstatus", "processingstatus", "status", "state")

_DESCRIPTION = ("description", "signaldescription", "signal", "signaltext", "text", "observation", "insight", "finding", "title", "name")
_IMPLICATIONS = ("implications", "implication", "significance", "whyitmatters", "potentialimpact", "relevance", "rationale", "reasoning")
_TIMEFRAME = ("timeframe", "timehorizon", "horizon", "timeline", "timing")
_SIGNAL_CONFIDENCE = ("confidence", "confidencescore", "signalconfidence", "score", "strength", "signalstrength", "probability", "weight")
_EVIDENCE = (
    *("evidence", "quotes", "quote", "supportingquotes", "supportingevidence", "evidencequotes", "textevidence"),
    *("excerpts", "excerpt", "sourcetext", "sourcequote", "citations"),
)
_QUERY = ("researchquery", "searchquery", "validationquery", "query")
_CATEGORY = ("category", "signalcategory", "theme", "topic", "area", "domain", "signaltype", "kind", "type")
_KIND = ("kind", "signaltype", "signalkind", "type", "category")
_VALIDATION = ("validation", "validations", "signalvalidation", "validationresult")
_VERDICT = ("verdict", "validationstatus", "validationverdict", "status", "outcome", "result", "isvalidated", "validated", "isvalid")
_REASON = ("reason", "reasoning", "explanation", "justification", "validationnotes", "notes", "summary", "analysis")
_OWN_VALIDATIONS = ("validations", "signalvalidations", "validationresults")
_INLINE = (
    *("verdict", "validationstatus", "validationverdict", "isvalidated", "validated", "confidenceadjustment", "confidencedelta"),
    *("validationnotes", "sources", "sourceurls"),
)
"""Of what a signal's own row says, what is about its validation."""
_ADJUSTMENT = ("confidenceadjustment", "confidencedelta", "adjustment", "confidencechange")
_SOURCES = (
    "sources",
    "references",
    "supportingsources",
    "contradictingsources",
    "sourceurls",
    "urls",
    "citations",
    "evidence",
    "searchresults",
)
_QUOTE = ("quote", "text", "excerpt", "snippet", "content", "quoted", "evidence")
_ADDRESS = ("url", "link", "href", "sourceurl", "source")

_VERDICTS = (
    (Verdict.INSUFFICIENT_DATA, re.compile(r"insufficient|no.?data|unknown|not.?enough|unverified|no.?evidence")),
    (Verdict.INCONCLUSIVE, re.compile(r"inconclusive|mixed|partial|uncertain|unclear|neutral|ambiguous")),
    (Verdict.CONTRADICTED, re.compile(r"contradict|refut|invalid|false|disprov|reject|debunk|^no$")),
    (Verdict.VALIDATED, re.compile(r"validated|^valid$|confirm|support|verified|true|proven|corroborat|^yes$")),
)
_TIMEFRAMES = (
    (Timeframe.IMMEDIATE, re.compile(r"immediate|now|hour|today|\bdays?\b|imminent")),
    (Timeframe.SHORT_TERM, re.compile(r"short|week|near")),
    (Timeframe.LONG_TERM, re.compile(r"long|year|decade")),
    (Timeframe.MEDIUM_TERM, re.compile(r"medium|mid|month|quarter|intermediate")),
)
_LEVELS = {"very high": 0.95, "high": 0.8, "strong": 0.8, "medium": 0.5, "moderate": 0.5, "low": 0.2, "weak": 0.2, "very low": 0.05}
UNFINISHED = "fail|error|pending|processing|queue|running|cancel|in.?progress|skipped|started|new"
"""How the state of an analysis begins that has no result; a pattern for Python and Postgres."""


@dataclass(frozen=True, slots=True)
class CitedEarlier:
    """A page that an earlier validation names."""

    url: str
    stance: Stance
    quote: str


@dataclass(frozen=True, slots=True)
class EarlierVerdict:
    verdict: Verdict
    adjustment: float
    reason: str
    sources: tuple[CitedEarlier, ...]
    dropped: int
    """Sources without an address or a quote."""


@dataclass(frozen=True, slots=True)
class EarlierSignal:
    """A signal as it was found; ``found.evidence`` are its quotes, unchecked, perhaps none."""

    found: FoundSignal
    verdict: EarlierVerdict | None


@dataclass(frozen=True, slots=True)
class EarlierAnalysis:
    """One analysis as it was made."""

    model: str
    """As the other desk names it; empty where it does not."""
    prompt: str
    made_at: datetime | None
    analysis: ContentAnalysis
    signals: tuple[EarlierSignal, ...]
    unreadable: int
    """Signals that say nothing."""
    unmatched: int
    """Validations of signals that are not among them."""


def is_unfinished(row: Mapping[str, Any]) -> bool:
    """Whether a row says of itself that its analysis failed or has not ended."""
    said = _first(normalised_names(row), STATE)
    return isinstance(said, str) and re.match(UNFINISHED, said.strip().lower()) is not None


def read_analysis(
    row: Mapping[str, Any],
    more: Sequence[Mapping[str, Any]],
    validations: Sequence[Mapping[str, Any]] = (),
    *,
    scale: Mapping[str, float],
    now: datetime,
) -> EarlierAnalysis:
    """The analysis that a row is.

    ``more`` are signals of other tables, ``validations`` those that name no signal's row; ``scale`` is what a column's scores are
    out of, by name.
    """
    named = _flattened(row)
    items = [(item, kind) for name, kind in ((name, KINDS.get(name)) for name in (*SIGNALS, *KINDS)) for item in _items(named.get(name))]
    items += [(item, None) for item in more]
    own = [{name: value} for name in _OWN_VALIDATIONS if isinstance(value := opened(named.get(name)), list)]
    told, unmatched = with_validations([item for item, _ in items], entries([*own, *validations]))
    signals = [read_signal(item, kind) for item, (_, kind) in zip(told[:MAX_SIGNALS], items, strict=False)]
    kept = [signal for signal in signals if signal is not None]

    def scored(names: Sequence[str]) -> float:
        return next((_score(value, scale.get(name)) for name in names if (value := named.get(name)) not in (None, "", [], {})), 0.0)

    analysis = ContentAnalysis.model_construct(
        sentiment=_sentiment(_first(named, SENTIMENT)),
        impact=scored(IMPACT),
        summary=_text(_first(named, SUMMARY)),
        context=_text(_first(named, CONTEXT)),
        signal_strength=scored(STRENGTH),
        uniqueness=scored(UNIQUENESS),
        confidence=scored(CONFIDENCE),
        signals=[signal.found for signal in kept],
    )
    return EarlierAnalysis(
        model=_short(_first(named, MODEL), 100),
        prompt=_short(_first(named, PROMPT), 30),
        made_at=_moment([named.get(name) for name in MADE], now),
        analysis=analysis,
        signals=tuple(kept),
        unreadable=len(items) - len(kept),
        unmatched=unmatched,
    )


def read_signal(item: Any, kind: SignalKind | None) -> EarlierSignal | None:
    """The signal that an item is: an object or a sentence; None for one that says nothing."""
    item = opened(item)
    named = _flattened(item, deep=False) if isinstance(item, Mapping) else {"description": item}
    description = next((text for name in _DESCRIPTION if (text := _sentence(named.get(name)))), "")
    if not description:
        return None
    found_kind = next((own for name in _KIND if (own := _kind(named.get(name)))), None) or kind or SignalKind.WEAK_SIGNAL
    category = next((label for name in _CATEGORY if (label := _short(named.get(name), 60)) and _kind(label) is None), "")
    found = FoundSignal.model_construct(
        kind=found_kind,
        category=category.lower() if len(category) > 1 else "other",
        description=description,
        implications=next((text for name in _IMPLICATIONS if (text := _sentence(named.get(name)))), NOT_GIVEN),
        timeframe=_timeframe(_first(named, _TIMEFRAME)),
        confidence=_score(_first(named, _SIGNAL_CONFIDENCE), None),
        evidence=[quote for name in _EVIDENCE for quote in _quotes(named.get(name))][:MAX_QUOTES],
        research_query=_short(_first(named, _QUERY), 400) or description[:400],
    )
    nested = next((opened(named[name]) for name in _VALIDATION if isinstance(opened(named.get(name)), list | Mapping)), None)
    said = nested[-1] if isinstance(nested, list) and nested else nested
    inline = {name: named[name] for name in _INLINE if name in named}
    return EarlierSignal(found, read_verdict(said if isinstance(said, Mapping) else inline))


def read_verdict(row: Mapping[str, Any]) -> EarlierVerdict | None:
    """What a validation says; None where it says nothing that is a verdict."""
    named = normalised_names(row)
    verdict = next((verdict for name in _VERDICT if (verdict := _verdict(named.get(name)))), None)
    if verdict is None:
        return None
    cited = [(item, "contradict" in name) for name in _SOURCES for item in _items(named.get(name))][:MAX_SOURCES]
    sources = [source for item, against in cited if (source := _source(item, against))]
    return EarlierVerdict(
        verdict,
        max(-1.0, min(1.0, number)) if (number := _number(_first(named, _ADJUSTMENT))) is not None else 0.0,
        next((text for name in _REASON if (text := _sentence(named.get(name)))), NOT_GIVEN),
        tuple(sources),
        len(cited) - len(sources),
    )


def scale_of(most: float) -> float:
    """What scores are out of, by the highest there is: 1, 10 or 100."""
    return next((scale for scale in (1.0, 10.0) if most <= scale), 100.0)


def _flattened(row: Mapping[str, Any], *, deep: bool = True) -> dict[str, Any]:
    """Names and values, those of an object within it included where the row itself has none."""
    named = normalised_names(row)
    for name in NESTED if deep else ():
        inner = opened(named.get(name))
        if isinstance(inner, Mapping):
            for key, value in _flattened(inner, deep=False).items():
                if named.get(key) in (None, "", [], {}):
                    named[key] = value
    return named


def _items(value: Any) -> list[Any]:
    """What a column with a list holds, however it is written."""
    value = opened(value)
    if isinstance(value, Mapping):
        lists = [item for item in value.values() if isinstance(item, list)]
        return [part for item in lists for part in item] if lists else [value] if value else []
    if isinstance(value, str):
        return [value] if value.strip() else []
    return value if isinstance(value, list) else []


def _first(named: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((value for name in names if (value := named.get(name)) not in (None, "", [], {})), None)


def _sentence(value: Any) -> str:
    if isinstance(value, list):
        value = " ".join(item for item in value if isinstance(item, str))
    text = text_of(value) if not isinstance(value, int | float) else None
    return one_line(text[: 4 * MAX_TEXT])[:MAX_TEXT].strip() if text else ""


def _text(value: Any) -> str:
    return _sentence(value) or NOT_GIVEN


def _short(value: Any, length: int) -> str:
    text = text_of(value)
    return one_line(text[: 4 * length])[:length].strip() if text else ""


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*(%?)\s*", value)
        return None if found is None else float(found[1]) / (100 if found[2] else 1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _score(value: Any, scale: float | None) -> float:
    """0..1; without a scale, a number over 1 is out of 10, over 10 out of 100."""
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("score", "value", "confidence") if key in value), None)
    if isinstance(value, str) and (level := _LEVELS.get(value.strip().lower())) is not None:
        return level
    number = _number(value)
    if number is None or number <= 0:
        return 0.0
    return min(number / (scale or scale_of(number)), 1.0)


def _sentiment(value: Any) -> Sentiment:
    value = opened(value)
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("label", "sentiment", "overall", "score", "value") if key in value), None)
    number = _number(value)
    if number is not None:
        return Sentiment.POSITIVE if number > 0.15 else Sentiment.NEGATIVE if number < -0.15 else Sentiment.NEUTRAL
    said = value.lower() if isinstance(value, str) else ""
    meanings = {"mixed": Sentiment.MIXED, "neutral": Sentiment.NEUTRAL, "posit": Sentiment.POSITIVE, "bull": Sentiment.POSITIVE}
    meanings |= {"negat": Sentiment.NEGATIVE, "bear": Sentiment.NEGATIVE}
    return next((meaning for word, meaning in meanings.items() if word in said), Sentiment.NEUTRAL)


def _kind(value: Any) -> SignalKind | None:
    name = re.sub(r"[\W_]+", "", value).lower() if isinstance(value, str) else ""
    return KINDS.get(name)


def _timeframe(value: Any) -> Timeframe:
    said = value.lower() if isinstance(value, str) else ""
    return next((timeframe for timeframe, pattern in _TIMEFRAMES if pattern.search(said)), Timeframe.MEDIUM_TERM)


def _verdict(value: Any) -> Verdict | None:
    if isinstance(value, bool):
        return Verdict.VALIDATED if value else Verdict.CONTRADICTED
    said = value.strip().lower() if isinstance(value, str) else ""
    return next((verdict for verdict, pattern in _VERDICTS if pattern.search(said)), None) if len(said) <= 60 else None


def _quotes(value: Any) -> list[str]:
    """The quotes of a value: a list of texts or objects, or one text with a quote a line."""
    found = []
    for item in _items(value):
        said = _first(normalised_names(item), _QUOTE) if isinstance(item, Mapping) else item
        for line in said.replace("\\n", "\n").splitlines() if isinstance(said, str) else ():
            quote = one_line(line[: 4 * MOST_QUOTE]).strip().removeprefix("- ").strip(" \"“”'")[:MOST_QUOTE]
            if quote:
                found.append(quote)
    return list(dict.fromkeys(found))


def _source(item: Any, against: bool) -> CitedEarlier | None:
    item = opened(item)
    if not isinstance(item, Mapping):
        return None
    named = normalised_names(item)
    url, quotes = _first(named, _ADDRESS), _quotes(_first(named, _QUOTE))
    if not isinstance(url, str) or not quotes:
        return None
    said = str(named.get("stance") or named.get("position") or "").lower()
    stance = Stance.CONTRADICTS if against or said.startswith("contra") else Stance.SUPPORTS if said.startswith("supp") else Stance.NEUTRAL
    return CitedEarlier(clean_characters(url)[:2_000], stance, quotes[0])


def _moment(values: Sequence[Any], now: datetime) -> datetime | None:
    for value in values:
        try:
            return min(parse_date(value, now), now)
        except ValueError:
            continue
    return None
