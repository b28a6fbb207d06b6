"""Reads a source of any supported format: JSON (also the CoinDesk Data API's), JSONL, CSV, RSS and Atom, each also gzipped.

A source that cannot be read as a whole is refused; within a source, one bad row never stops the rest. JSONL and CSV are read
row by row, so that their size does not matter. One source is read by one thread at a time.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import ImportRefused
from core.importers.clean_text import clean_characters
from core.importers.feeds import feed_rows
from core.importers.fields import BadRow, article_from_row, is_article_shaped, normalised_names
from core.importers.parsed_article import ParsedArticle, RejectedRow
from core.importers.source_bytes import GIB, MAX_LINE, SourceStream, decode, text_lines, wide_encoding

MAX_DOCUMENT = 256 << 20  # JSON and XML are parsed as a whole
_DELIMITERS = ",;\t|"
_LIST_NAMES = ("data", "articles", "items", "results", "posts", "news", "entries")
_SUPPORTED = "Supported are JSON, JSONL, CSV, RSS and Atom, each also as .gz."
_MAGIC = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive or an Office document",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\x1f\x8b": "gzip within gzip",
    b"SQLite format": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
}

# A row as it was read: its number, and either its fields, or why there are none and what it looked like.
_Row = tuple[int, Mapping[Any, Any] | None, str, str]


def read_articles(
    source_name: str,
    data: bytes | Path | BinaryIO,
    *,
    now: datetime,
    charset: str | None = None,
    max_bytes: int = GIB,
) -> Iterator[ParsedArticle | RejectedRow]:
    """The articles of a source in its own order, and a RejectedRow for every row that is none.

    ``now`` is aware; ``charset`` is what an HTTP header said; ``max_bytes`` limits the unpacked size. Raises ImportRefused
    with a message that a person can act on, at once for an unknown format, while iterating for what shows up later (a damaged
    archive, an API's error).
    """
    stream = SourceStream(source_name, data, max_bytes)
    try:
        rows, publisher = _rows(source_name, stream, charset)
    except BaseException:
        stream.close()
        raise
    return _articles(source_name, stream, rows, publisher, now)


def _articles(
    source: str, stream: SourceStream, rows: Iterator[_Row], publisher: str | None, now: datetime
) -> Iterator[ParsedArticle | RejectedRow]:
    with stream:
        for number, fields, reason, shown in rows:
            if fields is None:
                yield RejectedRow(source, number, reason, excerpt=_excerpt(shown))
                continue
            try:
                yield article_from_row(fields, now=now, publisher=publisher)
            except Exception as error:  # what no rule foresaw in one row must not cost the others
                why = str(error) if isinstance(error, BadRow) else f"unreadable row ({type(error).__name__})"
                named = normalised_names(fields)
                title, text = named.get("title") or named.get("headline") or "", named.get("body") or named.get("summary") or ""
                yield RejectedRow(source, number, why, _excerpt(str(title)), _excerpt(str(text)))


def _rows(source: str, stream: SourceStream, charset: str | None) -> tuple[Iterator[_Row], str | None]:
    """The rows of a source by its format, and the publisher that the whole of it names."""
    head = stream.head
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise ImportRefused(f"{source} is {kind}. {_SUPPORTED}")
    if b"\0" in head and not wide_encoding(head):
        raise ImportRefused(f"{source} is a binary file. {_SUPPORTED}")
    text = decode(head, charset).lstrip("\ufeff \t\r\n")
    if not text:
        raise ImportRefused(f"{source} is empty.")
    if text[0] == "<":
        _require_feed(source, text)
        data = stream.read_document(MAX_DOCUMENT)
        return ((n, row, "", "") for n, row in enumerate(feed_rows(source, data, charset), 1)), None
    if text[0] == "[" or (text[0] == "{" and not _is_jsonl(text)):
        return _json_rows(source, decode(stream.read_document(MAX_DOCUMENT), charset))
    if text[0] == "{":
        return _jsonl_rows(text_lines(stream, charset)), None
    return _csv_rows(source, text_lines(stream, charset)), None


def _require_feed(source: str, text: str) -> None:
    start = re.sub(r"<!--.*?-->", "", text[:20_000], flags=re.DOTALL)
    if re.search(r"<(?:\w+:)?(?:rss|feed|rdf)[\s>]", start, re.IGNORECASE):
        return
    if re.search(r"<(?:!doctype\s+html|html|head|body)\b", start, re.IGNORECASE):
        raise ImportRefused(f"{source} is a web page, not a feed. Give the address of the site's RSS or Atom feed (often /feed or /rss).")
    raise ImportRefused(f"{source} is XML, but neither RSS nor Atom. {_SUPPORTED}")


def _is_jsonl(text: str) -> bool:
    """Whether text that begins with "{" holds an object a line: its first line is one and more follows, or its second is one."""
    lines = [line for line in text.split("\n", 50) if line.strip()][:3]
    if len(lines) < 2:
        return False
    if _object(lines[0]) is not None:
        return True
    return _object(lines[1]) is not None and lines[0].rstrip()[-1] not in "[,{:"


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _jsonl_rows(lines: Iterator[str]) -> Iterator[_Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) >= MAX_LINE:
            yield number, None, f"line longer than {MAX_LINE >> 20} MiB", line
            continue
        try:
            value = json.loads(line)
        except RecursionError:
            yield number, None, "broken JSON: nested too deeply", line
        except ValueError as error:
            yield number, None, f"broken JSON: {error}", line
        else:
            yield _json_row(number, value)


def _json_row(number: int, value: object) -> _Row:
    if isinstance(value, dict):
        return number, value, "", ""
    return number, None, "not a JSON object", repr(value)


def _json_rows(source: str, text: str) -> tuple[Iterator[_Row], str | None]:
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ImportRefused(f"{source} is JSON that is nested too deeply.") from error
    except ValueError as error:
        if getattr(error, "msg", "") == "Extra data" and text.startswith("{"):  # JSONL whose first line is longer than the head
            return _jsonl_rows(iter(text.split("\n"))), None
        raise ImportRefused(f"{source} is not valid JSON: {error}. Is the file complete?") from error
    articles, publisher = document, None
    if isinstance(document, dict):
        if words := api_error(document):
            raise ImportRefused(f"{source}: the API answered with an error: {words}")
        articles = _article_list(document)
        if articles is None:
            raise ImportRefused(f"{source} is JSON without a list of articles. Looked for {', '.join(_LIST_NAMES)}.")
        if "jsonfeed.org" in str(document.get("version", "")):
            publisher = str(document.get("title") or "") or None
    return (_json_row(number, value) for number, value in enumerate(articles, 1)), publisher


def _article_list(document: Mapping[str, Any], depth: int = 2) -> list[Any] | None:
    named = normalised_names(document)
    for name in _LIST_NAMES:
        value = named.get(name)
        if isinstance(value, list):
            return value
        if isinstance(value, dict) and depth and (nested := _article_list(value, depth - 1)) is not None:
            return nested
    return [document] if is_article_shaped(named) else None


def api_error(answer: Mapping[str, Any]) -> str | None:
    """The provider's words when ``answer`` is an API's error instead of articles, else None."""
    named = normalised_names(answer)
    error = named.get("err") or named.get("error") or named.get("errors")
    if isinstance(error, list):
        error = error[0] if error else None
    failed = str(named.get("response") or named.get("status") or "").lower() in ("error", "fail", "failed")
    if not error and not failed:
        return None
    words = normalised_names(error).get("message") if isinstance(error, Mapping) else error
    words = words or named.get("message") or json.dumps(error or answer, ensure_ascii=False, default=str)
    return _excerpt(str(words), 500)


def _csv_rows(source: str, lines: Iterator[str]) -> Iterator[_Row]:
    header_line = next((line for line in lines if line.strip()), "")
    candidates = [_columns(header_line, delimiter) for delimiter in _DELIMITERS if len(header_line) < 100_000]
    header = max(candidates, key=lambda c: (is_article_shaped(normalised_names(dict.fromkeys(c))), len(c)), default=[])
    if not is_article_shaped(normalised_names(dict.fromkeys(header))):
        columns = f" Its first line has the columns {_excerpt(', '.join(header), 150)}." if len(header) > 1 else ""
        raise ImportRefused(f"{source} is no known format, or a CSV file without columns for a title and a body.{columns} {_SUPPORTED}")
    delimiter = _DELIMITERS[candidates.index(header)]
    for number, (fields, record) in enumerate(_csv_records(lines, delimiter, len(header)), 1):
        if len(fields) == len(header):
            yield number, dict(zip(header, fields, strict=True)), "", ""
        else:
            reason = f"wrong number of columns: {len(fields)} instead of {len(header)}" if fields else "broken CSV"
            yield number, None, reason, record


def _csv_records(lines: Iterator[str], delimiter: str, width: int) -> Iterator[tuple[list[str], str]]:
    """The records of a CSV file with the text they were read from; no fields for one that the csv module gave up on.

    A quotation mark that is never closed would swallow the rest of the file. So a record of several lines that came out wrong
    is taken back to the first of its lines that is a complete record by itself.
    """
    csv.field_size_limit(MAX_LINE)
    pushed_back: deque[str] = deque()
    record: list[str] = []

    def feed() -> Iterator[str]:
        while line := pushed_back.popleft() if pushed_back else next(lines, ""):
            record.append(line)
            yield line

    reader = csv.reader(feed(), delimiter=delimiter)
    while True:
        record.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = []
        if not fields and not "".join(record).strip():
            continue
        if len(fields) != width and len(record) > 1:
            whole = next((i for i, line in enumerate(record[1:], 1) if _is_complete(line, delimiter, width)), len(record))
            pushed_back.extendleft(reversed(record[whole:]))
            reader = csv.reader(feed(), delimiter=delimiter)
            yield [], "".join(record[:whole])
        else:
            yield fields, "".join(record)


def _is_complete(line: str, delimiter: str, width: int) -> bool:
    return len(_columns(line, delimiter)) == width


def _columns(line: str, delimiter: str) -> list[str]:
    """The fields of a line that is a record by itself; none for one that is not."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _excerpt(text: str, length: int = 200) -> str:
    text = " ".join(clean_characters(text[: 4 * length]).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"
