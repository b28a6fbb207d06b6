"""Backups: the whole database in one file, and back. Postgres's own ``pg_dump`` and ``pg_restore`` do the work.

A backup is taken while the desk is in use, and is one moment of it. Restoring replaces everything in the schema ``public``, in one
transaction, and only while nobody works: what was there before is backed up first.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.database import IDENTITY, Database, is_pooled, known_revisions, make_engine
from core.embedded_postgres.binaries import client_program
from core.errors import BackupRefused, NotFound, NotPossible
from core.models import Base, Worker
from core.records import LEASE

CLEAR = """
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DROP TABLE IF EXISTS public.%I CASCADE', one.tablename);
  END LOOP;
  FOR one IN SELECT CAST(oid AS regprocedure) AS routine FROM pg_proc p WHERE pronamespace = CAST('public' AS regnamespace)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = CAST('pg_proc' AS regclass) AND d.objid = p.oid AND d.deptype = 'e') LOOP
    EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', one.routine);
  END LOOP;
END $$"""
"""Everything but what extensions brought."""
OF_OTHERS = """
SELECT CAST(c.relname AS text) FROM pg_class c
WHERE c.relnamespace = CAST('public' AS regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname <> ALL(:own)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname"""
OWN = ("alembic_version", "article_facts", "decision_facts")
"""What is the desk's beside the tables of its models."""
FROM_17_ON = b"SET transaction_timeout = 0;"
"""The one line of a backup's script that an older server does not know. It stands among the first."""
PREAMBLE_BYTES = 4_096
OWN_TABLE = " TABLE public article_keys "
"""In the contents of every backup, of whatever revision."""
REVISION = re.compile(r"^COPY public\.alembic_version .*\n(\w+)$", re.MULTILINE)


def back_up(database: Database, file: Path, *, by: Actor, direct: str | None = None) -> int:
    """Write a backup, under its name only once it is whole. Returns its size in bytes.

    ``direct`` is the server's own address, for a database whose address is a pooler's: ``pg_dump`` sets its session up for itself,
    and a pooler would hand that session on to the desk.

    Raises:
        BackupRefused: it cannot be written, the server is of a newer kind than ``pg_dump``, or there is only a pooler.
        DatabaseUnavailable: the server is away.
    """
    by.require(Permission.ACCESS)
    if file.is_dir():
        raise BackupRefused(f"{file} is a folder. Name the file in it.")
    if file.exists() and not file.is_file():
        raise BackupRefused(f"{file} is no ordinary file, and it would be replaced by one. Name another.")
    part = file.with_name(f"{file.name}.part")
    try:
        part.touch(mode=0o600)  # articles and money are nobody else's business
    except OSError as error:
        raise BackupRefused(f"{file} cannot be written: {error.strerror}.") from error
    try:
        address = _direct_address(database, direct)
        _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={part}"], address)
        part.replace(file)
    except OSError as error:
        raise BackupRefused(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    size = file.stat().st_size
    with database.session() as session:
        audit.record(session, by, audit.Action.BACK_UP, ("file", file.name), after={"bytes": size})
    return size


def _direct_address(database: Database, direct: str | None) -> URL:
    """Where ``pg_dump`` goes: to the server itself, and to the same database."""
    with database.session() as session:
        pooled, own = is_pooled(session.connection()), _identity(session)
    if not pooled:
        return database.engine.url
    if direct is None:
        raise BackupRefused(
            f"{database.address} is a pooler (such as PgBouncer), and a backup needs a session of its own. Set DIRECT_DATABASE_URL"
            " to the server's own address; nothing but the backup uses it."
        )
    straight = Database(make_engine(direct, pool_size=1))
    try:
        with straight.session() as session:
            pooled, there = is_pooled(session.connection()), _identity(session)
    finally:
        straight.close()
    if pooled:
        raise BackupRefused(f"DIRECT_DATABASE_URL ({straight.address}) is a pooler, too. Set it to the server's own address.")
    if there != own:
        raise BackupRefused(f"DIRECT_DATABASE_URL ({straight.address}) is another database than DATABASE_URL.")
    return straight.engine.url


def _identity(session: Session) -> str | None:
    """None where the role may not ask."""
    try:
        with session.begin_nested():
            return session.scalar(text(IDENTITY))
    except ProgrammingError:
        return None


def restore(database: Database, file: Path, work_dir: Path, *, by: Actor, direct: str | None = None) -> None:
    """Put a backup in place of everything that is there, then bring it to the newest schema. ``work_dir`` takes it unpacked meanwhile.

    ``direct`` is as for ``back_up``. The server may be of an older major version than the one that the backup is of.

    Raises:
        BackupRefused: the file is no backup of a desk, is damaged, or is of a newer Signal Desk, or there is only a pooler; nothing
            was changed.
        DatabaseUnavailable: the server is away.
    """
    by.require(Permission.ACCESS)
    revision = revision_of(file)
    if revision not in {name for name, _ in known_revisions()}:
        raise BackupRefused(f"{file} was made by a newer Signal Desk (revision {revision}). Update this checkout.")
    address = _direct_address(database, direct)
    with tempfile.TemporaryDirectory(dir=work_dir) as folder:
        script = Path(folder) / "backup.sql"  # whole before any of it runs: a damaged file shows here
        unpacking = ["--no-owner", "--no-privileges", "--schema=public", f"--file={script}"]
        _run("pg_restore", [*unpacking, str(file)], None, refusal=f"{file} is damaged")
        _for_any_server(script)
        steps = ["--single-transaction", "--set=ON_ERROR_STOP=1", f"--command={CLEAR}", f"--file={script}"]
        _run("psql", ["--no-psqlrc", "--quiet", "--output=/dev/null", *steps], address)
    database.engine.dispose()  # connections know types by numbers that are others now
    database.migrate()
    with database.session() as session:  # in what is there now: the log of before went with everything else, into its own backup
        audit.record(session, by, audit.Action.RESTORE_BACKUP, ("file", file.name), after={"revision": revision})


def _for_any_server(script: Path) -> None:
    """Blank out, where it stands, what only newer servers know; a script may be larger than memory."""
    with script.open("r+b") as opened:
        found = opened.read(PREAMBLE_BYTES).find(FROM_17_ON)
        if found >= 0:
            opened.seek(found)
            opened.write(b"-" * len(FROM_17_ON))


def refuse_if_shared(session: Session) -> None:
    """Restoring empties the schema ``public``, in which a database by URL may hold more than the desk.

    Raises:
        NotPossible: it has tables of others, or the desk's lie in another schema.
    """
    schema = session.scalar(text("SELECT current_schema()"))
    if schema != "public":
        raise NotPossible(f"The desk's tables lie in the schema {schema} there, and a backup is of the schema public.")
    others = session.scalars(text(OF_OTHERS), {"own": [*Base.metadata.tables, *OWN]}).all()
    if others:
        named = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        raise NotPossible(
            f"That database holds more than the desk ({named}), which restoring would take away. Give the desk one of its own."
        )


def refuse_if_at_work(session: Session, now: datetime) -> None:
    """Restoring takes the tables away under whoever uses them.

    Raises:
        NotPossible: a worker's heartbeat is fresh.
    """
    alive = session.scalars(select(Worker.host).where(Worker.heartbeat_at > now - LEASE)).all()
    if alive:
        raise NotPossible(f"The desk is in use on {', '.join(sorted(set(alive)))}. Stop it, then restore.")


def revision_of(file: Path) -> str:
    """The schema's revision in a backup.

    Raises:
        BackupRefused: the file is no backup of a desk.
        NotFound: there is no such file.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    contents = _run("pg_restore", ["--list", str(file)], None, refusal=f"{file} is no backup of a Signal Desk")
    if OWN_TABLE not in contents:  # another program's, which may well count its revisions as the desk does
        raise BackupRefused(f"{file} is no backup of a Signal Desk: it is one of another database.")
    only = ["--data-only", "--table=alembic_version", "--file=-"]
    listed = _run("pg_restore", [*only, str(file)], None, refusal=f"{file} is no backup of a Signal Desk")
    found = REVISION.search(listed)
    if found is None:
        raise BackupRefused(f"{file} is no backup of a Signal Desk: it has no schema revision.")
    return found[1]


def _run(program: str, arguments: Sequence[str], address: URL | None, *, refusal: str = "") -> str:
    """Run one of Postgres's programs to its end; its password travels in the environment, where no list of processes shows it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
    if address is not None:
        where = {"PGHOST": address.host, "PGPORT": address.port, "PGUSER": address.username, "PGDATABASE": address.database}
        where |= {"PGPASSWORD": address.password, **{f"PG{name.upper()}": str(value) for name, value in address.query.items()}}
        environment |= {name: str(value) for name, value in where.items() if value is not None}
    command = [str(client_program(program)), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
        if "No space left on device" in said:
            raise BackupRefused(f"The disk is full. Free some space and try again; nothing was changed. ({said})")
        raise BackupRefused(f"{refusal or program + ' failed'}: {said.removeprefix(program + ': error: ')}")
    return done.stdout
