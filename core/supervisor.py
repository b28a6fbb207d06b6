"""The supervisor: a thread that every process which has to do with batches runs, be it a console, a worker or the beat.

It sends heartbeats, does what the schedule has due, tells alerts, and looks for work every two seconds. What it does with the
work it finds is the process's own: the pool runs it, with Celery it is sent.
"""

import contextlib
import gc
import logging
import os
import socket
import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil

from core import records
from core.alerts import tell_alerts
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable
from core.models import WorkerKind
from core.schedule import Job
from core.scheduler import Scheduler

logger = logging.getLogger(__name__)

SUPERVISE_SECONDS = 2.0
SWITCH_SECONDS = 0.0002
GARBAGE_THRESHOLDS = (20_000, 20, 20)


def new_owner() -> str:
    """A name for this process under which it holds leases: no other has it, nor a later one with the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Shared:
    """What a process's batches share with its supervisor. Setting an event and changing the set are atomic."""

    owner: str = field(default_factory=new_owner)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Claim nothing more; what is in flight finishes."""
    aborting: threading.Event = field(default_factory=threading.Event)
    """The grace time is over: stop what is in flight."""
    held: set[int] = field(default_factory=set)
    """Ids of the records held in this process, whose leases the supervisor renews."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a process is to the others. ``tasks`` counts the tasks of Celery that it runs now, of ``slots`` at most."""

    kind: WorkerKind
    look: Callable[[datetime], None]
    """Look for work and see to it; in the supervisor's thread, so not for long. May raise DatabaseUnavailable."""
    name: str = ""
    slots: int | None = None
    tasks: Callable[[], int] = lambda: 0
    schedules: bool = False
    """It does the schedule's long jobs too: it fetches, and launches at night."""


class Supervisor:
    """One a process. ``start``, ``wake`` and ``stop`` may be called from any thread."""

    def __init__(self, desk: Desk, shared: Shared, role: Role) -> None:
        self.desk = desk
        self.shared = shared
        self.role = role
        self._scheduler = Scheduler(desk, shared.owner, long_too=role.schedules)
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to look for work."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work now: something was launched or resumed."""
        self._awake.set()

    def stop(self) -> None:
        """Look no more. Its last act is a heartbeat, so that leases outlast a grace time."""
        self.shared.stopping.set()
        self._awake.set()
        self._thread.join(timeout=SUPERVISE_SECONDS + 5)
        self._scheduler.stop()

    def sign_off(self) -> None:
        """Give back whatever this process still holds; the process ends."""
        try:
            with self.desk.database.session() as session:
                records.recover(session, [self.shared.owner], now=utc_now())
        except DatabaseUnavailable as error:
            logger.warning("could not sign off: %s", error)

    def _supervise(self) -> None:
        beat_at = recover_from = datetime.min.replace(tzinfo=UTC)
        first = True
        while not self.shared.stopping.is_set():
            now = utc_now()
            try:
                if (now - beat_at).total_seconds() >= records.HEARTBEAT_SECONDS:
                    dead = self._dead_neighbours() if first else []
                    self._heartbeat(now)
                    if first:
                        self._recover(dead, now)
                    beat_at, first = now, False
                self._scheduler.look(now, without=frozenset({Job.LEASES}) if now < recover_from else frozenset())
                tell_alerts(self.desk, now)
                self.role.look(now)
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
        role, held = self.role, list(self.shared.held)
        with self.desk.database.session() as session:
            records.heartbeat(
                session,
                held,
                owner=self.shared.owner,
                host=socket.gethostname(),
                pid=os.getpid(),
                kind=role.kind,
                name=role.name,
                slots=role.slots,
                tasks=role.tasks(),
                now=now,
            )

    def _recover(self, dead: list[str], now: datetime) -> None:
        with self.desk.database.session() as session:
            if queued := records.recover(session, dead, now=now):
                logger.warning("%d records of dead workers are queued again", queued)

    def _dead_neighbours(self) -> list[str]:
        """Workers registered from this host whose process is gone: theirs can be taken back at once, without waiting for the lease."""
        with self.desk.database.session() as session:
            neighbours = records.workers_on(session, socket.gethostname())
            return [
                worker.owner for worker in neighbours if worker.owner != self.shared.owner and not _is_alive(worker.pid, worker.started_at)
            ]


def run_batches_smoothly() -> None:
    """Tune this process for running batches.

    Lets threads take turns at the interpreter more often than the 5 ms of Python's default: a short database transaction
    has several waits, and after each it would queue behind the event loop's thread for so long. And has the garbage collector
    look less often, and not at what was imported: a run makes many objects and few cycles.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _is_alive(pid: int, registered_at: datetime) -> bool:
    """Whether the process that registered then still runs (and is not another one with the same number)."""
    try:
        return psutil.Process(pid).create_time() <= registered_at.timestamp()
    except psutil.NoSuchProcess:
        return False
