"""Validations that lie beside an analysis instead of with a signal: which of its signals each is about. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.importers.fields import normalised_names
from core.moving.rows import opened, text_of

_LISTS = ("validations", "signalvalidations", "validatedsignals", "validationresults", "results", "signals")
_NAMES = ("signaldescription", "signaltext", "signal", "signalname", "signaltitle", "description", "title")
_PLACES = ("signalindex", "signalposition", "signalnumber", "index", "position")
_DESCRIBED = ("description", "signaldescription", "signal", "signaltext", "text", "observation", "insight", "finding", "title", "name")
_ALIKE = 40
"""Characters from which on the beginning of a description names it."""


def entries(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The validations that rows hold: a row is one, or has a list of them in a column."""
    found: list[dict[str, Any]] = []
    for row in rows:
        named = normalised_names(row)
        lists = [value for name in _LISTS if isinstance(value := opened(named.get(name)), list)]
        inner = [item for value in lists for item in value if isinstance(item, Mapping)]
        found += [normalised_names(item) for item in inner] if inner else [named]
    return found


def with_validations(items: Sequence[Any], validations: Sequence[dict[str, Any]]) -> tuple[list[Any], int]:
    """Signals with the validations that name them, by their words or by their place among all; and how many name none."""
    described = [_described(item) for item in items]
    places = [place for entry in validations if (place := _place(entry)) is not None]
    called_index = any("index" in key for entry in validations for key in _PLACES if entry.get(key) is not None)
    first = 0 if 0 in places or (called_index and max(places, default=0) < len(items)) else 1
    given: dict[int, list[dict[str, Any]]] = {}
    for entry in validations:
        name = _plain(next((text for key in _NAMES if (text := text_of(entry.get(key)))), ""))
        place = _place(entry)
        by_name = next((number for number, words in enumerate(described) if name and _is_named(words, name)), None)
        number = by_name if by_name is not None or place is None else place - first
        if number is not None and 0 <= number < len(items):
            given.setdefault(number, []).append(entry)
    joined = [_joined(item, given[number]) if number in given else item for number, item in enumerate(items)]
    return joined, len(validations) - sum(map(len, given.values()))


def _joined(item: Any, validations: list[dict[str, Any]]) -> dict[str, Any]:
    inner = opened(item)
    return {**(inner if isinstance(inner, Mapping) else {"description": inner}), "validations": validations}


def _described(item: Any) -> str:
    inner = opened(item)
    if not isinstance(inner, Mapping):
        return _plain(text_of(inner) or "")
    named = normalised_names(inner)
    return _plain(next((text for key in _DESCRIBED if (text := text_of(named.get(key)))), ""))


def _is_named(described: str, name: str) -> bool:
    shorter = min(len(described), len(name))
    return described == name or (shorter >= _ALIKE and described[:shorter] == name[:shorter])


def _place(entry: Mapping[str, Any]) -> int | None:
    found = next((entry[key] for key in _PLACES if entry.get(key) is not None), None)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
