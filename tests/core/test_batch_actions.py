"""Running again what failed, one article or its research, and adding the money a batch waits for: once, whoever clicks how often."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from core import batch_actions, batches, budget, launching, records
from core.access import local
from core.articles import delete_articles
from core.budget import Call, NoRoom
from core.configuration import Configuration, Desk
from core.errors import NotFound, NotPossible
from core.launching import IN_FLIGHT
from core.models import BatchRecord, BatchStatus, BudgetEvent, BudgetEventKind, LedgerKind, RecordStatus
from core.selection import Selection
from core.signals import get_signal
from core.validations import Finding, keep_validations
from tests.actors import ANN
from tests.conftest import NOW
from tests.core.answered import a_signal, keep


def launch(desk: Desk, ids: list[int], **values: Any) -> int:
    chosen = Selection.of_ids(ids)
    return desk.transaction(lambda session: launching.launch(session, chosen, desk.environment, by=local("ada"), now=NOW, **values))


def claimed(desk: Desk, batch_id: int) -> int:
    (held,) = desk.transaction(lambda session: records.claim(session, batch_id, owner="w1", most=1, now=NOW))
    return held.record_id


def fail(desk: Desk, record_id: int) -> None:
    desk.transaction(lambda session: records.fail(session, record_id, "blocked", "The filter.", owner="w1", now=NOW))


def record(desk: Desk, record_id: int) -> BatchRecord:
    return desk.transaction(lambda session: session.get_one(BatchRecord, record_id))


def status(desk: Desk, batch_id: int) -> BatchStatus:
    return desk.transaction(lambda session: batches.progress(session, batch_id)).status


def requeue(desk: Desk, record_id: int) -> None:
    desk.transaction(lambda session: batch_actions.requeue(session, record_id, by=ANN))


def waiting(desk: Desk) -> int:
    with desk.database.session() as session:
        return session.scalar(select(func.count()).where(BatchRecord.status.in_(RecordStatus.open()))) or 0


# One article


def test_a_failed_article_runs_again_as_if_it_never_had_and_its_batch_is_open_again(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(1))
    record_id = claimed(desk, batch_id)
    fail(desk, record_id)
    desk.transaction(lambda session: batch_actions.finish_if_done(session, batch_id, now=NOW))
    requeue(desk, record_id)
    row = record(desk, record_id)
    assert (row.status, row.attempts, row.error_kind, row.error_message, row.finished_at) == (RecordStatus.PENDING, 0, None, None, None)
    assert status(desk, batch_id) is BatchStatus.PROCESSING
    assert claimed(desk, batch_id) == record_id


def test_an_article_in_work_is_taken_from_its_worker(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(1))
    record_id = claimed(desk, batch_id)
    requeue(desk, record_id)
    assert (record(desk, record_id).status, record(desk, record_id).lease_owner) == (RecordStatus.PENDING, None)
    assert not desk.transaction(lambda session: records.complete(session, [record_id], owner="w1", now=NOW))


def test_an_article_of_a_paused_batch_waits_there(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(1))
    record_id = claimed(desk, batch_id)
    fail(desk, record_id)
    desk.transaction(lambda session: batch_actions.pause(session, batch_id, "Ada paused it.", by=ANN))
    requeue(desk, record_id)
    assert (record(desk, record_id).status, status(desk, batch_id)) == (RecordStatus.PENDING, BatchStatus.PAUSED)


def test_what_waits_or_is_done_cannot_be_queued_again(desk: Desk, articles: Any) -> None:
    record_id = claimed(desk, launch(desk, articles(1)))
    requeue(desk, record_id)
    with pytest.raises(NotPossible, match="PENDING"):
        requeue(desk, record_id)
    claimed(desk, record(desk, record_id).batch_id)
    desk.transaction(lambda session: records.complete(session, [record_id], owner="w1", now=NOW))
    with pytest.raises(NotPossible, match="COMPLETED"):
        requeue(desk, record_id)


def test_an_article_of_a_cancelled_batch_or_a_deleted_one_cannot_be_queued_again(desk: Desk, articles: Any) -> None:
    ids = articles(1)
    batch_id = launch(desk, ids)
    record_id = claimed(desk, batch_id)
    fail(desk, record_id)
    desk.transaction(lambda session: delete_articles(session, ids, by=ANN))
    with pytest.raises(NotFound, match="deleted"):
        requeue(desk, record_id)
    desk.transaction(lambda session: batch_actions.cancel(session, launch(desk, articles(1)), now=NOW, by=ANN))
    with desk.database.session() as session:
        cancelled = session.scalars(select(BatchRecord.id).where(BatchRecord.status == RecordStatus.CANCELLED)).one()
    with pytest.raises(NotPossible, match="was cancelled"):
        requeue(desk, cancelled)
    with pytest.raises(NotFound):
        requeue(desk, 10**6)


def test_an_article_that_another_batch_has_in_flight_is_not_queued_again(desk: Desk, articles: Any) -> None:
    ids = articles(1)
    record_id = claimed(desk, launch(desk, ids))
    fail(desk, record_id)
    other = launch(desk, ids)
    with pytest.raises(NotPossible, match=IN_FLIGHT):
        requeue(desk, record_id)
    assert waiting(desk) == 1
    fail(desk, claimed(desk, other))
    requeue(desk, record_id)


# Research


def researched(desk: Desk, articles: Any, *, failed: bool) -> tuple[int, int, list[int]]:
    """A completed article whose one signal's research failed or not: its batch, its signal, its article."""
    ids = articles(1)
    (signal_id,) = keep(desk, ids[0], a_signal())
    finding = Finding(signal_id, (), reason="The search failed.", failed=True) if failed else Finding(signal_id, ())
    desk.transaction(lambda session: keep_validations(session, [finding], Configuration.of(desk.environment)))
    return desk.transaction(lambda session: get_signal(session, signal_id)).batch_id, signal_id, ids


