"""API tokens: shown once, kept as a hash, scoped, revocable, with their last use."""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core import tokens
from core.access import Actor, Permission
from core.clock import utc_now
from core.configuration import Desk
from core.errors import NotAllowed, NotFound, NotPossible
from tests.actors import ANN
from tests.conftest import NOW


def create(
    desk: Desk,
    name: str = "dashboard",
    scopes: Collection[Permission] = (Permission.READ,),
    by: Actor = ANN,
    expires: datetime | None = None,
) -> str:
    return desk.transaction(lambda session: tokens.create(session, name, scopes, by=by, expires_at=expires))


def acting(desk: Desk, secret: str, now: datetime = NOW, settings: Any = None) -> Actor | None:
    return desk.transaction(lambda session: tokens.authenticate(session, secret, now=now, settings=settings))


def listed(desk: Desk) -> list[tokens.TokenRow]:
    return desk.transaction(tokens.listed)


def test_a_token_acts_under_its_name_with_its_scopes_alone(desk: Desk) -> None:
    secret = create(desk, scopes={Permission.RUN, Permission.READ})
    assert acting(desk, secret) == Actor("token dashboard", frozenset({Permission.READ, Permission.RUN}))


def test_the_secret_has_256_random_bits_and_only_its_hash_is_kept(desk: Desk) -> None:
    secret, other = create(desk), create(desk, "other")
    assert secret.startswith("sd_")
    assert len(secret) == 3 + 43
    assert secret != other
    row = desk.transaction(lambda session: session.execute(text("SELECT * FROM api_tokens WHERE name = 'dashboard'")).mappings().one())
    assert row["secret_hash"] == hashlib.sha256(secret.encode()).hexdigest()
    assert row["prefix"] == secret[:11]
    everything = desk.transaction(lambda session: [list(found) for found in session.execute(text("SELECT * FROM api_tokens, audit_log"))])
    assert secret[11:] not in repr(everything)


@pytest.mark.parametrize("secret", ["", "sd_", "sd_" + "a" * 43, "Bearer", "sd_é", "\0", "sd_" + "x" * 100_000])
def test_another_secret_lets_nobody_in(desk: Desk, secret: str) -> None:
    create(desk)
    assert acting(desk, secret) is None


def test_part_of_a_secret_or_its_hash_lets_nobody_in(desk: Desk) -> None:
    secret = create(desk)
    for wrong in (secret[:-1], secret + "a", secret.upper(), hashlib.sha256(secret.encode()).hexdigest()):
        assert acting(desk, wrong) is None


def test_a_revoked_token_lets_nobody_in_and_its_name_is_free(desk: Desk) -> None:
    secret = create(desk)
    with pytest.raises(NotPossible, match="There is a token 'dashboard' already"):
        create(desk)
    (row,) = listed(desk)
    assert desk.transaction(lambda session: tokens.revoke(session, row.id, by=ANN)) == "dashboard"
    assert acting(desk, secret) is None
    again = create(desk)
    assert acting(desk, again) is not None
    in_force, revoked = listed(desk)
    assert (in_force.revoked_at, revoked.id, revoked.revoked_by) == (None, row.id, "ann")
    with pytest.raises(NotFound, match="There is no token 999"):
        desk.transaction(lambda session: tokens.revoke(session, 999, by=ANN))


def test_a_token_ends_when_it_expires(desk: Desk) -> None:
    end = utc_now() + timedelta(days=90)
    secret = create(desk, expires=end)
    assert acting(desk, secret, end - timedelta(seconds=1)) is not None
    assert acting(desk, secret, end) is None
    assert not listed(desk)[0].is_in_force(end)
    with pytest.raises(NotPossible, match="expired already"):
        create(desk, "old", expires=utc_now())


def test_the_last_use_is_kept_with_one_write_a_minute(desk: Desk) -> None:
    secret = create(desk)
    assert listed(desk)[0].last_used_at is None
    kept = []
    for seconds in (0, 30, 59, 60, 90):
        acting(desk, secret, NOW + timedelta(seconds=seconds))
        kept.append(listed(desk)[0].last_used_at)
    later = NOW + timedelta(seconds=60)
    assert kept == [NOW, NOW, NOW, later, later]


def test_a_token_that_is_refused_was_not_used(desk: Desk) -> None:
    secret = create(desk)
    (row,) = listed(desk)
    desk.transaction(lambda session: tokens.revoke(session, row.id, by=ANN))
    acting(desk, secret)
    assert listed(desk)[0].last_used_at is None


@pytest.mark.parametrize("name", ["", "   ", "a" * 81, "a\nb\x00", "SIGNALDESK_API_TOKEN"])
def test_a_name_is_one_that_a_list_can_show(desk: Desk, name: str) -> None:
    with pytest.raises(NotPossible):
        create(desk, name)


def test_nobody_gives_a_scope_that_they_have_not(desk: Desk) -> None:
    clerk = Actor("clerk", frozenset({Permission.ACCESS, Permission.READ}))
    create(desk, "reader", by=clerk)
    with pytest.raises(NotAllowed, match="may not give the scope 'money'"):
        create(desk, "spender", {Permission.READ, Permission.MONEY}, by=clerk)
    with pytest.raises(NotPossible, match="needs a scope"):
        create(desk, "nothing", ())


def test_the_environment_s_token_has_every_scope(desk: Desk, make_settings: Any) -> None:
    settings = make_settings(api_token="x" * 32)
    assert acting(desk, "x" * 32, settings=settings) == Actor("token SIGNALDESK_API_TOKEN", frozenset(Permission))
    assert acting(desk, "x" * 31, settings=settings) is None
    assert acting(desk, "x" * 32) is None
    assert acting(desk, "", settings=make_settings()) is None


def test_a_scope_of_another_version_gives_nothing(desk: Desk) -> None:
    secret = create(desk)
    desk.transaction(lambda session: session.execute(text("UPDATE api_tokens SET scopes = '{read,everything}'")))
    assert acting(desk, secret) == Actor("token dashboard", frozenset({Permission.READ}))
    assert listed(desk)[0].scopes == (Permission.READ,)
