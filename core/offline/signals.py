"""Signals in one article, found by rules over its sentences and their facts.

Sentences become candidates, candidates are scored (rule, corroborating facts, place in the story), and the best that differ are kept.
The article's text is only ever matched and quoted; nothing in it can steer the rules.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.agents.outputs import FoundSignal, SignalKind, Timeframe
from core.offline.facts import Amount, Facts, read
from core.offline.lexicon import ADJACENT, PUBLISHERS
from core.offline.rules import ADJACENT_IMPLICATIONS, ADJACENT_REASONS, EDGE_IMPLICATIONS, EDGE_REASONS, EDGES, RULES, Rule
from core.offline.sentences import Sentence, split
from core.offline.wording import clause, content_set, is_first_person, is_person_pronoun, join, month, opens_with_pronoun, overlap, research_query, short_phrase

MAX_FOUND = 8
FLOOR = 0.40
PER_KIND = 3
_REPEATABLE = frozenset(("superlative", "unclear", "considering", "filing", "deed"))  # rules that may stand twice in one article

_CRYPTO = re.compile(r"\b(?:bitcoin|btc|crypto\w*|miners?|mining|blockchain|stablecoins?|token(?:s|ized)?|digital assets?|satoshi|etfs?)\b", re.IGNORECASE)
_HEDGE = re.compile(r"\b(?:may|might|could|possibly|perhaps|reportedly|rumou?red|potentially|if)\b", re.IGNORECASE)
_ATTRIBUTED = re.compile(r"\b(?:according to [A-Z]|(?:said|told|wrote|stated|data from|report(?:ed)? by|filing|announced))\b")
_PROMOTION = re.compile(r"\b(?:presale|pre-sale|giveaway|airdrop|bonus|100x|50x|1000x|whitelist|early investors|sponsored|promotional|cloud mining|sign[- ]up|passive income|price prediction)\b", re.IGNORECASE)
_FILLER = re.compile(
    r"\b(?:let[’']s|here[’']s|imagine|think of|in this article|this (?:article|guide|means|could|might|can)|as we|stay tuned|investors should|traders should|it[’']s (?:important|crucial|worth)|"
    r"important to note|paves the way|game[- ]chang\w+|ever-evolving|landscape|testament|underscores?|potential implications|question)\b|\?",
    re.IGNORECASE,
)  # fmt: skip
_FORECAST = re.compile(r"\b(?:could|may|might|will|would)\b.{0,60}(?:\breach|\bhit|\bsurge|\brally|\bclimb|\bdrop|\bfall|\btest|\bretest|\bbreak)|\b(?:RSI|MACD|EMA|SMA|Fibonacci|resistance|support level|price target|candle\w*|wedge|triangle)\b", re.IGNORECASE)
_MOVES = re.compile(
    r"\b(?:ris|rose|fall|fell|drop|climb|gain|grow|grew|increas|decreas|declin|surg|remain|hold|held|weak|strong|slow|cool|steady|stable|flat|continu|stay)\w*", re.IGNORECASE
)
_DEFINITION = re.compile(r"^(?:[\w’()-]+ ){1,6}(?:is|are|measures?|refers to|allows|enables) (?:an? |the )?(?:[a-z-]+ ){0,4}(?:framework|platform|protocol|metric|measure|indicator|tool|token|network|blockchain|cryptocurrency|concept|process|way)\b")
_SOON = re.compile(r"\b(?:today|tonight|tomorrow|this week|next week|hours?|within days|on (?:Mon|Tues|Wednes|Thurs|Fri)day|currently)\b", re.IGNORECASE)
_LATER = re.compile(r"\b(?:next year|by 20(?:2[6-9]|[3-9]\d)|in 20(?:2[6-9]|[3-9]\d)|20(?:2[7-9]|[3-9]\d)|decades?|five years|10 years|long[- ]term|generation)\b", re.IGNORECASE)
_CHANGE = re.compile(r"(?P<percent>\d{1,4}(?:\.\d+)?)% (?P<word>increase|rise|jump|growth|gain|more|higher|decrease|drop|decline|fall|less|lower)\b[^.$%]{0,50}\b(?:from|than|over)\b[^.$%]{0,40}(?P<base>\$)")
_DOWN_WORDS = frozenset("decrease drop decline fall less lower".split())
_ROUTINE_PRICE = re.compile(r"\b(?:trad(?:es|ing|ed) (?:at|around|near)|price (?:of|at)|market cap|in the (?:past|last) (?:24 hours|day|week)|24-hour|over the past \d+ hours)\b", re.IGNORECASE)

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


@dataclass(frozen=True, slots=True)
class Article:
    """An article cut into sentences with their facts; what every later step reads."""

    title: str
    sentences: list[Sentence]
    facts: list[Facts]
    lead_actor: str
    topic: str
    about_crypto: bool
    promotional: bool


def prepare(title: str, body: str) -> Article:
    """Sentences, facts, the leading actor and the main subject of an article."""
    sentences = split(body, title)
    facts = read(title, sentences)
    names: Counter[str] = Counter()
    subjects: Counter[str] = Counter()
    lowered_title = title.lower()
    for fact in facts:
        for actor in fact.actors:
            if actor.name.replace(" ", "_") in PUBLISHERS:
                continue
            names[actor.name] += (1 if actor.kind == "place" else 2) + (3 if actor.name.lower() in lowered_title else 0)
        for place, topic in enumerate(fact.topics[:2]):
            subjects[topic] += 2 - place if topic != "market" else 1
    lead = names.most_common(1)[0][0] if names else ""
    topic = subjects.most_common(1)[0][0] if subjects else "market"
    crypto = len(_CRYPTO.findall(body[:20_000])) + 3 * len(_CRYPTO.findall(title))
    promotional = len(_PROMOTION.findall(f"{title} {body[:20_000]}")) >= 3
    return Article(title, sentences, facts, lead, topic, crypto >= 3, promotional)


def find_signals(title: str, body: str, published_at: datetime | None, publisher: str) -> list[FoundSignal]:
    """The article's signals, the strongest first: 0 to 8, each resting on sentences of its own."""
    return signals_of(prepare(title, body), published_at, publisher)


