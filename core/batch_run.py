"""One batch, or one chunk of it, on one event loop, until nothing is left to claim.

Workers take claims from a queue; the feeder keeps the queue filled with a few claims more than there are idle workers, and looks
every second whether the batch was paused, cancelled or interrupted. Not to be shared between threads, but for ``held`` and the
two events, which the process's supervisor reads and sets. A chunk is a task of Celery's: the same run, but that it claims its own
records, that the chunks of a batch share its line, and that one with room to spare helps with what no worker has claimed yet.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import batch_actions, causes, records, tracing
from core.agents.providers import open_model
from core.budget import LeaseLost, NoRoom
from core.clock import utc_now
from core.configuration import Configuration, Desk
from core.errors import DatabaseUnavailable, DeskError, NotFound, SettingsError
from core.failures import Action, CallFailed, FailureKind
from core.group_commit import GroupCommit
from core.metering import Account, Meter, Sleep
from core.models import BatchSession, BatchStatus
from core.pace import Pace
from core.pipeline import Pipeline
from core.records import Claim
from core.research import WebSearch
from core.settings import Settings
from core.supervisor import Shared

logger = logging.getLogger(__name__)

DATABASE_THREADS = 4
LOOK_SECONDS = 1.0
STAGGER_SECONDS = 0.015
"""Between the first calls of a batch's workers, which would otherwise go on in step, all idle and all busy at once."""
DELETED = "the article was deleted"
NO_ARTICLE = 0


@dataclass(eq=False, slots=True)
class Line:
    """What a batch's articles share in one process: their way, how many may be on it, and how many in all processes together."""

    pipeline: Pipeline
    width: int
    over_all: int | None
    held: int = 0
    """Articles that are claimed here, or being claimed, and have not left."""
    wanted: int = 0
    """Records of the chunks here that are still to be claimed."""
    has_begun: bool = False
    """Whether anything of the batch is known to have been claimed."""
    listening: set[asyncio.Event] = field(default_factory=set)
    """Set when an article leaves: there may be room for another, in whichever chunk."""

    @property
    def room(self) -> int:
        """Articles more that may be claimed here."""
        return self.width - self.held

    def leave(self) -> None:
        """An article leaves."""
        self.held -= 1
        for freed in self.listening:
            freed.set()


@asynccontextmanager
async def open_line(desk: Desk, batch_id: int, owner: str, *, sleep: Sleep = asyncio.sleep) -> AsyncIterator[Line]:
    """A line on the running event loop; its connections are closed at the end of the block.

    Raises:
        NotFound: there is no such batch.
        SettingsError: the model or the search provider cannot be used with these settings.
        DatabaseUnavailable: the server stays away.
    """

    def read_batch(session: Session) -> tuple[Settings, Configuration, int]:
        batch = session.get(BatchSession, batch_id)
        if batch is None:
            raise NotFound(f"There is no batch {batch_id}.")
        return desk.settings(session), Configuration.from_json(batch.configuration), batch.concurrency

    settings, configuration, width = await desk.offload(read_batch)
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(open_model(configuration.model, settings))
        web = WebSearch(settings) if configuration.research_provider == "tavily" else None
        if web is not None:
            await stack.enter_async_context(web)
        account = Account(desk, GroupCommit(desk), settings, Pace(width), owner, batch_id, sleep=sleep)
        logger.info("the batch runs here with %s, %d articles at a time", configuration.model, width)
        yield Line(Pipeline(account, configuration, model, web), width, settings.concurrency_over_all)
    logger.info("the batch runs here no longer")


