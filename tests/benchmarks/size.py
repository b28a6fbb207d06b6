"""Each page's own work on the server with a given number of articles, and what the console takes for ten people.

    python -m tests.benchmarks.size --articles 1000000 --folder /tmp/size-1m

Makes the desk if it is not there (``size_data``), then measures, and prints Markdown. A page's work is the run of the script that
Streamlit runs for it (``console/app.py`` with the page in it), in this process: all of it from the address to the last element
written for the browser (``visits``). It is opened as many times as asked, each time in a new session; then each of its filters is
changed, choice after choice, in one session; where a filter stands in a fragment, that fragment runs. Every statement that was sent is
explained: a sequential scan of a table that grows with the desk is reported, and makes the benchmark fail. Then ten sessions
(``people``) click through a real ``signaldesk start``, whose memory is taken, and a warm page is timed in Chromium.
"""

import os
import re
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import event, text
from streamlit.runtime.scriptrunner.script_cache import ScriptCache

from console import resources
from core.agents.outputs import SignalKind, Verdict
from core.article_filter import Analysed, Order
from core.configuration import Desk
from core.models import BatchStatus, LedgerStatus
from core.quality import Dimension
from core.settings import CHECKOUT, Settings
from core.signal_filter import Reviewed, SignalOrder
from core.spending import Dimension as Spending
from tests.benchmarks.clicks import a_console
from tests.benchmarks.people import Person
from tests.benchmarks.size_data import PUBLISHERS as publishers
from tests.benchmarks.size_data import fill
from tests.benchmarks.visits import Visit, visit
from tests.browser.conftest import CHROMIUM_OPTIONS

GROWING = frozenset(
    "articles article_list article_words article_keys article_categories batch_records analyses signals evidence validations validation_sources"
    " reviews ledger_entries".split()
)
"""Tables that have about as many rows as the desk has articles, or more."""
PEOPLE, CLICKS = 10, 32
WORDS = ("bitcoin", "halving", "greenhouse", "miner etf", "wallet 4711", "xyzzy", "")
PUBLISHERS: tuple[list[int], ...] = ([1], [30], [2, 31, 39], [])
ON_OFF = (False, True)
CHANGES: dict[str, dict[str, Sequence[Any]]] = {
    "overview": {"window": (7, 90, 30), "theme": ("mining", "flows", None), "examples": ON_OFF},
    "articles": {
        "q": WORDS,
        "publisher-choice": tuple([publishers[id_ - 1] for id_ in ids] for ids in PUBLISHERS),
        "since": (date(2024, 3, 1), date(2026, 11, 1), None),
        "until": (date(2024, 3, 31), None),
        "ready": ON_OFF,
        "priority": ON_OFF,
        "samples": ON_OFF,
        "stories": (True, False),
        "analysed-choice": tuple(one.value for one in (Analysed.YES, Analysed.NO, Analysed.ANY)),
        "archived": (True, False),
        "order": tuple(Order),
    },
    "article": {},
    "runs": {"run-status-choice": ([BatchStatus.PAUSED], [BatchStatus.COMPLETED], [])},
    "review": {
        "find": WORDS,
        "kind": ([SignalKind.EDGE_INDICATOR], [SignalKind.WEAK_SIGNAL, SignalKind.NARRATIVE_GAP], []),
        "verdict": ([Verdict.CONTRADICTED], []),
        "category": (["privacy"], ["mining", "flows"], []),
        "from": PUBLISHERS,
        "confidence": (0.5, 0.95, 0.0),
        "sort": tuple(SignalOrder),
    },
    "signals": {
        "find": WORDS,
        "kind": ([SignalKind.EDGE_INDICATOR], [SignalKind.WEAK_SIGNAL, SignalKind.NARRATIVE_GAP], []),
        "verdict": ([Verdict.CONTRADICTED], [Verdict.VALIDATED, Verdict.INCONCLUSIVE], []),
        "category": (["privacy"], ["mining", "flows"], []),
        "from": PUBLISHERS,
        "confidence": (0.5, 0.95, 0.0),
        "review": tuple(Reviewed),
        "sort": tuple(SignalOrder),
    },
    "quality": {"days": (7, 90, 0), "reviewer": ("ada", None), "bulk": ON_OFF, "by": tuple(Dimension)},
    "budget": {
        "within": (7, 90, 365, 30),
        "per": tuple(Spending),
        "line-model": ("offline", None),
        "line-agent": ("signal_validation", None),
        "line-status": (LedgerStatus.UNKNOWN, None),
        "line-run": ("7", ""),
    },
    "system": {},
}
"""What is chosen in the filters of each page, by the key of the widget: one after the other, then as it was before."""


