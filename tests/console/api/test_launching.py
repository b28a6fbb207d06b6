"""Launching over HTTP and what can be done with a batch: once a key, at once, and as core says."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from core import batches, records
from core.access import local
from core.articles import set_active
from core.clock import utc_now
from core.configuration import Desk
from core.models import BatchRecord, BatchSession, Decision, RecordStatus
from core.orchestrator import Orchestrator
from core.signals import get_signal
from tests.console.api.test_reading import ok
from tests.core.answered import a_signal, keep, validated

ENDED = ("COMPLETED", "FAILED", "CANCELLED")


@pytest.fixture
def running(desk: Desk, serve: Callable[..., httpx.Client]) -> Iterator[httpx.Client]:
    """A client of a desk that runs its batches."""
    orchestrator = Orchestrator(desk)
    orchestrator.start()
    yield serve(desk, wake=orchestrator.wake)
    orchestrator.stop()


def launched(client: httpx.Client, ids: list[int], key: str | None = None, **options: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/api/batches", json={"ids": ids, "options": options}, headers=headers)


def number_of_batches(desk: Desk) -> int:
    return desk.transaction(lambda session: session.scalar(select(func.count()).select_from(BatchSession)) or 0)


def test_a_batch_begins_at_once_and_its_figures_are_those_of_core(running: httpx.Client, desk: Desk, articles: Any) -> None:
    answer = launched(running, articles(6), concurrency=3, budget_usd="1.50", model="offline")
    assert answer.status_code == 201, answer.text
    batch = answer.json()
    assert answer.headers["location"] == f"/api/batches/{batch['id']}"
    assert batch["progress"] == {"total": 6, "processed": 0, "remaining": 6, "percent": 0.0}
    assert (batch["timing"]["eta_seconds"], batch["costs"]["limit_usd"], batch["costs"]["left_usd"]) == (None, "1.50000000", "1.50000000")
    batch = ended(running, batch["id"])
    assert batch["status"] == "COMPLETED"
    assert batch["records"]["completed"] == 6
    assert batch["progress"] == {"total": 6, "processed": 6, "remaining": 0, "percent": 100.0}
    assert batch["quality"]["success_rate"] == 1.0
    assert batch["quality"]["retry_rate"] == 0.0
    assert 0 <= batch["quality"]["signal_strength"] <= 1
    assert batch["timing"]["eta_seconds"] is None
    assert batch["timing"]["elapsed_seconds"] > 0
    found = desk.transaction(lambda session: batches.progress(session, batch["id"]))
    assert Decimal(batch["costs"]["spent_usd"]) == found.spent_usd
    assert found.launched_by == desk.environment.user
    assert ok(running.get("/api/batches"))["items"][0]["id"] == batch["id"]
    ready = ok(running.get("/api/articles/analysis-ready"))
    assert ready["items"] == []


def ended(client: httpx.Client, batch_id: int) -> Any:
    deadline = time.monotonic() + 60
    while (batch := ok(client.get(f"/api/batches/{batch_id}")))["status"] not in ENDED:
        assert time.monotonic() < deadline, batch
        time.sleep(0.05)
    return batch


def test_a_key_makes_one_batch_however_often_it_is_sent(client: httpx.Client, desk: Desk, articles: Any) -> None:
    ids = articles(3)
    first = launched(client, ids, "monday")
    again = launched(client, ids, "monday")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = launched(client, ids[:1], "monday")
    assert other.status_code == 409
    assert other.json()["type"] == "urn:signaldesk:not-possible"
    assert str(first.json()["id"]) in other.json()["detail"]
    desk.transaction(lambda session: set_active(session, ids, False, by=local("ada")))
    assert launched(client, ids, "monday").json()["id"] == first.json()["id"]
    assert number_of_batches(desk) == 1


def test_two_posts_at_once_with_one_key_make_one_batch(client: httpx.Client, desk: Desk, articles: Any) -> None:
    ids, together = articles(40), threading.Barrier(6)

    def post(_: int) -> httpx.Response:
        together.wait()
        return launched(client, ids, "at once")

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(post, range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert number_of_batches(desk) == 1
    records = desk.transaction(lambda session: session.scalar(select(func.count()).select_from(BatchRecord)))
    assert records == 40


def test_a_filter_launches_all_that_match(client: httpx.Client, articles: Any) -> None:
    articles(4)
    wanted = articles(3, publisher="CoinDesk")
    body = {"filter": {"publisher": ["coindesk"], "limit": 2}, "options": {"one_per_story": True}}
    estimate = ok(client.post("/api/estimates", json=body))
    assert (estimate["articles"], Decimal(estimate["usd"]), estimate["skipped"]) == (2, 0, [])
    answer = client.post("/api/batches", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["progress"]["total"] == 2
    rest = client.post("/api/batches", json={"ids": wanted}).json()
    assert (rest["records"]["pending"], rest["records"]["skipped"]) == (1, 2)
    nothing = client.post("/api/batches", json={"ids": wanted})
    assert nothing.status_code == 422
    assert nothing.json()["detail"] == "Nothing to analyse: 3 in flight in another batch."


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "either ids or a filter"),
        ({"ids": []}, "body.ids"),
        ({"ids": [1], "filter": {}}, "either ids or a filter"),
        ({"ids": [10**6]}, "there is no article 1000000"),
        ({"ids": [2**63]}, "body.ids.0"),
        ({"ids": [True]}, "body.ids.0"),
        ({"ids": ["1"]}, "body.ids.0"),
        ({"ids": [1.5]}, "body.ids.0"),
        ({"ids": [1], "options": {"one_per_story": "yes"}}, "body.options.one_per_story"),
        ({"ids": [1], "options": {"concurrency": "8"}}, "body.options.concurrency"),
        ({"filter": {"since": 1762041600}}, "body.filter.since"),
        ({"filter": {"until": 1762041600}}, "body.filter.until"),
        ({"ids": [1], "options": {"concurrency": 0}}, "body.options.concurrency"),
        ({"ids": [1], "options": {"budget_usd": "NaN"}}, "body.options.budget_usd"),
        ({"ids": [1], "options": {"budget_usd": "1e400"}}, "body.options.budget_usd"),
        ({"ids": [1], "options": {"model": "a\x00b"}}, "NUL"),
        ({"ids": [1], "option": {}}, "body.option"),
        ({"filter": {"since": "2026-11-02", "until": "2026-11-01"}}, "is after until"),
        ({"filter": {"publisher": ["Nobody"]}}, "no publisher called Nobody"),
        ({"filter": {}}, "No article is selected"),
    ],
)
def test_a_launch_that_makes_no_sense_is_refused_and_makes_nothing(
    client: httpx.Client, desk: Desk, body: dict[str, Any], words: str
) -> None:
    answer = client.post("/api/batches", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.text
    assert number_of_batches(desk) == 0


def test_a_model_without_a_key_or_a_price_is_refused(client: httpx.Client, articles: Any) -> None:
    ids = articles(1)
    without_key = launched(client, ids, model="google:gemini-2.5-flash")
    assert without_key.status_code == 422
    assert "needs a key" in without_key.json()["detail"]
    unknown = launched(client, ids, model="nobody:no-such-model")
    assert unknown.status_code == 422
    assert "price" in unknown.json()["detail"]


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff\xfe", b'{"ids": [' + b"9" * 5_000 + b"]}", b"[" * 50_000, b'{"filter": {"q": "\\ud800"}}', b"null", b"7"]
)
def test_a_body_that_cannot_be_read_is_refused(client: httpx.Client, raw: bytes) -> None:
    answer = client.post("/api/batches", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_must_say_that_it_is_json(client: httpx.Client, articles: Any) -> None:
    body = json.dumps({"ids": articles(1)})
    for given in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}):
        answer = client.post("/api/batches", content=body, headers=given)
        assert (answer.status_code, answer.json()["type"]) == (415, "urn:signaldesk:unsupported-media-type")
        assert "Content-Type: application/json" in answer.json()["detail"]
    broken = client.post("/api/batches", content=body[:-1], headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["type"]) == (400, "urn:signaldesk:bad-request")
    assert f"at character {len(body) - 1}" in broken.json()["detail"]
    assert client.post("/api/batches", content=body, headers={"Content-Type": "application/json; charset=utf-8"}).status_code == 201


def test_a_batch_that_was_paused_before_it_began_tells_when_it_did(client: httpx.Client, desk: Desk, articles: Any) -> None:
    batch_id = launched(client, articles(3)).json()["id"]
    for action in ("pause", "resume"):
        assert client.post(f"/api/batches/{batch_id}/{action}").json()["timing"]["started_at"] is None
    began, later = utc_now(), utc_now() + timedelta(minutes=1)
    for now in (began, later):
        desk.transaction(lambda session, now=now: records.claim(session, batch_id, owner="w", most=1, now=now))
    at = datetime.fromisoformat(ok(client.get(f"/api/batches/{batch_id}"))["timing"]["started_at"])
    assert at == began


def test_pause_resume_cancel_and_retry(client: httpx.Client, desk: Desk, articles: Any) -> None:
    batch_id = launched(client, articles(3)).json()["id"]
    at = f"/api/batches/{batch_id}"
    paused = ok(client.post(f"{at}/pause", json={"reason": "Lunch."}))
    assert (paused["status"], paused["pause_reason"]) == ("PAUSED", "Lunch.")
    assert ok(client.post(f"{at}/pause"))["status"] == "PAUSED"
    assert ok(client.post(f"{at}/resume"))["status"] == "PROCESSING"
    nothing = client.post(f"{at}/retry-failed")
    assert (nothing.status_code, nothing.json()["detail"]) == (409, f"No article of batch {batch_id} failed.")
    failed = update(BatchRecord).where(BatchRecord.position < 2).values(status=RecordStatus.FAILED, error_kind="x", error_message="y")
    desk.transaction(lambda session: session.execute(failed))
    listed = ok(client.get(f"{at}/records", params={"limit": 2}))
    assert [(row["status"], row["error_kind"]) for row in listed["items"]] == [("FAILED", "x"), ("FAILED", "x")]
    rest = ok(client.get(f"{at}/records", params={"limit": 2, "cursor": listed["next"]}))
    assert ([row["status"] for row in rest["items"]], rest["next"]) == (["PENDING"], None)
    assert ok(client.get(f"{at}/records", params={"status": "PENDING"}))["items"] == rest["items"]
    assert client.get("/api/batches/99/records").status_code == 404
    assert client.get(f"{at}/records", params={"status": "PENDING", "cursor": listed["next"]}).status_code == 422
    retried = ok(client.post(f"{at}/retry-failed"))
    assert (retried["queued"], retried["batch"]["records"]["pending"]) == (2, 3)
    cancelled = ok(client.post(f"{at}/cancel"))
    assert (cancelled["status"], cancelled["records"]["cancelled"]) == ("CANCELLED", 3)
    assert client.post(f"{at}/resume").status_code == 409
    assert client.post("/api/batches/99/cancel").status_code == 404


def test_a_review_reveals_what_was_hidden_and_counts_as_blind(serve: Any, database: Any, make_settings: Any, articles: Any) -> None:
    desk = Desk(database, make_settings(blind_share=1))
    (signal_id,) = keep(desk, articles(1)[0], a_signal())
    validated(desk, signal_id)
    client = serve(desk)
    before = ok(client.get(f"/api/signals/{signal_id}"))
    assert (before["verdict"], before["is_blind"], before["validation"]) == (None, True, None)
    assert [row["verdict"] for row in ok(client.get("/api/signals"))["items"]] == [None]
    assert "VALIDATED" not in client.get("/api/signals.jsonl").text
    article = ok(client.get(f"/api/articles/{before['article_id']}"))
    assert (article["signals"][0]["verdict"], article["signals"][0]["validation"]) == (None, None)
    reviewed = ok(client.post(f"/api/signals/{signal_id}/review", json={"decision": "accepted", "note": "Plausible."}))
    assert (reviewed["verdict"], reviewed["decision"]) == ("VALIDATED", "accepted")
    assert reviewed["validation"]["sources"][0]["publisher"] == "a.example"
    (act,) = reviewed["reviews"]
    assert (act["note"], act["blind"], act["reviewer"]) == ("Plausible.", True, desk.environment.user)
    assert desk.transaction(lambda session: get_signal(session, signal_id)).decision is Decision.ACCEPTED
    hidden_again = ok(client.post(f"/api/signals/{signal_id}/review", json={"decision": "withdrawn"}))
    assert (hidden_again["verdict"], hidden_again["decision"]) == (None, None)
    assert {one["verdict"] for one in hidden_again["reviews"]} == {None}
    assert client.post("/api/signals/99/review", json={"decision": "accepted"}).status_code == 404
    assert client.post(f"/api/signals/{signal_id}/review", json={"decision": "maybe"}).status_code == 422
    assert client.post(f"/api/signals/{signal_id}/review", json={"decision": "accepted", "note": "\x00"}).status_code == 422


def test_a_review_of_what_somebody_changed_meanwhile_is_refused(client: httpx.Client, desk: Desk, articles: Any) -> None:
    (signal_id,) = keep(desk, articles(1)[0], a_signal())
    at = f"/api/signals/{signal_id}"
    known = client.get(at).headers["etag"]
    for said in ("{}", "W/{}", '"other", {}', "*"):
        made = client.post(f"{at}/review", json={"decision": "accepted"}, headers={"If-Match": said.format(known)})
        assert made.status_code == 200, made.text
        known = client.get(at).headers["etag"]
    assert client.post(f"{at}/review", json={"decision": "unsure"}).status_code == 200
    refused = client.post(f"{at}/review", json={"decision": "rejected"}, headers={"If-Match": known})
    assert (refused.status_code, refused.json()["type"]) == (412, "urn:signaldesk:changed")
    assert ok(client.get(at))["decision"] == "unsure"
    assert client.post("/api/signals/99/review", json={"decision": "rejected"}, headers={"If-Match": known}).status_code == 404
