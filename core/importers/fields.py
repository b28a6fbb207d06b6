"""One row of any source, under whatever names it uses, as a ParsedArticle. Pure; any thread may call it."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from core.importers.clean_text import clean_characters, html_to_text, one_line
from core.importers.dates import parse_date
from core.importers.parsed_article import MAX_BODY, MAX_TITLE, ParsedArticle, web_address

MAX_RAW_BODY = 5_000_000  # markup around a body of at most MAX_BODY
_MAX_SUBTITLE, _MAX_NAME, _MAX_IDENTIFIER, _MAX_LABEL, _MAX_LABELS = 1_000, 200, 500, 100, 50

# Names are compared without case, spaces and punctuation: "Published At", "published_at" and "publishedAt" are one.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "headline", "name"),
    "body": ("body", "content", "contenthtml", "contenttext", "text", "article", "fulltext", "articlebody"),
    "summary": ("description", "summary", "excerpt", "abstract"),
    "subtitle": ("subtitle", "subheadline", "dek", "deck", "standfirst"),
    "publisher": ("publisher", "source", "sourcedata", "sourceinfo", "site", "sitename", "sourcename", "domain"),
    "url": ("url", "link", "articleurl", "externalurl", "permalink"),
    "published": (
        *("published", "publishedat", "publishedon", "publisheddate", "publisheddatetime", "datepublished", "pubdate", "publicationdate"),
        *("dategmt", "datetime", "date", "timestamp", "time", "createdat"),
    ),
    "external_id": ("externalid",),
    "guid": ("guid", "id", "uuid", "articleid"),
    "authors": ("authors", "author", "byline", "creator"),
    "categories": ("categories", "category", "categorydata", "sections", "section"),
    "keywords": ("keywords", "keyword"),
    "tags": ("tags", "tag"),
    "language": ("language", "lang"),
    "sentiment": ("sentiment",),
    "status": ("status", "active", "isactive"),
    "sample": ("sample", "issample"),
}
_TEXT_KEYS = ("rendered", "value", "name", "title", "text", "term", "category")  # of an object that stands for its text
_INACTIVE = re.compile("inactive|deleted|removed|draft|archived|retracted|hidden|disabled|rejected|expired|spam|trash|false|0|no")
_TRUE = frozenset({"true", "1", "yes", "y", "t"})


class BadRow(ValueError):
    """The row is no article; the message is the short, stable reason."""


def normalised_names(row: Mapping[Any, Any]) -> dict[str, Any]:
    """``row`` with its names as ALIASES writes them. Where two names meet, the first one with a value stays."""
    named: dict[str, Any] = {}
    for key, value in row.items():
        name = re.sub(r"[\W_]+", "", str(key)).lower()
        if named.get(name) in (None, ""):
            named[name] = value
    return named


def is_article_shaped(names: Iterable[str]) -> bool:
    """Whether normalised names include one for a title and one for a text."""
    names = set(names)
    return bool(names & {*ALIASES["title"]} and names & {*ALIASES["body"], *ALIASES["summary"]})


def article_from_row(row: Mapping[Any, Any], *, now: datetime, publisher: str | None = None) -> ParsedArticle:
    """The article that ``row`` describes; ``publisher`` stands in where the row names none, and the address's host after that.

    Raises BadRow: "no title", "no body", "no date", "unreadable date: ...", "date in the future: ...", "date before
    2009-01-03: ...", "no publisher", "no address and no identifier", "body longer than 500,000 characters", "<field> is not text".
    """
    named = normalised_names(row)
    coindesk = "publishedon" in named and ("sourcedata" in named or "sourceid" in named)
    title = one_line(_text(named, "title")[:20_000])[:MAX_TITLE].rstrip()
    if not title:
        raise BadRow("no title")
    body, subtitle = _body_and_subtitle(named)
    try:
        published_at = parse_date(_first(named, "published"), now)
    except ValueError as error:
        raise BadRow(str(error)) from error
    url = web_address(one_line(_text(named, "url")))
    named_publisher = _text(named, "publisher") if not coindesk else _plain(named.get("sourcedata"), "publisher")
    publisher = one_line(named_publisher[:2_000]) or publisher or (urlsplit(url).hostname or "" if url else "").removeprefix("www.")
    if not publisher:
        raise BadRow("no publisher")
    categories = _labels(_first(named, "categories"))
    tags, keywords = _labels(_first(named, "tags")), _labels(_first(named, "keywords"))
    identifier = clean_characters(_text(named, "external_id"))
    if coindesk and (number := _plain(named.get("id"), "id")):
        identifier = f"coindesk:{number}"
    article = ParsedArticle(
        title=title,
        body=body,
        publisher=publisher[:_MAX_NAME].rstrip(),
        published_at=published_at,
        url=url,
        external_id=identifier[:_MAX_IDENTIFIER] or None,
        guid=_guid(named, coindesk),
        subtitle=subtitle,
        authors=_authors(named),
        language=_language(_text(named, "language")),
        keywords=keywords or (tags if categories else ()),
        categories=categories or tags,
        sentiment=_sentiment(_first(named, "sentiment")),
        active=_is_active(_first(named, "status"), strictly=coindesk),
        is_sample=str(_first(named, "sample")).strip().lower() in _TRUE,
    )
    if not article.identity_keys:
        raise BadRow("no address and no identifier")
    return article


def _first(named: Mapping[str, Any], field: str) -> Any:
    for alias in ALIASES[field]:
        value = named.get(alias)
        if value is not None and value not in ("", [], {}):
            return value
    return None


def _text(named: Mapping[str, Any], field: str) -> str:
    return _plain(_first(named, field), field)


def _plain(value: Any, field: str) -> str:
    """Text of a value: of a string or a number itself, of an object the member that stands for it."""
    for _ in range(3):
        if not isinstance(value, Mapping):
            break
        members = {str(key).lower(): member for key, member in value.items()}
        value = next((members[key] for key in _TEXT_KEYS if members.get(key)), None)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise BadRow(f"{field} is not text")


def _body_and_subtitle(named: Mapping[str, Any]) -> tuple[str, str | None]:
    value = _first(named, "body")
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "\n\n".join(value)
    raw, summary = _plain(value, "body"), _text(named, "summary")
    if len(raw) > MAX_RAW_BODY or len(summary) > MAX_RAW_BODY:
        raise BadRow(f"body longer than {MAX_BODY:,} characters")
    body = html_to_text(raw)
    if not body:
        body, summary = html_to_text(summary), ""
    if not body:
        raise BadRow("no body")
    if len(body) > MAX_BODY:
        raise BadRow(f"body longer than {MAX_BODY:,} characters")
    subtitle = one_line(_text(named, "subtitle")[:20_000]) or one_line(summary[:20_000])
    if not _text(named, "subtitle") and subtitle[:100] == " ".join(body[:200].split())[:100]:
        subtitle = ""  # a summary that only repeats the beginning
    return body, subtitle[:_MAX_SUBTITLE].rstrip() or None


def _guid(named: Mapping[str, Any], coindesk: bool) -> str | None:
    value = named.get("guid") if coindesk else _first(named, "guid")
    return " ".join(clean_characters(_plain(value, "guid")).split())[:_MAX_IDENTIFIER] or None


def _authors(named: Mapping[str, Any]) -> str | None:
    value = _first(named, "authors")
    names = [_plain(item, "authors") for item in value] if isinstance(value, list) else [_plain(value, "authors")]
    text = one_line(", ".join(name for name in names if name)[:5_000])
    return re.sub(r"\s*[,|;]\s*", ", ", text)[:_MAX_IDENTIFIER].strip(", ") or None


def _labels(value: Any) -> tuple[str, ...]:
    """Distinct names out of a list, or out of text separated by "|", ";" or ","; bare numbers (a provider's keys) are none."""
    if isinstance(value, str):
        value = _split(value.strip()[:20_000])
    elif isinstance(value, Mapping):
        value = [value]
    elif not isinstance(value, list | tuple):
        return ()
    labels: dict[str, str] = {}
    for item in value[: 4 * _MAX_LABELS]:
        label = one_line(item if isinstance(item, str) else _plain(item, "label") if isinstance(item, Mapping) else "")[:_MAX_LABEL].strip()
        if label and not label.isdigit():
            labels.setdefault(label.casefold(), label)
    return tuple(labels.values())[:_MAX_LABELS]


def _split(text: str) -> list[Any]:
    if text.startswith("[") and text.endswith("]"):
        try:
            values = json.loads(text)
            return values if isinstance(values, list) else []
        except (ValueError, RecursionError):
            return [part.strip(" '\"") for part in text[1:-1].split(",")]
    separator = next((mark for mark in "|;," if mark in text), ",")
    return text.split(separator)


def _language(text: str) -> str:
    code = re.match(r"[a-z]{2,3}(?=$|[-_])", text.lower())
    return code[0] if code else "en"


def _sentiment(value: Any) -> str | None:
    text = value.strip().upper() if isinstance(value, str) else ""
    return text if text in ("POSITIVE", "NEGATIVE", "NEUTRAL") else None


def _is_active(value: Any, *, strictly: bool) -> bool:
    if value is None:
        return True
    text = str(value).strip().lower()
    return text == "active" if strictly else not _INACTIVE.fullmatch(text)
