"""The way to Redis, as Celery's own but for one thing: what lies in the queue and is no message is dropped, and not the worker.

Whoever can write into Redis can put anything into a list. Celery's transport takes a message out before it reads it; an error in
reading ends the whole process, and one in handling leaves the message with the worker, whose hands are full after a few of them.
Used by Celery, in its loop's thread.
"""

import logging
from collections.abc import Callable
from typing import Any

import redis
from kombu.transport.redis import Channel, Transport

logger = logging.getLogger(__name__)

BROKER_FAILS = (redis.RedisError, OSError)


class LenientChannel(Channel):
    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, too deep
            _dropped(error)
            return True

    def basic_consume(self, queue: str, no_ack: bool, callback: Callable[[Any], Any], consumer_tag: str, **more: Any) -> Any:
        def handle(message: Any) -> Any:
            try:
                return callback(message)
            except BROKER_FAILS:
                raise
            except Exception as error:  # whatever a hostile form makes of Celery's handling
                _dropped(error)
                message.reject()

        return super().basic_consume(queue, no_ack, handle, consumer_tag, **more)


class LenientTransport(Transport):
    Channel = LenientChannel

    def _deliver(self, message: Any, queue: str) -> None:
        try:
            super()._deliver(message, queue)
        except BROKER_FAILS:
            raise
        except Exception as error:  # JSON that has not the parts of a message
            _dropped(error)


def _dropped(error: Exception) -> None:
    # Not what it says: that may be anybody's.
    logger.warning("a message in the queue is no task of this desk's and is dropped (%s)", type(error).__name__)
