"""Evidence check: a quote counts only if it stands in the text it is said to come from. Pure.

Exact first; then with whitespace, quotation marks, dashes, case and HTML entities normalised; then nearly: with words misspelt or
inflected and small words missing, but no figure, no negation and no other word changed. What is returned is always the text's own
words (``text[start:end]``), never the model's.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from core.agents.outputs import ContentAnalysis, FoundSignal
from core.models import EvidenceMatch

_SAME = {
    **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
}

NEARLY_LEAST = 24
"""Characters of the shortest quote that is looked for nearly: in a shorter one a slip may be half of what it says."""
NEARLY_SCORE = 85.0
"""Least similarity, 0 to 100, of a quote to the stretch of the text that is then compared with it word by word."""
WORD_SCORE = 75.0
"""Least similarity of two words that are taken for one, misspelt or inflected."""
SLACK = 30
_SMALL = frozenset(
    "a an and are as at be been but by for from had has have he in is it its of on or she that the their they this to was we were"
    " which who will with".split()
)
_INTERCHANGEABLE = (frozenset({"a", "an", "the"}), frozenset({"that", "which", "who"}))
_NEGATIONS = frozenset("cannot neither never no nobody none nor not nothing without".split())
_WORD = re.compile(r"[\w$€£]+(?:[.,'/-][\w%]+)*%?")


@dataclass(frozen=True, slots=True)
class Span:
    """Where a quote stands: ``text[start:end]`` is ``quote``."""

    start: int
    end: int
    quote: str
    match: EvidenceMatch


@dataclass(frozen=True, slots=True)
class GroundedSignal:
    """A signal with the spans of those of its quotes that stand in the article: at least one."""

    signal: FoundSignal
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Grounding:
    """The evidence check of one analysis."""

    signals: tuple[GroundedSignal, ...]
    ungrounded: int
    """Signals with no quote left: kept out of the results."""
    missing: tuple[str, ...]
    """Quotes that stand nowhere in the article."""


class Text:
    """A text in which quotes are looked up; its normalised form is made once, when first needed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._normalised: tuple[str, list[int]] | None = None

    def find(self, quote: str) -> Span | None:
        """The first place where ``quote`` stands, or None."""
        quote = quote.strip()
        if not quote:
            return None
        if (start := self.text.find(quote)) >= 0:
            return Span(start, start + len(quote), quote, EvidenceMatch.EXACT)
        wanted, _ = normalise(html.unescape(quote))
        wanted = wanted.strip(" \"'")
        if self._normalised is None:
            self._normalised = normalise(self.text)
        normalised, origin = self._normalised
        at = normalised.find(wanted) if wanted else -1
        place, match = ((at, at + len(wanted)), EvidenceMatch.NORMALISED) if at >= 0 else (nearly(wanted, normalised), EvidenceMatch.FUZZY)
        if place is None:
            return None
        start, end = origin[place[0]], origin[place[1] - 1] + 1
        return Span(start, end, self.text[start:end], match)


def normalise(text: str) -> tuple[str, list[int]]:
    """``text`` in lower case with plain quotation marks, dashes and single spaces, and for each character its index in ``text``."""
    out: list[str] = []
    origin: list[int] = []
    space = True
    for index, character in enumerate(text):
        if character.isspace():
            if not space:
                out.append(" ")
                origin.append(index)
            space = True
            continue
        replacement = _SAME.get(character)
        if replacement is None:
            replacement = character.lower()
        for one in replacement:
            out.append(one)
            origin.append(index)
            space = False
    return "".join(out), origin


def nearly(quote: str, text: str) -> tuple[int, int] | None:
    """Where ``quote`` stands in ``text`` but for slips of the pen, both normalised; None where it says anything else.

    The most similar stretch is found by characters, then compared word by word.
    """
    if not NEARLY_LEAST <= len(quote) <= len(text):
        return None
    alike = fuzz.partial_ratio_alignment(quote, text, score_cutoff=NEARLY_SCORE)
    if alike is None:
        return None
    begin, finish = max(alike.dest_start - SLACK, 0), min(alike.dest_end + SLACK, len(text))
    around = [word for word in _WORD.finditer(text, begin, finish) if _is_whole(word, text)]
    stands = [word[0] for word in around]
    said = [_as_it_stands(word[0], stands) for word in _WORD.finditer(quote)]
    changes = [change for change in Levenshtein.opcodes(said, stands) if change.tag != "equal"]
    first = changes[0].dest_end if changes and changes[0].tag == "insert" and changes[0].src_start == 0 else 0
    last = changes[-1].dest_start if changes and changes[-1].tag == "insert" and changes[-1].src_start == len(said) else len(stands)
    within = [change for change in changes if first <= change.dest_start and change.dest_end <= last]
    if first >= last or not all(_is_slip(said[c.src_start : c.src_end], stands[c.dest_start : c.dest_end]) for c in within):
        return None
    return around[first].start(), around[last - 1].end()


def _as_it_stands(word: str, stands: Sequence[str]) -> str:
    """A misspelt word as the text has it."""
    return word if word in stands else next((other for other in stands if _is_one_word(word, other)), word)


def _is_slip(said: Sequence[str], stands: Sequence[str]) -> bool:
    if len(said) != len(stands):
        return all(word in _SMALL for word in (*said, *stands))
    return all(_is_one_word(*pair) for pair in zip(said, stands, strict=True))


def _is_one_word(one: str, other: str) -> bool:
    for word in (one, other):
        if word in _NEGATIONS or word.endswith("n't") or any(character.isdigit() for character in word):
            return False
    return any({one, other} <= words for words in _INTERCHANGEABLE) or fuzz.ratio(one, other) >= WORD_SCORE


def _is_whole(word: re.Match[str], text: str) -> bool:
    """Whether the window did not cut it."""
    start, end = word.span()
    return (start == 0 or not text[start - 1].isalnum()) and (end == len(text) or not text[end].isalnum())


def ground(analysis: ContentAnalysis, article: Text) -> Grounding:
    """Check every quote of an analysis against the article's text."""
    grounded: list[GroundedSignal] = []
    missing: list[str] = []
    for signal in analysis.signals:
        found = {quote: article.find(quote) for quote in dict.fromkeys(signal.evidence)}
        missing += [quote for quote, span in found.items() if span is None]
        if spans := _distinct([span for span in found.values() if span]):
            grounded.append(GroundedSignal(signal, spans))
    return Grounding(tuple(grounded), len(analysis.signals) - len(grounded), tuple(missing))


def _distinct(spans: Sequence[Span]) -> tuple[Span, ...]:
    return tuple({(span.start, span.end): span for span in spans}.values())
