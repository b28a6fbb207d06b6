"""Two batches side by side: which signals are the same by the rule, and the figures on the articles that both analysed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from core import comparisons
from core.agents.outputs import SignalKind, Verdict
from core.calibration import Share
from core.comparisons import Found, likeness, match, overlap
from core.configuration import Desk
from core.errors import NotFound
from core.models import Analysis, Article, Decision, LedgerEntry, LedgerKind, LedgerStatus, Signal
from tests.conftest import NOW
from tests.core.answered import a_signal, keep

WEAK, GAP = SignalKind.WEAK_SIGNAL, SignalKind.NARRATIVE_GAP


def found(id_: int, *spans: tuple[int, int], kind: SignalKind = WEAK, description: str = "") -> Found:
    return Found(id_, 1, "Title", kind, description or "abcdefghij"[id_ % 10] * 6, 0.5, spans)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ([], [(0, 10)], 0),
        ([(0, 10)], [(10, 20)], 0),
        ([(0, 10)], [(0, 10)], 1),
        ([(0, 100)], [(40, 50)], 1),  # all of the shorter one
        ([(0, 10)], [(5, 25)], 0.5),
        ([(0, 10), (50, 60)], [(55, 65), (200, 210)], 0.5),
        ([(5, 5)], [(0, 10)], 0),
    ],
)
def test_quotes_overlap_by_the_shorter_one(one: list[tuple[int, int]], other: list[tuple[int, int]], share: float) -> None:
    assert overlap(one, other) == overlap(other, one) == pytest.approx(share)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("", "Miners sell", 0),
        ("Miners sell 4,100 coins", "MINERS SELL COINS", 1),
        ("Miners sell coins", "Exchanges list tokens", 0),
        ("Miners sell", "Miners sell reserves after halving", 1),
        ("of the to", "of the to", 0),  # short words say nothing
    ],
)
def test_descriptions_are_alike_by_the_shorter_one(one: str, other: str, share: float) -> None:
    assert likeness(one, other) == likeness(other, one) == pytest.approx(share)


def ids(pairs: tuple[tuple[Found, Found], ...]) -> list[tuple[int, int]]:
    return [(one.id, other.id) for one, other in pairs]


def test_the_same_kind_with_overlapping_quotes_is_the_same_signal() -> None:
    matched = match([found(1, (0, 100)), found(2, (500, 600))], [found(13, (20, 80)), found(14, (900, 950))])
    assert ids(matched.same) == [(1, 13)]
    assert ([one.id for one in matched.lost], [one.id for one in matched.gained]) == ([2], [14])
    assert matched.agreement == Share(1, 3)


def test_the_same_kind_with_a_like_description_is_the_same_signal_wherever_its_quotes_stand() -> None:
    one = found(1, (0, 10), description="A large miner moves its reserves to an exchange")
    other = found(2, (500, 510), description="Large miner moved reserves to exchange")
    assert ids(match([one], [other]).same) == [(1, 2)]
    assert ids(match([one], [found(3, kind=GAP, description=other.description)]).other_kind) == []


def test_the_same_quote_under_another_kind_is_shown_as_such_and_counts_as_no_agreement() -> None:
    matched = match([found(1, (0, 100))], [found(2, (0, 100), kind=GAP)])
    assert ids(matched.other_kind) == [(1, 2)]
    assert (matched.lost, matched.gained, matched.agreement) == ((), (), Share(0, 1))


def test_the_closest_pairs_go_first_and_each_signal_has_one_partner() -> None:
    matched = match([found(1, (0, 100)), found(2, (60, 160))], [found(13, (50, 150))])
    assert ids(matched.same) == [(2, 13)]
    assert [one.id for one in matched.lost] == [1]


signals = st.lists(
    st.tuples(
        st.sampled_from([WEAK, GAP]), st.integers(0, 50), st.integers(1, 40), st.sampled_from(["miner sells", "fund buys", "a law passes"])
    ),
    max_size=6,
)


@given(signals, signals)
def test_each_signal_is_in_exactly_one_list_and_sides_can_be_swapped(one: Any, other: Any) -> None:
    def side(made: Any, first: int) -> list[Found]:
        return [
            Found(first + place, 1, "", kind, words, 0.5, ((start, start + length),))
            for place, (kind, start, length, words) in enumerate(made)
        ]

    before, after = side(one, 0), side(other, 100)
    matched, swapped = match(before, after), match(after, before)
    pairs = [*matched.same, *matched.other_kind]
    assert sorted([a.id for a, _ in pairs] + [a.id for a in matched.lost]) == [a.id for a in before]
    assert sorted([b.id for _, b in pairs] + [b.id for b in matched.gained]) == [b.id for b in after]
    assert all(a.kind is b.kind for a, b in matched.same)
    assert all(a.kind is not b.kind for a, b in matched.other_kind)
    assert abs(len(matched.same) - len(swapped.same)) <= min(len(before), len(after))
    assert {a.id for a in match(before, before).lost} == set()


# In the database


@pytest.fixture
def two(desk: Desk, make_settings: Any, articles: Any) -> tuple[list[int], Desk]:
    """Three articles, and a desk with another configuration."""
    return articles(3), Desk(desk.database, make_settings(minimum_confidence=0.1))


def test_two_batches_are_compared_on_what_both_analysed(desk: Desk, two: tuple[list[int], Desk]) -> None:
    (first, second, third), other = two
    (kept,) = keep(desk, first, a_signal(description="Miner moves reserves"))
    (again, new) = keep(
        desk,
        first,
        a_signal(description="Miner moves its reserves"),
        a_signal(kind="edge_indicator", description="Sales follow"),
        settings=other.environment,
    )
    keep(desk, second, a_signal(description="Only one run read this"))
    with desk.database.session() as session:
        session.execute(update(Signal).where(Signal.id.in_([kept, again])).values(verdict=Verdict.VALIDATED))
        session.execute(update(Signal).where(Signal.id == again).values(decision=Decision.ACCEPTED))
        for batch_id, article, usd in ((1, first, "0.25"), (2, first, "0.5"), (2, third, "9")):
            session.add(
                LedgerEntry(
                    created_at=NOW,
                    status=LedgerStatus.SETTLED,
                    kind=LedgerKind.MODEL,
                    agent="content_analysis",
                    provider="p",
                    model="m",
                    batch_id=batch_id,
                    article_id=article,
                    usd=Decimal(usd),
                    day=NOW.date(),
                )
            )
    result = desk.transaction(lambda session: comparisons.compare(session, 1, 2))
    assert (result.articles, result.bounded, result.changed_texts) == (1, False, 0)
    assert ids(result.matching.same) == [(kept, again)]
    assert [signal.id for signal in result.matching.gained] == [new]
    assert (result.matching.agreement, result.verdict, result.sentiment) == (Share(1, 2), Share(1, 1), Share(1, 1))
    assert (result.before.usd, result.after.usd) == (Decimal("0.25"), Decimal("0.5"))
    assert (result.before.signals, result.after.signals, result.after.accepted, result.after.reviewed) == (1, 2, 1, 1)
    assert result.differences == [("minimum_confidence", 0.3, 0.1)]


def test_a_text_that_changed_in_between_is_compared_by_description_alone(desk: Desk, two: tuple[list[int], Desk]) -> None:
    (first, *_), other = two
    keep(desk, first, a_signal(description="Miner moves reserves"))
    keep(desk, first, a_signal(description="Something else entirely"), settings=other.environment)
    assert desk.transaction(lambda session: comparisons.compare(session, 1, 2)).matching.agreement == Share(1, 1)  # of one quote
    with desk.database.session() as session:
        session.execute(update(Analysis).where(Analysis.batch_id == 1).values(content_hash="of another text"))
    result = desk.transaction(lambda session: comparisons.compare(session, 1, 2))
    assert (result.changed_texts, result.matching.agreement) == (1, Share(0, 2))


def test_there_is_a_bound_and_it_is_said(desk: Desk, two: tuple[list[int], Desk]) -> None:
    every, other = two
    for article_id in every:
        keep(desk, article_id, a_signal())
    for article_id in every:
        keep(desk, article_id, a_signal(), settings=other.environment)
    with desk.database.session() as session:
        session.execute(update(Analysis).where(Analysis.batch_id.in_([1, 2, 3])).values(batch_id=1))
        session.execute(update(Analysis).where(Analysis.batch_id.in_([4, 5, 6])).values(batch_id=4))
    result = desk.transaction(lambda session: comparisons.compare(session, 1, 4, most=2))
    assert (result.articles, result.bounded) == (2, True)
    assert len(result.matching.same) == 2


def test_runs_that_share_articles_are_offered_and_nothing_in_common_is_no_error(desk: Desk, two: tuple[list[int], Desk]) -> None:
    (first, second, _), other = two
    keep(desk, first, a_signal())
    keep(desk, first, a_signal(), settings=other.environment)
    keep(desk, second, a_signal())
    assert desk.transaction(lambda session: comparisons.sharing(session, 1)) == [(2, 1)]
    nothing = desk.transaction(lambda session: comparisons.compare(session, 1, 3))
    assert (nothing.articles, nothing.matching.agreement, nothing.before.usd, nothing.before.seconds) == (0, Share(0, 0), 0, None)
    with pytest.raises(NotFound):
        desk.transaction(lambda session: comparisons.compare(session, 1, 99))
    assert desk.transaction(lambda session: session.get(Article, first)) is not None
