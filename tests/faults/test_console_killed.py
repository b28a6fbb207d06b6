"""The console is killed or asked to end in the middle of a run: nothing is lost, and what was paid for is not paid again."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.database import Database
from core.models import BatchStatus, RecordStatus
from tests.faults.accounts import Accounts, assert_budgets_hold, finished_articles, searches_kept
from tests.faults.conftest import Console, launch, progress_of, provider_settings, wait_for, wait_until_it_rests
from tests.loopback import LoopbackProviders

pytestmark = pytest.mark.slow

KILLS = 20
ARTICLES = 200


def requests_in(record: Path) -> int:
    return record.read_bytes().count(b"\n")


@pytest.fixture
def batch_of(database: Database, make_settings: Any, providers: LoopbackProviders, articles: Any) -> Callable[..., int]:
    """``batch_of(60, concurrency=8)`` launches so many articles; nobody runs them yet."""

    def make(number: int, **settings: Any) -> int:
        articles(number)
        return launch(database, make_settings(**provider_settings(providers, **settings)))

    return make


def test_killed_at_twenty_moments_of_a_run_nothing_is_lost_or_paid_twice(
    batch_of: Callable[..., int], database: Database, database_url: str, start_console: Callable[..., Console], record: Path
) -> None:
    batch_id = batch_of(ARTICLES)
    moments = Random(20)
    done_at_kill: list[int] = []
    for kill in range(KILLS):
        console = start_console(DATABASE_URL=database_url)
        if kill % 5 == 4:  # also while it starts, recovers and claims
            time.sleep(moments.uniform(1.0, 3.5))
        else:
            more = requests_in(record) + moments.randint(1, 40)
            wait_for(lambda: requests_in(record) >= more or not console.is_alive, 40, f"request {more}")  # noqa: B023 - ends in this round
            time.sleep(moments.uniform(0, 0.15))
        assert console.is_alive, console.printed
        console.kill()
        state = progress_of(database, batch_id)
        assert state is not None
        done_at_kill.append(state.ended)
    assert 0 < done_at_kill[-1] < ARTICLES  # every kill was in the middle of the run

    start_console(DATABASE_URL=database_url)
    state = wait_until_it_rests(database, batch_id)
    accounts = Accounts.read(record, database)
    accounts.assert_no_answer_was_paid_twice(finished_articles(database, batch_id), searches_kept(database))
    print(f"done at the kills: {done_at_kill}; served {len(accounts.served)}, in doubt {len(accounts.lines('UNKNOWN'))}, "
          f"paid again {len(accounts.paid_twice)}, each in doubt")  # fmt: skip
    assert state.status is BatchStatus.COMPLETED
    assert state.counts[RecordStatus.COMPLETED] == ARTICLES
    accounts.assert_they_agree()
    assert {line.error_kind for line in accounts.lines("UNKNOWN")} == {"worker_died"}
    assert len(accounts.lines("UNKNOWN")) > KILLS  # the kills did fall into calls
    assert_budgets_hold(database)


def test_asked_to_end_it_finishes_what_is_in_flight_and_the_next_console_the_rest(
    batch_of: Callable[..., int],
    database: Database,
    database_url: str,
    start_console: Callable[..., Console],
    record: Path,
    providers: LoopbackProviders,
) -> None:
    providers.behave(latency=0.5)
    batch_id = batch_of(60)
    console = start_console(DATABASE_URL=database_url).wait_until_it_serves()
    wait_for(lambda: requests_in(record) >= 40, 30, "40 requests")
    code, seconds = console.terminate()
    assert code == 0, console.printed
    assert seconds < 30

    state = progress_of(database, batch_id)
    assert state is not None
    assert 0 < state.counts[RecordStatus.COMPLETED] < 60
    assert state.counts[RecordStatus.PROCESSING] == 0
    Accounts.read(record, database).assert_equal()

    start_console(DATABASE_URL=database_url)
    state = wait_until_it_rests(database, batch_id)
    assert state.counts[RecordStatus.COMPLETED] == 60
    accounts = Accounts.read(record, database)
    accounts.assert_equal()
    assert not accounts.paid_twice
    print(f"ended in {seconds:.1f} s")
