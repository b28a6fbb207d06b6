"""The API's own requests, counted and measured for ``/metrics``."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


disable_created_metrics()  # a moment beside each counter, which nobody asks for


class Requests:
    """Counts the API's requests and measures them. One of its kind a process, in a registry of its own. Any thread may read it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route")
        self._count = Counter("signaldesk_http_requests", "Requests to the API.", (*labels, "status"), registry=self.registry)
        words = "Their time to the last byte; of streams of events, to the first."
        self._seconds = Histogram("signaldesk_http_request_seconds", words, labels, buckets=BUCKETS, registry=self.registry)

    def took(self, method: str, route: str, status: int, seconds: float) -> None:
        """Enter one request. ``route`` is the template of its address, so that there are few of them."""
        method = method if method in METHODS else "other"
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class Measured:
    """Enters each request of an application. Pure ASGI: nothing is held back, streams flow."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, began, ended = 500, time.perf_counter(), 0.0

        async def sending(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = message["status"]
                if Headers(scope=message).get("content-type", "").startswith("text/event-stream"):  # which lasts as long as it is watched
                    ended = time.perf_counter()
            await send(message)

        outer = scope.get("route")
        try:
            await self.app(scope, receive, sending)
        finally:
            route = scope.get("route")
            path = "unknown" if route is outer or route is None else str(getattr(route, "path", "unknown"))
            self.requests.took(scope["method"], path, status, (ended or time.perf_counter()) - began)
