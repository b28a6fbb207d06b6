"""Statements in comparable form: who did what, with which figures, and what two statements have in common."""

import re
from dataclasses import dataclass

from core.offline.facts import Amount, Facts, extract, words_of
from core.offline.lexicon import PUBLISHERS, word_set
from core.offline.sentiment import stem
from core.offline.wording import content_set

_FARTHEST = 3.0  # beyond this ratio two figures of a unit are rather of two things than in conflict
_CLOSEST = 1.02  # within it they may be one figure, rounded or a day apart

_DENIAL = re.compile(
    r"\b(?:den(?:y|ies|ied)|no evidence|no plans? to|not (?:true|planning|considering|involved|correct|"
    r"accurate|the case)|(?:did|does|do|has|have|had|was|were|is|are|will|would)(?: not|n[’']t)(?! "
    r"(?:only|just|immediately|respond|yet|comment|disclose|specify|clear))|never|"
    r"false|untrue|incorrect|inaccurate|debunk\w*|refut\w*|dismiss(?:ed|es) (?:the |these )?(?:claims?|"
    r"rumou?rs?|reports?)|rejected (?:the |these )?(?:claims?|rumou?rs?|reports?)|hoax|fake news|"
    r"misreport\w*|retract\w*)\b",
    re.IGNORECASE,
)
_REFUTES = re.compile(
    r"\b(?:den(?:y|ies|ied)|no evidence|false|untrue|incorrect|debunk\w*|refut\w*|hoax|fake news|misreport\w*|mistaken|retract\w*)\b",
    re.IGNORECASE,
)
_PERIODS = re.compile(
    r"\b(?:Q[1-4]|(?:first|second|third|fourth)[ -]quarter|January|February|March|April|May(?= \d)|June|"
    r"July|August|September|October|November|December|20\d\d)\b"
)
_SHORT = frozenset(("etf", "ipo", "otc", "usd", "nft", "gas", "tax", "ban", "fee", "oil", "gpu", "bip"))
_DIRECTIONS: dict[str, int] = {
    **dict.fromkeys(
        word_set(
            "rose rise rises rising climbed climbs climb jumped jump surged surge soared grew grow growth "
            "increased increase increases gained gain gains up higher record inflow inflows expanded doubled "
            "tripled recovered rallied"
        ),
        1,
    ),
    **dict.fromkeys(
        word_set(
            "fell fall falls falling dropped drop drops declined decline declines decreased decrease slid "
            "slipped sank tumbled plunged plummeted down lower outflow outflows shrank shrunk halved lost loses "
            "slumped crashed"
        ),
        -1,
    ),
}
_DOINGS: dict[str, str] = {
    word: words.split()[0]
    for words in (
        "buy buys bought buying purchase purchased purchases acquire acquired acquires acquisition acquiring",
        "sell sells sold selling sale offload offloaded",
        "file filed files filing submit submitted applied",
        "approve approved approves approval",
        "reject rejected rejects rejection",
        "launch launched launches launching unveiled introduced debuted debut",
        "raise raised raises raising secured",
        "sue sued sues lawsuit",
        "move moved moves transferred transfer moving shifted",
        "ban banned bans prohibit prohibited",
        "hack hacked stolen stole exploited exploit breach breached drained",
        "hire hired hires appointed appoints named",
        "partner partnered partnership partners teamed",
        "invest invested invests investment",
        "delay delayed delays postponed",
        "sign signed signs",
        "test testing tested pilot trial piloting",
        "expand expanded expands expansion",
        "mine mined mines",
        "charge charged charges indicted",
        "plan plans planned planning consider considering considers exploring explore mulling",
    )
    for word in words.split()
}
_COMMON = word_set("""
        bitcoin btc crypto cryptocurrency market price company firm million billion percent report article said year month week
        time new digital asset assets exchange news announced usd according last first more than data information quarter
        report reported reports announced investors trading trader analysts value based recent total number still also
        world
    """)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a sentence asserts, in comparable form. ``parties`` leaves out places and agencies, which half the news shares."""

    names: frozenset[str]
    parties: frozenset[str]
    rare: frozenset[str]
    amounts: tuple[Amount, ...]
    doings: frozenset[str]
    denied: frozenset[str]
    refutes: bool
    direction: int
    periods: frozenset[str]


def claim_of(text: str) -> Claim:
    facts: Facts = extract(text, frozenset(re.findall(r"[A-Z][\w-]+", text)))
    actors = [actor for actor in facts.actors if actor.name.replace(" ", "_") not in PUBLISHERS]
    names = frozenset(key.lower() for actor in actors for key in _name_keys(actor.name))
    parties = frozenset(key.lower() for actor in actors if actor.kind not in ("place", "agency") for key in _name_keys(actor.name))
    words = content_set(text)
    rare = frozenset(
        stem(word)
        for word in words - _COMMON
        if (len(word) > 3 or word in _SHORT)
        and word not in names
        and word not in _DIRECTIONS
        and word not in _DOINGS
        and not word[0].isdigit()
    )
    direction = sum(_DIRECTIONS.get(word, 0) for word in words)
    denied: set[str] = set()
    for match in _DENIAL.finditer(text):
        denied.update(_DOINGS[word] for word in words_of(text[match.end() : match.end() + 60])[:7] if word in _DOINGS)
    return Claim(
        names=names,
        parties=parties,
        rare=rare,
        amounts=facts.amounts,
        doings=frozenset(_DOINGS[word] for word in words if word in _DOINGS),
        denied=frozenset(denied),
        refutes=_REFUTES.search(text) is not None,
        direction=(direction > 0) - (direction < 0),
        periods=frozenset(_PERIODS.findall(text)),
    )


def _name_keys(name: str) -> list[str]:
    """A name and, for one of several words, its last word: "Jason Les" is also met as "Les"."""
    words = name.split()
    return [name, words[0], words[-1]] if len(words) > 1 and len(words[-1]) > 2 else [name]


class Pair:
    """A claim of the signal beside a claim of a result: what the two have in common."""

    def __init__(self, ours: Claim, theirs: Claim, names: frozenset[str], parties: frozenset[str]) -> None:
        self.ours, self.theirs = ours, theirs
        self.spoken = parties & theirs.parties
        self.shared = ours.rare & theirs.rare
        self.doing = ours.doings & theirs.doings
        self.same = _same_figure(ours, theirs)
        named = bool(names & theirs.names)
        self.on_subject = len(self.shared) >= 4 or (
            bool(self.spoken) and (len(self.shared) >= 1 or bool(self.doing) or self.same is not None)
        ) or (named and len(self.shared) >= 2)  # fmt: skip
        self.same_period = not ours.periods or not theirs.periods or bool(ours.periods & theirs.periods)
        self.same_unit = bool({amount.unit for amount in ours.amounts} & {amount.unit for amount in theirs.amounts})
        self.opposed = ours.direction * theirs.direction < 0


def sole_subject(pair: Pair) -> bool:
    """Whether the shorter of two sentences has half of its telling words in common with the other: they speak of one thing."""
    return len(pair.shared) >= 0.5 * min(len(pair.ours.rare), len(pair.theirs.rare))


def _same_figure(ours: Claim, theirs: Claim) -> Amount | None:
    """A telling figure that both sentences state; round percentages and round price levels are too common to tell."""
    for mine in ours.amounts:
        common = (mine.unit == "%" and mine.value <= 50 and mine.value % 5 == 0) or (
            mine.unit == "USD" and 20_000 <= mine.value <= 250_000 and mine.value % 1_000 == 0
        )
        for other in theirs.amounts:
            if not common and mine.unit == other.unit and _one_figure(mine.value, other.value):
                return other
    return None


def _one_figure(left: float, right: float) -> bool:
    """Whether two numbers are one, given to different precision: equal when both are rounded to the digits of the coarser."""
    places = max(2, min(digits(left), digits(right)))
    return f"{left:.{places - 1}e}" == f"{right:.{places - 1}e}"


def digits(value: float) -> int:
    """Significant digits of a number as it was written."""
    return len(f"{value:.10g}".split("e")[0].replace(".", "").strip("0")) or 1


def conflict_of(ours: Claim, theirs: Claim) -> tuple[Amount, Amount] | None:
    """Two figures of one unit that cannot both be right, where each sentence gives one of that unit."""
    for mine in ours.amounts:
        others = [amount for amount in theirs.amounts if amount.unit == mine.unit]
        alone = sum(amount.unit == mine.unit for amount in ours.amounts) == 1 and len(others) == 1
        if alone and min(mine.value, others[0].value) > 0:
            ratio = max(mine.value, others[0].value) / min(mine.value, others[0].value)
            if _CLOSEST < ratio <= _FARTHEST and not _one_figure(mine.value, others[0].value):
                return mine, others[0]
    return None
