"""Ten minutes without a provider, on a driven clock: nothing is lost, and an analyst who looks in every two minutes gets it done."""

import asyncio
import heapq
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core import batch_actions, batches
from core.batch_run import BatchRun, Shared
from core.configuration import Desk
from core.database import Database
from core.models import BatchStatus, RecordStatus
from tests.actors import ANN
from tests.faults.accounts import Accounts, assert_budgets_hold
from tests.faults.conftest import launch, provider_settings
from tests.loopback import LoopbackProviders

pytestmark = pytest.mark.slow

ARTICLES = 40
OUTAGE_SECONDS = 600.0
LOOKS_IN_EVERY = 120.0


class DrivenClock:
    """Seconds that pass only while everybody sleeps: who sleeps is woken in order, and nobody really waits."""

    def __init__(self, at: float, then: Callable[[], Any]) -> None:
        self.now = 0.0
        self._at, self._then = at, then
        self._sleeping: list[tuple[float, int]] = []
        self._numbers = count()

    def go_on(self, until: float) -> None:
        passed = self.now < self._at <= until
        self.now = max(self.now, until)
        if passed:
            self._then()

    async def sleep(self, seconds: float) -> None:
        me = (self.now + seconds, next(self._numbers))
        heapq.heappush(self._sleeping, me)
        try:
            await asyncio.sleep(0.02)  # for calls that are under way
            while self._sleeping[0] != me:
                await asyncio.sleep(0.001)
        finally:
            self._sleeping.remove(me)
            heapq.heapify(self._sleeping)
        self.go_on(me[0])


@pytest.fixture
def providers(record: Path) -> Iterator[LoopbackProviders]:
    with LoopbackProviders(signals=(1, 3), record=str(record)) as running:
        yield running


@pytest.fixture
def launched(database: Database, make_settings: Any, providers: LoopbackProviders, articles: Any) -> tuple[Desk, int]:
    articles(ARTICLES)
    desk = Desk(database, make_settings(**provider_settings(providers)))
    return desk, launch(database, desk.environment)


def run(desk: Desk, batch_id: int, clock: DrivenClock) -> batches.Progress:
    asyncio.run(BatchRun(desk, batch_id, Shared(owner="driven"), sleep=clock.sleep).run())
    with desk.database.session() as session:
        return batches.progress(session, batch_id)


def reasons(desk: Desk) -> set[tuple[str, str]]:
    with desk.database.session() as session:
        return {tuple(row) for row in session.execute(text("SELECT error_kind, error_message FROM batch_records WHERE status = 'FAILED'"))}


def test_ten_minutes_without_the_model(launched: tuple[Desk, int], providers: LoopbackProviders, record: Path) -> None:
    desk, batch_id = launched
    providers.faults({"kind": "outage", "provider": "gemini", "after_n": 20})
    clock = DrivenClock(OUTAGE_SECONDS, providers.clear_faults)
    looks = 0
    while (state := run(desk, batch_id, clock)).status is not BatchStatus.COMPLETED or state.counts[RecordStatus.FAILED]:
        counts = state.counts
        assert counts[RecordStatus.COMPLETED] + counts[RecordStatus.FAILED] + counts[RecordStatus.PENDING] == ARTICLES
        assert clock.now < OUTAGE_SECONDS + LOOKS_IN_EVERY
        if state.status is BatchStatus.PAUSED:
            assert "articles failed, more than is tolerated" in (state.pause_reason or "")
        assert {kind for kind, _ in reasons(desk)} == {"overload"}
        assert all("overloaded or failing" in words for _, words in reasons(desk))
        accounts = Accounts.read(record, desk.database)
        accounts.assert_equal()
        looks += 1
        clock.go_on(LOOKS_IN_EVERY * looks)
        with desk.database.session() as session:
            batch_actions.retry_failed(session, batch_id, by=ANN)
    assert clock.now >= OUTAGE_SECONDS
    if state.failed_research:
        with desk.database.session() as session:
            batch_actions.retry_research(session, batch_id, by=ANN)
        state = run(desk, batch_id, clock)

    assert state.counts[RecordStatus.COMPLETED] == ARTICLES
    assert state.failed_research == 0
    accounts = Accounts.read(record, desk.database)
    accounts.assert_equal()
    assert not accounts.paid_twice
    assert_budgets_hold(desk.database)
    refused = sum(entry.fault == "outage" for entry in accounts.served)
    assert refused < ARTICLES * 4 * (looks + 1)  # each call is made at most four times a look, however long the outage
    print(f"{looks} looks in {clock.now:.0f} s, {refused} of {len(accounts.served)} requests refused")


def test_ten_minutes_without_the_search_keep_the_analyses_and_research_later(
    launched: tuple[Desk, int], providers: LoopbackProviders, record: Path
) -> None:
    desk, batch_id = launched
    providers.faults({"kind": "outage", "provider": "tavily", "after_n": 20})
    clock = DrivenClock(OUTAGE_SECONDS, providers.clear_faults)
    state = run(desk, batch_id, clock)
    assert state.status is BatchStatus.COMPLETED
    assert state.counts[RecordStatus.COMPLETED] == ARTICLES
    assert state.failed_research > 0
    Accounts.read(record, desk.database).assert_equal()

    clock.go_on(OUTAGE_SECONDS)
    with desk.database.session() as session:
        batch_actions.retry_research(session, batch_id, by=ANN)
    state = run(desk, batch_id, clock)
    assert state.counts[RecordStatus.COMPLETED] == ARTICLES
    assert state.failed_research == 0
    accounts = Accounts.read(record, desk.database)
    accounts.assert_equal()
    assert len(accounts.billed("content_analysis")) == ARTICLES
    assert_budgets_hold(desk.database)
