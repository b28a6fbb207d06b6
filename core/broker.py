"""The broker, Redis: where it is, whether it answers, and how many tasks lie in its queue. Any thread may ask.

Nothing of value is in it: what was launched stands in Postgres, and is sent again should Redis forget it.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import redis

from core.errors import BrokerUnavailable
from core.settings import Settings

QUEUE = "batch_processing"
UNACKED = "unacked"
"""The key under which Celery's transport keeps the tasks that a worker has taken and not ended."""
ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The broker now. ``waiting`` and ``taken`` are tasks in the queue and with workers, None while it is away and ``trouble`` says why."""

    address: str
    waiting: int | None
    taken: int | None
    trouble: str | None

    @property
    def is_there(self) -> bool:
        return self.trouble is None


def broker_state(settings: Settings) -> BrokerState | None:
    """The broker as it answers, within ``ANSWER_SECONDS``; None where none is set."""
    if settings.celery_broker_url is None:
        return None
    address = shown_address(settings)
    try:
        return BrokerState(address, *_lengths(settings), trouble=None)
    except BrokerUnavailable as error:
        return BrokerState(address, None, None, str(error))


def tasks_waiting(settings: Settings) -> int:
    """Tasks in the queue that no worker has taken.

    Raises:
        BrokerUnavailable: it does not answer.
    """
    return _lengths(settings)[0]


def broker_url(settings: Settings) -> str:
    """The address with what is secret in it; empty where none is set.

    Over TLS the server's certificate is checked unless the address says otherwise: Celery alone would take any.
    """
    url = settings.celery_broker_url.get_secret_value() if settings.celery_broker_url else ""
    if url.startswith("rediss://") and "ssl_cert_reqs=" not in url:
        return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"
    return url


def shown_address(settings: Settings) -> str:
    """The address without name, password and options."""
    parts = urlsplit(broker_url(settings))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def unavailable(settings: Settings, error: Exception) -> BrokerUnavailable:
    """What a person is told of a broker that failed."""
    words = str(error).strip().splitlines()
    said = words[0] if words else type(error).__name__
    return BrokerUnavailable(
        f"The broker at {shown_address(settings)} does not answer: {said}. What was launched is kept, and sent once it is back."
    )


def _lengths(settings: Settings) -> tuple[int, int]:
    client = _client(broker_url(settings))
    try:
        with client.pipeline(transaction=False) as asked:
            asked.llen(QUEUE)
            asked.hlen(UNACKED)
            waiting, taken = asked.execute()
    except (redis.RedisError, OSError) as error:
        raise unavailable(settings, error) from error
    return int(waiting), int(taken)


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=ANSWER_SECONDS)