def signals_of(article: Article, published_at: datetime | None, publisher: str) -> list[FoundSignal]:
    """As ``find_signals``, for an article already prepared."""
    scored = sorted(((_score(article, candidate), candidate) for candidate in _candidates(article)), key=lambda pair: (-pair[0], pair[1].index))
    limit = 1 if article.promotional else MAX_FOUND
    kept: list[FoundSignal] = []
    used: set[int] = set()
    kinds: Counter[SignalKind] = Counter()
    rules: Counter[str] = Counter()
    for score, candidate in scored:
        if score < FLOOR or len(kept) >= limit:
            break
        if candidate.index in used or kinds[candidate.kind] >= PER_KIND or rules[candidate.rule] >= 1 + (candidate.rule in _REPEATABLE):
            continue
        support = _supporting(article, candidate.index, used)
        signal = _put_into_words(article, candidate, min(0.9, score + 0.04 * len(support)), support, month(published_at))
        words = content_set(signal.description)
        if any(overlap(words, content_set(other.description)) > 0.5 for other in kept):
            continue
        used.update((candidate.index, *support))
        kinds[candidate.kind] += 1
        rules[candidate.rule] += 1
        kept.append(signal)
    return sorted(kept, key=lambda signal: -signal.confidence)


def _candidates(article: Article) -> Iterator[Candidate]:
    for index, (sentence, fact) in enumerate(zip(article.sentences, article.facts, strict=True)):
        if not sentence.quotable:
            continue
        text = sentence.text
        category = fact.topics[0] if fact.topics else article.topic
        rules = {rule.name: rule for word in fact.words if word in _BY_KEY for rule in _BY_KEY[word]}
        for rule in rules.values():
            if (rule.needs_amount and not _telling(fact.amounts, rule.name)) or (rule.needs_actor and not fact.actors and not article.lead_actor):
                continue
            match = rule.pattern.search(text)
            if match and (rule.name != "divergence" or _is_tension(match.group("what"), text, fact)):
                yield Candidate(index, rule.kind, rule.category or category, rule.strength, rule.timeframe, rule.reasons, rule.implications, "", match.group("what"), rule.name)
        yield from _edges(index, text, article)
        yield from _adjacent(index, text, fact, category)
        if gap := _bad_arithmetic(text, fact):
            yield Candidate(index, SignalKind.NARRATIVE_GAP, category, 0.6, Timeframe.IMMEDIATE, (gap,), ("Ask for the underlying figures before repeating the percentage.",), "", "", "arithmetic")


