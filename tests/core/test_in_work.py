"""What each worker does right now, told from the calls of the articles that it holds."""

from datetime import timedelta
from typing import Any

import pytest

from core import in_work, launching, records
from core.access import local
from core.configuration import Desk
from core.in_work import Stage, stage_of
from core.models import LedgerEntry, LedgerKind, LedgerStatus
from core.selection import Selection
from tests.conftest import NOW


@pytest.mark.parametrize(
    ("agent", "kind", "reserved", "failed", "stage"),
    [
        (None, None, False, False, Stage.QUEUED),
        ("content_analysis", "model", True, False, Stage.ANALYSIS),
        ("research", "search", True, False, Stage.SEARCH),
        ("signal_validation", "model", True, False, Stage.VALIDATION),
        ("content_analysis", "model", False, False, Stage.BETWEEN),
        ("signal_validation", "model", False, True, Stage.RETRY),
    ],
)
def test_the_newest_call_tells_the_stage(agent: str | None, kind: str | None, reserved: bool, failed: bool, stage: Stage) -> None:
    assert stage_of(agent, kind, reserved=reserved, failed=failed) is stage


def test_each_worker_is_shown_with_what_it_holds(desk: Desk, articles: Any) -> None:
    batch_id = desk.transaction(
        lambda session: launching.launch(session, Selection.of_ids(articles(4)), desk.environment, by=local("ada"), now=NOW)
    )
    first = desk.transaction(lambda session: records.claim(session, batch_id, owner="w1", most=2, now=NOW))
    (second,) = desk.transaction(lambda session: records.claim(session, batch_id, owner="w2", most=1, now=NOW))
    held = [claim.record_id for claim in first]
    desk.transaction(lambda session: records.heartbeat(session, held, owner="w1", host="h", pid=1, now=NOW))

    def call(record_id: int, agent: str, begun: float, ended: float | None, error: str | None = None) -> None:
        with desk.database.session() as session:
            session.add(
                LedgerEntry(
                    created_at=NOW + timedelta(seconds=begun),
                    settled_at=None if ended is None else NOW + timedelta(seconds=ended),
                    status=LedgerStatus.RESERVED if ended is None else LedgerStatus.SETTLED,
                    kind=LedgerKind.SEARCH if agent == "research" else LedgerKind.MODEL,
                    agent=agent,
                    provider="p",
                    model="m",
                    batch_id=batch_id,
                    record_id=record_id,
                    error_kind="overload" if error else None,
                    error_message=error,
                    day=NOW.date(),
                )
            )

    call(held[0], "content_analysis", -60, None)  # of an attempt before, which a crash left behind
    call(held[0], "content_analysis", 1, 3)
    call(held[0], "research", 3, 6)
    call(held[0], "research", 4, None)
    call(held[0], "research", 5, None)
    call(second.record_id, "content_analysis", 1, 2, "The provider is overloaded.")

    one, other = desk.transaction(lambda session: in_work.workers_now(session, batch_id))
    assert (one.owner, one.heartbeat_at, one.stages) == ("w1", NOW, {Stage.QUEUED: 1, Stage.SEARCH: 1})
    searching = next(work for work in one.work if work.record_id == held[0])
    assert (searching.calls, searching.since, searching.trouble) == (2, NOW + timedelta(seconds=5), None)
    assert searching.lease_expires_at == NOW + records.LEASE
    assert (other.owner, other.heartbeat_at, other.stages) == ("w2", None, {Stage.RETRY: 1})
    assert (other.work[0].trouble, other.work[0].since) == ("The provider is overloaded.", NOW + timedelta(seconds=2))


def test_who_holds_nothing_is_not_shown(desk: Desk, articles: Any) -> None:
    batch_id = desk.transaction(
        lambda session: launching.launch(session, Selection.of_ids(articles(1)), desk.environment, by=local("ada"), now=NOW)
    )
    assert desk.transaction(lambda session: in_work.workers_now(session, batch_id)) == []
