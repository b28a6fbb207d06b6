"""The life of the embedded server: who is attached, starting it, waiting for it, stopping it.

Owns ``lock``, ``attached`` and the server. Any thread of any process may call the public methods: the lock serialises them.
"""

import errno
import logging
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psutil
import psycopg

from core.embedded_postgres.binaries import give, make_directory, run_program, server_account
from core.embedded_postgres.clusters import USER, delete_cluster, home_of, open_cluster
from core.embedded_postgres.processes import START_SECONDS, birth, clear_away, find_server, gone, last_port, lock, read
from core.errors import DatabaseUnavailable

DATABASE = "signaldesk"
WAL_SEGMENT = 16 * 2**20  # bytes; with less than that free, Postgres cannot go on
SHARED_DIR = Path("/var/lib/signaldesk")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",  # taken as it is used; the words of frequent matches stand all over a large table
    "work_mem": "32MB",  # the matches of a common word, row by row rather than page by page
    "random_page_cost": "1.1",  # of a disk without moving parts, or memory
    "wal_level": "minimal",
    "max_wal_senders": "0",  # wal_level=minimal insists on it
}
PORT_TAKEN = ("could not bind", "Address already in use", "could not create any TCP/IP sockets")
DISK_FULL = "The disk is full. Free some space and start again; nothing has to be repaired."
LIBRARY_MISSING = "A system library is missing. Install it, or set DATABASE_URL to another Postgres."
ADVICE = {
    "No space left on device": DISK_FULL,
    "Check free disk space": DISK_FULL,
    "Disk quota exceeded": "The disk quota is used up. Free some space and start again; nothing has to be repaired.",
    "Read-only file system": "The file system is read-only. Choose a data directory on a writable one.",
    "Permission denied": "Run as the owner of that directory, or choose a data directory that is yours.",
    "Operation not permitted": "This root may not switch to another user. Run the desk as an ordinary user, or set DATABASE_URL.",
    "error while loading shared libraries": LIBRARY_MISSING,
    "Library not loaded": LIBRARY_MISSING,
    "pre-existing shared memory block": "Processes of an earlier server are still there. End them, or restart the machine.",
    "Cannot allocate memory": "The machine is short of memory. End something else and start again.",
    **dict.fromkeys(PORT_TAKEN, "No port on 127.0.0.1 could be had. Look for a firewall, or for a program that takes them all."),
    "password authentication failed": "The password file does not belong to this cluster. Put back the one it was made with.",
    "did not start in time": "It may still be recovering after a crash. Wait a minute and start again.",
}
log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One attachment to the server of ``data_dir``; several may exist in one process and in many.

    ``shared_dir`` matters to root alone: where the server's own user can reach what it cannot reach elsewhere.
    """

    def __init__(self, data_dir: Path, *, shared_dir: Path = SHARED_DIR) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.shared_dir = shared_dir
        self._token = secrets.token_hex(4)
        self._good_url = ""  # the last that a whole connection was made to: its password and database are right

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> str:
        """Attach to the server, starting it (and making its cluster) if need be; harmless and cheap when already attached.

        Returns ``postgresql://USER:PASSWORD@127.0.0.1:PORT/signaldesk``. The port stays the same from one start of the server to
        the next, unless another program has taken it meanwhile.

        Raises:
            DatabaseUnavailable: it could not be started; says what to do about it.
        """
        with self._refusing("could not be started"):
            self._make_data_dir()
            with lock(self.data_dir / "lock"):
                url = self._serve(open_cluster(self.data_dir, self.shared_dir))
                self._attach()
                return url

    def stop(self) -> None:
        """Detach; the last live process to do so stops the server. Without a ``start`` before it, stops a server nobody uses."""
        if (self.data_dir / "lock").exists():
            with self._refusing("could not be stopped"), lock(self.data_dir / "lock"):
                self._detach()

    def destroy(self) -> None:
        """Detach and delete the database with all its data, wherever it is kept.

        Raises:
            DatabaseUnavailable: another attachment lives.
        """
        if (self.data_dir / "lock").exists():
            with self._refusing("could not be deleted"), lock(self.data_dir / "lock"):
                if users := self._detach():
                    raise DatabaseUnavailable(f"The database in {self.data_dir} is in use by process {users[0]}. End it first.")
                delete_cluster(self.data_dir)

    # Refusals ------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, psycopg.Error, psutil.Error) as error:
            raise self._refusal(what, str(error)) from error

    def _refusal(self, what: str, output: str, cluster: Path | None = None) -> DatabaseUnavailable:
        """The error for a failure whose cause stands somewhere in ``output``, or on a full disk nowhere: the log is on it too."""
        if cluster and (secret := read(cluster / "password")):
            output = output.replace(secret, "***")
        if self.data_dir.exists() and shutil.disk_usage(cluster or self.data_dir).free < WAL_SEGMENT:
            output += f"\n{os.strerror(errno.ENOSPC)}"
        lines = "\n".join(output.strip().splitlines()[-12:])
        where = f" (log: {cluster / 'server.log'})" if cluster else ""
        between = "\n" if "\n" in lines or where else " "
        return DatabaseUnavailable(f"The Postgres in {self.data_dir} {what}. {advice(output)}".rstrip() + f"{between}{lines}{where}")

    # Who is attached (call under the lock, but for the first) ------------------------------------------------------------

    def _make_data_dir(self) -> None:
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            make_directory(self.data_dir)
        if not self.data_dir.is_dir():
            raise DatabaseUnavailable(f"{self.data_dir} is not a directory. Choose another data directory.")

    def _attach(self) -> None:
        (self.data_dir / "attached").mkdir(mode=0o700, exist_ok=True)
        (self.data_dir / "attached" / f"{os.getpid()}-{birth(os.getpid())}-{self._token}").touch(mode=0o600)

    def _detach(self) -> list[int]:
        """Give up our attachment, and stop the server if no other lives; the pids of those that do."""
        users = []
        for attachment in (self.data_dir / "attached").glob("*-*-*"):
            pid, born, token = attachment.name.split("-")
            ours = (int(pid), token) == (os.getpid(), self._token)  # not a forked parent's
            if ours or birth(int(pid)) != born:
                attachment.unlink()
            else:
                users.append(int(pid))
        if not users:
            self._halt(home_of(self.data_dir) / "cluster")
        return users

    # The server (call under the lock) ------------------------------------------------------------------------------------

    def _serve(self, cluster: Path) -> str:
        """Wait until a server accepts connections, launching one where there is none; its URL."""
        deadline, launches = time.monotonic() + START_SECONDS, 0
        password = read(cluster / "password")
        while True:
            server = find_server(cluster / "pgdata")
            if server is None:
                if launches == 2:
                    raise self._refusal("stopped again right after its start", read(cluster / "server.log") or "", cluster)
                launches += 1
                self._launch(cluster)
                continue
            address = f"postgresql://{USER}:{password}@127.0.0.1:{server.port}"
            url = f"{address}/{DATABASE}"
            problem = None if url == self._good_url and _asks_for_password(url) else _connection_problem(url)
            if problem is None:
                self._good_url = url
                return url
            if f'database "{DATABASE}" does not exist' in problem:
                with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
            elif "password authentication failed" in problem or time.monotonic() > deadline:
                raise self._refusal("does not answer", problem, cluster)
            else:
                time.sleep(0.02)  # it is starting up, recovering, or on its way down

    def _launch(self, cluster: Path) -> None:
        server_log, account = cluster / "server.log", server_account(cluster)
        if server_log.exists() and server_log.stat().st_size > 10_000_000:
            server_log.replace(cluster / "server.log.1")
        if not server_log.exists():
            server_log.touch(mode=0o600)
            give(server_log, account)
        port = last_port(cluster / "pgdata")  # clients may still know it
        settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        for _attempt in range(5):
            clear_away(cluster / "pgdata")
            seen = server_log.stat().st_size
            options = ("-w", "-t", str(START_SECONDS), "-l", str(server_log), "-o", f"-p {port or _free_port()} {settings}")
            failed, output = self._pg_ctl("start", *options, cluster=cluster)
            if not failed or find_server(cluster / "pgdata"):  # despite a failure: it still recovers, or an orphaned pg_ctl was faster
                return
            output += server_log.read_bytes()[seen:].decode(errors="replace")
            if not any(sign in output for sign in PORT_TAKEN):
                break
            port = None
        raise self._refusal("could not be started", output, cluster)

    def _halt(self, cluster: Path) -> None:
        if (server := find_server(cluster / "pgdata")) is None:
            return
        for mode, seconds in (("fast", "60"), ("immediate", "15")):
            _failed, output = self._pg_ctl("stop", "-w", "-m", mode, "-t", seconds, cluster=cluster)
            if gone([server.process], seconds=2):
                return
        log.error("The Postgres in %s did not stop and is killed: %s", self.data_dir, output)
        server.process.kill()
        clear_away(cluster / "pgdata")

    def _pg_ctl(self, *arguments: str, cluster: Path) -> tuple[int, str]:
        where = ("-D", str(cluster / "pgdata"))
        return run_program("pg_ctl", *arguments, *where, account=server_account(cluster), cwd=cluster, shared_dir=self.shared_dir)


def advice(output: str) -> str:
    """What a person can do about the first cause that is known from ``output``; empty when none is."""
    return next((remedy for sign, remedy in ADVICE.items() if sign in output), "")


def _asks_for_password(url: str) -> bool:
    """Does a server that accepts connections answer there? Most of the time of a connection goes into the password's proof."""
    try:
        psycopg.connect(url, require_auth="none", connect_timeout=5).close()
    except psycopg.Error as error:
        return "authentication method requirement" in str(error)
    return True


def _connection_problem(url: str) -> str | None:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        full = ("too many clients", "remaining connection slots")
        return None if any(sign in str(error) for sign in full) else str(error)
    return None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
