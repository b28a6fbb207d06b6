"""Who asks: the token of a request, and how often it may ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NoReturn

from fastapi import Request

from console.api.problems import Refused
from console.api.rates import Rates
from core.access import Actor, Permission, local
from core.clock import utc_now
from core.configuration import Desk
from core.tokens import authenticate

SCHEME = "Bearer"
READING = frozenset({"GET", "HEAD"})
"""What only reads. Of what changes something core says which permission it needs."""
WITHOUT = "This desk asks for an API token: Authorization: Bearer sd_… (made on the System page)."
UNKNOWN = "The API token is unknown, revoked or expired. A new one is made on the System page."
MALFORMED = "The Authorization header must be: Bearer sd_…"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and by which secret; none for whoever sits at the machine."""

    actor: Actor
    secret: str | None = field(default=None, repr=False)

    def require_token(self, desk: Desk) -> None:
        """Refuse once the token lets nobody in any more. For answers that go on for long.

        Raises:
            Refused: it was revoked, or has expired since.
            DatabaseUnavailable: as ``asker_of``.
        """
        if self.secret is not None and _actor_of(self.secret, desk) is None:
            raise _unauthorized(UNKNOWN)


def asker_of(request: Request, desk: Desk, rates: Rates, *, needs_token: bool) -> Asker:
    """Whose token a request bears; without one, where that is enough, whoever sits at the machine.

    Each token has its own count of requests. What has no valid token is counted by its address, which keeps nobody with a valid one
    out: behind a proxy all have one address.

    Raises:
        Refused: a token is needed and there is none, it is not valid, or too many requests were made.
        NotAllowed: it reads, and the token may not.
        DatabaseUnavailable: the database, which has the tokens, is away.
    """
    most = desk.environment.api_requests_per_minute
    address = f"address {request.client.host if request.client else 'unknown'}"
    given = request.headers.getlist("authorization")
    if not given and not needs_token:
        request.state.rate = rates.take(address, most)
        return Asker(local(desk.environment.user))
    if not given:
        _refuse(rates, address, most, WITHOUT)
    scheme, _, secret = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != SCHEME.lower() or not secret.strip():
        _refuse(rates, address, most, MALFORMED)
    secret = secret.strip()
    actor = _actor_of(secret, desk)
    if actor is None:
        _refuse(rates, address, most, UNKNOWN)
    request.state.rate = rates.take(f"actor {actor.name}", most)
    if request.method in READING:
        actor.require(Permission.READ)
    return Asker(actor, secret)


def _actor_of(secret: str, desk: Desk) -> Actor | None:
    return desk.transaction(lambda session: authenticate(session, secret, now=utc_now(), settings=desk.environment))


def _refuse(rates: Rates, address: str, most: int, detail: str) -> NoReturn:
    raise _unauthorized(detail, rates.take(address, most).headers)


def _unauthorized(detail: str, headers: Mapping[str, str] | None = None) -> Refused:
    asked = {"WWW-Authenticate": f'{SCHEME} realm="signaldesk"'}
    return Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", "A valid token is needed", detail, asked | dict(headers or {}))
