"""The one synchronous data layer: an engine, short transactions, and the migrations that run at start.

A ``Database`` is made once a process and may be used from every thread; a session belongs to the thread that opened it.
Nothing here needs session state on the server (session-level locks, LISTEN, SET, or, behind a pooler, prepared statements), so
a transaction pooler such as PgBouncer or Neon's works.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic_core import from_json
from sqlalchemy import URL, BigInteger, ColumnElement, Connection, Engine, any_, cast, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.pool import ConnectionPoolEntry

from core.embedded_postgres import EmbeddedPostgres
from core.errors import DatabaseUnavailable, SettingsError
from core.settings import Settings

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
CONNECT = {
    "prepare_threshold": None,
    "connect_timeout": 10,
    "application_name": "signaldesk",
    "client_encoding": "utf8",
    # A server that vanished from the network without a word is given up in half a minute, not in the system's quarter of an hour.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
TRUSTED_IDLE_SECONDS = 2.0
REMEMBERED_AFTER = 2
"""Runs of a statement on one connection, after which its plan is kept."""
MIGRATION_LOCK = 7_264_417  # any number, the same in every process of the desk
LAUNCH_LOCK = 7_264_418
IMPORT_LOCK = 7_264_419
SPENDING_LOCK = 7_264_420
CLAIM_LOCKS = 7_264_421_000_000_000  # with a batch's id added: one each


class Database:
    """An engine and, when it is ours, the embedded server behind it."""

    def __init__(self, engine: Engine, embedded: EmbeddedPostgres | None = None) -> None:
        self.engine = engine
        self._embedded = embedded
        self._is_pooled: bool | None = None
        """None until it is needed."""

    @classmethod
    def open(cls, settings: Settings, *, pool_size: int = 10) -> "Database":
        """Connect, starting the embedded server where no ``DATABASE_URL`` is set, and migrate to the newest schema.

        Raises:
            SettingsError: ``DATABASE_URL`` cannot be read.
            DatabaseUnavailable: the server cannot be started or reached, or the schema cannot be migrated.
        """
        if settings.database_url is not None:
            database = cls(make_engine(settings.database_url.get_secret_value(), pool_size=pool_size))
        else:
            server = EmbeddedPostgres(settings.data_dir / "postgres")
            database = cls(make_engine(server.start(), pool_size=pool_size, revive=server.start), server)
        try:
            database.migrate()
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Give the connections back; the embedded server stops with its last user."""
        self.engine.dispose()
        if self._embedded is not None:
            self._embedded.stop()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back if it raises.

        Raises:
            DatabaseUnavailable: the server is away or cannot write.
        """
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except (OperationalError, PoolTimeout) as error:
            raise DatabaseUnavailable(_what_happened(error, self.address)) from error
        except InternalError as error:
            if not isinstance(error.orig, psycopg.errors.ReadOnlySqlTransaction):
                raise
            raise DatabaseUnavailable(_what_happened(error, self.address)) from error

    @contextmanager
    def remembering(self, session: Session) -> Iterator[None]:
        """For a few statements that come again and again: the server keeps their plans, unless a pooler stands between.

        Not for statements whose best plan depends on what is asked.
        """
        if self._is_pooled is None:
            self._is_pooled = self._embedded is None and is_pooled(session.connection())
        driver: Any = session.connection().connection.driver_connection
        driver.prepare_threshold = None if self._is_pooled else REMEMBERED_AFTER
        try:
            yield
        finally:
            driver.prepare_threshold = None

    @property
    def address(self) -> str:
        """Where the database is, without the password."""
        return self.engine.url.set(query={}).render_as_string(hide_password=True)

    def migrate(self) -> None:
        """Bring the schema to the newest revision. Safe from two processes at once: the second waits, then finds it done.

        Raises:
            DatabaseUnavailable: the server is away, the role may not create tables, the database is not in UTF-8 or another program's, or
            the schema is newer than this code.
        """
        config = migrations()
        known = {name for name, _ in known_revisions()}
        try:
            with self.engine.begin() as connection:
                if (encoding := connection.scalar(text("SHOW server_encoding"))) != "UTF8":
                    raise DatabaseUnavailable(
                        f"The database at {self.address} keeps texts as {encoding}, which has no room for all of them. Make one with"
                        " CREATE DATABASE desk ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0."
                    )
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
                if (revision := current_revision(connection)) is not None and revision not in known:
                    raise DatabaseUnavailable(
                        f"The database at {self.address} was made by a newer Signal Desk (revision {revision}). Update this checkout."
                    )
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(_what_happened(error, self.address)) from error


def make_engine(url: str, *, pool_size: int = 10, revive: Callable[[], str] | None = None) -> Engine:
    """An engine for a ``postgresql://`` (or ``postgres://``) URL; SSL options in the URL are passed on to the driver.

    ``revive`` is asked for the address anew when a connection is refused: a server of our own that was killed is started
    again by whoever needs it first.

    Raises:
        SettingsError: the URL cannot be read; the message never shows a part of it, which may be one of the password.
    """
    engine = create_engine(
        parsed_url(url),
        pool_size=pool_size,
        max_overflow=20,
        pool_timeout=15,
        pool_recycle=300,  # pooled services drop idle connections
        connect_args=CONNECT,
        json_deserializer=from_json,  # several times as fast as the standard library's
    )
    event.listen(engine, "checkin", _note_checkin)
    event.listen(engine, "checkout", _refuse_dead)
    if revive is not None:

        @event.listens_for(engine, "do_connect")
        def connect_or_revive(
            _dialect: object, _record: object, arguments: list[Any], parameters: dict[str, Any]
        ) -> psycopg.Connection[Any]:
            try:
                return psycopg.connect(*arguments, **parameters)
            except psycopg.OperationalError:
                return psycopg.connect(*arguments, **{**parameters, "port": parsed_url(revive()).port})

    return engine


def _note_checkin(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _refuse_dead(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """A connection that was idle for a while is tried before it is used; a busy one needs no round trip for that."""
    if time.monotonic() - record.info.get("used", time.monotonic()) < TRUSTED_IDLE_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error


def parsed_url(url: str, called: str = "DATABASE_URL") -> URL:
    """A Postgres address in parts.

    Raises:
        SettingsError: it cannot be read; the message never shows a part of it.
    """
    try:
        address = make_url(re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", url))
    except (ArgumentError, ValueError):
        address = None
    if address is None or re.search(r"[@\s]", address.host or "") or not 0 <= (address.port or 0) <= 65_535:
        raise SettingsError(
            f"{called} is malformed. It is written postgresql://user:password@host:5432/name, with the characters"
            " @ : / ? # % of the password percent-encoded (@ is %40)."
        )
    return address


IDENTITY = (
    "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || oid FROM pg_database WHERE datname = current_database()"
)
"""Which database of the world this is, by whatever address: its server's own number, and its own on it."""


