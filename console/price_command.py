"""``signaldesk prices``: import the daily price of Bitcoin, through the same core as the Overview's upload."""

import os.path
from pathlib import Path
from typing import Annotated

import typer

from console.printing import print_json
from core.access import local
from core.clock import utc_now
from core.configuration import Desk
from core.errors import NotFound, SettingsError
from core.importers.import_articles import write_report
from core.prices import import_prices


def prices(
    file: Annotated[str, typer.Argument(help="CSV with the columns date and close (USD), also .gz.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Import the daily price of Bitcoin, to be drawn behind the narrative. Importing again replaces what differs."""
    if not os.path.isfile(file):  # unlike Path.is_file, False too for a name that is too long or a folder that is closed
        raise NotFound(f"There is no file {file}.")
    with Desk.open() as desk:
        report = import_prices(desk, Path(file).name, Path(file), by=local(desk.environment.user), now=utc_now())
        folder = desk.environment.data_dir / "reports"
        try:
            path = write_report(report.rejected, folder, utc_now())
        except OSError as error:
            raise SettingsError(
                f"The prices are imported, but the rejected rows cannot be written to {folder}: {error.strerror}. Set SIGNALDESK_DATA_DIR."
            ) from error
    if as_json:
        print_json(
            {
                "days": report.days,
                "new": report.new,
                "updated": report.updated,
                "unchanged": report.unchanged,
                "repeated": report.repeated,
                "rejected": len(report.rejected),
                "reasons": report.reasons(),
                "first": report.first,
                "last": report.last,
                "report": str(path) if path else None,
            }
        )
        return
    counts, *why = report.in_words()
    typer.echo(counts)
    for line in why:
        typer.echo(f"  {line}")
    if path:
        typer.echo(f"The rejected rows are in {path}")
