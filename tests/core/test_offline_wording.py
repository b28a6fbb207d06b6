"""How the offline rules put a signal into words: whole clauses, whole names, and whose word it is."""

import pytest

from core.offline.candidates import candidates
from core.offline.facts import actors
from core.offline.reading import prepare, who
from core.offline.wording import clause


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        pytest.param(
            "Despite what is akin to a bull market with the Bitcoin price hitting multiple new all-time highs over the summer, retail"
            " investors have not returned to exchanges in the numbers seen four years ago.",
            "Despite what is akin to a bull market with the Bitcoin price hitting multiple new all-time highs over the summer, retail"
            " investors have not returned",
            id="an opening clause is not left alone",
        ),
        pytest.param(
            "More data from CoinMarketCap shows the altseason index is at 36/100, indicating that while altcoins are beginning to gain"
            " momentum, the market has not yet fully transitioned into a confirmed altseason.",
            "shows the altseason index is at 36/100",
            id="nor one within another",
        ),
        pytest.param(
            "President Trump's director of the Federal Housing Finance Agency, William Pulte, also recently ordered government-backed"
            " mortgage giants Fannie Mae and Freddie Mac to make plans to include a borrower's cryptocurrency assets in their assessment.",
            "Fannie Mae and Freddie Mac to make plans",
            id="no owner without what is owned",
        ),
        pytest.param(
            "This reset in leverage, despite Bitcoin staying above $100,000 through most of the month and large holders adding to what"
            " they have, suggests that the market is in a healthier place than it was in spring.",
            "suggests that the market",
            id="a subject keeps its verb behind what is inserted",
        ),
        pytest.param(
            "The executives moved $40 million of customer deposits to accounts of their own, according to the complaint.",
            "According to the complaint: The executives moved $40 million of customer deposits to accounts of their own",
            id="an allegation says whose word it is",
        ),
        pytest.param(
            "According to prosecutors, the founder laundered $12 million through mixers.",
            "According to prosecutors, the founder laundered $12 million through mixers",
            id="also at its head",
        ),
        pytest.param(
            "According to CryptoQuant, exchange reserves fell to 2.4 million BTC.",
            "Exchange reserves fell to 2.4 million BTC",
            id="a figure does not need to",
        ),
        pytest.param("TL;DR: Matador filed a prospectus.", "Matador filed a prospectus", id="no label"),
    ],
)
def test_a_clause_is_whole(sentence: str, said: str) -> None:
    found = clause(sentence)
    assert said in found
    assert len(found.split()) <= 47


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("Las Vegas-based BitMine Technologies raised $250 million on June 30.", "BitMine Technologies"),
        ("New York-based Bit Digital raised $172 million after selling 280 BTC.", "Bit Digital"),
        ("The firm filed with the Securities and Exchange Commission on Monday.", "Securities and Exchange Commission"),
        ("TL;DR Matador filed a prospectus on Monday.", "Matador"),
    ],
)
def test_names_are_whole_and_nothing_else(sentence: str, name: str) -> None:
    assert [actor.name for actor in actors(sentence, frozenset({"Matador"})) if actor.kind != "place"] == [name]


def test_who_reports_it_is_not_who_did_it() -> None:
    body = (
        "Galaxy Digital sold 80,000 BTC worth $9 billion for a client on Friday. "
        "The 80,000 BTC moved to exchanges within hours and the price barely changed, observed Joe Consorti."
    )
    article = prepare("Galaxy Digital sells 80,000 BTC", body)
    assert who(article, 1) == "Galaxy Digital"


@pytest.mark.parametrize(
    "sentence",
    [
        "Trader Oasis noted that the breach of the $107,000 resistance signaled the start of a distribution phase on Monday.",
        "Within minutes of the news that Jerome Powell might resign the price of Bitcoin rose to $119,000 on most exchanges.",
        "PENGU is getting serious attention this week with strength straight out of the derivatives market, said Glassnode.",
    ],
)
def test_words_that_only_look_telling_pick_nothing(sentence: str) -> None:
    rules = {candidate.rule for candidate in candidates(prepare("Bitcoin today", sentence))}
    assert not rules & {"incident", "paper_trail", "streak"}
