"""How much faster three workers of Celery are than one: whole runs against a loopback server whose model takes a second.

    python -m tests.benchmarks.celery --articles 300 --workers 1 --workers 3

Prints for each number of workers the seconds from the first claim to the end, articles a second, the share of the first round's
time, peak calls in flight, CPU milliseconds an article of workers, Postgres and stand-in, memory of one worker, and what was paid twice. Redis, Postgres, the providers and the workers are
processes of their own on the same machine, whose load before each round is printed with it.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from core import batches, launching
from core.article_filter import ArticleFilter
from core.clock import utc_now
from core.configuration import Desk
from core.importers.import_articles import import_articles
from core.models import BatchStatus, RecordStatus
from core.selection import Selection
from core.settings import Settings
from tests.actors import ANN
from tests.benchmarks.pipeline import an_article
from tests.benchmarks.shares import Shares
from tests.faults.redis_server import RedisServer
from tests.loopback import LoopbackProviders

PATIENCE = 900.0


def main(
    workers: Annotated[list[int], typer.Option(help="Workers a round; several times for several rounds.")] = [1, 3],  # noqa: B006
    articles: Annotated[int, typer.Option(help="Articles a round.")] = 300,
    latency: Annotated[float, typer.Option(help="Seconds of a model call.")] = 1.0,
    search_latency: Annotated[float, typer.Option(help="Seconds of a search.")] = 0.2,
    slots: Annotated[int | None, typer.Option(help="Tasks at once a worker; the worker's default unless given.")] = None,
) -> None:
    """Run the benchmark."""
    table = Table(
        "workers", "articles", "seconds", "articles/s", "of the first", "peak calls", "CPU ms/article", "of Postgres", "of providers",
        "MB a worker", "paid twice", "load",
    )  # fmt: skip
    first = None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for number in workers:
            load = os.getloadavg()[0]
            done, seconds, peak, shares, memory, twice = one_round(
                Path(folder) / str(number), number, articles, latency, search_latency, slots
            )
            first = first or seconds
            table.add_row(
                str(number), str(done), f"{seconds:.1f}", f"{done / seconds:.2f}", f"{seconds / first:.3f}",
                str(peak), *(f"{share:.1f}" for share in shares), f"{memory:.0f}", str(twice), f"{load:.1f}",
            )  # fmt: skip
    Console(width=120).print(table)


def one_round(
    folder: Path, number: int, articles: int, latency: float, search_latency: float, slots: int | None
) -> tuple[int, float, int, tuple[float, float, float], float, int]:
    """One run; articles done, seconds, peak calls in flight, ``Shares.a_piece``, MB a worker, work of the model paid twice."""
    folder.mkdir()
    options = {"latency": {"gemini": latency, "tavily": search_latency}, "signals": (2, 2)}
    redis = RedisServer()
    redis.start()
    started: list[subprocess.Popen[bytes]] = []
    try:
        with LoopbackProviders(subprocess=True, **options) as providers:
            environment = providers.env() | {
                "SIGNALDESK_DATA_DIR": str(folder),
                "SIGNALDESK_EXECUTOR": "celery",
                "CELERY_BROKER_URL": redis.url,
                "SIGNALDESK_SEARCHES_PER_ARTICLE": "1",
                "SIGNALDESK_DAILY_BUDGET": "1000",
                "SIGNALDESK_MONTHLY_BUDGET": "1000",
            }
            os.environ.update(environment)
            settings = Settings(_env_file=None)
            with Desk.open(settings) as desk:
                import_articles(desk, "benchmark", (an_article(n, 4_000) for n in range(articles)), by=ANN)
                for worker in range(number):
                    command = [sys.executable, "-m", "console.cli", "worker", "--name", f"w{worker}"]
                    command += ["--concurrency", str(slots)] if slots else []
                    log = (folder / f"w{worker}.log").open("wb")
                    started.append(subprocess.Popen(command, stdout=log, stderr=log))
                wait_until_they_listen(folder, number)
                shares = Shares(desk, providers, [worker.pid for worker in started])
                with desk.database.session() as session:
                    batch_id = launching.launch(session, Selection.of_filter(ArticleFilter()), settings, by=ANN, now=utc_now())
                progress = wait_for_the_end(desk, batch_id)
                cpu = shares.a_piece(articles)
                memory = max(psutil.Process(worker.pid).memory_info().rss for worker in started) / 2**20
            served = providers.served()
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait(60)
        redis.stop()
    assert progress.started_at is not None
    assert progress.finished_at is not None
    seconds = (progress.finished_at - progress.started_at).total_seconds()
    twice = sum(1 for work in served["paid_twice"] if work.startswith("gemini"))
    return progress.counts[RecordStatus.COMPLETED], seconds, served["peak_concurrency"]["all"], cpu, memory, twice


def wait_until_they_listen(folder: Path, number: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while sum("at a time from" in (folder / f"w{worker}.log").read_text() for worker in range(number)) < number:
        assert time.monotonic() < deadline, "the workers do not listen"
        time.sleep(0.1)


def wait_for_the_end(desk: Desk, batch_id: int) -> batches.Progress:
    deadline = time.monotonic() + PATIENCE
    while True:
        progress = desk.transaction(lambda session: batches.progress(session, batch_id))
        if progress.status not in BatchStatus.claimable():
            return progress
        assert time.monotonic() < deadline, f"the batch does not end: {progress}"
        time.sleep(1)  # seldom, as this is no part of the work


if __name__ == "__main__":
    typer.run(main)
