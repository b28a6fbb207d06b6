"""``signaldesk settings``: what is in force, from where, and no secret."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app
from core.access import local
from core.configuration import Desk, save_setting
from core.settings import Settings


@pytest.fixture
def run(desk: Desk, database_url: str, tmp_path: Path) -> object:
    def invoke(*arguments: str, **environment: str) -> str:
        given = {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path)} | environment
        result = CliRunner().invoke(app, ["settings", *arguments], env=given)
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


def test_each_setting_with_its_value_and_source(run: object, desk: Desk) -> None:
    with desk.database.session() as session:
        save_setting(session, desk.environment, "concurrency", 9, by=local("tester"))
    told = json.loads(run("--json", TAVILY_API_KEY="tvly-s3cr3t", SIGNALDESK_DAILY_BUDGET="2.50"))  # type: ignore[operator]
    assert set(told) == set(Settings.model_fields)
    assert told["concurrency"] == {"value": "9", "source": "screen", "variable": "SIGNALDESK_CONCURRENCY"}
    assert told["daily_budget"] == {"value": "2.5", "source": "environment", "variable": "SIGNALDESK_DAILY_BUDGET"}
    assert told["monthly_budget"] == {"value": "100", "source": "default", "variable": "SIGNALDESK_MONTHLY_BUDGET"}
    assert told["tavily_api_key"]["value"] == "set"
    assert told["gemini_api_key"]["value"] == "not set"


def test_no_secret_and_no_password_is_printed(run: object, database_url: str) -> None:
    printed = run(TAVILY_API_KEY="tvly-s3cr3t", SIGNALDESK_API_TOKEN="t" * 40)  # type: ignore[operator]
    assert "database_url" in printed
    assert not [secret for secret in ("s3cr3t", "t" * 40, database_url) if secret in printed]
