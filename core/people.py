"""People who sign in, and the role of each, by e-mail address. ``SIGNALDESK_ADMINS`` are admins whatever the table says, so that
the first one gets in.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission, Role
from core.errors import NotAllowed, NotFound, NotPossible
from core.models import Person
from core.settings import Settings

MOST_CHARS = 100
"""Characters that a name has room for wherever it is kept."""
_EMAIL = re.compile(r"[^@\s;,<>]+@[^@\s;,<>]+")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody's role, for a list."""

    email: str
    role: Role
    given_by: str
    given_at: datetime | None
    """None for one whom ``SIGNALDESK_ADMINS`` names."""

    @property
    def is_fixed(self) -> bool:
        """Set by the environment: the table cannot change it."""
        return self.given_at is None


def actor_of(session: Session, email: str, settings: Settings) -> Actor | None:
    """Who acts when somebody with this address is signed in; None for one who has no role."""
    name = normalised(email)
    if not _EMAIL.fullmatch(name) or len(name) > MOST_CHARS:
        return None
    role = Role.ADMIN if name in settings.admins else session.scalar(select(Person.role).where(Person.email == name))
    return Actor(name, role.permissions) if role else None


def people(session: Session, settings: Settings) -> list[PersonRow]:
    """Everybody with a role, by address."""
    rows = session.execute(select(Person.email, Person.role, Person.given_by, Person.given_at).where(Person.email.not_in(settings.admins)))
    fixed = [PersonRow(email, Role.ADMIN, "SIGNALDESK_ADMINS", None) for email in settings.admins]
    return sorted([*fixed, *(PersonRow(*row) for row in rows)], key=lambda one: one.email)


def set_role(session: Session, email: str, role: Role, *, by: Actor, settings: Settings) -> None:
    """Give somebody a role, or another one.

    Raises:
        NotPossible: it is no e-mail address, the environment says otherwise, or nobody would be left to give roles.
        NotAllowed: the role, or the one that it replaces, may do more than who gives it.
    """
    by.require(Permission.ACCESS)
    name = _checked(email, settings)
    before = _lock(session, name)
    if before is role:
        return
    _refuse_more_than_own(by, role, before)
    if before is Role.ADMIN:
        _refuse_the_last_admin(session, name, settings)
    values = {"role": role, "given_by": by.name, "given_at": func.now()}
    statement = insert(Person).values(email=name, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["email"], set_=values))
    audit.record(session, by, audit.Action.SET_ROLE, ("person", name), before={"role": before} if before else None, after={"role": role})


def remove(session: Session, email: str, *, by: Actor, settings: Settings) -> Role:
    """Take somebody's role; they see nothing from then on. Returns the role they had.

    Raises:
        NotFound: they have none.
        NotPossible: the environment says otherwise, or nobody would be left to give roles.
        NotAllowed: their role may do more than who takes it.
    """
    by.require(Permission.ACCESS)
    name = _checked(email, settings)
    before = _lock(session, name)
    if before is None:
        raise NotFound(f"{name} has no role here.")
    _refuse_more_than_own(by, before)
    if before is Role.ADMIN:
        _refuse_the_last_admin(session, name, settings)
    session.execute(delete(Person).where(Person.email == name))
    audit.record(session, by, audit.Action.REMOVE_ROLE, ("person", name), before={"role": before})
    return before


def normalised(email: str) -> str:
    """An address as it is kept: providers differ in how they write one."""
    return email.strip().lower()


def _checked(email: str, settings: Settings) -> str:
    name = normalised(email)
    if not _EMAIL.fullmatch(name) or len(name) > MOST_CHARS:
        raise NotPossible(f"'{email.strip()[:MOST_CHARS]}' is no e-mail address. Write it as ann@example.org.")
    if name in settings.admins:
        raise NotPossible(f"{name} is admin because SIGNALDESK_ADMINS names them. Change it there.")
    return name


def _lock(session: Session, email: str) -> Role | None:
    """Somebody's role, with everybody's held until the transaction ends: two admins cannot remove each other at once."""
    held = session.execute(select(Person.email, Person.role).order_by(Person.email).with_for_update())
    return {row.email: row.role for row in held}.get(email)


def _refuse_more_than_own(by: Actor, *roles: Role | None) -> None:
    if any(role and not role.permissions <= by.permissions for role in roles):
        raise NotAllowed(f"{by.name} can give and take only roles that may do no more than they may themselves.")


def _refuse_the_last_admin(session: Session, email: str, settings: Settings) -> None:
    others = select(Person.email).where(Person.role == Role.ADMIN, Person.email != email).limit(1)
    if not settings.admins and session.scalar(others) is None:
        raise NotPossible(f"{email} is the last admin. Make somebody else one first, or name one in SIGNALDESK_ADMINS.")
