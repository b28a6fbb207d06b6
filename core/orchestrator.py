"""The orchestrator: runs open batches in a background thread pool, one asyncio loop a batch.

One ``Orchestrator`` a process. Its supervisor thread sends heartbeats, takes back what dead workers held, and gives each open
batch with pending records to a thread of the pool. A batch thread opens its own event loop, models and HTTP clients, keeps
``concurrency`` articles in flight, and ends when nothing is left to claim. All state is in Postgres: launching from another
process, closing a tab or killing this one changes nothing that the next look at the tables would not put right.
"""

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime

import psutil
from sqlalchemy import exists, select

from core import batch_actions, records, rollups, spending
from core.alerts import tell_alerts
from core.batch_run import BatchRun, Shared
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable
from core.logs import about
from core.models import BatchRecord, BatchSession, BatchStatus, RecordStatus

logger = logging.getLogger(__name__)

BATCHES_AT_ONCE = 4
SUPERVISE_SECONDS = 2.0
GRACE_SECONDS = 20.0
ABORT_SECONDS = 10.0
SWITCH_SECONDS = 0.0002
GARBAGE_THRESHOLDS = (20_000, 20, 20)


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
        """Begin to look for work.

        Lets threads take turns at the interpreter more often than the 5 ms of Python's default: a short database transaction
        has several waits, and after each it would queue behind the event loop's thread for so long. And has the garbage collector
        look less often, and not at what was imported: a run makes many objects and few cycles.
        """
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        self._supervisor.start()

    def wake(self) -> None:
        """Look for work now: something was launched or resumed."""
        self._awake.set()

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Claim nothing more, let what is in flight finish within the grace time, then stop it and give back the rest."""
        self.shared.stopping.set()
        self._awake.set()
        self._supervisor.join(timeout=SUPERVISE_SECONDS + 5)  # which sends a last heartbeat: the leases outlast the grace time
        running = list(self._running.values())
        if wait(running, timeout=grace_seconds).not_done:
            self.shared.aborting.set()
            self.desk.leaving.set()
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
        beat_at = recover_from = fold_at = datetime.min.replace(tzinfo=UTC)
        first = True
        while not self.shared.stopping.is_set():
            now = utc_now()
            try:
                if (now - beat_at).total_seconds() >= records.HEARTBEAT_SECONDS:
                    dead = self._dead_neighbours() if first else []
                    self._heartbeat(now)
                    beat_at, first = now, False
                    if now >= recover_from:
                        self._recover(dead, now)
                if now >= fold_at:
                    self._fold()
                    fold_at = now + rollups.FOLD_EVERY
                tell_alerts(self.desk, now)
                self._take_open_batches()
            except DatabaseUnavailable as error:
                logger.warning("the database is away: %s", error)
                recover_from = now + records.LEASE  # nobody could renew a lease meanwhile: let the living do so first
            except Exception:
                logger.exception("the supervisor failed; it goes on")
            self._awake.wait(SUPERVISE_SECONDS)
            self._awake.clear()
        with contextlib.suppress(DatabaseUnavailable):
            self._heartbeat(utc_now())

    def _heartbeat(self, now: datetime) -> None:
        held, host = list(self.shared.held), socket.gethostname()
        with self.desk.database.session() as session:
            records.heartbeat(session, held, owner=self.shared.owner, host=host, pid=os.getpid(), now=now)

    def _recover(self, dead: list[str], now: datetime) -> None:
        with self.desk.database.session() as session:
            if queued := records.recover(session, dead, now=now):
                logger.warning("%d records of dead workers are queued again", queued)

    def _fold(self) -> None:
        with self.desk.database.session() as session:
            rollups.fold(session)
            spending.fold(session)

    def _dead_neighbours(self) -> list[str]:
        """Workers registered from this host whose process is gone: theirs can be taken back at once, without waiting for the lease."""
        with self.desk.database.session() as session:
            neighbours = records.workers_on(session, socket.gethostname())
            return [
                worker.owner for worker in neighbours if worker.owner != self.shared.owner and not _is_alive(worker.pid, worker.started_at)
            ]

    def _take_open_batches(self) -> None:
        pending = exists().where(BatchRecord.batch_id == BatchSession.id, BatchRecord.status == RecordStatus.PENDING)
        claimable = select(BatchSession.id, pending).where(BatchSession.status.in_(BatchStatus.claimable())).order_by(BatchSession.id)
        with self.desk.database.session() as session:
            found = session.execute(claimable).all()
            for batch_id, has_pending in found:
                if not has_pending and batch_id not in self._running:
                    batch_actions.finish_if_done(session, batch_id, now=utc_now())
        waiting = [batch_id for batch_id, has_pending in found if has_pending]
        self._running = {batch_id: running for batch_id, running in self._running.items() if not running.done()}
        for batch_id in waiting:
            if batch_id not in self._running and not self.shared.stopping.is_set():
                self._running[batch_id] = self._pool.submit(self._run_batch, batch_id)

    # --- batch thread ------------------------------------------------------------------------------------------------

    def _run_batch(self, batch_id: int) -> None:
        with about(batch_id=batch_id):
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
