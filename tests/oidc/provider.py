"""A small OpenID Connect provider of the authorization code flow: discovery, a page to pick a person, tokens, keys, sign-out.

It is strict where real ones are: client and redirect address are checked, a code works once and for its client alone, PKCE (S256) is
announced and then insisted on, and the nonce comes back in the signed ID token. Nothing of it is a mock: Streamlit's own client talks to
it over real sockets. ``expect_secret``, ``stop`` and ``start`` make it misbehave.
"""

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CODE_SECONDS = 60
TOKEN_SECONDS = 3_600
METADATA = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Someone:
    """A person with an account at the provider."""

    email: str
    name: str
    email_verified: bool | None = True
    """None leaves the claim out, as some providers do."""

    def claims(self) -> dict[str, Any]:
        told = {"sub": hashlib.sha256(self.email.encode()).hexdigest()[:16], **asdict(self)}
        return {name: value for name, value in told.items() if value is not None}


PEOPLE = (
    Someone("ada@desk.example", "Ada Admin"),
    Someone("anna@desk.example", "Anna Analyst"),
    Someone("vera@desk.example", "Vera Viewer"),
    Someone("nora@desk.example", "Nora Nobody"),
    Someone("ulla@desk.example", "Ulla Unverified", email_verified=False),
)


@dataclass
class Asked:
    """One request for authorization, and the code that was given for it."""

    client_id: str
    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    someone: Someone | None = None
    at: float = field(default_factory=time.monotonic)


