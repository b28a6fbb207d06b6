"""Importing from the command line: sources by name, with a progress bar and a report of what was rejected."""

from pathlib import Path
from typing import Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from console.printing import notes, print_json
from core.clock import utc_now
from core.configuration import Desk
from core.errors import NotFound
from core.importers.fetching import fetch_feed
from core.importers.formats import read_articles
from core.importers.import_articles import ImportReport, import_articles, write_report


def import_one(desk: Desk, source: str, report: ImportReport, *, quiet: bool) -> None:
    if source.startswith(("http://", "https://")):
        feed = fetch_feed(source, allow_private=desk.environment.allow_private_feeds)
        import_rows(desk, source, read_articles(source, feed.content, charset=feed.charset, now=utc_now()), report, quiet=quiet)
        return
    path = Path(source)
    if not path.is_file():
        raise NotFound(f"There is no file {source}.")
    import_rows(desk, path.name, read_articles(path.name, path, now=utc_now()), report, quiet=quiet)


def import_rows(desk: Desk, name: str, rows: Any, report: ImportReport, *, quiet: bool) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn())
    with Progress(*columns, console=notes, disable=quiet or not notes.is_terminal, transient=True) as bar:
        task = bar.add_task(f"Importing {name}", total=None)
        import_articles(desk, name, rows, report=report, on_progress=lambda done: bar.advance(task, done))


def finish_import(desk: Desk, report: ImportReport, as_json: bool) -> None:
    path = write_report(report, desk.environment.data_dir / "reports", utc_now())
    if as_json:
        print_json(
            {
                "new": report.new,
                "updated": report.updated,
                "unchanged": report.unchanged,
                "rejected": len(report.rejected),
                "reasons": report.reasons(),
                "report": str(path) if path else None,
            }
        )
        return
    typer.echo(f"{report.new:,} new, {report.updated:,} updated, {report.unchanged:,} unchanged, {len(report.rejected):,} rejected.")
    for reason, number in report.reasons().items():
        typer.echo(f"  {number:,} × {reason}")
    if path:
        typer.echo(f"The rejected rows are in {path}")
