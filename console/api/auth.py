"""Who asks: the token of a request, and how often it may ask."""

from http import HTTPStatus

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param

from console.api.problems import Refused
from console.api.rates import Rates
from core.access import Actor, Permission, local
from core.configuration import Desk


def actor_of_request(request: Request, desk: Desk, rates: Rates, *, needs_token: bool) -> Actor:
    """The actor whose token a request bears; without one, where that is enough, whoever sits at the machine.

    Raises:
        Refused: a token is needed and there is none, it is not valid, it may not read, or too many requests were made.
    """
    address = request.client.host if request.client else "unknown"
    settings = desk.environment
    scheme, _secret = get_authorization_scheme_param(request.headers.get("authorization"))
    if not scheme and not needs_token:
        request.state.rate = rates.take(f"address {address}", settings.api_requests_per_minute)
        return local(settings.user)
    request.state.rate = rates.take(f"address {address}", settings.api_requests_per_minute)
    raise unauthorised("This desk asks for an API token: Authorization: Bearer sd_… (made on the System page).")


def unauthorised(detail: str) -> Refused:
    """A refusal for want of a valid token."""
    headers = {"WWW-Authenticate": 'Bearer realm="signaldesk"'}
    return Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", "A valid token is needed", detail, headers)


def require_reading(actor: Actor) -> None:
    """Refuse an actor that may not read."""
    actor.require(Permission.READ)
