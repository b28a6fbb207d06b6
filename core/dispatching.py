"""Dispatching: sends the pending records of open batches to Celery's workers, as tasks of a chunk each.

Every process that supervises with Celery looks, be it a console, a worker or the beat; two that look at once send different
records. What Postgres says is pending and not covered by a task is sent: after a launch, a resumption or a retry, after a worker
gave something back or was killed, and after Redis was away or lost its memory. Used by the supervisor's thread.
"""

import logging
from datetime import UTC, datetime, timedelta

from core.batch_actions import to_be_run
from core.broker import tasks_waiting
from core.celery_app import make_celery, send, visibility_seconds
from core.chunks import LOST_AFTER, chunked, cover, uncover
from core.configuration import Desk
from core.errors import BrokerUnavailable
from core.models import WorkerKind
from core.supervisor import Role, Shared, Supervisor

logger = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 60.0


class Dispatcher:
    """What a supervisor looks for where Celery runs the batches."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._celery = make_celery(desk.environment)
        self._try_from = datetime.min.replace(tzinfo=UTC)
        self._failures = 0

    def look(self, now: datetime) -> None:
        """Send what waits. A broker that is away is tried again after 2, 4, 8 ... 60 s; the launch stands in Postgres meanwhile.

        Raises:
            DatabaseUnavailable: the database is away.
        """
        waiting = self.desk.transaction(lambda session: to_be_run(session, now=now))
        if not waiting or now < self._try_from:
            return
        try:
            in_queue = tasks_waiting(self.desk.environment)
            for batch_id in waiting:
                self._send(batch_id, now, in_queue)
        except BrokerUnavailable as error:
            self._failures += 1
            pause = pause_seconds(self._failures)
            self._try_from = now + timedelta(seconds=pause)
            logger.warning("%s Tried again in %g s.", error, pause)
        else:
            self._failures = 0

    def _send(self, batch_id: int, now: datetime, in_queue: int) -> None:
        # A task that may still lie in the queue is not lost; one that does not is with a worker, or was forgotten.
        lost_before = now - (timedelta(seconds=visibility_seconds(self.desk.environment)) if in_queue else LOST_AFTER)
        with self.desk.database.session() as session:
            settings = self.desk.settings(session)
            record_ids = cover(session, batch_id, settings, now=now, lost_before=lost_before)
        sent = 0
        try:
            for chunk in chunked(record_ids, settings.batch_chunk):
                send(self._celery, settings, batch_id, chunk)
                sent += len(chunk)
        finally:
            if unsent := record_ids[sent:]:
                self.desk.transaction(lambda session: uncover(session, unsent))


def pause_seconds(failures: int) -> float:
    """Seconds until a broker that failed so many times in a row is tried again."""
    return min(2.0**failures, LONGEST_PAUSE_SECONDS)


class Dispatching:
    """A console's part where Celery runs the batches, and the beat's, which ``schedules``: they look after them, and run none."""

    def __init__(self, desk: Desk, *, schedules: bool = False) -> None:
        self.shared = Shared()
        kind = WorkerKind.BEAT if schedules else WorkerKind.CONSOLE
        self._supervisor = Supervisor(desk, self.shared, Role(kind, Dispatcher(desk).look, schedules=schedules))

    def start(self) -> None:
        """Begin to look for work."""
        self._supervisor.start()

    def wake(self) -> None:
        """Look for work now: something was launched or resumed."""
        self._supervisor.wake()

    def stop(self) -> None:
        """Look no more."""
        self._supervisor.stop()
        self._supervisor.sign_off()
