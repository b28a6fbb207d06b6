"""Sentiment by rules: of a text, of a headline, of an article.

``score`` reads any text: polar words in their market sense, turned by negation, by what a movement is a movement of ("losses narrow",
"drops lawsuit"), strengthened and hedged. ``classify_headline`` weighs named cues (who does what: raises, launches, hacks, sues, asks) and
the headline's form; the weights in ``polarity`` were fitted to 1,341 headlines that three people had labelled (CryptoLin).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.agents.outputs import Sentiment
from core.offline.polarity import (
    BAD_THINGS,
    BASE,
    CUES,
    DOWN,
    HEDGES,
    INTENSIFIERS,
    LEADING,
    LEADS,
    NEGATIONS,
    NEGATIVE,
    PAIRS,
    POSITIVE,
    RELIEF,
    SHAPES,
    TROUBLE,
    UP,
)

_WORD = re.compile(r"[a-z0-9]+|[$%?!:]")
_LONGEST = 4
_QUESTION_START = re.compile(r"(?:how|why|what|when|is|are|can|should|will|do|who|here)\b")
_REPORT = re.compile(r": ?(?:report|sources?)\b")
_MAX_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class SentimentScore:
    """Weight of the good and the bad news in a text; ``net`` is their balance, -1 to +1, near 0 when there is little of either."""

    positive: float
    negative: float
    net: float


def stem(word: str) -> str:
    """A rough stem, enough to join "raises", "raised" and "raising"."""
    if len(word) <= 3:
        return word
    if word.endswith(("ied", "ies")) and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    if len(word) > 3 and word[-1] == word[-2] and word[-1] != "s":
        word = word[:-1]
    return word


def _stems(text: str) -> list[str]:
    return [stem(word) for word in _WORD.findall(text.lower().replace("’", "").replace("'", ""))]


def _index(phrases: str) -> list[tuple[str, ...]]:
    return [tuple(_stems(phrase)) for phrase in phrases.split(";")]


_CUE_OF: dict[tuple[str, ...], list[str]] = {}
for _name, (_, _, _phrases) in CUES.items():
    for _key in _index(_phrases):
        _CUE_OF.setdefault(_key, []).append(_name)


_TABLES: tuple[dict[str, tuple[float, float]], ...] = ({name: (bad, good) for name, (bad, good, _) in CUES.items()}, SHAPES, LEADS, PAIRS)


def classify_headline(text: str) -> Literal[-1, 0, 1]:
    """A headline's sentiment towards what it reports: -1 bad, 0 neutral, 1 good."""
    bad, good = BASE
    for table, names in zip(_TABLES, _signs(text), strict=True):
        for name in names:
            for_bad, for_good = table[name]
            bad += for_bad
            good += for_good
    if bad > max(good, 0):
        return -1
    return 1 if good > 0 else 0


def _signs(text: str) -> tuple[set[str], list[str], list[str], list[str]]:
    """What a headline shows: cues, its form, the first doing in it, and telling combinations."""
    stems = _stems(text)
    found: list[str] = []
    at = 0
    while at < len(stems):
        for length in range(min(_LONGEST, len(stems) - at), 0, -1):
            names = _CUE_OF.get(tuple(stems[at : at + length]))
            if names:
                found.extend(names)
                at += length
                break
        else:
            at += 1
    cues = set(found)
    lead = next((name for name in found if name in LEADING), None)
    return cues, _shape(text), [lead] if lead else [], _pairs(cues, found, stems)


def _shape(text: str) -> list[str]:
    words = text.split()
    lower = text.lower()
    tests = {
        "question mark": "?" in text,
        "exclamation": "!" in text,
        "percent": "%" in text,
        "dollars": re.search(r"\$\d", text) is not None,
        "million": "million" in lower or "billion" in lower,
        "title case": sum(word[:1].isupper() for word in words) > 0.75 * max(1, len(words)),
        "short": len(words) <= 7,
        "long": len(words) >= 14,
        "report": _REPORT.search(lower) is not None,
        "asks": _QUESTION_START.match(lower) is not None,
        "colon": ":" in text,
    }
    return [name for name, holds in tests.items() if holds]


