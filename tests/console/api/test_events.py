"""A batch's events over a real server: at once, at every change, until the end; and a client that goes away."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import func, update

from console.api import events as api_events
from console.api import make_api
from core import batch_actions
from core.access import Permission, local
from core.configuration import Desk
from core.models import ApiToken
from core.orchestrator import Orchestrator
from tests.console.api.conftest import served
from tests.console.api.test_launching import launched
from tests.console.api.test_reading import ok
from tests.console.api.test_tokens import token

Event = dict[str, str]


def events(lines: Iterator[str]) -> Iterator[Event]:
    """The events of a stream; comments are heartbeats."""
    event: Event = {}
    for line in lines:
        if not line and event:
            yield event
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


@pytest.fixture
def running(desk: Desk, serve: Callable[..., httpx.Client]) -> Iterator[httpx.Client]:
    orchestrator = Orchestrator(desk)
    orchestrator.start()
    yield serve(desk, wake=orchestrator.wake)
    orchestrator.stop()


def test_a_run_is_told_from_its_first_state_to_its_end(running: httpx.Client, articles: Any) -> None:
    batch_id = launched(running, articles(30), concurrency=2).json()["id"]
    with running.stream("GET", f"/api/batches/{batch_id}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = list(events(stream.iter_lines()))
    assert told[0]["event"] == "progress"
    assert told[-1]["event"] == "end"
    states = [json.loads(event["data"]) for event in told]
    processed = [state["progress"]["processed"] for state in states]
    assert processed == sorted(processed)
    assert (states[-1]["status"], processed[-1]) == ("COMPLETED", 30)
    assert len({event["id"] for event in told[:-1]}) == len(told) - 1, "each state once"
    assert {**states[-1], "timing": 0} == {**ok(running.get(f"/api/batches/{batch_id}")), "timing": 0}

    last = told[-1]["id"]
    assert running.get(f"/api/batches/{batch_id}/events", headers={"Last-Event-ID": last}).status_code == 204
    with running.stream("GET", f"/api/batches/{batch_id}/events", headers={"Last-Event-ID": "older"}) as stream:
        assert [event["event"] for event in events(stream.iter_lines())] == ["progress", "end"]


def test_a_state_that_the_client_has_is_passed_over(client: httpx.Client, desk: Desk, articles: Any) -> None:
    batch_id = launched(client, articles(2)).json()["id"]
    with client.stream("GET", f"/api/batches/{batch_id}/events") as stream:
        first = next(events(stream.iter_lines()))
    with client.stream("GET", f"/api/batches/{batch_id}/events", headers={"Last-Event-ID": first["id"]}) as stream:
        desk.transaction(lambda session: batch_actions.pause(session, batch_id, "Lunch.", by=local("ada")))
        told = json.loads(next(events(stream.iter_lines()))["data"])
    assert (told["status"], told["pause_reason"]) == ("PAUSED", "Lunch.")


def test_who_goes_away_is_watched_for_no_longer_and_many_may_watch(desk: Desk, articles: Any) -> None:
    api = make_api(lambda: desk)
    watches = api.state.serving.watches
    with served(api) as url, httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        batch_id = launched(client, articles(2)).json()["id"]
        streams = [client.stream("GET", f"/api/batches/{batch_id}/events") for _ in range(5)]
        told = [events(stream.__enter__().iter_lines()) for stream in streams]
        assert [next(one)["event"] for one in told] == ["progress"] * 5
        assert watches.watchers == 5
        for stream in streams:
            stream.__exit__(None, None, None)
        deadline = time.monotonic() + 20
        while watches.watchers:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert ok(client.get("/health"))["status"] == "ok"


@pytest.mark.parametrize("how", [{"revoked_at": func.now()}, {"expires_at": func.now()}])
def test_a_token_that_lets_nobody_in_any_more_ends_its_streams_and_no_others(
    desk: Desk, serve: Any, articles: Any, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    monkeypatch.setattr(api_events, "TOKEN_SECONDS", 0.0)
    client = serve(desk, needs_token=True)
    runner, other = token(desk, Permission.RUN, Permission.READ), token(desk, Permission.READ, name="other")
    batch_id = client.post("/api/batches", json={"ids": articles(2)}, headers=runner).json()["id"]
    path = f"/api/batches/{batch_id}/events"
    with client.stream("GET", path, headers=runner) as stream, client.stream("GET", path, headers=other) as beside:
        told, told_beside = events(stream.iter_lines()), events(beside.iter_lines())
        assert (next(told)["event"], next(told_beside)["event"]) == ("progress", "progress")
        desk.transaction(lambda session: session.execute(update(ApiToken).where(ApiToken.name == "robot").values(**how)))
        (last,) = told
        assert last["event"] == "unauthorized"
        assert json.loads(last["data"])["type"] == "urn:signaldesk:unauthorized"
        desk.transaction(lambda session: batch_actions.pause(session, batch_id, None, by=local("ada")))
        assert json.loads(next(told_beside)["data"])["status"] == "PAUSED"
    assert client.get(path, headers=runner).status_code == 401


def test_a_server_that_stops_ends_the_streams(desk: Desk, articles: Any) -> None:
    api = make_api(lambda: desk)
    block = served(api)
    with httpx.Client(base_url=block.__enter__(), trust_env=False, timeout=30) as client:
        batch_id = launched(client, articles(2)).json()["id"]
        with client.stream("GET", f"/api/batches/{batch_id}/events") as stream:
            told = events(stream.iter_lines())
            next(told)
            began = time.monotonic()
            block.__exit__(None, None, None)
            assert time.monotonic() - began < 10
    assert api.state.serving.watches.watchers == 0


def test_there_is_nothing_to_watch_of_a_batch_that_is_not_there(client: httpx.Client) -> None:
    answer = client.get("/api/batches/99/events")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
