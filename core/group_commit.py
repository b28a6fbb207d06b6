"""Group commit: the short transactions of one event loop, as many at once as have come together.

While one transaction is under way, work that arrives waits and goes into the next as a group: one connection, one BEGIN, one
flush of the log for all of it, and work of one kind in one call, so that it can take one statement. With little to do every
piece of work has a transaction of its own; under load there are as few transactions as the database has time for. (The idea
is Postgres' own, ``commit_delay``, here without a delay.)
"""

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from core.configuration import Desk
from core.errors import DatabaseUnavailable

I = TypeVar("I")  # noqa: E741 - an item of work
R = TypeVar("R")
Work = Callable[[Session, Sequence[I]], Sequence[R]]
"""What is done with all items of a kind that have come together: one result each, in their order. Refusals are results too."""

MOST = 128
"""Items in one transaction: it holds the budgets' row locks until its end."""


@dataclass(eq=False, slots=True)
class _Asked:
    work: Work[Any, Any]
    item: Any
    first: bool
    answer: "asyncio.Future[Any]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupCommit:
    """Belongs to one event loop. Work must be able to run twice, as for ``Desk.offload``, and be quick: others wait for it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: list[_Asked] = []
        self._committing: asyncio.Task[None] | None = None
        self._context = contextvars.copy_context()
        """A group is the batch's work, not that of the article whose work began it."""

    async def run(self, work: Work[I, R], item: I, *, first: bool = False) -> R:
        """Run ``work`` on ``item`` in a transaction and return its result once that is committed.

        Items are taken in the order in which they were asked; in one transaction, those of one kind of work together, and what
        is to be ``first`` before the others. Where a group fails, its items are run again one by one, so that one that raises
        fails alone. An item whose caller was cancelled before its group began is left out.

        Raises:
            DatabaseUnavailable: the server stays away.
            Whatever ``work`` raises.
        """
        asked = _Asked(work, item, first)
        self._waiting.append(asked)
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all(), context=self._context)
        return await asked.answer

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                group = [asked for asked in self._waiting[:MOST] if not asked.answer.done()]
                del self._waiting[:MOST]
                await self._commit(group)
        finally:
            self._committing = None

    async def _commit(self, group: Sequence[_Asked]) -> None:
        try:
            results = await self._desk.offload(lambda session: self._run(session, group))
        except DatabaseUnavailable as error:
            for asked in group:
                _fail(asked, error)
        except Exception as error:
            if len(group) == 1:
                _fail(group[0], error)
            else:
                for asked in group:
                    await self._commit([asked])
        else:
            for asked, result in results:
                if not asked.answer.done():
                    asked.answer.set_result(result)

    def _run(self, session: Session, group: Sequence[_Asked]) -> list[tuple[_Asked, Any]]:
        with self._desk.database.remembering(session):
            return _run(session, group)


def _run(session: Session, group: Sequence[_Asked]) -> list[tuple[_Asked, Any]]:
    of_kind: dict[Work[Any, Any], list[_Asked]] = {}
    for asked in sorted(group, key=lambda asked: not asked.first):
        of_kind.setdefault(asked.work, []).append(asked)
    return [pair for work, asked in of_kind.items() for pair in zip(asked, work(session, [one.item for one in asked]), strict=True)]


def _fail(asked: _Asked, error: Exception) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)
