"""The orchestrator: runs open batches in a background thread pool, one asyncio loop a batch.

One ``Orchestrator`` a process. Its supervisor thread sends heartbeats, takes back what dead workers held, and gives each open
batch with pending records to a thread of the pool. A batch thread opens its own event loop, models and HTTP clients, keeps
``concurrency`` articles in flight, and ends when nothing is left to claim. All state is in Postgres: launching from another
process, closing a tab or killing this one changes nothing that the next look at the tables would not put right.
"""

import asyncio
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial

import psutil
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import batches, records
from core.agents.providers import build_model
from core.budget import NoRoom, usd
from core.clock import utc_now
from core.configuration import Configuration, Desk
from core.errors import DatabaseUnavailable, DeskError, NotFound, SettingsError
from core.failures import Action, CallFailed, FailureKind
from core.metering import Meter
from core.models import BatchRecord, BatchSession, BatchStatus, RecordStatus
from core.pipeline import Tools, run_article
from core.records import Claim
from core.research import WebSearch
from core.settings import Settings

logger = logging.getLogger(__name__)

BATCHES_AT_ONCE = 4
DATABASE_THREADS = 8
SUPERVISE_SECONDS = 2.0
IDLE_SECONDS = 0.5  # between looks at a batch that has work in flight and nothing to claim


class Orchestrator:
    """Owns this process's batch threads. ``start`` and ``stop`` may be called from any thread."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._pool = ThreadPoolExecutor(max_workers=BATCHES_AT_ONCE, thread_name_prefix="batch")
        self._running: dict[int, Future[None]] = {}
        self._held: set[int] = set()
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to look for work."""
        self._supervisor.start()

    def wake(self) -> None:
        """Look for work now: something was launched or resumed."""
        self._awake.set()

    def stop(self, grace_seconds: float = 30.0) -> None:
        """Claim nothing more, let what is in flight finish within the grace time, give back the rest."""
        self._stopping.set()
        self._awake.set()
        self._supervisor.join(timeout=SUPERVISE_SECONDS + 5)
        for running in list(self._running.values()):
            try:
                running.result(timeout=grace_seconds)
            except TimeoutError:
                logger.warning("a batch thread did not end within the grace time")
        self._pool.shutdown(wait=False, cancel_futures=True)
        try:
            with self.desk.database.session() as session:
                records.recover(session, [self.owner], now=utc_now())
        except DatabaseUnavailable as error:
            logger.warning("could not sign off: %s", error)

    # --- supervisor thread -------------------------------------------------------------------------------------------

    def _supervise(self) -> None:
        last_heartbeat = 0.0
        first = True
        while not self._stopping.is_set():
            try:
                now = utc_now()
                if now.timestamp() - last_heartbeat >= records.HEARTBEAT_SECONDS:
                    self._heartbeat(now, dead=self._dead_neighbours() if first else [])
                    last_heartbeat, first = now.timestamp(), False
                self._take_open_batches()
            except DatabaseUnavailable as error:
                logger.warning("the database is away: %s", error)
            except Exception:
                logger.exception("the supervisor failed; it goes on")
            self._awake.wait(SUPERVISE_SECONDS)
            self._awake.clear()

    def _heartbeat(self, now: datetime, dead: list[str]) -> None:
        with self.desk.database.session() as session:
            records.heartbeat(session, list(self._held), owner=self.owner, host=socket.gethostname(), pid=os.getpid(), now=now)
            if queued := records.recover(session, dead, now=now):
                logger.warning("%d records of dead workers are queued again", queued)

    def _dead_neighbours(self) -> list[str]:
        """Workers registered from this host whose process is gone: theirs can be taken back at once, without waiting for the lease."""
        with self.desk.database.session() as session:
            neighbours = records.workers_on(session, socket.gethostname())
            return [worker.owner for worker in neighbours if worker.owner != self.owner and not _is_alive(worker.pid, worker.started_at)]

    def _take_open_batches(self) -> None:
        with self.desk.database.session() as session:
            waiting = session.scalars(
                select(BatchSession.id)
                .where(
                    BatchSession.status.in_(BatchStatus.claimable()),
                    select(BatchRecord.id)
                    .where(BatchRecord.batch_id == BatchSession.id, BatchRecord.status == RecordStatus.PENDING)
                    .exists(),
                )
                .order_by(BatchSession.id)
            ).all()
            for batch_id in session.scalars(select(BatchSession.id).where(BatchSession.status.in_(BatchStatus.claimable()))):
                if batch_id not in waiting and batch_id not in self._running:
                    batches.finish_if_done(session, batch_id, now=utc_now())
        self._running = {batch_id: running for batch_id, running in self._running.items() if not running.done()}
        for batch_id in waiting:
            if batch_id not in self._running and not self._stopping.is_set():
                self._running[batch_id] = self._pool.submit(self._run_batch, batch_id)

    # --- batch thread ------------------------------------------------------------------------------------------------

    def _run_batch(self, batch_id: int) -> None:
        try:
            asyncio.run(BatchRun(self.desk, batch_id, self.owner, self._stopping, self._held).run())
        except DatabaseUnavailable as error:
            logger.warning("batch %d waits for the database: %s", batch_id, error)
        except Exception:
            logger.exception("batch %d failed; its records will be queued again", batch_id)


