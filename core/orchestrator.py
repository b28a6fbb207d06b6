"""The orchestrator: runs open batches in a background thread pool, one asyncio loop a batch.

One ``Orchestrator`` a process. Its supervisor thread sends heartbeats, takes back what dead workers held, and gives each open
batch with pending records to a thread of the pool. A batch thread opens its own event loop, models and HTTP clients, keeps
``concurrency`` articles in flight, and ends when nothing is left to claim. All state is in Postgres: launching from another
process, closing a tab or killing this one changes nothing that the next look at the tables would not put right.
"""

import asyncio
import logging
import os
import socket
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime

import psutil
from sqlalchemy import select

from core import batch_actions, records
from core.alerts import tell_alerts
from core.batch_run import BatchRun, Shared
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable
from core.models import BatchRecord, BatchSession, BatchStatus, RecordStatus

logger = logging.getLogger(__name__)

BATCHES_AT_ONCE = 4
SUPERVISE_SECONDS = 2.0
ABORT_SECONDS = 15.0


class Orchestrator:
    """Owns this process's batch threads. ``start`` and ``stop`` may be called from any thread."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.shared = Shared(owner=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}")
        self._pool = ThreadPoolExecutor(max_workers=BATCHES_AT_ONCE, thread_name_prefix="batch")
        self._running: dict[int, Future[None]] = {}
        self._awake = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to look for work."""
        self._supervisor.start()

    def wake(self) -> None:
        """Look for work now: something was launched or resumed."""
        self._awake.set()

    def stop(self, grace_seconds: float = 30.0) -> None:
        """Claim nothing more, let what is in flight finish within the grace time, then stop it and give back the rest."""
        self.shared.stopping.set()
        self._awake.set()
        self._supervisor.join(timeout=SUPERVISE_SECONDS + 5)
        running = list(self._running.values())
        if wait(running, timeout=grace_seconds).not_done:
            self.shared.aborting.set()
            if wait(running, timeout=ABORT_SECONDS).not_done:
                logger.warning("a batch thread did not end in time; its records are queued again")
        self._pool.shutdown(wait=False, cancel_futures=True)
        try:
            with self.desk.database.session() as session:
                records.recover(session, [self.shared.owner], now=utc_now())
        except DatabaseUnavailable as error:
            logger.warning("could not sign off: %s", error)

    # --- supervisor thread -------------------------------------------------------------------------------------------

    def _supervise(self) -> None:
        last_heartbeat = 0.0
        first = True
        while not self.shared.stopping.is_set():
            try:
                now = utc_now()
                if now.timestamp() - last_heartbeat >= records.HEARTBEAT_SECONDS:
                    self._heartbeat(now, dead=self._dead_neighbours() if first else [])
                    last_heartbeat, first = now.timestamp(), False
                tell_alerts(self.desk, now)
                self._take_open_batches()
            except DatabaseUnavailable as error:
                logger.warning("the database is away: %s", error)
            except Exception:
                logger.exception("the supervisor failed; it goes on")
            self._awake.wait(SUPERVISE_SECONDS)
            self._awake.clear()

    def _heartbeat(self, now: datetime, dead: list[str]) -> None:
        with self.desk.database.session() as session:
            records.heartbeat(session, list(self.shared.held), owner=self.shared.owner, host=socket.gethostname(), pid=os.getpid(), now=now)
            if queued := records.recover(session, dead, now=now):
                logger.warning("%d records of dead workers are queued again", queued)

    def _dead_neighbours(self) -> list[str]:
        """Workers registered from this host whose process is gone: theirs can be taken back at once, without waiting for the lease."""
        with self.desk.database.session() as session:
            neighbours = records.workers_on(session, socket.gethostname())
            return [
                worker.owner for worker in neighbours if worker.owner != self.shared.owner and not _is_alive(worker.pid, worker.started_at)
            ]

    def _take_open_batches(self) -> None:
        with self.desk.database.session() as session:
            waiting = session.scalars(
                select(BatchSession.id)
                .where(
                    BatchSession.status.in_(BatchStatus.claimable()),
                    select(BatchRecord.id)
                    .where(BatchRecord.batch_id == BatchSession.id, BatchRecord.status == RecordStatus.PENDING)
                    .exists(),
                )
                .order_by(BatchSession.id)
            ).all()
            for batch_id in session.scalars(select(BatchSession.id).where(BatchSession.status.in_(BatchStatus.claimable()))):
                if batch_id not in waiting and batch_id not in self._running:
                    batch_actions.finish_if_done(session, batch_id, now=utc_now())
        self._running = {batch_id: running for batch_id, running in self._running.items() if not running.done()}
        for batch_id in waiting:
            if batch_id not in self._running and not self.shared.stopping.is_set():
                self._running[batch_id] = self._pool.submit(self._run_batch, batch_id)

    # --- batch thread ------------------------------------------------------------------------------------------------

    def _run_batch(self, batch_id: int) -> None:
        try:
            asyncio.run(BatchRun(self.desk, batch_id, self.shared).run())
        except DatabaseUnavailable as error:
            logger.warning("batch %d waits for the database: %s", batch_id, error)
        except Exception:
            logger.exception("batch %d failed; its records will be queued again", batch_id)


def _is_alive(pid: int, registered_at: datetime) -> bool:
    """Whether the process that registered then still runs (and is not another one with the same number)."""
    try:
        return psutil.Process(pid).create_time() <= registered_at.timestamp()
    except psutil.NoSuchProcess:
        return False
