"""Batches that are watched: however many watch one, one look at the database a second serves them all. Belongs to one event loop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic, TypeVar

import anyio
from starlette.concurrency import run_in_threadpool

from console.api.problems import RETRY_SECONDS, Refused

T = TypeVar("T")
EVERY_SECONDS = 1.0
SHARE = 0.1
"""Of the time that looks may take: a batch of 100,000 articles is looked at less often."""
MOST_WATCHERS = 100


@dataclass(slots=True)
class _Watched(Generic[T]):
    """A batch that is watched: by how many, and the last look at it."""

    watchers: int = 0
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    stale_at: float = float("-inf")
    found: T | None = None


class Watches(Generic[T]):
    """The batches that are watched in this process."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched[T]] = {}

    @property
    def watchers(self) -> int:
        return sum(one.watchers for one in self._watched.values())

    def refuse_if_full(self) -> None:
        """Refuse one more.

        Raises:
            Refused: as many as may be watch already.
        """
        if self.watchers >= MOST_WATCHERS:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            detail = f"{MOST_WATCHERS} streams are open already. Try again later, or ask for the batch now and then."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "Too many streams at once", detail, headers)

    @contextmanager
    def watched(self, batch_id: int) -> Iterator[None]:
        """One more watches a batch, until the block ends."""
        one = self._watched.setdefault(batch_id, _Watched())
        one.watchers += 1
        try:
            yield
        finally:
            one.watchers -= 1
            if not one.watchers:
                del self._watched[batch_id]

    async def look(self, batch_id: int, read: Callable[[], T]) -> T:
        """The batch as it was within the last second; who comes first reads it. Raises what ``read`` raises."""
        one = self._watched[batch_id]
        async with one.turn:
            began = anyio.current_time()
            if one.found is None or began >= one.stale_at:
                one.found = await run_in_threadpool(read)
                took = anyio.current_time() - began
                one.stale_at = began + max(EVERY_SECONDS * 0.9, took / SHARE)
            return one.found