class BatchRun:
    """One batch on one event loop, until nothing is left to claim. Not to be shared between threads."""

    def __init__(self, desk: Desk, batch_id: int, owner: str, stopping: threading.Event, held: set[int]) -> None:
        self.desk = desk
        self.batch_id = batch_id
        self.owner = owner
        self.stopping = stopping
        self._held = held
        """Ids of the records in flight in this process, whose leases the supervisor renews; adding and removing is atomic."""
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix=f"batch-{self.batch_id}-db")
        )
        settings, configuration, concurrency = await self.desk.offload(self._read_batch)
        async with AsyncExitStack() as stack:
            try:
                model = await stack.enter_async_context(build_model(configuration.model, settings))
                web = WebSearch(settings) if configuration.research_provider == "tavily" else None
            except SettingsError as error:
                await self._pause(str(error))
                return
            if web is not None:
                await stack.enter_async_context(web)
            tools = Tools(configuration, model, web)
            while await self._fill(concurrency, settings, tools):
                pass
        await self.desk.offload(lambda session: batches.finish_if_done(session, self.batch_id, now=utc_now()))

    def _read_batch(self, session: Session) -> tuple[Settings, Configuration, int]:
        batch = session.get_one(BatchSession, self.batch_id)
        return self.desk.settings(session), Configuration.from_json(batch.configuration), batch.concurrency

    async def _fill(self, concurrency: int, settings: Settings, tools: Tools) -> bool:
        """Claim for the free places, then wait for one to end. Returns False when nothing is left to do here."""
        free = concurrency - len(self._in_flight)
        claims: list[Claim] = []
        if free and not self.stopping.is_set():
            claims = await self.desk.offload(
                lambda session: records.claim(session, self.batch_id, owner=self.owner, most=free, now=utc_now())
            )
            for claim in claims:
                task = asyncio.create_task(self._process(claim, settings, tools))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
        if not self._in_flight:
            return False
        await asyncio.wait(self._in_flight, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def _process(self, claim: Claim, settings: Settings, tools: Tools) -> None:
        """Hold one claimed article while it runs. Should the database stay away, its lease runs out and it is queued again."""
        self._held.add(claim.record_id)
        try:
            await self._run_and_end(claim, settings, tools)
        except DatabaseUnavailable as error:
            logger.warning("record %d is left to be recovered: %s", claim.record_id, error)
        finally:
            self._held.discard(claim.record_id)

    async def _run_and_end(self, claim: Claim, settings: Settings, tools: Tools) -> None:
        """Run one article and write down how it ended."""
        if claim.article_id is None:
            await self._end(records.skip, claim, "the article was deleted")
            return
        meter = Meter(self.desk, settings, self.owner, self.batch_id, claim.record_id, claim.article_id)
        try:
            await run_article(meter, tools)
        except NotFound:
            await self._end(records.skip, claim, "the article was deleted")
        except NoRoom as refusal:
            await self._give_back(claim)
            await self._pause(await self.desk.offload(partial(self._budget_reason, refusal=refusal)))
        except CallFailed as error:
            if error.failure.action is Action.STOP:
                await self._give_back(claim)
                await self._pause(error.failure.message)
            else:
                await self._end(records.fail, claim, error.failure.kind.value, error.failure.message)
                await self._stop_if_too_many_failed(settings)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            logger.exception("article failed", extra={"record_id": claim.record_id, "batch_id": self.batch_id})
            words = str(error) if isinstance(error, DeskError) else f"{type(error).__name__}: {error}"
            await self._end(records.fail, claim, FailureKind.INTERNAL.value, words[:500])
        else:
            await self._end(records.complete, claim)

    async def _end(self, end: Callable[..., bool], claim: Claim, *words: str) -> None:
        kept = await self.desk.offload(lambda session: end(session, claim.record_id, *words, owner=self.owner, now=utc_now()))
        if not kept:
            logger.warning("record %d was taken over by another worker", claim.record_id)

    async def _give_back(self, claim: Claim) -> None:
        await self.desk.offload(lambda session: records.give_back(session, claim.record_id, owner=self.owner, now=utc_now()))

    async def _pause(self, reason: str) -> None:
        def pause(session: Session) -> None:
            try:
                batches.pause(session, self.batch_id, reason)
            except DeskError as error:
                logger.info("not paused: %s", error)

        await self.desk.offload(pause)

    def _budget_reason(self, session: Session, *, refusal: NoRoom) -> str:
        state = batches.progress(session, self.batch_id)
        left = state.counts[RecordStatus.PENDING] + state.counts[RecordStatus.PROCESSING]
        each = max(state.estimated_usd / max(state.total, 1), refusal.asked)
        return f"{refusal} It needs about {usd(each * left)} to finish {left} articles. Raise the budget, then resume."

    async def _stop_if_too_many_failed(self, settings: Settings) -> None:
        failed, ran = await self.desk.offload(lambda session: records.failures(session, self.batch_id))
        if ran >= settings.failure_minimum and failed > settings.failure_share * ran:
            await self._pause(
                f"{failed} of {ran} articles failed, more than the tolerated {settings.failure_share:.0%}. "
                "Look at their reasons, then resume or cancel."
            )


def _is_alive(pid: int, registered_at: datetime) -> bool:
    """Whether the process that registered then still runs (and is not another one with the same number)."""
    try:
        return psutil.Process(pid).create_time() <= registered_at.timestamp()
    except psutil.NoSuchProcess:
        return False
