"""render.yaml: every service starts with the command it names, on a real Postgres and a real Redis, with variables that are settings
and without a secret in the file; together they are a desk that ``signaldesk smoke`` passes."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import yaml
from sqlalchemy import text

from core.database import make_engine
from core.setting_reference import entries
from core.settings import CHECKOUT
from tests.faults.conftest import wait_for
from tests.faults.test_celery import RedisServer

BLUEPRINT: dict[str, Any] = yaml.safe_load((CHECKOUT / "render.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = {service["name"]: service for service in BLUEPRINT["services"]}
PROGRAMS = [name for name, service in SERVICES.items() if service["type"] != "keyvalue"]
GROUPS: dict[str, list[dict[str, Any]]] = {group["name"]: group["envVars"] for group in BLUEPRINT["envVarGroups"]}
SETTINGS = {variable: entry for entry in entries() for variable in entry.variables}
OF_THE_PLATFORM = frozenset({"PYTHON_VERSION", "PORT", "RENDER_EXTERNAL_URL", "RENDER_EXTERNAL_HOSTNAME", "IS_PULL_REQUEST"})
HOST = "signaldesk-7x.onrender.com"
SOURCES = ("value", "generateValue", "sync", "fromDatabase", "fromService")


def variables(service: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of a service, with those of its groups."""
    given: list[dict[str, Any]] = []
    for one in service.get("envVars", []):
        given += GROUPS[one["fromGroup"]] if "fromGroup" in one else [one]
    return given


EVERY = [(name, one) for name in PROGRAMS for one in variables(SERVICES[name])]


# --- what stands in it -----------------------------------------------------------------------------------------------


def test_it_is_the_five_parts() -> None:
    assert {name: service["type"] for name, service in SERVICES.items()} == {
        "signaldesk": "web",
        "signaldesk-worker": "worker",
        "signaldesk-beat": "worker",
        "signaldesk-redis": "keyvalue",
    }
    assert [database["name"] for database in BLUEPRINT["databases"]] == ["signaldesk-database"]
    assert BLUEPRINT["previews"]["generation"] in ("manual", "automatic")
    assert SERVICES["signaldesk"]["healthCheckPath"] == "/health"
    assert SERVICES["signaldesk-redis"]["maxmemoryPolicy"] == "noeviction"
    assert SERVICES["signaldesk-redis"]["ipAllowList"] == BLUEPRINT["databases"][0]["ipAllowList"] == []


@pytest.mark.parametrize(("name", "one"), EVERY, ids=[f"{name}-{one['key']}" for name, one in EVERY])
def test_every_variable_is_a_setting_from_one_source_and_no_secret_is_written(name: str, one: dict[str, Any]) -> None:
    assert one["key"] in SETTINGS or one["key"] in OF_THE_PLATFORM
    (source,) = [source for source in SOURCES if source in one]
    if source == "value":
        assert one["key"] in OF_THE_PLATFORM or not SETTINGS[one["key"]].secret, "a secret is written in the file"
        assert isinstance(one["value"], str)
    elif source == "sync":
        assert one["sync"] is False
    elif source == "fromDatabase":
        assert one[source]["name"] in {database["name"] for database in BLUEPRINT["databases"]}
    elif source == "fromService":
        other = SERVICES[one[source]["name"]]
        assert other["type"] == one[source]["type"]
        if "envVarKey" in one[source]:
            assert one[source]["envVarKey"] in {other_one["key"] for other_one in variables(other)}
    assert len([other for other in variables(SERVICES[name]) if other["key"] == one["key"]]) == 1


def test_what_a_command_sets_is_a_setting_and_groups_hold_what_groups_may() -> None:
    for name in PROGRAMS:
        named = set(re.findall(r"\b([A-Z][A-Z_]{3,})\b(?==|:|\"|\})", SERVICES[name]["startCommand"]))
        assert named <= set(SETTINGS) | OF_THE_PLATFORM
    assert {source for group in GROUPS.values() for one in group for source in one} <= {"key", "value", "generateValue"}


def test_what_is_installed_is_there_and_the_python_is_one_that_the_desk_takes() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in PROGRAMS:
        (extras,) = re.findall(r"pip install -c requirements\.txt -e '\.\[([\w,]+)\]'", SERVICES[name]["buildCommand"])
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    (version,) = {one["value"] for _, one in EVERY if one["key"] == "PYTHON_VERSION"}
    assert project["requires-python"] == ">=3.11"
    assert tuple(map(int, version.split("."))) >= (3, 11, 0)


# --- what it starts --------------------------------------------------------------------------------------------------


