"""How fast a whole run is: content analysis, evidence check, one search, validation and every write, against a loopback server.

    python -m tests.benchmarks.pipeline --in-flight 32 --articles 416 --latency 1.0

Prints articles a second, the ideal (in flight / seconds of latency on one article's path), their ratio, CPU milliseconds an article
of this process, of Postgres and of the loopback server (processes of their own on the same machine), and this process's peak memory.
"""

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from core import batches, launching
from core.access import local
from core.article_filter import ArticleFilter
from core.clock import utc_now
from core.configuration import Desk
from core.importers.import_articles import import_articles
from core.importers.parsed_article import ParsedArticle
from core.models import BatchStatus, RecordStatus
from core.orchestrator import Orchestrator
from core.selection import Selection
from core.settings import Settings
from tests.actors import ANN
from tests.benchmarks.shares import Shares
from tests.loopback import LoopbackProviders

SENTENCES = (
    "Miner number {n} said on Tuesday that it moved {n} BTC to a new wallet, the first such transfer since spring.",
    "Analysts had expected the firm to hold its coins through the quarter, citing a hash price of ${n}.",
    "The company did not answer questions about the buyer, and the filing names no counterparty for lot {n}.",
    "Funds that track the coin took in {n} million dollars over the week, while exchange balances fell again.",
    "A regulator in the north said it was reviewing {n} applications, more than in the whole of last year.",
)


def an_article(number: int, chars: int) -> ParsedArticle:
    """A distinct article of about ``chars`` characters."""
    body, line = "", 0
    while len(body) < chars:
        body += SENTENCES[line % len(SENTENCES)].format(n=number * 100 + line) + ("\n\n" if line % 4 == 3 else " ")
        line += 1
    published = datetime(2026, 11, 20, tzinfo=UTC) - timedelta(minutes=number)
    return ParsedArticle(
        f"Miner {number} moves coins again", body, f"Publisher {number % 7}", published, url=f"https://news.example/{number}"
    )


def main(
    in_flight: Annotated[list[int], typer.Option(help="Articles in flight; several times for several rounds.")] = [32],  # noqa: B006
    articles: Annotated[int, typer.Option(help="Articles a round.")] = 416,
    latency: Annotated[float, typer.Option(help="Seconds of a model call.")] = 1.0,
    search_latency: Annotated[float, typer.Option(help="Seconds of a search.")] = 0.2,
    chars: Annotated[int, typer.Option(help="Characters of a body.")] = 4_000,
) -> None:
    """Run the benchmark."""
    table = Table(
        "in flight", "articles", "articles/s", "ideal", "ratio", "CPU ms/article", "of Postgres", "of providers", "peak MB", "calls", "paid twice", "load",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for width in in_flight:
            table.add_row(*one_round(Path(folder) / str(width), width, articles, latency, search_latency, chars))
    Console(width=120).print(table)


def one_round(folder: Path, width: int, number: int, latency: float, search_latency: float, chars: int) -> list[str]:
    """One run of ``number`` articles with ``width`` in flight; the table's row."""
    options = {"latency": {"gemini": latency, "tavily": search_latency}, "signals": (2, 2)}
    with LoopbackProviders(subprocess=True, **options) as providers:
        settings = Settings(
            _env_file=None,
            data_dir=folder,
            gemini_api_key=providers.env()["GEMINI_API_KEY"],
            gemini_base_url=providers.url,
            tavily_api_key=providers.env()["TAVILY_API_KEY"],
            tavily_base_url=providers.url,
            searches_per_article=1,
            concurrency=width,
            daily_budget="1000",
            monthly_budget="1000",
        )
        with Desk.open(settings) as desk:
            import_articles(desk, "benchmark", (an_article(n, chars) for n in range(number)), by=ANN)
            with desk.database.session() as session:
                batch_id = launching.launch(session, Selection.of_filter(ArticleFilter()), settings, by=local("benchmark"), now=utc_now())
            orchestrator = Orchestrator(desk)
            process, peak, load = psutil.Process(), 0, os.getloadavg()[0]
            shares = Shares(desk, providers, [process.pid])
            orchestrator.start()
            while True:
                time.sleep(1)  # seldom, as this is no part of the work
                peak = max(peak, process.memory_info().rss)
                progress = desk.transaction(lambda session: batches.progress(session, batch_id))
                if progress.status not in BatchStatus.claimable():
                    break
            cpu = shares.a_piece(number)
            orchestrator.stop()
            assert progress.started_at is not None
            assert progress.finished_at is not None
            seconds = (progress.finished_at - progress.started_at).total_seconds()
        served = providers.served()
    done = progress.counts[RecordStatus.COMPLETED]
    ideal = width / (2 * latency + search_latency)
    twice = sum(1 for subject in served["paid_twice"] if subject.startswith("gemini"))
    return [
        str(width), str(done), f"{done / seconds:.2f}", f"{ideal:.2f}", f"{done / seconds / ideal:.3f}", *(f"{share:.1f}" for share in cpu),
        f"{peak / 2**20:.0f}", str(served["requests"]), str(twice), f"{load:.1f}",
    ]  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
