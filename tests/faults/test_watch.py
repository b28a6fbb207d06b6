"""A database that was away for longer than work waits for it: the batch is watched again as soon as it is back."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core.batch_run import BatchRun
from core.configuration import Desk
from core.database import Database
from core.errors import DatabaseUnavailable
from core.models import BatchStatus, RecordStatus
from core.orchestrator import Orchestrator
from tests.faults.accounts import Accounts
from tests.faults.conftest import launch, progress_of, provider_settings, wait_for
from tests.loopback import LoopbackProviders

pytestmark = pytest.mark.slow

ARTICLES = 40


def test_stopping_is_noticed_after_a_look_found_no_database(
    database: Database, make_settings: Any, providers: LoopbackProviders, articles: Any, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    look = BatchRun._read_status

    def away_at_first(self: BatchRun, session: Session) -> tuple[BatchStatus, bool]:
        looks.append(None)
        if len(looks) <= 2:  # a look is tried twice at least
            raise DatabaseUnavailable("away")
        return look(self, session)

    monkeypatch.setattr("core.configuration.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(BatchRun, "_read_status", away_at_first)
    providers.behave(latency=0.3)
    articles(ARTICLES)
    desk = Desk(database, make_settings(**provider_settings(providers, concurrency=4)))
    batch_id = launch(database, desk.environment)
    orchestrator = Orchestrator(desk)
    orchestrator.start()
    try:
        wait_for(lambda: providers.served()["requests"] >= 10, 30, "10 requests")
    finally:
        orchestrator.stop(grace_seconds=20)
    state = progress_of(database, batch_id)
    assert state is not None
    assert state.counts[RecordStatus.PENDING] > ARTICLES // 2
    assert state.counts[RecordStatus.PROCESSING] == 0
    Accounts.read(record, database).assert_equal()