def use_database_threads(name: str) -> None:
    """Have the running event loop keep a few threads for the database."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix=name))


class BatchRun:
    """Runs one batch, or ``chunk`` of it. ``run`` returns when that has ended, was paused, or this process is stopping."""

    def __init__(
        self,
        desk: Desk,
        batch_id: int,
        shared: Shared,
        *,
        chunk: Sequence[int] | None = None,
        line: Callable[[], AbstractAsyncContextManager[Line]] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.desk = desk
        self.batch_id = batch_id
        self.shared = shared
        self._chunk = None if chunk is None else set(chunk)
        self._may_help = 0 if chunk is None else len(chunk)
        """Records of other chunks that it still may claim: so many, so that a task has an end."""
        self.helped: set[int] = set()
        """Those that it claimed."""
        self._open_line = line or (lambda: open_line(desk, batch_id, shared.owner, sleep=sleep))
        self._queue: asyncio.Queue[Claim] = asyncio.Queue()
        self._in_work: dict[int, asyncio.Task[None]] = {}
        self._freed = asyncio.Event()
        self._open = True
        """Whether more may be claimed, as far as is known here."""

    async def run(self) -> None:
        """Run until it has ended or may not go on here.

        Raises:
            NotFound: there is no such batch.
            DatabaseUnavailable: the server stays away.
        """
        with tracing.span("batch" if self._chunk is None else "chunk", batch_id=self.batch_id):
            try:
                async with self._open_line() as line:
                    await self._run(line)
            except SettingsError as error:
                await self._pause(str(error), causes.SETTINGS)
                return
            await self.desk.offload(lambda session: batch_actions.finish_if_done(session, self.batch_id, now=utc_now()))

    async def _run(self, line: Line) -> None:
        width = line.width if self._chunk is None else min(line.width, len(self._chunk))
        apart = STAGGER_SECONDS if self._chunk is None else 0  # a chunk is short, and the chunks of a batch begin at different times
        helpers = [asyncio.create_task(self._work(line, worker * apart)) for worker in range(width)]
        helpers.append(asyncio.create_task(self._watch()))
        line.listening.add(self._freed)
        line.wanted += len(self._chunk or ())
        try:
            await self._feed(line, width)
        finally:
            line.listening.discard(self._freed)
            line.wanted -= len(self._chunk or ())
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._give_back_queue(line)

    # --- the feeder --------------------------------------------------------------------------------------------------

    async def _feed(self, line: Line, width: int) -> None:
        """Keep the queue filled until nothing is left to claim, or nothing may be, and nothing is in work."""
        ahead = max(width // 4, 2) if self._chunk is None else 0
        while True:
            self._freed.clear()  # before the look: what leaves during it is seen by the next
            nothing_left = False
            if self._open:
                wanted = width - len(self._in_work) + ahead - self._queue.qsize()
                if self._chunk is not None:
                    nothing_left = not await self._claim_of_chunk(line, self._chunk, min(wanted, line.room))
                elif wanted > ahead // 2:
                    nothing_left = not await self._claim(line, wanted)
            else:
                await self._give_back_queue(line)
            if not self._in_work and self._queue.empty() and (nothing_left or not self._open):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), LOOK_SECONDS)

    async def _claim_of_chunk(self, line: Line, chunk: set[int], most: int) -> bool:
        """Claim up to so many of the chunk, or help with others where there is room for more than what the chunks here want.

        Returns whether it is worth asking again.
        """
        if chunk:
            if most > 0:
                await self._claim(line, most, of_chunk=chunk)
            return True
        if line.wanted or self._may_help <= 0 or most <= 0:
            return False
        claims = await self._claim(line, min(most, self._may_help), last_first=True)
        self.helped.update(claim.record_id for claim in claims)
        self._may_help = self._may_help - len(claims) if claims else 0
        return bool(claims)

    async def _claim(self, line: Line, most: int, *, of_chunk: set[int] | None = None, last_first: bool = False) -> list[Claim]:
        """Claim up to so many and queue them; what cannot be claimed any more is taken out of the chunk."""

        def claim(session: Session) -> tuple[list[Claim], Collection[int]]:
            claims = records.claim(
                session,
                self.batch_id,
                owner=self.shared.owner,
                most=most,
                now=utc_now(),
                only=None if of_chunk is None else sorted(of_chunk),
                last_first=last_first,
                over_all=line.over_all,
                has_begun=line.has_begun,
            )
            return claims, records.pending(session, sorted(of_chunk)) if of_chunk and len(claims) < most else ()

        line.held += most
        claims: list[Claim] = []
        try:
            claims, pending = await self.desk.offload(claim)
        finally:
            line.held -= most - len(claims)
        line.has_begun = line.has_begun or bool(claims)
        claimed = {claim.record_id for claim in claims}
        self.shared.held.update(claimed)
        for one in claims:
            self._queue.put_nowait(one)
        if of_chunk is not None:
            gone = claimed if len(claims) == most else of_chunk.difference(pending)
            of_chunk -= gone
            line.wanted -= len(gone)
        return claims

    async def _watch(self) -> None:
        """Look every second whether more may be claimed, and stop what is in work when that was asked for."""
        while True:
            try:
                status, interrupt = await self.desk.offload(self._read_status)
            except DatabaseUnavailable as error:  # it goes on watching: also this process may be asked to stop meanwhile
                logger.warning("the batch is not watched while the database is away: %s", error)
                status, interrupt = BatchStatus.PROCESSING, False
            self._open = status in BatchStatus.claimable() and not self.shared.stopping.is_set()
            if self.shared.aborting.is_set() or (interrupt and status not in BatchStatus.claimable()):
                for task in self._in_work.values():
                    task.cancel()
            if not self._open:
                self._freed.set()
            await asyncio.sleep(LOOK_SECONDS)

    def _read_status(self, session: Session) -> tuple[BatchStatus, bool]:
        row = session.execute(select(BatchSession.status, BatchSession.interrupt).where(BatchSession.id == self.batch_id)).one_or_none()
        return (row[0], row[1]) if row else (BatchStatus.CANCELLED, True)

    async def _give_back_queue(self, line: Line) -> None:
        while not self._queue.empty():
            claim = self._queue.get_nowait()
            line.leave()
            await self._give_back(claim)

    # --- the workers -------------------------------------------------------------------------------------------------

    async def _work(self, line: Line, after: float) -> None:
        """Take claims and run them, each as a task of its own, so that one can be stopped without its worker."""
        await asyncio.sleep(after)
        while True:
            claim = await self._queue.get()
            task = asyncio.create_task(self._hold(claim, line.pipeline))
            self._in_work[claim.record_id] = task
            task.add_done_callback(lambda _, claim=claim: self._let_go(claim, line))  # type: ignore[misc]
            await asyncio.wait([task])

    def _let_go(self, claim: Claim, line: Line) -> None:
        self._in_work.pop(claim.record_id, None)
        self.shared.held.discard(claim.record_id)
        line.leave()

    async def _hold(self, claim: Claim, pipeline: Pipeline) -> None:
        """Hold one claimed article while it runs. Should the database stay away, its lease runs out and it is queued again."""
        meter = Meter(pipeline.account, claim.record_id, claim.article_id or NO_ARTICLE)
        with tracing.span("article", record_id=claim.record_id, article_id=meter.article_id):
            try:
                await self._run_and_end(claim, pipeline, meter)
            except DatabaseUnavailable as error:
                logger.warning("the record is left to be recovered: %s", error)

    async def _run_and_end(self, claim: Claim, pipeline: Pipeline, meter: Meter) -> None:
        """Run one article and write down how it ended."""
        if claim.article_id is None:
            await self._end(records.skip, claim, DELETED)
            return
        try:
            try:
                await pipeline.run(meter)
            finally:
                await meter.settled()  # before the record ends: what is kept of a failed one must go with it
            logger.info("the article is done")
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(claim))
        except NotFound:
            await self._end(records.skip, claim, DELETED)
        except LeaseLost as error:
            logger.info("the article stops: %s", error)
            await self._give_back(claim)
        except NoRoom as refusal:
            if self._open:
                logger.warning("the batch pauses (%s): %s", causes.BUDGET, refusal)
            await self._give_back(claim)
            await self.desk.offload(lambda session, refusal=refusal: batch_actions.pause_for_budget(session, self.batch_id, refusal))  # type: ignore[misc]
        except CallFailed as error:
            if error.failure.action is Action.STOP:
                await self._give_back(claim)
                await self._pause(error.failure.message, error.failure.kind.value)
            else:
                logger.warning("the article failed (%s): %s", error.failure.kind.value, error.failure.message)
                tracing.failed(error.failure.kind.value)
                await self._end(records.fail, claim, error.failure.kind.value, error.failure.message)
                await self._stop_if_too_many_failed(pipeline.account.settings)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            logger.exception("the article failed")
            tracing.failed(FailureKind.INTERNAL.value)
            words = str(error) if isinstance(error, DeskError) else f"{type(error).__name__}: {error}"
            await self._end(records.fail, claim, FailureKind.INTERNAL.value, words[:500])

    async def _end(self, end: Callable[..., bool], claim: Claim, *words: str) -> None:
        kept = await self.desk.offload(lambda session: end(session, claim.record_id, *words, owner=self.shared.owner, now=utc_now()))
        if not kept:
            logger.warning("the record was taken over by another worker")

    async def _give_back(self, claim: Claim) -> None:
        self.shared.held.discard(claim.record_id)
        await self.desk.offload(lambda session: records.give_back(session, claim.record_id, owner=self.shared.owner, now=utc_now()))

    async def _pause(self, reason: str, kind: str) -> None:
        if self._open:  # of all articles in work that find the same, the first says so
            logger.warning("the batch pauses (%s): %s", kind, reason)
        self._open = False

        def pause(session: Session) -> None:
            try:
                batch_actions.pause_for_cause(session, self.batch_id, reason, kind=kind)
            except DeskError as error:
                logger.info("not paused: %s", error)

        await self.desk.offload(pause)

    async def _stop_if_too_many_failed(self, settings: Settings) -> None:
        failed, ran = await self.desk.offload(lambda session: records.failures(session, self.batch_id))
        if records.too_many_failed(failed, ran, settings):
            await self._pause(
                f"{failed} of {ran} articles failed, more than is tolerated ({settings.failure_share:.0%} after {settings.failure_minimum}"
                + (f", or {settings.failure_most}" if settings.failure_most else "")
                + "). Look at their reasons, then resume or cancel.",
                causes.TOO_MANY,
            )
