"""The ledger and the budgets: no interleaving of calls passes a limit, and the sums of the one are the figures of the other."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule, run_state_machine_as_test
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import batch_actions, budget, launching, limits, records
from core.access import local
from core.budget import BudgetState, Call, CeilingReached, End, LeaseLost, NoRoom, usd
from core.configuration import Desk
from core.errors import BudgetExceeded, NotFound
from core.models import (
    BatchSession,
    Budget,
    BudgetEvent,
    BudgetEventKind,
    BudgetScope,
    LedgerEntry,
    LedgerKind,
    LedgerStatus,
)
from core.pricing import TokenUsage
from core.selection import Selection
from core.settings import Settings
from tests.actors import ANN
from tests.conftest import NOW
from tests.core.locks import wait_until_blocked

D = Decimal
ZERO = D(0)


def a_call(worst: Decimal | str = "0.10", **values: Any) -> Call:
    return Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", D(worst), **values)


def reserve(desk: Desk, call: Call, *, owner: str = "w1", now: datetime = NOW, settings: Settings | None = None) -> int:
    """The entry's id; raises what it was refused with."""
    (answer,) = desk.transaction(lambda session: budget.reserve(session, [call], settings or desk.environment, owner=owner, now=now))
    if not isinstance(answer, int):
        raise answer
    return answer


def settle(desk: Desk, entry: int, cost: Decimal | str, **values: Any) -> None:
    desk.transaction(lambda session: budget.end(session, [End.settled(entry, D(cost), **values)], now=NOW))


def release(desk: Desk, entry: int) -> None:
    desk.transaction(lambda session: budget.end(session, [End.released(entry, "rate_limit", "Slower.")], now=NOW))


def settle_unknown(desk: Desk, entry: int) -> None:
    desk.transaction(lambda session: budget.end(session, [End.unknown(entry, "timeout", "No answer.")], now=NOW))


def states(desk: Desk) -> dict[tuple[BudgetScope, str], BudgetState]:
    with desk.database.session() as session:
        keys = session.execute(select(Budget.scope, Budget.key)).all()
        return {(state.scope, state.key): state for state in budget.budget_states(session, [(row[0], row[1]) for row in keys])}


def today(desk: Desk) -> BudgetState:
    return states(desk)[BudgetScope.DAY, "2026-11-24"]


def entry_of(desk: Desk, entry: int) -> LedgerEntry:
    with desk.database.session() as session:
        return session.get_one(LedgerEntry, entry)


def a_batch(desk: Desk, limit: str | None = None) -> int:
    with desk.database.session() as session:
        batch = BatchSession(launched_by="ada", configuration={}, configuration_hash="0", selection={}, estimate={}, concurrency=1)
        session.add(batch)
        session.flush()
        if limit is not None:
            budget.create_batch_budget(session, batch.id, D(limit))
        return batch.id


# One call


def test_a_reservation_is_held_against_the_day_the_month_and_the_batch(desk: Desk) -> None:
    batch_id = a_batch(desk, limit="1")
    reserve(desk, a_call("0.25", batch_id=batch_id))
    held = states(desk)
    assert {key: (state.limit, state.spent, state.reserved) for key, state in held.items()} == {
        (BudgetScope.DAY, "2026-11-24"): (D(5), ZERO, D("0.25")),
        (BudgetScope.MONTH, "2026-11"): (D(100), ZERO, D("0.25")),
        (BudgetScope.BATCH, str(batch_id)): (D(1), ZERO, D("0.25")),
    }
    assert today(desk).room == D("4.75")


def test_another_batchs_calls_leave_a_batchs_budget_alone(desk: Desk) -> None:
    batch_id, other = a_batch(desk, limit="1"), a_batch(desk, limit="1")
    settle(desk, reserve(desk, a_call(batch_id=other)), "0.10")
    assert states(desk)[BudgetScope.BATCH, str(batch_id)].room == D(1)
    assert states(desk)[BudgetScope.BATCH, str(other)].spent == D("0.10")


