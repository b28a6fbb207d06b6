"""What the API answers to reads: the same as core says, page by page."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from core import launching, selection, spending
from core.access import local
from core.article_filter import ArticleFilter
from core.articles import set_active
from core.configuration import Desk
from core.overall import overall
from core.signal_filter import SignalFilter
from core.signals import count_signals, signals_at
from tests.conftest import NOW


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_empty_desk_has_empty_pages(client: httpx.Client) -> None:
    for path in ("/api/articles", "/api/articles/analysis-ready", "/api/signals", "/api/batches", "/api/publishers", "/api/categories"):
        found = ok(client.get(path))
        assert (found["items"], found["next"], found["previous"]) == ([], None, None)
    assert ok(client.get("/health")) == {"status": "ok", "articles": 0}
    assert (client.head("/health").status_code, client.head("/health/ready").status_code) == (200, 503), "no worker runs here"
    assert ok(client.get("/api/stats"))["acceptance_rate"] is None
    assert ok(client.get("/api/costs"))["groups"] == []


def test_ready_articles_come_from_priority_publishers_first_and_page_by_page(client: httpx.Client, desk: Desk, articles: Any) -> None:
    plain, priority, short = articles(7), articles(5, publisher="CoinDesk"), articles(1, body="x" * 1_999)
    archived = articles(1)
    desk.transaction(lambda session: set_active(session, archived, False, by=local("ada")))
    first = ok(client.get("/api/articles/analysis-ready", params={"limit": 4}))
    assert first["total"] == {"value": 12, "exact": True}
    assert {row["publisher"] for row in first["items"]} == {"CoinDesk"}
    found, page = [row["id"] for row in first["items"]], first
    while page["next"]:
        page = ok(client.get("/api/articles/analysis-ready", params={"limit": 4, "cursor": page["next"]}))
        found += [row["id"] for row in page["items"]]
    assert sorted(found) == sorted(plain + priority)
    assert set(found[:5]) == set(priority)
    back = ok(client.get("/api/articles/analysis-ready", params={"limit": 4, "cursor": page["previous"]}))
    assert [row["id"] for row in back["items"]] == found[4:8]
    by_offset = ok(client.get("/api/articles/analysis-ready", params={"limit": 4, "offset": 3}))
    assert [row["id"] for row in by_offset["items"]] == found[3:7]
    assert [row["id"] for row in ok(client.get("/api/articles/analysis-ready", params={"cursor": by_offset["next"]}))["items"]] == found[7:]
    longer = ok(client.get("/api/articles/analysis-ready", params={"min_length": 1_000}))
    assert longer["total"]["value"] == 13
    assert short[0] in [row["id"] for row in longer["items"]]


def test_articles_are_narrowed_as_on_the_page(client: httpx.Client, articles: Any) -> None:
    (old,) = articles(1, published_at=NOW - timedelta(days=400), title="The halving is near")
    new = articles(2, publisher="Crypto Potato")
    assert [row["id"] for row in ok(client.get("/api/articles", params={"q": "halv"}))["items"]] == [old]
    since = (NOW - timedelta(days=100)).date().isoformat()
    assert {row["id"] for row in ok(client.get("/api/articles", params={"since": since}))["items"]} == set(new)
    named = ok(client.get("/api/articles", params={"publisher": ["cryptopotato", "Hashyard"], "order": "oldest", "priority_first": False}))
    assert named["items"][0]["id"] == old
    assert ok(client.get("/api/articles", params={"until": since}))["total"] == {"value": 1, "exact": True}
    assert ok(client.get("/api/articles", params={"archived": True}))["items"] == []


def test_an_article_is_whole_and_has_an_etag(client: httpx.Client, articles: Any, desk: Desk) -> None:
    (article,) = articles(1, categories=("BTC", "MINING"))
    answer = client.get(f"/api/articles/{article}")
    found = ok(answer)
    assert found["published_at"].endswith("Z")
    assert datetime.fromisoformat(found["published_at"]).tzinfo == UTC
    assert len(found["body"]) >= 2_000
    assert (found["categories"], found["signals"], found["analyses"]) == (["BTC", "MINING"], [], [])
    again = client.get(f"/api/articles/{article}", headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    desk.transaction(lambda session: set_active(session, [article], False, by=local("ada")))
    assert client.get(f"/api/articles/{article}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 200


def test_publishers_and_categories_page_by_name(client: httpx.Client, articles: Any) -> None:
    for name in ("beta", "Alpha", "gamma", "CoinDesk"):
        articles(2, publisher=name, categories=("BTC", name.upper()))
    found, cursor = [], None
    while True:
        page = ok(client.get("/api/publishers", params={"limit": 2} | ({"cursor": cursor} if cursor else {})))
        found += [(row["name"], row["articles"]) for row in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert found == [("CoinDesk", 2), ("Alpha", 2), ("beta", 2), ("gamma", 2)]
    before = ok(client.get("/api/publishers", params={"limit": 2, "cursor": page["previous"]}))
    assert [row["name"] for row in before["items"]] == ["CoinDesk", "Alpha"]
    categories = ok(client.get("/api/categories"))
    assert [(row["name"], row["count"]["value"]) for row in categories["items"]] == [
        ("ALPHA", 2), ("BETA", 2), ("BTC", 8), ("COINDESK", 2), ("GAMMA", 2)
    ]  # fmt: skip
    assert [row["name"] for row in ok(client.get("/api/categories", params={"q": "coin"}))["items"]] == ["COINDESK"]


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("/api/articles", {"limit": 0}, "query.limit"),
        ("/api/articles", {"limit": -1}, "query.limit"),
        ("/api/articles", {"limit": 10**9}, "query.limit"),
        ("/api/articles", {"limit": 10**30}, "query.limit"),
        ("/api/articles", {"limit": "9" * 5_000}, "query.limit"),
        ("/api/articles", {"offset": 10**9}, "query.offset"),
        ("/api/articles", {"q": "a\x00b"}, "NUL"),
        ("/api/articles", {"q": "x" * 201}, "query.q"),
        ("/api/articles", {"since": "2026-13-01"}, "query.since"),
        ("/api/articles", {"since": "99999-01-01"}, "query.since"),
        ("/api/articles", {"since": "2026-11-02", "until": "2026-11-01"}, "is after until"),
        ("/api/articles", {"since": "2026-11-02T12:00:00Z", "until": "2026-11-01"}, "is after until"),
        ("/api/articles", {"since": "2026-11-02T12:00:00"}, "needs its zone"),
        ("/api/articles", {"since": "2026-11-02T12:00:00 02:00"}, "query.since"),
        ("/api/articles", {"since": "0001-01-01T00:00:00+14:00"}, "no moment that there is"),
        ("/api/articles", {"since": "1762041600"}, "a day such as"),
        ("/api/articles/1.0", {}, "a whole number"),
        ("/api/articles/1_0", {}, "a whole number"),
        ("/api/articles", {"publisher": "Nobody"}, "no publisher called Nobody"),
        ("/api/articles", {"cursor": "nonsense"}, "query.cursor: is not a cursor of this list"),
        ("/api/articles", {"cursor": "é\x00"}, "cursor"),
        ("/api/articles", {"min_lenght": 5}, "query.min_lenght"),
        ("/api/articles/analysis-ready", {"min_length": 0}, "query.min_length"),
        ("/api/signals", {"minimum_confidence": "nan"}, "query.minimum_confidence"),
        ("/api/signals", {"batch_id": 2**63}, "query.batch_id"),
        ("/api/costs", {"since": "2026-11-02", "until": "2026-11-01"}, "is after until"),
        ("/api/batches", {"status": "DONE"}, "query.status"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(client: httpx.Client, path: str, params: dict[str, Any], words: str) -> None:
    answer = client.get(path, params=params)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("urn:signaldesk:invalid", 422)
    assert words in answer.text


def test_a_cursor_of_another_list_or_filter_is_refused(client: httpx.Client, articles: Any) -> None:
    articles(3)
    cursor = ok(client.get("/api/articles", params={"limit": 1}))["next"]
    for path, params in (("/api/articles", {"q": "miner"}), ("/api/signals", {}), ("/api/articles/analysis-ready", {})):
        assert client.get(path, params=params | {"cursor": cursor}).status_code == 422
    assert client.get("/api/articles", params={"cursor": cursor, "offset": 1}).status_code == 422
    assert client.get("/api/articles", params={"cursor": cursor, "limit": 2}).status_code == 200


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2026-11-02", ["noon", "morning"]),
        ("2026-11-02T12:00:00Z", ["noon"]),
        ("2026-11-02T13:30:00+02:00", ["noon"]),
        ("2026-11-02T12:00:00.000001Z", []),
        ("2026-11-02T00:00:00-05:00", ["noon", "morning"]),
        ("2026-11-02T00:00:00+14:00", ["noon", "morning", "evening"]),
    ],
)
def test_since_is_a_day_or_a_moment_of_any_zone(client: httpx.Client, articles: Any, since: str, found: list[str]) -> None:
    for title, hour in (("evening", "2026-11-01T20:00:00"), ("morning", "2026-11-02T08:00:00"), ("noon", "2026-11-02T12:00:00")):
        articles(1, title=title, published_at=datetime.fromisoformat(f"{hour}+00:00"))
    for path in ("/api/articles", "/api/articles/analysis-ready"):
        page = ok(client.get(path, params={"since": since}))
        assert ([row["title"] for row in page["items"]], page["total"]["value"]) == (found, len(found))
    launch = client.post("/api/estimates", json={"filter": {"since": since}})
    assert launch.json().get("articles", 0) == len(found), launch.text


def test_every_page_leads_back_to_the_first(client: httpx.Client, articles: Any) -> None:
    ids = articles(5)
    for one in ids:
        assert client.post("/api/batches", json={"ids": [one]}).status_code == 201
    for path in ("/api/articles", "/api/batches", "/api/categories", "/api/batches/1/records"):
        first = ok(client.get(path, params={"limit": 2}))
        pages, at = [first], first
        while at["next"]:
            pages.append(at := ok(client.get(path, params={"limit": 2, "cursor": at["next"]})))
        for earlier in reversed(pages[:-1]):
            at = ok(client.get(path, params={"limit": 2, "cursor": at["previous"]}))
            assert [row["id"] for row in at["items"]] == [row["id"] for row in earlier["items"]], path
        assert at["previous"] is None, path


def test_what_takes_get_takes_head(client: httpx.Client, articles: Any) -> None:
    articles(2)
    batch_id = client.post("/api/batches", json={"ids": articles(1)}).json()["id"]
    for path in (
        "/health",
        "/metrics",
        "/api/articles",
        "/api/articles/1",
        f"/api/batches/{batch_id}/events",
        "/api/signals.csv",
        "/api/docs",
    ):
        with client.stream("GET", path) as stream:
            got = stream.status_code, stream.headers["content-type"], stream.headers.get("etag")
        head = client.head(path)
        assert (head.status_code, head.headers["content-type"], head.headers.get("etag"), head.content) == (*got, b""), path
    assert client.head("/api/articles/99").status_code == 404
    assert client.head(f"/api/batches/{batch_id}/pause").status_code == 405
    tag = client.head("/api/articles/1").headers["etag"]
    assert client.head("/api/articles/1", headers=[("If-None-Match", '"other"'), ("If-None-Match", tag)]).status_code == 304
    counted = client.get("/metrics").text
    assert 'signaldesk_http_requests_total{method="HEAD",route="/api/articles/{article_id}",status="200"} 2.0' in counted


def test_every_error_has_the_one_form(client: httpx.Client) -> None:
    for method, path, status in (
        ("GET", "/api/nothing", 404),
        ("GET", "/api/articles/7", 404),
        ("GET", "/api/batches/7", 404),
        ("GET", "/api/signals/7", 404),
        ("DELETE", "/api/articles", 405),
        ("GET", "/api/articles/0", 422),
        ("GET", f"/api/articles/{2**63}", 422),
        ("GET", "/api/articles/%00", 422),
    ):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        problem = answer.json()
        assert problem["status"] == status
        assert problem["detail"]
    assert client.delete("/api/articles").headers["allow"] == "GET, HEAD"


def test_the_figures_are_those_of_core(client: httpx.Client, desk: Desk, articles: Any) -> None:
    articles(3, publisher="CoinDesk")
    articles(2, body="x" * 500)
    now = datetime.now(UTC)
    found = desk.transaction(lambda session: overall(session, desk.environment, now))
    status = ok(client.get("/admin/status"))
    assert status["articles"]["total"] == found.today.articles == 5
    assert status["articles"]["analysis_ready"] == {"value": 3, "exact": True}
    assert [(row["name"], row["articles"]) for row in status["articles"]["by_publisher"]] == [("CoinDesk", 3), ("Hashyard", 2)]
    assert status["migration"] == found.revision
    assert status["migration_is_current"]
    assert (status["executor"], status["broker"], status["missing"]) == ("pool", None, [])
    assert status["budgets"][0]["limit_usd"] == "5.00000000"
    assert Decimal(status["budgets"][0]["room_usd"]) == found.budgets[0].room
    ready = launching.readiness(desk.environment)
    listed = desk.transaction(lambda session: selection.count(session, ArticleFilter(), ready))
    assert ok(client.get("/api/articles/analysis-ready"))["total"]["value"] == listed.value
    signals = desk.transaction(
        lambda session: (signals_at(session, SignalFilter(), place=selection.FIRST, size=9).rows, count_signals(session, SignalFilter()))
    )
    assert ok(client.get("/api/signals"))["total"]["value"] == signals[1].value == len(signals[0])
    usage = desk.transaction(lambda session: spending.usage(session, since=now.date()))
    assert Decimal(ok(client.get("/api/costs"))["total"]["usd"]) == usage.usd


def test_metrics_are_those_figures_and_the_requests(client: httpx.Client, articles: Any) -> None:
    articles(3)
    client.get("/api/articles/99")
    client.get("/api/nowhere/at/all")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    for line in (
        "signaldesk_articles 3.0",
        "signaldesk_articles_ready 3.0",
        'signaldesk_batches{status="PROCESSING"} 0.0',
        'signaldesk_queue{state="waiting"} 0.0',
        "signaldesk_workers 0.0",
        'signaldesk_budget_spent_usd{scope="day"} 0.0',
        "signaldesk_database_up 1.0",
        'signaldesk_http_requests_total{method="GET",route="/api/articles/{article_id}",status="404"} 1.0',
        'signaldesk_http_requests_total{method="GET",route="unknown",status="404"} 1.0',
    ):
        assert line in lines, line
