"""What stands before the whole application, console and API alike: who may be spoken to, from where, how much, and with what headers.

Pure ASGI, so that it also covers the WebSocket over which a page lives. It believes no header that a client can write to say where a
request comes from (``X-Forwarded-For``, ``X-Forwarded-Host``, ``Forwarded``): only what the connection itself is, and the ``Host`` and
``Origin`` that a browser lets no page forge.

A desk without sign-in answers on loopback only, whichever way it was started, and only to requests that name it by a loopback name: a
page elsewhere whose name was made to point to 127.0.0.1 (DNS rebinding) gets nothing.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console import scripts
from console.binding import LOOPBACK_NAMES, is_address, is_loopback
from console.sign_in import LOGOUT
from core.errors import DatabaseUnavailable
from core.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PROBES = frozenset({"/health", "/health/ready", "/metrics"})
"""What a platform asks by the machine's address: an address cannot be rebound as a name can."""
UPLOADS = "/_stcore/upload_file/"
FOR_THE_SIGNED_IN = ("/media/", UPLOADS)
"""What belongs to the pages of somebody who is signed in: Streamlit guards it by an address that nobody else is told."""
CLOSED = ("/_stcore/metrics", "/_stcore/agent")
"""What Streamlit serves beside its pages, and this desk does not: it has its own."""
UPLOAD_OVERHEAD_BYTES = 65_536
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

FEATURES = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "publickey-credentials-get", "serial", "usb")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in FEATURES),
}
HSTS = "max-age=31536000"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not passed on."""

    status: HTTPStatus
    kind: str
    detail: str

    @property
    def body(self) -> bytes:
        """As RFC 9457, the form of every error of the API."""
        title = self.status.phrase
        return json.dumps(
            {"type": f"urn:signaldesk:{self.kind}", "title": title, "status": self.status.value, "detail": self.detail}
        ).encode()


def content_security_policy() -> str:
    """What a page may load: the desk's own files, and of scripts in a page those that are known here by their hash.

    Streamlit styles elements one by one, so styles within a page are allowed; with them nothing can be run.
    """
    page = files("streamlit").joinpath("static", "index.html").read_text(encoding="utf-8")
    known = (*re.findall(r"<script>(.*?)</script>", page, re.DOTALL), *scripts.ALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in known)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'wasm-unsafe-eval' {hashes}",  # WebAssembly: Streamlit's protocol buffers compute with it
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def refuse_host(scope: Scope, headers: Headers, settings: Settings) -> Refusal | None:
    """Whether a request names the desk by a name of its own. ``X-Forwarded-Host`` and the like count for nothing."""
    named = headers.getlist("host")
    misdirected = partial(Refusal, HTTPStatus.MISDIRECTED_REQUEST, "misdirected")
    if len(named) != 1 or (place := _place(f"//{named[0]}")) is None:
        return misdirected("The request does not say, in one Host header, which desk it is for.")
    name, port = place
    if name in LOOPBACK_NAMES or name in settings.allowed_hosts:
        return None
    if settings.signs_in:
        public = urlsplit(settings.public_url or "")
        if name == public.hostname and (port or PORTS[public.scheme]) == (public.port or PORTS[public.scheme]):
            return None
        if is_address(name) and scope["path"] in PROBES:
            return None
        return misdirected("This desk does not answer to that name. SIGNALDESK_PUBLIC_URL and SIGNALDESK_ALLOWED_HOSTS say which it has.")
    return misdirected("Without sign-in this desk answers to localhost only. SIGNALDESK_ALLOWED_HOSTS adds names.")


def refuse_origin(scope: Scope, headers: Headers, settings: Settings) -> Refusal | None:
    """Whether what a browser sends comes from a page of this desk. A program that is no browser sends no Origin, and may go on.

    Asked of what may change something: other methods than GET, signing out, and the WebSocket, which no browser keeps to its own site.
    """
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS and scope["path"] != LOGOUT:
        return None
    foreign = Refusal(HTTPStatus.FORBIDDEN, "foreign-origin", "The request comes from a page that is not this desk's.")
    origins = headers.getlist("origin")
    if not origins:
        return foreign if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") else None
    own, host = _place(origins[0]), _place(f"//{headers.get('host', '')}")
    if len(origins) != 1 or own is None or host is None:
        return foreign
    scheme = urlsplit(origins[0]).scheme
    public = urlsplit(settings.public_url or "")
    if settings.signs_in and own[0] == public.hostname and own[0] not in LOOPBACK_NAMES and scheme != public.scheme:
        return foreign
    default = PORTS.get(scheme)
    return None if (own[0], own[1] or default) == (host[0], host[1] or default) else foreign


def refuse_length(headers: Headers, most: int) -> Refusal | None:
    """Whether a body says of itself that it is too large, or says its length in two ways: a proxy before the desk may believe the other."""
    if "content-length" in headers and "transfer-encoding" in headers:
        return Refusal(HTTPStatus.BAD_REQUEST, "bad-request", "The request has a Content-Length and a Transfer-Encoding.")
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        return Refusal(HTTPStatus.BAD_REQUEST, "bad-request", "The Content-Length is not a number.")
    return too_large(most) if int(length) > most else None


def too_large(most: int) -> Refusal:
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"The body is larger than the {most:,} bytes that this desk takes.")


_standing = 0


def stands() -> bool:
    """Whether a guard stands before the application of this process, as it does unless Streamlit's own command started it."""
    return _standing > 0


