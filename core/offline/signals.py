"""Signals in one article, found by rules over its sentences and their facts.

Sentences become candidates, candidates are scored (rule, corroborating facts, place in the story), and the best that differ are kept.
The article's text is only ever matched and quoted, and what gives orders in it is not read at all (``readable``).
"""

import re
from collections import Counter
from datetime import datetime

from core.agents.outputs import FoundSignal, SignalKind, Timeframe
from core.offline.candidates import FILLER, Candidate, candidates, strength
from core.offline.facts import Facts
from core.offline.readable import readable, readable_line
from core.offline.reading import Article, is_party, is_person, prepare, who
from core.offline.wording import clause, content_set, is_person_pronoun, join, month, overlap, research_query, short_phrase

MAX_FOUND = 8
FLOOR = 0.38  # below this, reading thirty articles found more noise than news
PER_KIND = 3
_REPEATABLE = frozenset(("superlative", "unclear", "considering", "filing", "deed"))  # rules that may stand twice in one article

_SOON = re.compile(
    r"\b(?:today|tonight|tomorrow|this week|next week|hours?|within days|on (?:Mon|Tues|Wednes|Thurs|Fri)day|currently)\b", re.IGNORECASE
)
_LATER = re.compile(
    r"\b(?:next year|by 20(?:2[6-9]|[3-9]\d)|in 20(?:2[6-9]|[3-9]\d)|20(?:2[7-9]|[3-9]\d)|decades?|five "
    r"years|10 years|long[- ]term|generation)\b",
    re.IGNORECASE,
)
_TOPIC_NAMES = {
    "adoption": "adoption by companies and users",
    "derivatives": "derivatives positioning",
    "flows": "flows of coins and funds",
    "macro": "the macro picture",
    "market": "the market",
    "security": "security",
    "technology": "Bitcoin's technology",
}


def find_signals(title: str, body: str, published_at: datetime | None, publisher: str) -> list[FoundSignal]:
    """The article's signals, the strongest first: 0 to 8, each resting on sentences of its own.

    ``published_at`` dates the research queries and tells news from background. ``publisher``'s own name is not taken for an actor's.
    """
    article = prepare(readable_line(title), readable(body), published_at, readable_line(publisher))
    return signals_of(article, published_at)


def signals_of(article: Article, published_at: datetime | None) -> list[FoundSignal]:
    """As ``find_signals``, for an article already prepared."""
    scored = sorted(
        ((strength(article, candidate), candidate) for candidate in candidates(article)),
        key=lambda pair: (-pair[0], pair[1].index, pair[1].rule),
    )
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
        signal = _put_into_words(article, candidate, score + 0.04 * len(support), support, month(published_at))
        words = content_set(signal.description)
        if any(overlap(words, content_set(other.description)) > 0.5 for other in kept):
            continue
        used.update((candidate.index, *support))
        kinds[candidate.kind] += 1
        rules[candidate.rule] += 1
        kept.append(signal)
    return sorted(kept, key=lambda signal: -signal.confidence)


def _supporting(article: Article, index: int, used: set[int]) -> list[int]:
    """Up to two other sentences that state a figure or a name of this one again, near it."""
    fact = article.facts[index]
    figures = {(round(amount.value, 4), amount.unit) for amount in fact.amounts}
    names = fact.names
    found: list[tuple[float, int]] = []
    for other in range(max(0, index - 6), min(len(article.sentences), index + 7)):
        if other == index or other in used:
            continue
        theirs = article.facts[other]
        same_figure = any((round(amount.value, 4), amount.unit) in figures for amount in theirs.amounts)
        shared = len(content_set(article.sentences[other].text) & content_set(article.sentences[index].text))
        weight = 2.0 * same_figure + min(len(names & theirs.names), 2) * 0.5 + 0.25 * shared - 0.1 * abs(other - index)
        if weight >= 1.6 and not FILLER.search(article.sentences[other].text):
            found.append((weight, other))
    return [other for _, other in sorted(found, key=lambda pair: (-pair[0], pair[1]))[:2]]


def _put_into_words(article: Article, candidate: Candidate, strength_found: float, support: list[int], when: str) -> FoundSignal:
    sentence, fact = article.sentences[candidate.index], article.facts[candidate.index]
    actor = who(article, candidate.index)
    what = short_phrase(candidate.what)
    subject = actor if not is_person_pronoun(sentence.text) or is_person(article, actor) else ""
    core = clause(sentence.text, subject, what)
    figure = _figure(candidate, fact)
    slots = {
        "who": actor or "the party behind it",
        "party": actor if actor and is_party(article, actor) else "the market",
        "what": what,
        "what_short": what[:1].lower() + what[1:] if what[1:2].islower() else what,
        "figure": figure,
        "figure_or_what": figure or what,
        "figure_or_who": f"the figure of {figure}" if figure else f"what is said of {actor or 'it'}",
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
        confidence=_confidence(strength_found),
        evidence=[article.sentences[index].text for index in order],
        research_query=research_query(actor, core, fact, when),
    )


def _confidence(strength_found: float) -> float:
    """Strengths crowd between 0.38 and 0.8; spread them so that a bare match stays under 0.3 and only well-supported ones pass 0.7."""
    return round(max(0.2, min(0.88, 0.25 + 1.25 * (strength_found - FLOOR))), 2)


def _figure(candidate: Candidate, fact: Facts) -> str:
    """The amount that the rule is about; otherwise the first one."""
    figures = list(fact.amounts)
    if candidate.rule == "forecast":
        figures = [amount for amount in figures if amount.unit == "USD" and amount.text in candidate.what] or figures
    elif candidate.rule in ("deed", "transfer", "fund_flow"):
        money = [amount for amount in figures if amount.unit in ("USD", "BTC")]
        figures = sorted(money, key=lambda amount: -amount.value * (1e5 if amount.unit == "BTC" else 1))
    elif candidate.rule in ("jump", "survey"):
        figures = sorted((amount for amount in figures if amount.unit == "%"), key=lambda amount: -amount.value)
    return figures[0].text if figures else ""


def _timeframe(text: str, default: Timeframe) -> Timeframe:
    if _LATER.search(text):
        return Timeframe.LONG_TERM
    if default is Timeframe.SHORT_TERM and _SOON.search(text):
        return Timeframe.IMMEDIATE
    if default is Timeframe.MEDIUM_TERM and _SOON.search(text):
        return Timeframe.SHORT_TERM
    return default
