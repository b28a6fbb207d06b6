"""A console of its own process on a free port, and a Chromium to open it in."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.database import Database
from tests.programs import program

expect.set_options(timeout=20_000)  # a machine that runs other tests beside these is slow, not wrong
CHECKOUT = Path(__file__).resolve().parents[2]
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Console:
    """``signaldesk start`` as a process; ``url`` is where it serves, ``log`` what it printed."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        self.log: list[str] = []
        self.url = ""
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console.cli", "start", "--port", "0", *options],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        assert self._ready.wait(60), "".join(self.log)
        assert self.url, "".join(self.log)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if found := re.search(r"Signal Desk is at (http://\S+)", line):
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def console_environment(database: Database, database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a console on this test's database, without any key."""
    return os.environ | {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path)}


@pytest.fixture
def start_console(console_environment: dict[str, str]) -> Iterator[Any]:
    """``start_console(SIGNALDESK_DAILY_BUDGET="1")`` starts a console; it stops with the test."""
    started: list[Console] = []

    def start(*options: str, **environment: str) -> Console:
        started.append(Console(console_environment | environment, *options))
        return started[-1]

    yield start
    for console in started:
        if console.process.poll() is None:
            console.stop()
        print("".join(console.log))  # shown where the test failed


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Without it the test skips, but not in CI.

    Not for the whole session: while Playwright is open its event loop counts as running, and no other test could start one.
    """
    path = program("chromium", "chromium-browser", "google-chrome", package="chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A fresh browser session at 1440 by 900. What it last showed is kept in the test's folder."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(20_000)
    page = context.new_page()
    yield page
    if not page.is_closed():
        page.screenshot(path=tmp_path / "last-seen.png")
    context.close()
