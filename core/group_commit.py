"""Group commit: the short transactions of one event loop, as many at once as have come together.

While one transaction is under way, work that arrives waits and goes into the next as a group: one connection, one BEGIN, one
flush of the log for all of it. With little to do every piece of work has a transaction of its own; under load there are as
few transactions as the database has time for. (The idea is Postgres' own, ``commit_delay``, here without a delay.)
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from sqlalchemy.orm import Session

from core.configuration import Desk

T = TypeVar("T")

MOST = 64
"""Pieces of work in one transaction: it holds the budgets' row locks until its end."""


class GroupCommit:
    """Belongs to one event loop; use it as a context manager.

    Work must be able to run twice, as for ``Desk.offload``, and be quick: others wait for it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")
        self._waiting: list[tuple[Callable[[Session], Any], asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._alone: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False)

    async def run(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in a transaction and return its result once that is committed.

        Where a group fails, each of its members is run again in a transaction of its own: so one that raises fails alone.
        Work whose caller was cancelled before its group began is left out.

        Raises:
            DatabaseUnavailable: the server stays away.
            Whatever ``work`` raises.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, answer))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        return await answer

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = [(work, answer) for work, answer in self._waiting[:MOST] if not answer.done()]
            del self._waiting[:MOST]
            try:
                results = await loop.run_in_executor(self._thread, self._desk.transaction, _each([work for work, _ in group]))
            except Exception:  # whose work it was is found out by running each alone
                for work, answer in group:
                    task = asyncio.create_task(self._run_alone(work, answer))
                    self._alone.add(task)
                    task.add_done_callback(self._alone.discard)
            else:
                for (_, answer), result in zip(group, results, strict=True):
                    if not answer.done():
                        answer.set_result(result)
        self._committing = None

    async def _run_alone(self, work: Callable[[Session], Any], answer: "asyncio.Future[Any]") -> None:
        try:
            result = await self._desk.offload(work)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(result)


def _each(group: Sequence[Callable[[Session], Any]]) -> Callable[[Session], list[Any]]:
    return lambda session: [work(session) for work in group]
