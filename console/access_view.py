"""The System page's access: who may do what, and the tokens by which programs are let in."""

import html
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import streamlit as st

from console import state
from console.components import attempt, badge, facts
from console.permits import WORDS, permit, refusal
from console.resources import open_desk, read
from console.words import plain
from core import people, tokens
from core.access import Permission, Role
from core.clock import utc_now
from core.people import PersonRow
from core.settings import SIGN_IN, Settings, variable
from core.tokens import TokenRow

ROLES = {
    Role.VIEWER: "looks at everything and exports it",
    Role.ANALYST: "also launches runs, reviews, imports and archives",
    Role.ADMIN: "also changes limits, settings, roles and tokens",
}
EXPIRIES = {"30 days": 30, "90 days": 90, "a year": 365, "until revoked": None}
NAME_WIDTH = 300


def access() -> None:
    """People with their roles, then tokens."""
    if (why := refusal(Permission.ACCESS)) is not None:
        st.caption(f":material/lock: {why}")
    _people()
    _tokens()


# --- people ----------------------------------------------------------------------------------------------------------


def _people() -> None:
    environment = open_desk().environment
    known = read(partial(people.people, settings=environment))
    head = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    head.header("People")
    with head.popover("Add somebody", icon=":material/person_add:", key="person-add", on_change="rerun", **permit(Permission.ACCESS)):
        _add(environment)
    st.caption("  \n".join(f"**{role.value}** {words}." for role, words in ROLES.items()))
    if not environment.signs_in:
        missing = ", ".join(f"`{variable(name)}`" for name in SIGN_IN)
        st.info(
            f"Nobody signs in at this desk: whoever sits at this machine may do everything. Roles count once {missing} are set.",
            icon=":material/info:",
        )
    if not known:
        st.caption("Nobody has a role yet. `SIGNALDESK_ADMINS` names those who are always admins.")
    for person in known:
        _person(person, environment)


def _add(environment: Settings) -> None:
    with st.form("person-form", clear_on_submit=True, border=False):
        email = st.text_input("E-mail address", placeholder="ann@example.org", max_chars=people.MOST_CHARS, key="person-email") or ""
        role = _role_field(Role.ANALYST, "person-role")
        give = st.form_submit_button("Give the role", type="primary", **permit(Permission.ACCESS))
    if give and attempt(lambda: state.act(lambda session, by: people.set_role(session, email, role, by=by, settings=environment))):
        state.flash(f"{plain(people.normalised(email))} is {role.value} now.")
        st.rerun()


def _person(person: PersonRow, environment: Settings) -> None:
    row = st.container(horizontal=True, vertical_alignment="center", key=f"person-{person.email}")
    row.html(f"<strong>{html.escape(person.email)}</strong>", width=NAME_WIDTH)  # to be copied as it is, which Markdown would not allow
    with row:
        badge(person.role)
        facts("named by SIGNALDESK_ADMINS" if person.given_at is None else (f"given by {person.given_by}", person.given_at))
    if person.is_fixed:
        return
    use = permit(Permission.ACCESS)
    popover = row.popover("Change", icon=":material/edit:", key=f"person-change-{person.email}", on_change="rerun", **use)
    if popover.open:
        with popover:
            _change_role(person, environment)


def _change_role(person: PersonRow, environment: Settings) -> None:
    role = _role_field(person.role, f"role-{person.email}")
    save = st.button(f"Make {role.value}", type="primary", disabled=role is person.role, key=f"set-{person.email}")
    if save and attempt(lambda: state.act(lambda session, by: people.set_role(session, person.email, role, by=by, settings=environment))):
        state.flash(f"{plain(person.email)} is {role.value} now.")
        st.rerun()
    st.caption("Without a role they see nothing of the desk from their next click on. What they did stays, under their name.")
    if st.button("Take the role away", icon=":material/person_remove:", key=f"remove-{person.email}") and attempt(
        lambda: state.act(lambda session, by: people.remove(session, person.email, by=by, settings=environment))
    ):
        state.flash(f"{plain(person.email)} has no role any more.", ":material/person_remove:")
        st.rerun()


