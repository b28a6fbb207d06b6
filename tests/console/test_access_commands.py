"""``signaldesk access`` and ``signaldesk token``: the same as the System page, from the command line."""

import json
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from console.cli import app
from core import audit, people, tokens
from core.access import Actor, Permission, Role
from core.audit import AuditFilter
from core.clock import utc_now
from core.configuration import Desk
from core.errors import NotFound, NotPossible
from core.paging import FIRST


@pytest.fixture
def run(desk: Desk, database_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``run("token", "list")`` runs a command on the test's database; a refusal is raised as it is."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SIGNALDESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SIGNALDESK_USER", "root")

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def acting(desk: Desk, secret: str) -> Actor | None:
    return desk.transaction(lambda session: tokens.authenticate(session, secret, now=utc_now()))


def test_a_role_is_granted_listed_and_revoked(run: Any, desk: Desk) -> None:
    assert run("access", "list") == ""
    assert run("access", "grant", "Ann@Example.org", "admin") == "ann@example.org is admin.\n"
    run("access", "grant", "bea@example.org", "viewer")
    listed = run("access", "list").splitlines()
    assert [line.split()[:4] for line in listed] == [
        ["ann@example.org", "admin", "by", "root"],
        ["bea@example.org", "viewer", "by", "root"],
    ]
    assert [one["role"] for one in json.loads(run("access", "list", "--json"))["people"]] == ["admin", "viewer"]
    assert run("access", "revoke", "bea@example.org") == "bea@example.org has no role any more.\n"
    assert desk.transaction(lambda session: people.actor_of(session, "bea@example.org", desk.environment)) is None
    with pytest.raises(NotPossible, match="is the last admin"):
        run("access", "revoke", "ann@example.org")


def test_the_environment_s_admins_are_listed_as_such(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALDESK_ADMINS", "boss@example.org")
    assert run("access", "list").split() == ["boss@example.org", Role.ADMIN, "by", "SIGNALDESK_ADMINS"]


def test_a_token_is_made_with_what_it_may_do_and_its_secret_alone_on_standard_output(run: Any, desk: Desk) -> None:
    secret = run("token", "create", "nightly", "--scope", "run", "--scope", "read", "--days", "90").strip()
    assert acting(desk, secret) == Actor("token nightly", frozenset({Permission.READ, Permission.RUN}))
    (row,) = desk.transaction(tokens.listed)
    assert row.expires_at is not None
    assert timedelta(days=89) < row.expires_at - utc_now() <= timedelta(days=90)
    assert acting(desk, json.loads(run("token", "create", "reader", "--json"))["secret"]) == Actor(
        "token reader", frozenset({Permission.READ})
    )


def test_a_token_is_listed_without_its_secret_and_revoked_by_name_or_number(run: Any, desk: Desk) -> None:
    first, second = (run("token", "create", name).strip() for name in ("first", "second"))
    assert acting(desk, first) is not None
    listed = run("token", "list") + run("token", "list", "--json")
    assert "used just now" in listed
    assert "used never" in listed
    assert not [secret for secret in (first, second) if secret[11:] in listed]
    number = next(one.id for one in desk.transaction(tokens.listed) if one.name == "second")
    assert run("token", "revoke", "first") == "first is revoked.\n"
    assert run("token", "revoke", str(number)) == "second is revoked.\n"
    assert (acting(desk, first), acting(desk, second)) == (None, None)
    with pytest.raises(NotFound, match="There is no token 'third'"):
        run("token", "revoke", "third")


def test_what_the_command_line_does_is_in_the_audit_log(run: Any, desk: Desk) -> None:
    run("token", "create", "first")
    run("access", "grant", "ann@example.org", "viewer")
    entries = desk.transaction(lambda session: audit.page(session, AuditFilter(), FIRST, size=10)).rows
    assert [(one.actor, one.action) for one in entries] == [("root", "role.set"), ("root", "token.create")]
