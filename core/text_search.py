"""Full text search: the query that a search text stands for, and the cheapest way to what it finds.

Words that few rows have are looked up in the index of words. What many rows have is not: its matches would all have to be fetched
and sorted to show fifty of them. There the list is walked in its order and each row tested, which ends soon. Of several words the index
is asked only for the rare ones, since it reads a frequent one to its end; the rows that it finds are tested for the others.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.paging import Count

COMMON = 8_000
"""Rows from which on a text's matches are common: these are walked."""
PAGE = 50
"""Matches that a page shows, roughly: to come upon so many, every n-th row matching, takes so many times n rows."""
APART = 20
"""A word in more rows than so many times those of the rarest is left to be tested."""
WEIGHED = 8
"""Words of a text whose frequencies are asked for; the others are tested."""
TEXT_BOUND = 500
"""Matches of a common text are counted up to here."""
TESTED_AT_MOST = 500
"""Rows that are tested to count the matches of a common text."""
ENOUGH = 100
"""Matches after which a count says "more than"; a very frequent word shows as many in fewer rows than ``TESTED_AT_MOST``."""
KEPT_FOR, KEPT_AT_MOST = 30.0, 1_000
"""Seconds for which an expected frequency is not asked for again, and texts of which one is kept. A stale one leads to the same rows,
by the longer way at worst."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """How many rows are expected to have the words of a text, and of how many; and those of its words alone, if there are several."""

    rows: int
    of: int
    alone: tuple[tuple[str, int], ...] = ()

    @property
    def is_common(self) -> bool:
        """Whether fewer rows are read by walking the list to a full page than by fetching all matches: PAGE * of / rows < rows."""
        return self.rows >= COMMON and self.rows**2 >= PAGE * self.of

    def candidates(self, wanted: int) -> int:
        """Rows among which so many matches are likely found, a few more for bad luck."""
        return int(wanted * max(self.of, 1) / max(self.rows, 1) * 1.25) + wanted

    def parted(self, text: str) -> tuple[str, str]:
        """The words that the index is asked for, and those that are tested in the rows that it finds. Pure."""
        if not self.alone:
            return text, ""
        rarest = min(rows for _, rows in self.alone)
        asked = [word for word, rows in self.alone if rows <= APART * max(rarest, 1)]
        tested = [word for word in words_of(text) if word not in asked]
        return " ".join(asked), " ".join(tested)


UNKNOWN = Frequency(0, 0)


@dataclass(frozen=True, slots=True)
class Words:
    """What a search text comes to now: the rows that have it where they are few, else how frequent it is."""

    often: Frequency
    ids: tuple[int, ...] | None
    """None where there are too many to be worth fetching: these are tested in the list's order."""
    cells: Mapping[int, int] | None = None
    """Of articles that were fetched: how many of them each cell of the list has."""


def looked_at(ids: Sequence[int], passing: Callable[[list[int]], set[int]], besides: int = 0, *, at_most: int = 0) -> Count:
    """The matches among candidates, tested until there are enough to say "more than"; exact if these were all the candidates."""
    at_most = at_most or TESTED_AT_MOST
    found = besides + len(passing(list(ids[:at_most])))
    exact = len(ids) <= at_most
    return Count(found if exact else min(found, TEXT_BOUND), exact)


def words_of(text: str) -> list[str]:
    """The words of a search text."""
    return list(dict.fromkeys(re.findall(r"\w+", text)))


def prefix_query(text: str) -> str:
    """A ``to_tsquery`` text that finds what has every word of ``text``, each also as the beginning of a longer word.

    Without a word it is empty, which finds nothing.
    """
    return " & ".join(f"{word}:*" for word in words_of(text))


def has_words(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a ``tsvector`` column has the words of a search text."""
    found: ColumnElement[bool] = column.bool_op("@@")(func.to_tsquery("english", prefix_query(text)))
    return found


def looked_up(column: Any, text: str, often: Frequency) -> ColumnElement[bool]:
    """As ``has_words``, so put that the index is asked only for the words that are worth it."""
    asked, tested = often.parted(text)
    return and_(has_words(column, asked), has_words(column, tested).is_(True)) if tested else has_words(column, asked)


def frequency(session: Session, column: InstrumentedAttribute[str], text: str) -> Frequency:
    """How often the planner expects the words, by its statistics (as of ``KEPT_FOR`` ago); reads no row."""
    kept, key, now = _kept.setdefault(session.get_bind(), {}), (column.class_.__tablename__, text), time.monotonic()
    asked_at, found = kept.get(key, (now - KEPT_FOR, UNKNOWN))
    if now - asked_at >= KEPT_FOR:
        found = _asked(session, column, text)
        if len(kept) >= KEPT_AT_MOST:
            kept.clear()
        kept[key] = now, found
    return found


_kept: WeakKeyDictionary[Any, dict[tuple[str, str], tuple[float, Frequency]]] = WeakKeyDictionary()  # by database


def _asked(session: Session, column: InstrumentedAttribute[str], text: str) -> Frequency:
    everything: Select[Any] = select(literal_column("1")).select_from(column.class_)
    words = words_of(text)[:WEIGHED]
    alone = [(word, _expected(session, everything.where(has_words(column, word)))) for word in words] if len(words) > 1 else []
    return Frequency(_expected(session, everything.where(has_words(column, text))), _expected(session, everything), tuple(alone))


def _expected(session: Session, statement: Select[Any]) -> int:
    compiled = statement.compile(dialect=postgresql.psycopg.dialect())
    (plan,) = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", dict(compiled.params)).scalar_one()
    return int(plan["Plan"]["Plan Rows"])
