"""Who sits before a browser session of a desk with sign-in, and what they may do at this moment.

What Streamlit says of them is as old as the session; their role is read anew each time, so that one that was taken away ends what a page
may read or do with its next run, that of a piece of it that draws itself again included.
"""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from console.sign_in import has_ended
from core import people
from core.access import Actor, Role
from core.errors import NotAllowed
from core.settings import Settings


class SignedOut(NotAllowed):
    """Nobody is signed in here."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the provider vouches for. Their words come from outside: hostile where they are shown."""

    email: str
    name: str
    told: dict[str, Any] = field(repr=False)
    """What the provider said of them, which names this sign-in."""
    problem: str | None
    """Why their word for it is not enough, whatever role the address has; None if it is."""


def signed_in() -> Person | None:
    """Who signed in here; None where nobody did. They may have signed out since, which ``actor_of`` asks."""
    told = st.user.to_dict()
    if not told.get("is_logged_in"):
        return None
    email = str(told.get("email") or "").strip()
    name = str(told.get("name") or email or "somebody without a name")
    return Person(email[:320], name[:100], told, _problem(email, told.get("email_verified")))


def _problem(email: str, verified: object) -> str | None:
    if not email:
        return "The sign-in provider tells no e-mail address, and roles go by it. It has to be allowed the scope 'email'."
    if verified is not None and str(verified).lower() != "true":
        return "The sign-in provider has not verified the e-mail address. Verify it there, then sign in again."
    return None


def actor_of(person: Person | None, session: Session, settings: Settings) -> Actor:
    """Who acts here.

    Raises:
        SignedOut: nobody is signed in, or not any more.
        NotAllowed: their address is not verified, or it has no role.
    """
    if person is None or has_ended(session, person.told):
        raise SignedOut("Nobody is signed in here. Reload the page to sign in.")
    if person.problem:
        raise NotAllowed(person.problem)
    actor = people.actor_of(session, person.email, settings)
    if actor is None:
        raise NotAllowed(f"{person.email} has no role here. An admin gives one on the System page.")
    return actor


def role_of(actor: Actor) -> Role:
    """The role that somebody has, by what they may do."""
    return next(role for role in Role if role.permissions == actor.permissions)
