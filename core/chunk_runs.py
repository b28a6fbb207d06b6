"""Runs chunks: the tasks of Celery, all of one process on one event loop in a thread of its own.

The threads of Celery's pool only wait for their chunk here. The chunks of a batch share its line (model, connections, pace), which
stays open for a moment after the last of them: the next one is likely of the same batch.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from core import chunks
from core.batch_run import BatchRun, Line, open_line, use_database_threads
from core.configuration import Desk
from core.errors import NotFound
from core.logs import about
from core.supervisor import Shared

logger = logging.getLogger(__name__)

LINGER_SECONDS = 5.0
STOPPING_SECONDS = 10.0


@dataclass(eq=False, slots=True)
class _Open:
    """A line that is open, and how many chunks are on it. ``closing`` closes it, unless another chunk comes first."""

    opened: AbstractAsyncContextManager[Line]
    line: Line
    users: int = 0
    closing: asyncio.Task[None] | None = None


class ChunkRunner:
    """One a worker process. ``run`` may be called from any thread, ``start`` and ``stop`` once."""

    def __init__(self, desk: Desk, shared: Shared) -> None:
        self.desk = desk
        self.shared = shared
        self.running = 0
        """Chunks that run now."""
        self._counting = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chunks", daemon=True)
        self._lines: dict[int, _Open] = {}
        self._opening: dict[int, asyncio.Lock] = {}

    def start(self) -> None:
        self._thread.start()
        self._loop.call_soon_threadsafe(use_database_threads, "chunks")

    def run(self, batch_id: int, record_ids: Sequence[int]) -> None:
        """Run those of a batch's records that are still pending, and return once that is done, or may not be now.

        Raises:
            DatabaseUnavailable: the server stays away.
        """
        with self._counting:
            self.running += 1
        try:
            asyncio.run_coroutine_threadsafe(self._run(batch_id, record_ids), self._loop).result()
        finally:
            with self._counting:
                self.running -= 1

    def stop(self) -> None:
        """Close what is open. Nothing runs any more."""
        asyncio.run_coroutine_threadsafe(self._close_all(), self._loop).result(STOPPING_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOPPING_SECONDS)

    async def _run(self, batch_id: int, record_ids: Sequence[int]) -> None:
        if self.shared.stopping.is_set():
            await self.desk.offload(lambda session: chunks.uncover(session, record_ids))
            return
        chunk = BatchRun(self.desk, batch_id, self.shared, chunk=record_ids, line=lambda: self._line(batch_id))
        try:
            await chunk.run()
        except NotFound as error:
            logger.info("a task is passed over: %s", error, extra={"batch_id": batch_id})
        finally:
            await self.desk.offload(lambda session: chunks.uncover(session, [*record_ids, *chunk.helped]))

    @asynccontextmanager
    async def _line(self, batch_id: int) -> AsyncIterator[Line]:
        async with self._opening.setdefault(batch_id, asyncio.Lock()):
            if batch_id not in self._lines:
                opened = open_line(self.desk, batch_id, self.shared.owner)
                self._lines[batch_id] = _Open(opened, await opened.__aenter__())
            held = self._lines[batch_id]
            held.users += 1
            if held.closing is not None:
                held.closing.cancel()
                held.closing = None
        try:
            yield held.line
        finally:
            held.users -= 1
            if held.users == 0:
                held.closing = asyncio.create_task(self._close_later(batch_id))

    async def _close_later(self, batch_id: int) -> None:
        await asyncio.sleep(LINGER_SECONDS)
        await self._close(batch_id)

    async def _close(self, batch_id: int) -> None:
        held = self._lines.pop(batch_id)
        self._opening.pop(batch_id, None)
        with about(batch_id=batch_id):
            await held.opened.__aexit__(None, None, None)

    async def _close_all(self) -> None:
        for batch_id, held in list(self._lines.items()):
            if held.closing is not None:
                held.closing.cancel()
            await self._close(batch_id)
