"""The API over real HTTP: a server in a thread on a free port, without the console's pages."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from console.api import make_api
from core.configuration import Desk


@contextmanager
def served(api: FastAPI) -> Iterator[str]:
    """The address of an API that is served while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(api, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def serve() -> Iterator[Callable[..., httpx.Client]]:
    """``serve(desk)`` serves the API of a desk and returns a client of it."""
    open_ones: list[Any] = []

    def start(desk: Desk, **options: Any) -> httpx.Client:
        block = served(make_api(lambda: desk, **options))
        client = httpx.Client(base_url=block.__enter__(), trust_env=False, timeout=30)
        open_ones.append((block, client))
        return client

    yield start
    for block, client in open_ones:
        client.close()
        block.__exit__(None, None, None)


@pytest.fixture
def client(desk: Desk, serve: Callable[..., httpx.Client]) -> httpx.Client:
    """A client of the API of an empty desk, which sits at the machine and needs no token."""
    return serve(desk)
