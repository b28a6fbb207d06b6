"""Research results weighed against signals, by rules.

A result counts only through one of its sentences. A sentence supports when it states the same fact (the same actor with the same figure,
or the same doing of the same thing), contradicts when it gives another figure for the same thing or denies it, and is neutral when it is
merely on the subject. Sharing a subject is never support.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.agents.outputs import MAX_SOURCES, CitedSource, SignalVerdict, Stance, Verdict
from core.offline.facts import Amount, Facts, extract
from core.offline.lexicon import PUBLISHERS, word_set
from core.offline.sentences import is_boilerplate, split
from core.offline.wording import content_set

MAX_TEXT = 20_000
_EXACT, _NEAR = 0.025, 0.5  # relative difference: the same figure; still the same quantity, so a conflict and not another thing

_DENIAL = re.compile(
    r"\b(?:den(?:y|ies|ied)|no evidence|no plans? to|not (?:true|planning|considering|involved|correct|"
    r"accurate|the case)|(?:did|does|do|has|have|had|was|were|is|are|will|would)(?: not|n[’']t)(?! "
    r"(?:only|just|immediately|respond|yet|comment|disclose|specify|clear))|never|"
    r"false|untrue|incorrect|inaccurate|debunk\w*|refut\w*|dismiss(?:ed|es) (?:the |these )?(?:claims?|"
    r"rumou?rs?|reports?)|rejected (?:the |these )?(?:claims?|rumou?rs?|reports?)|hoax|fake news|"
    r"misreport\w*|retract\w*)\b",
    re.IGNORECASE,
)
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
        time new digital asset assets exchange news announced usd according last first more than data information investors
        trading trader analysts value based recent total number still also world
    """)


@dataclass(frozen=True, slots=True)
class SignalQuestion:
    """A signal to be checked, with what it rests on and where it was read."""

    number: int
    description: str
    evidence: tuple[str, ...]
    article_title: str
    article_published_at: datetime | None
    article_publisher: str


@dataclass(frozen=True, slots=True)
class FoundResult:
    """One search result. ``text`` is what the search returned; quotes are taken from it verbatim."""

    url: str
    title: str
    publisher: str
    published_at: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a sentence asserts, in comparable form."""

    names: frozenset[str]
    rare: frozenset[str]
    amounts: tuple[Amount, ...]
    doings: frozenset[str]
    direction: int
    denies: bool
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Weighed:
    """The best sentence of one result: its stance and what decided it."""

    result: FoundResult
    stance: Stance
    quote: str
    ground: str
    weight: float


def validate(signals: Sequence[SignalQuestion], results: Sequence[FoundResult]) -> list[SignalVerdict]:
    """One verdict for each signal, in the order given. Each quote is a verbatim part of its result's text."""
    prepared = [(result, _sentences(result)) for result in results if result.url.strip()]
    return [_verdict(signal, [weighed for result, claims in prepared if (weighed := _weigh(signal, result, claims))]) for signal in signals]


def _sentences(result: FoundResult) -> list[tuple[str, _Claim]]:
    found = []
    for sentence in split(result.text[:MAX_TEXT], result.title):
        quote = sentence.text.strip()
        if 25 <= len(quote) <= 900 and quote in result.text and not is_boilerplate(quote):
            found.append((quote, _claim(quote)))
    return found


def _claim(text: str) -> _Claim:
    facts: Facts = extract(text, frozenset(re.findall(r"[A-Z][\w-]+", text)))
    names = frozenset(
        part.lower() for actor in facts.actors if actor.name.replace(" ", "_") not in PUBLISHERS for part in _name_keys(actor.name)
    )
    words = frozenset(content_set(text))
    direction = sum(_DIRECTIONS.get(word, 0) for word in words)
    doings = frozenset(_DOINGS[word] for word in words if word in _DOINGS)
    rare = frozenset(
        word
        for word in words - _COMMON
        if len(word) > 3 and word not in names and word not in _DIRECTIONS and word not in _DOINGS and not word[0].isdigit()
    )
    return _Claim(names, rare, facts.amounts, doings, (direction > 0) - (direction < 0), _DENIAL.search(text) is not None, words)


