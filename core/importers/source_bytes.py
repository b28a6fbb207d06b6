"""The bytes of a source: opening it, unpacking gzip within a limit, and turning bytes into text.

One source is read by one thread at a time.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from charset_normalizer import from_bytes

from core.errors import ImportRefused

GIB = 1 << 30
HEAD_SIZE = 256 << 10
MAX_LINE = 16 << 20
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


class SourceStream(io.RawIOBase):
    """Reads a source, unpacked, up to ``max_bytes``; ``head`` is its beginning, which is still there to read.

    Raises ImportRefused where the source is larger than the limit, damaged, or unreadable.
    """

    def __init__(self, name: str, data: bytes | Path | BinaryIO, max_bytes: int = GIB) -> None:
        super().__init__()
        self._name, self._left, self._max_bytes = name, max_bytes, max_bytes
        self._owned = isinstance(data, bytes | Path)
        self._file: _Readable = self._opened(data)
        try:
            start = self._file.read(HEAD_SIZE)
        except OSError as error:
            raise ImportRefused(f"{name} cannot be read: {error.strerror}.") from error
        self._file = _Prepended(start, self._file)
        if start.startswith(_GZIP):
            self._file = gzip.GzipFile(fileobj=cast(BinaryIO, self._file), mode="rb")
        self.head = b""
        while len(self.head) < HEAD_SIZE and (chunk := self._chunk(HEAD_SIZE - len(self.head))):
            self.head += chunk
        self._pending = self.head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        chunk = self._pending[: len(buffer)] or self._chunk(len(buffer))
        self._pending = self._pending[len(chunk) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def read_document(self, limit: int) -> bytes:
        """All of it. Raises ImportRefused when it is larger than ``limit`` bytes."""
        parts, size = [], 0
        while chunk := self.read(1 << 20):
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise ImportRefused(
                    f"{self._name} is one document of more than {limit >> 20} MiB. Deliver it as JSONL or CSV, or in parts."
                )
        return b"".join(parts)

    def close(self) -> None:
        if not self.closed and self._owned:
            self._file.close()
        super().close()

    def _opened(self, data: bytes | Path | BinaryIO) -> _Readable:
        if isinstance(data, Path):
            try:
                return data.open("rb")
            except OSError as error:
                raise ImportRefused(f"{self._name} cannot be read: {error.strerror or error}") from error
        return io.BytesIO(data) if isinstance(data, bytes) else data

    def _chunk(self, size: int) -> bytes:
        try:
            chunk = self._file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ImportRefused(f"{self._name} is a damaged or incomplete gzip file ({error}). Download or pack it again.") from error
        except OSError as error:
            raise ImportRefused(f"{self._name} cannot be read: {error.strerror or error}") from error
        self._left -= len(chunk)
        if self._left < 0:
            limit = f"{self._max_bytes >> 20} MiB" if self._max_bytes >= 1 << 20 else f"{self._max_bytes} bytes"
            raise ImportRefused(f"{self._name} is larger than {limit} (unpacked). Import it in parts.")
        return chunk


class _Prepended:
    """A file with the bytes that were already read from it put back in front."""

    def __init__(self, start: bytes, rest: _Readable) -> None:
        self._start, self._rest = start, rest

    def read(self, size: int = -1, /) -> bytes:
        if not self._start:
            return self._rest.read(size)
        chunk = self._start if size < 0 else self._start[:size]
        self._start = self._start[len(chunk) :]
        return chunk

    def close(self) -> None:
        self._rest.close()


def decode(data: bytes, charset: str | None = None) -> str:
    """Text of ``data``: by its byte order mark, else by ``charset`` if it fits, else UTF-8, else the likeliest encoding.

    Never raises; what no encoding explains becomes U+FFFD.
    """
    encoding = wide_encoding(data) or _byte_order_mark(data)
    if encoding:
        return data.decode(encoding, "replace").removeprefix("\ufeff")
    for candidate in (charset, "utf-8"):
        try:
            if candidate and _is_text_encoding(candidate):
                return data.decode(candidate)
        except (UnicodeError, ValueError):
            continue
    return data.decode(_likeliest(data), "replace")


def text_lines(stream: SourceStream, charset: str | None = None) -> Iterator[str]:
    """The lines of a source with their line ends, decoded one by one, so that one bad byte spoils one line.

    A line that is no UTF-8 is read in the encoding that the beginning of the source looks like. A line longer than 16 MiB
    comes in pieces.
    """
    buffered = io.BufferedReader(stream, HEAD_SIZE)
    head = stream.head
    whole = wide_encoding(head) or _byte_order_mark(head)
    if (whole and whole != "utf-8-sig") or (b"\r" in head and b"\n" not in head):
        yield from io.TextIOWrapper(buffered, whole or _likeliest(head), "replace")
        return
    declared = charset if charset and _is_text_encoding(charset) else "utf-8"
    fallback = ""
    first = True
    while line := buffered.readline(MAX_LINE):
        try:
            text = line.decode(declared)
        except UnicodeError:
            fallback = fallback or _likeliest(head)
            text = line.decode(fallback, "replace")
        yield text.removeprefix("\ufeff") if first else text
        first = False


def wide_encoding(data: bytes) -> str | None:
    """UTF-16 or UTF-32 with a mark, or UTF-16 that can be told without one: every other byte of mostly Latin text is zero."""
    mark = _byte_order_mark(data)
    if mark:
        return mark if mark != "utf-8-sig" else None
    sample = data[:1000]
    if len(sample) >= 4 and b"\0" in sample:
        even, odd = sample[::2].count(0) / len(sample[::2]), sample[1::2].count(0) / len(sample[1::2])
        if odd > 0.6 and even < 0.05:
            return "utf-16-le"
        if even > 0.6 and odd < 0.05:
            return "utf-16-be"
    return None


def _byte_order_mark(data: bytes) -> str | None:
    return next((encoding for mark, encoding in _BYTE_ORDER_MARKS if data.startswith(mark)), None)


def _is_text_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding  # "rot13" and "zip" are codecs too
    except (LookupError, ValueError):
        return False


def _likeliest(data: bytes) -> str:
    sample = data[:HEAD_SIZE]
    broken = sample.decode("utf-8", "replace").count("\ufffd")
    if broken * 10 < sum(byte >= 0x80 for byte in sample) or sample.isascii():
        return "cp1252"  # UTF-8 with a few strays from Windows
    matches = from_bytes(sample)
    best = matches.best()
    # Western text fits several Latin code pages about equally well; then the common one is right. Other scripts rule it out.
    western = next((match for match in matches if "cp1252" in match.could_be_from_charset), None)
    if best is None or (western and western.chaos <= 0.1):
        return "cp1252"
    return best.encoding