@dataclass
class Platform:
    """Stands in for Render: what it would give each service, and the services as processes."""

    database_url: str
    broker_url: str
    folder: Path
    preview: bool
    port: int = 0
    made: dict[tuple[str, str], str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    ENTERED: ClassVar[dict[str, str]] = {
        "SIGNALDESK_OIDC_CLIENT_ID": "desk",
        "SIGNALDESK_OIDC_CLIENT_SECRET": "entered-at-the-dashboard",
        "SIGNALDESK_OIDC_METADATA_URL": "https://id.example/.well-known/openid-configuration",
        "SIGNALDESK_ADMINS": "ann@desk.example",
    }

    def value(self, service: str, one: dict[str, Any]) -> str:
        key = one["key"]
        if "value" in one:
            return str(one["value"])
        if "generateValue" in one:
            return self.made.setdefault((service, key), secrets.token_urlsafe(32))
        if "fromDatabase" in one:
            return self.database_url
        if "fromService" in one:
            asked = one["fromService"]
            if "envVarKey" not in asked:
                return self.broker_url
            (other,) = [other for other in variables(SERVICES[asked["name"]]) if other["key"] == asked["envVarKey"]]
            return self.value(asked["name"], other)
        return "" if self.preview else self.ENTERED.get(key, "")

    def environment(self, service: str) -> dict[str, str]:
        given = {one["key"]: self.value(service, one) for one in variables(SERVICES[service])}
        own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.folder), "RENDER": "true"}
        if SERVICES[service]["type"] == "web":
            own |= {"PORT": str(self.port), "RENDER_EXTERNAL_URL": f"https://{HOST}", "RENDER_EXTERNAL_HOSTNAME": HOST}
        if self.preview:
            own["IS_PULL_REQUEST"] = "true"
        return {name: value for name, value in (given | own).items() if value}

    def start(self, service: str) -> None:
        log = (self.folder / f"{service}.log").open("wb")
        command = ["bash", "-c", SERVICES[service]["startCommand"]]
        self.running[service] = subprocess.Popen(command, cwd=CHECKOUT, env=self.environment(service), stdout=log, stderr=subprocess.STDOUT)

    def said(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text(encoding="utf-8", errors="replace")

    def wait_until_said(self, service: str, words: str) -> None:
        wait_for(lambda: words in self.said(service) or self.running[service].poll() is not None, 90, f"{service} says {words}")
        assert self.running[service].poll() is None, self.said(service)

    def end(self, service: str) -> int:
        self.running[service].terminate()
        return self.running[service].wait(SERVICES[service]["maxShutdownDelaySeconds"])


@pytest.fixture
def deploy(server_url: str, tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    """``deploy(preview=True)``: an empty database, a Redis and a free port; what was started ends with the test."""
    redis = RedisServer()
    redis.start()
    made: list[Platform] = []

    def make(*, preview: bool = False) -> Platform:
        name = f"render_{os.getpid()}_{time.monotonic_ns()}"
        engine = make_engine(server_url)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        with socket.socket() as probe:
            probe.bind(("0.0.0.0", 0))
            port = probe.getsockname()[1]
        made.append(Platform(f"{server_url.rsplit('/', 1)[0]}/{name}", redis.url, tmp_path, preview, port))
        return made[-1]

    yield make
    for platform in made:
        for service, process in platform.running.items():
            process.kill()
            process.wait(30)
            print(f"--- {service}\n{platform.said(service)}")  # shown where the test failed
    redis.stop()


@pytest.mark.slow
@pytest.mark.parametrize("preview", [False, True], ids=["deployed", "preview"])
def test_every_service_starts_as_it_says_and_together_they_are_a_desk(preview: bool, deploy: Callable[..., Platform]) -> None:
    platform = deploy(preview=preview)
    for service in PROGRAMS:  # all at once, as the platform does
        platform.start(service)
    platform.wait_until_said("signaldesk", "Signal Desk is at")
    platform.wait_until_said("signaldesk-worker", "at a time from redis://")
    platform.wait_until_said("signaldesk-beat", "the schedule runs")

    url = f"http://127.0.0.1:{platform.port}"
    health = SERVICES["signaldesk"]["healthCheckPath"]
    assert httpx.get(f"{url}{health}", headers={"Host": HOST}, trust_env=False).json()["status"] == "ok"
    assert httpx.get(f"{url}/api/articles", headers={"Host": HOST}, trust_env=False).status_code == 401
    assert httpx.get(f"{url}{health}", headers={"Host": "elsewhere.example"}, trust_env=False).status_code == 421
    token = platform.made["signaldesk", "SIGNALDESK_API_TOKEN"]
    smoke = subprocess.run(
        [sys.executable, "-m", "console.cli", "smoke", url],
        cwd=CHECKOUT,
        env=os.environ | {"SIGNALDESK_API_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    assert {service: platform.end(service) for service in PROGRAMS} == dict.fromkeys(PROGRAMS, 0)
    said = "".join(platform.said(service) for service in PROGRAMS)
    assert not [secret for secret in platform.made.values() if secret in said]
    assert "Traceback" not in said

    lines = {service: [json.loads(line) for line in platform.said(service).splitlines() if line[0] == "{"] for service in PROGRAMS}
    printed = [line for service in PROGRAMS for line in platform.said(service).splitlines() if line[0] != "{"]
    assert [line.split(" at http")[0] for line in printed] == ["Signal Desk is"]  # a service prints nothing else
    (launched,) = [line for line in lines["signaldesk"] if line["message"].startswith("launched by ")]
    of_batch = [line for line in lines["signaldesk-worker"] if line["logger"] in ("core.batch_run", "core.chunk_runs")]
    assert {line["batch_id"] for line in of_batch} == {launched["batch_id"]}
    assert {"record_id", "article_id"} <= next(line for line in of_batch if line["message"] == "the article is done").keys()


@pytest.mark.slow
def test_without_what_is_asked_for_at_the_dashboard_the_console_says_what_is_missing(deploy: Callable[..., Platform]) -> None:
    platform = deploy()
    platform.ENTERED = {}  # type: ignore[misc]
    platform.start("signaldesk")
    assert platform.running["signaldesk"].wait(60) == 2
    for variable in ("SIGNALDESK_OIDC_CLIENT_ID", "SIGNALDESK_OIDC_CLIENT_SECRET", "SIGNALDESK_OIDC_METADATA_URL"):
        assert variable in platform.said("signaldesk")
