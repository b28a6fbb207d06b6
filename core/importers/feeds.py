"""RSS and Atom feeds, through feedparser. Any thread may call it."""

import io
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import feedparser

from core.errors import ImportRefused
from core.importers.clean_text import one_line

_TITLE_PARTS = re.compile(r"\s*(?::|\||»)\s+|\s+[-–—•·]\s+")


def feed_rows(source_name: str, data: bytes, charset: str | None = None) -> Iterator[Mapping[str, Any]]:
    """The entries of a feed as rows in the names of ``fields.ALIASES``: the full content where the feed has it, else the summary.

    Raises ImportRefused when ``data`` is no feed.
    """
    headers = {"content-type": f"application/xml; charset={charset}"} if charset else None
    try:
        # As a stream: feedparser would open bare bytes as a file's name.
        feed = feedparser.parse(io.BytesIO(data), response_headers=headers)
    except Exception as error:  # its own errors, and those of the XML and SGML parsers below it
        raise ImportRefused(f"{source_name} is not a readable feed: {error}") from error
    if not feed.version and not feed.entries:
        raise ImportRefused(f"{source_name} is XML, but neither RSS nor Atom: {feed.get('bozo_exception', 'no feed in it')}")
    channel = publisher_name(feed.feed.get("title", ""), feed.feed.get("link", ""))
    for entry in feed.entries:
        yield _row(entry, channel, feed.feed.get("language", ""), feed.version.startswith("atom"))


def publisher_name(feed_title: str, feed_link: str) -> str:
    """The publisher in a feed's title: "CoinDesk" of "CoinDesk: Bitcoin, Ethereum, Crypto News and Price Data".

    Of the title's parts it is the one that the site's host repeats, else the first.
    """
    parts = [part.strip() for part in _TITLE_PARTS.split(one_line(feed_title)) if part.strip()]
    try:
        host = urlsplit(feed_link).hostname or ""
    except ValueError:
        host = ""
    letters = re.sub(r"[\W_]", "", host.lower())
    named = (part for part in parts if len(part) > 2 and re.sub(r"[\W_]", "", part.lower()) in letters)
    return next(named, parts[0] if parts else "")


def _row(entry: Mapping[str, Any], channel: str, language: str, is_atom: bool) -> dict[str, Any]:
    # feedparser also files an image's media:description under content, as plain text; an RSS item's real content is HTML.
    kinds = ("text/plain", "text/html", "application/xhtml+xml") if is_atom else ("text/html", "application/xhtml+xml")
    contents = [part.get("value") or "" for part in entry.get("content", ()) if part.get("type") in kinds]
    origin = entry.get("source")
    return {
        "title": entry.get("title"),
        "body": max(contents, key=len, default=""),
        "summary": entry.get("summary"),
        "published": _published(entry),
        "url": entry.get("feedburner_origlink") or entry.get("link"),
        "guid": entry.get("id"),
        "publisher": (origin.get("title") if isinstance(origin, Mapping) else None) or channel,
        "authors": [name for a in entry.get("authors", ()) if (name := a.get("name"))] or entry.get("author"),
        "categories": [tag.get("label") or tag.get("term") or "" for tag in entry.get("tags", ())],
        "language": next((c["language"] for c in entry.get("content", ()) if c.get("language")), None) or language,
    }


def _published(entry: Mapping[str, Any]) -> Any:
    for field in ("published", "updated", "created"):
        if value := entry.get(f"{field}_parsed") or entry.get(field):
            return value
    return None
