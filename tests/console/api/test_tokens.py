"""Who may ask what over HTTP: tokens, their scopes, and how often."""

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from limits.storage import memory
from sqlalchemy import select, update

from core import tokens
from core.access import Permission, local
from core.clock import utc_now
from core.configuration import Desk
from core.models import ApiToken, BatchSession
from tests.console.api.test_reading import ok

ADA = local("ada")
OPEN = ("/health", "/health/ready", "/api/docs", "/api/openapi.json")
GUARDED = (
    "/admin/status", "/metrics", "/api/stats", "/api/articles", "/api/articles/analysis-ready", "/api/articles/1", "/api/publishers",
    "/api/categories", "/api/batches", "/api/batches/1", "/api/batches/1/events", "/api/batches/1/records", "/api/signals", "/api/signals.csv",
    "/api/signals.jsonl", "/api/signals/1", "/api/costs",
)  # fmt: skip
CHANGING = ("/api/batches", "/api/batches/1/pause", "/api/batches/1/resume", "/api/batches/1/cancel", "/api/batches/1/retry-failed", "/api/signals/1/review")  # fmt: skip


def token(desk: Desk, *scopes: Permission, name: str = "robot", **values: Any) -> dict[str, str]:
    secret = desk.transaction(lambda session: tokens.create(session, name, frozenset(scopes), by=ADA, **values))
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def guarded(desk: Desk, serve: Any) -> httpx.Client:
    """A client of a desk that asks for tokens."""
    client: httpx.Client = serve(desk, needs_token=True)
    return client


@pytest.fixture
def within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what counts requests the test takes no time, so that a slow machine does not carry it into the next minute."""
    now = time.time() // 60 * 60 + 5
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: now))


def test_without_a_token_nothing_is_told_but_health(guarded: httpx.Client) -> None:
    for path in GUARDED:
        answer = guarded.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), path
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in CHANGING:
        assert guarded.post(path).status_code == 401
    assert {path: guarded.get(path).status_code for path in OPEN if path != "/health/ready"} == {
        path: 200 for path in OPEN if path != "/health/ready"
    }


@pytest.mark.usefixtures("within_a_minute")
def test_what_a_stranger_sends_is_not_even_parsed(database: Any, make_settings: Any, serve: Any) -> None:
    client = serve(Desk(database, make_settings(api_requests_per_minute=5)), needs_token=True)
    answers = [client.post("/api/batches", content=b"{not json", headers={"Content-Type": "application/json"}) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert client.get("/api/articles?limit=nonsense").status_code == 429


@pytest.mark.parametrize(
    "header", ["Bearer", "Basic c2Q6c2Q=", "Bearer sd_wrong", "sd_wrong", "Bearer sd_é", "Bearer a b c", "Bearer " + "x" * 5_000]
)
@pytest.mark.parametrize("needs_token", [True, False])
def test_a_wrong_token_is_refused_also_where_none_is_needed(desk: Desk, serve: Any, header: str, needs_token: bool) -> None:
    client = serve(desk, needs_token=needs_token)
    answer = client.get("/api/articles", headers=[(b"Authorization", header.encode())])
    assert answer.status_code == 401
    assert header.rsplit(maxsplit=1)[-1] not in answer.json()["detail"] or header == "Bearer "[:7].strip()


def test_a_token_reads_and_what_it_may_not_do_is_refused_by_core(guarded: httpx.Client, desk: Desk, articles: Any) -> None:
    ids, reader = articles(2), token(desk, Permission.READ)
    for path in GUARDED:
        assert guarded.get(path, headers=reader).status_code in (200, 404), path
    refused = guarded.post("/api/batches", json={"ids": ids}, headers=reader)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:signaldesk:not-allowed")
    assert "run" in refused.json()["detail"]
    assert guarded.post("/api/signals/1/review", json={"decision": "accepted"}, headers=reader).status_code == 403
    for action in ("pause", "resume", "cancel", "retry-failed"):
        assert guarded.post(f"/api/batches/1/{action}", headers=reader).status_code == 403


def test_what_a_token_launches_carries_its_name_and_its_use_is_kept(guarded: httpx.Client, desk: Desk, articles: Any) -> None:
    runner = token(desk, Permission.RUN, name="nightly")
    answer = guarded.post("/api/batches", json={"ids": articles(1)}, headers=runner)
    assert answer.status_code == 201, answer.text
    assert answer.json()["launched_by"] == "token nightly"
    assert guarded.get("/api/batches", headers=runner).status_code == 403
    used = desk.transaction(lambda session: session.scalar(select(ApiToken.last_used_at).where(ApiToken.name == "nightly")))
    assert used is not None
    assert utc_now() - used < timedelta(minutes=1)


def test_two_tokens_may_choose_one_key(guarded: httpx.Client, desk: Desk, articles: Any) -> None:
    one, other = (token(desk, Permission.RUN, name=name) for name in ("one", "other"))
    first, second = (
        guarded.post("/api/batches", json={"ids": articles(1)}, headers=who | {"Idempotency-Key": "1"}) for who in (one, other)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    kept = desk.transaction(lambda session: session.scalars(select(BatchSession.idempotency_key)).all())
    assert len(set(kept)) == 2


def test_a_revoked_or_expired_token_lets_nobody_in(guarded: httpx.Client, desk: Desk) -> None:
    revoked, expired = (
        token(desk, Permission.READ, name="a"),
        token(desk, Permission.READ, name="b", expires_at=utc_now() + timedelta(hours=1)),
    )
    assert ok(guarded.get("/api/articles", headers=revoked))["items"] == []
    assert guarded.get("/api/articles", headers=expired).status_code == 200
    desk.transaction(lambda session: tokens.revoke(session, tokens.listed(session)[0].id, by=ADA))
    desk.transaction(lambda session: session.execute(update(ApiToken).where(ApiToken.name == "b").values(expires_at=utc_now())))
    assert guarded.get("/api/articles", headers=revoked).status_code == 401
    assert guarded.get("/api/articles", headers=expired).status_code == 401


def test_the_token_of_the_environment_may_do_everything(database: Any, make_settings: Any, serve: Any, articles: Any) -> None:
    secret = "a-secret-of-the-deployment-0123456789"
    desk = Desk(database, make_settings(api_token=secret))
    client, headers = serve(desk, needs_token=True), {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/articles", headers=headers).status_code == 200
    assert client.post("/api/batches", json={"ids": articles(1)}, headers=headers).status_code == 201
    assert client.get("/api/articles", headers={"Authorization": f"Bearer {secret[:-1]}"}).status_code == 401


@pytest.mark.usefixtures("within_a_minute")
def test_each_token_and_each_address_has_its_own_minute(database: Any, make_settings: Any, serve: Any) -> None:
    desk = Desk(database, make_settings(api_requests_per_minute=5))
    client = serve(desk, needs_token=True)
    one, other = (token(desk, Permission.READ, name=name) for name in ("one", "other"))
    answers = [client.get("/api/articles/7", headers=one) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0", "0"]
    refused = answers[-1]
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-limit"] == "5"
    assert client.get("/api/articles", headers=other).status_code == 200
    guesses = [client.get("/api/articles", headers={"Authorization": f"Bearer sd_{number}"}).status_code for number in range(7)]
    assert guesses == [401] * 5 + [429] * 2
    assert client.get("/api/articles", headers=other).status_code == 200
    assert client.get("/health").status_code == 200
