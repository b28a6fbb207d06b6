"""What each failure of a provider is to the desk: its kind, what follows, and whether it may have been billed.

Every row goes through the real clients, over real sockets, through the meter into the ledger, and the ledger is held against
what the loopback provider says that it billed.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import httpx2
import pytest
from pydantic_ai import ModelSettings
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, ModelRateLimitError, UnexpectedModelBehavior, UserError
from sqlalchemy import select

from core import launching, records
from core.access import local
from core.agents.content_analysis import analyse_content
from core.agents.materials import ArticleMaterial
from core.agents.providers import open_model
from core.configuration import Desk
from core.database import Database
from core.failures import Action, Billed, CallFailed, Failure, FailureKind, ResearchRefused, classify
from core.group_commit import GroupCommit
from core.metering import Account, Meter, MeteredModel
from core.models import LedgerEntry, LedgerStatus
from core.pace import Pace
from core.pricing import TokenUsage, model_cost
from core.research import WebSearch, web_results
from core.selection import Selection
from core.settings import DEFAULT_PAID_MODEL, Settings
from tests.conftest import NOW
from tests.loopback import LoopbackProviders
from tests.loopback.searches import invented_articles

K, A, B = FailureKind, Action, Billed
STORY = invented_articles(1, chars=3_000)[0]
ARTICLE = ArticleMaterial(STORY["TITLE"], "Hashyard", NOW, STORY["BODY"])


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackProviders]:
    with LoopbackProviders() as providers:
        yield providers


@pytest.fixture
def providers(server: LoopbackProviders) -> LoopbackProviders:
    server.reset()
    return server


@dataclass
class Line:
    """A claimed record of a launched article, and calls paid for through its meter, each on a loop of its own."""

    desk: Desk
    settings: Settings
    meter: Meter

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Failure | None:
        """None when it went well, else what the failure is to the desk."""

        async def work_and_settle() -> None:
            try:
                await work()
            finally:
                await self.meter.settled()

        try:
            asyncio.run(work_and_settle())
        except Exception as error:
            return classify(error)
        return None

    def analyse(self, model: str = DEFAULT_PAID_MODEL) -> Failure | None:
        async def work() -> None:
            async with open_model(model, self.settings) as wrapped:
                metered = MeteredModel(wrapped, self.meter, agent="content_analysis", name=model)
                await analyse_content(ARTICLE, metered, ModelSettings(max_tokens=8_192))

        return self.run(work)

    def search(self, query: str = "Larkfield Mining closure") -> Failure | None:
        async def work() -> None:
            async with WebSearch(self.settings) as web:
                await web.search(query, self.meter)

        return self.run(work)

    def ledger(self) -> list[LedgerEntry]:
        with self.desk.database.session() as session:
            return list(session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)))


@pytest.fixture
def line(database: Database, articles: Any, make_settings: Any, providers: LoopbackProviders) -> Any:
    """``line(max_attempts=2)``: a record in work, whose calls go to the loopback providers."""

    def claim(**values: Any) -> Line:
        known = {
            "gemini_api_key": providers.env()["GEMINI_API_KEY"],
            "gemini_base_url": providers.url,
            "tavily_api_key": providers.env()["TAVILY_API_KEY"],
            "tavily_base_url": providers.url,
            "max_attempts": 1,
            "call_timeout_seconds": 1.0,
        }
        settings = make_settings(**(known | values))
        desk = Desk(database, settings)
        ids = articles(1)
        with desk.database.session() as session:
            batch_id = launching.launch(session, Selection.of_ids(ids), settings, by=local("ada"), now=NOW)
            (held,) = records.claim(session, batch_id, owner="w1", most=1, now=NOW)
        return Line(desk, settings, Meter(Account(desk, GroupCommit(desk), settings, Pace(8), "w1", batch_id), held.record_id, ids[0]))

    return claim


def billed_usd(providers: LoopbackProviders) -> Decimal:
    """What the provider charges for what it says that it billed."""
    total = Decimal(0)
    for entry in providers.entries():
        if not entry["billed"]:
            continue
        if entry["provider"] == "tavily":
            total += Decimal("0.008") * (entry["credits"] or 0)
        else:
            tokens = TokenUsage(entry["prompt"], entry["cached"], entry["candidates"], entry["thoughts"])
            total += model_cost(DEFAULT_PAID_MODEL, tokens, {})
    return total


GEMINI: list[tuple[str, FailureKind, Action, Billed]] = [
    ("rate_limit", K.RATE_LIMIT, A.RETRY, B.NO),
    ("rate_limit_header", K.RATE_LIMIT, A.RETRY, B.NO),
    ("quota_day", K.QUOTA, A.STOP, B.NO),
    ("server_error", K.OVERLOAD, A.RETRY, B.NO),
    ("overloaded", K.OVERLOAD, A.RETRY, B.NO),
    ("unavailable", K.OVERLOAD, A.RETRY, B.NO),
    ("outage", K.OVERLOAD, A.RETRY, B.NO),
    ("deadline", K.OVERLOAD, A.RETRY, B.NO),
    ("unauthorized", K.KEY, A.STOP, B.NO),
    ("forbidden", K.KEY, A.STOP, B.NO),
    ("key_invalid", K.KEY, A.STOP, B.NO),
    ("not_found", K.MODEL, A.STOP, B.NO),
    ("bad_request", K.REJECTED, A.FAIL, B.NO),
    ("reset", K.CONNECTION, A.RETRY, B.MAYBE),
    ("reset_billed", K.CONNECTION, A.RETRY, B.MAYBE),
    ("bad_json", K.CONNECTION, A.RETRY, B.MAYBE),
    ("html", K.CONNECTION, A.RETRY, B.MAYBE),
    ("hang", K.TIMEOUT, A.RETRY, B.MAYBE),
    ("trickle", K.TIMEOUT, A.RETRY, B.MAYBE),
    ("schema_violation", K.BAD_ANSWER, A.FAIL, B.NO),
    ("empty", K.EMPTY, A.FAIL, B.NO),
    ("malformed_call", K.BAD_ANSWER, A.FAIL, B.NO),
    ("safety", K.BLOCKED, A.FAIL, B.NO),
    ("blocked", K.BLOCKED, A.FAIL, B.NO),
    ("max_tokens", K.CUT_OFF, A.FAIL, B.NO),
]
ANSWERED = {"schema_violation", "empty", "malformed_call", "safety", "blocked", "max_tokens"}
"""The provider answered and counted its tokens: the call is settled, and what its answer was worth is another matter."""


@pytest.mark.parametrize(("fault", "kind", "action", "billed"), GEMINI, ids=[row[0] for row in GEMINI])
def test_what_a_failure_of_the_model_is(
    line: Any, providers: LoopbackProviders, fault: str, kind: FailureKind, action: Action, billed: Billed
) -> None:
    providers.faults({"provider": "gemini", "kind": fault, "retry_delay": 26, "seconds": 5.0 if fault == "trickle" else None})
    job = line()
    failure = job.analyse()
    assert failure is not None
    assert (failure.kind, failure.action, failure.billed) == (kind, action, billed)
    assert failure.retry_after == (26.0 if kind is K.RATE_LIMIT else None)
    assert providers.env()["GEMINI_API_KEY"] not in failure.message
    entries = job.ledger()
    assert len(entries) == len(providers.entries()) > 0
    paid, charged = sum(entry.usd for entry in entries), billed_usd(providers)
    if fault in ANSWERED:
        assert {entry.status for entry in entries} == {LedgerStatus.SETTLED}
        assert paid == charged > 0
    else:
        (entry,) = entries
        assert entry.error_kind == kind.value
        assert entry.status is (LedgerStatus.RELEASED if billed is B.NO else LedgerStatus.UNKNOWN)
        assert paid == (0 if billed is B.NO else entry.reserved_usd)
        assert paid >= charged


TAVILY: list[tuple[str, FailureKind, Action, Billed]] = [
    ("rate_limit", K.RATE_LIMIT, A.RETRY, B.NO),
    ("rate_limit_header", K.RATE_LIMIT, A.RETRY, B.NO),
    ("plan_limit", K.QUOTA, A.STOP, B.NO),
    ("paygo_limit", K.QUOTA, A.STOP, B.NO),
    ("server_error", K.OVERLOAD, A.RETRY, B.NO),
    ("overloaded", K.OVERLOAD, A.RETRY, B.NO),
    ("outage", K.OVERLOAD, A.RETRY, B.NO),
    ("deadline", K.OVERLOAD, A.RETRY, B.NO),
    ("unauthorized", K.KEY, A.STOP, B.NO),
    ("forbidden", K.KEY, A.STOP, B.NO),
    ("key_invalid", K.KEY, A.STOP, B.NO),
    ("not_found", K.REJECTED, A.FAIL, B.NO),
    ("bad_request", K.REJECTED, A.FAIL, B.NO),
    ("reset", K.CONNECTION, A.RETRY, B.MAYBE),
    ("reset_billed", K.CONNECTION, A.RETRY, B.MAYBE),
    ("bad_json", K.CONNECTION, A.RETRY, B.MAYBE),
    ("html", K.CONNECTION, A.RETRY, B.MAYBE),
    ("hang", K.TIMEOUT, A.RETRY, B.MAYBE),
]


@pytest.mark.parametrize(("fault", "kind", "action", "billed"), TAVILY, ids=[row[0] for row in TAVILY])
def test_what_a_failure_of_the_search_is(
    line: Any, providers: LoopbackProviders, fault: str, kind: FailureKind, action: Action, billed: Billed
) -> None:
    providers.faults({"provider": "tavily", "kind": fault, "retry_delay": 26})
    job = line()
    failure = job.search()
    assert failure is not None
    assert (failure.kind, failure.action, failure.billed) == (kind, action, billed)
    assert failure.retry_after == (26.0 if fault == "rate_limit_header" else None)
    assert providers.env()["TAVILY_API_KEY"] not in failure.message
    (entry,) = job.ledger()
    assert (entry.kind.value, entry.error_kind) == ("search", kind.value)
    assert entry.status is (LedgerStatus.RELEASED if billed is B.NO else LedgerStatus.UNKNOWN)
    assert entry.usd == (0 if billed is B.NO else Decimal("0.008"))
    assert entry.usd >= billed_usd(providers)


def test_without_a_fault_the_ledger_says_what_the_providers_say(line: Any, providers: LoopbackProviders) -> None:
    providers.behave(cached_share=0.4)
    job = line()
    assert job.analyse() is None
    assert job.search() is None
    assert {entry.status for entry in job.ledger()} == {LedgerStatus.SETTLED}
    assert sum(entry.usd for entry in job.ledger()) == billed_usd(providers)
    assert all(entry.usd <= entry.reserved_usd for entry in job.ledger())


# What follows


def test_a_call_that_can_be_tried_again_is_and_each_try_is_an_entry(line: Any, providers: LoopbackProviders) -> None:
    providers.faults({"provider": "gemini", "kind": "rate_limit", "retry_delay": 0.05, "count": 2})
    job = line(max_attempts=3)
    assert job.analyse() is None
    assert [(entry.status, entry.attempt) for entry in job.ledger()] == [
        (LedgerStatus.RELEASED, 1),
        (LedgerStatus.RELEASED, 2),
        (LedgerStatus.SETTLED, 3),
    ]


def test_a_call_is_tried_no_more_often_than_the_setting_says(line: Any, providers: LoopbackProviders) -> None:
    providers.faults({"provider": "gemini", "kind": "rate_limit", "retry_delay": 0.05})
    failure = line(max_attempts=2).analyse()
    assert failure is not None
    assert failure.kind is K.RATE_LIMIT
    assert providers.served()["requests"] == 2


@pytest.mark.parametrize("fault", ["quota_day", "key_invalid", "not_found", "bad_request"])
def test_what_cannot_be_helped_by_trying_again_is_not_tried_again(line: Any, providers: LoopbackProviders, fault: str) -> None:
    providers.faults({"provider": "gemini", "kind": fault, "retry_delay": 0.05})
    assert line(max_attempts=5).analyse() is not None
    assert providers.served()["requests"] == 1


def test_a_daily_quota_stops_the_batch_although_the_provider_advises_a_short_wait(line: Any, providers: LoopbackProviders) -> None:
    providers.faults({"provider": "gemini", "kind": "quota_day", "retry_delay": 1})
    failure = line(max_attempts=5).analyse()
    assert failure is not None
    assert (failure.action, failure.retry_after) == (A.STOP, None)
    assert "wait until it renews" in failure.message


def test_a_billed_answer_that_was_lost_is_counted_and_paid_again(line: Any, providers: LoopbackProviders) -> None:
    providers.faults({"provider": "tavily", "kind": "bad_json", "count": 1})
    job = line()
    assert job.search() is not None
    assert job.search() is None
    assert [(entry.status, entry.usd) for entry in job.ledger()] == [
        (LedgerStatus.UNKNOWN, Decimal("0.008")),
        (LedgerStatus.SETTLED, Decimal("0.008")),
    ]
    assert sum(entry.usd for entry in job.ledger()) == billed_usd(providers)


def test_an_article_over_its_ceiling_fails_without_a_call(line: Any, providers: LoopbackProviders) -> None:
    failure = line(cost_ceiling_per_article="0.001").analyse()
    assert failure is not None
    assert (failure.kind, failure.action, failure.billed) == (K.CEILING, A.FAIL, B.NO)
    assert "$0.0010" in failure.message
    assert providers.entries() == []


def test_a_revoked_key_stops_both_clients_with_the_variable_to_check(line: Any, providers: LoopbackProviders) -> None:
    providers.keys(revoke=[providers.env()["GEMINI_API_KEY"], providers.env()["TAVILY_API_KEY"]])
    job = line(max_attempts=3)
    for failure, variable in ((job.analyse(), "GEMINI_API_KEY"), (job.search(), "TAVILY_API_KEY")):
        assert failure is not None
        assert (failure.kind, failure.action) == (K.KEY, A.STOP)
        assert variable in failure.message
    assert providers.served()["requests"] == 2


def test_a_query_over_the_limit_is_shortened_before_it_is_sent(line: Any) -> None:
    assert line().search("Larkfield Mining " * 100) is None


# The table itself

HTTP = ModelHTTPError
PER_DAY = {"error": {"message": "Quota.", "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}]}}
CONSTRUCTED: list[tuple[Exception, FailureKind, Action, Billed]] = [
    (ModelRateLimitError("m", "Slow down.", body=PER_DAY, retry_after=2.0), K.QUOTA, A.STOP, B.NO),
    (ModelRateLimitError("m", "Slow down.", body={"error": {"message": "Limit of 50 requests per day"}}), K.QUOTA, A.STOP, B.NO),
    (ModelRateLimitError("m", "Slow down.", body={"error": {"message": "Limit of 50 per minute"}}), K.RATE_LIMIT, A.RETRY, B.NO),
    (HTTP(400, "m", {"error": {"message": "Bad.", "details": [{"reason": "API_KEY_INVALID"}]}}), K.KEY, A.STOP, B.NO),
    (HTTP(401, "m", None), K.KEY, A.STOP, B.NO),
    (HTTP(502, "m", None), K.OVERLOAD, A.RETRY, B.NO),
    (HTTP(422, "m", None), K.REJECTED, A.FAIL, B.NO),
    (ModelAPIError("m", "Unreadable."), K.CONNECTION, A.RETRY, B.MAYBE),
    (TimeoutError(), K.TIMEOUT, A.RETRY, B.MAYBE),
    (httpx.ReadTimeout("slow"), K.TIMEOUT, A.RETRY, B.MAYBE),
    (httpx2.ReadTimeout("slow"), K.TIMEOUT, A.RETRY, B.MAYBE),
    (httpx.ConnectError("no route"), K.CONNECTION, A.RETRY, B.MAYBE),
    (httpx2.RemoteProtocolError("cut"), K.CONNECTION, A.RETRY, B.MAYBE),
    (UnexpectedModelBehavior("Odd."), K.BAD_ANSWER, A.FAIL, B.NO),
    (UserError("No such provider."), K.MODEL, A.STOP, B.NO),
    (ValueError("Not JSON."), K.CONNECTION, A.RETRY, B.MAYBE),
    (ResearchRefused(432, "Plan."), K.QUOTA, A.STOP, B.NO),
    (ResearchRefused(418, "Teapot."), K.REJECTED, A.FAIL, B.NO),
    (KeyError("a bug of our own"), K.INTERNAL, A.FAIL, B.MAYBE),
]


@pytest.mark.parametrize(
    ("error", "kind", "action", "billed"), CONSTRUCTED, ids=[f"{type(row[0]).__name__}-{row[1]}" for row in CONSTRUCTED]
)
def test_what_an_exception_is(error: Exception, kind: FailureKind, action: Action, billed: Billed) -> None:
    failure = classify(error)
    assert (failure.kind, failure.action, failure.billed) == (kind, action, billed)
    assert failure.message


def test_a_failure_already_known_is_not_judged_again() -> None:
    known = Failure(K.BLOCKED, A.FAIL, B.NO, "The filter.")
    assert classify(CallFailed(known)) is known


def test_a_long_answer_of_a_provider_is_cut_to_a_sentence() -> None:
    failure = classify(HTTP(422, "m", {"error": {"message": "word \n" * 500}}))
    assert len(failure.message) < 400
    assert "\n" not in failure.message


# Results of a hostile or broken web


def test_a_result_whose_address_cannot_be_read_is_left_out_and_the_others_kept() -> None:
    urls = ["http://[broken", "javascript:alert(1)", "", None, "https://", "ftp://a.example/x", "https://www.a.example/1\x00"]
    (kept,) = web_results({"results": [{"url": url, "title": "T", "content": "text"} for url in urls]})
    assert (kept.url, kept.publisher) == ("https://www.a.example/1", "a.example")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("Tue, 24 Nov 2026 12:00:00 GMT", NOW),
        ("2026-11-24T21:00:00+09:00", NOW),
        ("2026-11-24T12:00:00", NOW),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:00:00-12:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_results_date_is_utc_or_unknown(given: Any, read: Any) -> None:
    (result,) = web_results({"results": [{"url": "https://a.example", "title": "T", "content": "x", "published_date": given}]})
    assert result.published_at == read