def _name_keys(name: str) -> list[str]:
    """A name and, for one of several words, its last word: "Jason Les" is also met as "Les"."""
    words = name.split()
    return [name, words[0], words[-1]] if len(words) > 1 and len(words[-1]) > 2 else [name]


def _weigh(signal: SignalQuestion, result: FoundResult, sentences: list[tuple[str, _Claim]]) -> _Weighed | None:
    """The stance of a result to a signal, by its most telling sentence; ``None`` if no sentence is on the subject."""
    facts = [_claim(quote) for quote in signal.evidence] or [_claim(signal.description)]
    ours = facts[0]
    names = (
        frozenset().union(*(claim.names for claim in facts))
        | _claim(signal.description.split(". ")[0] + ".").names
        | _claim(f"In {signal.article_title}").names
    )
    about = _claim(result.title)
    best: _Weighed | None = None
    order = {Stance.SUPPORTS: 2.0, Stance.CONTRADICTS: 2.0, Stance.NEUTRAL: 0.0}
    for quote, theirs in sentences:
        shared_names = names & (theirs.names | about.names)
        shared_words = ours.rare & theirs.rare
        spoken = names & theirs.names
        if not (len(shared_words) >= 4 or (shared_names and len(shared_words) >= 2) or (spoken and _same_figure(ours, theirs))):
            continue
        stance, ground, certainty = _stance(ours, theirs, bool(shared_names), bool(spoken), shared_words)
        weight = order[stance] + certainty + 0.15 * len(spoken) + 0.08 * min(len(shared_words), 6)
        if best is None or weight > best.weight:
            best = _Weighed(result, stance, quote, ground, weight)
    return best


def _stance(  # noqa: PLR0911 - one return a rule, in the order in which the rules are tried
    ours: _Claim, theirs: _Claim, named: bool, spoken: bool, shared: frozenset[str]
) -> tuple[Stance, str, float]:
    """Stance, its ground in words, and how sure it is. ``named``: a name is shared with the sentence or its page's title; ``spoken``: with the sentence."""
    doing = ours.doings & theirs.doings
    if theirs.denies and not ours.denies and named and len(shared) >= 2 and (doing or len(shared) >= 3):
        return Stance.CONTRADICTS, "a denial", 0.9
    same = _same_figure(ours, theirs)
    if same and named and (spoken or len(shared) >= 2) and ours.direction * theirs.direction >= 0:
        return Stance.SUPPORTS, f"the same figure, {same.text}", 1.0
    if same and len(shared) >= 4 and ours.direction * theirs.direction >= 0:
        return Stance.SUPPORTS, f"the same figure, {same.text}", 0.7
    conflict = _conflict(ours, theirs)
    if conflict and named and len(shared) >= 3 and (doing or ours.direction == theirs.direction != 0 or len(shared) >= 5):
        return Stance.CONTRADICTS, f"{conflict[1].text} against {conflict[0].text}", 0.8
    if ours.direction * theirs.direction < 0 and spoken and len(shared) >= 4 and not same:
        return Stance.CONTRADICTS, "the opposite direction", 0.5
    if doing and spoken and len(shared) >= 4 and theirs.denies == ours.denies and not conflict:
        return Stance.SUPPORTS, "the same step by the same party", 0.5
    return Stance.NEUTRAL, "the subject only", 0.0


def _same_figure(ours: _Claim, theirs: _Claim) -> Amount | None:
    """A telling figure that both sentences state. Small percentages and round small counts are too common to tell."""
    for mine in ours.amounts:
        for other in theirs.amounts:
            if (
                mine.unit == other.unit
                and _close(mine.value, other.value, _EXACT)
                and (mine.unit != "%" or mine.value % 5 or mine.value > 40)
            ):
                return other
    return None


