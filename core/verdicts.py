"""Verdicts: from what the sources say to what the desk says of a signal, by one rule. Pure.

Pages that copy the article, or each other, are one origin. The model reads the pages and says what each of them says; what follows
from that is decided here, so that two signals with the same sources have the same verdict.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from core.agents.outputs import Stance, Verdict
from core.authorities import authority_of
from core.models import ARTICLE_ORIGIN, Authority
from core.stories.likeness import shingles, words

if TYPE_CHECKING:  # these bring the agents' libraries, which a console that runs nothing does not need
    from core.agents.signal_validation import CheckedSource
    from core.research import SearchResult

RULE = (
    "Pages that copy the article or each other count as one origin; the article's own publisher and copies of the article count for"
    " nothing. VALIDATED: origins support the signal and none contradicts it, and one of them has medium or high authority or there"
    " are at least two. CONTRADICTED: the same the other way round. INSUFFICIENT_DATA: no independent origin bears on it."
    " INCONCLUSIVE: everything else. The confidence moves as far as the verdict bears: not at all without data."
)
COPIED = 0.5
"""Share of the shorter text's shingles that stand in the other, from which on they are one origin. Rewritten news of one event, by
other hands, stays far under it; a syndicated text, cut or with another lead, well over."""
UNDECIDED = 0.2
"""How far research that decides nothing may move the confidence."""
SHINGLES_LEAST = 5

_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_ENDING = re.compile(r"(?:\.(?:co|com|org|net|ac|gov))?\.[a-z]{2,}$")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a source counts for."""

    source: "CheckedSource"
    authority: Authority
    origin: int
    """Sources with one number are one origin; ``ARTICLE_ORIGIN`` are copies of the article."""
    is_own: bool
    """By the article's own publisher."""

    @property
    def counts(self) -> bool:
        return self.origin != ARTICLE_ORIGIN and not self.is_own


def standings(
    body: str,
    publisher: str,
    sources: "Sequence[CheckedSource]",
    results: "Mapping[str, SearchResult]",
    authorities: Mapping[str, Authority],
) -> tuple[Standing, ...]:
    """What each source counts for, beside an article with this body and publisher. ``results`` are by address, authorities by domain."""
    origins = _origins(body, [results[source.url].text for source in sources])
    own = _names(publisher)
    return tuple(
        Standing(
            source,
            authority_of(results[source.url].publisher, authorities, in_archive=results[source.url].article_id is not None),
            origin,
            not own.isdisjoint(_names(results[source.url].publisher)),
        )
        for source, origin in zip(sources, origins, strict=True)
    )


def verdict_of(standing: Sequence[Standing]) -> Verdict:
    """The verdict, by ``RULE``."""
    counted = [one for one in standing if one.counts]
    supporting, contradicting = (_for(counted, stance) for stance in (Stance.SUPPORTS, Stance.CONTRADICTS))
    if not counted:
        return Verdict.INSUFFICIENT_DATA
    if supporting.keys() and not contradicting.keys() and _carries(supporting):
        return Verdict.VALIDATED
    if contradicting.keys() and not supporting.keys() and _carries(contradicting):
        return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE


def adjustment_of(verdict: Verdict, wanted: float) -> float:
    """How far the confidence moves, -1..1: what the model wants, as far as the verdict bears it. Nothing moves without a source."""
    low, high = {
        Verdict.VALIDATED: (0.0, 1.0),
        Verdict.CONTRADICTED: (-1.0, 0.0),
        Verdict.INCONCLUSIVE: (-UNDECIDED, UNDECIDED),
        Verdict.INSUFFICIENT_DATA: (0.0, 0.0),
    }[verdict]
    return min(max(wanted, low), high)


def disagreement(standing: Sequence[Standing], model_verdict: Verdict | None) -> float:
    """How much the research disagrees with the signal, with itself and with the model, 0..1.

    1 where the sources contradict the signal or the model reads the very opposite out of them; else the share of the origins that
    stand against the majority of those that take a side (0 to 0.5), and 0.25 where the model says something else than the rule.
    """
    verdict = verdict_of(standing)
    against = {Verdict.VALIDATED: Verdict.CONTRADICTED, Verdict.CONTRADICTED: Verdict.VALIDATED}
    if verdict is Verdict.CONTRADICTED or (model_verdict is not None and against.get(verdict) is model_verdict):
        return 1.0
    counted = [one for one in standing if one.counts]
    sides = [len(_for(counted, stance)) for stance in (Stance.SUPPORTS, Stance.CONTRADICTS)]
    split = min(sides) / sum(sides) if sum(sides) else 0.0
    return split + (0.25 if model_verdict not in (None, verdict) else 0.0)


def _for(counted: Sequence[Standing], stance: Stance) -> dict[int, bool]:
    """Origins with a source of this stance, and whether one of those has some authority."""
    origins: dict[int, bool] = {}
    for one in counted:
        if one.source.stance is stance:
            origins[one.origin] = origins.get(one.origin, False) or one.authority is not Authority.LOW
    return origins


def _carries(origins: Mapping[int, bool]) -> bool:
    return len(origins) >= 2 or any(origins.values())


def _origins(body: str, texts: Sequence[str]) -> list[int]:
    """For each text the number of its origin: ``ARTICLE_ORIGIN``, or that of the first text it shares its words with."""
    known = [(ARTICLE_ORIGIN, _runs(body))]
    numbers = []
    for text in texts:
        own = _runs(text)
        number = next((number for number, other in known if _copied(own, other)), len({number for number, _ in known}))
        known.append((number, own))
        numbers.append(number)
    return numbers


def _copied(one: frozenset[int], other: frozenset[int]) -> bool:
    shorter = min(len(one), len(other))
    return shorter >= SHINGLES_LEAST and len(one & other) >= COPIED * shorter


@lru_cache(maxsize=64)  # the article's own text stands beside the sources of each of its signals
def _runs(text: str) -> frozenset[int]:
    """The text's shingles, as stories are told by."""
    return frozenset(shingles(words(text)).tolist())


def _names(publisher: str) -> set[str]:
    """What a publisher may be called, in letters and figures: ``CoinDesk`` and ``markets.coindesk.com`` have ``coindesk`` in common."""
    lower = publisher.lower().strip()
    names = {re.sub(r"\W", "", lower)}
    if _DOMAIN.fullmatch(lower):
        labels = _ENDING.sub("", lower).split(".")
        names |= {name for start in range(len(labels)) if len(name := re.sub(r"\W", "", "".join(labels[start:]))) >= 3}
    return names - {""}
