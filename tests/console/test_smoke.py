"""``signaldesk smoke`` against a real console, and against what is wrong in many ways."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from console.smoke import Wrong, compare, require_address
from core.database import Database
from core.errors import SettingsError
from core.settings import CHECKOUT
from tests.browser.conftest import Console
from tests.faults.conftest import wait_for
from tests.loopback import LoopbackProviders

TOKEN = "smoke-" + "t" * 40


def smoke(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console.cli", "smoke", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=os.environ | environment, capture_output=True, text=True, timeout=150, check=False)


# --- a real console --------------------------------------------------------------------------------------------------


@pytest.fixture
def start_console(database: Database, database_url: str, tmp_path: Path) -> Iterator[Callable[..., Console]]:
    started: list[Console] = []

    def start(*options: str, **more: str) -> Console:
        given = os.environ | {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path)} | more
        started.append(Console(given, *options))
        return started[-1]

    yield start
    for console in started:
        if console.process.poll() is None:
            console.stop()
        print("".join(console.log))  # shown where the test failed


def until_ready(url: str) -> None:
    """A console's own worker signs on within seconds of its start."""
    deadline = time.monotonic() + 30
    while httpx.get(f"{url}/health/ready", trust_env=False).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_a_deployment_with_a_paid_model_is_checked_for_nothing_again_and_again(
    start_console: Callable[..., Console], database: Database
) -> None:
    with LoopbackProviders() as providers:
        console = start_console(**providers.env())
        until_ready(console.url)
        first = smoke(console.url)
        assert first.returncode == 0, first.stdout + first.stderr
        assert [line.split()[:2] for line in first.stdout.splitlines()[:-1]] == [
            ["ok", name] for name in ("health", "ready", "articles", "batch", "ledger")
        ]
        assert first.stdout.splitlines()[-1].startswith("PASSED  5 of 5 checks in ")

        again = smoke(console.url, "--json")
        told = json.loads(again.stdout)
        assert (again.returncode, told["ok"], told["batch"]) == (0, True, 2)
        assert [step["ok"] for step in told["steps"]] == [True] * 5
        assert providers.entries() == []  # no provider was asked for anything
    with database.session() as session:
        spent, calls = session.execute(text("SELECT sum(usd), count(*) FROM ledger_entries")).one()
        models = session.scalars(text("SELECT DISTINCT model FROM ledger_entries")).all()
        batches = session.execute(
            text("SELECT b.status, count(*) FROM batch_sessions b JOIN batch_records r ON r.batch_id = b.id GROUP BY b.id, b.status")
        ).all()
    assert (spent, models) == (Decimal(0), ["offline"])
    assert calls > 0
    assert [tuple(batch) for batch in batches] == [("COMPLETED", 1)] * 2


@pytest.mark.slow
def test_where_every_article_is_analysed_one_is_analysed_once_more(start_console: Callable[..., Console], articles: Any) -> None:
    articles(1)
    console = start_console("--no-samples")
    until_ready(console.url)
    assert smoke(console.url).returncode == 0
    again = smoke(console.url)
    assert again.returncode == 0, again.stdout
    assert "0 ready for analysis" in again.stdout


@pytest.mark.slow
def test_an_empty_desk_fails_and_says_what_is_missing(start_console: Callable[..., Console]) -> None:
    console = start_console("--no-samples")
    until_ready(console.url)
    failed = smoke(console.url)
    assert failed.returncode == 1
    lines = failed.stdout.splitlines()
    assert "there is no article; import some" in lines[2]
    assert [line.split()[0] for line in lines] == ["ok", "ok", "FAILED", "-", "-", "FAILED"]


# --- something else at the address -----------------------------------------------------------------------------------


@pytest.fixture
def answering() -> Iterator[Callable[[dict[str, tuple[int, Any]]], str]]:
    """``answering({"/health": (503, {...})})``: a server that answers so, and 404 to the rest; keeps what it was sent."""
    servers = []

    def start(answers: dict[str, tuple[int, Any]], seen: list[tuple[str, str | None]] | None = None) -> str:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if seen is not None:
                    seen.append((path, self.headers.get("Authorization")))
                status, body = answers.get(path, (404, {"detail": "There is nothing at this address."}))
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "https://elsewhere.example/")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


WELL = {
    "/health": (200, {"status": "ok", "articles": 60}),
    "/health/ready": (200, {"status": "ready", "checks": [{"name": "database", "ok": True, "detail": "answers"}]}),
    "/api/articles/analysis-ready": (200, {"items": [{"id": 1}], "total": {"value": 60, "exact": True}}),
}


