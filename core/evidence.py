"""Evidence check: a quote counts only if it stands in the text it is said to come from. Pure.

Exact first; then with whitespace, quotation marks, dashes, case and HTML entities normalised. What is returned is always the
text's own words (``text[start:end]``), never the model's.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from core.agents.outputs import ContentAnalysis, FoundSignal
from core.models import EvidenceMatch

_SAME = {
    **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
}


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
        if at < 0:
            return None
        start, end = origin[at], origin[at + len(wanted) - 1] + 1
        return Span(start, end, self.text[start:end], EvidenceMatch.NORMALISED)


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
