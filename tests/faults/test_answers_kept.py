"""The console is killed inside an article, after answers that were paid for: the next one goes on from them, searches included."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.models import BatchStatus, RecordStatus
from tests.faults.accounts import Accounts, assert_budgets_hold
from tests.faults.conftest import Console, launch, progress_of, provider_settings, wait_for, wait_until_it_rests
from tests.loopback import LoopbackProviders, read_record

pytestmark = pytest.mark.slow

ARTICLES = 8


def hanging(record: Path) -> int:
    """How many calls have come to hang."""
    return sum(entry.fault == "hang" for entry in read_record(record))


@pytest.mark.parametrize(
    ("at", "fabricated"),
    [("The search results:", 0.0), ("do not stand in the article", 1.0)],
    ids=["validating_after_the_searches", "correcting_a_first_answer"],
)
def test_a_crash_repeats_the_call_in_flight_and_no_answer_before_it(
    at: str,
    fabricated: float,
    database: Database,
    database_url: str,
    make_settings: Any,
    providers: LoopbackProviders,
    articles: Any,
    start_console: Callable[..., Console],
    record: Path,
) -> None:
    providers.behave(fabricated_quotes=fabricated)
    providers.faults({"kind": "hang", "provider": "gemini", "contains": at})
    articles(ARTICLES)
    batch_id = launch(database, make_settings(**provider_settings(providers, concurrency=ARTICLES, minimum_confidence=0.0)))
    console = start_console(DATABASE_URL=database_url)
    try:
        wait_for(lambda: hanging(record) == ARTICLES, 60, "every article hangs there")
    finally:
        print(Counter((entry.task, entry.fault, entry.status) for entry in read_record(record)), progress_of(database, batch_id))
    before = Accounts.read(record, database)
    console.kill()
    providers.clear_faults()

    start_console(DATABASE_URL=database_url)
    state = wait_until_it_rests(database, batch_id)
    assert state.status is BatchStatus.COMPLETED
    assert state.counts[RecordStatus.COMPLETED] == ARTICLES
    after = Accounts.read(record, database)
    billed_before = Counter(entry.work for entry in before.served if entry.billed)
    assert billed_before.total() >= ARTICLES
    again = {entry.work for entry in after.served[len(before.served) :] if entry.billed and entry.work in billed_before}
    assert not again, f"{len(again)} of {billed_before.total()} answers were paid for again"
    assert len(after.lines("UNKNOWN")) == ARTICLES  # the call in flight of each
    assert {line.error_kind for line in after.lines("UNKNOWN")} == {"worker_died"}
    assert len(after.served) == len(after.ledger)
    after.assert_they_agree()
    assert_budgets_hold(database)