def test_a_settled_call_costs_what_the_provider_counted(desk: Desk) -> None:
    entry = reserve(desk, a_call("0.25"))
    settle(desk, entry, "0.07", tokens=TokenUsage(1_000, 200, 300, 400), credits=D(1))
    row = entry_of(desk, entry)
    assert (row.status, row.usd, row.reserved_usd, row.owner, row.settled_at) == (LedgerStatus.SETTLED, D("0.07"), D("0.25"), None, NOW)
    assert (row.input_tokens, row.cached_tokens, row.output_tokens, row.thinking_tokens, row.search_credits) == (1_000, 200, 300, 400, 1)
    assert (today(desk).spent, today(desk).reserved) == (D("0.07"), ZERO)


def test_a_call_that_cost_more_than_was_reserved_is_entered_in_full(desk: Desk) -> None:
    settle(desk, reserve(desk, a_call("0.10")), "0.12")
    assert (today(desk).spent, today(desk).reserved) == (D("0.12"), ZERO)


def test_a_released_call_costs_nothing_and_says_why(desk: Desk) -> None:
    entry = reserve(desk, a_call())
    release(desk, entry)
    row = entry_of(desk, entry)
    assert (row.status, row.usd, row.owner, row.error_kind, row.error_message) == (
        LedgerStatus.RELEASED,
        ZERO,
        None,
        "rate_limit",
        "Slower.",
    )
    assert (today(desk).spent, today(desk).reserved) == (ZERO, ZERO)


def test_a_call_without_an_answer_counts_with_its_worst_case(desk: Desk) -> None:
    entry = reserve(desk, a_call("0.10"))
    settle_unknown(desk, entry)
    row = entry_of(desk, entry)
    assert (row.status, row.usd, row.owner, row.error_kind) == (LedgerStatus.UNKNOWN, D("0.10"), None, "timeout")
    assert (today(desk).spent, today(desk).reserved) == (D("0.10"), ZERO)


ENDS: list[Callable[[Desk, int], None]] = [lambda desk, entry: settle(desk, entry, "0.07"), release, settle_unknown]


@pytest.mark.parametrize("second", ENDS, ids=["settle", "release", "unknown"])
@pytest.mark.parametrize("first", ENDS, ids=["settle", "release", "unknown"])
def test_a_call_ends_once(desk: Desk, first: Callable[[Desk, int], None], second: Callable[[Desk, int], None]) -> None:
    entry = reserve(desk, a_call())
    first(desk, entry)
    kept, row = today(desk), entry_of(desk, entry)
    second(desk, entry)
    assert today(desk) == kept
    assert (entry_of(desk, entry).status, entry_of(desk, entry).usd, entry_of(desk, entry).error_kind) == (
        row.status,
        row.usd,
        row.error_kind,
    )


def test_a_free_call_is_entered_without_a_budget(desk: Desk) -> None:
    entry = reserve(desk, a_call("0"), settings=Settings(_env_file=None, daily_budget=0))
    assert entry_of(desk, entry).status is LedgerStatus.RESERVED
    settle(desk, entry, "0", tokens=TokenUsage(input=5))
    assert (entry_of(desk, entry).status, entry_of(desk, entry).input_tokens) == (LedgerStatus.SETTLED, 5)
    assert states(desk) == {}


def test_a_call_that_fits_exactly_is_let_through_and_a_hundred_millionth_more_is_not(desk: Desk, make_settings: Any) -> None:
    settings = make_settings(daily_budget="0.30")
    reserve(desk, a_call("0.30"), settings=settings)
    with pytest.raises(NoRoom):
        reserve(desk, a_call("0.00000001"), settings=settings)


@pytest.mark.parametrize("scope", list(BudgetScope))
def test_each_budget_alone_can_refuse(desk: Desk, make_settings: Any, scope: BudgetScope) -> None:
    small = {"daily_budget": "0.05"} if scope is BudgetScope.DAY else {"monthly_budget": "0.05"} if scope is BudgetScope.MONTH else {}
    batch_id = a_batch(desk, limit="0.05" if scope is BudgetScope.BATCH else "1")
    with pytest.raises(NoRoom) as refused:
        reserve(desk, a_call(batch_id=batch_id), settings=make_settings(**small))
    assert refused.value.budget.scope is scope
    with desk.database.session() as session:
        assert session.scalars(select(LedgerEntry.id)).all() == []
    assert all(state.reserved == 0 for state in states(desk).values())


