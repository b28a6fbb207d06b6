"""schemathesis holds the API to its OpenAPI document: inputs that nobody thought of, on a desk that has something of everything."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from core import records
from core.clock import utc_now
from core.configuration import Desk
from core.database import Database
from tests.browser.filled import fill

pytestmark = pytest.mark.slow

SEED, EXAMPLES = 20261124, 10
CONFIGURATION = """
max-stream-events = 1
request-timeout = 30

[checks.positive_data_acceptance]
# What is right by type may still make no sense: days out of order, a publisher that there is none of, a cursor of another list.
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429"]

[generation]
deterministic = true
database = "none"
"""


def test_no_input_breaks_the_api_or_its_document(
    database: Database, make_settings: Any, serve: Callable[..., httpx.Client], tmp_path: Path
) -> None:
    secret = "the-token-of-this-test-0123456789-abcdef"
    settings = make_settings(api_requests_per_minute=1_000_000, api_token=secret)
    fill(settings)
    desk = Desk(database, settings)
    later = utc_now() + timedelta(hours=1)  # one whose heart beats all the while, or /health/ready would tell of it
    desk.transaction(lambda session: records.heartbeat(session, [], owner="vm:1:a", host="vm", pid=1, now=later))
    client = serve(desk, needs_token=True)
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run", f"{client.base_url}/api/openapi.json"]
    command += ["--checks", "all", "--seed", str(SEED), "--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-color"]
    command += ["--header", f"Authorization: Bearer {secret}"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-5_000:]
