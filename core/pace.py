"""How many calls of a batch may be in flight at once: additive increase, multiplicative decrease (as TCP does, RFC 5681).

A rate limit multiplies the limit by 0.8, at most once a cool-down; as many successes in a row as the limit grow it back by one,
up to what the batch was launched with. Overload only pauses the growth. Belongs to one event loop.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Self

SHRINK = 0.8
COOL_DOWN_SECONDS = 10.0


class Pace:
    """An adjustable semaphore: ``async with pace:`` around each call, then say how it went."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.in_flight = 0
        self._limit = float(most)
        self._clock = clock
        self._shrunk_at = self._growth_from = float("-inf")
        self._successes = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls that may be in flight now, at least 1."""
        return max(int(self._limit), 1)

    async def __aenter__(self) -> Self:
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            return self
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn  # who lets it in counts it
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.in_flight -= 1
                self._let_in()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.in_flight -= 1
        self._let_in()

    def succeeded(self) -> None:
        """A call was answered."""
        if self._limit < self.most and self._clock() >= self._growth_from:
            self._successes += 1
            if self._successes >= self.limit:
                self._successes = 0
                self._limit = min(self.limit + 1.0, float(self.most))
                self._let_in()

    def rate_limited(self) -> None:
        """The provider asks for fewer calls."""
        now = self._clock()
        self._successes = 0
        if now - self._shrunk_at >= COOL_DOWN_SECONDS:
            self._shrunk_at = now
            self._limit = max(self._limit * SHRINK, 1.0)

    def overloaded(self) -> None:
        """The provider is in trouble: do not grow for a while."""
        self._successes = 0
        self._growth_from = self._clock() + COOL_DOWN_SECONDS

    def _let_in(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
