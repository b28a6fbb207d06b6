"""The database goes away under the API, and comes back: a 503 in the one form, without a secret, and no more than that."""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.api import probes
from core.articles import counts
from core.configuration import Desk
from core.database import Database, make_engine
from core.embedded_postgres import EmbeddedPostgres
from tests.console.api.conftest import served  # noqa: F401 - as the fixtures do
from tests.console.api.test_events import events

pytestmark = pytest.mark.slow
READS = (
    "/health", "/health/ready", "/admin/status", "/api/stats", "/api/articles", "/api/articles/analysis-ready", "/api/articles/1",
    "/api/publishers", "/api/categories", "/api/batches", "/api/batches/1", "/api/batches/1/events", "/api/batches/1/records", "/api/signals",
    "/api/signals.csv", "/api/signals.jsonl", "/api/signals/1", "/api/costs",
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A Postgres of this test's own, to be stopped at will."""
    with tempfile.TemporaryDirectory(prefix="signaldesk-away-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, the server runs under another user
        running = EmbeddedPostgres(folder / "postgres", shared_dir=folder / "shared")
        yield running
        running.stop()


def test_every_address_says_that_the_database_is_away_and_works_again(server: EmbeddedPostgres, serve: Any, make_settings: Any) -> None:
    url = server.start()
    password = url.split("@")[0].rsplit(":", 1)[1]
    desk = Desk(Database(make_engine(url)), make_settings())
    desk.database.migrate()
    client: httpx.Client = serve(desk)
    assert client.get("/api/articles").status_code == 200

    server.stop()
    for path in READS:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), path
        problem = answer.json()
        assert problem["type"] == "urn:signaldesk:database-unavailable"
        assert "does not answer" in problem["detail"]
        assert answer.headers["retry-after"]
        assert password not in answer.text
    posted = client.post("/api/batches", json={"ids": [1]})
    assert posted.status_code == 503
    scraped = client.get("/metrics")
    assert scraped.status_code == 200
    assert "signaldesk_database_up 0.0" in scraped.text
    assert client.get("/api/docs").status_code == 200

    assert server.start() == url
    for path in READS:
        expected = (404,) if path.endswith(("/1", "/events", "/records")) else (503,) if path == "/health/ready" else (200,)
        assert client.get(path).status_code in expected, path
    missing = client.get("/health/ready").json()
    assert (missing["type"], [fault["location"] for fault in missing["errors"]]) == ("urn:signaldesk:not-ready", ["worker"])
    desk.close()


def test_a_stream_says_that_the_database_is_away_and_goes_on_when_it_is_back(
    server: EmbeddedPostgres, serve: Any, make_settings: Any
) -> None:
    from core.access import local
    from core.importers.import_articles import import_articles
    from tests.conftest import an_article

    url = server.start()
    desk = Desk(Database(make_engine(url)), make_settings())
    desk.database.migrate()
    import_articles(desk, "test", [an_article()], by=local("ada"))
    assert desk.transaction(counts)[0] == 1
    client: httpx.Client = serve(desk)
    batch_id = client.post("/api/batches", json={"filter": {}}).json()["id"]
    with client.stream("GET", f"/api/batches/{batch_id}/events") as stream:
        told = events(stream.iter_lines())
        assert next(told)["event"] == "progress"
        server.stop()
        away = next(told)
        assert away["event"] == "unavailable"
        assert "urn:signaldesk:database-unavailable" in away["data"]
        server.start()
        assert client.post(f"/api/batches/{batch_id}/cancel").status_code == 200
        assert [event["event"] for event in told] == ["progress", "end"]
    desk.close()


def test_a_database_that_says_nothing_at_all_is_away_within_seconds(
    desk: Desk, serve: Any, monkeypatch: pytest.MonkeyPatch, make_settings: Any
) -> None:
    monkeypatch.setattr(probes, "WITHIN_SECONDS", 0.1)
    silent, asked = threading.Event(), []

    class Stuck(Desk):
        def transaction(self, work: Any) -> Any:
            asked.append(1)
            assert silent.wait(60)
            return super().transaction(work)

    client = serve(Stuck(desk.database, make_settings()))
    for path in ("/health", "/health/ready"):
        for _ in range(5):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:signaldesk:database-unavailable")
            assert "has not answered" in answer.json()["detail"]
    assert len(asked) == 2, "one thread a question is held, however often it is asked"
    monkeypatch.setattr(probes, "WITHIN_SECONDS", 60.0)
    silent.set()
    assert client.get("/health").json() == {"status": "ok", "articles": 0}
