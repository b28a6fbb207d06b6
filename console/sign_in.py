"""Signing in through an OpenID Connect provider: what Streamlit's ``st.login`` is told, and what becomes of an attempt.

Streamlit does the protocol (state, nonce, PKCE where the provider has it, the signed cookie). It tells nobody why an attempt failed, and
it forgets which page was asked for; ``Attempts`` adds both.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from console.binding import LOOPBACK_NAMES
from core import sign_ins
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable, SettingsError
from core.settings import Settings

logger = logging.getLogger(__name__)
LOGIN, CALLBACK, LOGOUT = "/auth/login", "/oauth2callback", "/auth/logout"
OUTCOME = "sign-in"
"""The part of the address that says what became of the last attempt: one of ``OUTCOMES``."""
OUTCOMES = {
    "unreachable": "The sign-in provider does not answer, or not as one. Try again in a moment; the desk's log says more.",
    "refused": "The sign-in provider did not let you in.",
    "unconfirmed": "The sign-in provider did not confirm who you are, so nobody was signed in. If it happens again, whoever runs the desk "
    "has to look at SIGNALDESK_OIDC_CLIENT_ID and SIGNALDESK_OIDC_CLIENT_SECRET; the desk's log says more.",
    "stale": "That sign-in was not begun in this browser, or too long ago, so nobody was signed in.",
}
CAME_FROM = "signaldesk_came_from"
CAME_FROM_SECONDS = 600
MOST_CAME_FROM = 1_500
"""Longest address that is kept, in characters as the cookie has them."""


def require_packages(settings: Settings) -> None:
    """Refuse to start with sign-in but without what it is done with.

    Raises:
        SettingsError: the packages that sign-in needs are not installed.
    """
    if settings.signs_in and find_spec("authlib") is None:
        raise SettingsError("Sign-in needs the packages of the extra 'auth'. Install them: pip install -c requirements.txt -e '.[auth]'.")


def streamlit_secrets(settings: Settings) -> dict[str, Any] | None:
    """What ``st.App`` takes as its secrets, so that ``st.login`` works from the settings and no file has to hold them; None without
    sign-in.

    Raises:
        SettingsError: as ``require_packages``.
    """
    if not settings.signs_in:
        return None
    require_packages(settings)
    assert settings.oidc_client_secret
    assert settings.cookie_secret
    cookie_secret = settings.cookie_secret.get_secret_value()
    # The cookie that holds a sign-in under way is made before Streamlit reads its secrets: without this, a restart would break it off.
    config.set_option("server.cookieSecret", cookie_secret)
    auth = {
        "client_id": settings.oidc_client_id,
        "client_secret": settings.oidc_client_secret.get_secret_value(),
        "server_metadata_url": settings.oidc_metadata_url,
        "redirect_uri": f"{settings.public_url}{CALLBACK}",
        "cookie_secret": cookie_secret,
    }
    return {"auth": auth}


def doubts(settings: Settings, *, admins: bool) -> list[str]:
    """What to say at the start of a desk on which people sign in: it works, but hardly as it was meant. ``admins``: there is one."""
    if not settings.signs_in:
        return []
    found = []
    if not admins:
        found.append("nobody is an admin here, so nobody can be given a role. Set SIGNALDESK_ADMINS to an e-mail address.")
    public = urlsplit(settings.public_url or "")
    if public.scheme == "http" and public.hostname not in LOOPBACK_NAMES:
        found.append("SIGNALDESK_PUBLIC_URL begins with http://, so who is signed in and API tokens can be read on the way. Use https.")
    return found


def is_signed_in(cookies: Mapping[str, str], settings: Settings, desk_of: Callable[[], Desk]) -> bool:
    """Whether the cookies of a request carry Streamlit's word that somebody is signed in. It says nothing about a role.

    Raises:
        DatabaseUnavailable: the database, which has the ended ones, is away.
    """
    told = told_by(cookies, settings)
    return told is not None and not desk_of().transaction(lambda session: has_ended(session, told))


def told_by(cookies: Mapping[str, str], settings: Settings) -> dict[str, Any] | None:
    """What Streamlit's signed cookies tell of who is signed in; None where they are not there or not Streamlit's."""
    if settings.cookie_secret is None:
        return None
    secret = settings.cookie_secret.get_secret_value()

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        return decode_signed_value(secret, name, value.encode("latin-1", "replace")) if value else None

    try:
        told = json.loads(get_cookie_with_chunks(signed, USER_COOKIE_NAME) or b"null")
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


_untold: set[str] = set()
"""What was ended while the database was away: this process knows it all the same, and the database once it is back."""
TELL_AGAIN_SECONDS = 5.0


def end(told: Mapping[str, Any], desk_of: Callable[[], Desk]) -> None:
    """Let a sign-in count no more, whoever still has it: other tabs of the browser, or a copy of its cookie."""
    _untold.add(sign_ins.key_of(told))
    if not _told(desk_of):
        threading.Thread(target=_tell_until_told, args=(desk_of,), name="ended sign-ins", daemon=True).start()


def _tell_until_told(desk_of: Callable[[], Desk]) -> None:
    while not _told(desk_of):
        time.sleep(TELL_AGAIN_SECONDS)


def _told(desk_of: Callable[[], Desk]) -> bool:
    keys, now = set(_untold), utc_now()

    def tell(session: Session) -> None:
        for key in keys:
            sign_ins.end(session, key, now=now)

    try:
        desk_of().transaction(tell)
    except DatabaseUnavailable as error:
        logger.warning("a sign-in that ended is known to this process alone until the database is back: %s", error)
        return False
    _untold.difference_update(keys)
    return True


def has_ended(session: Session, told: Mapping[str, Any]) -> bool:
    """Whether somebody signed out of this sign-in. Another one of the same person, in another browser, is not meant."""
    key = sign_ins.key_of(told)
    return key in _untold or sign_ins.has_ended(session, key)


def outcome_of(query: Mapping[str, Any], *, signed_in: bool, cleared: bool) -> str | None:
    """What became of an attempt that came back from the provider, by what Streamlit made of it; None when there is nothing to say.

    A return without code and error is the end of a sign-out. Streamlit clears the cookie of who was signed in when the provider did not
    confirm the code, and leaves it where the attempt was not begun here.
    """
    if signed_in or not query.keys() & {"code", "state", "error"}:
        return None
    if "error" in query:
        return "refused"
    return "unconfirmed" if cleared else "stale"


def page_of(referer: str | None, host: str | None) -> str | None:
    """Path and query of the page that an attempt was begun on, if it is one of this desk's and not just its start."""
    parts = urlsplit(referer or "")
    if not host or parts.netloc != host or (parts.path in ("", "/") and not parts.query):
        return None
    kept = "&".join(part for part in parts.query.split("&") if part and not part.startswith(f"{OUTCOME}="))
    page = parts.path + (f"?{kept}" if kept else "")
    return page if is_page(page) and page != "/" and len(quote(page)) <= MOST_CAME_FROM else None


