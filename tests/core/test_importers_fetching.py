"""Feeds and API pages over real sockets: a loopback server stands where the internet would be."""

import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.errors import ImportRefused
from core.importers import guarded_network
from core.importers.fetching import FetchedSource, fetch_coindesk, fetch_feed
from core.importers.formats import read_articles
from core.importers.guarded_network import is_public
from core.importers.parsed_article import ParsedArticle

NOW = datetime(2025, 9, 30, 12, tzinfo=UTC)
KEY = "secret-key-123"
RSS = b"<rss version='2.0'><channel><title>Feed</title></channel></rss>"

Reply = tuple[int, dict[str, str], bytes]


class Server:
    """Answers by path with what the test put there; remembers the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Reply | Callable[[str, int], Reply]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                outer.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                answer = outer.answers.get(path, (404, {}, b"nothing here"))
                if callable(answer):
                    answer = answer(self.path, sum(urlsplit(p).path == path for p, _ in outer.requests))
                status, headers, body = answer
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self._send(path, body)
                except OSError:  # the client had enough
                    self.close_connection = True

            def _send(self, path: str, body: bytes) -> None:
                if path == "/drip":
                    for _ in range(100):
                        self.wfile.write(b"x")
                        if outer.closing.wait(0.05):
                            return
                else:
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.port = self._http.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def waits() -> list[float]:
    return []


def fetch(url: str, waits: list[float] | None = None, **options: Any) -> FetchedSource:
    return fetch_feed(url, allow_private=True, sleep=(waits if waits is not None else []).append, **options)


# --- feeds --------------------------------------------------------------------------------------------------------------------


def test_a_feed_comes_with_its_type_and_charset(server: Server) -> None:
    server.answers["/feed"] = (200, {"content-type": 'application/rss+xml; charset="ISO-8859-1"'}, RSS)
    assert fetch(f"{server.url}/feed") == FetchedSource(RSS, f"{server.url}/feed", "application/rss+xml", "ISO-8859-1")
    headers = server.requests[0][1]
    assert headers["accept-encoding"] == "gzip, deflate"
    assert "application/rss+xml" in headers["accept"]


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_answers_are_unpacked_within_the_limit(server: Server, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    server.answers["/feed"] = (200, {"content-encoding": encoding}, pack(RSS))
    server.answers["/bomb"] = (200, {"content-encoding": encoding}, pack(b" " * 30_000_000))
    server.answers["/damaged"] = (200, {"content-encoding": encoding}, b"no such thing")
    assert fetch(f"{server.url}/feed").content == RSS
    with pytest.raises(ImportRefused, match="larger than 20 MiB"):
        fetch(f"{server.url}/bomb")
    with pytest.raises(ImportRefused, match="damaged"):
        fetch(f"{server.url}/damaged")


def test_size_and_encoding_limits(server: Server) -> None:
    server.answers["/big"] = (200, {}, b"x" * 3000)
    server.answers["/br"] = (200, {"content-encoding": "br"}, b"x")
    with pytest.raises(ImportRefused, match="larger than"):
        fetch(f"{server.url}/big", max_bytes=2999)
    assert len(fetch(f"{server.url}/big", max_bytes=3000).content) == 3000
    with pytest.raises(ImportRefused, match="'br'"):
        fetch(f"{server.url}/br")


def test_a_dripping_server_is_left_when_time_is_up(server: Server) -> None:
    server.answers["/drip"] = (200, {"content-length": "100"}, b"")
    started = time.perf_counter()
    with pytest.raises(ImportRefused, match=r"within 0\.3 s"):
        fetch(f"{server.url}/drip", timeout_s=0.3)
    assert time.perf_counter() - started < 3


def test_redirects_are_followed_and_counted(server: Server) -> None:
    server.answers["/feed"] = (200, {}, RSS)
    for n in range(1, 7):
        server.answers[f"/{n}"] = (302, {"location": "/feed" if n == 1 else f"{server.url}/{n - 1}"}, b"")
    assert fetch(f"{server.url}/5").final_url == f"{server.url}/feed"
    with pytest.raises(ImportRefused, match="more than 5 redirects"):
        fetch(f"{server.url}/6")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("file:///etc/passwd", "not 'file'"),
        ("http://user:pw@example.com/", "user name or password"),
        ("http://[bad", "no address|no web address"),
    ],
)
def test_every_hop_is_checked(server: Server, location: str, words: str) -> None:
    server.answers["/hop"] = (301, {"location": location}, b"")
    with pytest.raises(ImportRefused, match=words):
        fetch(f"{server.url}/hop")


def test_a_redirect_to_a_private_address_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real = guarded_network.is_public
    looked_at: list[str] = []

    def first_is_public(address: str) -> bool:  # stands in for the internet: the first hop is public, what follows is judged truly
        looked_at.append(address)
        return len(looked_at) == 1 or real(address)

    monkeypatch.setattr(guarded_network, "is_public", first_is_public)
    server.answers["/hop"] = (302, {"location": f"http://localhost:{server.port}/secret", "connection": "close"}, b"")
    server.answers["/secret"] = (200, {}, b"secret")
    with pytest.raises(ImportRefused, match="not a public address"):
        fetch_feed(f"{server.url}/hop")
    assert [path for path, _ in server.requests] == ["/hop"]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://127.1:{port}/", "http://2130706433:{port}/"],
)
def test_this_machine_is_not_fetched(server: Server, url: str) -> None:
    with pytest.raises(ImportRefused, match="not a public address"):
        fetch_feed(url.format(port=server.port))
    assert server.requests == []


def test_the_address_that_was_checked_is_the_one_connected_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == "127.0.0.1":  # the checked address itself, on its way to the socket
            return real(host, *args, **kwargs)
        resolved.append(host)
        return real("127.0.0.1" if len(resolved) == 1 else "192.0.2.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    server.answers["/feed"] = (200, {}, RSS)
    assert fetch(f"http://feed.example:{server.port}/feed").content == RSS
    assert resolved == ["feed.example"]
    assert server.requests[0][1]["host"] == f"feed.example:{server.port}"


def test_one_private_address_among_several_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(ImportRefused, match=r"10\.0\.0\.1"):
        fetch_feed("http://feed.example/")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


PRIVATE = (
    "0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.2.1 192.168.1.1 198.18.0.1 224.0.0.1 239.1.1.1 240.0.0.1"
    " 255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2001:db8::1 fc00::1 fd00::1"
    " fe80::1%eth0 fec0::1 ff02::1 nonsense"
)


@pytest.mark.parametrize("address", PRIVATE.split())
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://a.com/x", "not 'ftp'"),
        ("file:///etc/passwd", "not 'file'"),
        ("a.com/feed", "without a scheme"),
        ("", "without a scheme"),
        ("https://user:secret@a.com/", "user name or password"),
        ("https:///feed", "no host"),
        ("https://a.com:99999/", "no web address"),
        ("http://a\x00b.com/", "cannot be fetched"),
    ],
)
def test_addresses_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(ImportRefused, match=words) as caught:
        fetch_feed(url)
    assert "secret" not in str(caught.value)


def test_server_errors_are_tried_three_times(server: Server, waits: list[float]) -> None:
    server.answers["/feed"] = lambda _, count: (200, {}, RSS) if count == 3 else (503, {}, b"")
    assert fetch(f"{server.url}/feed", waits).content == RSS
    assert waits == [0.5, 1.0]
    server.answers["/down"] = (500, {}, b"")
    with pytest.raises(ImportRefused, match="answered 500 Internal Server Error"):
        fetch(f"{server.url}/down?token=hidden")
    assert len([path for path, _ in server.requests if path.startswith("/down")]) == 3


def test_retry_after_is_honoured_up_to_thirty_seconds(server: Server, waits: list[float]) -> None:
    def busy(wait: str) -> Callable[[str, int], Reply]:
        return lambda _, count: (200, {}, RSS) if count == 2 else (429, {"retry-after": wait}, b"")

    server.answers["/seconds"] = busy("7")
    server.answers["/date"] = busy("Fri, 31 Dec 1999 23:59:59 GMT")  # before the answer's own Date: at once
    server.answers["/long"] = busy("3600")
    fetch(f"{server.url}/seconds", waits)
    fetch(f"{server.url}/date", waits)
    assert waits == [7.0, 0.0]
    with pytest.raises(ImportRefused, match="asks to wait 3,600 s"):
        fetch(f"{server.url}/long", waits)


def test_other_failures_are_not_tried_again(server: Server, waits: list[float]) -> None:
    with pytest.raises(ImportRefused, match="answered 404 Not Found") as caught:
        fetch(f"{server.url}/none?token=hidden", waits)
    assert "hidden" not in str(caught.value)
    assert waits == []


def test_nobody_listening_is_tried_again_and_told(waits: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ImportRefused, match="cannot be reached"):
        fetch(f"http://127.0.0.1:{port}/feed", waits)
    assert waits == [0.5, 1.0]


def test_proxies_of_the_environment_are_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://192.0.2.1:9")
    server.answers["/feed"] = (200, {}, RSS)
    assert fetch(f"{server.url}/feed", timeout_s=5).content == RSS


# --- the CoinDesk Data API ----------------------------------------------------------------------------------------------------

LIST = "/news/v1/article/list"


def item(number: int, published: int) -> dict[str, Any]:
    return {
        "ID": number,
        "PUBLISHED_ON": published,
        "TITLE": f"Title {number}",
        "BODY": "Body.",
        "URL": f"https://www.coindesk.com/{number}",
        "SOURCE_DATA": {"NAME": "CoinDesk"},
        "STATUS": "ACTIVE",
    }


def archive(items: list[dict[str, Any]]) -> Callable[[str, int], Reply]:
    """An API over ``items``: the newest up to and including to_ts."""

    def answer(path: str, _: int) -> Reply:
        query = parse_qs(urlsplit(path).query)
        until, limit = int(query["to_ts"][0]), int(query["limit"][0])
        page = [i for i in sorted(items, key=lambda i: -i["PUBLISHED_ON"]) if i["PUBLISHED_ON"] <= until][:limit]
        return 200, {"content-type": "application/json"}, json.dumps({"Data": page, "Err": {}}).encode()

    return answer


def coindesk(server: Server, hours: float = 24, key: str | None = KEY, waits: list[float] | None = None) -> list[ParsedArticle]:
    pages = fetch_coindesk(key, hours, now=NOW, base_url=server.url, sleep=(waits if waits is not None else []).append)
    found = [row for page in pages for row in read_articles("CoinDesk", page, now=NOW)]
    assert all(isinstance(row, ParsedArticle) for row in found)
    return found  # type: ignore[return-value]


def test_pages_go_back_until_the_hours_are_covered(server: Server) -> None:
    now = int(NOW.timestamp())
    # One article every ten minutes, and 30 of one second across the first page's end.
    items = [item(n, now - 600 * n) for n in range(250)] + [item(1000 + n, now - 600 * 90) for n in range(30)]
    server.answers[LIST] = archive(items)
    found = coindesk(server, hours=24)
    expected = {f"coindesk:{i['ID']}" for i in items if i["PUBLISHED_ON"] >= now - 24 * 3600}
    assert len(found) == len(expected)
    assert {a.external_id for a in found} == expected
    for path, headers in server.requests:
        assert KEY not in path
        assert headers["x-api-key"] == KEY
        assert parse_qs(urlsplit(path).query)["categories"] == ["BTC"]


@pytest.mark.parametrize("count", [0, 5, 100, 205])
def test_an_archive_that_ends_ends_the_paging(server: Server, count: int) -> None:
    now = int(NOW.timestamp())
    server.answers[LIST] = archive([item(n, now - n) for n in range(count)])
    assert len(coindesk(server, hours=1000)) == count
    assert len(server.requests) <= 5


def test_a_server_that_repeats_its_page_is_left(server: Server) -> None:
    now = int(NOW.timestamp())
    page = json.dumps({"Data": [item(n, now - n) for n in range(100)]}).encode()
    server.answers[LIST] = (200, {}, page)
    assert len(coindesk(server)) == 100
    assert len(server.requests) <= 4


@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_api_errors_are_told_in_its_words_and_without_the_key(server: Server, status: int) -> None:
    body = {"Data": {}, "Err": {"type": 1, "message": f"API key {KEY} is not valid"}}
    server.answers[LIST] = (status, {}, json.dumps(body).encode())
    with pytest.raises(ImportRefused, match=r"API key \*\*\* is not valid") as caught:
        coindesk(server)
    assert ("Check COINDESK_API_KEY" in str(caught.value)) == (status in (401, 403))
    assert len(server.requests) == 1


def test_a_rate_limit_is_waited_for_and_then_told(server: Server, waits: list[float]) -> None:
    body = json.dumps({"Data": {}, "Err": {"message": "You are over your rate limit"}}).encode()
    server.answers[LIST] = (429, {"retry-after": "2"}, body)
    with pytest.raises(ImportRefused, match="429 Too Many Requests: You are over your rate limit"):
        coindesk(server, waits=waits)
    assert waits == [2.0, 2.0]


@pytest.mark.parametrize("reply", [(200, {}, b"<html>"), (200, {}, b"[]"), (200, {}, b'{"Data": {}}'), (302, {"location": "/x"}, b"")])
def test_answers_that_are_no_list_are_refused(server: Server, reply: Reply) -> None:
    server.answers[LIST] = reply
    with pytest.raises(ImportRefused, match="without a list of articles"):
        coindesk(server)
    assert len(server.requests) == 1  # a redirect is not followed: the key stays here


def test_without_a_key_none_is_sent_and_a_broken_one_is_not_shown(server: Server) -> None:
    server.answers[LIST] = archive([])
    assert coindesk(server, key=None) == []
    assert "x-api-key" not in server.requests[0][1]
    with pytest.raises(ImportRefused, match="COINDESK_API_KEY") as caught:
        coindesk(server, key="bad\nkey")
    assert "bad" not in str(caught.value)
