"""Which processes live, which of them serves a cluster, and who holds a lock.

Owns nothing but the locks while they are held. Any thread may call it; ``clear_away`` wants the data directory's lock held.
"""

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from core.errors import DatabaseUnavailable

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

START_SECONDS = 120  # what a server may take to start, with the recovery after a crash


@dataclass(frozen=True)
class Server:
    """A live server, as its pid file describes it. Port 0: it has not written one yet."""

    process: psutil.Process
    port: int


def find_server(pgdata: Path) -> Server | None:
    """The live server that the cluster's pid file names, if it does."""
    lines = (read(pgdata / "postmaster.pid") or "").splitlines()
    try:
        process = psutil.Process(int(lines[0]))
    except (IndexError, ValueError, psutil.NoSuchProcess):
        return None
    return Server(process, int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else 0) if _serves(process, pgdata) else None


def last_port(pgdata: Path) -> int | None:
    """The port that a server of this cluster last had: Postgres notes its command line as soon as it listens, and leaves it there."""
    ports = re.findall(r'"-p" "(\d+)"', read(pgdata / "postmaster.opts") or "")
    return int(ports[-1]) if ports else None


def clear_away(pgdata: Path) -> None:
    """After a server was killed: end the backends that it left, and a pid file whose pid is now another's (Postgres would believe it)."""
    orphans = [process for process in psutil.process_iter() if _serves(process, pgdata)]
    if not gone(orphans, seconds=2):  # they notice by themselves, but for those in the middle of something
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):
                orphan.kill()  # their server is dead: there is no crash to add to
        gone(orphans, seconds=5)
    first = (read(pgdata / "postmaster.pid") or "").partition("\n")[0]
    if first.isdigit() and psutil.pid_exists(int(first)):
        (pgdata / "postmaster.pid").unlink()


def gone(processes: Sequence[psutil.Process], *, seconds: float) -> bool:
    """Wait for all of them to end, at most so long: have they? A zombie counts as ended; whose child it is may never ask."""
    deadline = time.monotonic() + seconds
    while any(birth(process.pid) and process.is_running() for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def birth(pid: int) -> str:
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


def read(file: Path) -> str | None:
    """What the file says, stripped; None where there is none."""
    try:
        return file.read_text(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the file's lock, against other threads too. It dies with its holder.

    Raises:
        DatabaseUnavailable: another process has held it for longer than any start takes.
    """
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
