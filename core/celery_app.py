"""Celery as the desk uses it: one queue, one kind of task, JSON, no result backend (Postgres is the only state).

A task says a batch and the ids of some of its records. It is acknowledged once it has ended (``acks_late``), so one whose worker
was killed comes again; that is harmless, as records are only claimed under leases.
"""

from collections.abc import Sequence

import redis
from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES

from core.broker import QUEUE, broker_url, unavailable
from core.chunks import longest_seconds
from core.metering import BACKOFF_MOST_SECONDS
from core.settings import Settings

TASK = "signaldesk.run_chunk"
CONNECT_SECONDS = 5.0
TRIES = {"max_retries": 2, "interval_start": 0.0, "interval_step": 0.2, "interval_max": 1.0}
"""Of sending a task at once, for a connection that broke; what stays unsent is sent by a later look."""

# By these names and not by a setting of Celery's, which would put the class's into every line of the log about the broker.
TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "core.celery_transport:LenientTransport")


def make_celery(settings: Settings) -> Celery:
    """A Celery application on the broker of these settings, without tasks."""
    celery = Celery("signaldesk", broker=broker_url(settings), set_as_current=False)
    celery.conf.update(
        task_default_queue=QUEUE,
        task_queues=[Queue(QUEUE)],
        task_routes={"signaldesk.*": {"queue": QUEUE}},
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        result_serializer="json",
        event_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry_policy=TRIES,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # it goes on under its leases
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": visibility_seconds(settings),
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
        },
        enable_utc=True,
        timezone="UTC",
    )
    return celery


def visibility_seconds(settings: Settings) -> int:
    """How long Redis waits for the end of a task before it gives it to another worker: above the longest that a chunk can take."""
    return int(longest_seconds(settings, BACKOFF_MOST_SECONDS)) + 60


def send(celery: Celery, settings: Settings, batch_id: int, record_ids: Sequence[int]) -> None:
    """Put a task into the queue.

    Raises:
        BrokerUnavailable: the broker is away.
    """
    try:
        celery.send_task(TASK, args=[batch_id, list(record_ids)], queue=QUEUE)
    except (OperationalError, redis.RedisError, OSError) as error:
        raise unavailable(settings, error) from error
