"""The cluster of a data directory: where it is kept, making it, checking it, deleting it.

Owns ``cluster`` and the ``location`` file. Call everything here with the data directory's lock held.
"""

import hashlib
import logging
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from core.embedded_postgres.binaries import MAJOR, Account, enters, give, make_directory, run_program, safe_shared_dir, server_account
from core.embedded_postgres.processes import read
from core.errors import DatabaseUnavailable

USER = "signaldesk"
# The first that the machine knows. Text search takes its idea of a letter from here: under plain C a curly quote is one,
# and a search for bitcoin misses “Bitcoin”. Sorting and case are the builtin provider's and the same everywhere.
LETTERS = ("C.UTF-8", "en_US.UTF-8", "UTF-8", "C")
log = logging.getLogger(__name__)


def home_of(data_dir: Path) -> Path:
    """Where the cluster is or shall be kept: the data directory, or the place that its ``location`` file names."""
    for pointer in (data_dir / "location", data_dir / "location.new"):
        if text := read(pointer):
            return Path(text)
    return data_dir


def open_cluster(data_dir: Path, shared_dir: Path) -> Path:
    """The directory of the cluster, made if there is none.

    Raises:
        DatabaseUnavailable: it is damaged, lost, another directory's, or of another major version.
        OSError: it could not be made; says what ``initdb`` said.
    """
    home, pointer = home_of(data_dir), data_dir / "location"
    if pointer.exists():
        _check_location(data_dir, home, pointer)
    elif not (home / "cluster").exists():
        account = server_account(None)
        if account and home == data_dir and not enters(account, home):
            home = _make_shared_home(data_dir, shared_dir, account)
        _make_cluster(home, account, shared_dir)
    with suppress(FileNotFoundError):  # only now that the cluster is there: a pointer to nothing means that it was lost
        (data_dir / "location.new").replace(pointer)
    cluster = home / "cluster"
    version = read(cluster / "pgdata" / "PG_VERSION")
    if not version:
        raise DatabaseUnavailable(f"{cluster} is damaged: PG_VERSION is missing. Restore a backup, or move it away to start empty.")
    if version != MAJOR:
        cause = f"{cluster} was made by Postgres {version}, and this desk brings Postgres {MAJOR}"
        raise DatabaseUnavailable(f"{cause}. Export it with the desk that made it, or choose another data directory.")
    return cluster


def delete_cluster(data_dir: Path) -> None:
    """Delete the cluster with all its data, wherever it is kept."""
    home = home_of(data_dir)
    doomed = home / "cluster" if home == data_dir else home
    if doomed.exists():
        shutil.rmtree(doomed)
    for pointer in data_dir.glob("location*"):
        pointer.unlink()


def _check_location(data_dir: Path, home: Path, pointer: Path) -> None:
    if not (home / "cluster").exists():
        raise DatabaseUnavailable(f"{pointer} names {home}, but the database is gone from there. Restore it, or delete {pointer}.")
    owner = read(home / "data_dir")
    if owner != str(data_dir):  # this directory was copied or moved
        if owner and read(Path(owner) / "location") == str(home):
            raise DatabaseUnavailable(f"{data_dir} is a copy of {owner}, whose database {home} is. Delete {pointer} to start empty.")
        (home / "data_dir").write_text(str(data_dir))


def _make_shared_home(data_dir: Path, shared_dir: Path, account: Account) -> Path:
    """A place for the cluster that ``account`` can reach, noted first in ``location.new`` so that a kill forgets nothing."""
    name = f"{hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]}-{secrets.token_hex(4)}"
    home = safe_shared_dir(shared_dir) / name
    log.warning("The user %s cannot enter %s: the database is kept in %s", account.name, data_dir, home)
    (data_dir / "location.new").write_text(str(home))
    make_directory(home)
    (home / "data_dir").write_text(str(data_dir))
    return home


def _make_cluster(home: Path, account: Account | None, shared_dir: Path) -> None:
    """initdb into a new directory beside, then rename: whatever kills this leaves no half-made cluster."""
    for half_made in home.glob("cluster.new-*"):
        shutil.rmtree(half_made, ignore_errors=True)  # an initdb that outlived its console may still be writing; next time, then
    if not home.exists():
        make_directory(home)
    new = home / f"cluster.new-{secrets.token_hex(4)}"
    make_directory(new)
    (new / "pgdata").mkdir(mode=0o700)
    for name, text in (("password", secrets.token_urlsafe(24)), ("server.log", "")):
        (new / name).touch(mode=0o600)
        (new / name).write_text(text)
    for name in ("pgdata", "password", "server.log"):
        give(new / name, account)
    for letters in LETTERS:
        options = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", f"--lc-ctype={letters}")
        secure = ("--auth=scram-sha-256", f"--username={USER}", f"--pwfile={new / 'password'}", "--no-instructions")
        where = ("-D", str(new / "pgdata"))
        failed, output = run_program("initdb", *options, *secure, *where, account=account, cwd=new, shared_dir=shared_dir)
        if "invalid locale name" not in output:
            break
    if failed:
        shutil.rmtree(new, ignore_errors=True)
        raise OSError(output)
    if account:
        os.chown(new / "password", os.geteuid(), os.getegid())
    new.rename(home / "cluster")
