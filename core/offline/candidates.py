"""Sentences that a rule picks as candidates, and how strong each is."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.agents.outputs import SignalKind, Timeframe
from core.offline.facts import Amount, Facts
from core.offline.lexicon import ADJACENT, word_set
from core.offline.reading import CRYPTO, Article, who
from core.offline.rules import ADJACENT_IMPLICATIONS, ADJACENT_REASONS, EDGE_IMPLICATIONS, EDGE_REASONS, EDGES, RULES, Rule
from core.offline.wording import content_set, is_first_person

_HEDGE = re.compile(r"\b(?:may|might|could|possibly|perhaps|reportedly|rumou?red|potentially|if)\b", re.IGNORECASE)
_ATTRIBUTED = re.compile(r"\b(?:according to [A-Z]|(?:said|told|wrote|stated|data from|report(?:ed)? by|filing|announced))\b")
FILLER = re.compile(
    r"\b(?:let[’']s|here[’']s|imagine|think of|in this article|this (?:article|guide|means|could|might|"
    r"can)|as we|stay tuned|investors should|traders should|it[’']s (?:important|crucial|worth)|"
    r"important to note|paves the way|game[- ]chang\w+|ever-evolving|landscape|testament|underscores?|"
    r"potential implications|question)\b|\?",
    re.IGNORECASE,
)
_FORECAST = re.compile(
    r"\b(?:could|may|might|will|would)\b.{0,60}(?:\breach|\bhit|\bsurge|\brally|\bclimb|\bdrop|\bfall|"
    r"\btest|\bretest|\bbreak)|\b(?:RSI|MACD|EMA|SMA|Fibonacci|moving average|resistance|support level|"
    r"price target|candle\w*|wedge|triangle)\b",
    re.IGNORECASE,
)
_MOVES = re.compile(
    r"\b(?:ris|rose|fall|fell|drop|climb|gain|grow|grew|increas|decreas|declin|surg|remain|hold|held|weak|"
    r"strong|slow|cool|steady|stable|flat|continu|stay)\w*",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"^(?:[\w’()-]+ ){1,6}(?:is|are|measures?|refers to|allows|enables) (?:an? |the )?(?:[a-z-]+ "
    r"){0,4}(?:framework|platform|protocol|metric|measure|indicator|tool|token|network|blockchain|"
    r"cryptocurrency|concept|process|way)\b"
)
_YEAR = re.compile(r"\b(?:19|20)\d{2}\b(?![,.]\d)")
_CHANGE = re.compile(
    r"(?P<percent>\d{1,4}(?:\.\d+)?)% (?P<word>increase|rise|jump|growth|gain|more|higher|decrease|drop|"
    r"decline|fall|less|lower)\b[^.$%]{0,50}\b(?:from|than|over)\b[^.$%]{0,40}(?P<base>\$)"
)
_DOWN_WORDS = word_set("decrease drop decline fall less lower")
_ROUTINE_PRICE = re.compile(
    r"\b(?:trad(?:es|ing|ed) (?:at|around|near)|price (?:of|at)|market cap|in the (?:past|last) (?:24 "
    r"hours|day|week)|24-hour|over the past \d+ hours)\b",
    re.IGNORECASE,
)

_BY_KEY: dict[str, list[Rule]] = {}
for _rule in RULES:
    for _key in _rule.keys:
        _BY_KEY.setdefault(_key, []).append(_rule)
_FIELD_OF = {word: field for field, (_, words) in ADJACENT.items() for word in words}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that a rule picked, before it is put into words."""

    index: int
    kind: SignalKind
    category: str
    strength: float
    timeframe: Timeframe
    reasons: tuple[str, ...]
    implications: tuple[str, ...]
    label: str
    what: str
    rule: str


def candidates(article: Article) -> Iterator[Candidate]:
    for index, (sentence, fact) in enumerate(zip(article.sentences, article.facts, strict=True)):
        text = sentence.text
        category = fact.topics[0] if fact.topics else article.topic
        rules = {rule.name: rule for word in fact.words if word in _BY_KEY for rule in _BY_KEY[word]}
        for rule in rules.values():
            if (rule.needs_amount and not _telling(fact.amounts, rule.name)) or (
                rule.needs_actor and not fact.actors and not who(article, index)
            ):
                continue
            match = rule.pattern.search(text)
            if match and (rule.name != "divergence" or _is_tension(match.group("what"), text, fact)):
                yield Candidate(
                    index,
                    rule.kind,
                    rule.category or category,
                    rule.strength,
                    rule.timeframe,
                    rule.reasons,
                    rule.implications,
                    "",
                    match.group("what"),
                    rule.name,
                )
        yield from _edges(index, text, article)
        yield from _adjacent(index, text, fact, category)
        if gap := _bad_arithmetic(text, fact):
            yield Candidate(
                index,
                SignalKind.NARRATIVE_GAP,
                category,
                0.6,
                Timeframe.IMMEDIATE,
                (gap,),
                ("Ask for the underlying figures before repeating the percentage.",),
                "",
                "",
                "arithmetic",
            )


