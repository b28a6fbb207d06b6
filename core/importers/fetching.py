"""Fetches feeds from the internet and pages from the CoinDesk Data API.

A feed's address comes from a user, so it may reach public addresses only (see guarded_network); the API's base address is
configuration, and trusted. Synchronous; any thread may call it, and each call has a client of its own.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from core.errors import ImportRefused
from core.importers.formats import api_error
from core.importers.guarded_network import GuardedBackend, GuardedTransport
from core.importers.parsed_article import shown_address

MIB = 1 << 20
ATTEMPTS = 3
MAX_REDIRECTS = 5
MAX_RETRY_AFTER_S = 30.0
COINDESK_URL = "https://data-api.coindesk.com"
COINDESK_PAGE = 100  # the API's largest
MAX_COINDESK_PAGES = 500
_HEADERS = {"user-agent": "SignalDesk/0.1 (news import)", "accept-encoding": "gzip, deflate"}
_FEED_TYPES = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class FetchedSource:
    """What an address answered with: the unpacked body, and what the server said it is."""

    content: bytes
    final_url: str
    content_type: str
    charset: str | None


class _Transient(ImportRefused):
    """A failure worth another try, after ``retry_after`` seconds where the server named them."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


T = TypeVar("T")


def fetch_feed(
    url: str,
    *,
    timeout_s: float = 20,
    max_bytes: int = 20 * MIB,
    allow_private: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> FetchedSource:
    """Fetch ``url`` (http or https), following up to five redirects, each checked like the address itself.

    ``timeout_s`` limits one try as a whole, ``max_bytes`` the body both packed and unpacked; ``allow_private`` lifts the limit to
    public addresses. Connection failures, 5xx and 429 are tried three times, honouring a Retry-After of up to 30 s.
    Raises ImportRefused with the reason.
    """

    headers = {**_HEADERS, "accept": _FEED_TYPES}

    def attempt() -> FetchedSource:
        backend = GuardedBackend(time.monotonic() + timeout_s, allow_private=allow_private)
        with httpx.Client(transport=GuardedTransport(backend), timeout=timeout_s, trust_env=False, headers=headers) as client:
            return _follow(client, url.strip(), max_bytes, timeout_s)

    return _with_retries(attempt, sleep)


def fetch_coindesk(
    api_key: str | None,
    hours: float,
    *,
    now: datetime,
    base_url: str = COINDESK_URL,
    categories: str = "BTC",
    timeout_s: float = 30,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """The articles of the last ``hours`` before ``now``, newest first, as pages of JSON that ``read_articles`` understands.

    Pages go backwards with ``to_ts``, which the API includes; articles seen before or older are left out. The key travels as
    ``x-api-key`` only, never in an address or a message; without one the API answers with its free allowance.
    Raises ImportRefused in the provider's words.
    Source: developers.coindesk.com/documentation/data-api/news_v1_article_list
    """
    cutoff, to_ts = int((now - timedelta(hours=hours)).timestamp()), int(now.timestamp())
    require_web_address(base_url)
    api_key = (api_key or "").strip()
    if not (api_key.isascii() and api_key.replace("-", "").replace("_", "").isalnum()) and api_key:
        raise ImportRefused("COINDESK_API_KEY holds characters that no key has. Copy it again.")
    headers = {**_HEADERS, "accept": "application/json"} | ({"x-api-key": api_key} if api_key else {})
    seen: set[str] = set()
    backend = GuardedBackend(float("inf"), allow_private=True)
    with httpx.Client(transport=GuardedTransport(backend), timeout=timeout_s, trust_env=False, headers=headers) as client:
        for _ in range(MAX_COINDESK_PAGES):
            query = httpx.QueryParams(lang="EN", categories=categories, limit=COINDESK_PAGE, to_ts=to_ts)
            url = f"{base_url.rstrip('/')}/news/v1/article/list?{query}"
            rows = _with_retries(partial(_coindesk_rows, client, url, api_key, timeout_s), sleep)
            times = {id(row): stamp for row in rows if isinstance(stamp := row.get("PUBLISHED_ON"), int)}
            fresh = [row for row in rows if times.get(id(row), cutoff) >= cutoff and str(row.get("ID")) not in seen]
            seen.update(str(row.get("ID")) for row in rows)
            if fresh:
                yield json.dumps({"Data": fresh, "Err": {}}).encode()
            oldest = min(times.values(), default=0)
            if oldest < cutoff or oldest > to_ts or (not fresh and len(rows) < COINDESK_PAGE):
                return
            # Articles of one second may stand on both sides of a page's end, so that second is asked for again, once.
            to_ts = oldest if oldest < to_ts else oldest - 1


def _coindesk_rows(client: httpx.Client, url: str, api_key: str, timeout_s: float) -> list[dict[str, Any]]:
    """The rows of one page. An error carries the provider's words, without the key should they repeat it."""
    answer = _get(client, url, 50 * MIB, timeout_s)
    try:
        page = json.loads(answer.body)
    except (ValueError, RecursionError):
        page = None
    words = (api_error(page) if isinstance(page, dict) else None) or ""
    if answer.status >= 400 or words:
        words = words.replace(api_key, "***") if api_key else words
        hint = " Check COINDESK_API_KEY." if answer.status in (401, 403) else ""
        raise _refusal("CoinDesk", answer, f"{words}{hint}")
    rows = page.get("Data") if isinstance(page, dict) else None
    if answer.status != 200 or not isinstance(rows, list):
        raise ImportRefused(f"CoinDesk answered {answer.status} without a list of articles. Check the address of the API.")
    return [row for row in rows if isinstance(row, dict)]


def _follow(client: httpx.Client, url: str, max_bytes: int, timeout_s: float) -> FetchedSource:
    for _ in range(MAX_REDIRECTS + 1):
        require_web_address(url)
        answer = _get(client, url, max_bytes, timeout_s)
        if answer.status in (301, 302, 303, 307, 308) and "location" in answer.headers:
            try:
                url = urljoin(url, answer.headers["location"])
            except ValueError as error:
                raise ImportRefused(f"{shown_address(url)} redirects to something that is no address.") from error
            continue
        if answer.status != 200:
            raise _refusal(shown_address(url), answer)
        content_type, parameters = _content_type(answer.headers.get("content-type", ""))
        return FetchedSource(answer.body, url, content_type, parameters.get("charset"))
    raise ImportRefused(f"{shown_address(url)}: more than {MAX_REDIRECTS} redirects.")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes


def _get(client: httpx.Client, url: str, max_bytes: int, timeout_s: float) -> _Answer:
    shown = shown_address(url)
    try:
        with client.stream("GET", url, follow_redirects=False) as response:
            return _Answer(response.status_code, response.headers, _body(response, max_bytes, shown))
    except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise ImportRefused(f"{shown} has no valid certificate: {error}") from error
        raise _Transient(f"{shown} cannot be reached: {error or type(error).__name__}") from error
    except httpcore.TimeoutException as error:
        raise ImportRefused(f"{shown} did not answer in full within {timeout_s:g} s.") from error
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, httpx.InvalidURL, httpx.HTTPError, UnicodeError) as error:
        raise ImportRefused(f"{shown} cannot be fetched: {error}") from error


def _body(response: httpx.Response, max_bytes: int, shown: str) -> bytes:
    """The body, unpacked here and not by httpx, which would unpack a chunk of any size before one could object."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise ImportRefused(f"{shown} answered in the encoding {encoding[:40]!r}, which was not asked for.")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in ("gzip", "x-gzip", "deflate") else None
    body, received = bytearray(), 0
    try:
        for chunk in response.iter_raw():
            received += len(chunk)
            body += unpack.decompress(chunk, max_bytes + 1 - len(body)) if unpack else chunk
            if len(body) > max_bytes or received > max_bytes:
                raise ImportRefused(f"{shown} is larger than {max_bytes / MIB:g} MiB.")
    except zlib.error as error:
        raise ImportRefused(f"{shown} answered with damaged {encoding} data.") from error
    return bytes(body)


def _refusal(name: str, answer: _Answer, words: str = "") -> ImportRefused:
    """The error for an answer that is none: worth another try for 429 and 5xx, unless the server wants a longer wait."""
    text = f"{name} answered {answer.status} {httpx.codes.get_reason_phrase(answer.status)}".rstrip() + (f": {words}" if words else ".")
    if answer.status != 429 and answer.status < 500:
        return ImportRefused(text)
    wait = _retry_after(answer.headers)
    if wait is not None and wait > MAX_RETRY_AFTER_S:
        return ImportRefused(f"{text} It asks to wait {wait:,.0f} s before the next try.")
    return _Transient(text, wait)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds to wait; a date counts from the answer's own Date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return None


def _with_retries(attempt: Callable[[], T], sleep: Callable[[float], None]) -> T:
    retrying = Retrying(stop=stop_after_attempt(ATTEMPTS), wait=_wait, retry=retry_if_exception_type(_Transient), sleep=sleep, reraise=True)
    return retrying(attempt)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Transient) and error.retry_after is not None:
        return error.retry_after
    return 0.5 * 2.0 ** (state.attempt_number - 1)


def require_web_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        scheme, host, credentials = parts.scheme.lower(), parts.hostname, parts.username is not None or parts.password is not None
        _ = parts.port
    except ValueError as error:
        raise ImportRefused(f"That is no web address ({error}).") from error
    if scheme not in ("http", "https"):
        raise ImportRefused(f"Only http and https addresses can be fetched, not {scheme[:20] or 'one without a scheme'!r}.")
    if credentials:
        raise ImportRefused("An address with a user name or password in it is not fetched. Give it without.")
    if not host:
        raise ImportRefused("That address names no host.")


def _content_type(header: str) -> tuple[str, dict[str, str]]:
    message = Message()
    message["content-type"] = header or "application/octet-stream"
    return message.get_content_type(), {k: str(v) for k, v in (message.get_params() or [])[1:]}
