"""The orchestrator: runs open batches in a background thread pool, one asyncio loop a batch.

One ``Orchestrator`` a process. Its supervisor gives each open batch with pending records to a thread of the pool. A batch thread
opens its own event loop, models and HTTP clients, keeps ``concurrency`` articles in flight, and ends when nothing is left to
claim. All state is in Postgres: launching from another process, closing a tab or killing this one changes nothing that the next
look at the tables would not put right.
"""

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime

from core.batch_actions import to_be_run
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable, NotFound
from core.logs import about
from core.models import WorkerKind
from core.supervisor import Role, Shared, Supervisor, run_batches_smoothly

logger = logging.getLogger(__name__)

BATCHES_AT_ONCE = 4
GRACE_SECONDS = 20.0
ABORT_SECONDS = 10.0


class Orchestrator:
    """Owns this process's batch threads. ``start`` and ``stop`` may be called from any thread.

    With ``schedules`` its supervisor does the long jobs of the schedule too.
    """

    def __init__(self, desk: Desk, *, schedules: bool = False) -> None:
        self.desk = desk
        self.shared = Shared()
        self._pool = ThreadPoolExecutor(max_workers=BATCHES_AT_ONCE, thread_name_prefix="batch")
        self._running: dict[int, Future[None]] = {}
        self._supervisor = Supervisor(desk, self.shared, Role(WorkerKind.POOL, self._take_open_batches, schedules=schedules))

    def start(self) -> None:
        """Begin to look for work."""
        run_batches_smoothly()
        self._supervisor.start()

    def wake(self) -> None:
        """Look for work now: something was launched or resumed."""
        self._supervisor.wake()

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Claim nothing more, let what is in flight finish within the grace time, then stop it and give back the rest."""
        self._supervisor.stop()
        running = list(self._running.values())
        if wait(running, timeout=grace_seconds).not_done:
            self.shared.aborting.set()
            self.desk.leaving.set()
            if wait(running, timeout=ABORT_SECONDS).not_done:
                logger.warning("a batch thread did not end in time; its records are queued again")
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._supervisor.sign_off()

    def _take_open_batches(self, _: datetime) -> None:
        waiting = self.desk.transaction(lambda session: to_be_run(session, busy=self._running.keys(), now=utc_now()))
        self._running = {batch_id: running for batch_id, running in self._running.items() if not running.done()}
        for batch_id in waiting:
            if batch_id not in self._running and not self.shared.stopping.is_set():
                self._running[batch_id] = self._pool.submit(self._run_batch, batch_id)

    def _run_batch(self, batch_id: int) -> None:
        """In a thread of the pool."""
        from core.batch_run import BatchRun, use_database_threads  # the agents' libraries take 50 MB, and only a run needs them

        async def run() -> None:
            use_database_threads(f"batch-{batch_id}")
            await BatchRun(self.desk, batch_id, self.shared).run()

        with about(batch_id=batch_id):
            try:
                asyncio.run(run())
            except DatabaseUnavailable as error:
                logger.warning("the batch waits for the database: %s", error)
            except NotFound as error:
                logger.info("%s", error)
            except Exception:
                logger.exception("the batch failed; its records will be queued again")
