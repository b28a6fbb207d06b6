"""How soon the console answers a click while a batch runs: ticking an article, in a browser, idle and with calls in flight.

    python -m tests.benchmarks.clicks --in-flight 64 --clicks 40

A tick is a fragment's rerun: the row goes to the server, and the cost card comes back with another number of articles. Prints
the median and the 95th percentile in milliseconds, first with nothing running, then in the middle of a batch. Of these, Streamlit's table waits 150 ms for
more ticks before it sends anything.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import Page, expect, sync_playwright
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from core import batches, launching
from core.access import local
from core.clock import utc_now
from core.configuration import Desk
from core.importers.import_articles import import_articles
from core.models import Article, BatchStatus
from core.selection import Selection
from core.settings import Settings
from tests.actors import ANN
from tests.benchmarks.pipeline import an_article
from tests.browser.conftest import CHROMIUM_OPTIONS
from tests.loopback import LoopbackProviders

TICK_BOX, FIRST_ROW, ROW = 17, 50, 30  # pixels in the table's canvas
ROWS = 8
COUNTS = "ticked => [...document.querySelectorAll('p')].some(text => new RegExp(`^${ticked} articles? selected`).test(text.textContent))"
ROOMY = {"SIGNALDESK_DAILY_BUDGET": "1000", "SIGNALDESK_MONTHLY_BUDGET": "1000", "SIGNALDESK_SEARCHES_PER_ARTICLE": "1"}


def main(
    in_flight: Annotated[int, typer.Option(help="Articles in flight.")] = 64,
    articles: Annotated[int, typer.Option(help="Articles of the batch.")] = 1_200,
    clicks: Annotated[int, typer.Option(help="Clicks measured in each state; a multiple of 16.")] = 48,
) -> None:
    """Run the benchmark."""
    table = Table("state", "clicks", "median ms", "95 % ms", "slowest ms")
    with tempfile.TemporaryDirectory() as name, LoopbackProviders(subprocess=True, latency={"gemini": 1.0, "tavily": 0.2}) as providers:
        folder = Path(name)
        folder.chmod(0o755)
        keys = providers.env()
        settings = Settings(
            _env_file=None,
            data_dir=folder,
            gemini_api_key=keys["GEMINI_API_KEY"],
            gemini_base_url=providers.url,
            tavily_api_key=keys["TAVILY_API_KEY"],
            tavily_base_url=providers.url,
            searches_per_article=1,
            concurrency=in_flight,
            daily_budget="1000",
            monthly_budget="1000",
        )
        with Desk.open(settings) as desk, a_console(folder, keys) as url, a_page() as page:
            import_articles(desk, "benchmark", (an_article(number, 4_000) for number in range(articles + 100)), by=ANN)
            page.goto(f"{url}/articles")
            expect(page.locator("canvas").first).to_be_visible(timeout=30_000)
            page.wait_for_timeout(3_000)
            table.add_row("idle", *measured(page, clicks))
            with desk.database.session() as session:
                older = session.scalars(
                    select(Article.id).order_by(Article.published_at.desc()).offset(100)
                ).all()  # not those that are ticked
                batch_id = launching.launch(session, Selection.of_ids(older), settings, by=local("benchmark"), now=utc_now())
            page.wait_for_timeout(8_000)
            table.add_row(f"{in_flight} in flight", *measured(page, clicks))
            progress = desk.transaction(lambda session: batches.progress(session, batch_id))
            assert progress.status is BatchStatus.PROCESSING, f"the batch was {progress.status} before the last click"
    Console(width=100).print(table)


@contextmanager
def a_console(folder: Path, keys: dict[str, str]) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "console.cli", "start", "--port", "0", "--no-samples"],
        env=os.environ | {"SIGNALDESK_DATA_DIR": str(folder)} | ROOMY | keys,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield next(found[1] for line in process.stdout if (found := re.search(r"Signal Desk is at (http://\S+)", line)))
    finally:
        process.terminate()
        process.wait(90)


@contextmanager
def a_page() -> Iterator[Page]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield chromium.new_page(viewport={"width": 1440, "height": 900})
        chromium.close()


def measured(page: Page, clicks: int) -> list[str]:
    """Tick rows and untick them again, but for the first; milliseconds from each click to the card that counts it."""
    table = page.locator("canvas").first
    ticked = 0

    def tick(row: int, by: int) -> float:
        nonlocal ticked
        ticked += by
        began = time.perf_counter()
        table.click(position={"x": TICK_BOX, "y": FIRST_ROW + ROW * row}, force=True)
        page.wait_for_function(COUNTS, arg=ticked, polling="raf")
        return (time.perf_counter() - began) * 1000

    tick(0, 1)
    taken = sorted(tick(1 + number % ROWS, -1 if number // ROWS % 2 else 1) for number in range(clicks))
    table.click(position={"x": TICK_BOX, "y": FIRST_ROW}, force=True)
    page.wait_for_timeout(2_000)
    return [str(clicks), *(f"{value:.0f}" for value in (statistics.median(taken), taken[int(0.95 * len(taken))], taken[-1]))]


if __name__ == "__main__":
    typer.run(main)