def test_a_refusal_gives_the_figures_and_says_whether_waiting_may_help(desk: Desk, make_settings: Any) -> None:
    settings = make_settings(daily_budget="2")
    entry = reserve(desk, a_call("1.97"), settings=settings)
    with pytest.raises(NoRoom) as refused:
        reserve(desk, a_call("0.11"), settings=settings)
    assert str(refused.value) == "Budget for today is $2.00; $0.00 is spent, $1.97 reserved and $0.11 was asked for."
    assert refused.value.may_free
    settle(desk, entry, "1.97")
    with pytest.raises(NoRoom) as refused:
        reserve(desk, a_call("0.11"), settings=settings)
    assert str(refused.value) == "Budget for today is $2.00; $1.97 is spent and $0.11 was asked for."
    assert not refused.value.may_free


def test_a_call_that_would_take_its_article_over_the_ceiling_is_refused_with_the_figures(desk: Desk, articles: Any) -> None:
    (article,) = articles(1)
    batch_id = a_batch(desk, limit="1")
    known = {"batch_id": batch_id, "article_id": article, "ceiling_usd": D("0.25")}
    settle(desk, reserve(desk, a_call("0.10", **known)), "0.05")
    reserve(desk, a_call("0.12", **known))
    with pytest.raises(
        CeilingReached, match=r"ceiling per article is \$0\.25; \$0\.17 is spent on this one and up to \$0\.0801 was asked for"
    ):
        reserve(desk, a_call("0.0801", **known))
    assert today(desk).reserved == D("0.12")
    reserve(desk, a_call("0.08", **known))
    reserve(desk, a_call("0.90", batch_id=a_batch(desk), article_id=article, ceiling_usd=D("0.90")))


def test_a_batch_without_a_ceiling_for_its_articles_has_none(desk: Desk, articles: Any) -> None:
    (article,) = articles(1)
    assert reserve(desk, a_call("4", batch_id=a_batch(desk), article_id=article))


@pytest.fixture
def held(desk: Desk, articles: Any) -> Call:
    """A call for a record that w1 has claimed."""
    chosen = Selection.of_ids(articles(1))
    with desk.database.session() as session:
        batch_id = launching.launch(session, chosen, desk.environment, by=local("ada"), now=NOW)
        (claim,) = records.claim(session, batch_id, owner="w1", most=1, now=NOW)
    return a_call(batch_id=batch_id, record_id=claim.record_id, article_id=claim.article_id, leased=True)


def test_the_worker_that_holds_a_record_may_pay_for_it_and_no_other(desk: Desk, held: Call) -> None:
    assert reserve(desk, held, owner="w1")
    with pytest.raises(LeaseLost):
        reserve(desk, held, owner="w2")
    assert today(desk).reserved == D("0.10")


@pytest.mark.parametrize("worst", ["0.10", "0"])
@pytest.mark.parametrize("lost", ["ended", "recovered", "cancelled", "unknown"])
def test_nothing_is_paid_for_a_record_that_is_not_held_any_more(desk: Desk, held: Call, lost: str, worst: str) -> None:
    call = replace(held, worst_case_usd=D(worst), record_id=10**6 if lost == "unknown" else held.record_id)
    assert held.record_id is not None
    assert held.batch_id is not None
    with desk.database.session() as session:
        if lost == "ended":
            records.complete(session, [held.record_id], owner="w1", now=NOW)
        if lost == "recovered":
            records.recover(session, ["w1"], now=NOW)
        if lost == "cancelled":
            batch_actions.cancel(session, held.batch_id, now=NOW, by=ANN)
    with pytest.raises(LeaseLost, match="taken over or cancelled"):
        reserve(desk, call, owner="w1")
    with desk.database.session() as session:
        assert session.scalars(select(LedgerEntry.id)).all() == []
    assert all(state.reserved == 0 for state in states(desk).values())