def _edges(index: int, text: str, article: Article) -> Iterator[Candidate]:
    for edge in EDGES:
        if match := edge.pattern.search(text):
            titled = 0.02 if edge.pattern.search(article.title) else -0.04
            yield Candidate(
                index=index,
                kind=SignalKind.EDGE_INDICATOR,
                category=edge.category,
                strength=edge.strength + titled,
                timeframe=Timeframe.MEDIUM_TERM,
                reasons=EDGE_REASONS,
                implications=EDGE_IMPLICATIONS,
                label=edge.label,
                what=match.group(),
                rule=edge.label,
            )
            return


def _adjacent(index: int, text: str, fact: Facts, category: str) -> Iterator[Candidate]:
    in_names = {word.lower() for actor in fact.actors if " " in actor.name for word in actor.name.split()}  # "SharpLink Gaming"
    fields = Counter(_FIELD_OF[word] for word in fact.words if word in _FIELD_OF and word not in in_names)
    if not fields:
        return
    field, count = max(fields.items(), key=lambda item: (item[1], item[0]))
    common = {"bonds": 0.04, "gold": 0.04, "payments": 0.03, "mining_finance": 0.02}.get(field, 0.0)
    strength = 0.40 + 0.04 * min(count, 3) - common - 0.07 * (CRYPTO.search(text) is None)
    yield Candidate(
        index,
        SignalKind.ADJACENT_CONNECTION,
        category,
        strength,
        Timeframe.MEDIUM_TERM,
        ADJACENT_REASONS,
        ADJACENT_IMPLICATIONS,
        ADJACENT[field][0],
        "",
        field,
    )


def _is_tension(counterweight: str, text: str, fact: Facts) -> bool:
    """Whether "despite ..." sets two substantial things against each other: enough words on its side, a movement or figure on the other."""
    return len(content_set(counterweight)) >= 4 and (len(fact.amounts) > 0 or _MOVES.search(text) is not None)


def _telling(amounts: Sequence[Amount], rule: str) -> bool:
    """Whether a figure is of the right sort and size for the rule: a jump of 20 %, a transfer of 100 BTC or $10 million, or more."""
    if rule in ("transfer", "deed"):
        return any((a.unit == "BTC" and a.value >= 100) or (a.unit == "USD" and a.value >= 1e7) for a in amounts)
    if rule == "fund_flow":
        return any((a.unit == "USD" and a.value >= 1e7) or (a.unit == "BTC" and a.value >= 500) for a in amounts)
    if rule in ("survey", "forecast"):
        return any(a.unit == ("%" if rule == "survey" else "USD") for a in amounts)
    return any(a.unit == "%" and 20 <= a.value <= 5_000 for a in amounts)


def _bad_arithmetic(text: str, fact: Facts) -> str:
    """A percentage that two figures of the same sentence do not bear out; empty if they do, or if there is nothing to check."""
    match = _CHANGE.search(text)
    dollars = [amount for amount in fact.amounts if amount.unit == "USD"]
    if match is None or len(dollars) != 2:
        return ""
    base = next((amount for amount in dollars if amount.start == match.start("base")), None)
    new = next((amount for amount in dollars if base and amount.end <= match.start()), None)
    if base is None or new is None or base.value == 0 or new.value == 0:
        return ""
    stated = float(match.group("percent"))
    down = match.group("word") in _DOWN_WORDS
    actual = (new.value - base.value) / base.value * 100
    flipped = (new.value + base.value) / base.value * 100  # a loss against a profit
    if min(abs(abs(actual) - stated), abs(flipped - stated)) <= max(4.0, 0.15 * stated) or (down and actual > 0 and stated > 100):
        return ""
    return f"The figures do not bear it out: {base.text} to {new.text} is {actual:+.0f} %, not the {stated:g} % stated."


def strength(article: Article, candidate: Candidate) -> float:
    """Rule strength moved by what else the sentence has. Also the signal's confidence, before support from other sentences."""
    text, fact = article.sentences[candidate.index].text, article.facts[candidate.index]
    score = candidate.strength
    score += 0.05 * (len(fact.amounts) > 0) + 0.02 * (len(fact.amounts) > 1)
    score += 0.05 * any(actor.kind in ("company", "agency", "person", "name") for actor in fact.actors)
    score += 0.03 * (len(fact.dates) > 0) + 0.03 * (_ATTRIBUTED.search(text) is not None)
    shared = len(content_set(article.title) & fact.words)
    score += 0.02 * min(shared, 3)
    score += 0.03 if candidate.index < 6 else -0.02 * (candidate.index > 40)
    score -= (
        0.05 * (candidate.rule != "forecast" and _HEDGE.search(text) is not None)
        + 0.10 * (FILLER.search(text) is not None)
        + 0.08 * (candidate.rule != "forecast" and _FORECAST.search(text) is not None)
    )
    score -= 0.10 * is_first_person(text) + 0.05 * (_ROUTINE_PRICE.search(text) is not None)
    score -= 0.08 * (_DEFINITION.search(text) is not None) + 0.06 * (candidate.what.lower() == "reportedly")
    score -= 0.08 * (
        article.year > 0
        and any(int(year) < article.year - 1 for year in _YEAR.findall(text))
        and candidate.rule not in ("superlative", "first_since")
    )
    score -= 0.04 * (len(text) > 330) + 0.05 * (len(text) < 45)
    score -= 0.07 * (not fact.amounts and not fact.actors)
    score -= 0.10 * (not article.about_crypto) + 0.16 * article.promotional
    return max(0.05, min(0.88, score))
