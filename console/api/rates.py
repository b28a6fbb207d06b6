"""How often one token, or one address without a token, may ask: a sliding window of a minute, kept in this process."""

import math
import time
from dataclasses import dataclass
from http import HTTPStatus

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.api.problems import Refused


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of a minute's requests."""

    limit: int
    remaining: int
    reset: int
    """Seconds until there is more of it."""

    @property
    def headers(self) -> dict[str, str]:
        """As clients read it (draft-ietf-httpapi-ratelimit-headers)."""
        return {"RateLimit-Limit": str(self.limit), "RateLimit-Remaining": str(self.remaining), "RateLimit-Reset": str(self.reset)}


class Told:
    """Tells with every answer what is left of the minute. Pure ASGI; ``asker_of`` leaves it in the request's state."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            rate = scope.get("state", {}).get("rate")
            if message["type"] == "http.response.start" and rate is not None:
                headers = MutableHeaders(scope=message)
                for name, value in rate.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, sending)


class Rates:
    """Counts requests. Any thread may call it."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def take(self, who: str, per_minute: int) -> Rate:
        """Count one request.

        Raises:
            Refused: that was one too many.
        """
        allowed = self._limiter.hit(RateLimitItemPerMinute(per_minute), who)
        rate = self._look(who, per_minute)
        if not allowed:
            wait = max(rate.reset, 1)
            detail = f"More than {rate.limit} requests in a minute. Try again in {wait} s."
            headers = rate.headers | {"Retry-After": str(wait)}
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", "Too many requests", detail, headers)
        return rate

    def _look(self, who: str, per_minute: int) -> Rate:
        stats = self._limiter.get_window_stats(RateLimitItemPerMinute(per_minute), who)
        return Rate(per_minute, max(int(stats.remaining), 0), max(math.ceil(stats.reset_time - time.time()), 0))
