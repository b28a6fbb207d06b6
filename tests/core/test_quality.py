"""Quality: only decisions that stand count, as found, blind apart from in sight; what an accepted signal costs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, update

from core import quality, reviews, spending
from core.access import local
from core.agents.outputs import SignalKind, Verdict
from core.calibration import calibration
from core.configuration import Desk
from core.models import Analysis, Decision, LedgerEntry, LedgerKind, LedgerStatus, Review, Signal, table_of
from core.quality import Agreement, Cost, Dimension, Scope
from core.signal_filter import SignalFilter
from tests.conftest import NOW
from tests.core.answered import a_signal, keep, validated

ACCEPTED, REJECTED, UNSURE = Decision.ACCEPTED, Decision.REJECTED, Decision.UNSURE


@pytest.fixture
def signals(desk: Desk, articles: Any) -> Any:
    """``signals(a_signal(), ...)`` finds these in one new article and returns their ids."""
    return lambda *found, **values: keep(desk, articles(1, **values)[0], *found)


def decide(desk: Desk, signal_id: int, decision: Decision, by: str = "ada", blind: float = 0, at: datetime | None = None) -> None:
    act = desk.transaction(lambda session: reviews.decide(session, signal_id, decision, by=local(by), blind_share=blind))
    if at is not None:
        desk.transaction(lambda session: session.execute(update(Review).where(Review.id == act).values(created_at=at)))


def by(desk: Desk, dimension: Dimension, **scope: Any) -> list[tuple[str, int, int, int]]:
    rows = desk.transaction(lambda session: quality.acceptance_by(session, dimension, Scope(**scope)))
    return [(row.name, row.accepted, row.rejected, row.unsure) for row in rows]


def counts(desk: Desk, **scope: Any) -> tuple[int, int, int]:
    row = desk.transaction(lambda session: quality.acceptance(quality.agreement(session, Scope(**scope))))
    return row.accepted, row.rejected, row.unsure


def spend(desk: Desk, usd: str, status: LedgerStatus = LedgerStatus.SETTLED, **values: Any) -> None:
    usual = {"kind": LedgerKind.MODEL, "agent": "content_analysis", "provider": "google", "model": "gemini", "created_at": NOW}
    entry = usual | {"usd": Decimal(usd), "status": status} | values
    entry |= {"day": entry["created_at"].date()}
    desk.transaction(lambda session: session.execute(insert(table_of(LedgerEntry)).values(entry)))
    desk.transaction(spending.rebuild)


def test_without_a_decision_there_is_nothing_to_say(desk: Desk, signals: Any) -> None:
    signals(a_signal())
    assert counts(desk) == (0, 0, 0)
    assert [by(desk, dimension) for dimension in Dimension] == [[]] * len(Dimension)
    assert desk.transaction(quality.acceptance).share.value is None
    assert desk.transaction(quality.calibrations) == (calibration([]), calibration([]))
    assert [one.share.whole for one in desk.transaction(quality.agreement)] == [0, 0]
    assert desk.transaction(quality.costs) == []


def test_acceptance_by_each_dimension_most_decided_first(desk: Desk, signals: Any) -> None:
    one, two = signals(a_signal(), a_signal(kind=SignalKind.NARRATIVE_GAP, category="flows"), publisher="CoinDesk")
    three, four = signals(a_signal(), a_signal(), publisher="NewsBTC")
    for signal_id, decision in ((one, ACCEPTED), (two, REJECTED), (three, REJECTED), (four, UNSURE)):
        decide(desk, signal_id, decision)
    desk.transaction(
        lambda session: session.execute(
            update(Analysis)
            .where(Analysis.id.in_(session.query(Signal.analysis_id).where(Signal.id == one)))
            .values(model="google:gemini-2.5-flash", prompt_version="content-9")
        )
    )
    assert counts(desk) == (1, 2, 1)
    assert by(desk, Dimension.KIND) == [("weak_signal", 1, 1, 1), ("narrative_gap", 0, 1, 0)]
    assert by(desk, Dimension.CATEGORY) == [("mining", 1, 1, 1), ("flows", 0, 1, 0)]
    assert by(desk, Dimension.PUBLISHER) == [("CoinDesk", 1, 1, 0), ("NewsBTC", 0, 1, 1)]
    assert by(desk, Dimension.MODEL) == [("google:gemini-2.5-flash", 1, 1, 0), ("offline", 0, 1, 1)]
    assert [row[1:] for row in by(desk, Dimension.PROMPT)] == [(1, 1, 0), (0, 1, 1)]
    assert by(desk, Dimension.PROMPT)[0][0] == "content-9"


def test_only_the_decision_that_stands_counts(desk: Desk, signals: Any) -> None:
    first, second, third = signals(a_signal(), a_signal(), a_signal())
    decide(desk, first, REJECTED)
    decide(desk, first, ACCEPTED)
    decide(desk, second, ACCEPTED)
    desk.transaction(lambda session: reviews.undo(session, second, by=local("ada")))
    decide(desk, third, ACCEPTED)
    decide(desk, third, Decision.WITHDRAWN)
    assert counts(desk) == (1, 0, 0)
    desk.transaction(lambda session: reviews.undo(session, first, by=local("ada")))
    assert counts(desk) == (0, 1, 0)


def test_notes_and_corrections_change_nothing(desk: Desk, signals: Any) -> None:
    (signal_id,) = signals(a_signal(category="mining"))
    decide(desk, signal_id, ACCEPTED)
    desk.transaction(lambda session: reviews.correct(session, signal_id, reviews.Correction(category="flows"), by=local("ida")))
    desk.transaction(lambda session: reviews.annotate(session, signal_id, "Seen.", by=local("ida")))
    assert by(desk, Dimension.CATEGORY) == [("mining", 1, 0, 0)]
    assert counts(desk, reviewer="ida") == (0, 0, 0)


def test_the_period_the_reviewer_and_bulk_decisions_narrow_it(desk: Desk, signals: Any) -> None:
    old, new, many = signals(a_signal(), a_signal(category="flows"), a_signal(category="macro"))
    decide(desk, old, ACCEPTED, "ada", at=NOW - timedelta(days=8))
    decide(desk, new, REJECTED, "ida", at=NOW)
    chosen = SignalFilter(categories=("macro",))
    asked = desk.transaction(lambda session: reviews.matched(session, chosen))
    desk.transaction(lambda session: reviews.decide_all(session, chosen, REJECTED, by=local("ada"), asked=asked))
    desk.transaction(lambda session: session.execute(update(Review).where(Review.signal_id == many).values(created_at=NOW)))
    assert counts(desk) == (1, 2, 0)
    assert counts(desk, since=NOW - timedelta(days=7)) == (0, 2, 0)
    assert counts(desk, since=NOW - timedelta(days=7), bulk=False) == (0, 1, 0)
    assert counts(desk, reviewer="ada") == (1, 1, 0)
    assert counts(desk, reviewer="ada", bulk=False) == (1, 0, 0)
    given, _ = desk.transaction(lambda session: quality.calibrations(session, Scope(reviewer="ida")))
    assert (given.outcomes.part, given.outcomes.whole) == (0, 1)
    _, sighted = desk.transaction(lambda session: quality.agreement(session, Scope(since=NOW - timedelta(days=7))))
    assert sum(sighted.table.values()) == 2


def test_agreement_tells_blind_decisions_from_those_in_sight(desk: Desk, signals: Any) -> None:
    blind, sighted, without, unsure = signals(*[a_signal()] * 4)
    for signal_id in (blind, sighted, unsure):
        validated(desk, signal_id)
    decide(desk, blind, REJECTED, blind=1)
    decide(desk, sighted, ACCEPTED)
    decide(desk, without, ACCEPTED, blind=1)
    decide(desk, unsure, UNSURE, blind=1)
    hidden, seen = desk.transaction(quality.agreement)
    assert hidden.table == {(Verdict.VALIDATED, REJECTED): 1, (Verdict.VALIDATED, UNSURE): 1}
    assert seen.table == {(Verdict.VALIDATED, ACCEPTED): 1, (None, ACCEPTED): 1}
    assert [(one.share.part, one.share.whole) for one in (hidden, seen)] == [(0, 1), (1, 1)]


def test_agreement_goes_by_the_verdict_at_the_decision(desk: Desk, signals: Any) -> None:
    (signal_id,) = signals(a_signal())
    validated(desk, signal_id)
    decide(desk, signal_id, ACCEPTED)
    desk.transaction(lambda session: session.execute(update(Signal).values(verdict=Verdict.CONTRADICTED)))
    _, seen = desk.transaction(quality.agreement)
    assert (seen.share.part, seen.share.whole) == (1, 1)


def test_agreement_counts_both_ways_of_agreeing_and_kappa_takes_chance_off() -> None:
    table = {
        (Verdict.VALIDATED, ACCEPTED): 20,
        (Verdict.VALIDATED, REJECTED): 5,
        (Verdict.CONTRADICTED, ACCEPTED): 10,
        (Verdict.CONTRADICTED, REJECTED): 15,
        (Verdict.CONTRADICTED, UNSURE): 7,
        (Verdict.INCONCLUSIVE, ACCEPTED): 9,
        (None, REJECTED): 3,
    }
    agreement = Agreement(table)
    assert (agreement.share.part, agreement.share.whole) == (35, 50)
    assert agreement.kappa == pytest.approx(0.4)  # 0.7 observed, 0.5 by chance


def test_calibration_in_the_database_is_that_of_the_pure_function(desk: Desk, signals: Any) -> None:
    confidences = [0.05, 0.1, 0.3, 0.6, 0.6, 0.7, 0.95, 1.0]
    ids = signals(*[a_signal(confidence=one) for one in confidences], a_signal(confidence=0.8))
    decisions = [position % 3 != 0 for position in range(len(confidences))]
    for signal_id, accepted in zip(ids, decisions, strict=False):
        decide(desk, signal_id, ACCEPTED if accepted else REJECTED)
    decide(desk, ids[-1], UNSURE)
    adjustments = {ids[0]: -0.5, ids[2]: 0.25, ids[7]: 0.5, ids[6]: -0.15}
    validated(desk, ids[2], confidence_adjustment=-0.9)  # an older one
    for signal_id, adjustment in adjustments.items():
        validated(desk, signal_id, confidence_adjustment=adjustment)
    given, after = desk.transaction(quality.calibrations)
    adjusted = [min(max(one + adjustments.get(id_, 0.0), 0.0), 1.0) for id_, one in zip(ids, confidences, strict=False)]
    for found, expected in (
        (given, calibration(zip(confidences, decisions, strict=True))),
        (after, calibration(zip(adjusted, decisions, strict=True))),
    ):
        assert [(one.number, one.size, one.accepted) for one in found.bins] == [
            (one.number, one.size, one.accepted) for one in expected.bins
        ]
        assert [one.confidence for one in found.bins] == pytest.approx([one.confidence for one in expected.bins])
        assert found.brier == pytest.approx(expected.brier)


@pytest.mark.parametrize("scope", [{}, {"reviewer": "ada"}, {"bulk": False}, {"reviewer": "ida", "bulk": False}])
def test_sums_of_all_time_are_what_counting_each_decision_gives(desk: Desk, signals: Any, scope: dict[str, Any]) -> None:
    ids = [
        *signals(*[a_signal(confidence=one) for one in (0.07, 0.29, 0.3, 0.58, 0.95, 1.0)], publisher="CoinDesk"),
        *signals(a_signal(kind=SignalKind.NARRATIVE_GAP, category="flows", confidence=0.7), a_signal(confidence=0.7)),
    ]
    validated(desk, ids[0], verdict=Verdict.CONTRADICTED, confidence_adjustment=-0.3)
    for number, signal_id in enumerate(ids[:6]):
        decide(desk, signal_id, (ACCEPTED, REJECTED, UNSURE)[number % 3], by=("ada", "ida")[number % 2], blind=number % 2)
    validated(desk, ids[1], verdict=Verdict.VALIDATED, confidence_adjustment=0.2)
    desk.transaction(lambda session: reviews.undo(session, ids[4], by=local("ada")))
    some = SignalFilter(minimum_confidence=0.6)
    asked = desk.transaction(lambda session: reviews.matched(session, some))
    desk.transaction(lambda session: reviews.decide_all(session, some, ACCEPTED, by=local("ada"), asked=asked))
    of_all_time, counted = Scope(**scope), Scope(since=datetime(1970, 1, 1, tzinfo=UTC), **scope)
    for figure in (quality.agreement, *[partial(quality.acceptance_by, dimension=one) for one in Dimension]):
        assert desk.transaction(partial(figure, scope=of_all_time)) == desk.transaction(partial(figure, scope=counted))
    for summed, expected in zip(
        *[desk.transaction(partial(quality.calibrations, scope=one)) for one in (of_all_time, counted)], strict=True
    ):
        assert [(one.number, one.size, one.accepted) for one in summed.bins] == [
            (one.number, one.size, one.accepted) for one in expected.bins
        ]
        assert [one.confidence for one in summed.bins] == pytest.approx([one.confidence for one in expected.bins])
        assert summed.brier == pytest.approx(expected.brier)


def test_cost_per_accepted_counts_everything_the_runs_spent(desk: Desk, signals: Any) -> None:
    one, two, three = signals(a_signal(), a_signal(), a_signal())
    decide(desk, one, ACCEPTED, at=NOW)
    decide(desk, two, ACCEPTED, by="ida", at=NOW - timedelta(days=40))
    decide(desk, three, REJECTED, at=NOW)
    batch = desk.transaction(lambda session: session.query(Analysis.batch_id).scalar())
    spend(desk, "0.30", batch_id=batch)
    spend(desk, "0.05", LedgerStatus.UNKNOWN, batch_id=batch)
    spend(desk, "0.008", batch_id=batch, kind=LedgerKind.SEARCH, model="tavily")
    spend(desk, "9", LedgerStatus.RESERVED, batch_id=batch)
    spend(desk, "0.20", batch_id=batch, created_at=NOW - timedelta(days=40))
    spend(desk, "0.01", batch_id=None, model="google:of-a-run-that-is-gone")
    all_time = desk.transaction(quality.costs)
    assert all_time == [
        Cost("offline", Decimal("0.558"), Decimal("0.05"), 2),
        Cost("google:of-a-run-that-is-gone", Decimal("0.01"), Decimal(0), 0),
    ]
    assert [row.per_accepted for row in all_time] == [Decimal("0.279"), None]
    assert quality.in_all(all_time).per_accepted == Decimal("0.284")
    month = desk.transaction(lambda session: quality.costs(session, since=datetime(2026, 11, 1, tzinfo=UTC)))
    assert month[0] == Cost("offline", Decimal("0.358"), Decimal("0.05"), 1)


def test_nothing_accepted_has_no_cost_per_accepted(desk: Desk) -> None:
    spend(desk, "0.30")
    assert [(row.usd, row.per_accepted) for row in desk.transaction(quality.costs)] == [(Decimal("0.3"), None)]
    assert quality.in_all([]) == Cost("all models", Decimal(0), Decimal(0), 0)
