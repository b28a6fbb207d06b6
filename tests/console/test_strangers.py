"""What somebody gets who speaks to the console without a browser and without having signed in: nothing of the desk.

A page lives on a WebSocket; its messages are read here as a page would get them.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value, generate_xsrf_token_string
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from core.configuration import Desk
from core.settings import CHECKOUT
from tests.browser.conftest import Console
from tests.console.test_binding import TOKEN, WHOLE

pytestmark = pytest.mark.slow
COOKIE_SECRET = WHOLE["SIGNALDESK_COOKIE_SECRET"]
TITLE = "Kestrel"  # in the samples' titles


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def console(desk: Desk, database_url: str, tmp_path: Path) -> Iterator[Console]:
    """A desk with sign-in, listening everywhere, with the samples in it."""
    port = free_port()
    own = {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path), "SIGNALDESK_ADMINS": "ada@desk.example"}
    console = Console(
        os.environ | own | WHOLE | TOKEN | {"SIGNALDESK_PUBLIC_URL": f"http://localhost:{port}"}, "--host", "0.0.0.0", "--port", str(port)
    )
    yield console
    console.process.kill()
    console.process.wait(60)
    print("".join(console.log))


def page_as_sent(port: int, page: str, *, cookie: str = "", origin: str | None = None, **headers: str) -> bytes:
    """All that the WebSocket of a page sends until its script has run once."""
    token = generate_xsrf_token_string()
    given = {"Cookie": f"_streamlit_xsrf={token}; {cookie}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    address = f"ws://localhost:{port}/_stcore/stream"
    received = b""
    origin = origin or f"http://localhost:{port}"
    with connect(address, origin=origin, subprotocols=["streamlit", token], additional_headers=given, proxy=None) as socket_:  # type: ignore[list-item, arg-type]
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        asked.rerun_script.page_name = page
        socket_.send(asked.SerializeToString())
        while True:
            data = socket_.recv(timeout=60)
            assert isinstance(data, bytes)
            received += data
            message = ForwardMsg.FromString(data)
            if message.WhichOneof("type") == "script_finished":
                return received


def signed(secret: str, told: str) -> str:
    return f"_streamlit_user={create_signed_value(secret, '_streamlit_user', told).decode()}"


def test_a_pages_websocket_says_nothing_of_the_desk_to_strangers(console: Console) -> None:
    port = int(console.url.rsplit(":", 1)[1])
    ada = json.dumps({"email": "ada@desk.example", "email_verified": True, "is_logged_in": True, "origin": f"http://localhost:{port}"})
    assert TITLE.encode() in page_as_sent(port, "articles", cookie=signed(COOKIE_SECRET, ada))  # so that the rest can fail

    strangers = {
        "nobody": "",
        "a cookie signed with another secret": signed("another-secret-that-is-long-enough", ada),
        "a cookie of another desk": signed(COOKIE_SECRET, ada.replace(f":{port}", ":1")),
        "an address that is not verified": signed(COOKIE_SECRET, ada.replace("true", "false", 1)),
        "somebody without a role": signed(COOKIE_SECRET, ada.replace("ada@", "nora@")),
        "somebody without an address": signed(COOKIE_SECRET, ada.replace('"email":', '"mail":')),
    }
    forwarded = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "ada@desk.example", "X-Forwarded-Email": "ada@desk.example"}
    for who, cookie in strangers.items():
        for page in ("", "articles", "signals", "system"):
            sent = page_as_sent(port, page, cookie=cookie, **forwarded)
            assert TITLE.encode() not in sent, who
            assert b"Signal Desk" in sent, who
            for secret in (*(value for name, value in (WHOLE | TOKEN).items() if name.endswith(("SECRET", "TOKEN"))), "postgresql://"):
                assert secret.encode() not in sent, who


def test_a_page_elsewhere_cannot_speak_to_it_at_all(console: Console) -> None:
    port = int(console.url.rsplit(":", 1)[1])
    with pytest.raises(InvalidStatus, match="403"):
        page_as_sent(port, "articles", origin="http://evil.example")
    rebound = httpx.get(f"http://127.0.0.1:{port}/", headers={"Host": f"evil.example:{port}"}, trust_env=False)
    assert rebound.status_code == 421


def test_what_a_proxy_may_say_counts_for_nothing(console: Console) -> None:
    port = int(console.url.rsplit(":", 1)[1])
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Host"):
        answer = httpx.get(f"http://127.0.0.1:{port}/api/articles", headers={header: "127.0.0.1"}, trust_env=False)
        assert answer.status_code == 401


@pytest.mark.parametrize(("address", "admitted"), [("0.0.0.0", False), ("127.0.0.1", True)])
def test_streamlits_own_command_serves_this_machine_alone(
    desk: Desk, articles: object, database_url: str, tmp_path: Path, address: str, admitted: bool
) -> None:
    articles(1, title="A Kestrel at large")  # type: ignore[operator]
    port = free_port()
    environment = os.environ | {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "streamlit", "run", "console/app.py", f"--server.port={port}", f"--server.address={address}"]
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                httpx.get(f"http://localhost:{port}/_stcore/health", trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        sent = page_as_sent(port, "articles")
        assert (TITLE.encode() in sent) is admitted
        assert (b"signaldesk start" in sent) is not admitted
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
