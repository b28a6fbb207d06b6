"""The loopback provider server: Gemini, Tavily and CoinDesk behind one address, for tests, benchmarks, demos and drills.

The real clients are pointed here by ``GOOGLE_GEMINI_BASE_URL``, ``TAVILY_BASE_URL`` and ``COINDESK_BASE_URL``. What is
answered is decided in ``answers`` and ``searches``, what goes wrong in ``faults``; ``record`` keeps what was served.
Everything here runs on the one event loop of its server. ``/control/...`` steers it (see ``Loopback._steer``).
"""

import asyncio
import json
import re
import socket
import struct
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.loopback import answers, faults, searches
from tests.loopback.record import Record, as_dict
from tests.loopback.writing import Habits

MODEL = re.compile(r"^gemini-\d(\.\d)?-(flash|pro)(-lite)?(-(preview|latest|exp|\d).*)?$")
JSON_TYPE = "application/json; charset=UTF-8"


@dataclass(frozen=True)
class Options:
    """How the server starts. ``latency``: seconds, or a (least, most) pair, for all providers or by name. All of it JSON."""

    habits: Habits = field(default_factory=Habits)
    latency: Any = 0.0
    keys: dict[str, list[str]] = field(
        default_factory=lambda: {"gemini": ["loopback-gemini"], "tavily": ["tvly-loopback"], "coindesk": ["loopback-coindesk"]}
    )
    record: str | None = None
    keep_exchanges: bool = False
    """Whether ``/control/exchanges`` tells, word for word, what was asked and answered."""
    articles: str | None = None
    empty_queries: tuple[str, ...] = ()
    page_texts: tuple[str, ...] = ()
    """What else stands on the pages that a search finds: each result gets one, in its title and its text."""
    faults: tuple[dict[str, Any], ...] = ()

    @classmethod
    def read(cls, values: dict[str, Any]) -> "Options":
        """From JSON; names of ``Habits`` are taken at the top level too. Raises TypeError for an unknown name."""
        return cls().changed(values)

    def changed(self, values: dict[str, Any]) -> "Options":
        own = {name: value for name, value in values.items() if name not in Habits.__dataclass_fields__ and name != "habits"}
        habits = {**values.get("habits", {}), **{name: value for name, value in values.items() if name in Habits.__dataclass_fields__}}
        habits = {name: tuple(value) if isinstance(value, list) else value for name, value in habits.items()}
        return replace(self, habits=replace(self.habits, **habits), **own)

    def seconds(self, provider: str, rng: Random) -> float:
        value = self.latency.get(provider, 0.0) if isinstance(self.latency, dict) else self.latency
        return float(value) if isinstance(value, int | float) else rng.uniform(*value)


@dataclass
class Work:
    """What a provider would send, and what it charges for it."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    billed: bool = False
    fault: str = ""
    meters: dict[str, Any] = field(default_factory=dict)


Worker = Callable[[bytes, str], Work]


class Abort(Response):
    """Close the socket with a reset instead of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope["loopback.transport"]
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await _gone(receive)