class Refused(Exception):
    """What the provider says no to, as OAuth names it."""

    def __init__(self, error: str, why: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(why)
        self.error, self.why, self.status = error, why, status


class Provider:
    """The provider as a thread; ``with Provider(redirect_uris) as provider``. ``metadata_url`` and the client are what a desk is told."""

    def __init__(self, redirect_uris: Iterable[str], *, people: Iterable[Someone] = PEOPLE, port: int = 0) -> None:
        self.redirect_uris = frozenset(redirect_uris)
        self.people = {one.email: one for one in people}
        self.client_id, self.client_secret = "signal-desk", secrets.token_urlsafe(24)
        self.expect_secret = self.client_secret
        """Another one, and the desk's is wrong."""
        self.signed_out = 0
        """How often a sign-out came to an end here."""
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": secrets.token_hex(8)})
        self._asked: dict[str, Asked] = {}
        self._codes: dict[str, Asked] = {}
        self._lock = threading.Lock()
        self._port = port
        self._server: ThreadingHTTPServer | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def metadata_url(self) -> str:
        return self.issuer + METADATA

    def start(self) -> Self:
        """Serve; after ``stop``, at the same address again."""
        provider = self

        class Handler(_Handler):
            owner = provider

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="oidc", daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/sign-out",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["openid", "email", "profile"],
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self._key.as_dict(private=False)]}

    def ask(self, query: dict[str, str]) -> str:
        """Take a request for authorization; returns what the page to pick a person refers to."""
        asked = Asked(*(query.get(name, "") for name in ("client_id", "redirect_uri", "state", "nonce", "code_challenge")))
        if asked.client_id != self.client_id or asked.redirect_uri not in self.redirect_uris:
            raise Refused("unauthorized_client", "The client or its redirect address is not known here.")
        if query.get("response_type") != "code" or "openid" not in query.get("scope", "").split():
            raise Refused("invalid_request", "Only codes for the scope openid are given here.")
        if query.get("code_challenge_method") != "S256" or not asked.challenge:
            raise Refused("invalid_request", "PKCE with S256 is asked for here.")
        reference = secrets.token_urlsafe(16)
        with self._lock:
            self._asked[reference] = asked
        return reference

    def pick(self, reference: str, email: str | None) -> str:
        """Somebody says who they are, or None that they would rather not; returns where the browser goes on."""
        with self._lock:
            asked = self._asked.pop(reference, None)
        if asked is None:
            raise Refused("invalid_request", "Nobody asked for that.")
        if email is None:
            return f"{asked.redirect_uri}?{urlencode({'error': 'access_denied', 'state': asked.state})}"
        asked.someone = self.people[email]
        code = secrets.token_urlsafe(16)
        with self._lock:
            self._codes[code] = asked
        return f"{asked.redirect_uri}?{urlencode({'code': code, 'state': asked.state})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """Give the tokens for a code."""
        client, secret = self._client(form, authorization)
        if client != self.client_id or not secrets.compare_digest(secret, self.expect_secret):
            raise Refused("invalid_client", "The client's secret is wrong.", HTTPStatus.UNAUTHORIZED)
        with self._lock:
            asked = self._codes.pop(form.get("code", ""), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked.someone is None or time.monotonic() - asked.at > CODE_SECONDS:
            raise Refused("invalid_grant", "The code is not known, was used, or is too old.")
        if form.get("grant_type") != "authorization_code" or form.get("redirect_uri") != asked.redirect_uri or proof != asked.challenge:
            raise Refused("invalid_grant", "The code was given for something else.")
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + TOKEN_SECONDS, **asked.someone.claims()}
        if asked.nonce:
            claims["nonce"] = asked.nonce
        header = {"alg": "RS256", "kid": self._key.kid}
        token = jwt.encode(header, claims, self._key)
        return {"access_token": secrets.token_urlsafe(24), "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "id_token": token}

    @staticmethod
    def _client(form: dict[str, str], authorization: str) -> tuple[str, str]:
        if authorization.startswith("Basic "):
            client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            return unquote(client), unquote(secret)
        return form.get("client_id", ""), form.get("client_secret", "")


class _Handler(BaseHTTPRequestHandler):
    owner: Provider
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(
            {METADATA: self._metadata, "/keys": self._keys, "/authorize": self._authorize, "/pick": self._pick, "/sign-out": self._out}
        )

    def do_POST(self) -> None:
        self._answer({"/token": self._token})

    def log_message(self, *_: Any) -> None:
        """Say nothing: what a test prints is the desk's."""

    def _answer(self, known: dict[str, Any]) -> None:
        parts = urlsplit(self.path)
        try:
            if (found := known.get(parts.path)) is None:
                raise Refused("not_found", "There is nothing here.", HTTPStatus.NOT_FOUND)
            found({name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()})
        except Refused as refused:
            self._send(refused.status, "application/json", json.dumps({"error": refused.error, "error_description": refused.why}))

    def _send(self, status: HTTPStatus, media_type: str, body: str, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def _json(self, value: Any) -> None:
        self._send(HTTPStatus.OK, "application/json", json.dumps(value))

    def _metadata(self, _: dict[str, str]) -> None:
        self._json(self.owner.metadata())

    def _keys(self, _: dict[str, str]) -> None:
        self._json(self.owner.keys())

    def _authorize(self, query: dict[str, str]) -> None:
        reference = self.owner.ask(query)
        links = [
            f'<p><a href="/pick?as={reference}&amp;email={quote(one.email)}">{html.escape(one.name)}</a> {html.escape(one.email)}'
            for one in self.owner.people.values()
        ]
        page = f'<!doctype html><title>Who are you?</title><h1>Who are you?</h1>{"".join(links)}<p><a href="/pick?as={reference}">Nobody here</a>'
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", page)

    def _pick(self, query: dict[str, str]) -> None:
        self._send(HTTPStatus.FOUND, "text/plain", "", self.owner.pick(query.get("as", ""), query.get("email")))

    def _token(self, _: dict[str, str]) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._json(self.owner.token(form, self.headers.get("Authorization", "")))

    def _out(self, query: dict[str, str]) -> None:
        target = query.get("post_logout_redirect_uri", "")
        if query.get("client_id") != self.owner.client_id or target not in self.owner.redirect_uris:
            raise Refused("invalid_request", "The client or its address after sign-out is not known here.")
        self.owner.signed_out += 1
        self._send(HTTPStatus.FOUND, "text/plain", "", target)
