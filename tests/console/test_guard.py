"""The guard before everything: which requests it passes on, how it refuses the others, and the headers that every answer has."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from console import scripts
from console.guard import Guard, content_security_policy
from core.settings import CHECKOUT, Settings

LOCAL = Settings(_env_file=None, max_body_bytes=1_024)
SIGNED = Settings(
    _env_file=None,
    oidc_client_id="desk",
    oidc_client_secret=SecretStr("s"),
    oidc_metadata_url="https://login.example/.well-known/openid-configuration",
    public_url="https://desk.example",
    cookie_secret=SecretStr("c" * 32),
    allowed_hosts="inner.example",
    max_body_bytes=1_024,
)
UPLOAD = "/_stcore/upload_file/session/file"
UPLOAD_BYTES = 4_096


class Answer:
    """What came back: of a WebSocket 101 if it was passed on, else the code of its end."""

    def __init__(self, messages: list[Message], reached: bool) -> None:
        first = messages[0] if messages else {"type": "", "status": 101}
        self.status = first.get("status") or first.get("code")
        self.headers = Headers(raw=first.get("headers", []))
        self.body = b"".join(message.get("body", b"") for message in messages[1:])
        self.reached = reached


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    scope["state"]["reached"] = True
    if scope["type"] != "http":
        return
    body = await Request(scope, receive).body()
    answer = PlainTextResponse(str(len(body)), headers={"X-Frame-Options": "SAMEORIGIN"})
    answer.set_cookie("kept", "1")
    await answer(scope, receive, send)


def ask(
    settings: Settings = LOCAL,
    path: str = "/",
    *,
    method: str = "GET",
    host: str | None = "localhost:8501",
    here: str = "127.0.0.1",
    kind: str = "http",
    parts: Iterable[bytes] = (b"",),
    signed_in: bool = False,
    **headers: str,
) -> Answer:
    """What the guard answers. ``parts`` are the pieces in which the body comes, ``here`` the address at which it was connected."""
    given = {name.replace("_", "-"): value for name, value in headers.items()} | ({} if host is None else {"host": host})
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "server": (here, 8501),
        "state": {"reached": False},
    }
    pieces = list(parts)
    sent: list[Message] = []

    async def receive() -> Message:
        if kind == "websocket":
            return {"type": "websocket.connect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)} if pieces else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    guard = Guard(application, settings, signed_in=lambda cookies: signed_in and "who" in cookies, upload_bytes=UPLOAD_BYTES)
    asyncio.run(guard(scope, receive, send))
    return Answer(sent, scope["state"]["reached"])


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "localhost.:8501", "127.0.0.1:8501", "[::1]:8501"])
def test_a_desk_without_sign_in_answers_to_loopback_names_at_any_port(host: str) -> None:
    assert ask(host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8501",
        "192.168.1.5:8501",
        "0.0.0.0:8501",
        "evil@localhost",
        "localhost:port",
        "localhost/evil",
        "",
        None,
    ],
)
@pytest.mark.parametrize("path", ["/", "/health", "/api/articles", "/_stcore/stream"])
def test_it_answers_to_no_other_name_so_rebinding_one_is_of_no_use(host: str | None, path: str) -> None:
    answer = ask(host=host, path=path)
    assert (answer.status, answer.reached) == (421, False)
    assert not ask(host=host, path=path, kind="websocket", origin=f"http://{host}").reached


@pytest.mark.parametrize("forwarded", ["x_forwarded_host", "x_forwarded_for", "forwarded", "x_real_ip"])
def test_no_header_talks_it_into_anything(forwarded: str) -> None:
    assert ask(host="evil.example", **{forwarded: "localhost"}).status == 421
    assert ask(here="10.0.0.5", **{forwarded: "127.0.0.1"}).status == 403


@pytest.mark.parametrize(
    ("here", "status"), [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.5", 403), ("fd00::5", 403)]
)
def test_without_sign_in_it_answers_on_loopback_only_however_it_was_started(here: str, status: int) -> None:
    assert ask(here=here).status == status
    assert ask(SIGNED, here=here).status == 200


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("desk.example", "/", 200),
        ("Desk.Example:443", "/", 200),
        ("inner.example:8501", "/api/articles", 200),
        ("localhost:8501", "/", 200),
        ("desk.example:8501", "/", 421),
        ("evil.example", "/", 421),
        ("10.0.0.5:8501", "/health", 200),
        ("10.0.0.5:8501", "/health/ready", 200),
        ("10.0.0.5:8501", "/api/articles", 421),
        ("evil.example", "/health", 421),
    ],
)
def test_with_sign_in_it_answers_to_its_public_name(host: str, path: str, status: int) -> None:
    assert ask(SIGNED, path, host=host, here="10.0.0.5").status == status


ORIGINS = [
    (LOCAL, "localhost:8501", "http://localhost:8501", True),
    (LOCAL, "localhost:8501", "http://localhost:9000", False),
    (LOCAL, "localhost:8501", "http://127.0.0.1:8501", False),
    (LOCAL, "localhost:8501", "http://evil.example", False),
    (LOCAL, "localhost:8501", "null", False),
    (LOCAL, "localhost:8501", "http://localhost:8501.evil.example", False),
    (LOCAL, "localhost:8501", None, True),
    (SIGNED, "desk.example", "https://desk.example", True),
    (SIGNED, "desk.example:443", "https://desk.example", True),
    (SIGNED, "desk.example", "http://desk.example", False),
    (SIGNED, "desk.example", "https://evil.example", False),
    (SIGNED, "desk.example", "https://desk.example.evil.example", False),
]


@pytest.mark.parametrize(("settings", "host", "origin", "passes"), ORIGINS)
def test_what_may_change_something_comes_from_the_desks_own_pages(settings: Settings, host: str, origin: str | None, passes: bool) -> None:
    headers = {} if origin is None else {"origin": origin}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ask(settings, "/api/batches", method=method, host=host, **headers)
        assert (answer.status, answer.reached) == ((200, True) if passes else (403, False))
    assert ask(settings, "/_stcore/stream", kind="websocket", host=host, **headers).reached is passes
    assert ask(settings, "/articles", host=host, **headers).status == 200


def test_a_browser_that_hides_the_origin_is_known_by_its_fetch_metadata() -> None:
    assert ask(method="POST", sec_fetch_site="cross-site").status == 403
    assert ask(method="POST", sec_fetch_site="same-site").status == 403
    assert ask(method="POST", sec_fetch_site="same-origin").status == 200


def test_no_page_elsewhere_signs_anybody_out() -> None:
    assert ask(path="/auth/logout", sec_fetch_site="cross-site").status == 403
    assert ask(path="/auth/logout", sec_fetch_site="same-origin").status == 200
    assert ask(path="/articles", sec_fetch_site="cross-site").status == 200  # a link from elsewhere


@pytest.mark.parametrize(("size", "status"), [(0, 200), (1_024, 200), (1_025, 413), (100_000, 413)])
def test_a_body_has_a_limit_whether_its_length_is_told_or_not(size: int, status: int) -> None:
    told = ask(method="POST", parts=[b"x" * size], content_length=str(size))
    untold = ask(method="POST", parts=[*(b"x" * 100 for _ in range(size // 100)), b"x" * (size % 100)], transfer_encoding="chunked")
    for answer in (told, untold):
        assert (answer.status, answer.reached) == (status, status == 200)
        if status == 200:
            assert answer.body == str(size).encode()


def test_a_length_that_is_none_is_refused() -> None:
    assert ask(method="POST", content_length="1e3").status == 400
    assert ask(method="POST", content_length="-1").status == 400
    twice = ask(method="POST", content_length="5", transfer_encoding="chunked")
    assert (twice.status, twice.reached, twice.headers["connection"]) == (400, False, "close")


def test_files_have_the_limit_of_uploads_and_belong_to_who_is_signed_in() -> None:
    big, too_big = str(UPLOAD_BYTES), str(UPLOAD_BYTES + 100_000)
    assert ask(LOCAL, UPLOAD, method="PUT", content_length=big).status == 200
    assert ask(LOCAL, UPLOAD, method="PUT", content_length=too_big).status == 413
    for path in (UPLOAD, "/media/abc.csv"):
        assert ask(SIGNED, path, method="PUT", signed_in=True).status == 401
        assert ask(SIGNED, path, method="PUT", signed_in=True, cookie="other=1; who=anna").status == 200


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/interact", "/_stcore/agent/openapi.json"])
def test_what_streamlit_serves_beside_its_pages_is_closed(path: str) -> None:
    assert ask(path=path).status == 404


@pytest.mark.parametrize("path", ["/api/articles/\x00", "/api/..", "/api/../secrets.toml", "/media/..\\x", "/api/./articles", "/a\nb"])
def test_an_address_that_may_mean_another_place_leads_nowhere(path: str) -> None:
    answer = ask(path=path)
    assert (answer.status, answer.reached, answer.headers["content-type"]) == (404, False, "application/problem+json")


def test_a_refusal_is_a_problem_as_the_api_has_them_and_carries_the_headers_too() -> None:
    answer = ask(host="evil.example")
    assert answer.headers["content-type"] == "application/problem+json"
    said = json.loads(answer.body)
    assert said.keys() == {"type", "title", "status", "detail"}
    assert (said["type"], said["status"]) == ("urn:signaldesk:misdirected", 421)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert ask(method="HEAD", host="evil.example").body == b""


def test_every_answer_has_the_headers_and_each_once() -> None:
    answer = ask()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers.getlist("x-frame-options") == ["DENY"]
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "strict-transport-security" not in answer.headers
    assert "Secure" not in answer.headers["set-cookie"]


def test_over_https_it_says_so_for_good_and_cookies_stay_there() -> None:
    answer = ask(SIGNED, host="desk.example")
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert answer.headers["set-cookie"].endswith("; Secure")
    over_http = ask(SIGNED.model_copy(update={"public_url": "http://desk.example"}), host="desk.example")
    assert "strict-transport-security" not in over_http.headers
    assert "Secure" not in over_http.headers["set-cookie"]


def test_no_script_runs_but_those_that_are_known() -> None:
    policy = dict(part.split(" ", 1) for part in content_security_policy().split("; "))
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "'unsafe-eval'" not in policy["script-src"]
    assert policy["script-src"].count("'sha256-") >= len(scripts.ALL) + 1
    assert policy["default-src"] == "'self'"


def test_pages_run_scripts_in_that_one_way() -> None:
    here = {
        path.name
        for folder in ("console", "pages")
        for path in (CHECKOUT / folder).glob("*.py")
        if "unsafe_allow_javascript" in path.read_text(encoding="utf-8")
    }
    assert here == {"scripts.py"}


def test_what_is_no_request_is_passed_on() -> None:
    seen: list[Any] = []

    async def inner(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return {}

    asyncio.run(Guard(inner, LOCAL, signed_in=lambda _: False, upload_bytes=1)({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]