class Silence(Response):
    """Never answer; ends when the client hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _gone(receive)


class Trickle(Response):
    """The right answer, in eighteen pieces over ``seconds``."""

    def __init__(self, content: bytes, seconds: float, **arguments: Any) -> None:
        super().__init__(content, **arguments)
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        content = bytes(self.body)
        step = max(1, len(content) // 17)
        pieces = [content[at : at + step] for at in range(0, len(content), step)]
        for piece in pieces:
            await asyncio.sleep(self.seconds / len(pieces))
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Loopback:
    """The server's state, and its handlers."""

    def __init__(self, options: Options | None = None) -> None:
        self.started_with = options or Options()
        self.record = Record(self.started_with.record)
        self.articles = searches.read_articles(self.started_with.articles) if self.started_with.articles else searches.invented_articles()
        self._begin()

    def _begin(self) -> None:
        self.options = self.started_with
        self.keys = {provider: set(keys) for provider, keys in self.options.keys.items()}
        self.faults = faults.Faults(self.options.habits.seed)
        self.faults.add(*self.options.faults)
        self.rng = Random(self.options.habits.seed)
        self.exchanges: list[dict[str, str]] = []

    def app(self) -> ASGIApp:
        routes = [
            Route("/v1beta/models/{name:path}", self.gemini, methods=["GET", "POST"]),
            Route("/search", self.tavily, methods=["POST"]),
            Route("/news/v1/article/list", self.coindesk, methods=["GET"]),
            Route("/control/{what}", self.control, methods=["GET", "POST", "DELETE"]),
        ]
        inner = Starlette(routes=routes)

        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            # uvicorn's ``send`` is a method of the request's cycle, which holds the transport that a reset needs
            scope["loopback.transport"] = getattr(getattr(send, "__self__", None), "transport", None)
            await inner(scope, receive, send)

        return outer

    # Providers

    async def gemini(self, request: Request) -> Response:
        model, _, action = request.path_params["name"].partition(":")
        key = request.headers.get("x-goog-api-key") or request.query_params.get("key")
        if not MODEL.match(model) or action not in ("", "countTokens", "generateContent", "streamGenerateContent"):
            return await self._serve("gemini", request, key, lambda raw, fault: self._refusal("gemini", "not_found", model), model)
        if action == "":
            return await self._serve("gemini", request, key, lambda raw, fault: _work(answers.model_card(model), model=model), model)
        if action == "countTokens":
            return await self._serve("gemini", request, key, lambda raw, fault: _work(answers.count(json.loads(raw)), model=model), model)

        def generate(raw: bytes, fault: str) -> Work:
            prompt, answer = answers.answer(json.loads(raw), model, self.options.habits, fault, uuid.uuid4().hex[:22])
            meters = {name: getattr(answer, name) for name in ("prompt", "cached", "candidates", "thoughts")}
            work = _work(answer.body, model=model, subject=prompt.subject, task=prompt.task, turn=prompt.turn, **meters, **answer.given)
            if action == "streamGenerateContent":
                work.body, work.headers = b"data: " + work.body + b"\r\n\r\n", {"content-type": "text/event-stream"}
            work.billed = True
            return work

        return await self._serve("gemini", request, key, generate, model)

    async def tavily(self, request: Request) -> Response:
        def find(raw: bytes, fault: str) -> Work:
            asked = json.loads(raw)
            query = asked.get("query") or ""
            subject = answers.subject_of(query)
            if not query or len(query) > searches.MAX_QUERY:
                message = faults.QUERY_TOO_LONG if query else "Query is missing."
                return _work({"detail": {"error": message}}, 400, subject=subject, task="search")
            empty = fault == "no_results" or any(words in query for words in self.options.empty_queries)
            body = searches.search(asked, self.options.habits.seed, empty, self.options.page_texts)
            body |= {"response_time": 0.42, "request_id": str(uuid.uuid4())}
            work = _work(body, subject=subject, task="search", credits=searches.credits_for(asked))
            work.billed = True
            return work

        key = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        return await self._serve("tavily", request, key, find)

    async def coindesk(self, request: Request) -> Response:
        asked = request.query_params

        def page(raw: bytes, fault: str) -> Work:
            try:
                to_ts, limit = int(asked["to_ts"]) if asked.get("to_ts") else None, int(asked.get("limit", 10))
            except ValueError:
                to_ts, limit = None, 0
            if not 1 <= limit <= 100:
                return _work(faults.error("coindesk", "bad_request")[2], 400, task="list")
            sources = [key for key in asked.get("source_ids", "").split(",") if key]
            return _work(searches.article_list(self.articles, to_ts, limit, sources), subject=f"to_ts={to_ts}", task="list")

        key = asked.get("api_key") or request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Apikey ")
        return await self._serve("coindesk", request, key.strip(), page)

    async def _serve(self, provider: str, request: Request, key: str | None, work_for: Worker, model: str = "") -> Response:
        """Everything a provider does with a request: key, fault, work, time, record, answer."""
        started, clock = time.time(), time.monotonic()
        concurrency = self.record.enter(provider)
        try:
            raw = await request.body()
            admitted = key in self.keys.get(provider, ())
            rule = self.faults.strike(provider, raw) if admitted else None
            kind = rule.kind if rule else ""
            if not admitted:
                work = self._refusal(provider, "key_invalid", model)
            elif kind in faults.STATUSES:
                work = self._refusal(provider, kind, model, rule)
            else:
                work = self._honest(provider, raw, kind, work_for)
            if kind in ("reset", "html") or (kind == "hang" and rule and rule.seconds is None):
                work = replace(work, billed=False)
            noted = {"provider": provider, "started": started, "fault": kind, "concurrency": concurrency}
            if rule and rule.billed is not None:
                work.billed = rule.billed
            if rule and kind == "hang":
                if rule.seconds is None:
                    self.record.append(status=0, **noted, billed=work.billed, **work.meters)
                    return Silence()
                clock += rule.seconds
            if kind != "reset":
                await asyncio.sleep(max(0.0, clock + self.options.seconds(provider, self.rng) - time.monotonic()))
            self.record.append(status=0 if kind.startswith("reset") else work.status, **noted, billed=work.billed, **work.meters)
            if self.options.keep_exchanges:
                exchange = {"provider": provider, "asked": raw.decode(errors="replace"), "answered": work.body.decode(errors="replace")}
                self.exchanges.append(exchange | {"address": str(request.url)})
            return _response(work, kind, rule)
        finally:
            self.record.leave(provider)

    def _honest(self, provider: str, raw: bytes, kind: str, work_for: Worker) -> Work:
        try:
            return work_for(raw, kind)
        except (ValueError, KeyError, TypeError, AttributeError):  # a body this server can't read is a bad request
            return self._refusal(provider, "bad_request", "")

    def _refusal(self, provider: str, kind: str, model: str, rule: faults.Rule | None = None) -> Work:
        status, headers, body = faults.error(provider, kind, model, rule.retry_delay if rule else 1.0)
        work = _work(body, status, model=model)
        work.headers = headers
        return work

    # Control

    async def control(self, request: Request) -> Response:
        raw = await request.body()
        try:
            given = json.loads(raw) if raw else None
            done = self._steer(request.method, request.path_params["what"], given, dict(request.query_params))
        except (ValueError, TypeError, KeyError) as problem:
            return _json({"error": str(problem)}, 400)
        return _json(done) if done is not None else _json({"error": "no such control"}, 404)

    def _steer(self, method: str, what: str, given: Any, asked: dict[str, str]) -> Any:  # noqa: PLR0911
        match method, what:
            case "POST", "faults":
                return self.faults.add(*(given if isinstance(given, list) else [given]))
            case "GET", "faults":
                return self.faults.listed()
            case "DELETE", "faults":
                self.faults.clear(int(asked["id"]) if "id" in asked else None)
                return self.faults.listed()
            case "POST", "keys":  # {"gemini": [...]} replaces; {"revoke": [...]} takes away from all
                revoked = set(given.pop("revoke", ()))
                self.keys |= {provider: set(keys) for provider, keys in given.items()}
                self.keys = {provider: keys - revoked for provider, keys in self.keys.items()}
                return {provider: sorted(keys) for provider, keys in self.keys.items()}
            case "POST", "options":  # latency and the names of Habits
                self.options = self.options.changed(given)
                return asdict(self.options)
            case "GET", "served":
                totals = self.record.totals() | {"cpu_seconds": time.process_time()}
                since = int(asked.get("since", 0))
                return totals | ({"entries": [as_dict(e) for e in self.record.entries if e.seq > since]} if asked.get("entries") else {})
            case "GET", "exchanges":
                return self.exchanges
            case "POST", "reset":
                self.record.reset()
                self._begin()
                return {"reset": True}
        return None


def _work(body: Any, status: int = 200, **meters: Any) -> Work:
    return Work(json.dumps(body, ensure_ascii=False).encode(), status, meters=meters)


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, media_type="application/json")


def _response(work: Work, kind: str, rule: faults.Rule | None) -> Response:
    headers = {"content-type": JSON_TYPE, **work.headers}
    match kind:
        case "reset" | "reset_billed":
            return Abort()
        case "bad_json":
            return Response(work.body[: len(work.body) // 2], 200, headers)
        case "html":
            return Response(
                b"<!doctype html><title>Sign in</title><p>This network asks you to sign in.", 200, {"content-type": "text/html"}
            )
        case "trickle":
            return Trickle(work.body, rule.seconds if rule and rule.seconds is not None else 5.0, status_code=work.status, headers=headers)
    return Response(work.body, work.status, headers)
