"""Two consoles on one database spend one budget: never a cent more than it, by the providers' own count."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core import batch_actions
from core.access import local
from core.database import Database
from core.models import BatchStatus, RecordStatus
from tests.faults.accounts import Accounts, assert_budgets_hold, served_usd
from tests.faults.conftest import Console, launch, provider_settings, wait_for, wait_until_it_rests
from tests.loopback import LoopbackProviders

pytestmark = pytest.mark.slow

ARTICLES = 320
EACH = 32  # in flight a console, so 64 together
PRICE_OF_A_CALL = Decimal("0.001")  # the cheapest content analysis costs about that; its worst case twenty times as much


def working_consoles(database: Database) -> int:
    with database.session() as session:
        return session.scalar(text("SELECT count(DISTINCT lease_owner) FROM batch_records")) or 0


def run_to_the_end_on_topped_up_money(database: Database, batch_id: int, record: Path) -> int:
    """Top up and resume as often as the console asks for it; returns how often. The limit holds at each rest."""
    for times in range(6):
        state = wait_until_it_rests(database, batch_id)
        assert state.limit_usd is not None
        assert served_usd(Accounts.read(record, database).served) <= state.limit_usd
        if state.status is BatchStatus.COMPLETED:
            return times
        with database.session() as session:
            batch_actions.top_up_and_resume(session, batch_id, by=local("tester"))
    raise AssertionError(f"topped up six times and still {state}")


@pytest.fixture
def two_consoles(start_console: Callable[..., Console], database_url: str) -> Callable[[], list[Console]]:
    def start() -> list[Console]:
        consoles = [start_console(DATABASE_URL=database_url) for _ in range(2)]
        return [console.wait_until_it_serves() for console in consoles]

    return start


@pytest.mark.parametrize("budget", [Decimal("1.40"), PRICE_OF_A_CALL], ids=["half_of_what_is_needed", "less_than_one_call"])
def test_two_consoles_never_spend_more_than_the_batchs_budget(
    budget: Decimal,
    database: Database,
    make_settings: Any,
    providers: LoopbackProviders,
    articles: Any,
    two_consoles: Callable[[], list[Console]],
    record: Path,
) -> None:
    enough_for_a_call = budget > PRICE_OF_A_CALL
    number = ARTICLES if enough_for_a_call else 6
    providers.behave(latency={"gemini": 1.0, "tavily": 0.3})
    two_consoles()
    articles(number)
    settings = make_settings(**provider_settings(providers, concurrency=EACH, searches_per_article=1, max_output_tokens=2_048))
    batch_id = launch(database, settings, budget)

    if enough_for_a_call:
        wait_for(lambda: working_consoles(database) == 2, 60, "both consoles hold articles")
    state = wait_until_it_rests(database, batch_id)
    accounts = Accounts.read(record, database)
    spent = served_usd(accounts.served)
    assert state.status is BatchStatus.PAUSED
    assert "Budget for batch 1 is" in (state.pause_reason or "")
    assert spent <= budget
    accounts.assert_equal()
    if enough_for_a_call:
        assert spent > budget / 2  # it was used before the pause
        assert providers.served()["peak_concurrency"]["all"] >= 60  # of the 64 that two consoles may have
        assert 0 < state.counts[RecordStatus.COMPLETED] < number
    else:
        assert not accounts.served

    began = time.monotonic()
    times = run_to_the_end_on_topped_up_money(database, batch_id, record)
    accounts = Accounts.read(record, database)
    accounts.assert_equal()
    assert_budgets_hold(database)
    assert wait_until_it_rests(database, batch_id).counts[RecordStatus.COMPLETED] == number
    assert not accounts.paid_twice
    print(f"{spent} of {budget} was spent at the pause; topped up {times} times, {time.monotonic() - began:.1f} s; "
          f"peak {providers.served()['peak_concurrency']}")  # fmt: skip