@pytest.mark.parametrize(
    ("answers", "name", "words"),
    [
        ({"/health": (503, {"detail": "The database is away."})}, "health", "HTTP 503: The database is away."),
        ({"/health": (200, b"<html>")}, "health", "HTTP 200, and no JSON: is this a Signal Desk?"),
        ({"/health": (302, b"")}, "health", "it answers at another address: https://elsewhere.example/"),
        ({"/health/ready": (503, {"detail": "worker: none alive"})}, "ready", "HTTP 503: worker: none alive"),
        ({"/api/articles/analysis-ready": (401, {"detail": "A token is needed."})}, "articles", "HTTP 401: A token is needed."),
    ],
)
def test_what_is_wrong_is_said_and_no_batch_is_launched(answers: Any, name: str, words: str, answering: Any) -> None:
    seen: list[tuple[str, str | None]] = []
    url = answering(WELL | answers, seen)
    failed = smoke(url, "--json", SIGNALDESK_API_TOKEN=TOKEN)
    told = json.loads(failed.stdout)
    assert failed.returncode == 1
    (wrong,) = [step for step in told["steps"] if step["ok"] is False]
    assert (wrong["name"], wrong["detail"]) == (name, words)
    assert [step["ok"] for step in told["steps"]][-2:] == [None, None]
    assert "/api/batches" not in [path for path, _ in seen]
    assert {token for _, token in seen} == {f"Bearer {TOKEN}"}
    assert TOKEN not in failed.stdout + failed.stderr


def test_a_batch_that_nobody_takes_is_cancelled_after_the_time_set(answering: Any) -> None:
    seen: list[tuple[str, str | None]] = []
    waiting = {"id": 7, "status": "PROCESSING"}
    answers = WELL | {"/api/batches": (201, waiting), "/api/batches/7": (200, waiting), "/api/batches/7/cancel": (200, waiting)}
    failed = smoke(answering(answers, seen), "--patience", "1")
    assert failed.returncode == 1
    assert "batch 7 did not end within 1 s and was cancelled: does a worker run?" in failed.stdout
    assert "/api/batches/7/cancel" in [path for path, _ in seen]


def test_a_deployment_that_is_being_started_is_waited_for(answering: Any) -> None:
    answers: dict[str, tuple[int, Any]] = {"/health": (503, {"detail": "The database is away."})}
    seen: list[tuple[str, str | None]] = []
    url = answering(answers, seen)
    command = [sys.executable, "-m", "console.cli", "smoke", url, "--wait", "60"]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        wait_for(lambda: seen, 30, "it was asked and was away")
        answers.update({"/health": WELL["/health"], "/health/ready": WELL["/health/ready"]})
        assert process.stdout.readline().startswith("ok      health")
        assert process.stdout.readline().startswith("ok      ready")
    finally:
        process.kill()
        process.wait(30)


def test_nobody_at_the_address() -> None:
    failed = smoke("http://127.0.0.1:1")
    assert failed.returncode == 1
    assert "no connection" in failed.stdout
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    "url",
    [
        *("desk.example", "ftp://desk.example", "http://", "https://desk.example/api", "https://u:p@desk.example", "http://[x"),
        *("http://\N{SNOWMAN}", f"http://{'x' * 64}.example", "http://a..example"),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="URL must be"):
        require_address(url)


# --- the ledger ------------------------------------------------------------------------------------------------------


def a_batch(spent: str = "0", calls: int = 3) -> dict[str, Any]:
    return {"id": 7, "costs": {"spent_usd": spent}, "quality": {"calls": calls}}


def in_ledger(*groups: dict[str, Any], cut_off: bool = False) -> dict[str, Any]:
    return {"groups": list(groups), "cut_off": cut_off}


def a_group(usd: str = "0.000000", reserved: str = "0", calls: int = 3, key: str = "7") -> dict[str, Any]:
    return {"key": key, "usd": usd, "reserved_usd": reserved, "calls": calls}


def test_the_ledger_agrees() -> None:
    assert compare(a_batch(), in_ledger(a_group(key="6", usd="2"), a_group()), 7) == "$0.00 and 3 calls in both"
    assert "not listed" in compare(a_batch(), in_ledger(a_group(key="6"), cut_off=True), 7)


@pytest.mark.parametrize(
    ("batch", "ledger", "words"),
    [
        (a_batch(spent="0.01"), in_ledger(a_group(usd="0.01")), "was to cost nothing and spent \\$0.01"),
        (a_batch(), in_ledger(a_group(usd="0.01")), "the ledger says \\$0.01"),
        (a_batch(), in_ledger(a_group(reserved="0.02")), "\\$0.02 reserved"),
        (a_batch(), in_ledger(a_group(calls=2)), "the ledger has 2 calls of batch 7, which counts 3"),
        (a_batch(), in_ledger(), "the ledger has none of it"),
    ],
)
def test_the_ledger_disagrees(batch: Any, ledger: Any, words: str) -> None:
    with pytest.raises(Wrong, match=words):
        compare(batch, ledger, 7)