def _role_field(role: Role, key: str) -> Role:
    return st.selectbox("Role", list(Role), list(Role).index(role), format_func=lambda one: f"{one.value}: {ROLES[one]}", key=key) or role


# --- tokens ----------------------------------------------------------------------------------------------------------


def _tokens() -> None:
    now, known = utc_now(), read(tokens.listed)
    head = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    head.header("API tokens")
    if head.button("Create a token", icon=":material/key:", key="token-create", **permit(Permission.ACCESS)):
        _create()
    st.caption("A program sends its token as `Authorization: Bearer …`. Only a hash of it is kept, so it is shown once, when it is made.")
    if open_desk().environment.api_token is not None:
        st.caption(f":material/key: `{tokens.OF_THE_ENVIRONMENT}` is set: a token with every scope, which only the environment takes back.")
    in_force = [token for token in known if token.is_in_force(now)]
    for token in in_force:
        _token(token)
    if not in_force:
        st.caption("No token is in force.")
    if ended := [token for token in known if not token.is_in_force(now)]:
        with st.expander(f"{len(ended)} revoked or expired"):
            for token in ended:
                _token(token)


def _token(token: TokenRow) -> None:
    ended = token.revoked_at or (token.expires_at if token.expires_at and token.expires_at <= utc_now() else None)
    row = st.container(horizontal=True, vertical_alignment="center", key=f"token-{token.id}")
    row.markdown(f"**{plain(token.name)}** `{token.prefix}…`", width=NAME_WIDTH)
    with row:
        st.markdown(" ".join(f":gray-badge[{scope.value}]" for scope in token.scopes), width="content")
        _token_facts(token)
    if ended:
        return
    popover = row.popover("Revoke", icon=":material/block:", key=f"token-revoke-{token.id}", on_change="rerun", **permit(Permission.ACCESS))
    if popover.open:
        with popover:
            st.write("Whatever uses it is let in no more, from now on and for good.")
            if st.button(f"Revoke {plain(token.name)}", type="primary", key=f"revoke-{token.id}") and attempt(partial(_revoke, token.id)):
                st.rerun()


def _token_facts(token: TokenRow) -> None:
    if token.revoked_at:
        facts((f"revoked by {token.revoked_by}", token.revoked_at), (f"made by {token.created_by}", token.created_at))
        return
    ends = ("ends", token.expires_at) if token.expires_at else "no end"
    used = ("used", token.last_used_at) if token.last_used_at else "never used"
    facts(used, ends, (f"made by {token.created_by}", token.created_at))


def _revoke(token_id: int) -> None:
    name = state.act(lambda session, by: tokens.revoke(session, token_id, by=by))
    state.flash(f"{plain(name)} is revoked.", ":material/block:")


@st.dialog("Create an API token", icon=":material/key:", on_dismiss="rerun")
def _create() -> None:
    name = st.text_input("Name", placeholder="what uses it, such as dashboard", max_chars=tokens.MOST_CHARS, key="token-name") or ""
    mine = [scope for scope in Permission if state.looking().may(scope)]
    scopes = st.pills("Scopes", mine, selection_mode="multi", default=[Permission.READ], format_func=_scope, key="token-scopes")
    st.caption("  \n".join(f"**{scope.value}**: {WORDS[scope]}" for scope in scopes) or "It needs a scope.")
    ends = st.segmented_control("Ends", list(EXPIRIES), default="90 days", required=True, key="token-ends")
    if st.button("Create", type="primary", disabled=not name.strip() or not scopes, key="token-make"):
        made: list[str] = []
        if attempt(lambda: made.append(_made(name, scopes, EXPIRIES[ends or "90 days"]))):
            _show_once(made[0])


def _made(name: str, scopes: Sequence[Permission], days: int | None) -> str:
    end = utc_now() + timedelta(days=days) if days else None
    return state.act(lambda session, by: tokens.create(session, name, frozenset(scopes), by=by, expires_at=end))


def _show_once(secret: str) -> None:
    """The secret with a button that copies it. It is in no state: whatever is clicked next, it is gone."""
    st.success("Copy it now, then close this. It is not shown again.", icon=":material/key:")
    st.code(secret, language=None, wrap_lines=True)


def _scope(scope: Permission) -> str:
    return scope.value
