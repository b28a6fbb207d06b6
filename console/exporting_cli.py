"""``signaldesk export``: on the Signals page's own filter, through the same core."""

import gc
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from console.options import MOST_ID, Publishers, Since, Until, publisher_ids, require_days_in_order, require_short_text
from console.printing import notes
from core import batches, exports
from core.access import Actor, local
from core.agents.outputs import SignalKind, Verdict
from core.clock import utc_now
from core.configuration import Desk
from core.errors import SettingsError
from core.exports import Export, Format, Table
from core.signal_filter import Reviewed, SignalFilter, SignalOrder

SUFFIXES = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".parquet": Format.PARQUET, ".html": Format.BRIEFING}


def _table(name: str) -> Table:
    try:
        return Table(name)
    except ValueError as error:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(Table)}.") from error


def _format_of(output: Path | None) -> Format:
    """The format that a file's ending names; CSV for standard output.

    Raises:
        SettingsError: the ending names none.
    """
    if output is None or str(output) == "-":
        return Format.CSV
    if (found := SUFFIXES.get(output.suffix.lower())) is None:
        raise SettingsError(f"The ending of {output.name} names no format: end it in {', '.join(SUFFIXES)}, or give one with --format.")
    return found


def export(
    table: Annotated[Table, typer.Argument(parser=_table, metavar="|".join(Table), help="What to export.")] = Table.SIGNALS,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; standard output without it.")] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", "-f", help="Without it, by the ending of the file, else CSV. A briefing is HTML.")
    ] = None,
    bom: Annotated[bool, typer.Option("--bom", help="CSV: begin with a byte order mark, for spreadsheets.")] = False,
    batch_id: Annotated[int | None, typer.Option("--batch", min=1, max=MOST_ID, help="Only this batch.")] = None,
    article_id: Annotated[int | None, typer.Option("--article", min=1, max=MOST_ID, help="Only this article.")] = None,
    kind: Annotated[list[SignalKind] | None, typer.Option(help="Signals: only this kind; may be given several times.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Signals: only this category; may be given several times.")] = None,
    verdict: Annotated[list[Verdict] | None, typer.Option(help="Signals: only this verdict; may be given several times.")] = None,
    reviewed: Annotated[Reviewed, typer.Option(help="Signals: only those with this decision.")] = Reviewed.ANY,
    publisher: Publishers = None,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Signals: of at least this confidence.")] = 0.0,
    text: Annotated[str, typer.Option("--text", "-t", help="Signals: only with these words, in the signal or its article.")] = "",
    since: Since = None,
    until: Until = None,
    samples: Annotated[bool, typer.Option("--samples/--no-samples", help="Signals: with those of the sample articles, or without.")] = True,
    order: Annotated[SignalOrder, typer.Option(help="Signals: which come first.")] = SignalOrder.STRONGEST,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
) -> None:
    """Export signals, analyses, records or the ledger, with a manifest beside the file."""
    require_days_in_order(since, until)
    chosen = format_ or (Format.JSONL if as_json else _format_of(output))
    require_short_text("--text", text)
    for name in category or ():
        require_short_text("--category", name)
    with Desk.open() as desk:
        settings = desk.transaction(desk.settings)
        signals = SignalFilter(
            kinds=tuple(kind or ()),
            categories=tuple(category or ()),
            verdicts=tuple(verdict or ()),
            reviewed=reviewed,
            publishers=publisher_ids(desk, publisher or ()),
            minimum_confidence=confidence,
            text=text,
            since=since.date() if since else None,
            until=until.date() if until else None,
            without_samples=not samples,
            order=order,
            blind_share=settings.blind_share,
        )
        if table is not Table.SIGNALS and signals != SignalFilter(blind_share=settings.blind_share):
            raise SettingsError(f"Only --batch and --article narrow {table.value}; the other filters are of signals.")
        if bom and chosen is not Format.CSV:
            raise SettingsError(f"--bom is of CSV, not of {chosen.value}.")
        if batch_id is not None:
            desk.transaction(lambda session: batches.progress(session, batch_id))  # says so when there is none
        wanted = Export(table, chosen, signals, batch_id, article_id, bom)
        if output is None or str(output) == "-":
            if chosen is Format.PARQUET:
                raise SettingsError("Parquet is written to a file: give one with --output.")
            exports.write_to(desk, wanted, sys.stdout.buffer, by=local(settings.user), now=utc_now())
            sys.stdout.buffer.flush()
            return
        manifest = _with_progress(desk, wanted, output, by=local(settings.user), now=utc_now())
    rows = f"{manifest.count:,} row{'' if manifest.count == 1 else 's'}"
    notes.print(f"Wrote {output}: {rows}, and {output.name}.manifest.json beside it.")


def _with_progress(desk: Desk, wanted: Export, output: Path, *, by: Actor, now: datetime) -> exports.Manifest:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl+C: what was begun is cleaned up
    gc.freeze()  # nothing that is imported by now is garbage; not to look at it again makes an export a tenth faster
    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=notes, disable=not notes.is_terminal, transient=True) as bar:
        task = bar.add_task(f"Exporting {wanted.table.value}", total=None)
        return exports.write(
            desk, wanted, output, by=by, now=now, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