def test_a_paused_batchs_articles_in_work_may_finish(desk: Desk, held: Call) -> None:
    assert held.batch_id is not None
    desk.transaction(lambda session: batch_actions.pause(session, held.batch_id or 0, "Ada paused it.", by=ANN))
    assert reserve(desk, held, owner="w1")


# Days and months


def test_a_call_counts_against_the_day_it_was_reserved_on(desk: Desk) -> None:
    before_midnight = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    entry = reserve(desk, a_call(), now=before_midnight)
    reserve(desk, a_call("0.20"), now=before_midnight + timedelta(seconds=1))
    desk.transaction(lambda session: budget.end(session, [End.settled(entry, D("0.08"))], now=before_midnight + timedelta(minutes=2)))
    assert {key: (state.spent, state.reserved) for (_, key), state in states(desk).items()} == {
        "2026-11-30": (D("0.08"), ZERO),
        "2026-11": (D("0.08"), ZERO),
        "2026-12-01": (ZERO, D("0.20")),
        "2026-12": (ZERO, D("0.20")),
    }
    assert entry_of(desk, entry).day == date(2026, 11, 30)


def test_the_day_is_utcs_whatever_the_clocks_zone(desk: Desk) -> None:
    tokyo = datetime(2026, 11, 25, 8, 0, tzinfo=timezone(timedelta(hours=9)))
    entry = reserve(desk, a_call(), now=tokyo)
    assert set(states(desk)) == {(BudgetScope.DAY, "2026-11-24"), (BudgetScope.MONTH, "2026-11")}
    assert entry_of(desk, entry).day == budget.utc_day(tokyo) == date(2026, 11, 24)


def test_a_days_limit_is_taken_from_the_settings_when_the_day_begins_and_changed_on_the_budget_after(
    desk: Desk, make_settings: Any
) -> None:
    reserve(desk, a_call(), settings=make_settings(daily_budget="1"))
    with desk.database.session() as session:
        day, month = budget.current_budgets(session, make_settings(daily_budget="9"), NOW)
        assert (day.limit, month.limit) == (D(1), D(100))
        limits.change_limit(session, day.id, D("3.50"), by=local("ada"))
    assert (today(desk).limit, today(desk).reserved) == (D("3.50"), D("0.10"))
    with desk.database.session() as session:
        event = session.scalars(select(BudgetEvent)).one()
        assert (event.kind, event.amount_usd, event.made_by) == (BudgetEventKind.LIMIT, D("3.50"), "ada")
        with pytest.raises(NotFound, match="no budget 999"):
            limits.change_limit(session, 999, D(1), by=local("ada"))


def test_todays_budget_comes_before_the_months_on_its_later_days_too(desk: Desk, make_settings: Any) -> None:
    for moment in (NOW, NOW + timedelta(days=1)):
        with desk.database.session() as session:
            states = budget.current_budgets(session, make_settings(), moment)
        assert [state.scope for state in states] == [BudgetScope.DAY, BudgetScope.MONTH]


def test_a_limit_lowered_under_what_is_spent_lets_nothing_more_through(desk: Desk) -> None:
    settle(desk, reserve(desk, a_call("1")), "1")
    desk.transaction(lambda session: limits.change_limit(session, today(desk).id, D("0.50"), by=local("ada")))
    assert today(desk).room == ZERO
    with pytest.raises(NoRoom):
        reserve(desk, a_call("0.00000001"))


# Alerts


def alerts(desk: Desk) -> list[tuple[BudgetScope, int | None]]:
    with desk.database.session() as session:
        rows = session.execute(
            select(Budget.scope, BudgetEvent.threshold)
            .join(BudgetEvent, BudgetEvent.budget_id == Budget.id)
            .where(BudgetEvent.kind == BudgetEventKind.ALERT)
            .order_by(BudgetEvent.id)
        )
        return [(row[0], row[1]) for row in rows]