@dataclass
class Figures:
    """Milliseconds of one page."""

    opened: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Of the page's own thread, of each run: what a busy machine does not stretch."""
    in_database: list[float] = field(default_factory=list)
    """Of each run, opened or changed."""
    slowest: tuple[float, str] = (0.0, "")
    """The slowest change, and which it was."""
    statements: int = 0
    """Of an opening."""
    changed_statements: int = 0
    """Of the change that sent most."""


@dataclass
class Listener:
    """What the engine was asked, while somebody listens."""

    seconds: float = 0.0
    number: int = 0
    seen: dict[str, tuple[float, Any, str]] = field(default_factory=dict)
    """Statements with the slowest time each took, its parameters, and whether sequential scans were allowed."""

    def listen(self, engine: Any) -> None:
        @event.listens_for(engine, "before_cursor_execute")
        def before(connection: Any, *_: Any) -> None:
            connection.info["asked"] = time.perf_counter()

        @event.listens_for(engine, "after_cursor_execute")
        def after(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
            took = time.perf_counter() - connection.info["asked"]
            self.seconds += took
            self.number += 1
            if statement.startswith("SELECT set_config"):
                connection.info["allowed"] = parameters["allowed"]
            if not many and not statement.startswith("EXPLAIN") and took > self.seen.get(statement, (-1.0,))[0]:
                self.seen[statement] = took, parameters, connection.info.get("allowed", "on")


def main(
    articles: Annotated[int, typer.Option(help="Articles of the desk.")] = 1_000_000,
    folder: Annotated[Path, typer.Option(help="Its data directory.")] = Path("/tmp/signaldesk-size"),
    runs: Annotated[int, typer.Option(help="How often each page is opened.")] = 20,
    browser: Annotated[bool, typer.Option(help="Also measure memory and Chromium.")] = True,
    only: Annotated[str, typer.Option(help="Pages to measure, with commas; all if empty.")] = "",
) -> None:
    """Make the desk if need be, and measure."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    settings = Settings(_env_file=None, data_dir=folder)
    with Desk.open(settings) as desk:
        made = fill(desk, articles)
    typer.echo(f"\n{articles:,} articles: made or found whole in {made:,.0f} s\n")
    os.chdir(CHECKOUT)
    desk = resources.open_desk(settings)
    listener = Listener()
    listener.listen(desk.database.engine)
    chosen = [page for page in CHANGES if not only or page in only.split(",")]
    figures = {page: measured(page, runs, listener, desk) for page in chosen}
    _tell(figures)
    scans = sequential_scans(desk, listener)
    resources.close_desk()
    if browser:
        _tell_of_people(folder, chosen)
    for scan in scans:
        typer.echo(f"\nSEQUENTIAL SCAN of {scan}")
    raise typer.Exit(1 if scans else 0)


def _tell(figures: dict[str, Figures]) -> None:
    typer.echo(
        "| page | opened: median ms | 95 % ms | a filter changed: median ms | 95 % ms | slowest change | medians: database ms | CPU ms | statements: opened | changed, at most |"
    )
    typer.echo("|---|---|---|---|---|---|---|---|---|---|")
    for page, one in figures.items():
        changed = [f"{statistics.median(one.changed):.0f}", f"{at_95(one.changed):.0f}"] if one.changed else ["–", "–"]
        slowest = f"{one.slowest[0]:.0f} ({one.slowest[1]})" if one.changed else "–"
        opened = f"{statistics.median(one.opened):.0f} | {at_95(one.opened):.0f}"
        typer.echo(
            f"| {page} | {opened} | {changed[0]} | {changed[1]} | {slowest} | {statistics.median(one.in_database):.0f} | {statistics.median(one.cpu):.0f} | {one.statements} | {one.changed_statements or '–'} |"
        )


def at_95(values: list[float]) -> float:
    """The value that 95 % do not exceed."""
    return sorted(values)[min(int(0.95 * len(values)), len(values) - 1)]


# --- pages -----------------------------------------------------------------------------------------------------------


def measured(page: str, runs: int, listener: Listener, desk: Desk) -> Figures:
    """Open a page in new sessions, then change its filters in one."""
    found, scripts = Figures(), ScriptCache()
    for number in range(runs + 1):
        session = a_session(page, desk, number, scripts)
        took = _run(session, listener, found)
        if number:  # the first one imports and fills caches
            found.opened.append(took)
            found.statements = listener.number
    for key, values in CHANGES[page].items():
        for value in values:
            session.choose(key, value)
            took = _run(session, listener, found)
            found.changed.append(took)
            found.changed_statements = max(found.changed_statements, listener.number)
            found.slowest = max(found.slowest, (took, f"{key}: {value}"))
    return found


def a_session(page: str, desk: Desk, number: int, scripts: ScriptCache) -> Visit:
    """A new session with the page before it."""
    address = {}
    if page == "article":
        with desk.database.session() as reading:
            address["id"] = str(reading.scalar(text("SELECT max(article_id) FROM signals")) - 37 * number)
    shown = "" if page == "overview" else f"../pages/{page}.py"
    return visit(str(CHECKOUT / "console" / "app.py"), scripts, page=shown, address=address)


def _run(session: Visit, listener: Listener, found: Figures) -> float:
    listener.seconds, listener.number = 0.0, 0
    run = session.run()
    found.cpu.append(run.cpu)
    found.in_database.append(listener.seconds * 1000)
    return run.wall


# --- plans -----------------------------------------------------------------------------------------------------------


def sequential_scans(desk: Desk, listener: Listener) -> list[str]:
    """Statements whose plan reads a growing table from one end to the other, slowest first."""
    found = []
    with desk.database.engine.connect() as connection:
        for statement, (took, parameters, allowed) in sorted(listener.seen.items(), key=lambda one: -one[1][0]):
            if not re.match(r"\s*(SELECT|WITH|UPDATE|DELETE|INSERT)", statement):
                continue
            with connection.begin() as transaction:
                connection.exec_driver_sql(f"SET LOCAL enable_seqscan = {allowed}")
                (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
                transaction.rollback()
            if scanned := {name for name in _scanned(plan["Plan"]) if name in GROWING}:
                found.append(f"{', '.join(sorted(scanned))} ({took * 1000:.0f} ms): {' '.join(statement.split())[:400]}")
    return found


def _scanned(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan" and plan["Plan Rows"] >= 0:
        yield plan["Relation Name"]
    for inner in plan.get("Plans", ()):
        yield from _scanned(inner)


# --- browsers --------------------------------------------------------------------------------------------------------


@contextmanager
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=CHROMIUM_OPTIONS
        )
        yield started
        started.close()


def _tell_of_people(folder: Path, pages: list[str]) -> None:
    """What the console takes while ten people click through its pages, and how soon a warm page can be used in a browser."""
    visited = [page for page in pages if page != "article"]
    addresses = [_address(page) for page in visited]
    with a_console(folder, {}) as url, ExitStack() as entered:
        process = next(one for one in psutil.process_iter(["cmdline"]) if _serves(one, folder))
        people = [entered.enter_context(Person.at(url)) for _ in range(PEOPLE)]
        peak = process.memory_info().rss
        for turn in range(CLICKS):
            for number, person in enumerate(people):
                person.go(addresses[(turn + number) % len(addresses)])
                peak = max(peak, process.memory_info().rss)
        own = process.memory_full_info().uss
        typer.echo(
            f"\nThe console's process with {PEOPLE} sessions of {CLICKS} clicks each: {peak / 2**20:.0f} MB at most,"
            f" of which {own / 2**20:.0f} MB are its own, not the libraries' files.\n"
        )
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            typer.echo("| page | warm, in Chromium: median ms | slowest ms |\n|---|---|---|")
            for name, address in zip(visited, addresses, strict=True):
                _warm(page, f"{url}/{address}")  # scripts and styles come from the cache from now on
                taken = sorted(_warm(page, f"{url}/{address}") for _ in range(5))
                typer.echo(f"| {name} | {taken[2]:.0f} | {taken[-1]:.0f} |")


def _serves(process: psutil.Process, folder: Path) -> bool:
    try:
        line = process.cmdline()
        return "console.cli" in line and "start" in line and process.environ().get("SIGNALDESK_DATA_DIR") == str(folder)
    except psutil.Error:
        return False


def _address(page: str) -> str:
    return "" if page == "overview" else page


def settled(person: Page) -> None:
    """Wait until the page's script has run and its elements are there."""
    person.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    person.wait_for_selector("h1", timeout=60_000)


def _warm(person: Page, address: str) -> float:
    """Milliseconds from asking for an address to a page that can be used, its script at rest."""
    began = time.perf_counter()
    person.goto(address)
    settled(person)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(typer.run(main))
