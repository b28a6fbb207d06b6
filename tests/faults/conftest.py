"""Consoles that are processes of their own, to be killed; providers that are one too, with a record that outlives everybody."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core import batches, launching
from core.access import local
from core.article_filter import ArticleFilter
from core.clock import utc_now
from core.configuration import Desk
from core.database import Database
from core.errors import DatabaseUnavailable
from core.models import BatchStatus, RecordStatus
from core.selection import Selection
from core.settings import Settings
from tests.loopback import LoopbackProviders

CHECKOUT = Path(__file__).resolve().parents[2]
ALL = Selection.of_filter(ArticleFilter())
ROOMY = {"SIGNALDESK_DAILY_BUDGET": "90", "SIGNALDESK_MONTHLY_BUDGET": "100"}


class Console:
    """``signaldesk start`` as a process. ``url`` is where it serves, once it does."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console.cli", "start", "--port", "0", "--no-samples"],
            cwd=CHECKOUT,
            env=environment,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    @property
    def url(self) -> str | None:
        found = re.search(r"Signal Desk is at (http://\S+)", self.printed)
        return found[1] if found else None

    @property
    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait_until_it_serves(self) -> "Console":
        wait_for(lambda: self.url or not self.is_alive, 60, "the console serves")
        assert self.is_alive, self.printed
        return self

    def kill(self) -> None:
        """SIGKILL: no handler, no farewell."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def terminate(self, patience: float = 60.0) -> tuple[int, float]:
        """SIGTERM; the exit code and the seconds that it took."""
        began = time.monotonic()
        self.process.terminate()
        code = self.process.wait(patience)
        return code, time.monotonic() - began


def wait_for(met: Callable[[], Any], patience: float, what: str) -> None:
    """Look every hundredth of a second until ``met``."""
    deadline = time.monotonic() + patience
    while not met():
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.01)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Where the providers keep what they served."""
    return tmp_path / "served.jsonl"


@pytest.fixture
def providers(record: Path) -> Iterator[LoopbackProviders]:
    with LoopbackProviders(subprocess=True, latency=0.1, signals=(1, 3), record=str(record)) as running:
        yield running


@pytest.fixture
def start_console(providers: LoopbackProviders, tmp_path: Path) -> Iterator[Callable[..., Console]]:
    """``start_console(DATABASE_URL=...)``: a console on these providers; what is left of it ends with the test."""
    started: list[Console] = []

    def start(**environment: str) -> Console:
        given = os.environ | {"SIGNALDESK_DATA_DIR": str(tmp_path)} | providers.env() | ROOMY | environment
        started.append(Console(given, tmp_path / f"console-{len(started)}.log"))
        return started[-1]

    yield start
    for number, console in enumerate(started):
        if console.is_alive:
            console.kill()
        print(f"--- console {number}\n{console.printed}")  # shown where the test failed


@pytest.fixture
def embedded_folder() -> Iterator[Path]:
    """A data directory that the server's own user can enter, so that root too keeps the cluster inside it."""
    with tempfile.TemporaryDirectory(prefix="signaldesk-faults-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def provider_settings(providers: LoopbackProviders, **values: Any) -> dict[str, Any]:
    """What ``Settings`` needs to use these providers, with budgets that are not what is tested."""
    keys = providers.env()
    return {
        "gemini_api_key": keys["GEMINI_API_KEY"],
        "gemini_base_url": providers.url,
        "tavily_api_key": keys["TAVILY_API_KEY"],
        "tavily_base_url": providers.url,
        "daily_budget": "90",
        "monthly_budget": "100",
    } | values


def launch(database: Database, settings: Settings, budget: Decimal | None = None) -> int:
    """A batch of every article."""
    with database.session() as session:
        settings = Desk(database, settings).settings(session)
        return launching.launch(session, ALL, settings, by=local("tester"), now=utc_now(), budget=budget)


def progress_of(database: Database, batch_id: int) -> batches.Progress | None:
    """The batch now; None while the database is away."""
    try:
        with database.session() as session:
            return batches.progress(session, batch_id)
    except DatabaseUnavailable:
        return None


def wait_until_it_rests(database: Database, batch_id: int, patience: float = 90.0) -> batches.Progress:
    """Wait until the batch has ended or is paused, and nothing of it is in work."""
    deadline = time.monotonic() + patience
    while True:
        state = progress_of(database, batch_id)
        if state and state.status not in BatchStatus.claimable() and not state.counts[RecordStatus.PROCESSING]:
            return state
        assert time.monotonic() < deadline, f"the batch did not come to rest: {state}"
        time.sleep(0.1)