def test_an_alert_is_raised_when_spending_reaches_two_thirds_five_sixths_and_all(desk: Desk, make_settings: Any) -> None:
    settings = make_settings(daily_budget="1")

    def spend(amount: str) -> list[int | None]:
        known = len(alerts(desk))
        settle(desk, reserve(desk, a_call(amount), settings=settings), amount)
        return [threshold for scope, threshold in alerts(desk)[known:] if scope is BudgetScope.DAY]

    assert [spend(amount) for amount in ("0.66", "0.01", "0.15", "0.01", "0.16", "0.01")] == [[], [67], [], [83], [], [100]]


def test_one_expensive_call_raises_every_alert_that_it_passes_once(desk: Desk, make_settings: Any) -> None:
    settings = make_settings(daily_budget="1")
    settle(desk, reserve(desk, a_call("0.90"), settings=settings), "0.90")
    assert alerts(desk) == [(BudgetScope.DAY, 67), (BudgetScope.DAY, 83)]
    desk.transaction(lambda session: limits.change_limit(session, today(desk).id, D(2), by=local("ada")))
    settle(desk, reserve(desk, a_call("0.90"), settings=settings), "0.90")
    assert alerts(desk) == [(BudgetScope.DAY, 67), (BudgetScope.DAY, 83)]


def test_a_reservation_alone_raises_no_alert(desk: Desk, make_settings: Any) -> None:
    entry = reserve(desk, a_call("1"), settings=make_settings(daily_budget="1"))
    assert alerts(desk) == []
    release(desk, entry)
    assert alerts(desk) == []


def test_a_call_without_an_answer_raises_alerts_too(desk: Desk, make_settings: Any) -> None:
    settle_unknown(desk, reserve(desk, a_call("1"), settings=make_settings(daily_budget="1")))
    assert [threshold for _, threshold in alerts(desk)] == [67, 83, 100]


# Articles, launches, words


def test_what_an_article_has_cost_is_what_is_spent_and_reserved_on_it_in_that_batch(desk: Desk, articles: Any) -> None:
    article, other = articles(2)
    batch_id, other_batch = a_batch(desk), a_batch(desk)
    settle(desk, reserve(desk, a_call("0.10", batch_id=batch_id, article_id=article)), "0.03")
    settle_unknown(desk, reserve(desk, a_call("0.05", batch_id=batch_id, article_id=article)))
    release(desk, reserve(desk, a_call("0.40", batch_id=batch_id, article_id=article)))
    reserve(desk, a_call("0.20", batch_id=batch_id, article_id=article))
    reserve(desk, a_call("0.70", batch_id=batch_id, article_id=other))
    reserve(desk, a_call("0.80", batch_id=other_batch, article_id=article))
    with pytest.raises(CeilingReached, match=r"\$0\.28 is spent on this one"):
        reserve(desk, a_call("0.01", batch_id=batch_id, article_id=article, ceiling_usd=D("0.28")))
    with pytest.raises(CeilingReached, match=r"\$0\.00 is spent on this one"):
        reserve(desk, a_call("0.29", batch_id=a_batch(desk), article_id=article, ceiling_usd=D("0.28")))


def test_a_launch_over_a_budget_is_refused_with_the_figures_and_what_to_do() -> None:
    room = BudgetState(1, BudgetScope.DAY, "2026-11-24", D(2), D("1.50"), D("0.25"))
    budget.refuse_if_over([room], D("0.25"))
    with pytest.raises(
        BudgetExceeded, match=r"Budget for today is \$2\.00; \$1\.50 is spent, \$0\.25 reserved and \$0\.26 .* raise the budget"
    ):
        budget.refuse_if_over([room], D("0.26"))


