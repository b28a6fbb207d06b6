"""The Budget page's words: whether it lasts, what a limit would do, what happened, and where a row leads."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from console.budget_view import event_words, what_it_does, will_it_last
from console.spend_view import credits, error_words, leads_to, share_of
from core.budget import BudgetState
from core.forecast import Outlook
from core.limits import Event, effect
from core.models import BudgetEventKind, BudgetScope
from core.spending import Dimension, Group, Usage
from tests.conftest import NOW

D = Decimal
MIDNIGHT, MONTH_END = datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
HOURS, DAYS = timedelta(hours=3), timedelta(days=7)


def today(spent: str, limit: str = "5", reserved: str = "0") -> BudgetState:
    return BudgetState(1, BudgetScope.DAY, "2026-11-24", D(limit), D(spent), D(reserved))


def this_month(spent: str) -> BudgetState:
    return BudgetState(2, BudgetScope.MONTH, "2026-11", D(40), D(spent), D(0))


@pytest.mark.parametrize(
    ("budget", "outlook", "words", "colour"),
    [
        (today("1"), Outlook(MIDNIGHT, HOURS), "Too little spent to tell a pace: it takes 30 minutes from the first spending on.", "gray"),
        (this_month("1"), Outlook(MONTH_END, DAYS), "Too little spent to tell a pace: it takes 2 whole days.", "gray"),
        (today("1"), Outlook(MIDNIGHT, HOURS, D(0), D(1)), "Nothing was spent in the last hours: it lasts.", "green"),
        (
            today("1"),
            Outlook(MIDNIGHT, HOURS, D("2.4"), D("2.2")),
            "It lasts. At $0.10 an hour, as in the last 3 h 0 min: about $2.20 by midnight UTC.",
            "green",
        ),
        (
            today("1"),
            Outlook(MIDNIGHT, HOURS, D(24), D(13), NOW + timedelta(hours=4)),
            "The limit is reached about **16:00 UTC**, in 4 h 0 min. At $1.00 an hour, as in the last 3 h 0 min: about $13.00 by midnight UTC.",
            "orange",
        ),
        (
            this_month("30"),
            Outlook(MONTH_END, DAYS, D(2), D(43), datetime(2026, 11, 29, tzinfo=UTC)),
            "The limit is reached about **29 November**. At $2.00 a day, as in the last 7 days: about $43.00 by 30 November.",
            "orange",
        ),
        (
            today("5"),
            Outlook(MIDNIGHT, HOURS, D(0), D(5), NOW),
            "The limit is reached: paid calls wait until it is raised or a new one begins.",
            "red",
        ),
    ],
)
def test_whether_it_lasts_is_said_with_what_that_rests_on(budget: BudgetState, outlook: Outlook, words: str, colour: str) -> None:
    assert will_it_last(budget, outlook, NOW)[:2] == (words, colour)


@pytest.mark.parametrize(
    ("limit", "words", "stops"),
    [
        ("8", "Today: $5.00 becomes **$8.00**, so $0.50 left becomes **$3.50**.", False),
        ("5.5", "Today: $5.00 becomes **$5.50**, so $0.50 left becomes **$1.00**. 67% of it is spent already.", False),
        (
            "1",
            "Today: $5.00 becomes **$1.00**, so $0.50 left becomes **nothing**: $3.50 more than that is spent or reserved already."
            " Paid calls pause until there is room; what is under way finishes.",
            True,
        ),
    ],
)
def test_what_a_new_limit_does(limit: str, words: str, stops: bool) -> None:
    budget = today("4", reserved="0.5")
    assert what_it_does(budget, D(limit), effect(budget, D(limit))) == (words, stops)


def event(kind: BudgetEventKind, scope: BudgetScope = BudgetScope.DAY, key: str = "2026-11-24", **values: Any) -> Event:
    usual: dict[str, Any] = {"threshold": None, "amount": None, "before": None, "told_at": None, "undoes": None, "newest": False}
    return Event(id=1, created_at=NOW, scope=scope, key=key, kind=kind, made_by="ada", **(usual | values))


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        (event(BudgetEventKind.ALERT, threshold=67, told_at=NOW), "Day 2026-11-24 passed **67%** of its limit"),
        (event(BudgetEventKind.ALERT, threshold=83), "Day 2026-11-24 passed **83%** of its limit, not told yet"),
        (
            event(BudgetEventKind.TOP_UP, BudgetScope.BATCH, "7", amount=D(1), before=D(2)),
            "Run #7 topped up by **$1.00** from $2.00 to **$3.00**",
        ),
        (event(BudgetEventKind.TOP_UP, amount=D(1)), "Day 2026-11-24 topped up by **$1.00**"),
        (
            event(BudgetEventKind.LIMIT, BudgetScope.MONTH, "2026-11", amount=D(9), before=D(8)),
            "Month 2026-11: limit changed from $8.00 to **$9.00**",
        ),
        (event(BudgetEventKind.LIMIT, amount=D(9), before=D(8), undoes=3), "Day 2026-11-24: limit set back from $8.00 to **$9.00**"),
    ],
)
def test_what_happened_to_a_budget(happened: Event, words: str) -> None:
    assert event_words(happened) == words


@pytest.mark.parametrize(
    ("dimension", "key", "name", "address"),
    [
        (Dimension.RUN, 7, "#7", "/runs?batch=7"),
        (Dimension.RUN, 0, "none", None),
        (Dimension.PUBLISHER, 3, "A & B", "/articles?publisher=A%20%26%20B"),
        (Dimension.PUBLISHER, 0, "none", None),
        (Dimension.MODEL, "google:gemini#1", "google:gemini#1", "/budget?line-model=google%3Agemini%231#ledger"),
        (Dimension.DAY, date(2026, 11, 24), "2026-11-24", "/budget?line-day=2026-11-24#ledger"),
        (Dimension.MONTH, date(2026, 11, 1), "2026-11", None),
    ],
)
def test_a_row_leads_to_what_it_is_made_of(dimension: Dimension, key: Any, name: str, address: str | None) -> None:
    assert leads_to(dimension, Group(key, name, Usage())) == address


def test_small_figures() -> None:
    assert [error_words(one) for one in (0.25, -0.031, 0.004, 12.0)] == ["+25%", "–3%", "as estimated", "+1,200%"]
    assert [credits(D(one)) for one in ("0", "125.0000", "2.5000", "1200")] == ["0", "125", "2.5", "1,200"]
    assert (share_of(D(1), D(4)), share_of(D(1), D(0))) == (25.0, 0.0)
