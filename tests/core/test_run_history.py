"""A batch over time: how wide its steps are, what ended in each, and how much was under way."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from core import batch_actions, launching, records, run_history
from core.access import local
from core.configuration import Desk
from core.errors import NotFound
from core.models import BatchRecord, LedgerEntry, LedgerKind, LedgerStatus
from core.run_history import MOST_BUCKETS, Flow, History, buckets, division, in_flight
from core.selection import Selection
from tests.actors import ANN
from tests.conftest import NOW

DAY = 86_400


@pytest.mark.parametrize(
    ("duration", "width", "number"),
    [
        (0, 1, 1),
        (0.4, 1, 1),
        (60, 1, 60),
        (60.5, 2, 31),
        (600, 10, 60),
        (3_600, 60, 60),
        (3_601, 120, 31),
        (DAY, 1_800, 48),
        (60 * DAY, DAY, 60),
        (61 * DAY, 2 * DAY, 31),
        (365 * DAY, 7 * DAY, 53),
    ],
)
def test_the_steps_are_as_narrow_as_sixty_of_them_allow(duration: float, width: int, number: int) -> None:
    assert division(duration) == (width, number)
    assert number <= MOST_BUCKETS
    assert width * number >= duration


@pytest.mark.parametrize(
    ("flows", "spans", "means"),
    [
        ({}, [10, 10], [0, 0]),
        ({0: Flow(begun=1, begun_seconds=0)}, [10, 10], [1, 1]),  # and never ends
        ({0: Flow(begun=1, begun_seconds=5)}, [10, 10], [0.5, 1]),
        ({0: Flow(begun=1, begun_seconds=2, ended=1, ended_seconds=7)}, [10], [0.5]),
        ({0: Flow(begun=1, begun_seconds=5), 2: Flow(ended=1, ended_seconds=5)}, [10, 10, 10], [0.5, 1, 0.5]),
        ({0: Flow(begun=4, begun_seconds=0), 1: Flow(ended=2, ended_seconds=10)}, [10, 10, 10], [4, 3, 2]),
        ({0: Flow(begun=2), 1: Flow()}, [10, 2.5], [2, 2]),  # the last step is younger than the others
    ],
)
def test_the_mean_under_way_counts_what_goes_through_and_parts_of_what_begins_and_ends(
    flows: dict[int, Flow], spans: list[float], means: list[float]
) -> None:
    assert in_flight(flows, spans) == pytest.approx(means)


def test_a_step_without_anything_is_there_too() -> None:
    until = NOW + timedelta(seconds=25)
    found = buckets(NOW, until, {}, {0: Flow(begun=1)}, {2: 4}, {2: 1}, {0: Decimal("0.5")})
    assert found.seconds == 1
    assert len(found.buckets) == 25
    assert [(one.completed, one.failed, one.usd) for one in found.buckets[:3]] == [(0, 0, Decimal("0.5")), (0, 0, 0), (4, 1, 0)]
    assert [one.calls for one in found.buckets] == [1] * 25
    assert found.buckets[24].at == NOW + timedelta(seconds=24)


# In the database


def launched(desk: Desk, ids: list[int]) -> int:
    return desk.transaction(lambda session: launching.launch(session, Selection.of_ids(ids), desk.environment, by=local("ada"), now=NOW))


def after(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


def history(desk: Desk, batch_id: int, seconds: float) -> History:
    found = desk.transaction(lambda session: run_history.history(session, batch_id, now=after(seconds)))
    assert found is not None
    return found


def call(desk: Desk, batch_id: int, begun: float, ended: float | None, usd: str = "0") -> None:
    with desk.database.session() as session:
        session.add(
            LedgerEntry(
                created_at=after(begun),
                settled_at=None if ended is None else after(ended),
                status=LedgerStatus.RESERVED if ended is None else LedgerStatus.SETTLED,
                kind=LedgerKind.MODEL,
                agent="content_analysis",
                provider="google",
                model="m",
                batch_id=batch_id,
                usd=Decimal(usd),
                day=NOW.date(),
            )
        )


def test_what_a_batch_did_is_counted_where_it_happened(desk: Desk, articles: Any) -> None:
    batch_id = launched(desk, articles(4))
    held = desk.transaction(lambda session: records.claim(session, batch_id, owner="w1", most=3, now=NOW))
    desk.transaction(lambda session: records.complete(session, [held[0].record_id], owner="w1", now=after(2.5)))
    desk.transaction(lambda session: records.fail(session, held[1].record_id, "blocked", "No.", owner="w1", now=after(4)))
    call(desk, batch_id, 0.5, 2, "0.25")
    call(desk, batch_id, 1, 2.5, "0.50")
    call(desk, batch_id, 3, None)
    other = launched(desk, articles(1))
    call(desk, other, 0, 5, "9")

    found = history(desk, batch_id, 6)
    assert (found.seconds, len(found.buckets)) == (1, 6)
    assert [one.completed for one in found.buckets] == [0, 0, 1, 0, 0, 0]
    assert [one.failed for one in found.buckets] == [0, 0, 0, 0, 1, 0]
    assert [one.usd for one in found.buckets] == [0, 0, Decimal("0.75"), 0, 0, 0]
    assert [one.calls for one in found.buckets] == pytest.approx([0.5, 2, 0.5, 1, 1, 1])
    assert [one.articles for one in found.buckets] == pytest.approx([3, 3, 2.5, 2, 1, 1])


def test_a_batch_at_rest_ends_with_the_last_thing_that_happened(desk: Desk, articles: Any) -> None:
    batch_id = launched(desk, articles(2))
    held = desk.transaction(lambda session: records.claim(session, batch_id, owner="w1", most=1, now=NOW))
    desk.transaction(lambda session: records.complete(session, [held[0].record_id], owner="w1", now=after(20)))
    desk.transaction(lambda session: batch_actions.pause(session, batch_id, "Ada paused it.", by=ANN))
    assert len(history(desk, batch_id, 9_000).buckets) == 20
    desk.transaction(lambda session: batch_actions.resume(session, batch_id, by=ANN))
    assert history(desk, batch_id, 9_000).seconds == 300


def test_a_batch_that_has_not_begun_has_no_history(desk: Desk, articles: Any) -> None:
    batch_id = launched(desk, articles(1))
    assert desk.transaction(lambda session: run_history.history(session, batch_id, now=NOW)) is None
    with pytest.raises(NotFound):
        desk.transaction(lambda session: run_history.history(session, 99, now=NOW))


def test_a_clock_that_went_back_makes_no_negative_figures(desk: Desk, articles: Any) -> None:
    batch_id = launched(desk, articles(1))
    held = desk.transaction(lambda session: records.claim(session, batch_id, owner="w1", most=1, now=NOW))
    call(desk, batch_id, -5, 2, "0.1")
    with desk.database.session() as session:
        session.execute(update(BatchRecord).where(BatchRecord.id == held[0].record_id).values(started_at=after(-3)))
    found = history(desk, batch_id, 4)
    assert [one.calls for one in found.buckets] == pytest.approx([1, 1, 0, 0])
    assert [one.articles for one in found.buckets] == pytest.approx([1, 1, 1, 1])
