"""Keyset paging: a page begins after (or ends before) the key of a row, so it costs the same however far in it lies, and rows
that come or go meanwhile make no row appear twice or not at all.

A list is one stretch after another (priority publishers, then the others), each ordered by columns of its own that all rise or all
fall, the last of them unique. A key is the stretch's number and those columns' values. Nothing here reads but through ``Fetch``.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, DateTime, Integer, text, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

R = TypeVar("R")
Key = tuple[Any, ...]
Fetch = Callable[[Key | None, bool, int], list[tuple[Key, R]]]
"""Up to so many rows of a stretch with their keys, those nearest beyond a key first: backwards if asked."""

COUNT_BOUND = 10_000
"""Counts are exact up to here and "more than" beyond."""
SIFTED_AT_MOST = 10_000
"""Candidates that are looked at one by one for a page before another way is tried."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number that is exact, or at least so much."""

    value: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.value:,}" if self.exact else f"more than {self.value:,}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page lies: after a key, or before one; without either it is the first."""

    after: Key | None = None
    before: Key | None = None
    position: int = 0
    """How many rows lie before the page, as counted on the way to it."""

    @property
    def token(self) -> str:
        """The place as a short text for an address."""
        key = self.after or self.before
        if key is None:
            return ""
        said = [self.position, "b" if self.before else "a", *[{"t": one.isoformat()} if isinstance(one, datetime) else one for one in key]]
        return base64.urlsafe_b64encode(json.dumps(said, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def of_token(cls, token: str) -> "Place":
        """The place that a token names; the first page for what is none."""
        try:
            position, way, *parts = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            key = tuple(datetime.fromisoformat(one["t"]) if isinstance(one, dict) else one for one in parts)
        except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
            return cls()
        good = all(isinstance(one, int | float | datetime) and not isinstance(one, bool) and _fits(one) for one in key)
        if not good or len(key) < 2 or type(position) is not int or not 0 <= position < 2**53 or not isinstance(key[0], int):
            return cls()
        return cls(before=key, position=position) if way == "b" else cls(after=key, position=position)


FIRST = Place()


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Rows in the list's order, and the places beside them; None where the list ends."""

    rows: list[R]
    previous: Place | None
    next: Place | None
    position: int = 0


@contextmanager
def by_index(session: Session) -> Iterator[None]:
    """No table is read from end to end within, whatever the planner thinks of it. For bounded counts: it takes the bound for a reason
    to read a table as it lies, and where what is counted lies at its end, it reads all of it."""
    session.execute(_SEQUENTIAL, {"allowed": "off"})
    yield
    session.execute(_SEQUENTIAL, {"allowed": "on"})


_SEQUENTIAL = text("SELECT set_config('enable_seqscan', :allowed, true)")  # for this transaction only


def walk(stretches: Sequence[Fetch[R]], place: Place, size: int) -> Page[R]:
    """The page at ``place`` of a list; one row more than the page is fetched, to know whether there is another."""
    back = place.before is not None
    key = place.before if back else place.after
    number = min(int(key[0]), len(stretches) - 1) if key else 0
    found: list[tuple[Key, R]] = []
    within: Key | None = key[1:] if key and int(key[0]) == number else None
    while 0 <= number < len(stretches) and len(found) <= size:
        rows = stretches[number](within, back, size + 1 - len(found))
        found += [((number, *values), row) for values, row in rows]
        number += -1 if back else 1
        within = None
    more, found = len(found) > size, found[:size]
    position = max(place.position - len(found), 0) if back else place.position
    if back:
        found.reverse()
        position = position if more else 0
    if not found:
        return Page([], None if key is None else FIRST, None, 0)
    has_previous, has_next = (more, True) if back else (key is not None, more)
    return Page(
        [row for _, row in found],
        Place(before=found[0][0], position=position) if has_previous else None,
        Place(after=found[-1][0], position=position + len(found)) if has_next else None,
        position,
    )


def beyond(columns: Sequence[Any], key: Key | None, *, falls: bool, back: bool) -> list[ColumnElement[bool]]:
    """The condition for rows beyond a key, on columns that all fall or all rise; none for a key that is not of these columns."""
    if key is None or len(key) != len(columns) or not all(_is_of(value, column.type) for value, column in zip(key, columns, strict=True)):
        return []
    mine, others = tuple_(*columns), tuple_(*key)
    return [mine < others if falls != back else mine > others]


def ordered_by(columns: Sequence[Any], *, falls: bool, back: bool) -> list[ColumnElement[Any]]:
    """The order of a stretch, or its reverse."""
    return [column.desc() if falls != back else column.asc() for column in columns]


def sifted(
    candidates: Fetch[int],
    passing: Callable[[list[int]], set[int]],
    otherwise: Fetch[int] | None = None,
    likely: Callable[[int], int] | None = None,
) -> Fetch[int]:
    """The rows of a stretch that pass a test which no index answers; ids in, ids out.

    Candidates are fetched in their order and tested, at first as many as are ``likely`` to hold what is wanted, then as many as
    likely hold the rest by what was found so far, until there are enough. After ``SIFTED_AT_MOST`` of them
    ``otherwise`` is asked instead.
    """

    def fetch(key: Key | None, back: bool, limit: int) -> list[tuple[Key, int]]:
        found: list[tuple[Key, int]] = []
        at, tried, chunk = key, 0, min(likely(limit), 4_000) if likely else max(2 * limit, 100)
        while len(found) < limit:
            if otherwise is not None and tried >= SIFTED_AT_MOST:
                return otherwise(key, back, limit)
            rows = candidates(at, back, chunk)
            good = passing([id_ for _, id_ in rows])
            found += [(values, id_) for values, id_ in rows if id_ in good]
            if len(rows) < chunk:
                break
            at, tried = rows[-1][0], tried + len(rows)
            missing = (limit - len(found)) * tried * 5 // (4 * len(found)) + 50 if found else chunk * 4  # as often as so far, and some
            chunk = min(missing, chunk * 4, 4_000)
        return found[:limit]

    return fetch


def _is_of(value: object, kind: TypeEngine[Any]) -> bool:
    if isinstance(kind, DateTime):
        return isinstance(value, datetime)
    return isinstance(value, int) if isinstance(kind, Integer) else isinstance(value, int | float)


def _fits(value: object) -> bool:
    """Whether a database column could hold it: a whole number of 64 bits, a finite one, a moment with its zone."""
    if isinstance(value, datetime):
        return value.tzinfo is not None
    return isinstance(value, int | float) and abs(value) < 2**63
