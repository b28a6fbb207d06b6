"""What of a text the rules read: prose in English, and nothing that gives orders to whoever reads it.

News speaks of others. A passage that speaks to its reader ("ignore ...", "you must rate ..."), that has the form of something a
machine reads (markup, a chat's turns, JSON, links with parameters), or that is no English prose at all (another language, an
encoding, hidden characters) is left out before any rule runs. So an article with such a passage is analysed as one without it.
The text is never changed within a sentence: what is quoted stays verbatim. Pure.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import groupby

from core.offline.machine_talk import is_machine_talk
from core.offline.sentences import is_quotable

REST_AT_MOST = 600
"""Characters after an order that still count as its paragraph; a longer rest is an article whose paragraphs were lost."""
OPENING_AT_MOST = 200
"""Characters before an order, in a paragraph among others, that still count as its own opening."""

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_PIECE_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]*_]*\s+|\n")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ENGLISH = frozenset(
    "about after an and are as at been but by for from had has have he how if in is it its more not of on or said than that the their"
    " them they this to was we were what when which who will with would you your".split()
)
"""Words without which there is no English sentence of some length."""
_HARDLY_ELSEWHERE = _ENGLISH - frozenset("an as at for he had in is not of on or to was we were will who if but how by it".split())
"""Those of them that other languages do not write too."""
_SHORTEST, _LONG = 4, 12
_DISGUISED = re.compile("[\uff21-\uff5a\u2460-\u24ff\U0001d400-\U0001d7ff\U0001f110-\U0001f189\U0001f1e6-\U0001f1ff\u2800-\u28ff]")
_ENCODED = re.compile(r"[A-Za-z0-9+/=_%\\-]{32,}")
_IGNORABLE = re.compile("[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def readable(text: str) -> str:
    """The passages of ``text`` that the rules read, each verbatim, with a blank line between paragraphs."""
    paragraphs = _PARAGRAPH.split(text)
    kept = (_without_orders(paragraph, alone=len(paragraphs) == 1) for paragraph in paragraphs)
    return "\n\n".join(paragraph for paragraph in kept if paragraph)


def readable_line(text: str) -> str:
    """As ``readable``, for a headline or a name: these need no verb, so only disguises and orders are left out."""
    return " ".join(piece.strip() for piece in _pieces(text) if not _is_hostile(piece))


@lru_cache(maxsize=2_048)  # one page is found for several signals
def _is_hostile(piece: str) -> bool:
    return _is_disguised(piece) or _repeats_itself(_words(piece)) or is_machine_talk(piece)


def _without_orders(paragraph: str, *, alone: bool) -> str:
    """A paragraph without its orders and what comes with them: a short opening, and what follows unless it is long."""
    kept: list[str] = []
    for number, (is_order, run) in enumerate(groupby(_pieces(paragraph), _is_hostile)):
        text = "".join(run)
        if is_order:
            continue
        whole = number == 0 and len(text) == len(paragraph)
        is_story = any(is_quotable(piece.strip()) for piece in _pieces(text)) and (alone or len(text) > OPENING_AT_MOST)
        if whole or (is_story if number == 0 else len(text) > REST_AT_MOST or (alone and bool(kept))):
            kept.append(text)
    lines = "".join(kept).strip().split("\n")
    return "\n".join(line for line in lines if is_prose(line))


def _pieces(text: str) -> list[str]:
    """Sentences and lines, with the white space after them."""
    pieces, start = [], 0
    for end in _PIECE_END.finditer(text):
        pieces.append(text[start : end.end()])
        start = end.end()
    return [*pieces, text[start:]]


def is_prose(line: str) -> bool:
    """Whether a line is written in English; one of a few words may be in any language."""
    words = _words(line)
    if _repeats_itself(words):
        return False
    if len(words) < _SHORTEST:
        return True
    common = sum(word in _ENGLISH for word in words)
    if len(words) < _LONG:
        return any(word in _HARDLY_ELSEWHERE for word in words) or common >= 2
    return common >= 0.14 * len(words) and not _HARDLY_ELSEWHERE.isdisjoint(words)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _repeats_itself(words: list[str]) -> bool:
    return len(words) >= 40 and len(set(words)) <= 12


def _is_disguised(text: str) -> bool:
    """Whether a text hides what it says: characters that cannot be seen, look-alikes, letters set apart, long codes."""
    if text.isascii():
        marks = False
    elif _DISGUISED.search(text) or _IGNORABLE.search(text):
        return True
    else:
        marks = any(unicodedata.category(character) in ("Cf", "Co", "Cn") for character in text)
    tokens = text.split()
    alone = sum(len(token) == 1 and token.isalpha() for token in tokens)
    coded = sum(map(len, _ENCODED.findall(text)))
    symbols = sum(not (character.isalnum() or character.isspace()) for character in text)
    spelt_out = (alone >= 5 and 2 * alone > len(tokens)) or (symbols >= 20 and 2 * symbols > len(text) - len(tokens))
    return marks or spelt_out or 3 * coded > len(text) or _is_foreign_script(text)


def _is_foreign_script(text: str) -> bool:
    """Whether another script than Latin has a tenth of the letters, or stands within a word of Latin letters."""
    if text.isascii():
        return False
    letters = foreign = 0
    for word in _WORD.findall(text):
        others = sum(letter.isalpha() and ord(letter) >= 0x370 and not 0x1E00 <= ord(letter) <= 0x1EFF for letter in word)
        if 0 < others < sum(map(str.isalpha, word)):
            return True
        letters, foreign = letters + len(word), foreign + others
    return foreign > 0.1 * letters