def _edges(index: int, text: str, article: Article) -> Iterator[Candidate]:
    for label, pattern, strength, category in EDGES:
        if match := pattern.search(text):
            familiar = 0.06 if pattern.search(article.title) else 0.0
            yield Candidate(
                index, SignalKind.EDGE_INDICATOR, category, strength + familiar - 0.04, Timeframe.MEDIUM_TERM, EDGE_REASONS, EDGE_IMPLICATIONS, label, match.group(), label
            )  # fmt: skip
            return


def _adjacent(index: int, text: str, fact: Facts, category: str) -> Iterator[Candidate]:
    fields = Counter(_FIELD_OF[word] for word in fact.words if word in _FIELD_OF)
    if not fields:
        return
    field, count = max(fields.items(), key=lambda item: (item[1], item[0]))
    common = {"bonds": 0.04, "gold": 0.04, "payments": 0.03, "mining_finance": 0.02}.get(field, 0.0)
    strength = 0.40 + 0.04 * min(count, 3) - common - 0.07 * (_CRYPTO.search(text) is None)
    yield Candidate(
        index, SignalKind.ADJACENT_CONNECTION, category, strength, Timeframe.MEDIUM_TERM, ADJACENT_REASONS, ADJACENT_IMPLICATIONS, ADJACENT[field][0], "", field
    )  # fmt: skip


def _is_tension(counterweight: str, text: str, fact: Facts) -> bool:
    """Whether "despite ..." sets two substantial things against each other: enough words on its side, a movement or figure on the other."""
    return len(content_set(counterweight)) >= 4 and (len(fact.amounts) > 0 or _MOVES.search(text) is not None)


def _telling(amounts: Sequence[Amount], rule: str) -> bool:
    """Whether a figure is of the right sort and big enough for the rule: a jump of 20 % or more, a transfer of 100 BTC or $10 million or more."""
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


def _score(article: Article, candidate: Candidate) -> float:
    """Rule strength moved by what else the sentence has. Also the signal's confidence, before support from other sentences."""
    text, fact = article.sentences[candidate.index].text, article.facts[candidate.index]
    score = candidate.strength
    score += 0.05 * (len(fact.amounts) > 0) + 0.02 * (len(fact.amounts) > 1)
    score += 0.05 * any(actor.kind in ("company", "agency", "person", "name") for actor in fact.actors)
    score += 0.03 * (len(fact.dates) > 0) + 0.03 * (_ATTRIBUTED.search(text) is not None)
    shared = len(content_set(article.title) & fact.words)
    score += 0.02 * min(shared, 3)
    score += 0.03 if candidate.index < 6 else -0.02 * (candidate.index > 40)
    score -= 0.05 * (candidate.rule != "forecast" and _HEDGE.search(text) is not None) + 0.10 * (_FILLER.search(text) is not None) + 0.08 * (candidate.rule != "forecast" and _FORECAST.search(text) is not None)
    score -= 0.10 * is_first_person(text) + 0.05 * (_ROUTINE_PRICE.search(text) is not None)
    score -= 0.08 * (_DEFINITION.search(text) is not None) + 0.06 * (candidate.what.lower() == "reportedly")
    score -= 0.04 * (len(text) > 330) + 0.05 * (len(text) < 60)
    score -= 0.07 * (not fact.amounts and not fact.actors)
    score -= 0.10 * (not article.about_crypto) + 0.20 * article.promotional
    return max(0.05, min(0.88, score))


def _supporting(article: Article, index: int, used: set[int]) -> list[int]:
    """Up to two other sentences that state a figure or a name of this one again, near it."""
    fact = article.facts[index]
    figures = {(round(amount.value, 4), amount.unit) for amount in fact.amounts}
    names = fact.names
    found: list[tuple[float, int]] = []
    for other in range(max(0, index - 6), min(len(article.sentences), index + 7)):
        if other == index or other in used or not article.sentences[other].quotable:
            continue
        theirs = article.facts[other]
        same_figure = any((round(amount.value, 4), amount.unit) in figures for amount in theirs.amounts)
        shared = len(content_set(article.sentences[other].text) & content_set(article.sentences[index].text))
        weight = 2.0 * same_figure + min(len(names & theirs.names), 2) * 0.5 + 0.25 * shared - 0.1 * abs(other - index)
        if weight >= 1.6 and not _FILLER.search(article.sentences[other].text):
            found.append((weight, other))
    return [other for _, other in sorted(found, key=lambda pair: (-pair[0], pair[1]))[:2]]


