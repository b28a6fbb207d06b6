"""Limits are changed, topped up and changed back, each on the record with what it was before."""

from decimal import Decimal

import pytest

from core import budget, limits
from core.access import local
from core.budget import BudgetState
from core.configuration import Desk
from core.errors import NotFound, NotPossible
from core.limits import Effect, effect
from core.models import BudgetEvent, BudgetEventKind, BudgetScope
from tests.conftest import NOW

D = Decimal


@pytest.fixture
def today(desk: Desk) -> BudgetState:
    return desk.transaction(lambda session: budget.current_budgets(session, desk.environment, NOW))[0]


def limit_now(desk: Desk) -> Decimal:
    return desk.transaction(lambda session: budget.current_budgets(session, desk.environment, NOW))[0].limit


def history(desk: Desk, **values: object) -> list[tuple[BudgetEventKind, Decimal | None, Decimal | None, str, bool]]:
    found = desk.transaction(lambda session: limits.events(session, size=50, **values))  # type: ignore[arg-type]
    return [(event.kind, event.before, event.after, event.made_by, event.can_be_undone) for event in found]


def test_a_change_and_a_top_up_are_taken_back_one_by_one_and_stay_on_record(desk: Desk, today: BudgetState) -> None:
    changed = desk.transaction(lambda session: limits.change_limit(session, today.id, D(8), by=local("ada")))
    topped_up = desk.transaction(lambda session: limits.top_up(session, today.id, D("0.5"), by=local("ida")))
    assert limit_now(desk) == D("8.5")
    with pytest.raises(NotPossible, match="changed again since"):
        desk.transaction(lambda session: limits.undo(session, changed, by=local("ada")))
    assert desk.transaction(lambda session: limits.undo(session, topped_up, by=local("ada"))) == D(8)
    assert limit_now(desk) == D(8)
    with pytest.raises(NotPossible, match="changed again since"):
        desk.transaction(lambda session: limits.undo(session, topped_up, by=local("ada")))
    assert history(desk) == [
        (BudgetEventKind.LIMIT, D("8.5"), D(8), "ada", True),
        (BudgetEventKind.TOP_UP, D(8), D("8.5"), "ida", False),
        (BudgetEventKind.LIMIT, D(5), D(8), "ada", False),
    ]
    (newest, *_) = desk.transaction(lambda session: limits.events(session, size=1))
    assert newest.undoes == topped_up
    desk.transaction(lambda session: limits.undo(session, newest.id, by=local("ada")))
    assert limit_now(desk) == D("8.5"), "an undo is a change, and can be undone"


def test_only_changes_that_say_what_was_before_can_be_undone(desk: Desk, today: BudgetState) -> None:
    with desk.database.session() as session:
        old = BudgetEvent(budget_id=today.id, kind=BudgetEventKind.LIMIT, amount_usd=D(7), made_by="ada")
        alert = BudgetEvent(budget_id=today.id, kind=BudgetEventKind.ALERT, threshold=67, made_by="desk")
        session.add_all([old, alert])
        session.flush()
        with pytest.raises(NotPossible, match="not on record"):
            limits.undo(session, old.id, by=local("ada"))
        for nothing in (alert.id, 999):
            with pytest.raises(NotFound, match="no change"):
                limits.undo(session, nothing, by=local("ada"))
    assert [row[4] for row in history(desk)] == [False, False]


@pytest.mark.parametrize("limit", ["-0.01", "1000000"])
def test_a_limit_that_no_budget_can_have_is_refused(desk: Desk, today: BudgetState, limit: str) -> None:
    with pytest.raises(NotPossible, match=r"between \$0.00 and"):
        desk.transaction(lambda session: limits.change_limit(session, today.id, D(limit), by=local("ada")))
    with pytest.raises(NotFound, match="no budget 999"):
        desk.transaction(lambda session: limits.change_limit(session, 999, D(1), by=local("ada")))
    assert (limit_now(desk), history(desk)) == (D(5), [])


def test_history_comes_in_pages_and_by_kind(desk: Desk, today: BudgetState) -> None:
    for usd in (6, 7, 8):
        desk.transaction(lambda session, usd=usd: limits.change_limit(session, today.id, D(usd), by=local("ada")))
    desk.transaction(lambda session: limits.top_up(session, today.id, D(1), by=local("ada")))
    first = desk.transaction(lambda session: limits.events(session, size=2))
    rest = desk.transaction(lambda session: limits.events(session, size=9, before=first[-1].id))
    assert [event.after for event in (*first, *rest)] == [D(9), D(8), D(7), D(6)]
    assert [row[2] for row in history(desk, kinds=(BudgetEventKind.TOP_UP,))] == [D(9)]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("10", Effect(D(5), D(0), ())),
        ("5", Effect(D(0), D(0), (67,))),
        ("4", Effect(D(0), D(1), (67, 83, 100))),
        ("0", Effect(D(0), D(5), (67, 83, 100))),
    ],
)
def test_what_a_limit_would_do_is_said_before(limit: str, expected: Effect) -> None:
    assert effect(BudgetState(1, BudgetScope.DAY, "2026-11-24", D(6), D(4), D(1)), D(limit)) == expected
    assert effect(BudgetState(1, BudgetScope.DAY, "2026-11-24", D(6), D(0), D(0)), D(limit)).passes == ()
