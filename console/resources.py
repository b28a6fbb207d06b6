"""What the console's process holds: one desk, one executor. Opened by the server, or by the first page that asks.

Sessions are never cached: a page reads through ``read`` and changes through ``change``, each one short transaction.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from typing import TypeVar

import streamlit as st
from sqlalchemy.orm import Session

from console import person
from console.import_jobs import ImportJobs
from core import review_queue
from core.access import Permission
from core.configuration import Desk
from core.errors import DatabaseUnavailable
from core.executors import Executor, executor_of
from core.settings import Settings, load_settings

logger = logging.getLogger(__name__)
T = TypeVar("T")

_lock = threading.Lock()
_desk: Desk | None = None
_executor: Executor | None = None
_imports: ImportJobs | None = None


def open_desk(environment: Settings | None = None) -> Desk:
    """The process's desk, opened once and with its executor running.

    Raises:
        SettingsError, DatabaseUnavailable: as ``Desk.open``.
    """
    global _desk, _executor  # noqa: PLW0603 - one of each a process
    with _lock:
        if _desk is None:
            desk = Desk.open(environment or load_settings())
            _executor = executor_of(desk, schedules=True)
            _executor.start()
            _desk = desk
        return _desk


def close_desk() -> None:
    """Stop the executor in order, then let go of the database."""
    global _desk, _executor, _imports  # noqa: PLW0603
    with _lock:
        if _imports is not None:
            _imports.end()
        if _executor is not None:
            _executor.stop()
        if _desk is not None:
            _desk.close()
        _desk = _executor = _imports = None


def imports() -> ImportJobs:
    """The imports that were started on screen, one list a process."""
    global _imports  # noqa: PLW0603
    desk = open_desk()
    with _lock:
        if _imports is None:
            _imports = ImportJobs(desk)
        return _imports


def read(work: Callable[[Session], T]) -> T:
    """Run ``work`` in one transaction and return what it returns.

    Raises:
        DatabaseUnavailable: the database is away.
        NotAllowed: people sign in here, and whoever sits before this browser session has no role, or none any more.
    """
    return open_desk().transaction(_fenced(work))


def _fenced(work: Callable[[Session], T]) -> Callable[[Session], T]:
    environment = open_desk().environment
    if not environment.signs_in:
        return work
    somebody = person.signed_in()

    def fenced(session: Session) -> T:
        person.actor_of(somebody, session, environment).require(Permission.READ)
        return work(session)

    return fenced


def change(work: Callable[[Session], T]) -> T:
    """As ``read``, and have the executor look for work at once."""
    result = open_desk().transaction(_fenced(work))
    wake()
    return result


def wake() -> None:
    """Have the executor look for work at once."""
    if _executor is not None:
        _executor.wake()


def settings() -> Settings:
    """The settings in force now."""
    return read(open_desk().settings)


def _let_go(name: str) -> None:
    if _desk is not None:
        try:
            _desk.transaction(lambda session: review_queue.release(session, name))
        except DatabaseUnavailable:
            logger.warning("claims of a session that ended are kept until they run out: the database is away")


@st.cache_resource(scope="session", show_spinner=False, on_release=_let_go)
def holder() -> str:
    """The name that this browser session claims signals under; what it holds is let go when it ends."""
    return uuid.uuid4().hex
