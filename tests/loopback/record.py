"""What the loopback providers served: the truth a ledger is held against.

One ``Entry`` a request, appended when the work was done (a client that hung up in the meantime is billed all the same,
as a provider would). With a path, each entry is one JSON line written with one unbuffered ``write``, so that it outlives
a killed process; a record opened on such a file goes on from it. Used by the server's event loop alone.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

GIVEN = ("quotes", "made_up_quotes", "urls", "made_up_urls")
TOKENS = ("prompt", "cached", "candidates", "thoughts")


@dataclass(slots=True)
class Entry:
    """One request. ``status`` is 0 when no answer was sent; tokens and credits count only if ``billed``.

    ``made_up_quotes`` of the ``quotes`` in a model's answer stand nowhere, ``made_up_urls`` of its ``urls`` were never found.
    """

    seq: int
    started: float
    time: float
    provider: str
    status: int
    model: str = ""
    fault: str = ""
    prompt: int = 0
    cached: int = 0
    candidates: int = 0
    thoughts: int = 0
    credits: int = 0
    quotes: int = 0
    made_up_quotes: int = 0
    urls: int = 0
    made_up_urls: int = 0
    subject: str = ""
    task: str = ""
    turn: int = 0
    billed: bool = False
    concurrency: int = 0

    @property
    def work(self) -> str:
        """What was asked: the same article and task at the same turn of the conversation is the same work."""
        return f"{self.provider}:{self.subject}:{self.task}:{self.turn}"


FIELDS = tuple(f.name for f in fields(Entry))


class Record:
    """The append-only list, and the count of requests in flight."""

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path else None
        self.entries: list[Entry] = read_record(self.path) if self.path and self.path.exists() else []
        self.in_flight: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self._seq = self.entries[-1].seq if self.entries else 0
        self._file = self.path.open("ab", buffering=0) if self.path else None

    def enter(self, provider: str) -> int:
        """A request came in; returns how many of that provider are now in flight."""
        self.in_flight[provider] += 1
        self.in_flight["all"] += 1
        for name in (provider, "all"):
            self.peak[name] = max(self.peak[name], self.in_flight[name])
        return self.in_flight[provider]

    def leave(self, provider: str) -> None:
        self.in_flight[provider] -= 1
        self.in_flight["all"] -= 1

    def append(self, **values: Any) -> Entry:
        self._seq += 1
        entry = Entry(seq=self._seq, time=time.time(), **values)
        self.entries.append(entry)
        self._write({name: getattr(entry, name) for name in FIELDS})
        return entry

    def reset(self) -> None:
        """Forget all; a file keeps its lines, with a mark after which ``read_record`` starts again."""
        self.entries.clear()
        self.peak.clear()
        self._write({"reset": time.time()})

    def totals(self) -> dict[str, Any]:
        return totals(self.entries) | {"peak_concurrency": dict(self.peak), "in_flight": self.in_flight["all"]}

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line).encode() + b"\n")


def read_record(path: str | Path) -> list[Entry]:
    """The entries of a record file since its last reset; half a line at the end (a kill) is left out."""
    entries: list[Entry] = []
    for line in Path(path).read_bytes().splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if "reset" in values:
            entries.clear()
        else:
            entries.append(Entry(**values))
    return entries


def totals(entries: Iterable[Entry]) -> dict[str, Any]:
    """Sums over entries. ``tokens``, ``models`` and ``credits`` count what was billed; ``paid_twice`` names work billed again."""
    statuses: dict[str, Counter[str]] = {}
    faults: Counter[str] = Counter()
    tokens: Counter[str] = Counter(dict.fromkeys(TOKENS, 0))
    models: dict[str, Counter[str]] = {}
    subjects: dict[str, Counter[str]] = {}
    paid: Counter[str] = Counter()
    given: Counter[str] = Counter(dict.fromkeys(GIVEN, 0))
    requests = billed = credits = 0
    for entry in entries:
        requests += 1
        statuses.setdefault(entry.provider, Counter())[str(entry.status)] += 1
        if entry.fault:
            faults[f"{entry.provider}:{entry.fault}"] += 1
        given.update({name: getattr(entry, name) for name in GIVEN})
        of_subject = subjects.setdefault(entry.subject, Counter(requests=0, billed=0))
        of_subject["requests"] += 1
        if entry.billed:
            billed += 1
            of_subject["billed"] += 1
            paid[entry.work] += 1
            credits += entry.credits
            counted = {name: getattr(entry, name) for name in TOKENS}
            tokens.update(counted)
            if entry.model:
                models.setdefault(entry.model, Counter(calls=0)).update(calls=1, **counted)
    return {
        "requests": requests,
        "billed": billed,
        "by_status": {provider: dict(counts) for provider, counts in statuses.items()},
        "by_fault": dict(faults),
        "tokens": dict(tokens),
        "models": {model: dict(counts) for model, counts in models.items()},
        "credits": credits,
        "given": dict(given),
        "subjects": {subject: dict(counts) for subject, counts in subjects.items()},
        "paid_twice": {work: times for work, times in paid.items() if times > 1},
    }


def as_dict(entry: Entry) -> dict[str, Any]:
    return asdict(entry) | {"work": entry.work}
