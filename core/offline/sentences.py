"""Sentences of a news article, as spans into its text.

Feeds lose the breaks of the page: paragraphs run together ("expenses.“We achieved", "for expensesThe firm") and headings
flow into the sentence after them. This stage finds the sentences again and says which of them may be quoted.
Every span satisfies ``text[span.start:span.end] == span.text``: what is quoted is verbatim.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from core.offline.lexicon import ABBREVIATIONS, BOILERPLATE, HEADING_LINKS, HEADING_OPENERS, SENTENCE_STARTERS, word_set

MAX_SENTENCES = 400
MIN_QUOTE, MAX_QUOTE = 30, 600

_STOP = re.compile(r"[.!?…]+[”’\")\]]*")
_CAMEL = re.compile(r"(?<=[a-z0-9%)”])[A-Z][a-z]+(?=[\s’,:])")
_WORD_BEFORE = re.compile(r"[\w.’'&$-]{1,24}$")
_TOKEN = re.compile(r"\S+")
_OPENING = "“‘\"'([*$€£•–—#@"
_LOWER_WORD = re.compile(r"(?<![\w@/.])[a-z][a-z’'-]+")
_DIGITS = re.compile(r"\d")
_LATE_DISCLAIMER = re.compile(r"\b(?:disclaimer|disclosure|risk warning)s?\b\s*[:.-]", re.IGNORECASE)
_LIST = re.compile(r"[:.] [A-Z][\w-]+(?: (?:[A-Z&][\w-]*|of|and|to|for|in)){0,4}: ")
_CODE = re.compile(r"[{}<>\ud800-\udfff]|=>|\|\||\w\(\w*\)|\s;")
_CREDIT = re.compile(r"appeared first on (?:Coinpedia Fintech News|Bitcoin World|[A-Z][\w.]+)\s*")
_LATE_STARTER = re.compile(
    r"(?<=[a-z?!] )(?:The|This|These|However|According|Although|Despite|Meanwhile|While|When|After|It|"
    r"Earlier|Since|During|Additionally)(?= [A-Za-z])"
)
_KEEPS_THE = word_set("at from by on to with and of in told for via per the as like than reported when that")
_CAMEL_TAILS = word_set(
    "Strategy World Desk Rock Pal Shares Stream Chain Bank Swap Block Market Quant Node Tube Spark Wulf Coin Labs View Mine Sea Market"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence. ``quotable`` is false for headings, tables, boilerplate and fragments."""

    start: int
    end: int
    text: str
    quotable: bool


def split(text: str, title: str = "") -> list[Sentence]:
    """The sentences of ``text`` in order, at most 400 of them. ``title`` is recognised where the body repeats it."""
    ending = _ending_start(text)
    found: list[Sentence] = []
    for start, end in _spans(text):
        for piece_start, piece_end, heading in _without_heading(text, start, end, title):
            piece = text[piece_start:piece_end]
            quotable = not heading and piece_start < ending and is_quotable(piece)
            found.append(Sentence(piece_start, piece_end, piece, quotable))
            if len(found) >= MAX_SENTENCES:
                return found
    return found


@lru_cache(maxsize=2_048)  # asked of one sentence by several rules
def is_boilerplate(sentence: str) -> bool:
    """Whether a sentence is the publisher's furniture: sign-ups, credits, risk notices, links to other stories."""
    return BOILERPLATE.search(sentence[:400]) is not None


def is_quotable(sentence: str) -> bool:
    """Whether a sentence can stand as evidence: prose with an end, neither furniture nor a table or a list of headings."""
    if not MIN_QUOTE <= len(sentence) <= MAX_QUOTE or _CODE.search(sentence) or _LIST.search(sentence) or is_boilerplate(sentence):
        return False
    if sentence.rstrip('”’")]')[-1:] not in ".!…" or not (sentence[0].isupper() or sentence[0] in "“\"'‘$€£" or sentence[0].isdigit()):
        return False
    words = sentence.split()
    lower = len(_LOWER_WORD.findall(sentence))
    return lower >= 4 and lower >= 0.42 * len(words) and len(_DIGITS.findall(sentence)) <= 0.22 * len(sentence)


def _ending_start(text: str) -> int:
    """Where a closing disclaimer begins; the text's length if there is none in its last two fifths."""
    floor = int(len(text) * 0.6)
    match = _LATE_DISCLAIMER.search(text, floor)
    return match.start() if match else len(text)


def _spans(text: str) -> list[tuple[int, int]]:
    cuts = sorted(set(_stops(text)) | set(_line_breaks(text)) | set(_glued_words(text)))
    spans: list[tuple[int, int]] = []
    start = 0
    for cut in [*cuts, len(text)]:
        left, right = start, cut
        while left < right and text[left].isspace():
            left += 1
        while right > left and text[right - 1].isspace():
            right -= 1
        if right > left:
            spans.append((left, right))
        start = cut
        if len(spans) >= MAX_SENTENCES:
            break
    return spans


def _stops(text: str) -> list[int]:
    """Offsets just after a full stop, question or exclamation mark that ends a sentence."""
    cuts: list[int] = []
    last = 0
    for match in _STOP.finditer(text):
        end = match.end()
        if end >= len(text):
            break
        mark = match.group()
        if mark.endswith('"') and not text[end].isspace() and text.count('"', last, match.start()) % 2 == 0:
            end -= 1  # an opening quotation mark that belongs to the next sentence
        following = text[end : end + 40]
        glued = not following[:1].isspace()
        next_word = following.lstrip()
        if not next_word or not _can_start(next_word, glued=glued):
            continue
        if mark[0] == "." and len(mark) == 1 and _is_abbreviation(text, match.start(), next_word, glued=glued):
            continue
        cuts.append(end)
        last = end
    return cuts


