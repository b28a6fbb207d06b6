"""Importing from the command line: sources by name, with a progress bar and a report of what was rejected."""

import os.path
from pathlib import Path
from typing import Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from console.interrupts import interruptible
from console.moving_cli import move_in
from console.printing import notes, print_json
from core.access import Actor
from core.clock import utc_now
from core.configuration import Desk
from core.errors import ImportRefused, NotFound, SettingsError
from core.importers.fetching import fetch_feed
from core.importers.formats import read_articles
from core.importers.import_articles import ImportReport, import_articles, write_report
from core.moving.move import MoveReport

POSTGRES = ("postgresql://", "postgres://", "postgresql+psycopg://")


def import_one(desk: Desk, source: str, report: MoveReport, *, by: Actor, quiet: bool) -> None:
    """Import a file, a feed or another database, by its name.

    Raises:
        NotFound: there is no such file.
        ImportRefused: it cannot be read.
    """
    if source.startswith(("http://", "https://")):
        feed = fetch_feed(source, allow_private=desk.environment.allow_private_feeds)
        import_rows(
            desk, source, read_articles(source, feed.content, charset=feed.charset, now=utc_now()), report.articles, by=by, quiet=quiet
        )
        return
    if source.startswith(POSTGRES):
        move_in(desk, source, report, by=by, quiet=quiet)
        return
    if "://" in source:  # never shown: there may be a password in it
        raise ImportRefused("An address to import from begins with http://, https:// or postgresql://.")
    path = Path(source)
    if not os.path.isfile(path):  # unlike Path.is_file, False too for a name that is too long or a folder that is closed
        raise NotFound(f"There is no file {source}.")
    import_rows(desk, path.name, read_articles(path.name, path, now=utc_now()), report.articles, by=by, quiet=quiet)


def import_rows(desk: Desk, name: str, rows: Any, report: ImportReport, *, by: Actor, quiet: bool) -> None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.completed:,.0f} rows"),
        TimeElapsedColumn(),
    )
    with interruptible() as check, Progress(*columns, console=notes, disable=quiet or not notes.is_terminal, transient=True) as bar:
        task = bar.add_task(f"Importing {name}", total=None)

        def show(done: int) -> None:
            bar.advance(task, done)
            check()

        import_articles(desk, name, rows, by=by, report=report, on_progress=show)


def finish_import(desk: Desk, report: MoveReport, as_json: bool) -> None:
    """Say what became of the rows, and write the rejected ones to a file.

    Raises:
        SettingsError: that file cannot be written; the rest was said.
    """
    folder = desk.environment.data_dir / "reports"
    try:
        path = write_report(report.articles.rejected, folder, utc_now())
    except OSError as error:
        _print_report(report, None, as_json)
        raise SettingsError(f"The rejected rows cannot be written to {folder}: {error.strerror}. Set SIGNALDESK_DATA_DIR.") from error
    _print_report(report, path, as_json)


def _print_report(moved: MoveReport, path: Path | None, as_json: bool) -> None:
    report = moved.articles
    if as_json:
        print_json(
            {
                "new": report.new,
                "updated": report.updated,
                "unchanged": report.unchanged,
                "rejected": len(report.rejected),
                "stories": report.stories,
                "reasons": report.reasons(),
                "report": str(path) if path else None,
                "publishers": moved.publishers,
                "categories": moved.categories,
                "analyses": moved.earlier["analyses"],
                "signals": moved.earlier["signals"],
                "validations": moved.earlier["validations"],
                "left_out": moved.left_out,
            }
        )
        return
    typer.echo(f"{report.new:,} new, {report.updated:,} updated, {report.unchanged:,} unchanged, {len(report.rejected):,} rejected.")
    if report.stories:
        typer.echo(f"{report.stories:,} {'story is' if report.stories == 1 else 'stories are'} told by more than one article.")
    for reason, number in report.reasons().items():
        typer.echo(f"  {number:,} × {reason}")
    if any((moved.publishers, moved.categories, moved.earlier.total())):
        typer.echo(
            f"{moved.publishers:,} new publishers, {moved.categories:,} new categories; of earlier analyses {moved.earlier['analyses']:,},"
            f" with {moved.earlier['signals']:,} signals and {moved.earlier['validations']:,} validations."
        )
    for reason, number in moved.left_out.items():
        typer.echo(f"  left out: {number:,} × {reason}")
    if path:
        typer.echo(f"The rejected rows are in {path}")
