"""A loopback stand-in for Gemini, Tavily and CoinDesk, reached by the real client libraries over real sockets.

    with LoopbackProviders(latency=0.05, fabricated_quotes=0.2) as providers:      # a thread; subprocess=True for its own process
        run_the_desk(env=os.environ | providers.env())
        providers.faults({"provider": "gemini", "kind": "rate_limit", "first_n": 3})
        assert ledger_tokens == providers.served()["tokens"]

Or on its own: ``python -m tests.loopback --port 8099 --latency 1.0``. A fixture: ``loopback = loopback_fixture(latency=0.1)``.
"""

import json
import os
import socket
import subprocess as processes
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import uvicorn

from tests.loopback.answers import subject_of
from tests.loopback.record import Entry, read_record, totals
from tests.loopback.server import Loopback, Options

__all__ = ["Entry", "LoopbackProviders", "Options", "loopback_fixture", "read_record", "serve", "subject_of", "totals"]

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0


def listen(port: int = 0) -> socket.socket:
    """A listening socket on the loopback interface only."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    bound.listen(2_048)
    return bound


def serve(options: Options) -> uvicorn.Server:
    """A server that is ready to run: ``serve(options).run(sockets=[listen()])``."""
    config = uvicorn.Config(
        Loopback(options).app(),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        loop="asyncio",
        backlog=2_048,
        timeout_keep_alive=600,
        server_header=False,
        date_header=False,
    )
    return uvicorn.Server(config)


class LoopbackProviders:
    """Starts the server, in a thread or as a subprocess, and talks to its controls. Usable from any thread.

    ``options`` are those of ``Options`` and ``Habits``. In a thread it shares the interpreter lock with what is tested:
    take ``subprocess=True`` to measure.
    """

    def __init__(self, *, subprocess: bool = False, port: int = 0, **options: Any) -> None:
        self.options = Options.read(options)
        self.url = ""
        self._as_subprocess, self._port, self._given = subprocess, port, options
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._process: processes.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        if self._as_subprocess:
            command = [
                sys.executable,
                "-m",
                "tests.loopback",
                "--port",
                str(self._port),
                "--leave-with-stdin",
                "--options",
                json.dumps(self._given),
            ]
            self._process = processes.Popen(command, cwd=CHECKOUT, stdin=processes.PIPE, stdout=processes.PIPE, text=True)
            assert self._process.stdout is not None
            self.url = self._process.stdout.readline().strip()
            if not self.url:
                raise RuntimeError(f"the loopback server did not start (exit code {self._process.wait()})")
        else:
            bound = listen(self._port)
            self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            self._server = serve(self.options)
            self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [bound]}, name="loopback", daemon=True)
            self._thread.start()
            until = time.monotonic() + START_SECONDS
            while not self._server.started:
                if time.monotonic() > until or not self._thread.is_alive():
                    raise RuntimeError("the loopback server did not start")
                time.sleep(0.005)
        return self

    def stop(self) -> None:
        """End it at once: requests that hang are dropped."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join(START_SECONDS)
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_SECONDS)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        self._server = self._thread = self._process = None

    def kill(self) -> None:
        """SIGKILL, for drills; only a subprocess can be killed."""
        assert self._process is not None, "only a subprocess can be killed"
        self._process.kill()
        self._process.wait()

    def env(self) -> dict[str, str]:
        """The environment that points every client here, with keys that are accepted."""
        keys = {provider: accepted[0] if accepted else "revoked" for provider, accepted in self.options.keys.items()}
        found = {
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "TAVILY_BASE_URL": self.url,
            "COINDESK_BASE_URL": self.url,
            "GEMINI_API_KEY": keys["gemini"],
            "TAVILY_API_KEY": keys["tavily"],
            "COINDESK_API_KEY": keys["coindesk"],
        }
        if os.environ.get("GOOGLE_API_KEY"):  # it would win over GEMINI_API_KEY, and send a real key here
            found["GOOGLE_API_KEY"] = keys["gemini"]
        return found

    def served(self, *, entries: bool = False, since: int = 0) -> dict[str, Any]:
        """Totals of what was served (see ``record.totals``), with ``cpu_seconds`` of the server's process."""
        return self.control("GET", f"served?since={since}{'&entries=1' if entries else ''}")

    def entries(self) -> list[dict[str, Any]]:
        return self.served(entries=True)["entries"]

    def exchanges(self) -> list[dict[str, Any]]:
        """What was asked and answered, in order, bodies parsed; needs ``keep_exchanges=True``."""
        kept = self.control("GET", "exchanges")
        return [exchange | {name: json.loads(exchange[name] or "null") for name in ("asked", "answered")} for exchange in kept]

    def faults(self, *rules: dict[str, Any]) -> list[dict[str, Any]]:
        """Put fault rules in force (see ``faults.Rule``); the first that strikes wins."""
        return self.control("POST", "faults", list(rules))

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def outage(self, on: bool = True, provider: str = "*") -> None:
        """Everything of the provider answers 503 until switched off; other rules stay in force."""
        for rule in self.control("GET", "faults"):
            if rule["kind"] == "outage" and rule["provider"] == provider:
                self.control("DELETE", f"faults?id={rule['id']}")
        if on:
            self.faults({"kind": "outage", "provider": provider})

    def keys(self, **keys: list[str]) -> dict[str, list[str]]:
        """Replace the accepted keys of a provider, or ``revoke=[...]`` some."""
        return self.control("POST", "keys", keys)

    def behave(self, **options: Any) -> dict[str, Any]:
        """Change latency and habits while it runs."""
        return self.control("POST", "options", options)

    def reset(self) -> None:
        """Forget what was served; rules, keys and habits as at the start."""
        self.control("POST", "reset")

    def control(self, method: str, what: str, body: Any = None) -> Any:
        """One call of ``/control``. Raises ValueError with the server's words when it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/control/{what}", data, {"content-type": "application/json"}, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise ValueError(json.load(refusal)["error"]) from refusal


def loopback_fixture(scope: Any = "function", **options: Any) -> Callable[..., Any]:
    """A pytest fixture: ``providers = loopback_fixture(scope="module", latency=0.01)`` at the top of a test module."""
    import pytest  # the server itself runs without it

    @pytest.fixture(scope=scope)
    def providers() -> Iterator[LoopbackProviders]:
        with LoopbackProviders(**options) as running:
            yield running

    return providers
