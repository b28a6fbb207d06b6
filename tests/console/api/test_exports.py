"""The files of signals over HTTP: the same bytes as the console exports, streamed, and let go when the client goes away."""

import threading
import time
from collections.abc import Generator
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import text
from starlette.types import Message

from console.api import make_api
from console.api import streams as api_streams
from console.api.streams import Streams
from core import exports
from core.access import local
from core.clock import utc_now
from core.configuration import Desk
from core.exports import Export, Format
from core.models import Decision
from core.reviews import decide
from core.signal_filter import Reviewed, SignalFilter
from tests.console.api.conftest import served
from tests.core.answered import a_signal, keep, validated

AWKWARD = '=A "quoted", comma\r\nand a second line\tünïcode 比特币 \u2028 </script>'


@pytest.fixture
def signals(desk: Desk, articles: Any) -> list[int]:
    """Signals of several articles, one decided on, some with a hidden verdict."""
    found = [id_ for article in articles(12) for id_ in keep(desk, article, a_signal(description=AWKWARD), a_signal(confidence=0.9))]
    for signal_id in found:
        validated(desk, signal_id)
    desk.transaction(lambda session: decide(session, found[0], Decision.ACCEPTED, by=local("ida"), note="-lead"))
    return found


@pytest.mark.parametrize(
    ("params", "narrowed"),
    [
        ({}, {}),
        ({"reviewed": "accepted"}, {"reviewed": Reviewed.ACCEPTED}),
        ({"minimum_confidence": 0.8, "order": "newest"}, {"minimum_confidence": 0.8, "order": "newest"}),
        ({"verdict": "VALIDATED"}, {"verdicts": ("VALIDATED",)}),
        ({"q": "nothing has this word"}, {"text": "nothing has this word"}),
    ],
)
def test_a_file_is_the_one_that_the_console_exports(
    client: httpx.Client, desk: Desk, signals: list[int], tmp_path: Any, params: dict[str, Any], narrowed: dict[str, Any]
) -> None:
    blind = desk.environment.blind_share
    assert blind > 0
    for kind in (Format.CSV, Format.JSONL):
        chosen = Export(format=kind, signals=SignalFilter(blind_share=blind, **narrowed))
        path = tmp_path / f"screen{kind.suffix}"
        exports.write(desk, chosen, path, by=local("ida"), now=utc_now())
        answer = client.get(f"/api/signals{kind.suffix}", params=params)
        assert answer.status_code == 200
        assert answer.content == path.read_bytes()
        assert answer.headers["content-disposition"].startswith('attachment; filename="signaldesk-signals-')
    assert client.get("/api/signals.csv", params={"bom": True}).content.startswith(b"\xef\xbb\xbfsignal_id,")


def test_a_client_that_goes_away_frees_its_connection(desk: Desk, signals: list[int]) -> None:
    api = make_api(lambda: desk)
    with served(api) as url:
        for _ in range(6):  # more than may be read at once
            with httpx.Client(base_url=url, trust_env=False) as client, client.stream("GET", "/api/signals.jsonl") as stream:
                next(stream.iter_bytes(10))
        deadline = time.monotonic() + 20
        while api.state.serving.streams.under_way or desk.database.engine.pool.checkedout():  # type: ignore[attr-defined]
            assert time.monotonic() < deadline
            time.sleep(0.02)
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    assert desk.transaction(lambda session: session.scalar(text(idle))) == 0


def test_a_client_that_does_not_read_is_given_up_and_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_streams, "SEND_SECONDS", 0.05)
    streams, ended = Streams(), threading.Event()

    def parts() -> Generator[str]:
        try:
            while True:
                yield "x" * 65_536
        finally:
            ended.set()

    async def stuck(message: Message) -> None:
        if message["type"] == "http.response.body":
            await anyio.sleep_forever()  # the buffers on the way to the client are full

    async def silent() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def read() -> None:
        answer = await streams.answer(parts(), media_type="text/csv", name="x.csv")
        assert streams.under_way == 1
        await answer({"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "headers": []}, silent, stuck)

    anyio.run(read)
    assert ended.is_set()
    assert streams.under_way == 0
