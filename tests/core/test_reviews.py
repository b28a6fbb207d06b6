"""Reviews: the newest decision counts, history stays, an undo is one more entry."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from core import reviews
from core.articles import delete_articles
from core.configuration import Desk
from core.errors import NotFound, NotPossible
from core.models import Decision, Review
from core.signals import Reviewed, SignalFilter, get_signal, signal_page
from tests.core.answered import a_signal, keep


@pytest.fixture
def signal_id(desk: Desk, articles: Any) -> int:
    return keep(desk, articles(1)[0], a_signal())[0]


def decide(desk: Desk, signal_id: int, decision: Decision, *, by: str = "ada", note: str | None = None) -> None:
    desk.transaction(lambda session: reviews.review(session, signal_id, decision, by=by, note=note))


def undo(desk: Desk, signal_id: int, *, by: str = "ada") -> None:
    desk.transaction(lambda session: reviews.undo(session, signal_id, by=by))


def decision_of(desk: Desk, signal_id: int) -> Decision | None:
    return desk.transaction(lambda session: get_signal(session, signal_id)).decision


def history(desk: Desk, signal_id: int) -> list[tuple[Decision, str, str | None]]:
    rows = desk.transaction(lambda session: reviews.reviews_of(session, signal_id))
    return [(row.decision, row.reviewer, row.note) for row in rows]


def test_a_signal_is_undecided_until_someone_decides(desk: Desk, signal_id: int) -> None:
    assert (decision_of(desk, signal_id), history(desk, signal_id)) == (None, [])


@pytest.mark.parametrize("decision", [Decision.ACCEPTED, Decision.REJECTED, Decision.UNSURE])
def test_a_decision_is_kept_with_its_name_note_and_time(desk: Desk, signal_id: int, decision: Decision) -> None:
    decide(desk, signal_id, decision, by="ida", note="  Seen on chain.  ")
    assert decision_of(desk, signal_id) is decision
    assert history(desk, signal_id) == [(decision, "ida", "Seen on chain.")]
    (row,) = desk.transaction(lambda session: reviews.reviews_of(session, signal_id))
    assert row.created_at.tzinfo is not None


@pytest.mark.parametrize("note", [None, "", "   "])
def test_an_empty_note_is_no_note(desk: Desk, signal_id: int, note: str | None) -> None:
    decide(desk, signal_id, Decision.ACCEPTED, note=note)
    assert history(desk, signal_id) == [(Decision.ACCEPTED, "ada", None)]


def test_the_newest_decision_counts_and_the_older_ones_stay(desk: Desk, signal_id: int) -> None:
    decide(desk, signal_id, Decision.ACCEPTED)
    decide(desk, signal_id, Decision.REJECTED, by="ida", note="Old news.")
    assert decision_of(desk, signal_id) is Decision.REJECTED
    assert history(desk, signal_id) == [(Decision.REJECTED, "ida", "Old news."), (Decision.ACCEPTED, "ada", None)]


def test_an_undo_makes_the_signal_undecided_and_is_one_more_entry(desk: Desk, signal_id: int) -> None:
    decide(desk, signal_id, Decision.REJECTED)
    decide(desk, signal_id, Decision.ACCEPTED)
    undo(desk, signal_id, by="ida")
    assert decision_of(desk, signal_id) is None
    assert [row[:2] for row in history(desk, signal_id)] == [
        (Decision.WITHDRAWN, "ida"),
        (Decision.ACCEPTED, "ada"),
        (Decision.REJECTED, "ada"),
    ]
    decide(desk, signal_id, Decision.UNSURE)
    assert decision_of(desk, signal_id) is Decision.UNSURE


def test_there_is_nothing_to_undo_without_a_decision_or_after_an_undo(desk: Desk, signal_id: int) -> None:
    with pytest.raises(NotPossible, match="no decision"):
        undo(desk, signal_id)
    decide(desk, signal_id, Decision.ACCEPTED)
    undo(desk, signal_id)
    with pytest.raises(NotPossible, match="no decision"):
        undo(desk, signal_id)
    assert len(history(desk, signal_id)) == 2


def test_a_signal_that_does_not_exist_cannot_be_decided(desk: Desk, signal_id: int) -> None:
    with pytest.raises(NotFound, match=f"Signal {signal_id + 1} "):
        decide(desk, signal_id + 1, Decision.ACCEPTED)
    article = desk.transaction(lambda session: get_signal(session, signal_id)).article_id
    desk.transaction(lambda session: delete_articles(session, [article]))
    with pytest.raises(NotFound):
        decide(desk, signal_id, Decision.ACCEPTED)
    with desk.database.session() as session:
        assert session.scalars(select(Review.id)).all() == []


def test_one_signals_decision_leaves_the_others(desk: Desk, articles: Any) -> None:
    first, second = keep(desk, articles(1)[0], a_signal(), a_signal(description="Another."))
    decide(desk, first, Decision.ACCEPTED)
    assert (decision_of(desk, first), decision_of(desk, second)) == (Decision.ACCEPTED, None)
    assert history(desk, second) == []


def test_the_queue_holds_what_is_undecided_or_withdrawn(desk: Desk, articles: Any) -> None:
    accepted, rejected, unsure, withdrawn, untouched = keep(desk, articles(1)[0], *[a_signal(description=f"Signal {n}.") for n in range(5)])
    decide(desk, accepted, Decision.ACCEPTED)
    decide(desk, rejected, Decision.REJECTED)
    decide(desk, unsure, Decision.UNSURE)
    decide(desk, withdrawn, Decision.ACCEPTED)
    undo(desk, withdrawn)

    def listed(reviewed: Reviewed) -> set[int]:
        page = desk.transaction(lambda session: signal_page(session, SignalFilter(reviewed=reviewed), offset=0, size=99))
        return {row.id for row in page}

    assert {reviewed: listed(reviewed) for reviewed in Reviewed} == {
        Reviewed.ANY: {accepted, rejected, unsure, withdrawn, untouched},
        Reviewed.OPEN: {withdrawn, untouched},
        Reviewed.ACCEPTED: {accepted},
        Reviewed.REJECTED: {rejected},
        Reviewed.UNSURE: {unsure},
    }


def test_two_analysts_at_once_leave_the_newest_entry_as_the_decision(desk: Desk, signal_id: int) -> None:
    together = threading.Barrier(6)

    def attempt(number: int) -> None:
        together.wait(30)
        decide(desk, signal_id, [Decision.ACCEPTED, Decision.REJECTED, Decision.UNSURE][number % 3], by=f"analyst {number}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(attempt, range(6)))
    assert len(history(desk, signal_id)) == 6
    assert decision_of(desk, signal_id) is history(desk, signal_id)[0][0]
