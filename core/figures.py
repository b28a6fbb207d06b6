"""Figures: the numbers that a text gives, whatever way they are written. Pure.

``1,200``, ``1.2k`` and ``1.2 thousand`` are one number; so are ``5%`` and ``5 percent``, and ``two`` and ``2``.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

_SCALES = {
    **dict.fromkeys(("k", "thousand"), Decimal(10) ** 3),
    **dict.fromkeys(("m", "mn", "mln", "million"), Decimal(10) ** 6),
    **dict.fromkeys(("b", "bn", "bln", "billion"), Decimal(10) ** 9),
    **dict.fromkeys(("t", "tn", "trillion"), Decimal(10) ** 12),
}
_WORDS = {
    word: Decimal(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
        " nineteen twenty".split()
    )
} | {"dozen": Decimal(12), "hundred": Decimal(100)}
_FIGURE = re.compile(  # begins with a digit, which is found fast
    r"(?<![\d.])(\d[\d,]*(?:\.\d+)?)(?:[\s-]?((?i:thousand|million|billion|trillion|mln|bln|mn|bn|tn|[kmbt]))\b)?"
)
_BEFORE = re.compile(r"(?<![\w.])[^\W\d_]{0,3}\Z")
"""What may stand before a figure, such as US in US$5; a figure within a word is none."""
_APART = ("", " ", "\n", "(")
_CURRENCIES = ("$", "€", "£")
_WORD = re.compile(r"[a-z]+")


def unsupported(description: str, quotes: Iterable[str]) -> tuple[str, ...]:
    """The numbers of ``description``, as it writes them, that stand in none of ``quotes``."""
    described = _figures(description)
    if not described:
        return ()
    known = {value for quote in quotes for values in _figures(quote).values() for value in values}
    known |= {_WORDS[word] for quote in quotes for word in _WORD.findall(quote.lower()) if word in _WORDS}
    return tuple(written for written, values in described.items() if not values & known)


def _figures(text: str) -> dict[str, set[Decimal]]:
    """Numbers as written, each with what it may mean: alone, and with the scale that follows it."""
    found: dict[str, set[Decimal]] = {}
    for match in _FIGURE.finditer(text):
        start = match.start()
        if text[start - 1 : start] in _CURRENCIES:
            start -= 1
        if text[start - 1 : start] not in _APART:
            before = _BEFORE.search(text, max(start - 4, 0), start)
            if before is None:
                continue
            start = before.start()
        found.setdefault(text[start : match.end()].strip(), set()).add(_value(match[1], (match[2] or "").lower()))
    return found


@lru_cache(maxsize=50_000)
def _value(digits: str, scale: str) -> Decimal:
    return (Decimal(digits.replace(",", "")) * _SCALES.get(scale, Decimal(1))).normalize()
