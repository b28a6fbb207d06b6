"""A worker of Celery: one process, one desk, chunks side by side.

Celery's pool is one of threads: a chunk waits for providers nearly all its time, and so needs no process of its own. Everything of
a process that does not outlive a fork (database connections, event loop, HTTP clients) is opened once, and nobody forks.
The worker also supervises, as consoles do, so that batches go on without any console.
"""

import logging
import socket
import threading
import warnings
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

from celery import Celery, signals
from celery.apps import worker as worker_module
from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning

from core.agents.providers import preload
from core.broker import QUEUE
from core.celery_app import TASK, make_celery
from core.chunk_runs import ChunkRunner
from core.configuration import Desk
from core.dispatching import Dispatcher
from core.errors import DatabaseUnavailable
from core.logs import about
from core.models import WorkerKind
from core.orchestrator import GRACE_SECONDS
from core.settings import Settings
from core.supervisor import Role, Shared, Supervisor, run_batches_smoothly

logger = logging.getLogger(__name__)

TRIES = 8
LONGEST_PAUSE_SECONDS = 60


def slots_for(settings: Settings) -> int:
    """Tasks that a worker runs at once unless told otherwise.

    Enough for as many articles as a process may have in flight, and one more that takes their places as they end.
    """
    return ceil(settings.concurrency / settings.batch_chunk) + 1


class CeleryWorker:
    """One a process. ``run`` is called from the main thread, as Celery handles the signals there."""

    def __init__(self, desk: Desk, *, name: str, slots: int) -> None:
        self.desk = desk
        self.name = name
        self.slots = slots
        self.shared = Shared()
        self._runner = ChunkRunner(desk, self.shared)
        role = Role(WorkerKind.CELERY, Dispatcher(desk).look, name, slots, lambda: self._runner.running)
        self._supervisor = Supervisor(desk, self.shared, role)
        self._celery = make_celery(desk.environment)
        add_task(self._celery, self._runner.run)

    def run(self, on_ready: Callable[[], None] = lambda: None) -> int:
        """Work until SIGTERM or SIGINT; returns the exit code.

        Then no more is claimed, what is in flight finishes within ``GRACE_SECONDS`` or is stopped, and the rest is given back.
        ``on_ready`` is called whenever the queue is (again) listened to.
        """
        preload(self.desk.transaction(self.desk.settings).resolved_model)
        run_batches_smoothly()
        self._runner.start()
        self._supervisor.start()
        leaving = threading.Timer(GRACE_SECONDS, self._abort)
        leaving.daemon = True

        def leave(**_: Any) -> None:
            if not self.shared.stopping.is_set():
                self.shared.stopping.set()
                leaving.start()

        def ready(**_: Any) -> None:
            on_ready()

        warnings.filterwarnings("ignore", category=SecurityWarning)  # root is unsafe with pickle; this is JSON
        signals.setup_logging.connect(_leave_logging_alone)
        worker_module.safe_say = lambda *_: None  # it prints past the log as a signal comes
        signals.worker_shutting_down.connect(leave)
        signals.worker_ready.connect(ready)
        worker = Worker(
            app=self._celery,
            hostname=f"{self.name}@{socket.gethostname()}",
            pool="threads",
            concurrency=self.slots,
            queues=[QUEUE],
            loglevel="WARNING",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        try:
            worker.start()
        finally:
            logger.info("the worker ends")
            self.shared.stopping.set()
            leaving.cancel()
            self._supervisor.stop()
            self._runner.stop()
            self._supervisor.sign_off()
        return int(worker.exitcode or 0)

    def _abort(self) -> None:
        self.shared.aborting.set()
        self.desk.leaving.set()


def add_task(celery: Celery, run: Callable[[int, Sequence[int]], None]) -> None:
    """Have ``celery`` know the task. While the database is away it is tried again after 1, 2, 4 ... 60 s, with jitter."""

    @celery.task(
        shared=False,  # or every other Celery of this process would get it
        name=TASK,
        acks_late=True,
        reject_on_worker_lost=True,
        ignore_result=True,
        autoretry_for=(DatabaseUnavailable,),
        retry_backoff=True,
        retry_backoff_max=LONGEST_PAUSE_SECONDS,
        retry_jitter=True,
        max_retries=TRIES,
    )
    def run_chunk(batch_id: int, record_ids: list[int]) -> None:
        if not is_task(batch_id, record_ids):
            logger.warning("a task in the queue names no records of a batch and is dropped")
            return
        with about(batch_id=batch_id):
            try:
                run(batch_id, record_ids)
            except DatabaseUnavailable as error:
                logger.warning("a task waits for the database: %s", error)
                raise
            except Exception:
                logger.exception("a task failed; its articles are sent again")


def is_task(batch_id: Any, record_ids: Any) -> bool:
    """Whether what came out of the queue, where anybody may have put it, has the form of a task."""
    ids = [batch_id, *record_ids] if isinstance(record_ids, list) else [None]
    return all(isinstance(one, int) and not isinstance(one, bool) and 0 < one < 2**63 for one in ids)


def _leave_logging_alone(**_: Any) -> None:
    """Celery would set up loggers of its own."""