def _can_start(following: str, *, glued: bool) -> bool:
    first = following[0]
    if glued:
        return first in '“"‘' or (first.isupper() and (following[1:2].islower() or following[1:2] in " ’'"))
    return first.isupper() or first.isdigit() or first in _OPENING


def _is_abbreviation(text: str, dot: int, following: str, *, glued: bool) -> bool:
    match = _WORD_BEFORE.search(text, max(0, dot - 24), dot)
    if match is None:
        return False
    word = match.group().lstrip("'’\"“(")
    starter = re.split(r"[\s,’']", following, maxsplit=1)[0] in SENTENCE_STARTERS
    if word.lower() in ABBREVIATIONS:
        return not (starter and ABBREVIATIONS[word.lower()])
    if len(word) == 1 and word.isalpha() and word.isupper():  # an initial: "John J. Ray"
        return not starter
    if "." in word and len(word) <= 6 and word.replace(".", "").isalpha() and max(map(len, word.split("."))) == 1:  # U.S, a.m, D.C
        return not starter
    return glued and following[:4].lower() in ("com ", "com,", "io ", "net ")


def _line_breaks(text: str) -> list[int]:
    cuts: list[int] = []
    for match in re.finditer(r"\n+", text):
        before = text[max(0, match.start() - 120) : match.start()].rsplit("\n", 1)[-1].rstrip()
        after = text[match.end() : match.end() + 2].lstrip()
        ended = before[-1:] in '.!?:”"’)' or len(before) < 90
        if len(match.group()) > 1 or (ended and after[:1] and not after[0].islower()):
            cuts.append(match.end())
    return cuts


def _glued_words(text: str) -> list[int]:
    """Offsets inside "expensesThe firm": a word glued to the start of the next sentence.

    A name written in camel case is not cut: the right half has to be a word that opens sentences, or one that the article
    writes alone elsewhere, while the glued form stands in it only once.
    """
    cuts: list[int] = []
    looked_up = 0
    for match in _CAMEL.finditer(text):
        right = match.group()
        if right in SENTENCE_STARTERS:
            cuts.append(match.start())
            continue
        left = _WORD_BEFORE.search(text, max(0, match.start() - 24), match.start())
        glued = (left.group() if left else "") + right
        if looked_up < 40 and right not in _CAMEL_TAILS and len(glued) > len(right) + 2:
            looked_up += 1
            if f" {right}" in text and text.count(glued) == 1:
                cuts.append(match.start())
    return cuts


def _without_heading(text: str, start: int, end: int, title: str) -> list[tuple[int, int, bool]]:
    """The span, with a heading that flows into it cut off: ``(start, end, is_heading)`` pieces."""
    pieces: list[tuple[int, int, bool]] = []
    if len(title) > 20 and (at := text.find(title, start, start + len(title) + 40)) >= 0 and at + len(title) < end:
        cut = at + len(title)
        pieces.append((start, cut, True))
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if credit := _CREDIT.match(text, start, end):
        pieces.append((start, credit.end(), True))
        start = credit.end()
    if "\n" not in text and (body_start := _heading_end(text, start, min(end, start + 300))) is not None:
        pieces.append((start, body_start, True))
        start = body_start
    if start < end:
        pieces.append((start, end, False))
    return [(left, left + len(text[left:right].rstrip()), heading) for left, right, heading in pieces if text[left:right].strip()]


def _heading_end(text: str, start: int, end: int) -> int | None:
    """Where a heading stops and its sentence starts, or ``None``.

    In Title Case, the run of capitalised words (short link words allowed) is followed to its end. The sentence starts at the first
    word of the run's tail that opens sentences; failing that, at the run's last name, if the run is long enough to be a heading.
    In sentence case, a capitalised "The" or "However" after a plain word, early in the span, starts the sentence.
    """
    tokens = list(_TOKEN.finditer(text, start, end))
    run = 0
    capitals: list[int] = []
    for index, token in enumerate(tokens):
        word = token.group().lstrip("“\"'‘(")
        if word[:1].isupper():
            capitals.append(index)
        elif not (word[:1].isdigit() or word[:1] in "$&–-" or word.lower().strip(",") in HEADING_LINKS):
            break
        run = index + 1
    if run == len(tokens) or len(capitals) < 4:
        return _late_starter(text, start, end)
    for position, index in enumerate(capitals[3:], start=3):
        word = tokens[index].group().rstrip(",")
        tail = len(capitals) - position
        if word in HEADING_OPENERS and tail <= (2 if word.lower() in HEADING_LINKS else 4):
            return tokens[index].start()
    position = len(capitals) - 1
    if len(capitals) < 6 or (run == len(capitals) < 9) or capitals[position] < 0.7 * run - 1:
        return _late_starter(text, start, end)
    for _ in range(3):  # back over a name of several words, which the article writes elsewhere too
        index = capitals[position]
        pair = f"{tokens[index - 1].group()} {tokens[index].group()}"
        if (
            position < 5
            or capitals[position - 1] != index - 1
            or not (tokens[index - 1].group().endswith(("’s", "'s")) or text.count(pair) > 1)
        ):
            break
        position -= 1
    return tokens[capitals[position]].start()


def _late_starter(text: str, start: int, end: int) -> int | None:
    match = _LATE_STARTER.search(text, start + 12, min(end, start + 120))
    if match is None:
        return None
    before = text[start : match.start()].split()
    return match.start() if len(before) >= 3 and before[-1].lower() not in _KEEPS_THE else None
