"""A batch as it goes, as server-sent events: its state at once, then at every change, until it has ended."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Path, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from console.api.batches import Batch, batch_of
from console.api.fields import Id
from console.api.problems import Refused, of_desk_error, of_refusal
from console.api.refusals import refusals
from console.api.serving import Caller, Desktop, Guarded, serving
from console.api.watches import EVERY_SECONDS, Watches
from core.clock import utc_now
from core.errors import DatabaseUnavailable, NotFound
from core.models import BatchStatus

router = APIRouter(prefix="/api", tags=["batches"], route_class=Guarded)
HEARTBEAT_SECONDS = 15
TOKEN_SECONDS = 15.0
"""How often the token of a stream is looked at again: one that was revoked, or has expired, is told no more than so much longer."""
MOST_SECONDS = 3_600.0
"""After so long a stream ends, and its client comes back with ``Last-Event-ID``."""

_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["progress", "unavailable", "unauthorized", "end"]},
        "id": {"type": "string", "description": "Names the state: what `Last-Event-ID` says when the client comes back."},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `progress` (its data is the batch), `unavailable` and `unauthorized` (a problem), `end` (the batch)",
        "content": {"text/event-stream": {"schema": _EVENT}},
    },
    204: {"description": "It has ended, and `Last-Event-ID` is of its last state: do not come back"},
}


def tag_of(batch: Batch) -> str:
    """Names a state of a batch; time alone does not change it."""
    passing = {"timing": {"elapsed_seconds", "eta_seconds", "eta_at"}}
    return hashlib.sha256(batch.model_dump_json(exclude=passing).encode()).hexdigest()[:16]


def has_ended(batch: Batch) -> bool:
    """Nothing will change any more unless somebody acts."""
    return batch.status not in BatchStatus.open() and not batch.records.processing


@router.get(
    "/batches/{batch_id}/events",
    response_class=EventSourceResponse,
    responses=_ANSWERS | refusals(404),
)
async def events(
    at: Caller, request: Request, batch_id: Annotated[Id, Path()], last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """The batch at once and at every change, until it has ended. `Last-Event-ID` passes over a state that the client has."""
    watches = serving(request).watches
    watches.refuse_if_full()
    first = await run_in_threadpool(_read, at, batch_id)
    if has_ended(first) and last_event_id == tag_of(first):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return _Stream(watches, at, batch_id, last_event_id)


class _Stream(EventSourceResponse):
    """The events, watched for as long as somebody listens, however that ends."""

    def __init__(self, watches: Watches[Batch], at: Desktop, batch_id: int, sent: str | None) -> None:
        super().__init__(_flow(watches, at, batch_id, sent), ping=HEARTBEAT_SECONDS, send_timeout=30)
        self._watches, self._batch_id = watches, batch_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._watches.watched(self._batch_id), suppress(SendTimeoutError):  # who does not read is gone
            await super().__call__(scope, receive, send)


def _read(at: Desktop, batch_id: int) -> Batch:
    return at.read(lambda session: batch_of(session, batch_id, utc_now()))


async def _flow(watches: Watches[Batch], at: Desktop, batch_id: int, sent: str | None) -> AsyncIterator[ServerSentEvent]:
    began = anyio.current_time()
    away, checked = False, began
    while (now := anyio.current_time()) < began + MOST_SECONDS:
        try:
            if now >= checked + TOKEN_SECONDS:
                await run_in_threadpool(at.require_token)
                checked = now
            batch = await watches.look(batch_id, partial(_read, at, batch_id))
        except DatabaseUnavailable as error:
            if not away:
                yield ServerSentEvent(bytes(of_desk_error(error).body).decode(), event="unavailable")
            away = True
        except Refused as error:
            yield ServerSentEvent(bytes(of_refusal(error).body).decode(), event="unauthorized")
            return
        except NotFound:
            return
        else:
            away, tag = False, tag_of(batch)
            if tag != sent:
                yield ServerSentEvent(batch.model_dump_json(), event="progress", id=tag)
                sent = tag
            if has_ended(batch):
                yield ServerSentEvent(batch.model_dump_json(), event="end", id=tag)
                return
        await anyio.sleep(EVERY_SECONDS)
