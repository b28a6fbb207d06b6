"""Where the console listens: this machine alone unless people sign in and programs bear tokens, whatever the address is called."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from console.binding import Place, is_loopback, refuse_in_the_open, resolve
from core import tokens
from core.access import Permission, local
from core.configuration import Desk
from core.errors import SettingsError
from core.settings import CHECKOUT, SIGN_IN, Settings, variable
from tests.browser.conftest import Console

WHOLE = {
    "SIGNALDESK_OIDC_CLIENT_ID": "desk",
    "SIGNALDESK_OIDC_CLIENT_SECRET": "not-a-real-secret",
    "SIGNALDESK_OIDC_METADATA_URL": "http://127.0.0.1:1/.well-known/openid-configuration",
    "SIGNALDESK_PUBLIC_URL": "https://desk.example",
    "SIGNALDESK_COOKIE_SECRET": "not-a-real-cookie-secret-but-long",
}
TOKEN = {"SIGNALDESK_API_TOKEN": "not-a-real-token-but-long-enough-0"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "::ffff:127.0.0.1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "fd00::1", "fe80::1%eth0", "::ffff:10.0.0.5", "desk.example", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "0", "192.0.2.7"])
def test_an_address_beyond_this_machine_is_known_in_any_spelling(host: str) -> None:
    assert not resolve(host).is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "::1", "[::1]"])
def test_so_is_one_of_this_machine(host: str) -> None:
    assert resolve(host).is_loopback


def test_a_name_with_several_addresses_counts_as_the_widest(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("127.0.0.1", "10.0.0.5")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert resolve("desk.example") == Place("desk.example", socket.AF_INET, "10.0.0.5")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'no such\.invalid'.*no such address"):
        resolve("no such.invalid")


def settings(*left_out: str, token: bool = True) -> Settings:
    known = {name: value for name, value in (WHOLE | (TOKEN if token else {})).items() if name not in left_out}
    return Settings(_env_file=None, **{name.removeprefix("SIGNALDESK_").lower(): value for name, value in known.items()})


@pytest.mark.parametrize("left_out", [*([variable(name)] for name in SIGN_IN), [variable(name) for name in SIGN_IN]])
@pytest.mark.parametrize("token", [True, False])
def test_beyond_this_machine_the_refusal_names_all_that_is_missing_and_only_that(left_out: list[str], token: bool) -> None:
    missing = left_out + ([] if token else [*TOKEN])
    with pytest.raises(SettingsError) as refused:
        refuse_in_the_open(resolve("0.0.0.0"), settings(*left_out, token=token), has_tokens=lambda: pytest.fail("not asked yet"))
    assert [name for name in WHOLE | TOKEN if name in str(refused.value)] == [name for name in WHOLE | TOKEN if name in missing]
    assert "\n" not in str(refused.value)


def test_with_sign_in_and_a_token_of_either_kind_it_may() -> None:
    place = resolve("0.0.0.0")
    refuse_in_the_open(place, settings(), has_tokens=lambda: False)
    refuse_in_the_open(place, settings(token=False), has_tokens=lambda: True)
    with pytest.raises(SettingsError, match="SIGNALDESK_API_TOKEN"):
        refuse_in_the_open(place, settings(token=False), has_tokens=lambda: False)


def test_on_this_machine_nothing_is_needed() -> None:
    refuse_in_the_open(resolve("localhost"), Settings(_env_file=None), has_tokens=lambda: False)


# --- the command itself ------------------------------------------------------------------------------------------------


def start(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console.cli", "start", "--port", "0", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_start_refuses_with_one_line_and_does_not_touch_the_database(host: str, tmp_path: Path) -> None:
    result = start("--host", host, environment=os.environ | {"SIGNALDESK_DATA_DIR": str(tmp_path / "data")})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert all(name in result.stderr for name in [*WHOLE, *TOKEN])
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_the_host_may_also_come_from_the_environment(tmp_path: Path) -> None:
    result = start(
        environment=os.environ
        | {"SIGNALDESK_DATA_DIR": str(tmp_path), "SIGNALDESK_HOST": "0.0.0.0"}
        | WHOLE
        | TOKEN
        | {"SIGNALDESK_API_TOKEN": ""}
    )
    # Sign-in is complete, so the desk looks whether a token was made: on its own database, which is new.
    assert result.returncode == 2, result.stderr
    assert "SIGNALDESK_API_TOKEN" in result.stderr
    assert not [name for name in WHOLE if name in result.stderr]


@pytest.mark.slow
def test_start_listens_everywhere_with_sign_in_and_a_token_made_here(desk: Desk, database_url: str, tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path)} | WHOLE
    desk.transaction(lambda session: tokens.create(session, "scraper", [Permission.READ], by=local("ada")))
    console = Console(environment, "--host", "0.0.0.0", "--no-samples")
    try:
        assert console.url.startswith("http://0.0.0.0:")
    finally:
        assert console.stop() == 0
