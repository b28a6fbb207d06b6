"""What stands before the desk where people sign in: a page to sign in, and one for those whom nobody gave a role.

Neither reads anything of the desk. ``resources.read`` and ``change`` ask again, so this is the door, not the fence.
"""

from collections.abc import Callable
from typing import NoReturn
from urllib.parse import urlsplit

import streamlit as st

from console import guard, person
from console.binding import is_loopback
from console.components import STYLE, facts, show_error
from console.navigation import pages
from console.person import Person, SignedOut
from console.resources import open_desk
from console.sign_in import OUTCOME, OUTCOMES
from console.words import plain
from core.access import Actor
from core.errors import DeskError, NotAllowed

WIDTH = 420
ROOM = "<style>.st-key-entrance{padding-top:10vh}</style>"


def admitted() -> Actor | None:
    """Who may go on to the desk; None on a desk without sign-in, where everybody may. Whoever may not stays at a page that says why."""
    desk = open_desk()
    if not guard.stands() and (desk.environment.signs_in or not is_loopback(str(st.get_option("server.address")))):
        _stay(lambda: st.error("This desk is started with `signaldesk start`, which guards it.", icon=":material/error:"))
    if not desk.environment.signs_in:
        return None
    somebody = person.signed_in()
    try:
        return desk.transaction(lambda session: person.actor_of(somebody, session, desk.environment))
    except NotAllowed as error:
        if somebody is None or isinstance(error, SignedOut):
            _stay(lambda: _sign_in(desk.environment.public_url or ""))
        why = str(error)
        _stay(lambda: _without_role(somebody, why))
    except DeskError as error:
        failed = error
        _stay(lambda: show_error(failed))


def who_works_here(actor: Actor | None) -> None:
    """At the side: who is signed in, with which role, and the way out."""
    if actor is None:
        return
    somebody = person.signed_in()
    with st.sidebar:
        facts(somebody.name if somebody and somebody.name != actor.name else None, actor.name, person.role_of(actor))
        _sign_out()


def _stay(draw: Callable[[], object]) -> NoReturn:
    st.html(STYLE + ROOM)
    st.navigation(pages(), position="hidden")  # so that every page's address is known, and nothing is said of pages not found
    with st.container(horizontal_alignment="center", key="entrance"), st.container(width=WIDTH):
        st.title(":material/radar: Signal Desk")
        draw()
    st.stop()


def _sign_in(public_url: str) -> None:
    st.caption(f"at {plain(urlsplit(public_url).netloc)}")
    if message := OUTCOMES.get(st.query_params.get(OUTCOME, "")):
        st.error(message, icon=":material/error:")
    st.write("Sign in to work here. Your e-mail address decides what you may do.")
    if st.button("Sign in", type="primary", icon=":material/login:", width="stretch"):
        st.login()


def _without_role(somebody: Person, why: str) -> None:
    st.write(f"You are signed in as **{plain(somebody.name)}** ({plain(somebody.email) or 'no e-mail address'}).")
    st.warning(plain(why), icon=":material/person_off:")
    with st.container(horizontal=True):
        _sign_out()
        st.button("Try again", icon=":material/refresh:")


def _sign_out() -> None:
    if st.button("Sign out", icon=":material/logout:"):
        st.logout()
