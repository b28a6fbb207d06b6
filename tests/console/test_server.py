"""``signaldesk start`` as a process: its address, its health, how it stops, and what it refuses."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.database import make_engine
from core.embedded_postgres import EmbeddedPostgres
from core.embedded_postgres.clusters import home_of
from core.embedded_postgres.processes import find_server
from core.settings import CHECKOUT
from tests.browser.conftest import Console

pytestmark = pytest.mark.slow
_numbers = count(1)


@pytest.fixture
def own_url(server_url: str) -> str:
    """An empty database of this test's own, so that it may be cut off."""
    name = f"console_{os.getpid()}_{next(_numbers)}"
    as_admin(server_url, f"CREATE DATABASE {name}")
    return f"{server_url.rsplit('/', 1)[0]}/{name}"


@pytest.fixture
def environment(own_url: str, tmp_path: Path) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": own_url, "SIGNALDESK_DATA_DIR": str(tmp_path)}


@pytest.fixture
def console(environment: dict[str, str]) -> Iterator[Console]:
    console = Console(environment)
    yield console
    if console.process.poll() is None:
        console.process.kill()
        console.process.wait(60)
    print("".join(console.log))  # shown where the test failed


def as_admin(server_url: str, *statements: str) -> None:
    engine = make_engine(server_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def get(url: str) -> tuple[int, str]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def health_when(url: str, status: int, patience: float = 30.0) -> dict[str, Any]:
    """What ``/health`` says once it answers with ``status``."""
    deadline = time.monotonic() + patience
    while (answer := get(f"{url}/health"))[0] != status:
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    return json.loads(answer[1])


def test_from_an_empty_database_to_a_clean_end(console: Console, own_url: str, server_url: str) -> None:
    assert console.url.startswith("http://localhost:")
    assert get(f"{console.url}/health") == (200, '{"status":"ok","articles":60}')
    status, page = get(console.url)
    assert status == 200
    assert "<html" in page

    name, password = own_url.rsplit("/", 1)[1], own_url.split("@", maxsplit=1)[0].rsplit(":", 1)[1]
    terminate = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    as_admin(server_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", terminate)
    away = health_when(console.url, 503)
    assert away["type"] == "urn:signaldesk:database-unavailable"
    assert name in away["detail"]
    assert password not in away["detail"]
    as_admin(server_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert health_when(console.url, 200)["articles"] == 60

    console.process.send_signal(signal.SIGTERM)
    assert console.process.wait(60) == 0
    said = "".join(console.log)
    assert "Traceback" not in said
    assert password not in said


def test_a_port_in_use_is_refused_at_once_with_a_sentence(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = start("--port", str(port), environment=environment)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert f"Signal Desk cannot listen on 127.0.0.1:{port}: Address already in use." in result.stderr
    assert "--port 0" in result.stderr


def test_a_database_that_is_away_is_refused_before_anything_is_served(environment: dict[str, str]) -> None:
    result = start("--port", "0", environment=environment | {"DATABASE_URL": "postgresql://desk:s3cr3t@127.0.0.1:1/desk"})
    assert result.returncode == 3
    assert result.stdout == ""
    assert "does not answer" in result.stderr
    assert "Traceback" not in result.stderr
    assert "s3cr3t" not in result.stderr


def start(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console.cli", "start", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_server_that_stops_and_comes_back_and_stops_again(environment: dict[str, str], tmp_path: Path) -> None:
    with shared_dir() as folder:
        embedded = EmbeddedPostgres(tmp_path / "postgres", shared_dir=folder)
        url = embedded.start()
        console = Console(environment | {"DATABASE_URL": url})
        try:
            assert health_when(console.url, 200)["articles"] == 60
            embedded.stop()
            away = health_when(console.url, 503)
            assert "does not answer" in away["detail"]
            assert "\n" not in away["detail"]
            assert embedded.start() == url
            assert health_when(console.url, 200)["articles"] == 60
            embedded.stop()
            health_when(console.url, 503)
            assert console.stop() == 0
        finally:
            console.process.kill()
            console.process.wait(60)
            said = "".join(console.log)
            print(said)
            embedded.stop()
            embedded.destroy()
    assert "Traceback" not in said
    assert url.split("@", maxsplit=1)[0].rsplit(":", 1)[1] not in said


def test_started_anywhere_it_finds_a_relative_data_directory_and_stops_its_own_server(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"SIGNALDESK_DATA_DIR": "here", "PYTHONPATH": str(CHECKOUT)}
    data = tmp_path / "here" / "postgres"
    command = [sys.executable, "-m", "console.cli", "start", "--port", "0", "--no-samples"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("Signal Desk is at http://localhost:"), line
        assert health_when(line.split()[4], 200)["articles"] == 0
        pgdata = home_of(data) / "cluster" / "pgdata"
        assert find_server(pgdata)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in errors
        assert find_server(pgdata) is None
    finally:
        process.kill()
        process.wait(60)
        EmbeddedPostgres(data).destroy()
    assert not (CHECKOUT / "here").exists()


@contextmanager
def shared_dir() -> Iterator[Path]:
    """Where the server's own user can reach a cluster, when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="signaldesk-test-", dir="/var/tmp" if os.name == "posix" else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)