def _who(article: Article, index: int) -> str:
    """Whom the sentence is about: its first acting name, or that of a sentence before, or the article's lead."""
    text = article.sentences[index].text
    referring = opens_with_pronoun(text)
    kinds = ("person",) if is_person_pronoun(text) else ("company", "agency", "name")
    for back in range(1 if referring else 0, min(4, index + 1)):
        names = [actor for actor in article.facts[index - back].actors if actor.name.replace(" ", "_") not in PUBLISHERS]
        if referring:
            names = [actor for actor in names if actor.kind in kinds]
        if names:
            return _full_name(article, min(names, key=lambda actor: (_RANKS[actor.kind], actor.start)).name)
    return article.lead_actor


def _full_name(article: Article, name: str) -> str:
    """ "Les" as "Jason Les", if the article gives the whole name."""
    if " " in name or len(name) < 3:
        return name
    for fact in article.facts:
        for actor in fact.actors:
            if actor.kind == "person" and name in actor.name.split():
                return actor.name
    return name


def _put_into_words(article: Article, candidate: Candidate, confidence: float, support: list[int], when: str) -> FoundSignal:
    sentence, fact = article.sentences[candidate.index], article.facts[candidate.index]
    who = _who(article, candidate.index)
    what = short_phrase(candidate.what)
    core = clause(sentence.text, who, what)
    figure = fact.amounts[0].text if fact.amounts else ""
    if candidate.rule == "forecast":
        figure = next((a.text for a in fact.amounts if a.unit == "USD" and a.text in candidate.what), figure)
    if candidate.rule in ("deed", "transfer", "fund_flow"):
        figure = max((a for a in fact.amounts if a.unit in ("USD", "BTC")), key=lambda a: a.value * (1e5 if a.unit == "BTC" else 1)).text
    if candidate.rule in ("jump", "survey"):
        figure = max((a for a in fact.amounts if a.unit == "%"), key=lambda a: a.value).text
    slots = {
        "who": who or "the market",
        "what": what,
        "what_short": what[:1].lower() + what[1:] if what[1:2].islower() else what,
        "figure": figure,
        "figure_or_what": figure or what,
        "figure_or_who": f"the figure of {figure}" if figure else f"what is said of {who or 'it'}",
        "topic": _TOPIC_NAMES.get(candidate.category, candidate.category),
        "label": candidate.label,
    }
    variant = sum(map(ord, sentence.text[:60]))
    reason = candidate.reasons[variant % len(candidate.reasons)].format_map(slots)
    implication = candidate.implications[variant % len(candidate.implications)].format_map(slots)
    order = [candidate.index, *sorted(support)]
    return FoundSignal(
        kind=candidate.kind,
        category=candidate.category,
        description=join(core, reason)[:1_900],
        implications=(implication[:1].upper() + implication[1:])[:1_900],
        timeframe=_timeframe(sentence.text, candidate.timeframe),
        confidence=round(confidence, 2),
        evidence=[article.sentences[index].text for index in order],
        research_query=research_query(who, core, fact, when),
    )


_RANKS = {"company": 0, "agency": 0, "person": 1, "name": 1, "place": 2}
_TOPIC_NAMES = {
    "adoption": "adoption by companies and users",
    "derivatives": "derivatives positioning",
    "flows": "flows of coins and funds",
    "macro": "the macro picture",
    "market": "the market",
    "security": "security",
    "technology": "the technology",
}


def _timeframe(text: str, default: Timeframe) -> Timeframe:
    if _LATER.search(text):
        return Timeframe.LONG_TERM
    if default is Timeframe.SHORT_TERM and _SOON.search(text):
        return Timeframe.IMMEDIATE
    if default is Timeframe.MEDIUM_TERM and _SOON.search(text):
        return Timeframe.SHORT_TERM
    return default