class Guard:
    """ASGI middleware around everything. ``signed_in`` tells from the cookies of a request whether somebody is, and ``upload_bytes`` is
    the largest file that may be uploaded."""

    def __init__(self, app: ASGIApp, settings: Settings, *, signed_in: Callable[[dict[str, str]], bool], upload_bytes: int) -> None:
        self._app, self._settings, self._signed_in = app, settings, signed_in
        self._upload_bytes = upload_bytes
        global _standing  # noqa: PLW0603 - as many as there are applications
        _standing += 1
        self._https = settings.signs_in and (settings.public_url or "").startswith("https://")
        self._headers = HEADERS | {"Content-Security-Policy": content_security_policy()}
        if self._https:
            self._headers["Strict-Transport-Security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope)) or await self._stranger(scope, Headers(scope=scope))
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": refusal.kind})
            return
        answer = partial(self._with_headers, send)
        if refusal is None and not scope["path"].startswith(UPLOADS):
            received = await _whole_body(receive, self._settings.max_body_bytes, Headers(scope=scope))
            refusal, receive = (received, receive) if isinstance(received, Refusal) else (None, received)
        if refusal is None:
            await self._app(scope, receive, answer)
            return
        lines = {"Content-Type": "application/problem+json", "Cache-Control": "no-store", "Content-Length": str(len(refusal.body))}
        if refusal.status is HTTPStatus.BAD_REQUEST:  # where its body ends is not certain, nor what follows it
            lines["Connection"] = "close"
        raw = [(name.lower().encode(), value.encode()) for name, value in lines.items()]
        await answer({"type": "http.response.start", "status": refusal.status.value, "headers": raw})
        await answer({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else refusal.body})

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        settings, path = self._settings, scope["path"]
        here = scope.get("server")
        if not settings.signs_in and here is not None and not is_loopback(here[0]):
            detail = "Without sign-in this desk answers on loopback only. 'signaldesk start --help' says what to set."
            return Refusal(HTTPStatus.FORBIDDEN, "not-on-loopback", detail)
        if path.startswith(CLOSED) or not _is_plain(path):
            return Refusal(HTTPStatus.NOT_FOUND, "not-found", "There is nothing at this address.")
        if refusal := refuse_host(scope, headers, settings) or refuse_origin(scope, headers, settings):
            return refusal
        if scope["type"] == "websocket":
            return None
        return refuse_length(headers, self._upload_bytes + UPLOAD_OVERHEAD_BYTES if path.startswith(UPLOADS) else settings.max_body_bytes)

    async def _stranger(self, scope: Scope, headers: Headers) -> Refusal | None:
        if not self._settings.signs_in or not scope["path"].startswith(FOR_THE_SIGNED_IN):
            return None
        try:
            known = await run_in_threadpool(self._signed_in, _cookies(headers))
        except DatabaseUnavailable as error:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable", str(error))
        return None if known else Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", "This needs somebody who is signed in.")

    async def _with_headers(self, send: Send, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers[name] = value
            if self._https:
                message["headers"] = list(_secure(message["headers"]))
        await send(message)


async def _whole_body(receive: Receive, most: int, headers: Headers) -> Receive | Refusal:
    """A body whose length is not told beforehand is read before it is passed on, so that too much of it is refused in the one form.

    One whose length is told is within the limit here, and the server lets no more of it through.
    """
    if "transfer-encoding" not in headers:
        return receive
    parts: list[Message] = []
    size = 0
    while not parts or parts[-1].get("more_body", False):
        parts.append(await receive())
        size += len(parts[-1].get("body", b""))
        if size > most:
            return too_large(most)

    async def again() -> Message:
        return parts.pop(0) if parts else await receive()

    return again


def _secure(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """With every cookie for https alone; Streamlit leaves that out."""
    for name, value in headers:
        plain = name.lower() == b"set-cookie" and b"secure" not in [part.strip().lower() for part in value.split(b";")]
        yield name, value + b"; Secure" if plain else value


def _place(address: str) -> tuple[str, int | None] | None:
    """Host and port of ``scheme://host:port`` or ``//host:port``; None if it is something else."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    rest = parts.path or parts.query or parts.fragment or parts.username is not None or parts.password is not None
    if not parts.hostname or rest:
        return None
    return parts.hostname.removesuffix("."), port


def _is_plain(path: str) -> bool:
    """Nothing in it means another place than it says, to whoever reads it as one of files."""
    return path.isprintable() and "\\" not in path and not {".", ".."} & set(path.split("/"))


def _cookies(headers: Headers) -> dict[str, str]:
    return {name: value for line in headers.getlist("cookie") for name, value in cookie_parser(line).items()}
