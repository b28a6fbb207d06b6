"""Waiting, without sleeping, until another thread's transaction waits for a lock."""

import time

from sqlalchemy import text

from core.database import Database

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def wait_until_blocked(database: Database, connections: int = 1, seconds: float = 30.0) -> None:
    """Return once so many connections to this database wait for a lock."""
    until = time.monotonic() + seconds
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while (connection.scalar(WAITING) or 0) < connections:
            assert time.monotonic() < until, "nothing came to wait for a lock"