def _conflict(ours: _Claim, theirs: _Claim) -> tuple[Amount, Amount] | None:
    """Two figures of one unit that cannot both be right, where each sentence gives one of that unit."""
    for mine in ours.amounts:
        same_unit = [amount for amount in theirs.amounts if amount.unit == mine.unit]
        alone = sum(amount.unit == mine.unit for amount in ours.amounts) == 1 and len(same_unit) == 1
        if (
            alone
            and mine.value > 0
            and not _close(mine.value, same_unit[0].value, 2 * _EXACT)
            and (_close(mine.value, same_unit[0].value, _NEAR) or mine.unit != "%")
        ):
            return mine, same_unit[0]
    return None


def _close(left: float, right: float, tolerance: float) -> bool:
    return abs(left - right) <= tolerance * max(abs(left), abs(right), 1e-12)


def _verdict(signal: SignalQuestion, weighed: list[_Weighed]) -> SignalVerdict:
    """From stances to a verdict. One publisher counts once for a side, however many of its pages were found."""
    weighed = sorted(weighed, key=lambda item: (item.stance is Stance.NEUTRAL, -item.weight, item.result.url))[:MAX_SOURCES]
    own = signal.article_publisher.strip().lower()
    support = {
        item.result.publisher.lower(): item
        for item in reversed(weighed)
        if item.stance is Stance.SUPPORTS and item.result.publisher.lower() != own
    }
    against = {item.result.publisher.lower(): item for item in reversed(weighed) if item.stance is Stance.CONTRADICTS}
    echoes = [item for item in weighed if item.stance is Stance.SUPPORTS and item.result.publisher.lower() == own]
    if not weighed:
        verdict, adjustment = Verdict.INSUFFICIENT_DATA, 0.0
    elif support and not against:
        verdict, adjustment = (
            Verdict.VALIDATED,
            min(0.3, 0.12 + 0.06 * (len(support) - 1) + 0.04 * max(item.weight - 3 for item in support.values())),
        )
    elif against and not support:
        verdict, adjustment = Verdict.CONTRADICTED, -min(0.45, 0.22 + 0.08 * (len(against) - 1))
    else:
        verdict, adjustment = Verdict.INCONCLUSIVE, max(-0.15, min(0.1, 0.04 * (len(support) - len(against)))) - (0.05 if against else 0.0)
    sources = [CitedSource(url=item.result.url, stance=item.stance, quote=item.quote) for item in weighed]
    return SignalVerdict(
        signal=signal.number,
        verdict=verdict,
        confidence_adjustment=round(max(-1.0, min(1.0, adjustment)), 2),
        reason=_reason(list(support.values()), list(against.values()), echoes, weighed),
        sources=sources,
    )


def _reason(support: list[_Weighed], against: list[_Weighed], echoes: list[_Weighed], weighed: list[_Weighed]) -> str:
    parts = []
    if support:
        parts.append(f"{_publishers(support)} {'report' if len(support) > 1 else 'reports'} {support[0].ground}.")
    if against:
        parts.append(f"{_publishers(against)} {'give' if len(against) > 1 else 'gives'} {against[0].ground}.")
    if echoes and not support:
        parts.append(f"{_publishers(echoes)} repeats its own report, which confirms nothing.")
    if not parts and weighed:
        several = len({item.result.publisher for item in weighed}) > 1
        parts.append(f"{_publishers(weighed)} {'touch' if several else 'touches'} on the subject without stating or denying the fact.")
    return " ".join(parts)[:1_900] or "No result speaks of the same party and the same matter."


def _publishers(items: Sequence[_Weighed]) -> str:
    names = list(dict.fromkeys(item.result.publisher.strip() or item.result.url for item in items))[:3]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