def is_page(address: str) -> bool:
    """Whether this leads to a page of this desk, and nowhere else however a browser reads it."""
    return address.startswith("/") and not address.startswith(("//", "/\\", LOGIN, CALLBACK)) and address.isprintable()


class Attempts:
    """ASGI middleware around Streamlit: sends who tried to sign in to the sign-in page with the reason, or to the page asked for; and
    has a sign-out end the sign-in."""

    def __init__(self, app: ASGIApp, settings: Settings, desk_of: Callable[[], Desk]) -> None:
        self._app, self._settings, self._desk_of = app, settings, desk_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == LOGOUT and (told := told_by(HTTPConnection(scope).cookies, self._settings)):
            await run_in_threadpool(end, told, self._desk_of)
        if scope["type"] != "http" or scope["path"] not in (LOGIN, CALLBACK):
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        replaced = False

        async def answer(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                target = _after_login(message, asked) if scope["path"] == LOGIN else _after_callback(message, scope, asked)
                if target is not None:
                    replaced = message["status"] >= 400
                    message["status"] = 302
                    headers = MutableHeaders(scope=message)
                    headers["Location"] = target
                    if replaced:
                        headers["Content-Length"] = "0"
            elif replaced:
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self._app(scope, receive, answer)


def _after_login(message: Message, asked: Headers) -> str | None:
    headers = MutableHeaders(scope=message)
    if message["status"] >= 400:
        return f"/?{OUTCOME}=unreachable"
    if headers.get("location") == "/":  # the button was pressed too long ago
        return f"/?{OUTCOME}=stale"
    if page := page_of(asked.get("referer"), asked.get("host")):
        cookie = f"{CAME_FROM}={quote(page)}; Path={CALLBACK}; Max-Age={CAME_FROM_SECONDS}; HttpOnly; SameSite=Lax"
        headers.append("Set-Cookie", cookie)
    return None


def _after_callback(message: Message, scope: Scope, asked: Headers) -> str | None:
    headers = MutableHeaders(scope=message)
    made = [line for line in headers.getlist("set-cookie") if line.startswith(f"{USER_COOKIE_NAME}=")]
    cleared = any("max-age=0" in line.lower() for line in made)
    signed_in = message["status"] < 400 and any("max-age=0" not in line.lower() for line in made)
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if outcome := outcome_of(query, signed_in=signed_in, cleared=cleared or message["status"] >= 400):
        return f"/?{OUTCOME}={outcome}"
    if not signed_in:
        return None
    cookie = SimpleCookie(asked.get("cookie", "")).get(CAME_FROM)
    if cookie is None:
        return None
    headers.append("Set-Cookie", f"{CAME_FROM}=; Path={CALLBACK}; Max-Age=0; HttpOnly; SameSite=Lax")
    page = unquote(cookie.value)
    return quote(page, safe="/?&=%:,+~@!$'()*;") if is_page(page) else None
