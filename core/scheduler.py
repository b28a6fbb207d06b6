"""The scheduler: a process's part in the schedule. Its supervisor looks; a long job runs in a thread beside it, one at a time."""

import logging
import threading
from datetime import datetime

from core import schedule
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable, DeskError
from core.feeds import fetch_all
from core.nightly import THE_SCHEDULE, launch_nightly, nightly_of
from core.schedule import LONG, QUICK, Job, Taken

logger = logging.getLogger(__name__)

ENDING_SECONDS = 10.0
FAILED = "It failed for a reason of the desk's own; the log says how."


class Scheduler:
    """One a process; ``long_too`` where it does the jobs that take their time, such as fetching, and not only those that keep order."""

    def __init__(self, desk: Desk, owner: str, *, long_too: bool) -> None:
        self.desk = desk
        self.owner = owner
        self._long_too = long_too
        self._made = False
        self._leaving = threading.Event()
        self._taken: Taken | None = None
        self._thread: threading.Thread | None = None

    def look(self, now: datetime, *, without: frozenset[Job] = frozenset()) -> None:
        """Do what is due, but for ``without``. In the supervisor's thread.

        Raises:
            DatabaseUnavailable: the database is away.
        """
        if not self._made:
            self.desk.transaction(lambda session: schedule.ensure_jobs(session, now))
            self._made = True
        for job in self.desk.transaction(lambda session: schedule.due(session, now)):
            if job in QUICK and job not in without:
                self._do_quick(job, now)
            elif job in LONG and self._long_too:
                self._begin_long(now)
        self._renew_long(now)

    def stop(self) -> None:
        """Begin nothing more, and wait a moment for the job in hand."""
        self._leaving.set()
        if self._thread is not None:
            self._thread.join(ENDING_SECONDS)

    def _do_quick(self, job: Job, now: datetime) -> None:
        """Do one job; a failure is written down in a transaction of its own, as the job's was undone."""
        try:
            with self.desk.database.session() as session:
                schedule.do_quick(session, job, self.desk.settings(session), owner=self.owner, now=now)
        except DatabaseUnavailable:
            raise
        except Exception:
            logger.exception("a job of the schedule failed")
            with self.desk.database.session() as session:
                if schedule.take(session, [job], owner=self.owner, now=now) is not None:
                    schedule.end(session, job, FAILED, failed=True, owner=self.owner, now=now)

    def _begin_long(self, now: datetime) -> None:
        if self._leaving.is_set() or (self._thread is not None and self._thread.is_alive()):
            return
        taken = self.desk.transaction(lambda session: schedule.take(session, LONG, owner=self.owner, now=now))
        if taken is not None:
            self._taken = taken
            self._thread = threading.Thread(target=self._do_long, args=(taken,), name="schedule", daemon=True)
            self._thread.start()

    def _renew_long(self, now: datetime) -> None:
        taken = self._taken
        if taken is not None and self._thread is not None and self._thread.is_alive():
            self.desk.transaction(lambda session: schedule.renew(session, taken.name, owner=self.owner, now=now))

    def _do_long(self, taken: Taken) -> None:
        failed = True
        try:
            result = self._done(taken)
            failed = False
        except DeskError as error:
            result = str(error)
            logger.warning("%s: %s", schedule.KINDS[taken.name].title, error)
        except Exception:
            logger.exception("a job of the schedule failed")
            result = FAILED
        try:
            self.desk.transaction(lambda session: schedule.end(session, taken.name, result, failed=failed, owner=self.owner, now=utc_now()))
        except DatabaseUnavailable as error:
            logger.warning("how '%s' ended is not written down: %s", taken.name.value, error)

    def _done(self, taken: Taken) -> str:
        if taken.name is Job.FETCH:
            return fetch_all(self.desk, by=THE_SCHEDULE, now=utc_now(), last=taken.last, leave=self._leaving.is_set)
        with self.desk.database.session() as session:
            settings = self.desk.settings(session)
            return launch_nightly(session, nightly_of(taken.options), settings, due=taken.due, now=utc_now())
