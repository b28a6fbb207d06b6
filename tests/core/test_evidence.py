"""The evidence check: a quote is shown only if it stands in the text, and then in the text's own words."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.agents.outputs import CitedSource, SignalVerdict, Stance, Verdict
from core.agents.signal_validation import CheckedSource, check, in_order
from core.configuration import Desk
from core.evidence import Span, Text, ground, normalise
from core.figures import unsupported
from core.models import EvidenceMatch
from core.signals import get_signal
from tests.core.answered import a_signal, an_analysis, keep

ARTICLE = (
    "Harbour Mining said on Tuesday that it “moved 4,100 BTC” to a new wallet — its first transfer since spring.\n\n"
    "Analysts aren’t sure why. The firm’s chief, Ida Moe, called it\u00a0routine…\tOthers disagree: “It’s odd,” one wrote."
)


@pytest.mark.parametrize(
    ("quote", "match", "found"),
    [
        ("to a new wallet", EvidenceMatch.EXACT, "to a new wallet"),
        ("  to a new wallet\n", EvidenceMatch.EXACT, "to a new wallet"),
        ('it "moved 4,100 BTC" to', EvidenceMatch.NORMALISED, "it “moved 4,100 BTC” to"),
        ('"moved 4,100 BTC to', None, None),
        ("TO A NEW WALLET", EvidenceMatch.NORMALISED, "to a new wallet"),
        ("wallet - its first", EvidenceMatch.NORMALISED, "wallet — its first"),
        ("since spring. Analysts aren't sure", EvidenceMatch.NORMALISED, "since spring.\n\nAnalysts aren’t sure"),
        ("called it routine", EvidenceMatch.NORMALISED, "called it\u00a0routine"),
        ("routine... Others", EvidenceMatch.NORMALISED, "routine…\tOthers"),
        ("aren&#8217;t sure why", EvidenceMatch.NORMALISED, "aren’t sure why"),
        ("“It's odd,” one wrote", EvidenceMatch.NORMALISED, "It’s odd,” one wrote"),
        ('"Analysts aren\'t sure why."', EvidenceMatch.NORMALISED, "Analysts aren’t sure why."),
        ("ana\u200blysts aren\u00adt", None, None),
        ("Ana\u200blysts aren’t sure", EvidenceMatch.NORMALISED, "Analysts aren’t sure"),
        ("moved 4,200 BTC", None, None),
        ("Harbour Mining moved 4,100 BTC", None, None),
        ("wallet its first", None, None),
        ("", None, None),
        ("   ", None, None),
        ('""', None, None),
    ],
)
def test_where_a_quote_stands(quote: str, match: EvidenceMatch | None, found: str | None) -> None:
    span = Text(ARTICLE).find(quote)
    assert (span.match if span else None, span.quote if span else None) == (match, found)
    if span:
        assert ARTICLE[span.start : span.end] == span.quote


def test_the_first_of_several_places_counts() -> None:
    assert Text("one two one two").find("one two") == Span(0, 7, "one two", EvidenceMatch.EXACT)
    assert Text("ONE  two one\ttwo").find("one two") == Span(0, 8, "ONE  two", EvidenceMatch.NORMALISED)


texts = st.text(st.sampled_from("abAB1 \n\t\u00a0“”\"'’–-…,.\u200bßİéﬁ"), min_size=1, max_size=60)


@given(texts, st.text(st.sampled_from("abAB1 “\"'’-–.…"), max_size=12))
@example("İstanbul… x", "stanbul... X")
@example("wait… then", "wait.")
def test_whatever_is_found_are_the_texts_own_words(text: str, quote: str) -> None:
    span = Text(text).find(quote)
    if span is not None:
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start : span.end] == span.quote
        wanted = normalise(quote.strip())[0].strip(" \"'")
        assert wanted in normalise(span.quote)[0]


RETYPED = str.maketrans({"“": '"', "”": '"', "’": "'", "–": "-", "\u00a0": " ", "\t": "  ", "\n": " ", "…": "...", "\u200b": None})


@given(texts, st.data())
def test_a_copied_quote_is_found_however_it_was_retyped(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    copied = text[start : data.draw(st.integers(start + 1, len(text)))]
    retyped = copied.translate(RETYPED)
    retyped = "".join(character.upper() if character.isascii() else character for character in retyped)
    if normalise(copied)[0].strip(" \"'"):
        assert Text(text).find(copied) is not None
        assert Text(text).find(retyped) is not None


@given(texts)
def test_every_normalised_character_knows_where_it_came_from(text: str) -> None:
    normalised, origin = normalise(text)
    assert len(normalised) == len(origin)
    assert origin == sorted(origin)
    assert all(0 <= index < len(text) for index in origin)
    assert "  " not in normalised
    assert normalise(normalised.strip())[0] == normalised.strip()


def test_a_signal_keeps_the_quotes_that_hold_and_the_others_are_named() -> None:
    grounding = ground(an_analysis(a_signal("to a new wallet", "moved 9,999 BTC", "Analysts aren't sure")), Text(ARTICLE))
    (kept,) = grounding.signals
    assert [span.quote for span in kept.spans] == ["to a new wallet", "Analysts aren’t sure"]
    assert (grounding.ungrounded, grounding.missing) == (0, ("moved 9,999 BTC",))


def test_a_signal_without_any_quote_that_holds_is_kept_out_and_counted() -> None:
    grounding = ground(an_analysis(a_signal("made up words"), a_signal("to a new wallet"), a_signal("more made up")), Text(ARTICLE))
    assert [kept.signal.evidence for kept in grounding.signals] == [["to a new wallet"]]
    assert (grounding.ungrounded, grounding.missing) == (2, ("made up words", "more made up"))


def test_two_quotes_of_one_place_are_one_piece_of_evidence() -> None:
    grounding = ground(an_analysis(a_signal("to a new wallet", "TO A NEW WALLET", "to a new wallet")), Text(ARTICLE))
    assert [span.quote for span in grounding.signals[0].spans] == ["to a new wallet"]


def test_an_analysis_without_signals_is_an_answer_too() -> None:
    assert ground(an_analysis(), Text(ARTICLE)) == ground(an_analysis(), Text(""))
    assert ground(an_analysis(), Text(ARTICLE)).ungrounded == 0


def test_a_character_that_postgres_cannot_hold_does_not_lose_an_answer(desk: Desk, articles: Any) -> None:
    nul = {name: f"A miner\x00 moves {name}." for name in ("description", "implications", "research_query")}
    (signal_id,) = keep(desk, articles(1)[0], a_signal(category="mi\x00ning", **nul))
    found = desk.transaction(lambda session: get_signal(session, signal_id))
    assert (found.description, found.category) == ("A miner moves description.", "mining")


# Sources of a validation


def verdict(number: int = 1, *sources: tuple[str, str]) -> SignalVerdict:
    cited = [CitedSource(url=url, stance=Stance.SUPPORTS, quote=quote) for url, quote in sources]
    return SignalVerdict(signal=number, verdict=Verdict.VALIDATED, confidence_adjustment=0.2, reason="They say so.", sources=cited)


RESULTS = {
    "https://a.example/1": Text("The company “confirmed” the transfer."),
    "https://b.example/2": Text("Nothing of the kind was filed."),
}


def test_a_source_needs_an_address_that_came_back_and_words_that_stand_there() -> None:
    checked = check(
        verdict(
            1,
            ("https://a.example/1", 'company "confirmed" the'),
            ("https://a.example/404", "The company “confirmed” the transfer."),
            ("https://b.example/2", "The company “confirmed” the transfer."),
        ),
        RESULTS,
    )
    assert checked.sources == (CheckedSource("https://a.example/1", Stance.SUPPORTS, "company “confirmed” the"),)
    assert checked.dropped == 2


def test_one_address_is_one_source() -> None:
    twice = verdict(1, ("https://b.example/2", "Nothing of the kind"), ("https://b.example/2", "kind was filed."))
    checked = check(twice, RESULTS)
    assert [source.url for source in checked.sources] == ["https://b.example/2"]
    assert checked.dropped == 0


@pytest.mark.parametrize(
    ("answered", "asked", "ordered"),
    [([1, 2, 3], [1, 2, 3], [1, 2, 3]), ([3, 1, 2], [1, 2, 3], [1, 2, 3]), ([1, 1, 2], [1, 2, 3], [1, 1, 2]), ([7, 8], [1, 2], [7, 8])],
)
def test_verdicts_are_put_in_the_order_asked_for_where_their_numbers_fit(answered: list[int], asked: list[int], ordered: list[int]) -> None:
    assert [found.signal for found in in_order([verdict(number) for number in answered], asked)] == ordered


STORY = (
    "The miner said on Tuesday that it moved 4,100 BTC to a new wallet, its first transfer since spring.\n\n"
    "Analysts weren't sure why; the shares fell 5% after the announcement, and no buyer was named."
)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("The miner said Tuesday that it moved 4,100 BTC", "The miner said on Tuesday that it moved 4,100 BTC"),
        (
            "miner said on Tuesday that it has moved 4,100 BTC to the new wallet",
            "miner said on Tuesday that it moved 4,100 BTC to a new wallet",
        ),
        ("moved 4,100 BTC to a new walet, its first transfers", "moved 4,100 BTC to a new wallet, its first transfer"),
        ("the shares fell 5% after the announcment", "the shares fell 5% after the announcement"),
        ("sure why, the shares fell 5% after an announcement", "sure why; the shares fell 5% after the announcement"),
    ],
)
def test_a_quote_with_slips_of_the_pen_is_found_and_said_to_be_near(quote: str, found: str) -> None:
    span = Text(STORY).find(quote)
    assert span is not None
    assert (span.match, span.quote) == (EvidenceMatch.FUZZY, found)
    assert STORY[span.start : span.end] == found


@pytest.mark.parametrize(
    "quote",
    [
        "The miner said on Tuesday that it moved 4,200 BTC to a new wallet",  # another figure
        "The miner said on Tuesday that it moved 4100 ETH to a new wallet",
        "Analysts were sure why; the shares fell 5% after the announcement",  # the opposite
        "the shares fell 5% after the announcement, and a buyer was named",
        "the shares rose 5% after the announcement",  # another word
        "it moved 4,100 BTC from a new wallet, its first transfer",
        "a miner of coins said on Tuesday that it moved to Norway after the announcement",  # made of pieces
        "the shares fel 5%",  # too short for a slip
    ],
)
def test_a_quote_that_says_anything_else_is_not_near(quote: str) -> None:
    assert Text(STORY).find(quote) is None


@given(st.data())
def test_a_quote_with_one_word_changed_is_found_as_the_texts_own_words_or_not_at_all(data: st.DataObject) -> None:
    words = STORY.split()
    start = data.draw(st.integers(0, len(words) - 8))
    quoted = words[start : start + 8]
    quoted[data.draw(st.integers(0, 7))] = data.draw(st.sampled_from(["not", "7,000", "buyer", "the", "walet", "Analyst"]))
    span = Text(STORY).find(" ".join(quoted))
    if span is not None:
        assert STORY[span.start : span.end] == span.quote
        changed = set(span.quote.lower().replace(";", "").replace(",", "").split()) ^ set(
            " ".join(quoted).lower().replace(";", "").replace(",", "").split()
        )
        assert not changed & {"not", "7000", "4100", "5%", "no", "weren't"}


@pytest.mark.parametrize(
    ("description", "quotes", "flagged"),
    [
        ("It moved 4,100 BTC.", ["moved 4,100 BTC to"], ()),
        ("It moved 4.1k BTC, 5 percent.", ["4,100 BTC, 5%"], ()),
        ("Worth $1.2 billion after 3 weeks.", ["$1,200 million", "three weeks"], ()),
        ("It moved 4,200 BTC in 2026.", ["moved 4,100 BTC"], ("4,200", "2026")),
        ("Nothing is counted.", ["at all"], ()),
        ("12 funds took in $30 million.", ["twelve funds took in $30 million"], ()),
        ("Up 40% since March.", [], ("40",)),
    ],
)
def test_numbers_of_a_description_that_stand_in_no_quote_are_named(description: str, quotes: list[str], flagged: tuple[str, ...]) -> None:
    assert unsupported(description, quotes) == flagged
