"""Full text search: the query that a search text stands for, and how many rows it would find.

A rare word is looked up in the index of words. One that every other article has is not: its matches would all have to be
fetched and sorted to show fifty of them. There the list is walked in its order and each row tested, which ends soon.
"""

import re
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute, Session

COMMON = 20_000
"""Rows from which on a word is common."""
TEXT_BOUND = 1_000
"""Matches of a common word are counted up to here."""
TESTED_AT_MOST = 5_000
"""Rows that are tested to count the matches of a common word."""


def prefix_query(text: str) -> str:
    """A ``to_tsquery`` text that finds what has every word of ``text``, each also as the beginning of a longer word.

    Without a word it is empty, which finds nothing.
    """
    return " & ".join(f"{word}:*" for word in re.findall(r"\w+", text))


def has_words(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a ``tsvector`` column has the words of a search text."""
    found: ColumnElement[bool] = column.bool_op("@@")(func.to_tsquery("english", prefix_query(text)))
    return found


def is_common(session: Session, column: InstrumentedAttribute[str], text: str) -> bool:
    """Whether the planner expects ``COMMON`` rows or more to have the words, by its statistics."""
    statement = select(literal_column("1")).select_from(column.class_).where(has_words(column, text))
    compiled = statement.compile(dialect=postgresql.psycopg.dialect())  # type: ignore[attr-defined]
    (plan,) = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", dict(compiled.params)).scalar_one()
    return int(plan["Plan"]["Plan Rows"]) >= COMMON
