"""Origins, what a source counts for, and the verdict that follows by the stated rule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.agents.outputs import Stance, Verdict
from core.agents.signal_validation import CheckedSource
from core.models import ARTICLE_ORIGIN, Authority
from core.research import SearchResult
from core.verdicts import RULE, Standing, adjustment_of, disagreement, standings, verdict_of
from tests.conftest import NOW

ARTICLE_TEXT = (
    "Harbour Mining moved 4,100 bitcoin to an exchange on Tuesday, its largest transfer in two years, according to chain data. "
    "The company declined to comment on whether it has sold any of the coins, which are worth about $390 million at current prices."
)
OTHER = (
    "A transfer of several thousand coins by the miner Harbour was noticed on Wednesday by analysts who follow the flows of large "
    "holders; they disagree on what it means for the market in the coming weeks."
)
UNRELATED = (
    "Regulators in three states published a joint draft of rules for custody of digital assets, and invite comments until the end of "
    "March, said officials who took part in the talks over the summer."
)
SUPPORTS, CONTRADICTS, NEUTRAL = Stance.SUPPORTS, Stance.CONTRADICTS, Stance.NEUTRAL
LOW, MEDIUM, HIGH = Authority.LOW, Authority.MEDIUM, Authority.HIGH


def stood(*pages: tuple[str, str, Stance], publisher: str = "CoinDesk", known: dict[str, Authority] | None = None) -> tuple[Standing, ...]:
    """What pages of (publisher, text, stance) count for beside the article."""
    results = {
        f"https://{name}/{number}": SearchResult(f"https://{name}/{number}", "A title", name, NOW, text)
        for number, (name, text, _) in enumerate(pages)
    }
    sources = [CheckedSource(url, stance, "words") for url, (_, _, stance) in zip(results, pages, strict=True)]
    return standings(ARTICLE_TEXT, publisher, sources, results, known or {})


def test_pages_that_copy_each_other_are_one_origin() -> None:
    cut = OTHER[: len(OTHER) * 2 // 3]
    led = "Our correspondent writes from the north. " + OTHER
    found = stood(
        ("a.example", OTHER, SUPPORTS), ("b.example", cut, SUPPORTS), ("c.example", led, SUPPORTS), ("d.example", UNRELATED, NEUTRAL)
    )
    assert [one.origin for one in found] == [1, 1, 1, 2]
    assert verdict_of(found) is Verdict.INCONCLUSIVE, "three copies of low authority are one origin"


def test_a_page_that_copies_the_article_is_no_origin() -> None:
    found = stood(("a.example", "MARKETS. " + ARTICLE_TEXT.upper(), SUPPORTS), ("b.example", OTHER, NEUTRAL))
    assert [(one.origin, one.counts) for one in found] == [(ARTICLE_ORIGIN, False), (1, True)]
    assert verdict_of(found[:1]) is Verdict.INSUFFICIENT_DATA


@pytest.mark.parametrize("name", ["coindesk.com", "www.coindesk.com", "markets.coindesk.com", "coindesk.co.uk", "CoinDesk", "Coin Desk"])
def test_the_articles_own_publisher_is_marked_and_does_not_count(name: str) -> None:
    (one,) = stood((name, OTHER, SUPPORTS), known={"coindesk.com": HIGH})
    assert (one.is_own, one.counts) == (True, False)
    assert verdict_of([one]) is Verdict.INSUFFICIENT_DATA


@pytest.mark.parametrize("name", ["notcoindesk.com", "coindesk.evil.example", "desk.com", "CoinDesk Korea", ""])
def test_a_publisher_whose_name_only_contains_the_articles_is_another(name: str) -> None:
    (one,) = stood((name, OTHER, SUPPORTS))
    assert not one.is_own


def a(stance: Stance, origin: int = 1, authority: Authority = LOW, *, own: bool = False) -> Standing:
    return Standing(CheckedSource(f"https://x.example/{origin}", stance, "words"), authority, origin, own)


@pytest.mark.parametrize(
    ("sources", "verdict", "apart"),
    [
        ([], Verdict.INSUFFICIENT_DATA, 0),
        ([a(SUPPORTS, own=True)], Verdict.INSUFFICIENT_DATA, 0),
        ([a(SUPPORTS, ARTICLE_ORIGIN, HIGH)], Verdict.INSUFFICIENT_DATA, 0),
        ([a(NEUTRAL, 1, HIGH)], Verdict.INCONCLUSIVE, 0),
        ([a(SUPPORTS, 1, LOW)], Verdict.INCONCLUSIVE, 0),
        ([a(SUPPORTS, 1, MEDIUM)], Verdict.VALIDATED, 0),
        ([a(SUPPORTS, 1, LOW), a(SUPPORTS, 1, HIGH)], Verdict.VALIDATED, 0),
        ([a(SUPPORTS, 1), a(SUPPORTS, 1)], Verdict.INCONCLUSIVE, 0),
        ([a(SUPPORTS, 1), a(SUPPORTS, 2)], Verdict.VALIDATED, 0),
        ([a(SUPPORTS, 1, HIGH), a(NEUTRAL, 2, HIGH)], Verdict.VALIDATED, 0),
        ([a(CONTRADICTS, 1, MEDIUM)], Verdict.CONTRADICTED, 1),
        ([a(CONTRADICTS, 1), a(CONTRADICTS, 2)], Verdict.CONTRADICTED, 1),
        ([a(CONTRADICTS, 1, LOW)], Verdict.INCONCLUSIVE, 0),
        ([a(SUPPORTS, 1, HIGH), a(CONTRADICTS, 2, LOW)], Verdict.INCONCLUSIVE, 0.5),
        ([a(SUPPORTS, 1, HIGH), a(SUPPORTS, 2), a(SUPPORTS, 3), a(CONTRADICTS, 4)], Verdict.INCONCLUSIVE, 0.25),
        ([a(SUPPORTS, 1, HIGH), a(CONTRADICTS, 2, HIGH, own=True)], Verdict.VALIDATED, 0),
    ],
)
def test_the_rule(sources: list[Standing], verdict: Verdict, apart: float) -> None:
    assert verdict_of(sources) is verdict
    assert disagreement(sources, None) == apart
    assert verdict_of(sources[::-1]) is verdict
    assert verdict.value in RULE


@pytest.mark.parametrize(("model", "apart"), [(Verdict.VALIDATED, 0), (Verdict.INCONCLUSIVE, 0.25), (Verdict.CONTRADICTED, 1), (None, 0)])
def test_disagreement_with_the_model(model: Verdict | None, apart: float) -> None:
    assert disagreement([a(SUPPORTS, 1, HIGH)], model) == apart


@pytest.mark.parametrize(
    ("verdict", "wanted", "moved"),
    [
        (Verdict.VALIDATED, 0.3, 0.3),
        (Verdict.VALIDATED, -0.3, 0),
        (Verdict.CONTRADICTED, -0.4, -0.4),
        (Verdict.CONTRADICTED, 1, 0),
        (Verdict.INCONCLUSIVE, 0.1, 0.1),
        (Verdict.INCONCLUSIVE, -1, -0.2),
        (Verdict.INSUFFICIENT_DATA, 1, 0),
    ],
)
def test_confidence_moves_as_far_as_the_verdict_bears(verdict: Verdict, wanted: float, moved: float) -> None:
    assert adjustment_of(verdict, wanted) == moved


any_source: Any = st.builds(a, st.sampled_from(Stance), st.integers(0, 4), st.sampled_from(Authority), own=st.booleans())


@given(st.lists(any_source, max_size=8))
def test_what_does_not_count_changes_nothing(sources: list[Standing]) -> None:
    counted = [one for one in sources if one.counts]
    assert verdict_of(sources) is verdict_of(counted)
    assert 0 <= disagreement(sources, verdict_of(sources)) <= 1
    assert disagreement(sources, None) == disagreement(counted, None)


@given(st.lists(any_source, max_size=8))
def test_the_rule_is_fair_to_both_sides(sources: list[Standing]) -> None:
    turned = {SUPPORTS: CONTRADICTS, CONTRADICTS: SUPPORTS, NEUTRAL: NEUTRAL}
    mirrored = [a(turned[one.source.stance], one.origin, one.authority, own=one.is_own) for one in sources]
    swapped = {Verdict.VALIDATED: Verdict.CONTRADICTED, Verdict.CONTRADICTED: Verdict.VALIDATED}
    verdict = verdict_of(sources)
    assert verdict_of(mirrored) is swapped.get(verdict, verdict)
