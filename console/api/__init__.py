"""The HTTP API: FastAPI on the console's own port. It knows core and holds no business rule.

``make_api`` makes an application that answers under whole addresses (``/api/…``, ``/health``, ``/metrics`` …), and ``routes_to``
the routes by which the console's application hands those to it. Endpoints are plain functions: they run on threads, a few at a time.
"""

from collections.abc import Callable

from fastapi import Depends, FastAPI
from starlette.routing import BaseRoute, Route

from console.api import articles, batches, costs, desk, documents, events, launches, metrics, signals
from console.api.heads import Heads
from console.api.problems import Unforeseen, add_handlers
from console.api.rates import Told
from console.api.refusals import refusals
from console.api.requests import Measured
from console.api.serving import TURN, Serving, caller
from core.configuration import Desk

ADDRESSES = ("/health", "/health/ready", "/admin/status", "/metrics", "/api", "/api/{rest:path}")


def make_api(desk_of: Callable[[], Desk], *, wake: Callable[[], None] = lambda: None, needs_token: bool = False) -> FastAPI:
    """The API of the desk that ``desk_of`` gives (from any thread).

    ``wake`` is called after a change, so that work begins at once. With ``needs_token`` a request without an API token is refused,
    but for health; without it, it acts as whoever sits at the machine.
    """
    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    held = Serving(desk_of, wake, needs_token)
    api.state.serving = held
    api.openapi = lambda: documents.document(api)  # type: ignore[method-assign]
    add_handlers(api)
    api.add_middleware(Heads)
    api.add_middleware(Unforeseen)
    api.add_middleware(Told)
    api.add_middleware(Measured, requests=held.requests)
    api.include_router(documents.router)
    api.include_router(desk.open_router, responses=refusals(503))
    guarded = [TURN, Depends(caller)]
    common = refusals(400, 401, 403, 422, 429, 503)
    for part in (desk, metrics, articles, batches, launches, events, signals, costs):
        api.include_router(part.router, dependencies=guarded, responses=common)
    return api


def routes_to(api: FastAPI) -> list[BaseRoute]:
    """The routes of the console's application that lead here."""
    return [Route(address, api, name=f"api:{address}") for address in ADDRESSES]
