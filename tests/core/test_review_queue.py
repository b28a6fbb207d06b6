"""The review queue: its orders, its claims, and two analysts who never get the same signal."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core import review_queue, reviews
from core.access import local
from core.agents.outputs import Verdict
from core.configuration import Desk
from core.errors import NotPossible
from core.models import Decision, Signal
from core.review_queue import Claimant
from core.signal_filter import SignalFilter, SignalOrder
from tests.conftest import NOW
from tests.core.answered import a_signal, keep

LIMIT = timedelta(minutes=15)
ADA = Claimant("session-1", local("Ada"), LIMIT)
BEA = Claimant("session-2", local("Bea"), LIMIT)


def take(desk: Desk, who: Claimant, *, passed: set[int] = frozenset(), now: datetime = NOW, **chosen: Any) -> int | None:  # type: ignore[assignment]
    return desk.transaction(lambda session: review_queue.take_next(session, SignalFilter(**chosen), who, passed_over=passed, now=now))


def decide(desk: Desk, signal_id: int) -> None:
    desk.transaction(lambda session: reviews.decide(session, signal_id, Decision.ACCEPTED, by=local("Ada")))


@pytest.fixture
def three(desk: Desk, articles: Any) -> list[int]:
    """Ids of three signals in one article, weakest first."""
    return keep(desk, articles(1)[0], *[a_signal(confidence=value) for value in (0.3, 0.6, 0.9)])


def test_signals_come_in_the_filters_order_until_none_is_left(desk: Desk, three: list[int]) -> None:
    weak, middle, strong = three
    for expected in (strong, middle, weak):
        assert take(desk, ADA) == expected
        assert take(desk, ADA) == expected, "it lies before her until she decides or passes it over"
        decide(desk, expected)
    assert take(desk, ADA) is None


def test_what_is_passed_over_is_not_given_again(desk: Desk, three: list[int]) -> None:
    weak, middle, strong = three
    assert take(desk, ADA, passed={strong}) == middle
    assert take(desk, ADA, passed={strong, middle, weak}) is None


def test_two_analysts_never_get_the_same_signal(desk: Desk, three: list[int]) -> None:
    weak, middle, strong = three
    assert [take(desk, ADA), take(desk, BEA)] == [strong, middle]
    assert desk.transaction(lambda session: review_queue.hold(session, strong, BEA, now=NOW)) == "Ada"
    decide(desk, strong)
    assert take(desk, ADA) == weak
    assert take(desk, Claimant("session-3", local("Cleo"), LIMIT)) is None
    assert [row.signal_id for row in desk.transaction(lambda session: review_queue.with_others(session, ADA, now=NOW))] == [middle]


def test_a_claim_runs_out(desk: Desk, three: list[int]) -> None:
    strong = three[2]
    assert take(desk, ADA) == strong
    later = NOW + LIMIT
    assert take(desk, BEA, now=later) == strong
    assert desk.transaction(lambda session: review_queue.hold(session, strong, ADA, now=later)) == "Bea"


def test_a_claim_is_renewed_by_whoever_holds_it(desk: Desk, three: list[int]) -> None:
    strong = three[2]
    take(desk, ADA)
    assert desk.transaction(lambda session: review_queue.hold(session, strong, ADA, now=NOW + LIMIT / 2)) is None
    assert take(desk, BEA, now=NOW + LIMIT) != strong


def test_what_is_released_is_free_at_once(desk: Desk, three: list[int]) -> None:
    strong, middle = three[2], three[1]
    take(desk, ADA)
    take(desk, ADA, passed={strong})
    desk.transaction(lambda session: review_queue.release(session, ADA.holder, strong))
    assert take(desk, BEA) == strong
    desk.transaction(lambda session: review_queue.release(session, ADA.holder))
    assert take(desk, BEA, passed={strong}) == middle


def test_a_signal_handed_to_a_colleague_comes_to_her_first_and_to_nobody_else(desk: Desk, three: list[int]) -> None:
    weak, middle, strong = three
    take(desk, ADA, passed={strong, middle})
    desk.transaction(lambda session: review_queue.hand_over(session, weak, ADA, to=" bea ", now=NOW))
    assert desk.transaction(lambda session: review_queue.handed_to(session, "Bea", now=NOW)) == 1
    assert take(desk, ADA, passed={strong, middle}) is None
    assert take(desk, Claimant("session-3", local("Cleo"), LIMIT), passed={strong, middle}) is None
    assert take(desk, BEA, kinds=("narrative_gap",)) == weak, "whatever she filters on"
    assert desk.transaction(lambda session: review_queue.handed_to(session, "Bea", now=NOW)) == 0


def test_what_was_handed_over_can_be_taken_back_until_it_is_taken(desk: Desk, three: list[int]) -> None:
    strong = three[2]
    take(desk, ADA)
    desk.transaction(lambda session: review_queue.hand_over(session, strong, ADA, to="Bae", now=NOW))  # a slip
    assert desk.transaction(lambda session: review_queue.take_back(session, by=local("Bea"))) == 0
    assert desk.transaction(lambda session: review_queue.take_back(session, by=local("Ada"))) == 1
    assert take(desk, BEA) == strong
    assert desk.transaction(lambda session: review_queue.take_back(session, by=local("Ada"))) == 0


@pytest.mark.parametrize("name", ["", "  ", "ADA"])
def test_a_signal_is_handed_to_somebody_else_only(desk: Desk, three: list[int], name: str) -> None:
    with pytest.raises(NotPossible, match="Name a colleague"):
        desk.transaction(lambda session: review_queue.hand_over(session, three[0], ADA, to=name, now=NOW))


def test_a_signal_that_somebody_else_holds_cannot_be_handed_over(desk: Desk, three: list[int]) -> None:
    strong = three[2]
    take(desk, BEA)
    with pytest.raises(NotPossible, match="Bea has this signal now"):
        desk.transaction(lambda session: review_queue.hand_over(session, strong, ADA, to="Cleo", now=NOW))


def test_the_orders(desk: Desk, articles: Any) -> None:
    (first,) = articles(1, publisher="Zeta", published_at=NOW - timedelta(days=2))
    (second,) = articles(1, publisher="alpha", published_at=NOW - timedelta(days=1))
    (old,) = keep(desk, first, a_signal(confidence=0.9))
    (new,) = keep(desk, second, a_signal(confidence=0.4))
    with desk.database.session() as session:
        session.execute(update(Signal).where(Signal.id == old).values(created_at=NOW - timedelta(days=1), disagreement=0.2))
        session.execute(update(Signal).where(Signal.id == new).values(created_at=NOW, disagreement=0.7))
    first_of = {order: take(desk, Claimant(order.value, local("Ada"), timedelta(0)), order=order) for order in SignalOrder}
    assert first_of == {
        SignalOrder.STRONGEST: old,
        SignalOrder.NEWEST: new,
        SignalOrder.OLDEST: old,
        SignalOrder.PUBLISHED: new,
        SignalOrder.PUBLISHER: new,
        SignalOrder.DISAGREEMENT: new,
    }
    with desk.database.session() as session:
        session.execute(update(Signal).values(verdict=Verdict.CONTRADICTED))
    hidden = {"order": SignalOrder.DISAGREEMENT, "blind_share": 1.0}
    assert take(desk, Claimant("x", local("Ada"), timedelta(0)), **hidden) == old, "an order by a hidden verdict would tell of it"


def test_six_analysts_at_once_get_six_signals(desk: Desk, articles: Any) -> None:
    ids = [id_ for article in articles(3) for id_ in keep(desk, article, *[a_signal() for _ in range(4)])]
    together = threading.Barrier(6)

    def work(number: int) -> list[int]:
        who = Claimant(f"session-{number}", local(f"Analyst {number}"), LIMIT)
        together.wait(30)
        done = []
        while (found := take(desk, who)) is not None:
            done.append(found)
            decide(desk, found)
        return done

    with ThreadPoolExecutor(6) as pool:
        given = [id_ for done in pool.map(work, range(6)) for id_ in done]
    assert Counter(given) == Counter(ids)