def is_pooled(connection: Connection) -> bool:
    """Whether a pooler such as PgBouncer stands between: the server's process is not the one that the greeting named."""
    driver: Any = connection.connection.driver_connection
    return bool(driver.info.backend_pid != connection.scalar(text("SELECT pg_backend_pid()")))


def migrations() -> Config:
    """Where Alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@cache
def known_revisions() -> tuple[tuple[str, str], ...]:
    """Every revision of this checkout with its title, newest first."""
    scripts = ScriptDirectory.from_config(migrations()).walk_revisions()
    return tuple((script.revision, (script.doc or "").strip().splitlines()[0] if script.doc else "") for script in scripts)


def current_revision(connection: Connection) -> str | None:
    """The schema's revision; None before the first migration."""
    return MigrationContext.configure(connection).get_current_revision()


def _what_happened(error: SQLAlchemyError, address: str) -> str:
    """A sentence for a person: what the server said, and what to try."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    said = str(cause or error).strip().splitlines()
    words = said[0] if said else type(error).__name__
    if isinstance(cause, psycopg.errors.DiskFull) or "No space left" in words:
        return f"The disk under the database at {address} is full. Free some space and try again; nothing was lost. ({words})"
    if isinstance(cause, psycopg.errors.InsufficientPrivilege):
        return f"The database at {address} refuses: {words}. Give its role the right to create tables in its schema."
    if isinstance(cause, psycopg.errors.DuplicateTable):
        return f"The database at {address} is another program's: {words}. Give the desk one of its own."
    if isinstance(cause, psycopg.errors.ReadOnlySqlTransaction):
        return f"The database at {address} is read-only for now: {words}. Try again when it takes changes."
    if isinstance(error, PoolTimeout):
        return f"The database at {address} is too busy: no connection became free within 15 s."
    return f"The database at {address} does not answer: {words}. Check that it runs and that DATABASE_URL is right."


def among(column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None], ids: Sequence[int]) -> ColumnElement[bool]:
    """``column = ANY(ids)``: one parameter however many ids there are (the wire protocol allows 65,535)."""
    return column == any_(cast(list(ids), ARRAY(BigInteger)))