def _pairs(cues: set[str], found: Sequence[str], stems: Sequence[str]) -> list[str]:
    trouble = cues & TROUBLE
    tests = {
        "relief": any(_relieves(stems, at) for at in range(len(stems))),
        "much trouble": sum(name in TROUBLE for name in found) >= 2,
        "hardly a cue": len(cues) <= 1,
        "raises dollars": "raise" in cues and "$" in stems,
        "trouble relieved": bool(trouble) and "relief" in cues,
        "up and down": {"up", "down"} <= cues,
        "policy helps": "policy" in cues and bool(cues & {"up", "good", "approve", "support"}),
        "policy hurts": "policy" in cues and bool(cues & {"enforce", "warn", "refuse"}),
        "price up": {"price", "up"} <= cues,
        "plans a step": "plan" in cues and bool(cues & {"launch", "acquire", "support", "raise"}),
    }
    return [name for name, holds in tests.items() if holds]


def _relieves(stems: Sequence[str], at: int) -> bool:
    """ "SEC drops lawsuit", "losses narrow": bad news that shrinks or ends."""
    if stems[at] in _RELIEF and not _BAD_THINGS.isdisjoint(stems[at + 1 : at + 4]):
        return True
    return stems[at] in _DOWN and not _BAD_THINGS.isdisjoint(stems[max(0, at - 2) : at])


def score(text: str) -> SentimentScore:
    """Good and bad news in ``text``, word by word in market sense. Reads the first 20,000 characters."""
    positive = negative = 0.0
    stems = _stems(text[:_MAX_TEXT])
    for at, word in enumerate(stems):
        value = _polarity(stems, at, word)
        if not value:
            continue
        before = stems[max(0, at - 3) : at]
        if not _NEGATIONS.isdisjoint(before):
            value *= -0.7
        if not _INTENSIFIERS.isdisjoint(before[-2:]):
            value *= 1.4
        if not _HEDGES.isdisjoint(before):
            value *= 0.6
        if value > 0:
            positive += value
        else:
            negative -= value
    return SentimentScore(round(positive, 3), round(negative, 3), round((positive - negative) / (positive + negative + 2.0), 4))


def _polarity(stems: Sequence[str], at: int, word: str) -> float:
    """A word's worth where it stands. A movement takes its sign from what moves; relief needs something to be relieved of."""
    after, before = stems[at + 1 : at + 5], stems[max(0, at - 4) : at]
    if word in _RELIEF and not _BAD_THINGS.isdisjoint(after):
        return 1.2
    if word in ("high", "low") and before and before[-1] in ("tim", "time", "record", "new", "fresh", "year"):
        return 1.0 if word == "high" else -1.0
    movement = (word in _UP) - (word in _DOWN)
    if movement:
        return -movement if not _BAD_THINGS.isdisjoint([*before[-3:], *after[:3]]) else movement
    if word in _NEGATIVE:  # "losses narrow" and "drops lawsuit" are counted at the verb
        relieved = not _RELIEF.isdisjoint(before) or not _DOWN.isdisjoint(after[:2])
        return 0.0 if relieved else -1.0
    return 1.0 if word in _POSITIVE else 0.0


def _stem_set(words: str) -> frozenset[str]:
    return frozenset(stem for word in words.split() for stem in _stems(word))


_POSITIVE, _NEGATIVE, _UP, _DOWN = _stem_set(POSITIVE), _stem_set(NEGATIVE), _stem_set(UP), _stem_set(DOWN)
_BAD_THINGS, _RELIEF = _stem_set(BAD_THINGS), _stem_set(RELIEF)
_NEGATIONS, _INTENSIFIERS, _HEDGES = _stem_set(NEGATIONS), _stem_set(INTENSIFIERS), _stem_set(HEDGES)


def classify_article(title: str, body: str) -> Sentiment:
    """An article's sentiment: headline and body together; MIXED where good and bad news are both plenty and close to balance."""
    return sentiment_of(title, score(body))


def sentiment_of(title: str, body: SentimentScore) -> Sentiment:
    """As ``classify_article``, with the body already scored."""
    headline = 0.5 * score(title).net + 0.25 * classify_headline(title)
    balance = 0.7 * body.net + 0.5 * headline
    weaker, stronger = sorted((body.positive, body.negative))
    if weaker >= 4 and weaker >= 0.5 * stronger and abs(balance) < 0.28:
        return Sentiment.MIXED
    if balance >= 0.17:
        return Sentiment.POSITIVE
    if balance <= -0.14:
        return Sentiment.NEGATIVE
    return Sentiment.NEUTRAL
