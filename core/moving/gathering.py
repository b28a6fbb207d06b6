"""Pages of earlier analyses, each with its signals, their quotes and their validations from wherever these lie."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.moving.analysis_shapes import EVIDENCE, SOURCES, VALIDATIONS, AnalysisShape, Part
from core.moving.earlier import scale_of
from core.moving.rows import opened
from core.moving.shapes import plain
from core.moving.source import SourceDatabase, SourceRow, quoted

GATHERED = 200
"""Analyses whose signals are looked up at once."""


@dataclass(frozen=True, slots=True)
class GatheredAnalysis:
    """A row of a table of analyses, with what belongs to it."""

    key: tuple[str, ...]
    article: str
    """What it names its article by."""
    values: Mapping[str, Any] | None
    """None for a row that cannot be read."""
    signals: Sequence[Mapping[str, Any]]
    """Of tables of their own; their quotes and validations are within them."""
    validations: Sequence[Mapping[str, Any]] = ()
    """Of tables that name the analysis or the article, and not the signal's row."""


def gathered(source: SourceDatabase, shape: AnalysisShape, after: Sequence[str] | None) -> Iterator[list[GatheredAnalysis]]:
    """The analyses of a table after a key, or all, in the order of its key.

    Raises:
        ImportRefused: the database is away or refuses.
    """
    columns = [name for name, kind in shape.table.columns.items() if kind not in ("bytea", "tsvector", "vector", "public.vector")]
    held: list[SourceRow] = []
    for page in source.read(shape.table, columns, after=after, only=shape.newest):
        held += page
        if len(held) >= GATHERED:
            yield _with_signals(source, shape, held)
            held = []
    if held:
        yield _with_signals(source, shape, held)


def scales(source: SourceDatabase, shape: AnalysisShape) -> dict[str, float]:
    """What the scores of each column are out of, by plain name."""
    if not shape.scores:
        return {}
    highest = ", ".join(f"max(CAST(nullif(CAST({quoted(name)} AS text), 'NaN') AS double precision))" for name in shape.scores)
    (row,) = source.rows(f"SELECT {highest} FROM {shape.table.sql} AS t")
    return {plain(name): scale_of(float(most)) for name, most in zip(shape.scores, row, strict=True) if most is not None}


def _with_signals(source: SourceDatabase, shape: AnalysisShape, rows: Sequence[SourceRow]) -> list[GatheredAnalysis]:
    articles = [_text((row.values or {}).get(shape.article)) for row in rows]
    keys = [row.key[0] if len(row.key) == 1 else "" for row in rows]
    signals: dict[int, list[dict[str, Any]]] = {}
    validations: dict[int, list[dict[str, Any]]] = {}
    for part in (*shape.signals, *shape.validations):
        owners = articles if part.of_article else keys
        places = {owner: number for number, owner in reversed(list(enumerate(owners))) if owner}
        is_signal = part in shape.signals
        for owner, found in _of(source, part, list(places)):
            if owner in places:
                row = found | {"kind": found.get("kind") or part.table.name} if is_signal else found
                (signals if is_signal else validations).setdefault(places[owner], []).append(row)
    gathered_rows = [
        GatheredAnalysis(row.key, articles[number], row.values, signals.get(number, ()), validations.get(number, ()))
        for number, row in enumerate(rows)
    ]
    return _alone(source, shape.alone, gathered_rows) if shape.alone else gathered_rows


def _alone(source: SourceDatabase, part: Part, rows: Sequence[GatheredAnalysis]) -> list[GatheredAnalysis]:
    """Rows whose signals came with them as JSON: what belongs to these, too."""
    made = []
    items = {id(row): [dict(item) for item in (row.values or {}).get("signals") or () if isinstance(item, dict)] for row in rows}
    _attach(source, part, [item for found in items.values() for item in found])
    for row in rows:
        signals = [item | {"kind": item.get("kind") or part.table.name} for item in items[id(row)]]
        values = None if row.values is None else {name: value for name, value in row.values.items() if name != "signals"}
        made.append(GatheredAnalysis(row.key, row.article, values, signals))
    return made


def _of(source: SourceDatabase, part: Part, values: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a part with what they belong to."""
    columns = [name for name, kind in part.table.columns.items() if kind not in ("bytea", "tsvector")]
    rows = [dict(row.values) for row in source.matching(part.table, columns, part.to, values) if row.values is not None]
    _attach(source, part, rows)
    return [(_text(row.get(part.to)), row) for row in rows]


def _attach(source: SourceDatabase, part: Part, rows: Sequence[dict[str, Any]]) -> None:
    """Put quotes, validations and sources into the rows that they belong to, beside those that are written there."""
    if part.key is None:
        return
    keys = [_text(row.get(part.key)) for row in rows]
    for below in part.parts:
        found: dict[str, list[dict[str, Any]]] = {}
        for owner, row in _of(source, below, [key for key in keys if key]):
            found.setdefault(owner, []).append(row)
        name = _NAMES[plain(below.table.name)]
        for row, key in zip(rows, keys, strict=True):
            if more := found.get(key):
                there = opened(row.get(name))
                row[name] = [*(there if isinstance(there, list) else [there] if there else []), *more]


_NAMES = {
    **dict.fromkeys(map(plain, EVIDENCE), "evidence"),
    **dict.fromkeys(map(plain, VALIDATIONS), "validations"),
    **dict.fromkeys(map(plain, SOURCES), "sources"),
}
"""Under which name of its owner the rows of a table are put."""


def _text(value: Any) -> str:
    return "" if value is None else str(value)
