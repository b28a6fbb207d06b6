"""The API on the console's own port: its documentation in a browser without a network, and a launch that the console runs at once."""

import time
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_documentation_can_be_read_and_tried(start_console: Any, page: Page) -> None:
    console = start_console()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith((console.url, "data:", "blob:")) else None)
    page.goto(f"{console.url}/api/docs")
    expect(page.get_by_role("heading", name="Signal Desk")).to_be_visible()
    for address in ("/api/articles/analysis-ready", "/api/batches/{batch_id}/events", "/api/signals.csv", "/admin/status"):
        expect(page.get_by_text(address, exact=True).first).to_be_visible()
    operation = page.locator("#operations-desk-health_health_get")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table").get_by_text('"status"').first).to_be_visible()
    assert said == []


def test_what_is_launched_over_http_runs_in_the_console_at_once(start_console: Any) -> None:
    console = start_console()
    with httpx.Client(base_url=console.url, trust_env=False, timeout=30) as client:
        assert client.get("/health/ready").json()["status"] == "ready"
        ready = client.get("/api/articles/analysis-ready", params={"limit": 3}).json()["items"]
        made = client.post("/api/batches", json={"articles": [row["id"] for row in ready]})
        assert made.status_code == 201, made.text
        with client.stream("GET", made.headers["location"] + "/events") as stream:
            told = [line for line in stream.iter_lines() if line.startswith("event:")]
        assert told[-1] == "event: end"
        batch = client.get(made.headers["location"]).json()
        assert (batch["status"], batch["records"]["completed"]) == ("COMPLETED", 3)
        assert len(client.get("/api/signals.jsonl", params={"batch_id": batch["id"]}).text.splitlines()) > 0
        metrics = client.get("/metrics").text
        assert "signaldesk_workers 1.0" in metrics
        assert 'route="/api/batches/{batch_id}/events",status="200"' in metrics
        unknown = client.get("/api/nothing")
        assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
        assert client.get("/api").headers["content-type"] == "application/problem+json"
        assert "nosniff" in unknown.headers["x-content-type-options"]
        foreign = client.post(f"{made.headers['location']}/cancel", headers={"Origin": "https://elsewhere.example"})
        assert foreign.status_code == 403


def test_a_stream_does_not_keep_the_console_from_stopping(start_console: Any) -> None:
    console = start_console()
    with httpx.Client(base_url=console.url, trust_env=False, timeout=30) as client:
        made = client.post("/api/batches", json={"filter": {"limit": 1}}).json()
        paused = client.post(f"/api/batches/{made['id']}/pause")
        assert paused.status_code in (200, 409), paused.text
        made = client.post("/api/batches", json={"filter": {}})
        assert made.status_code == 201, made.text
        client.post(f"{made.headers['location']}/pause", json={"at_once": True})
        with client.stream("GET", f"{made.headers['location']}/events") as stream:
            next(stream.iter_lines())
            began = time.monotonic()
            assert console.stop() == 0
            assert time.monotonic() - began < 30
    assert "Traceback" not in "".join(console.log)