@pytest.mark.parametrize(
    ("spent", "reserved", "limit", "share", "room"), [("1", "0.5", "2", 0.75, "0.5"), ("3", "0", "2", 1.5, "0"), ("0", "0", "0", 1.0, "0")]
)
def test_the_share_used_and_the_room_left(spent: str, reserved: str, limit: str, share: float, room: str) -> None:
    state = BudgetState(1, BudgetScope.BATCH, "7", D(limit), D(spent), D(reserved))
    assert (state.share_used, state.room, state.label) == (share, D(room), "batch 7")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("1.97", "$1.97"),
        ("1234.5", "$1,234.50"),
        ("0.1", "$0.10"),
        ("0.0013", "$0.0013"),
        ("0.05", "$0.0500"),
        ("0.00003", "$0.00003"),
        ("0.00000001", "$0.00000001"),
    ],
)
def test_an_amount_is_never_shown_as_nothing(amount: str, shown: str) -> None:
    assert usd(D(amount)) == shown


# Several workers


def test_only_the_named_workers_reservations_end_when_they_die(desk: Desk) -> None:
    mine, theirs, ended = reserve(desk, a_call(), owner="w1"), reserve(desk, a_call(), owner="w2"), reserve(desk, a_call(), owner="w1")
    settle(desk, ended, "0.02")
    with desk.database.session() as session:
        assert budget.settle_orphans(session, ["w1", "w3"], now=NOW) == 1
        assert budget.settle_orphans(session, ["w1"], now=NOW) == 0
        assert budget.settle_orphans(session, [], now=NOW) == 0
    assert (entry_of(desk, mine).status, entry_of(desk, mine).error_kind) == (LedgerStatus.UNKNOWN, "worker_died")
    assert (entry_of(desk, theirs).status, entry_of(desk, theirs).owner) == (LedgerStatus.RESERVED, "w2")
    assert (today(desk).spent, today(desk).reserved) == (D("0.12"), D("0.10"))


def test_thirty_two_threads_share_a_budget_with_room_for_ten(desk: Desk, make_settings: Any) -> None:
    settings = make_settings(daily_budget="1.00")
    together = threading.Barrier(32)

    def attempt(number: int) -> int | NoRoom:
        together.wait(30)
        try:
            return reserve(desk, a_call("0.10"), owner=f"w{number}", settings=settings)
        except NoRoom as refusal:
            return refusal

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(attempt, range(32)))
    let_through = [answer for answer in answers if isinstance(answer, int)]
    assert len(let_through) == 10
    assert all(answer.may_free for answer in answers if isinstance(answer, NoRoom))
    assert (today(desk).spent, today(desk).reserved) == (ZERO, D(1))
    with desk.database.session() as session:
        assert sorted(session.scalars(select(LedgerEntry.id))) == sorted(let_through)


def test_threads_that_reserve_and_end_calls_leave_the_sums_right(desk: Desk, make_settings: Any) -> None:
    settings = make_settings(daily_budget="0.50")
    together = threading.Barrier(8)

    def work(number: int) -> tuple[Decimal, bool]:
        together.wait(30)
        cost = ZERO
        over = False
        for turn in range(6):
            try:
                entry = reserve(desk, a_call("0.05"), owner=f"w{number}", settings=settings)
            except NoRoom:
                continue
            over |= today(desk).spent + today(desk).reserved > today(desk).limit
            match (number + turn) % 3:
                case 0:
                    settle(desk, entry, "0.02")
                    cost += D("0.02")
                case 1:
                    release(desk, entry)
                case _:
                    settle_unknown(desk, entry)
                    cost += D("0.05")
        return cost, over

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(8)))
    assert not any(over for _, over in done)
    assert (today(desk).spent, today(desk).reserved) == (sum((cost for cost, _ in done), ZERO), ZERO)
    assert ZERO < today(desk).spent <= D("0.50")


