"""Whether two articles are one story, and by which numbers such pairs are found. Pure: any thread may call it.

Texts are compared by their shingles, the runs of four words (Broder, "On the resemblance and containment of documents", 1997).
A copy that was cut is contained in the original, so what counts is the share of the shorter text that stands in the longer one.
Three things look alike without being one story, and each has its condition: the furniture of a site or a "what is" paragraph under
every press release (the beginnings must agree too), reports filled into a template (their figures must agree), and columns of one
title (a title alone never joins).
"""

import re
import unicodedata
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

WINDOW = timedelta(days=7)
"""Two articles published further apart are not compared."""
PERIOD = timedelta(days=28)
"""What keys are tied to: a list in the index is as long as one, not as the archive."""
TITLE_WINDOW = timedelta(days=3)
SHINGLE_WORDS = 4
HEAD_WORDS = 200
"""The beginning of a text: longer than a lead that an editor puts before a copy."""
SKETCH_WORDS = 300
SKETCH_CHARS = 3_000
SAMPLED = 12
"""Of the shingles among the first ``SKETCH_WORDS`` (in so many characters at most) one in so many is a key: the same ones in every text."""
SPECIFIC_TITLE_WORDS = 5
"""A shorter title, such as "Bitcoin Price Analysis", is likely to come again."""
FEW_SHINGLES = 12
"""A text of fewer says too little to be recognised by it alone."""
MAX_CHARS = 60_000

_WORD = re.compile(r"[^\W_]+")
_FIGURE = re.compile(r"\d[\d.,]*\d|\d")
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w’'-]+")
_LABEL = re.compile(r"^(?:breaking|update|updated|just in|exclusive|icymi|watch|live)\b[\s:–—-]+", re.IGNORECASE)
_APOSTROPHES = "’'ʼ`"
_FACTOR = np.uint64(0x100000001B3)
TITLE_BITS = np.uint64(7)


@dataclass(frozen=True)
class Text:
    """What of an article is compared. Its parts are worked out once, when they are asked for."""

    publisher_id: int
    published_at: datetime
    title: str
    body: str

    @cached_property
    def words(self) -> list[str]:
        return words(self.body[:MAX_CHARS])

    @cached_property
    def title_words(self) -> tuple[str, ...]:
        return title_words(self.title)

    @cached_property
    def shingles(self) -> frozenset[int]:
        return frozenset(shingles(self.words).tolist())

    @cached_property
    def head(self) -> frozenset[int]:
        """The shingles of the beginning."""
        return frozenset(shingles(self.words[:HEAD_WORDS]).tolist())

    @cached_property
    def figures(self) -> frozenset[str]:
        return frozenset(figure.replace(",", "") for figure in _FIGURE.findall(self.body[:MAX_CHARS]))

    @cached_property
    def facts(self) -> frozenset[str]:
        """Figures and names in the text that are not in the title, too: what a title's likeness does not already say."""
        names = {word for name in _NAME.findall(self.body[:MAX_CHARS]) for word in words(name)}
        return frozenset(names | self.figures) - set(self.title_words)


def story_keys(title: str, body: str, published_at: datetime) -> list[int]:
    """The numbers by which an article's copies are found, as ``articles.story_keys`` keeps them."""
    return keys_of(marks(title, body), period(published_at))


def marks(title: str, body: str) -> Hashes:
    """Numbers that two articles of one story are likely to share. The last three bits tell of what: 7 a title, 0 a shingle."""
    hashes = np.unique(shingles(words(body[:SKETCH_CHARS])[:SKETCH_WORDS])) & ~TITLE_BITS
    chosen = hashes[(hashes >> np.uint64(3)) % SAMPLED == 0]
    chosen = chosen if chosen.size else hashes[:1]  # of the shortest texts one, so that equal ones meet
    if len(whole := title_words(title)) >= SPECIFIC_TITLE_WORDS:
        chosen = np.append(chosen, _mixed(np.array([_text_hash(" ".join(whole))], np.uint64)) | TITLE_BITS)
    return chosen


