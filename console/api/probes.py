"""Questions about health: answered in a few seconds, also while the database says nothing at all. Belongs to one event loop."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from core.errors import DatabaseUnavailable

T = TypeVar("T")
WITHIN_SECONDS = 5.0


class Probes:
    """One look at the database at a time for each question, which all who ask it meanwhile share: so that a database that does not
    answer holds one thread of each, however often it is asked for."""

    def __init__(self) -> None:
        self._looks: dict[str, asyncio.Task[Any]] = {}

    async def look(self, question: str, work: Callable[[], T]) -> T:
        """What ``work`` returns, on a thread; raises what it raises.

        Raises:
            DatabaseUnavailable: there was no answer in time.
        """
        look = self._looks.get(question)
        if look is None or look.done():
            look = self._looks[question] = asyncio.create_task(run_in_threadpool(work))
        ended, _ = await asyncio.wait({look}, timeout=WITHIN_SECONDS)
        if not ended:
            raise DatabaseUnavailable(f"The database has not answered for {WITHIN_SECONDS:.0f} s.")
        found: T = look.result()
        return found
