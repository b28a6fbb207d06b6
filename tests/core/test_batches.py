"""Batches: a launch takes each article once, and every action on a batch can be done twice without harm or is refused with words."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from core import batch_actions, batches, budget, launching, records
from core.access import local
from core.article_filter import ArticleFilter
from core.articles import delete_articles
from core.budget import Call, End, NoRoom
from core.configuration import Configuration, Desk
from core.database import Database
from core.errors import BudgetExceeded, NotFound, NothingSelected, NotPossible, SettingsError
from core.launching import ALREADY_ANALYSED, IN_FLIGHT, INACTIVE, TOO_SHORT
from core.models import BatchRecord, BatchSession, BatchStatus, LedgerKind, RecordStatus
from core.selection import Selection
from core.settings import Settings
from tests.actors import ANN
from tests.conftest import NOW
from tests.core.answered import a_signal, keep

P, R, C, F, S, X = (
    RecordStatus.PENDING,
    RecordStatus.PROCESSING,
    RecordStatus.COMPLETED,
    RecordStatus.FAILED,
    RecordStatus.SKIPPED,
    RecordStatus.CANCELLED,
)


def launch(desk: Desk, ids: list[int], settings: Settings | None = None, **values: Any) -> int:
    """Launch these articles; ``values`` as of ``launching.launch``."""
    selection = Selection.of_ids(ids)
    return desk.transaction(
        lambda session: launching.launch(session, selection, settings or desk.environment, by=local("ada"), now=NOW, **values)
    )


def progress(desk: Desk, batch_id: int) -> batches.Progress:
    return desk.transaction(lambda session: batches.progress(session, batch_id))


def queued(desk: Desk, batch_id: int) -> list[tuple[int | None, RecordStatus, str | None]]:
    with desk.database.session() as session:
        rows = session.execute(
            select(BatchRecord.article_id, BatchRecord.status, BatchRecord.skip_reason)
            .where(BatchRecord.batch_id == batch_id)
            .order_by(BatchRecord.position)
        )
        return [(row[0], row[1], row[2]) for row in rows]


def number_of_batches(desk: Desk) -> int:
    with desk.database.session() as session:
        return session.scalar(select(func.count()).select_from(BatchSession)) or 0


def run(desk: Desk, batch_id: int, *ends: RecordStatus) -> None:
    """Claim so many records and end them so; PROCESSING leaves one in work."""
    with desk.database.session() as session:
        for held, end in zip(records.claim(session, batch_id, owner="w1", most=len(ends), now=NOW), ends, strict=True):
            match end:
                case RecordStatus.COMPLETED:
                    records.complete(session, [held.record_id], owner="w1", now=NOW)
                case RecordStatus.FAILED:
                    records.fail(session, held.record_id, "blocked", "The filter.", owner="w1", now=NOW)
                case RecordStatus.SKIPPED:
                    records.skip(session, held.record_id, "deleted", owner="w1", now=NOW)


def finish(desk: Desk, batch_id: int) -> bool:
    return desk.transaction(lambda session: batch_actions.finish_if_done(session, batch_id, now=NOW))


# Launch


def test_a_launch_queues_the_articles_in_the_order_they_should_run(desk: Desk, articles: Any) -> None:
    (old,) = articles(1, published_at=NOW - timedelta(days=3))
    (new,) = articles(1, published_at=NOW)
    (priority,) = articles(1, publisher="CoinDesk", published_at=NOW - timedelta(days=9))
    batch_id = launch(desk, [old, new, priority])
    assert queued(desk, batch_id) == [(priority, P, None), (new, P, None), (old, P, None)]


def test_a_launched_batch_says_who_with_what_and_at_which_likely_cost(desk: Desk, articles: Any, make_settings: Any) -> None:
    settings = make_settings(gemini_api_key="k", research_provider="archive", concurrency=7)
    ids = articles(2)
    batch_id = launch(desk, ids, settings)
    found = progress(desk, batch_id)
    assert (found.status, found.launched_by, found.model, found.research) == (
        BatchStatus.INITIATED,
        "ada",
        "google:gemini-2.5-flash",
        "archive",
    )
    assert (found.total, found.ended, found.share, found.spent_usd, found.limit_usd) == (2, 0, 0.0, 0, None)
    assert found.estimated_usd > 0
    with desk.database.session() as session:
        row = session.get_one(BatchSession, batch_id)
    assert Configuration.from_json(row.configuration) == Configuration.of(settings)
    assert (row.configuration_hash, row.concurrency, row.created_at) == (Configuration.of(settings).hash, 7, NOW)
    assert Selection.model_validate(row.selection) == Selection.of_ids(ids)


def test_what_cannot_run_is_recorded_as_skipped_with_its_reason(desk: Desk, articles: Any) -> None:
    (ready,) = articles(1)
    (analysed,) = articles(1)
    keep(desk, analysed, a_signal())
    (in_flight,) = articles(1)
    launch(desk, [in_flight])
    (short,) = articles(1, body="x" * 1_999)
    (inactive,) = articles(1, active=False)
    batch_id = launch(desk, [short, analysed, ready, inactive, in_flight, 10**9])
    assert queued(desk, batch_id)[0] == (ready, P, None)
    assert set(queued(desk, batch_id)[1:]) == {
        (analysed, S, ALREADY_ANALYSED),
        (in_flight, S, IN_FLIGHT),
        (short, S, TOO_SHORT),
        (inactive, S, INACTIVE),
    }


def test_a_plan_is_what_a_launch_then_does_and_changes_nothing(desk: Desk, articles: Any, make_settings: Any) -> None:
    settings = make_settings(gemini_api_key="k")
    ready = articles(3)
    (short,) = articles(1, body="x" * 100)
    with desk.database.session() as session:
        planned = launching.plan(session, Selection.of_ids([*ready, short]), settings)
    assert (sorted(planned.runnable), planned.skipped) == (ready, ((short, TOO_SHORT),))
    assert planned.estimate.articles == 3
    assert number_of_batches(desk) == 0
    batch_id = launch(desk, [*ready, short], settings)
    assert progress(desk, batch_id).estimated_usd == planned.estimate.usd
    assert [row[0] for row in queued(desk, batch_id)] == [*planned.runnable, short]


def test_a_filter_is_launched_as_it_stands_at_that_moment(desk: Desk, articles: Any) -> None:
    articles(3)
    articles(1, body="x" * 100)
    everything = Selection.of_filter(ArticleFilter())
    batch_id = desk.transaction(lambda session: launching.launch(session, everything, desk.environment, by=local("ada"), now=NOW))
    assert [row[1] for row in queued(desk, batch_id)] == [P, P, P]


def test_an_article_is_analysed_again_with_another_configuration(desk: Desk, articles: Any, make_settings: Any) -> None:
    (article,) = articles(1)
    keep(desk, article, a_signal())
    assert queued(desk, launch(desk, [article], make_settings(minimum_confidence=0.8))) == [(article, P, None)]


@pytest.mark.parametrize("ids", [[], [10**9]])
def test_an_empty_launch_is_refused(desk: Desk, ids: list[int]) -> None:
    with pytest.raises(NothingSelected, match="No article is selected"):
        launch(desk, ids)
    assert number_of_batches(desk) == 0


def test_a_launch_of_nothing_but_skipped_articles_is_refused_with_the_reasons(desk: Desk, articles: Any) -> None:
    analysed = articles(2)
    for article in analysed:
        keep(desk, article, a_signal())
    (short,) = articles(1, body="x" * 100)
    known = number_of_batches(desk)
    with pytest.raises(NothingSelected, match=f"Nothing to analyse: .*2 {ALREADY_ANALYSED}") as refused:
        launch(desk, [*analysed, short])
    assert f"1 {TOO_SHORT}" in str(refused.value)
    assert number_of_batches(desk) == known


def test_the_same_idempotency_key_returns_the_first_batch(desk: Desk, articles: Any) -> None:
    ids = articles(2)
    first = launch(desk, ids, idempotency_key="click-1")
    assert launch(desk, ids, idempotency_key="click-1") == first
    assert launch(desk, articles(1), idempotency_key="click-1") == first
    assert number_of_batches(desk) == 1
    assert launch(desk, articles(1), idempotency_key="click-2") != first


def test_launches_without_a_key_are_different_launches(desk: Desk, articles: Any) -> None:
    assert launch(desk, articles(1)) != launch(desk, articles(1))


def test_two_launches_of_the_same_articles_at_once_make_no_article_run_twice(desk: Desk, articles: Any) -> None:
    ids = articles(9)
    together = threading.Barrier(3)

    def attempt(share: list[int]) -> int | str:
        together.wait(30)
        try:
            return launch(desk, share)
        except NothingSelected as refusal:
            return str(refusal)

    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(attempt, [ids[:6], ids[:6], ids[3:]]))
    assert {refusal for refusal in made if isinstance(refusal, str)} == {f"Nothing to analyse: 6 {IN_FLIGHT}."}
    rows = [row for batch_id in made if isinstance(batch_id, int) for row in queued(desk, batch_id)]
    assert sorted(article for article, status, _ in rows if status is P) == ids
    assert {reason for _, status, reason in rows if status is S} <= {IN_FLIGHT}


def test_two_clicks_at_once_make_one_batch(desk: Desk, articles: Any) -> None:
    ids = articles(3)
    together = threading.Barrier(4)

    def click(_: int) -> int:
        together.wait(30)
        return launch(desk, ids, idempotency_key="one-click")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(click, range(4)))) == 1
    assert number_of_batches(desk) == 1


@pytest.mark.parametrize("short_of", ["daily_budget", "monthly_budget"])
def test_a_launch_over_a_budget_is_refused_with_the_figures_and_leaves_nothing(
    desk: Desk, articles: Any, make_settings: Any, short_of: str
) -> None:
    settings = make_settings(gemini_api_key="k", **{short_of: "0.01"})
    ids = articles(3)
    when = "today" if short_of == "daily_budget" else "this month"
    with pytest.raises(BudgetExceeded, match=rf"Budget for {when} is \$0\.0100; \$0\.00 is spent and \$0\.\d+ was asked for\."):
        launch(desk, ids, settings)
    assert number_of_batches(desk) == 0
    with desk.database.session() as session:
        assert session.scalars(select(BatchRecord.id)).all() == []


def test_reservations_in_flight_count_against_a_launch(desk: Desk, articles: Any, make_settings: Any) -> None:
    settings = make_settings(gemini_api_key="k", daily_budget="0.10")
    call = Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", Decimal("0.095"))
    (entry,) = desk.transaction(lambda session: budget.reserve(session, [call], settings, owner="w1", now=NOW))
    assert isinstance(entry, int)
    (article,) = articles(1)
    with pytest.raises(BudgetExceeded, match=r"\$0\.0950 reserved"):
        launch(desk, [article], settings)
    desk.transaction(lambda session: budget.end(session, [End.released(entry, "overload", "Busy.")], now=NOW))
    assert launch(desk, [article], settings)


def test_a_free_launch_needs_no_budget(desk: Desk, articles: Any, make_settings: Any) -> None:
    assert launch(desk, articles(2), make_settings(daily_budget="0", monthly_budget="0"))


def test_a_batch_can_have_a_limit_of_its_own(desk: Desk, articles: Any) -> None:
    assert progress(desk, launch(desk, articles(1), budget=Decimal("0.50"))).limit_usd == Decimal("0.50")


def test_a_model_without_a_price_cannot_be_launched(desk: Desk, articles: Any, make_settings: Any) -> None:
    with pytest.raises(SettingsError, match="acme:large"):
        launch(desk, articles(1), make_settings(model="acme:large"))
    assert number_of_batches(desk) == 0


def test_a_model_without_its_key_cannot_be_launched(desk: Desk, articles: Any, make_settings: Any) -> None:
    with pytest.raises(SettingsError, match="GEMINI_API_KEY"):
        launch(desk, articles(1), make_settings(model="google:gemini-2.5-flash"))
    assert number_of_batches(desk) == 0


# Progress


def test_progress_is_counted_from_the_records_and_the_ledger(desk: Desk, articles: Any) -> None:
    ids = articles(5)
    batch_id = launch(desk, ids)
    run(desk, batch_id, C, F, R)
    for worst, settled in (("0.10", "0.04"), ("0.20", None)):
        call = Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", Decimal(worst), batch_id=batch_id)
        with desk.database.session() as session:
            (entry,) = budget.reserve(session, [call], desk.environment, owner="w1", now=NOW)
            assert isinstance(entry, int)
            if settled:
                budget.end(session, [End.settled(entry, Decimal(settled))], now=NOW)
    found = progress(desk, batch_id)
    assert {status: number for status, number in found.counts.items() if number} == {C: 1, F: 1, R: 1, P: 2}
    assert (found.total, found.ended, found.share) == (5, 2, 0.4)
    assert (found.spent_usd, found.reserved_usd) == (Decimal("0.04"), Decimal("0.20"))
    assert found.started_at == NOW


def test_the_time_left_is_told_once_three_articles_have_run(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(9))
    assert progress(desk, batch_id).seconds_left(NOW) is None
    run(desk, batch_id, C, C)
    assert progress(desk, batch_id).seconds_left(NOW + timedelta(seconds=30)) is None
    run(desk, batch_id, F)
    assert progress(desk, batch_id).seconds_left(NOW + timedelta(seconds=30)) == 60.0
    desk.transaction(lambda session: batch_actions.pause(session, batch_id, "Ada paused it.", by=ANN))
    assert progress(desk, batch_id).seconds_left(NOW + timedelta(seconds=30)) is None


def test_the_newest_batches_come_first(desk: Desk, articles: Any) -> None:
    made = [launch(desk, articles(1)) for _ in range(3)]
    with desk.database.session() as session:
        assert [found.id for found in batches.recent(session, limit=2)] == made[:0:-1]


# Pause, resume, cancel


def status(desk: Desk, batch_id: int) -> BatchStatus:
    return progress(desk, batch_id).status


def do(desk: Desk, action: str, batch_id: int) -> None:
    calls: dict[str, Any] = {
        "paused": lambda session: batch_actions.pause(session, batch_id, "Ada paused it.", by=ANN),
        "resumed": lambda session: batch_actions.resume(session, batch_id, by=ANN),
        "cancelled": lambda session: batch_actions.cancel(session, batch_id, now=NOW, by=ANN),
    }
    desk.transaction(calls[action])


def test_a_paused_batch_says_why_and_is_resumed_where_it_was(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(2))
    run(desk, batch_id, C)
    do(desk, "paused", batch_id)
    assert (status(desk, batch_id), progress(desk, batch_id).pause_reason) == (BatchStatus.PAUSED, "Ada paused it.")
    do(desk, "resumed", batch_id)
    assert (status(desk, batch_id), progress(desk, batch_id).pause_reason) == (BatchStatus.PROCESSING, None)
    assert [row[1] for row in queued(desk, batch_id)] == [C, P]


def test_a_paused_batchs_articles_stay_in_flight(desk: Desk, articles: Any) -> None:
    ids = articles(1)
    do(desk, "paused", launch(desk, ids))
    with pytest.raises(NothingSelected, match=IN_FLIGHT):
        launch(desk, ids)


def test_the_first_pause_reason_is_kept(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(1))
    desk.transaction(lambda session: batch_actions.pause(session, batch_id, "The budget is used up.", by=ANN))
    do(desk, "paused", batch_id)
    assert progress(desk, batch_id).pause_reason == "The budget is used up."


def test_resuming_a_batch_that_runs_or_waits_changes_nothing(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(1))
    do(desk, "resumed", batch_id)
    assert status(desk, batch_id) is BatchStatus.INITIATED
    run(desk, batch_id, R)
    do(desk, "resumed", batch_id)
    assert status(desk, batch_id) is BatchStatus.PROCESSING


def test_cancelling_gives_up_what_waits_and_keeps_what_is_done_or_in_work(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(5))
    run(desk, batch_id, C, F, R)
    do(desk, "paused", batch_id)
    do(desk, "cancelled", batch_id)
    do(desk, "cancelled", batch_id)
    found = progress(desk, batch_id)
    assert [row[1] for row in queued(desk, batch_id)] == [C, F, R, X, X]
    assert (found.status, found.finished_at, found.pause_reason) == (BatchStatus.CANCELLED, NOW, None)


def test_a_cancelled_batchs_waiting_articles_can_be_launched_again(desk: Desk, articles: Any) -> None:
    ids = articles(2)
    do(desk, "cancelled", launch(desk, ids))
    assert [row[1] for row in queued(desk, launch(desk, ids))] == [P, P]


@pytest.mark.parametrize("action", ["paused", "resumed", "cancelled"])
@pytest.mark.parametrize("ended", [BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.CANCELLED])
def test_an_ended_batch_refuses_with_its_state(desk: Desk, articles: Any, action: str, ended: BatchStatus) -> None:
    batch_id = launch(desk, articles(1))
    desk.transaction(lambda session: session.execute(update(BatchSession).values(status=ended)))
    if action == ended.value.lower():
        do(desk, action, batch_id)
    else:
        with pytest.raises(NotPossible, match=f"Batch {batch_id} can't be {action}: it is {ended}"):
            do(desk, action, batch_id)
    assert status(desk, batch_id) is ended


@pytest.mark.parametrize("action", ["paused", "resumed", "cancelled"])
def test_a_batch_that_does_not_exist_is_not_found(desk: Desk, action: str) -> None:
    with pytest.raises(NotFound, match="no batch 7"):
        do(desk, action, 7)
    with pytest.raises(NotFound, match="no batch 7"):
        progress(desk, 7)
    with pytest.raises(NotFound, match="no batch 7"):
        desk.transaction(lambda session: batch_actions.retry_failed(session, 7, by=ANN))


def test_a_batch_paused_at_once_is_marked_until_it_goes_on(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(2))

    def interrupted() -> bool:
        with desk.database.session() as session:
            return session.get_one(BatchSession, batch_id).interrupt

    run(desk, batch_id, F)
    for goes_on in (lambda: do(desk, "resumed", batch_id), lambda: retry(desk, batch_id)):
        desk.transaction(lambda session: batch_actions.pause_now(session, batch_id, "Stop.", by=ANN))
        assert (status(desk, batch_id), interrupted()) == (BatchStatus.PAUSED, True)
        goes_on()
        do(desk, "paused", batch_id)
        assert (status(desk, batch_id), interrupted()) == (BatchStatus.PAUSED, False)
        do(desk, "resumed", batch_id)


def test_a_batch_paused_for_want_of_room_says_how_much_the_rest_needs(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(4), budget=Decimal("0.50"))
    run(desk, batch_id, C)
    call = Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", Decimal("0.40"), batch_id=batch_id)
    with desk.database.session() as session:
        (entry,) = budget.reserve(session, [call], desk.environment, owner="w1", now=NOW)
        assert isinstance(entry, int)
        budget.end(session, [End.settled(entry, Decimal("0.40"))], now=NOW)
        (refusal,) = budget.reserve(session, [call], desk.environment, owner="w1", now=NOW)
        assert isinstance(refusal, NoRoom)
        batch_actions.pause_for_budget(session, batch_id, refusal)
    found = progress(desk, batch_id)
    assert found.status is BatchStatus.PAUSED
    assert found.pause_needs_usd == Decimal("1.10")  # three articles at $0.40 each, less the $0.10 of room
    assert found.pause_budget_id == refusal.budget.id
    assert found.pause_reason == (
        f"Budget for batch {batch_id} is $0.50; $0.40 is spent and $0.40 was asked for. It needs about $1.10 more to finish 3 articles."
    )
    do(desk, "cancelled", batch_id)
    ended = progress(desk, batch_id)
    assert (ended.pause_reason, ended.pause_budget_id, ended.pause_needs_usd) == (None, None, None)


# The end


@pytest.mark.parametrize(
    ("ends", "end"),
    [
        ((C, C), BatchStatus.COMPLETED),
        ((C, F), BatchStatus.COMPLETED),
        ((S, S), BatchStatus.COMPLETED),
        ((F, F), BatchStatus.FAILED),
        ((F, S), BatchStatus.FAILED),
    ],
)
def test_a_batch_ends_when_its_records_have(desk: Desk, articles: Any, ends: tuple[RecordStatus, ...], end: BatchStatus) -> None:
    batch_id = launch(desk, articles(2))
    run(desk, batch_id, *ends)
    assert finish(desk, batch_id)
    assert (status(desk, batch_id), progress(desk, batch_id).finished_at) == (end, NOW)
    assert finish(desk, batch_id)
    assert status(desk, batch_id) is end


@pytest.mark.parametrize("left", [P, R])
def test_a_batch_with_work_left_does_not_end(desk: Desk, articles: Any, left: RecordStatus) -> None:
    batch_id = launch(desk, articles(2))
    run(desk, batch_id, C, *([R] if left is R else []))
    assert not finish(desk, batch_id)
    assert status(desk, batch_id) is BatchStatus.PROCESSING


def test_a_cancelled_batch_stays_cancelled_when_its_last_article_ends(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(1))
    run(desk, batch_id, R)
    do(desk, "cancelled", batch_id)
    assert finish(desk, batch_id)
    assert status(desk, batch_id) is BatchStatus.CANCELLED


# Retry


def retry(desk: Desk, batch_id: int) -> int:
    return desk.transaction(lambda session: batch_actions.retry_failed(session, batch_id, by=ANN))


def test_failed_articles_are_queued_again_and_the_batch_is_open_again(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(3))
    run(desk, batch_id, C, F, F)
    finish(desk, batch_id)
    assert retry(desk, batch_id) == 2
    found = progress(desk, batch_id)
    assert (found.status, found.finished_at) == (BatchStatus.PROCESSING, None)
    assert [row[1] for row in queued(desk, batch_id)] == [C, P, P]
    with desk.database.session() as session:
        again = session.scalars(select(BatchRecord).where(BatchRecord.status == P)).all()
        assert {(row.attempts, row.error_kind, row.error_message, row.finished_at) for row in again} == {(0, None, None, None)}


def test_a_second_retry_finds_nothing_and_harms_nothing(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(2))
    run(desk, batch_id, C, F)
    assert retry(desk, batch_id) == 1
    with pytest.raises(NotPossible, match=f"No article of batch {batch_id} failed"):
        retry(desk, batch_id)
    assert [row[1] for row in queued(desk, batch_id)] == [C, P]


def test_a_cancelled_batch_is_not_retried(desk: Desk, articles: Any) -> None:
    batch_id = launch(desk, articles(2))
    run(desk, batch_id, F)
    do(desk, "cancelled", batch_id)
    with pytest.raises(NotPossible, match="was cancelled"):
        retry(desk, batch_id)
    assert [row[1] for row in queued(desk, batch_id)] == [F, X]


def test_a_failed_article_that_was_deleted_is_not_retried(desk: Desk, articles: Any) -> None:
    ids = articles(1)
    batch_id = launch(desk, ids)
    run(desk, batch_id, F)
    desk.transaction(lambda session: delete_articles(session, ids, by=ANN))
    with pytest.raises(NotPossible, match="failed"):
        retry(desk, batch_id)


def test_a_failed_article_that_another_batch_has_in_flight_is_left_to_it(desk: Desk, articles: Any) -> None:
    ids = articles(2)
    batch_id = launch(desk, ids)
    run(desk, batch_id, F, F)
    finish(desk, batch_id)
    (elsewhere, _, _), (free, _, _) = queued(desk, batch_id)
    assert elsewhere is not None
    other = launch(desk, [elsewhere])
    assert retry(desk, batch_id) == 1
    assert queued(desk, batch_id) == [(elsewhere, F, None), (free, P, None)]
    run(desk, batch_id, C)
    with pytest.raises(NotPossible, match=IN_FLIGHT):
        retry(desk, batch_id)
    run(desk, other, F)
    finish(desk, other)
    assert retry(desk, batch_id) == 1


def test_a_retry_and_a_launch_of_the_same_article_at_once_make_it_run_once(desk: Desk, articles: Any, database: Database) -> None:
    ids = articles(1)
    batch_id = launch(desk, ids)
    run(desk, batch_id, F)
    finish(desk, batch_id)
    together = threading.Barrier(2)

    def attempt(action: Any) -> bool:
        together.wait(30)
        try:
            action()
        except (NothingSelected, NotPossible):
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(attempt, [lambda: retry(desk, batch_id), lambda: launch(desk, ids)])) == 1
    with desk.database.session() as session:
        assert session.scalar(select(func.count()).where(BatchRecord.status == P)) == 1


@pytest.mark.parametrize("first", ["paused", "resumed", "cancelled"])
@pytest.mark.parametrize("second", ["paused", "resumed", "cancelled"])
def test_two_consoles_that_act_at_once_leave_one_consistent_batch(desk: Desk, articles: Any, first: str, second: str) -> None:
    batch_id = launch(desk, articles(2))
    run(desk, batch_id, C)
    together = threading.Barrier(2)

    def attempt(action: str) -> str:
        together.wait(30)
        try:
            do(desk, action, batch_id)
        except NotPossible as refusal:
            return str(refusal)
        return "done: CANCELLED or not"

    with ThreadPoolExecutor(2) as pool:
        assert all("CANCELLED" in answer for answer in pool.map(attempt, [first, second]))
    found = progress(desk, batch_id)
    waiting = queued(desk, batch_id)[1][1]
    assert (found.status is BatchStatus.CANCELLED) == ("cancelled" in (first, second)) == (waiting is X)
    assert (found.pause_reason is not None) == (found.status is BatchStatus.PAUSED)


def test_batches_are_paged_by_id_and_filtered_by_status(desk: Desk, articles: Any) -> None:
    made = [launch(desk, [one]) for one in articles(5)]
    desk.transaction(lambda session: batch_actions.cancel(session, made[1], now=NOW, by=ANN))

    def page(**values: Any) -> batches.Page:
        return desk.transaction(lambda session: batches.page(session, size=2, **values))

    first = page()
    assert ([row.id for row in first.rows], first.has_newer, first.has_older) == (made[:2:-1], False, True)
    second = page(before=made[3])
    assert ([row.id for row in second.rows], second.has_newer, second.has_older) == ([made[2], made[1]], True, True)
    last = page(before=made[1])
    assert ([row.id for row in last.rows], last.has_newer, last.has_older) == ([made[0]], True, False)
    back = desk.transaction(lambda session: batches.page_before(session, (), made[0], size=2))
    assert back is not None
    assert [row.id for row in page(before=back).rows] == [made[2], made[1]]
    assert desk.transaction(lambda session: batches.page_before(session, (), made[2], size=2)) is None
    cancelled = page(statuses=[BatchStatus.CANCELLED])
    assert ([row.id for row in cancelled.rows], cancelled.has_older) == ([made[1]], False)
    assert [one.id for one in desk.transaction(batches.unended)] == [made[4], made[3], made[2], made[0]]
    assert desk.transaction(lambda session: batches.neighbours(session, made[0])) == (None, made[1])
    assert desk.transaction(lambda session: batches.neighbours(session, made[4])) == (made[3], None)