def test_a_worker_taken_for_dead_can_settle_its_call_while_its_reservations_are_ended(desk: Desk) -> None:
    """Both lock entries and budgets; in the wrong order they would wait for one another and one of them be thrown out."""
    first, second = reserve(desk, a_call()), reserve(desk, a_call())
    with ThreadPoolExecutor(1) as pool:
        with desk.database.session() as session:
            session.execute(select(LedgerEntry.id).where(LedgerEntry.id == second).with_for_update())
            ending = pool.submit(desk.transaction, lambda other: budget.settle_orphans(other, ["w1"], now=NOW))
            wait_until_blocked(desk.database)
            budget.end(session, [End.settled(second, D("0.01"))], now=NOW)
        ending.result(30)
    assert (entry_of(desk, first).status, entry_of(desk, second).status) == (LedgerStatus.UNKNOWN, LedgerStatus.SETTLED)
    assert (today(desk).spent, today(desk).reserved) == (D("0.11"), ZERO)


# Any order of anything

OWNERS = st.sampled_from(["w1", "w2", "w3"])
AMOUNTS = st.decimals("0.00000001", "1.2", places=8) | st.sampled_from([D("0.50"), D("0.25"), D(1)])
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
MOMENTS = st.sampled_from([MIDNIGHT - timedelta(minutes=1), MIDNIGHT, MIDNIGHT + timedelta(days=6)])  # two days, then the next month


