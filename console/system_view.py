"""The System page's live part: workers, queue, calls, providers, database, versions, log."""

import html
import logging

import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.components import Cell, rows_of_facts, show_error
from console.log_tail import LINES, tail
from console.navigation import to
from console.resources import open_desk, read
from console.words import ago, duration, money, number, plain
from core import health
from core.broker import broker_state
from core.clock import utc_now
from core.errors import DeskError
from core.health import DatabaseState, ProviderState, Queue, WorkerState
from core.models import WorkerKind
from core.records import LEASE
from core.settings import Settings

REFRESH_SECONDS = 2.0
KEYS = {"google": ("gemini_api_key", "GEMINI_API_KEY"), "tavily": ("tavily_api_key", "TAVILY_API_KEY")} | {
    "coindesk": ("coindesk_api_key", "COINDESK_API_KEY")
}
"""The setting that holds a provider's key, and the variable that sets it."""
WHAT = {
    WorkerKind.POOL: "runs batches",
    WorkerKind.CONSOLE: "looks after batches",
    WorkerKind.CELERY: "runs Celery's tasks",
    WorkerKind.BEAT: "runs the schedule",
}
LEVELS = {"everything": logging.NOTSET, "warnings": logging.WARNING, "errors": logging.ERROR}


# --- what goes on now ------------------------------------------------------------------------------------------------


def operation(now: Settings) -> None:
    """Workers, queue, calls and providers, drawn again every two seconds."""

    @st.fragment(run_every=REFRESH_SECONDS)
    def show() -> None:
        try:
            workers, queue, providers = read(_live)
        except DeskError as error:
            show_error(error)
            return
        _headline(workers, queue, providers)
        _workers(workers, now)
        _providers(providers, now)

    show()


def _live(session: Session) -> tuple[list[WorkerState], Queue, list[ProviderState]]:
    return health.worker_states(session), health.queue(session), health.provider_states(session, utc_now())


def _headline(workers: list[WorkerState], queue: Queue, providers: list[ProviderState]) -> None:
    moment, pool = utc_now(), health.pool_state(open_desk().database)
    alive = [one for one in workers if one.runs_batches and moment - one.heartbeat_at < LEASE]
    in_flight, reserved = sum(one.in_flight for one in providers), sum(one.reserved_usd for one in providers)
    failed, answered = sum(one.failed for one in providers), sum(one.answered for one in providers)
    beat = f"heartbeat {ago(workers[0].heartbeat_at, moment)}" if workers else "start the console"
    figures = (
        ("Workers", f"{len(alive):,}", beat),
        ("Waiting", str(queue.waiting), f"{queue.in_work:,} in work, {queue.paused} paused"),
        ("Calls in flight", f"{in_flight:,}", f"{money(reserved)} reserved"),
        ("Failed in the last hour", f"{failed:,}", f"{answered:,} answered"),
        ("Connections in use", f"{pool.in_use:,}", f"{pool.open:,} open, {pool.most:,} at most"),
    )
    for column, (label, value, detail) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(label, value, detail, delta_color="off", delta_arrow="off", border=True)
    if (trouble := open_desk().trouble) is not None:
        st.warning(plain(f"Work in flight waits for the database: {trouble}"), icon=":material/cloud_off:")


def _workers(workers: list[WorkerState], now: Settings) -> None:
    st.header("Workers")
    for missing in health.what_is_missing(workers, now, utc_now()):
        st.warning(missing, icon=":material/power_off:")
    _broker(now)
    if not workers:
        st.caption("None has signed on yet; the console signs on within seconds of its start.")
        return
    rows: list[list[Cell]] = [
        [
            one.host,
            f"{one.name}, process {one.pid}" if one.name else f"process {one.pid}",
            WHAT[one.kind],
            f"{one.tasks} of {one.slots}" if one.slots else None,
            ", ".join(f"{held} of run #{batch}" for batch, held in one.runs) or "nothing",
            one.heartbeat_at,
            one.started_at,
        ]
        for one in workers
    ]
    rows_of_facts("Workers", ("Host", "Process", "What it does", "Tasks", "Works on", "Heartbeat", "Started"), rows)
    running = sorted({batch for one in workers for batch, _ in one.runs})
    if running:
        with st.container(horizontal=True):
            for batch in running:
                st.page_link(to("runs"), label=f"Run #{batch}", icon=":material/play_circle:", query_params={"batch": str(batch)})


