"""The embedded Postgres is killed, or its disk runs full, under a running console: the console waits, brings it back, and goes on."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.configuration import Desk
from core.database import Database, make_engine
from core.embedded_postgres.clusters import home_of
from core.importers.import_articles import import_articles
from core.models import BatchStatus, RecordStatus
from core.settings import Settings
from tests.actors import ANN
from tests.conftest import an_article
from tests.faults.accounts import Accounts, assert_budgets_hold, finished_articles, searches_kept
from tests.faults.conftest import Console, launch, progress_of, provider_settings, wait_for, wait_until_it_rests
from tests.loopback import LoopbackProviders

pytestmark = pytest.mark.slow

KILLS = 5
ARTICLES = 80


def requests_in(record: Path) -> int:
    return record.read_bytes().count(b"\n")


def postmaster(folder: Path) -> int | None:
    """The pid of the server of the data directory, as its pid file says."""
    try:
        return int((home_of(folder / "postgres") / "cluster" / "pgdata" / "postmaster.pid").read_text().split("\n")[0])
    except (FileNotFoundError, ValueError):
        return None


@contextlib.contextmanager
def running_console(
    folder: Path, number: int, providers: LoopbackProviders, start_console: Callable[..., Console]
) -> Iterator[tuple[Console, Database, int]]:
    """A console that runs a batch on its own embedded server; the test only looks on, through an engine that revives nothing."""
    settings = Settings(_env_file=None, data_dir=folder, **provider_settings(providers))
    desk = Desk.open(settings)
    url = desk.database.engine.url.render_as_string(hide_password=False)
    import_articles(desk, "test", [an_article() for _ in range(number)], by=ANN)
    batch_id = launch(desk.database, settings)
    console = start_console(SIGNALDESK_DATA_DIR=str(folder)).wait_until_it_serves()
    desk.close()
    onlooker = Database(make_engine(url))
    try:
        yield console, onlooker, batch_id
    finally:
        onlooker.close()
        if console.is_alive:
            console.terminate()


def health(console: Console) -> dict[str, Any]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{console.url}/health", timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return json.load(refusal)


def assert_all_done(onlooker: Database, batch_id: int, record: Path) -> Accounts:
    state = wait_until_it_rests(onlooker, batch_id, 120)
    assert state.status is BatchStatus.COMPLETED, state.pause_reason
    assert state.counts[RecordStatus.COMPLETED] == state.total == ARTICLES
    accounts = Accounts.read(record, onlooker)
    accounts.assert_they_agree()
    accounts.assert_no_answer_was_paid_twice(finished_articles(onlooker, batch_id), searches_kept(onlooker))
    assert_budgets_hold(onlooker)
    return accounts


def test_the_console_brings_a_killed_server_back_and_finishes(
    embedded_folder: Path, providers: LoopbackProviders, start_console: Callable[..., Console], record: Path
) -> None:
    moments, killed_at, back_after = Random(5), list[float](), list[float]()
    with running_console(embedded_folder, ARTICLES, providers, start_console) as (console, onlooker, batch_id):
        for _ in range(KILLS):
            more = requests_in(record) + moments.randint(5, 35)
            wait_for(lambda: requests_in(record) >= more, 60, f"request {more}")  # noqa: B023 - ends in this round
            pid = postmaster(embedded_folder)
            assert pid is not None
            killed_at.append(time.time())
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: postmaster(embedded_folder) not in (None, pid), 60, "another server")  # noqa: B023 - ends in this round
            wait_for(lambda: progress_of(onlooker, batch_id), 60, "the server answers")
            back_after.append(time.time() - killed_at[-1])
        state = progress_of(onlooker, batch_id)
        assert state is not None
        assert state.ended < ARTICLES  # every kill was in the middle of the run
        accounts = assert_all_done(onlooker, batch_id, record)
        print(f"back after {[round(seconds, 1) for seconds in back_after]} s; in doubt {len(accounts.lines('UNKNOWN'))}, "
              f"paid twice {len(accounts.paid_twice)}")  # fmt: skip
        assert console.is_alive
        assert console.terminate()[0] == 0
        assert postmaster(embedded_folder) is None  # and stops it at the end


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own with little room, on which a database just fits."""
    folder = Path(tempfile.mkdtemp(prefix="signaldesk-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192m,mode=755", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)
    folder.rmdir()


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65_536)
    return ballast


def test_a_full_disk_is_said_and_waited_for_and_nothing_is_lost(
    small_disk: Path, providers: LoopbackProviders, start_console: Callable[..., Console], record: Path
) -> None:
    with running_console(small_disk, ARTICLES, providers, start_console) as (console, onlooker, batch_id):
        wait_for(lambda: requests_in(record) >= 60, 60, "60 requests")
        filled_at = time.time()
        ballast = fill(small_disk)
        wait_for(lambda: "full" in console.printed.lower(), 40, "the console says that the disk is full")
        noticed_at = time.time()
        said = health(console)
        assert said["status"] == 503
        assert "disk" in said["detail"]
        time.sleep(2)
        before = requests_in(record)
        ballast.unlink()
        freed_at = time.time()
        accounts = assert_all_done(onlooker, batch_id, record)
        assert len(accounts.served) > before
        assert console.is_alive
        print(f"full for {freed_at - filled_at:.1f} s, noticed after {noticed_at - filled_at:.1f} s, done {time.time() - freed_at:.1f} s after; in doubt {len(accounts.lines('UNKNOWN'))}, "
              f"paid twice {len(accounts.paid_twice)}; health said {said}")  # fmt: skip
