"""Full text search: the query that a search text stands for, and how many rows it would find.

A rare word is looked up in the index of words. One that every other article has is not: its matches would all have to be
fetched and sorted to show fifty of them. There the list is walked in its order and each row tested, which ends soon.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal_column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.paging import Count

COMMON = 8_000
"""Rows from which on a word is common: these are walked."""
EVERYWHERE = 0.15
"""Share of the rows from which on its matches are also counted by walking."""
TEXT_BOUND = 500
"""Matches of a common word are counted up to here."""
TESTED_AT_MOST = 1_500
"""Rows that are tested to count the matches of a word that is everywhere."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """How many rows are expected to have the words, and of how many."""

    rows: int
    of: int

    @property
    def is_common(self) -> bool:
        return self.rows >= COMMON

    @property
    def is_everywhere(self) -> bool:
        return self.is_common and self.rows >= EVERYWHERE * self.of


def looked_at(ids: Sequence[int], passing: Callable[[list[int]], set[int]], besides: int = 0) -> Count:
    """The matches among candidates, tested until there are enough to say "more than"; exact if these were all the candidates."""
    found, step = besides, TEXT_BOUND * 6 // 5
    for start in range(0, min(len(ids), TESTED_AT_MOST), step):
        found += len(passing(list(ids[start : min(start + step, TESTED_AT_MOST)])))
        if found > TEXT_BOUND and len(ids) > TESTED_AT_MOST:
            break
    exact = len(ids) <= TESTED_AT_MOST
    return Count(found if exact else min(found, TEXT_BOUND), exact)


def prefix_query(text: str) -> str:
    """A ``to_tsquery`` text that finds what has every word of ``text``, each also as the beginning of a longer word.

    Without a word it is empty, which finds nothing.
    """
    return " & ".join(f"{word}:*" for word in re.findall(r"\w+", text))


def has_words(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a ``tsvector`` column has the words of a search text."""
    found: ColumnElement[bool] = column.bool_op("@@")(func.to_tsquery("english", prefix_query(text)))
    return found


def frequency(session: Session, column: InstrumentedAttribute[str], text: str) -> Frequency:
    """How often the planner expects the words, by its statistics; reads no row."""
    everything: Select[Any] = select(literal_column("1")).select_from(column.class_)
    return Frequency(_expected(session, everything.where(has_words(column, text))), _expected(session, everything))


def _expected(session: Session, statement: Select[Any]) -> int:
    compiled = statement.compile(dialect=postgresql.psycopg.dialect())
    (plan,) = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", dict(compiled.params)).scalar_one()
    return int(plan["Plan"]["Plan Rows"])