def retry_research(desk: Desk, batch_id: int, **values: Any) -> int:
    return desk.transaction(lambda session: batch_actions.retry_research(session, batch_id, **values, by=ANN))


def test_an_article_whose_research_failed_is_queued_again_once(desk: Desk, articles: Any) -> None:
    batch_id, _, ids = researched(desk, articles, failed=True)
    assert retry_research(desk, batch_id, article_id=ids[0]) == 1
    assert (waiting(desk), status(desk, batch_id)) == (1, BatchStatus.PROCESSING)
    with pytest.raises(NotPossible, match="No research of it failed"):
        retry_research(desk, batch_id)


def test_research_that_found_nothing_did_not_fail(desk: Desk, articles: Any) -> None:
    batch_id, _, _ = researched(desk, articles, failed=False)
    with pytest.raises(NotPossible, match="No research of it failed"):
        retry_research(desk, batch_id)
    assert status(desk, batch_id) is BatchStatus.COMPLETED


def test_research_of_an_article_that_another_batch_has_in_flight_is_left_to_it(desk: Desk, articles: Any, make_settings: Any) -> None:
    batch_id, _, ids = researched(desk, articles, failed=True)
    other = make_settings(minimum_confidence=0.9)
    chosen = Selection.of_ids(ids)
    desk.transaction(lambda session: launching.launch(session, chosen, other, by=local("ada"), now=NOW))
    with pytest.raises(NotPossible, match=IN_FLIGHT):
        retry_research(desk, batch_id)
    assert (waiting(desk), status(desk, batch_id)) == (1, BatchStatus.COMPLETED)


# Money


@pytest.fixture
def short_of_money(desk: Desk, articles: Any) -> int:
    """A batch of two articles, paused at its limit of $0.10 because a call may cost $0.15."""
    batch_id = launch(desk, articles(2), budget=Decimal("0.10"))
    call = Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", Decimal("0.15"), batch_id=batch_id)
    with desk.database.session() as session:
        (refusal,) = budget.reserve(session, [call], desk.environment, owner="w1", now=NOW)
        assert isinstance(refusal, NoRoom)
        batch_actions.pause_for_budget(session, batch_id, refusal)
    return batch_id


def top_ups(desk: Desk) -> list[Decimal | None]:
    with desk.database.session() as session:
        return list(session.scalars(select(BudgetEvent.amount_usd).where(BudgetEvent.kind == BudgetEventKind.TOP_UP)))


def test_a_top_up_adds_what_is_missing_and_the_batch_goes_on(desk: Desk, short_of_money: int) -> None:
    added = desk.transaction(lambda session: batch_actions.top_up_and_resume(session, short_of_money, by=local("ida")))
    found = desk.transaction(lambda session: batches.progress(session, short_of_money))
    assert (added, found.limit_usd, found.status, found.pause_reason) == (Decimal("0.05"), Decimal("0.15"), BatchStatus.PROCESSING, None)
    assert top_ups(desk) == [Decimal("0.05")]


def test_a_batch_that_does_not_wait_for_money_is_not_topped_up(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(1))
    for pause in (False, True):
        if pause:
            desk.transaction(lambda session: batch_actions.pause(session, batch_id, "Ada paused it.", by=ANN))
        with pytest.raises(NotPossible, match="not paused for want of budget"):
            desk.transaction(lambda session: batch_actions.top_up_and_resume(session, batch_id, by=local("ida")))
    with pytest.raises(NotFound):
        desk.transaction(lambda session: batch_actions.top_up_and_resume(session, 10**6, by=local("ida")))
    assert top_ups(desk) == []


def test_clicks_at_once_top_up_once(desk: Desk, short_of_money: int) -> None:
    together = threading.Barrier(6)

    def click(_: int) -> bool:
        together.wait(30)
        try:
            desk.transaction(lambda session: batch_actions.top_up_and_resume(session, short_of_money, by=local("ida")))
        except NotPossible:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(click, range(6))) == 1
    assert top_ups(desk) == [Decimal("0.05")]
