"""One process serves it all: the console's pages and, on the same port, ``/health``."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import streamlit as st
import typer
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from console.components import show_error
from console.log_tail import keep_tail, take_over_streamlit
from console.resources import close_desk, open_desk
from core.articles import counts
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable, SettingsError
from core.logs import is_structured
from core.samples import load_samples
from core.settings import CHECKOUT, Settings
from core.stories.groups import group_ungrouped

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
    """The desk is open while the server runs; stopping lets what is in flight finish."""
    desk = await anyio.to_thread.run_sync(open_desk)
    ending = threading.Event()
    grouping = threading.Thread(target=_group_into_stories, args=(desk, ending), name="stories", daemon=True)
    grouping.start()
    try:
        yield {}
    finally:
        ending.set()
        await anyio.to_thread.run_sync(grouping.join)
        await anyio.to_thread.run_sync(close_desk)


def _group_into_stories(desk: Desk, ending: threading.Event) -> None:
    """Compare the articles that never were, such as those from before there were stories, while the console is in use."""
    try:
        group_ungrouped(desk, leave=ending.is_set)
    except DatabaseUnavailable as error:
        logger.warning("articles are grouped into stories at the next start or import: %s", error)


async def health(_: Request) -> JSONResponse:
    """200 while the database answers and takes what is written, 503 with the reason when it does not."""
    desk = open_desk()
    try:
        articles, _samples = await anyio.to_thread.run_sync(lambda: desk.transaction(counts))
        if desk.trouble is not None:
            raise desk.trouble
    except DatabaseUnavailable as error:
        return JSONResponse({"status": "unavailable", "reason": str(error)}, status_code=503)
    return JSONResponse({"status": "ok", "articles": articles})


def make_app() -> Any:
    """The ASGI application."""
    return st.App("console/app.py", lifespan=lifespan, routes=[Route("/health", health)], on_script_error=show_error)


def serve(settings: Settings, *, host: str | None, port: int | None, samples: bool) -> None:
    """Start everything and serve until interrupted.

    Raises:
        SettingsError: the port is taken.
        DatabaseUnavailable: the database cannot be started or reached.
    """
    host, port = host or settings.host, settings.port if port is None else port
    listener = _listen(host, port)
    take_over_streamlit()
    keep_tail(settings)
    _announce("opening the database …")
    desk = open_desk(settings)
    if samples and desk.transaction(counts)[0] == 0:
        report = load_samples(desk, utc_now())
        _announce(f"{report.new} sample articles loaded.")
    shown = "localhost" if host in ("127.0.0.1", "::1") else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    os.chdir(CHECKOUT)  # Streamlit reads .streamlit/config.toml from the working directory; only now: a data directory may be relative
    config = uvicorn.Config(
        make_app(), log_config=None, log_level=None, access_log=False, ws="websockets-sansio", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    typer.echo(f"Signal Desk is at {address}   (Ctrl+C stops it)")
    logger.info("the console started at %s", address)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: None)  # uvicorn stops in order, then raises the signal again: having stopped is no failure
    server.run(sockets=[listener])


def _announce(words: str) -> None:
    """Tell whoever waits for the start; in the form of the log where that is for machines."""
    if is_structured():
        logger.info("%s", words)
    else:
        typer.echo(f"Signal Desk: {words}", err=True)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else is started, so that a taken one is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's 40 ms delay on
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Signal Desk cannot listen on {host}:{port}: {error.strerror}. Stop what uses the port, or start with --port 0 for a free one."
        ) from error
    return listener
