"""Buttons that somebody may not use: they are there, off, and say why. A courtesy; the fence is in ``core``."""

from typing import TypedDict

from console.state import looking
from core.access import Permission, Role

WORDS = {
    Permission.READ: "look at the desk",
    Permission.REVIEW: "decide on signals",
    Permission.RUN: "launch runs or change them",
    Permission.ARTICLES: "bring in, archive or delete articles",
    Permission.MONEY: "change limits",
    Permission.SETTINGS: "change settings, publishers or web sources",
    Permission.ACCESS: "change roles and API tokens",
}


class Use(TypedDict):
    """What a widget takes."""

    disabled: bool
    help: str | None


def permit(*needed: Permission, help: str | None = None, disabled: bool = False) -> Use:
    """``disabled`` and ``help`` of a widget that needs permissions: as given for those who have them, else off, with the reason."""
    if (why := refusal(*needed)) is not None:
        return Use(disabled=True, help=why)
    return Use(disabled=disabled, help=help)


def refusal(*needed: Permission) -> str | None:
    """Why who looks may not do this; None where they may."""
    missing = next((one for one in needed if not looking().may(one)), None)
    if missing is None:
        return None
    role = next(role for role in Role if missing in role.permissions)
    return f"With your role you cannot {WORDS[missing]}: that takes the role {role.value}."