def are_one_story(one: Text, other: Text) -> bool:
    """The rule. Symmetric, and a matter of the two articles alone, so groups do not depend on the order of import."""
    apart = abs(one.published_at - other.published_at)
    if apart > WINDOW:
        return False
    short, long = sorted((one, other), key=lambda text: (len(text.shingles), text.body, text.title))
    same_title = one.title_words == other.title_words
    specific = same_title and len(one.title_words) >= SPECIFIC_TITLE_WORDS and apart <= TITLE_WINDOW
    if len(short.shingles) < FEW_SHINGLES:
        return same_title and (short.shingles == long.shingles if not specific else short.shingles <= long.shingles)
    contained = _share(short.shingles, long.shingles)
    if _share(short.figures, long.figures) < 0.6 * contained:  # a template, filled in anew
        return False
    beginning = max(_share(short.head, long.shingles), _share(long.head, short.shingles))  # one of them may have a lead of its own
    if one.publisher_id == other.publisher_id:  # whose texts have its furniture in common
        alike = contained if same_title else len(short.shingles & long.shingles) / len(short.shingles | long.shingles)
        return min(alike, beginning) >= (0.6 if same_title else 0.9)
    needed = 0.3 if specific else 0.5
    shared = short.facts & long.facts
    told_anew = specific and len(shared) >= 4 and len(shared) >= 0.5 * min(len(one.facts), len(other.facts))
    return min(contained, beginning) >= needed or told_anew


def words(text: str) -> list[str]:
    """The words of a text, one form for all ways to write it: case, apostrophes, compatibility characters."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    for apostrophe in _APOSTROPHES:
        plain = plain.replace(apostrophe, "")
    return _WORD.findall(plain.casefold())


def title_words(title: str) -> tuple[str, ...]:
    """A title's words without what publishers put around it: "BREAKING: ", " | Opinion"."""
    bare = _LABEL.sub("", title.split(" | ", maxsplit=1)[0].strip()) or title
    return tuple(words(bare))


def shingles(text_words: list[str]) -> Hashes:
    """The hash of each run of ``SHINGLE_WORDS`` words; of fewer words, of them all. Equal in every process."""
    hashes = np.fromiter(map(_word_hash, text_words), np.uint64, len(text_words))
    size = min(SHINGLE_WORDS, len(text_words))
    if not size:
        return hashes
    rolled = np.zeros(len(text_words) - size + 1, np.uint64)
    for place in range(size):
        rolled = (rolled * _FACTOR) ^ hashes[place : place + rolled.size]
    return _mixed(rolled)


def period(moment: datetime) -> int:
    """The number of the period that a moment is in."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // PERIOD


def keys_of(marks: Hashes, of_period: int) -> list[int]:
    """Marks tied to a period, as Postgres' ``bigint``."""
    return (marks ^ _tie(of_period)).view(np.int64).tolist()


def probes(keys: list[int], published_at: datetime) -> dict[int, bool]:
    """From an article's own keys those that others of its story may have, in all periods within the window; which are of a title."""
    own = period(published_at)
    marks = np.array(keys, np.int64).view(np.uint64) ^ _tie(own)
    titles = ((marks & TITLE_BITS) == TITLE_BITS).tolist()
    reached = sorted({own, period(published_at - WINDOW), period(published_at + WINDOW)})
    return {key: title for near in reached for key, title in zip(keys_of(marks, near), titles, strict=True)}


def worth_reading(shared: int, title_shared: bool, fewer: int) -> bool:
    """Whether two articles share enough keys, of the ``fewer`` that one has, to be compared: most share a common phrase and no more."""
    return title_shared or shared >= 0.15 * fewer


@lru_cache(maxsize=10_000)
def _tie(of_period: int) -> np.uint64:
    return _mixed(np.array([of_period % 2**64], np.uint64))[0]


def _share(part: frozenset[int] | frozenset[str], whole: frozenset[int] | frozenset[str]) -> float:
    return len(part & whole) / len(part) if part else 1.0


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64: every bit of the result depends on every bit of the value."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@lru_cache(maxsize=100_000)
def _word_hash(word: str) -> int:
    return _text_hash(word)


def _text_hash(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return zlib.crc32(data) | zlib.adler32(data) << 32
