"""How often one token, or one address without a token, may ask: a sliding window of a minute, kept in this process."""

import math
import time
from dataclasses import dataclass
from http import HTTPStatus

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from console.api.problems import Refused


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of a minute's requests."""

    limit: int
    remaining: int
    reset: int
    """Seconds until all of it is there again, at most."""

    @property
    def headers(self) -> dict[str, str]:
        """As clients read it (draft-ietf-httpapi-ratelimit-headers)."""
        return {"RateLimit-Limit": str(self.limit), "RateLimit-Remaining": str(self.remaining), "RateLimit-Reset": str(self.reset)}


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
        rate = self.look(who, per_minute)
        if not allowed:
            wait = {"Retry-After": str(max(rate.reset, 1))}
            detail = f"More than {per_minute} requests in a minute. Try again in {max(rate.reset, 1)} s."
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", "Too many requests", detail, rate.headers | wait)
        return rate

    def look(self, who: str, per_minute: int) -> Rate:
        """What is left, without counting."""
        stats = self._limiter.get_window_stats(RateLimitItemPerMinute(per_minute), who)
        return Rate(per_minute, max(int(stats.remaining), 0), max(math.ceil(stats.reset_time - time.time()), 0))
