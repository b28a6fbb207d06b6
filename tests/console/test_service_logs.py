"""What a console started without a terminal writes to standard error: one JSON object a line, with what it concerns."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.configuration import Desk
from core.database import Database, make_engine
from core.models import BatchStatus
from core.settings import CHECKOUT
from tests.faults.conftest import launch, progress_of, wait_for
from tests.loopback import LoopbackProviders

pytestmark = pytest.mark.slow


@pytest.fixture
def own_url(server_url: str) -> str:
    """A database without tables, so that there is something to migrate."""
    name = f"logs_{os.getpid()}_{time.monotonic_ns()}"
    engine = make_engine(server_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server_url.rsplit('/', 1)[0]}/{name}"


def test_every_line_is_json_and_says_its_batch_record_and_article(own_url: str, tmp_path: Path, make_settings: Any) -> None:
    with LoopbackProviders(latency=0.0) as providers:
        providers.faults({"kind": "safety", "provider": "gemini", "every_n": 10})
        environment = os.environ | providers.env() | {"DATABASE_URL": own_url, "SIGNALDESK_DATA_DIR": str(tmp_path)}
        errors = tmp_path / "errors"
        command = [sys.executable, "-m", "console.cli", "start", "--port", "0"]
        with errors.open("wb") as written:
            console = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=written, text=True)
        try:
            assert console.stdout is not None
            assert console.stdout.readline().startswith("Signal Desk is at")
            database = Database(make_engine(own_url))
            keys = providers.env()
            settings = make_settings(
                gemini_api_key=keys["GEMINI_API_KEY"], tavily_api_key=keys["TAVILY_API_KEY"], failure_share=1.0, minimum_body_chars=1_500
            )
            batch_id = launch(database, Desk(database, settings).environment)

            def ended() -> bool:
                state = progress_of(database, batch_id)
                return state is not None and state.status in (BatchStatus.COMPLETED, BatchStatus.FAILED)

            wait_for(ended, 90, "the batch ends")
            with database.session() as session:
                records = {
                    row.id: row for row in session.execute(text("SELECT id, article_id, status FROM batch_records ORDER BY id")).all()
                }
            database.close()
            console.terminate()
            assert console.wait(60) == 0
        finally:
            console.kill()
            console.wait(60)
    lines = [json.loads(line) for line in errors.read_text().splitlines()]
    print(errors.read_text())  # shown where the test failed
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    said = {line["logger"] for line in lines}
    assert {"alembic.runtime.migration", "console.server", "core.batch_run"} <= said
    of_batch = [line for line in lines if line["logger"] == "core.batch_run"]
    assert of_batch
    assert {line["batch_id"] for line in of_batch} == {batch_id}
    done = {line["record_id"]: line["article_id"] for line in of_batch if line["message"] == "the article is done"}
    failed = {line["record_id"]: line["article_id"] for line in of_batch if line["message"].startswith("the article failed")}
    assert done
    assert failed
    assert done == {number: row.article_id for number, row in records.items() if row.status == "COMPLETED"}
    assert failed == {number: row.article_id for number, row in records.items() if row.status == "FAILED"}
    password = own_url.split("@", maxsplit=1)[0].rsplit(":", 1)[1]
    assert not [secret for secret in (password, keys["GEMINI_API_KEY"], keys["TAVILY_API_KEY"]) if secret in errors.read_text()]


def test_text_where_that_is_asked_for(own_url: str, tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": own_url, "SIGNALDESK_DATA_DIR": str(tmp_path), "SIGNALDESK_LOG_FORMAT": "text"}
    command = [sys.executable, "-m", "console.cli", "status", "--json"]
    ended = subprocess.run(
        command, cwd=CHECKOUT, env=environment | {"SIGNALDESK_LOG_LEVEL": "info"}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["articles"] == 0
    assert "Z INFO alembic.runtime.migration: Running upgrade" in ended.stderr
    refused = subprocess.run(
        command, cwd=CHECKOUT, env=environment | {"SIGNALDESK_LOG_FORMAT": "xml"}, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 2
    assert "SIGNALDESK_LOG_FORMAT" in refused.stderr
