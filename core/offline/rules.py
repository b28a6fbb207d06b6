"""The rules that find signals: which words make a sentence a candidate, how strong a candidate it is, and how to say why.

The rules themselves are data, in ``rules.toml`` beside this file; here they are read, once, and compiled.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.agents.outputs import SignalKind, Timeframe

_PERIOD = (
    r"(?:since (?:the )?(?:[\w-]+ (?:of )?){0,4}(?:19|20)\d{2}|since (?:the )?[\w-]+(?: [A-Z][\w-]+)?"
    r"|in (?:over |more than |nearly |almost )?(?:a |an |the last |the past )?[\w-]+(?:[ -]and[ -]a[ -]half)?"
    r"[ -](?:years?|months?|weeks?|decades?|history)|in its history|on record|to date|ever)"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a sentence can carry a signal. ``pattern`` has a group ``what``: the words that carry it."""

    name: str
    kind: SignalKind
    keys: frozenset[str]
    pattern: re.Pattern[str]
    strength: float
    timeframe: Timeframe
    reasons: tuple[str, ...]
    implications: tuple[str, ...]
    category: str
    needs_amount: bool
    needs_actor: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """A sort of behaviour at the margin."""

    label: str
    pattern: re.Pattern[str]
    strength: float
    category: str


def _rule(row: dict[str, Any]) -> Rule:
    return Rule(
        name=row["name"],
        kind=SignalKind(row["kind"]),
        keys=frozenset(row["keys"].split()),
        pattern=re.compile(row["pattern"].replace("{period}", _PERIOD), re.IGNORECASE),
        strength=row["strength"],
        timeframe=Timeframe(row["timeframe"]),
        reasons=tuple(row["reasons"]),
        implications=tuple(row["implications"]),
        category=row.get("category", ""),
        needs_amount=row.get("needs_amount", False),
        needs_actor=row.get("needs_actor", False),
    )


def _edge(row: dict[str, Any]) -> Edge:
    return Edge(row["label"], re.compile(rf"\b(?:{row['pattern']})\b", re.IGNORECASE), row["strength"], row["category"])


_DATA = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
RULES: tuple[Rule, ...] = tuple(map(_rule, _DATA["rule"]))
EDGES: tuple[Edge, ...] = tuple(map(_edge, _DATA["edge"]))
EDGE_REASONS, EDGE_IMPLICATIONS = (tuple(_DATA["edge_words"][key]) for key in ("reasons", "implications"))
ADJACENT_REASONS, ADJACENT_IMPLICATIONS = (tuple(_DATA["adjacent_words"][key]) for key in ("reasons", "implications"))
