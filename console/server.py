"""One process serves it all: the console's pages and, on the same port, the HTTP API."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import streamlit as st
import typer
import uvicorn
from sqlalchemy.orm import Session
from streamlit import config

from console.api import make_api, routes_to
from console.binding import Place, refuse_in_the_open, resolve
from console.components import show_error
from console.guard import Guard
from console.log_tail import keep_tail, take_over_streamlit
from console.printing import announce
from console.resources import close_desk, open_desk, wake
from console.sign_in import Attempts, doubts, is_signed_in, require_packages, streamlit_secrets
from core import people, tokens
from core.access import ITSELF, Role
from core.articles import counts
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable, SettingsError
from core.samples import load_samples
from core.settings import CHECKOUT, Settings, load_settings
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


def make_app(settings: Settings | None = None) -> Any:
    """The ASGI application, for a working directory that is the checkout.

    Raises:
        SettingsError: the packages that sign-in needs are not installed.
    """
    now = settings or load_settings()
    config.set_option("server.allowedHosts", [])  # meant for Streamlit's own command; here the guard knows better
    routes = routes_to(make_api(open_desk, wake=wake, needs_token=now.signs_in))
    app: Any = st.App("console/app.py", secrets=streamlit_secrets(now), lifespan=lifespan, routes=routes, on_script_error=show_error)
    upload_bytes = int(st.get_option("server.maxUploadSize")) * 1024 * 1024
    signed_in = partial(is_signed_in, settings=now, desk_of=open_desk)
    return Guard(Attempts(app, now, open_desk), now, signed_in=signed_in, upload_bytes=upload_bytes)


def serve(settings: Settings, *, host: str | None, port: int | None, samples: bool) -> None:
    """Start everything and serve until interrupted.

    Raises:
        SettingsError: the port is taken, sign-in lacks its packages, or it would listen beyond this machine without sign-in and API
            tokens.
        DatabaseUnavailable: the database cannot be started or reached.
    """
    place, port = resolve(host or settings.host), settings.port if port is None else port
    require_packages(settings)
    refuse_in_the_open(place, settings, has_tokens=partial(_has_tokens, settings))
    listener = _listen(place, port)
    take_over_streamlit()
    keep_tail(settings)
    announce("opening the database …")
    desk = open_desk(settings)
    if samples and desk.transaction(counts)[0] == 0:
        report = load_samples(desk, utc_now(), by=ITSELF)
        announce(f"{report.new} sample articles loaded.")
    for doubt in doubts(settings, admins=desk.transaction(partial(_has_admin, settings=settings))):
        logger.warning("%s", doubt)
    address = place.url(listener.getsockname()[1])
    os.chdir(CHECKOUT)  # Streamlit reads .streamlit/config.toml from the working directory; only now: a data directory may be relative
    serving = uvicorn.Config(
        make_app(settings),
        log_config=None,
        log_level=None,
        access_log=False,
        ws="websockets-sansio",
        timeout_graceful_shutdown=5,
        proxy_headers=False,  # whoever connects could write them
        server_header=False,
    )
    server = uvicorn.Server(serving)
    for ending in (signal.SIGINT, signal.SIGTERM):
        # uvicorn stops in order, then raises the signal again: having stopped is no failure. One that comes before uvicorn listens to
        # signals is not lost.
        signal.signal(ending, lambda *_: setattr(server, "should_exit", True))
    typer.echo(f"Signal Desk is at {address}   (Ctrl+C stops it)")
    logger.info("the console started at %s", address)
    server.run(sockets=[listener])


def _has_tokens(settings: Settings) -> bool:
    """Whether an API token was made that is in force."""
    with Desk.open(settings) as desk:
        return any(token.is_in_force(utc_now()) for token in desk.transaction(tokens.listed))


def _has_admin(session: Session, *, settings: Settings) -> bool:
    return any(one.role is Role.ADMIN for one in people.people(session, settings))


def _listen(place: Place, port: int) -> socket.socket:
    """Take the port before anything else is started, so that a taken one is said at once."""
    listener = socket.socket(place.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's 40 ms delay on
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((place.address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        remedy = "Stop what uses the port, or start with --port 0 for a free one."
        raise SettingsError(f"Signal Desk cannot listen on {place.host}:{port}: {error.strerror}. {remedy}") from error
    return listener
