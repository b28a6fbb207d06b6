"""Research results weighed against signals, by rules.

A result counts only through one of its sentences. A sentence supports when it states the same fact (the same actor with the same figure,
or the same doing of the same thing), contradicts when it gives another figure for the same thing or denies it, and is neutral when it is
merely on the subject. Sharing a subject is never support.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.agents.outputs import MAX_SOURCES, CitedSource, SignalVerdict, Stance, Verdict
from core.offline.claims import Claim, Pair, claim_of, conflict_of, digits, sole_subject
from core.offline.readable import readable
from core.offline.sentences import is_boilerplate, split

MAX_TEXT = 20_000
SNIPPET = 1_500


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


def _sentences(result: FoundResult) -> list[tuple[str, Claim]]:
    found = []
    for sentence in split(readable(result.text[:MAX_TEXT]), result.title):
        quote = sentence.text.strip()
        whole = sentence.quotable or len(result.text) < SNIPPET  # a search engine's snippet may hold no whole sentence
        if whole and 25 <= len(quote) <= 900 and not is_boilerplate(quote):
            found.append((quote, claim_of(quote)))
    return found


def _weigh(signal: SignalQuestion, result: FoundResult, sentences: list[tuple[str, Claim]]) -> _Weighed | None:
    """The stance of a result to a signal, by its most telling sentence; ``None`` if no sentence is on the subject.

    Any piece of evidence can be supported; only the first, on which the signal rests, can be contradicted.
    """
    ours = [claim_of(quote) for quote in signal.evidence] or [claim_of(signal.description)]
    wider = claim_of(signal.description.split(". ")[0] + ".")
    best: _Weighed | None = None
    for quote, theirs in sentences:
        for place, claim in enumerate(ours):
            pair = Pair(claim, theirs, wider.names | claim.names, wider.parties | claim.parties)
            if not pair.on_subject:
                continue
            stance, ground, certainty = _stance(pair)
            if stance is Stance.CONTRADICTS and place > 0:
                stance, ground, certainty = Stance.NEUTRAL, "", 0.0
            weight = (2.0 if stance is not Stance.NEUTRAL else 0.0) + certainty + 0.15 * len(pair.spoken) + 0.08 * min(len(pair.shared), 6)
            if best is None or weight > best.weight:
                best = _Weighed(result, stance, quote, ground, weight)
    return best


def _stance(pair: Pair) -> tuple[Stance, str, float]:
    """Stance, its ground in words, and how sure it is."""
    ours, theirs, common = pair.ours, pair.theirs, len(pair.shared)
    stance: tuple[Stance, str, float] = (Stance.NEUTRAL, "the subject only", 0.0)
    conflict = conflict_of(ours, theirs)
    certain = common >= 2 or len(pair.spoken) >= 2
    if pair.spoken and (
        ((theirs.denied & ours.doings) - ours.denied and (common or certain)) or (theirs.refutes and not ours.refutes and common >= 2)
    ):
        stance = (Stance.CONTRADICTS, "a denial", 0.9)
    elif pair.spoken and (common >= 3 or pair.same_unit) and (ours.denied & theirs.doings) - theirs.denied and pair.same_period:
        stance = (Stance.CONTRADICTS, "the contrary of what was denied", 0.7)
    elif (
        pair.same
        and not pair.opposed
        and ((pair.spoken and (pair.doing or common >= 2 or (common and digits(pair.same.value) >= 3))) or common >= 4)
    ):
        stance = (Stance.SUPPORTS, f"the same figure, {pair.same.text}", 1.0 if pair.spoken else 0.7)
    elif (
        conflict
        and pair.spoken
        and pair.same_period
        and not pair.opposed
        and common >= 2
        and (pair.doing or common >= 3 or sole_subject(pair))
    ):
        stance = (Stance.CONTRADICTS, f"{conflict[1].text} against {conflict[0].text}", 0.8)
    elif pair.opposed and pair.spoken and common >= 3 and pair.same_period and not pair.same:
        stance = (Stance.CONTRADICTS, "the opposite direction", 0.5)
    elif pair.doing and pair.spoken and common >= 3 and not conflict and not theirs.denied and not theirs.refutes and pair.same_period:
        stance = (Stance.SUPPORTS, "the same step by the same party", 0.5)
    return stance


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
