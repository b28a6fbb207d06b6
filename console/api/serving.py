"""What an endpoint works with: the desk, who asks, and a turn at the database."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from console.api.auth import Asker, asker_of
from console.api.probes import Probes
from console.api.rates import Rates
from console.api.requests import Requests
from console.api.streams import Streams
from console.api.watches import Watches
from core.access import Actor
from core.configuration import Desk
from core.settings import Settings

T = TypeVar("T")
REQUESTS_AT_ONCE = 8
"""Requests that work with the database at once; the others wait. Well under the threads and the connections that the console has."""


@dataclass(slots=True)
class Serving:
    """What the API of one process holds."""

    desk_of: Callable[[], Desk]
    wake: Callable[[], None]
    needs_token: bool
    rates: Rates = field(default_factory=Rates)
    requests: Requests = field(default_factory=Requests)
    watches: Watches[Any] = field(default_factory=Watches)
    streams: Streams = field(default_factory=Streams)
    turns: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(REQUESTS_AT_ONCE))
    probes: Probes = field(default_factory=Probes)


@dataclass(frozen=True, slots=True)
class Desktop:
    """The desk as one request sees it."""

    desk: Desk
    asker: Asker
    wake: Callable[[], None]
    requests: Requests

    @property
    def actor(self) -> Actor:
        return self.asker.actor

    def require_token(self) -> None:
        """Refuse once the token of this request lets nobody in any more: as ``Asker.require_token``."""
        self.asker.require_token(self.desk)

    def read(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction.

        Raises:
            DatabaseUnavailable: the database is away.
        """
        return self.desk.transaction(work)

    def with_settings(self, work: Callable[[Session, Settings], T]) -> T:
        """As ``read``, with the settings in force."""
        return self.desk.transaction(lambda session: work(session, self.desk.settings(session)))

    def change(self, work: Callable[[Session, Settings], T]) -> T:
        """As ``with_settings``, and have the orchestrator look for work at once."""
        result = self.with_settings(work)
        self.wake()
        return result


def serving(request: Request) -> Serving:
    """What the application holds."""
    held: Serving = request.app.state.serving
    return held


async def a_turn(request: Request) -> AsyncIterator[None]:
    """Hold one of the turns at the database while an endpoint's function runs."""
    async with serving(request).turns:
        yield


class Guarded(APIRoute):
    """Routes that ask who it is before they read what is sent: a stranger's body is not even parsed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            held = serving(request)
            async with held.turns:
                request.state.asker = await run_in_threadpool(_asker, request, held)
            return await handle(request)

        return guarded


def _asker(request: Request, held: Serving) -> Asker:
    return asker_of(request, held.desk_of(), held.rates, needs_token=held.needs_token)


def caller(request: Request) -> Desktop:
    """The desk for whoever asks, whom ``Guarded`` let in."""
    held = serving(request)
    return Desktop(held.desk_of(), request.state.asker, held.wake, held.requests)


TURN = Depends(a_turn, scope="function")
Caller = Annotated[Desktop, Depends(caller)]
