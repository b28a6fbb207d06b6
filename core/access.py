"""Who may do what. Every change in ``core`` says by whom, as an ``Actor``, and refuses an actor without the permission it needs.

A page that hides a button is a courtesy; the fence is here. Roles and an API token's scopes are both sets of permissions, so
there is one question to ask: ``by.require(Permission.RUN)``.
"""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import NotAllowed


class Permission(StrEnum):
    """What one may be allowed to do. An API token's scopes are these."""

    READ = "read"  # every page, list and export
    REVIEW = "review"  # decide on signals, correct them, write notes
    RUN = "run"  # launch batches, pause, resume, cancel and retry them
    ARTICLES = "articles"  # import, archive and delete articles, load prices
    MONEY = "money"  # change limits and top up
    SETTINGS = "settings"  # settings, publishers, authorities, the schedule
    ACCESS = "access"  # roles and API tokens


class Role(StrEnum):
    """What a person is allowed, by e-mail address."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"

    @property
    def permissions(self) -> frozenset[Permission]:
        return _PERMISSIONS[self]


_PERMISSIONS = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.ANALYST: frozenset({Permission.READ, Permission.REVIEW, Permission.RUN, Permission.ARTICLES}),
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the name that decisions carry, and what it may do."""

    name: str
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Refuse unless this actor has the permission.

        Raises:
            NotAllowed: it has not.
        """
        if not self.may(permission):
            raise NotAllowed(f"{self.name} may not do this: it needs the permission '{permission}'.")


ITSELF = Actor("the desk", frozenset({Permission.READ, Permission.RUN, Permission.ARTICLES}))
"""What the desk does of itself: the samples of a new desk, and what the schedule fetches and launches."""


def local(name: str) -> Actor:
    """Who sits at the machine that the desk runs on, without sign-in: may do everything, as it could with the database at hand."""
    return Actor(name, frozenset(Permission))
