"""One row of the other database as an article of this one. Names of publishers and categories are read first; the rest is pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from core.importers.clean_text import one_line
from core.importers.fields import ALIASES, article_from_row
from core.importers.parsed_article import ParsedArticle
from core.moving.shapes import ArticleShape, Named, priority_column
from core.moving.source import SourceDatabase

MAX_NAMES = 200_000
"""Publishers, or categories, at most: they are held in memory."""
_KEY = re.compile(r"\d+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_FALSE = frozenset({"", "false", "f", "no", "n", "0", "none", "null"})


@dataclass(slots=True)
class Names:
    """Names by key, and those that come first."""

    by_key: dict[str, str] = field(default_factory=dict)
    all: list[str] = field(default_factory=list)
    priority: set[str] = field(default_factory=set)

    def of(self, value: Any) -> str | None:
        """The name that a value stands for: by its key, or itself unless it looks like one."""
        if value is None or isinstance(value, bool | list):
            return None
        if isinstance(value, Mapping):
            return next((str(value[key]) for key in ("name", "title", "label") if value.get(key)), None)
        text = str(value).strip()
        return self.by_key.get(text) or (text if text and not _KEY.fullmatch(text) else None)


def read_names(source: SourceDatabase, named: Named | None) -> Names:
    """All names of a table."""
    names = Names()
    if named is None:
        return names
    first = priority_column(named)
    columns = [*named.names, *([named.key] if named.key else []), *([first] if first else [])]
    for page in source.read(named.table, list(dict.fromkeys(columns))):
        for row in page:
            values = row.values or {}
            name = next((text for column in named.names if (text := one_line((text_of(values.get(column)) or "")[:2_000])[:200])), "")
            if not name:
                continue
            names.all.append(name)
            for column in named.names:
                if said := text_of(values.get(column)):
                    names.by_key.setdefault(said, name)
            if named.key:
                names.by_key[str(values.get(named.key))] = name
            if first and values.get(first) is True:
                names.priority.add(name)
        if len(names.all) >= MAX_NAMES:
            break
    return names


def text_of(value: Any) -> str | None:
    """A value's text; of an object its name; None where there is none."""
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("name", "title", "label", "en", "value") if value.get(key)), None)
    if value is None or isinstance(value, bool | list | Mapping):
        return None
    return " ".join(str(value).split()) or None


def article_of(
    values: Mapping[str, Any],
    key: str,
    shape: ArticleShape,
    publishers: Names,
    categories: Names,
    joined: Sequence[str],
    *,
    identity: str,
    now: datetime,
) -> ParsedArticle:
    """The article that a row is. ``key`` names the row within its table, ``joined`` are categories that another table says.

    Raises:
        BadRow: it is none; the message says why.
    """
    row: dict[str, Any] = {}
    for field_name, columns in shape.fields.items():
        found = (values.get(column) for column in columns)
        row[ALIASES[field_name][0]] = next((value for value in found if value is not None and value not in ("", [], {})), None)
    if any(str(values.get(column) or "").strip().lower() not in _FALSE for column in shape.deleted):
        row["status"] = "deleted"
    row["publisher"] = next((name for column in shape.publisher if (name := publishers.of(opened(values.get(column))))), None)
    row["categories"] = list(dict.fromkeys([*joined, *_labels(values, shape.categories, categories)])) or None
    external = text_of(row.pop("externalid", None))
    if external and ":" in external:
        row["externalid"] = external
    elif external and not row.get("guid"):
        row["guid"] = external  # a bare number is one of its publisher
    if not row.get("guid"):
        row["guid"] = key if _UUID.fullmatch(key) else f"{identity}#{key}"
    article = article_from_row(row, now=now)
    return replace(article, row_key=f"{identity}:{key}")


def _labels(values: Mapping[str, Any], columns: Sequence[str], names: Names) -> list[str]:
    found = []
    for column in columns:
        value = opened(values.get(column))
        items = value if isinstance(value, list) else re.split(r"[|;,]", value) if isinstance(value, str) else [value]
        found += [name for item in items[:200] if (name := names.of(item.strip() if isinstance(item, str) else item))]
    return found


def opened(value: Any) -> Any:
    """JSON in a text is what it says; so is an array as Postgres writes it."""
    if not isinstance(value, str) or value[:1] not in ("[", "{", '"'):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        listed = value.startswith("{") and value.endswith("}")
        return [part.strip().strip('"') for part in value[1:-1].split(",")] if listed else value
