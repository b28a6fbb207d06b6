"""Fills a JSON schema with what a prompt says. Pure; ``answers`` reads the prompt and wraps what is written here.

Fields are told apart by name and description: quotes are copied from the article, or from the search result whose
address stands beside them; addresses come from the results; choices of stance and verdict follow what the results say.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[A-Z“\"'‘(\d$])")
QUOTED = re.compile(r"quote|evidence|excerpt|verbatim|word for word|passage", re.IGNORECASE)
AN_ADDRESS = re.compile(r"(^|_)(url|uri|link)$", re.IGNORECASE)
INDIRECT = frozenset({"$ref", "anyOf", "oneOf", "allOf"})
EXAMPLES = re.compile(r"such as ([\w\- ]+(?:, [\w\- ]+)+)")
CONTRADICTION = re.compile(r"\b(denied|disputed|refuted|no evidence|incorrect|did not)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Habits:
    """How the model behaves. Shares are 0..1; ranges are inclusive; ``thoughts`` are tokens."""

    seed: int = 7
    fabricated_quotes: float = 0.0
    fabricated_urls: float = 0.0
    signals: tuple[int, int] = (2, 4)
    thoughts: tuple[int, int] = (120, 480)
    cached_share: float = 0.0
    obeys: dict[str, Any] = field(default_factory=dict)
    """Fields, by name, that always get this value: what a model answers that does as a hostile text told it."""


@dataclass(frozen=True)
class Result:
    """One search result as the prompt shows it."""

    url: str
    text: str
    signal: int | None


@dataclass(frozen=True)
class Prompt:
    """What a request says. ``subject`` names the article; ``task`` the output asked for; ``turn`` counts earlier answers."""

    text: str
    article: str
    results: tuple[Result, ...]
    tokens: int
    subject: str
    task: str
    turn: int
    schema: dict[str, Any] | None
    function: str | None


@lru_cache(maxsize=512)
def is_address(name: str) -> bool:
    """Whether a field of this name holds a web address."""
    return AN_ADDRESS.search(name) is not None


@lru_cache(maxsize=512)
def is_quote(name: str, about: str) -> bool:
    """Whether a field of this name and description holds words copied from elsewhere."""
    return bool(QUOTED.search(name) or ("copied" in about and QUOTED.search(about)))


@lru_cache(maxsize=256)
def sentences(text: str) -> tuple[str, ...]:
    """Sentences standing verbatim in ``text``, none across a line break; the longer ones where there are any."""
    found = [part.strip() for line in text.splitlines() for part in SENTENCE_END.split(line)]
    found = [part for part in found if len(part) >= 8]
    return tuple(part for part in found if 40 <= len(part) <= 400) or tuple(found) or (text.strip()[:200] or "Nothing was given.",)


@dataclass
class Writer:
    """Fills a JSON schema with what the prompt says."""

    prompt: Prompt
    habits: Habits
    rng: Random
    root: dict[str, Any]
    taken: set[str] = field(default_factory=set)
    given: Counter[str] = field(default_factory=Counter)
    """How many quotes and addresses were written, and how many of them were made up."""

    def value(self, schema: dict[str, Any], name: str = "", box: dict[str, Any] | None = None, index: int = 0) -> Any:  # noqa: PLR0911
        """A value for ``schema``; ``box`` holds the siblings already written and, under ``@``, what they share."""
        box = {} if box is None else box
        if name in self.habits.obeys:
            return self.habits.obeys[name]
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice([option for option in schema["enum"] if option is not None], box)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = next((k for k in kind if k.lower() != "null"), "null") if isinstance(kind, list) else kind
        match kind.lower():
            case "object":
                return self._object(schema, box, index)
            case "array":
                return self._array(schema, name, box)
            case "integer":
                low, high = _bounds(schema, 0, 10)
                wanted = index + 1 if name in {"signal", "number", "index"} else self.rng.randint(math.ceil(low), math.floor(high))
                return int(min(max(wanted, low), high))
            case "number":
                return self._number(schema, box)
            case "boolean":
                return self.rng.random() < 0.5
            case "null":
                return None
            case _:
                return self._string(schema, name, box, index)

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while not INDIRECT.isdisjoint(schema):
            outer = {key: value for key, value in schema.items() if key not in INDIRECT}
            if "$ref" in schema:
                target: Any = self.root
                for step in schema["$ref"].removeprefix("#/").split("/"):
                    target = target[step]
                schema = {**target, **outer}
            elif "allOf" in schema:
                schema = {key: value for part in (*schema["allOf"], outer) for key, value in part.items()}
            elif branches := schema.get("anyOf") or schema.get("oneOf"):
                known = [branch for branch in branches if str(branch.get("type", "")).lower() != "null"]
                schema = {**(known[0] if known else {"type": "null"}), **outer}
        return schema

    def _object(self, schema: dict[str, Any], above: dict[str, Any], index: int) -> dict[str, Any]:
        properties = {name: self._resolve(part) for name, part in (schema.get("properties") or {}).items()}
        box: dict[str, Any] = {"@signal": above.get("signal", above.get("@signal")), "@pool": above.get("@pool")}
        if "signal" in properties:
            box["@signal"] = index + 1
        if any(is_address(name) for name in properties):
            box["@result"] = self._pick_result(box, above)
        written = dict.fromkeys(properties)
        for name in sorted(properties, key=lambda name: _rank(name, properties[name])):  # stances come before the verdict on them
            written[name] = box[name] = self.value(properties[name], name, box, index)
        return written

    def _relevant(self, signal: int | None) -> list[Result]:
        own = [result for result in self.prompt.results if signal is not None and result.signal == signal]
        return own or [result for result in self.prompt.results if result.signal is None]

    def _pick_result(self, box: dict[str, Any], above: dict[str, Any]) -> Result | None:
        pool = above.get("@pool")
        return pool.pop() if pool else next(iter(self._relevant(box["@signal"])), None)

    def _array(self, schema: dict[str, Any], name: str, box: dict[str, Any]) -> list[Any]:
        items = self._resolve(schema.get("items") or {"type": "string"})
        fields = items.get("properties") or {}
        low, high = int(schema.get("minItems", 0)), int(schema.get("maxItems", 1_000_000))
        inner = dict(box)
        if name == "signals":
            wanted = self.rng.randint(*self.habits.signals)
        elif any(is_address(field) for field in fields):
            pool = self._relevant(box.get("@signal"))[:6]
            self.rng.shuffle(pool)
            inner["@pool"] = pool
            wanted = self.rng.randint(min(1, len(pool)), min(3, len(pool)))
        elif "signal" in fields:
            wanted = max(1, self.prompt.text.count("<signal"))
        else:
            wanted = self.rng.randint(1, 2)
        about = {"description": schema.get("description", ""), **items}
        return [self.value(about, name, inner, index) for index in range(min(max(wanted, low), high))]

    def _choice(self, options: list[Any], box: dict[str, Any]) -> Any:
        if {"supports", "contradicts"} <= set(options) and box.get("@result"):
            if CONTRADICTION.search(box["@result"].text):
                return "contradicts"
            return "supports" if self.rng.random() < 0.8 or "neutral" not in options else "neutral"
        if {"VALIDATED", "CONTRADICTED"} <= set(options):
            stances = [source.get("stance") for source in box.get("sources") or []]
            agree, disagree = stances.count("supports"), stances.count("contradicts")
            verdict = "VALIDATED" if agree > disagree else "CONTRADICTED" if disagree > agree else "INCONCLUSIVE"
            verdict = verdict if stances else "INSUFFICIENT_DATA"
            return verdict if verdict in options else options[0]
        return self.rng.choice(options)

    def _number(self, schema: dict[str, Any], box: dict[str, Any]) -> float:
        low, high = _bounds(schema, 0.0, 1.0)
        if low < 0 < high and "verdict" in box:
            low, high = {"VALIDATED": (0.05, high / 3), "CONTRADICTED": (low / 2, -0.1)}.get(box["verdict"], (-0.05, 0.05))
        return min(max(round(self.rng.uniform(low, high), 2), low), high)

    def _string(self, schema: dict[str, Any], name: str, box: dict[str, Any], index: int) -> str:
        low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", 2_000))
        about = schema.get("description", "")
        if is_address(name):
            return self._address(box)
        if is_quote(name, about):
            return self._quote(box, low, high)
        match schema.get("format"):
            case "date":
                return "2025-11-20"
            case "date-time":
                return "2025-11-20T09:00:00Z"
        return _fit(self._filler(name, about, index), low, high)

    def _address(self, box: dict[str, Any]) -> str:
        result = box.get("@result")
        self.given["urls"] += 1
        if result is None or self.rng.random() < self.habits.fabricated_urls:
            self.given["made_up_urls"] += 1
            return f"https://unseen.example/{self.rng.randrange(16**8):08x}"
        return str(result.url)

    def _quote(self, box: dict[str, Any], low: int, high: int) -> str:
        self.given["quotes"] += 1
        if self.rng.random() < self.habits.fabricated_quotes:
            self.given["made_up_quotes"] += 1
            return _fit(f"Two people who asked not to be named said file {self.rng.randrange(10**9)} settles the question.", low, high)
        source = box["@result"].text if box.get("@result") else self.prompt.article
        told = sentences(source)
        for _ in range(8):
            chosen = self.rng.choice(told)
            if len(chosen) >= low and chosen not in self.taken:
                break
        else:
            chosen = next((part for part in told if len(part) >= low), source.strip())
        self.taken.add(chosen)
        return chosen[:high].strip()

    def _filler(self, name: str, about: str, index: int) -> str:
        if examples := EXAMPLES.search(about):
            return self.rng.choice(examples[1].split(", ")).strip()
        told = sentences(self.prompt.article)
        if "query" in name:
            words = [word.strip(".,;:!?\"'“”()") for word in self.rng.choice(told).split()]
            return " ".join([word for word in words if word[:1].isupper() or word[:1] in "$€£0123456789" or len(word) > 6][:14])
        if name in {"summary", "title"}:
            return " ".join(told[: 2 if name == "summary" else 1])
        lead = {
            "implications": "If it holds, desks would watch this:",
            "context": "Background to the story:",
            "reason": "Weighing the results:",
        }
        return f"{lead.get(name, 'The article points at this:')} {self.rng.choice(told)}"


def _rank(name: str, schema: dict[str, Any]) -> int:
    if is_address(name):
        return 0
    kind = str(schema.get("type", "")).lower()
    return 2 if "enum" in schema else 1 if kind in {"array", "object"} else 3


def _bounds(schema: dict[str, Any], low: float, high: float) -> tuple[float, float]:
    step = 1 if str(schema.get("type", "")).lower() == "integer" else 0.01
    least = schema.get("minimum", schema["exclusiveMinimum"] + step if "exclusiveMinimum" in schema else None)
    most = schema.get("maximum", schema["exclusiveMaximum"] - step if "exclusiveMaximum" in schema else None)
    least = least if least is not None else min(low, most if most is not None else low)
    return least, most if most is not None else max(high, least)


def _fit(text: str, low: int, high: int) -> str:
    while len(text) < low:
        text = f"{text} {text or 'filler'}".strip()
    return text[:high].strip().ljust(low, ".")
