"""Roles by e-mail address: who gets in, who may give roles, and that somebody always can."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import people
from core.access import Actor, Permission, Role
from core.configuration import Desk
from core.errors import NotAllowed, NotFound, NotPossible
from core.people import actor_of, remove, set_role
from core.settings import Settings
from tests.actors import ANN


def given(desk: Desk, settings: Settings | None = None, **roles: Role) -> None:
    for name, role in roles.items():
        desk.transaction(
            lambda session, n=name, r=role: set_role(session, f"{n}@example.org", r, by=ANN, settings=settings or desk.environment)
        )  # type: ignore[misc]


def acting(desk: Desk, email: str, settings: Settings | None = None) -> Actor | None:
    return desk.transaction(lambda session: actor_of(session, email, settings or desk.environment))


def test_who_has_no_role_is_nobody(desk: Desk) -> None:
    assert acting(desk, "ann@example.org") is None


@pytest.mark.parametrize("role", Role)
def test_a_person_may_do_what_the_role_says_however_the_address_is_written(desk: Desk, role: Role) -> None:
    given(desk, bea=role)
    assert acting(desk, " Bea@Example.ORG ") == Actor("bea@example.org", role.permissions)
    assert acting(desk, "bea@example.org.evil") is None


def test_the_environment_s_admins_are_admins_whatever_the_table_says(desk: Desk, make_settings: Any) -> None:
    given(desk, bea=Role.VIEWER)
    settings = make_settings(admins="Bea@example.org, cleo@example.org")
    for email in ("bea@example.org", "CLEO@example.org"):
        assert acting(desk, email, settings) == Actor(email.lower(), Role.ADMIN.permissions)
    listed = desk.transaction(lambda session: people.people(session, settings))
    assert [(one.email, one.role, one.is_fixed) for one in listed] == [
        ("bea@example.org", Role.ADMIN, True),
        ("cleo@example.org", Role.ADMIN, True),
    ]
    for change in (
        lambda session: set_role(session, "bea@example.org", Role.ANALYST, by=ANN, settings=settings),
        lambda session: remove(session, "bea@example.org", by=ANN, settings=settings),
    ):
        with pytest.raises(NotPossible, match="because SIGNALDESK_ADMINS names them"):
            desk.transaction(change)


@pytest.mark.parametrize("email", ["", "bea", "bea@", "@example.org", "a b@example.org", "a@b@c", "<a@b>", "a@b,c@d", f"{'a' * 100}@b"])
def test_what_is_no_address_gets_no_role(desk: Desk, email: str) -> None:
    with pytest.raises(NotPossible, match="is no e-mail address"):
        desk.transaction(lambda session: set_role(session, email, Role.VIEWER, by=ANN, settings=desk.environment))
    assert acting(desk, email) is None


def test_the_last_admin_stays_unless_the_environment_names_one(desk: Desk, make_settings: Any) -> None:
    given(desk, bea=Role.ADMIN, cleo=Role.ADMIN, dora=Role.ANALYST)
    desk.transaction(lambda session: remove(session, "bea@example.org", by=ANN, settings=desk.environment))
    for change in (
        lambda session: remove(session, "cleo@example.org", by=ANN, settings=desk.environment),
        lambda session: set_role(session, "cleo@example.org", Role.VIEWER, by=ANN, settings=desk.environment),
    ):
        with pytest.raises(NotPossible, match="is the last admin"):
            desk.transaction(change)
    named = make_settings(admins="root@example.org")
    assert desk.transaction(lambda session: remove(session, "cleo@example.org", by=ANN, settings=named)) is Role.ADMIN
    assert acting(desk, "cleo@example.org") is None


def test_two_admins_cannot_remove_each_other_at_once(desk: Desk) -> None:
    given(desk, bea=Role.ADMIN, cleo=Role.ADMIN)

    def try_to(email: str) -> bool:
        def change(session: Session) -> object:
            return remove(session, email, by=ANN, settings=desk.environment)

        try:
            desk.transaction(change)
        except NotPossible:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(try_to, ["bea@example.org", "cleo@example.org"]))
    assert sorted(done) == [False, True]


def test_who_has_none_cannot_lose_one(desk: Desk) -> None:
    with pytest.raises(NotFound, match="has no role"):
        desk.transaction(lambda session: remove(session, "bea@example.org", by=ANN, settings=desk.environment))


def test_nobody_gives_or_takes_more_than_they_have(desk: Desk) -> None:
    given(desk, bea=Role.ADMIN, cleo=Role.ADMIN)
    clerk = Actor("token clerk", Role.VIEWER.permissions | {Permission.ACCESS})
    desk.transaction(lambda session: set_role(session, "eve@example.org", Role.VIEWER, by=clerk, settings=desk.environment))
    for change in (
        lambda session: set_role(session, "eve@example.org", Role.ANALYST, by=clerk, settings=desk.environment),
        lambda session: set_role(session, "bea@example.org", Role.VIEWER, by=clerk, settings=desk.environment),
        lambda session: remove(session, "bea@example.org", by=clerk, settings=desk.environment),
    ):
        with pytest.raises(NotAllowed, match="no more than they may themselves"):
            desk.transaction(change)
    viewer = Actor("eve@example.org", Role.VIEWER.permissions)
    with pytest.raises(NotAllowed):
        desk.transaction(lambda session: set_role(session, "eve@example.org", Role.ADMIN, by=viewer, settings=desk.environment))