class Ledger(RuleBasedStateMachine):
    """Several workers, three days, two batches (one with a budget): the database against a model in a few dictionaries."""

    desk: Desk
    entries = Bundle("entries")

    def __init__(self) -> None:
        super().__init__()
        self.settings = Settings(_env_file=None, daily_budget=D(2), monthly_budget=D(3))
        with self.desk.database.session() as session:
            for table in (BudgetEvent, Budget, LedgerEntry, BatchSession):
                session.execute(delete(table))
        self.batches = [None, a_batch(self.desk, limit="1.5"), a_batch(self.desk)]
        self.limits: dict[tuple[BudgetScope, str], Decimal] = {(BudgetScope.BATCH, str(self.batches[1])): D("1.5")}
        self.held: dict[int, tuple[str, Decimal, list[tuple[BudgetScope, str]]]] = {}
        """Open reservations: owner, worst case, and the budgets they count against."""
        self.spent: dict[tuple[BudgetScope, str], Decimal] = {}
        self.lowered: set[tuple[BudgetScope, str]] = set()

    def used(self, key: tuple[BudgetScope, str]) -> Decimal:
        return self.spent.get(key, ZERO) + sum((worst for _, worst, keys in self.held.values() if key in keys), ZERO)

    def ended(self, entry: int, cost: Decimal | None) -> None:
        """An entry that is still held ends with ``cost`` (None: its worst case); any other is left alone."""
        if entry in self.held:
            _, worst, keys = self.held.pop(entry)
            for key in keys:
                self.spent[key] = self.spent.get(key, ZERO) + (worst if cost is None else cost)

    def within(self, work: Callable[[Session], Any]) -> Any:
        return self.desk.transaction(work)

    @initialize()
    def begin(self) -> None:
        self.within(lambda session: budget.ensure_budgets(session, self.settings, MIDNIGHT))
        self.limits |= {(BudgetScope.DAY, "2026-11-25"): D(2), (BudgetScope.MONTH, "2026-11"): D(3)}

    @rule(target=entries, owner=OWNERS, worsts=st.lists(AMOUNTS, min_size=1, max_size=4), moment=MOMENTS, batch=st.integers(0, 2))
    def reserve(self, owner: str, worsts: list[Decimal], moment: datetime, batch: int) -> Any:
        keys = budget.budget_keys(moment, self.batches[batch])
        if not keys[2:] or batch == 2:
            keys = keys[:2]
        for key, limit in zip(keys[:2], (D(2), D(3)), strict=True):
            self.limits.setdefault(key, limit)
        calls = [a_call(worst, batch_id=self.batches[batch]) for worst in worsts]
        answers = self.within(lambda session: budget.reserve(session, calls, self.settings, owner=owner, now=moment))
        entered = []
        for worst, answer in zip(worsts, answers, strict=True):
            assert isinstance(answer, int) == all(self.used(key) + worst <= self.limits[key] for key in keys)
            if isinstance(answer, int):
                self.held[answer] = (owner, worst, keys)
                entered.append(answer)
            else:
                assert isinstance(answer, NoRoom)
                assert answer.budget.room < worst
        return multiple(*entered)

    @rule(entry=consumes(entries), share=st.sampled_from([D(0), D("0.3"), D(1)]))
    def settle(self, entry: int, share: Decimal) -> None:
        cost = (self.held[entry][1] * share).quantize(D("0.00000001"), "ROUND_DOWN") if entry in self.held else D("0.7")
        self.within(lambda session: budget.end(session, [End.settled(entry, cost)], now=MIDNIGHT))
        self.ended(entry, cost)

    @rule(settled=consumes(entries), released=entries, unknown=entries)
    def end_together(self, settled: int, released: int, unknown: int) -> None:
        if len({settled, released, unknown}) < 3:
            return
        ends = [End.settled(settled, ZERO), End.released(released, "rate_limit", "Slower."), End.unknown(unknown, "timeout", "?")]
        self.within(lambda session: budget.end(session, ends, now=MIDNIGHT))
        for entry, cost in ((settled, ZERO), (released, ZERO), (unknown, None)):
            self.ended(entry, cost)

    @rule(entry=entries)
    def release(self, entry: int) -> None:
        self.within(lambda session: budget.end(session, [End.released(entry, "rate_limit", "Slower.")], now=MIDNIGHT))
        self.ended(entry, ZERO)

    @rule(entry=entries)
    def end_unknown(self, entry: int) -> None:
        self.within(lambda session: budget.end(session, [End.unknown(entry, "timeout", "?")], now=MIDNIGHT))
        self.ended(entry, None)

    @rule(owners=st.sets(OWNERS, max_size=2))
    def owners_die(self, owners: set[str]) -> None:
        theirs = [entry for entry, (owner, _, _) in self.held.items() if owner in owners]
        assert self.within(lambda session: budget.settle_orphans(session, sorted(owners), now=MIDNIGHT)) == len(theirs)
        for entry in theirs:
            self.ended(entry, None)

    @rule(scope=st.sampled_from(BudgetScope), limit=st.sampled_from([D(0), D("0.75"), D("2.5"), D(6)]))
    def change_limit(self, scope: BudgetScope, limit: Decimal) -> None:
        key = next(key for key in self.limits if key[0] is scope)
        (state,) = self.within(lambda session: budget.budget_states(session, [key]))
        self.within(lambda session: limits.change_limit(session, state.id, limit, by=local("ada")))
        self.limits[key] = limit
        if self.used(key) > limit:
            self.lowered.add(key)

    @invariant()
    def the_sums_of_the_ledger_are_the_budgets_and_no_limit_is_passed(self) -> None:
        with self.desk.database.session() as session:
            entries = session.scalars(select(LedgerEntry)).all()
            budgets = session.scalars(select(Budget)).all()
        assert {entry.id for entry in entries if entry.status is LedgerStatus.RESERVED} == set(self.held)
        assert all((entry.owner is not None) == (entry.status is LedgerStatus.RESERVED) for entry in entries)
        assert all(entry.owner == self.held[entry.id][0] for entry in entries if entry.id in self.held)
        assert {(row.scope, row.key): row.limit_usd for row in budgets} == self.limits
        for row in budgets:
            key = (row.scope, row.key)
            mine = [entry for entry in entries if key in budget.budget_keys(entry.created_at, entry.batch_id)]
            assert row.spent_usd == sum((entry.usd for entry in mine), ZERO) == self.spent.get(key, ZERO)
            assert row.reserved_usd == sum((entry.reserved_usd for entry in mine if entry.status is LedgerStatus.RESERVED), ZERO)
            if row.spent_usd + row.reserved_usd <= row.limit_usd:
                self.lowered.discard(key)
            else:
                assert key in self.lowered


def test_whatever_workers_do_in_any_order_no_limit_is_passed_and_the_sums_agree(desk: Desk) -> None:
    class OnThisDesk(Ledger):
        pass

    OnThisDesk.desk = desk
    run_state_machine_as_test(OnThisDesk, settings=hypothesis_settings(max_examples=30, stateful_step_count=30, deadline=None))
