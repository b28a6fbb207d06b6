"""Files over HTTP: rows as they come out of the database, in one transaction that ends with the file, or with the client."""

import logging
from collections.abc import AsyncIterator, Generator
from http import HTTPStatus

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from console.api.problems import RETRY_SECONDS, Refused

logger = logging.getLogger(__name__)
AT_ONCE = 3
"""Files that are written at once in this process: each holds a connection for as long as its client takes to read it."""
SEND_SECONDS = 30.0
"""How long a client may leave a part unread before its file is given up: it would hold a connection and a transaction for ever."""


class Streams:
    """Counts the files under way. Belongs to one event loop."""

    def __init__(self) -> None:
        self._free = AT_ONCE

    @property
    def under_way(self) -> int:
        return AT_ONCE - self._free

    def take(self) -> None:
        """Begin a file.

        Raises:
            Refused: as many as may be are under way.
        """
        if not self._free:
            detail = f"{AT_ONCE} files are being read already. Try again in {RETRY_SECONDS} s."
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "Too many files at once", detail, headers)
        self._free -= 1

    def give_back(self) -> None:
        self._free += 1

    async def answer(self, parts: Generator[str], *, media_type: str, name: str) -> StreamingResponse:
        """The file that ``parts`` are. What fails before the first part is an error of its own, after it a broken answer."""
        self.take()
        try:
            first = await run_in_threadpool(next, parts, None)
        except BaseException:
            self.give_back()
            raise
        return _File(self, parts, first, media_type=media_type, name=name)


class _File(StreamingResponse):
    """A file under way. However it ends, its transaction ends with it."""

    def __init__(self, streams: Streams, parts: Generator[str], first: str | None, *, media_type: str, name: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        super().__init__(self._flowing(first), media_type=media_type, headers=headers)
        self._streams, self._parts = streams, parts

    async def _flowing(self, part: str | None) -> AsyncIterator[str]:
        while part is not None:
            yield part
            part = await run_in_threadpool(next, self._parts, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            with anyio.fail_after(SEND_SECONDS):
                await send(message)

        try:
            await super().__call__(scope, receive, sending)
        except TimeoutError:
            logger.warning("a file was not read any further for %.0f s and is given up", SEND_SECONDS)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._parts.close)
            self._streams.give_back()