def _broker(now: Settings) -> None:
    broker = broker_state(now)
    if broker is None:
        return
    if broker.trouble is not None:
        st.warning(plain(broker.trouble), icon=":material/cloud_off:")
    else:
        waiting = f"{broker.waiting:,} {'task' if broker.waiting == 1 else 'tasks'} waiting, {broker.taken:,} with workers"
        st.caption(f"Celery by way of {plain(broker.address)}: {waiting}.")


def _providers(providers: list[ProviderState], now: Settings) -> None:
    st.header("Providers")
    known = {one.name: one for one in providers}
    rows: list[list[Cell]] = [_provider(name, known.get(name), now) for name in sorted(known.keys() | KEYS.keys())]
    rows_of_facts(
        "Providers", ("Provider", "Key", "In flight", "Answered", "Failed", "Median time", "Last call", "Last error", "It was"), rows
    )
    st.caption(
        f"Of the last hour, from the ledger (the newest {health.CALLS_LOOKED_AT:,} calls at most). A key is set by its variable, in the"
        " environment or a .env file, and never shown."
    )


def _provider(name: str, one: ProviderState | None, now: Settings) -> list[Cell]:
    setting, variable = KEYS.get(name, ("", ""))
    key = f"{variable}: {'set' if getattr(now, setting) else 'not set'}" if setting else "needs none"
    if one is None:
        return [name, key, 0, 0, 0, None, None, None, None]
    latency = duration(one.latency) if one.latency is not None else None
    return [name, key, one.in_flight, one.answered, one.failed, latency, one.last_at, one.last_error_at, one.last_error]


# --- what it runs on -------------------------------------------------------------------------------------------------


def database() -> None:
    """The database, its big tables, and the migrations."""
    desk = open_desk()
    state = read(health.database_state)
    st.header("Database")
    rows_of_facts("Database", ("What", "Value"), _facts(desk.database.address, state))
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Tables")
        tables: list[list[Cell]] = [
            [name, "not counted yet" if rows is None else f"about {number(rows)}", _bytes(size)] for name, rows, size in state.tables
        ]
        rows_of_facts("Tables", ("Table", "Rows", "Size"), tables)
    with right:
        st.header("Migrations")
        known = health.migrations(state.revision)
        steps: list[list[Cell]] = [[revision, title, "applied" if applied else "not applied"] for revision, title, applied in known]
        rows_of_facts("Migrations", ("Revision", "What it brought", "State"), steps)
    st.header("Versions")
    rows_of_facts("Versions", tuple(health.versions()), [list(health.versions().values())])


def _facts(address: str, state: DatabaseState) -> list[list[Cell]]:
    newest = health.migrations(state.revision)[0][0]
    schema = f"revision {state.revision}" + (", the newest" if state.revision == newest else f"; this checkout has {newest}")
    return [
        ["Address", address],
        ["Server", f"Postgres {state.version}"],
        ["Up since", state.started_at],
        ["Size", _bytes(state.size)],
        ["Connections", f"{state.connections} to this database, {state.most_connections} at most on the server"],
        ["Schema", schema],
    ]


def _bytes(size: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} TB"


# --- what it said ----------------------------------------------------------------------------------------------------


def log() -> None:
    """The last lines of this process's log, newest first, as they come."""
    level = st.segmented_control("Show", list(LEVELS), default="everything", required=True, key="level", bind="query-params")

    @st.fragment(run_every=REFRESH_SECONDS)
    def show() -> None:
        state.actor()  # this piece reads no database, which would ask
        lines = tail(LEVELS[level or "everything"])
        if not lines:
            st.info("Nothing of this kind was logged since the console started.", icon=":material/done_all:")
            return
        text = "\n".join(
            f"{line.at:%Y-%m-%d %H:%M:%S} UTC  {line.level_name:<8} {line.logger}{line.concerns}: {line.message}"
            + (f"\n{line.detail}" if line.detail else "")
            for line in lines
        )
        st.html(f'<pre class="log" role="region" aria-label="Log, newest first" tabindex="0">{html.escape(text)}</pre>')

    show()
    st.caption(f"The last {LINES} lines of this process, newest first. Keys and passwords are blotted out.")
