"""Reviews: the newest act that is not undone counts, history stays, an undo is one more entry."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, update

from core import reviews
from core.access import local
from core.agents.outputs import Timeframe, Verdict
from core.articles import delete_articles
from core.configuration import Desk
from core.errors import NotFound, NotPossible
from core.models import Decision, Review, ReviewAct, Signal
from core.reviews import Correction, before
from core.signal_filter import Reviewed, SignalFilter
from core.signals import get_signal, signal_page
from tests.actors import ANN
from tests.core.answered import a_signal, keep


@pytest.fixture
def signal_id(desk: Desk, articles: Any) -> int:
    return keep(desk, articles(1)[0], a_signal())[0]


def decide(desk: Desk, signal_id: int, decision: Decision, *, by: str = "ada", note: str | None = None) -> None:
    desk.transaction(lambda session: reviews.decide(session, signal_id, decision, by=local(by), note=note))


def undo(desk: Desk, signal_id: int, *, by: str = "ada") -> None:
    desk.transaction(lambda session: reviews.undo(session, signal_id, by=local(by)))


def decision_of(desk: Desk, signal_id: int) -> Decision | None:
    return desk.transaction(lambda session: get_signal(session, signal_id)).decision


def history(desk: Desk, signal_id: int) -> list[tuple[Decision | None, str, str | None]]:
    rows = reversed(desk.transaction(lambda session: reviews.acts_of(session, signal_id)))
    return [(row.decision, row.reviewer, row.note) for row in rows]


def test_a_signal_is_undecided_until_someone_decides(desk: Desk, signal_id: int) -> None:
    assert (decision_of(desk, signal_id), history(desk, signal_id)) == (None, [])


@pytest.mark.parametrize("decision", [Decision.ACCEPTED, Decision.REJECTED, Decision.UNSURE])
def test_a_decision_is_kept_with_its_name_note_and_time(desk: Desk, signal_id: int, decision: Decision) -> None:
    decide(desk, signal_id, decision, by="ida", note="  Seen on chain.  ")
    assert decision_of(desk, signal_id) is decision
    assert history(desk, signal_id) == [(decision, "ida", "Seen on chain.")]
    (row,) = desk.transaction(lambda session: reviews.acts_of(session, signal_id))
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


def test_an_undo_brings_back_what_stood_before_and_is_one_more_entry(desk: Desk, signal_id: int) -> None:
    decide(desk, signal_id, Decision.REJECTED)
    decide(desk, signal_id, Decision.ACCEPTED)
    undo(desk, signal_id, by="ida")
    assert decision_of(desk, signal_id) is Decision.REJECTED
    undo(desk, signal_id, by="ida")
    assert decision_of(desk, signal_id) is None
    acts = desk.transaction(lambda session: reviews.acts_of(session, signal_id))
    assert [(one.act, one.reviewer, one.undoes) for one in acts] == [
        (ReviewAct.DECISION, "ada", None),
        (ReviewAct.DECISION, "ada", None),
        (ReviewAct.UNDO, "ida", acts[1].id),
        (ReviewAct.UNDO, "ida", acts[0].id),
    ]
    assert [before(acts, position).decision for position in range(4)] == [None, Decision.REJECTED, Decision.ACCEPTED, Decision.REJECTED]
    decide(desk, signal_id, Decision.UNSURE)
    assert decision_of(desk, signal_id) is Decision.UNSURE


def test_there_is_nothing_to_undo_without_an_act_or_after_all_are_undone(desk: Desk, signal_id: int) -> None:
    with pytest.raises(NotPossible, match="nothing on this signal to undo"):
        undo(desk, signal_id)
    decide(desk, signal_id, Decision.ACCEPTED)
    undo(desk, signal_id)
    with pytest.raises(NotPossible, match="nothing on this signal to undo"):
        undo(desk, signal_id)
    assert len(history(desk, signal_id)) == 2


def test_an_undo_of_a_known_act_is_refused_once_somebody_else_acted(desk: Desk, signal_id: int) -> None:
    mine = desk.transaction(lambda session: reviews.decide(session, signal_id, Decision.ACCEPTED, by=local("ada")))
    decide(desk, signal_id, Decision.REJECTED, by="ida")
    with pytest.raises(NotPossible, match="ida has acted on this signal since"):
        desk.transaction(lambda session: reviews.undo(session, signal_id, by=local("ada"), act_id=mine))
    assert decision_of(desk, signal_id) is Decision.REJECTED


def correct(desk: Desk, signal_id: int, **values: Any) -> None:
    desk.transaction(lambda session: reviews.correct(session, signal_id, Correction(**values), by=local("ada")))


def test_a_correction_stands_beside_what_was_found_and_is_undone_like_any_act(desk: Desk, signal_id: int) -> None:
    found = desk.transaction(lambda session: get_signal(session, signal_id))
    correct(desk, signal_id, category="flows", description="Said better.", timeframe=Timeframe.LONG_TERM)
    decide(desk, signal_id, Decision.ACCEPTED)
    corrected = desk.transaction(lambda session: get_signal(session, signal_id))
    assert (corrected.category, corrected.description, corrected.timeframe) == (found.category, found.description, found.timeframe)
    assert (corrected.corrected_category, corrected.corrected_description) == ("flows", "Said better.")
    (row,) = desk.transaction(lambda session: signal_page(session, SignalFilter(categories=("flows",), text="better"), offset=0, size=9))
    assert (row.category, row.description, row.timeframe) == ("flows", "Said better.", Timeframe.LONG_TERM)
    undo(desk, signal_id)
    undo(desk, signal_id)
    again = desk.transaction(lambda session: get_signal(session, signal_id))
    assert (again.decision, again.corrected_category, again.corrected_description, again.corrected_timeframe) == (None, None, None, None)


def test_a_correction_that_changes_nothing_or_is_too_long_is_refused(desk: Desk, signal_id: int) -> None:
    found = desk.transaction(lambda session: get_signal(session, signal_id))
    with pytest.raises(NotPossible, match="Nothing was changed"):
        correct(desk, signal_id, category=found.category, description=f"  {found.description} ", timeframe=found.timeframe)
    with pytest.raises(NotPossible, match="2,000"):
        correct(desk, signal_id, description="x" * 2_001)
    correct(desk, signal_id, category="flows")
    with pytest.raises(NotPossible, match="Nothing was changed"):
        correct(desk, signal_id, category="flows")
    correct(desk, signal_id)  # as found again
    assert desk.transaction(lambda session: get_signal(session, signal_id)).corrected_category is None


def test_a_note_leaves_the_signal_undecided(desk: Desk, signal_id: int) -> None:
    desk.transaction(lambda session: reviews.annotate(session, signal_id, " Ask the miner. ", by=local("ada")))
    assert history(desk, signal_id) == [(None, "ada", "Ask the miner.")]
    assert decision_of(desk, signal_id) is None
    with pytest.raises(NotPossible, match="note is empty"):
        desk.transaction(lambda session: reviews.annotate(session, signal_id, "  ", by=local("ada")))


def test_a_bulk_decision_is_made_on_what_was_confirmed_and_undone_as_one(desk: Desk, articles: Any) -> None:
    weak, strong, other = keep(desk, articles(1)[0], *[a_signal(confidence=value) for value in (0.2, 0.8, 0.9)])
    decide(desk, weak, Decision.ACCEPTED)
    chosen = SignalFilter(minimum_confidence=0.5)
    asked = desk.transaction(lambda session: reviews.matched(session, chosen))
    assert (asked.count, asked.decided) == (2, 0)
    with desk.database.session() as session:  # one out of the filter, another in: as many, and yet others
        session.execute(update(Signal).where(Signal.id == strong).values(confidence=0.1))
        session.execute(update(Signal).where(Signal.id == weak).values(confidence=0.6))
    with pytest.raises(NotPossible, match="have changed since you were asked: 2 then, 2 now"):
        desk.transaction(lambda session: reviews.decide_all(session, chosen, Decision.REJECTED, by=local("ada"), asked=asked))
    with desk.database.session() as session:
        session.execute(update(Signal).where(Signal.id == strong).values(confidence=0.8))
        session.execute(update(Signal).where(Signal.id == weak).values(confidence=0.2))
    assert decision_of(desk, strong) is None
    bulk, number = desk.transaction(
        lambda session: reviews.decide_all(session, chosen, Decision.REJECTED, by=local("ada"), asked=asked, note="Old.")
    )
    assert (number, decision_of(desk, weak), decision_of(desk, strong)) == (2, Decision.ACCEPTED, Decision.REJECTED)
    assert history(desk, strong) == [(Decision.REJECTED, "ada", "Old.")]
    assert desk.transaction(lambda session: reviews.last_bulk(session, "ada")) == (bulk, Decision.REJECTED, 2)
    assert desk.transaction(lambda session: reviews.last_bulk(session, "ida")) is None
    decide(desk, other, Decision.ACCEPTED, by="ida")
    assert desk.transaction(lambda session: reviews.undo_all(session, bulk, by=local("ada"))) == (1, 1)
    assert (decision_of(desk, strong), decision_of(desk, other)) == (None, Decision.ACCEPTED)
    assert desk.transaction(lambda session: reviews.last_bulk(session, "ada")) is None
    nothing = SignalFilter(minimum_confidence=1)
    none = desk.transaction(lambda session: reviews.matched(session, nothing))
    with pytest.raises(NotPossible, match="No signal matches"):
        desk.transaction(lambda session: reviews.decide_all(session, nothing, Decision.REJECTED, by=local("ada"), asked=none))


def test_blind_decisions_are_those_whose_verdict_was_hidden(desk: Desk, articles: Any) -> None:
    ids = [id_ for article in articles(4) for id_ in keep(desk, article, *[a_signal() for _ in range(10)])]
    with desk.database.session() as session:
        session.execute(update(Signal).values(verdict=Verdict.VALIDATED))
        session.execute(update(Signal).where(Signal.id == ids[0]).values(verdict=None))
    page = desk.transaction(lambda session: signal_page(session, SignalFilter(blind_share=0.5), offset=0, size=99))
    hidden = {row.id for row in page if row.is_blind}
    assert 8 < len(hidden) < 32
    assert {row.id for row in page if row.verdict is None} == hidden | {ids[0]}
    chosen = SignalFilter(verdicts=(Verdict.VALIDATED,), blind_share=0.5)
    shown = desk.transaction(lambda session: signal_page(session, chosen, offset=0, size=99))
    assert {row.id for row in shown} == set(ids) - hidden - {ids[0]}, "a filter on verdicts would give hidden ones away"
    for id_ in ids:
        desk.transaction(lambda session, id_=id_: reviews.decide(session, id_, Decision.ACCEPTED, by=local("ada"), blind_share=0.5))
    acts = [desk.transaction(lambda session, id_=id_: reviews.acts_of(session, id_))[0] for id_ in ids]
    assert {id_ for id_, act in zip(ids, acts, strict=True) if act.blind} == hidden
    assert [act.verdict for act in acts] == [None, *[Verdict.VALIDATED] * 39]
    page = desk.transaction(lambda session: signal_page(session, SignalFilter(blind_share=0.5), offset=0, size=99))
    assert not any(row.is_blind for row in page), "decided: the verdict is shown"


def test_a_signal_that_does_not_exist_cannot_be_decided(desk: Desk, signal_id: int) -> None:
    with pytest.raises(NotFound, match=f"Signal {signal_id + 1} "):
        decide(desk, signal_id + 1, Decision.ACCEPTED)
    article = desk.transaction(lambda session: get_signal(session, signal_id)).article_id
    desk.transaction(lambda session: delete_articles(session, [article], by=ANN))
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


def test_the_last_act_of_an_analyst_is_the_newest_that_still_stands(desk: Desk, articles: Any) -> None:
    one, two = keep(desk, articles(1)[0], a_signal(), a_signal(description="Another."))

    def last() -> tuple[int, int] | None:
        return desk.transaction(lambda session: reviews.last_act(session, "ada"))

    assert last() is None
    decide(desk, one, Decision.ACCEPTED)
    first = last()
    decide(desk, two, Decision.REJECTED)
    assert first is not None
    assert first[0] == one
    assert (last() or (0,))[0] == two
    decide(desk, two, Decision.ACCEPTED, by="ida")
    assert last() == first, "somebody acted on the other since"
    undo(desk, one)
    assert last() is None
