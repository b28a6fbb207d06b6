"""The command line: ``signaldesk``. Does on the same filters, through the same core, what the pages do.

Results go to standard output (``--json`` for scripts), progress and refusals to standard error. A refusal is one line; its
exit code says its kind (README, "Exit codes").
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy.orm import Session

from console.access_cli import access, token
from console.backup_cli import backup, restore
from console.exporting_cli import export
from console.importing import finish_import, import_one, import_rows
from console.interrupts import interruptible
from console.options import MOST_ID, Publishers, Since, Text, Until, publisher_ids, require_days_in_order, require_short_text
from console.price_command import prices
from console.printing import notes, print_batch, print_estimate, print_json
from console.settings_command import show_settings
from console.smoke import smoke
from console.words import money
from console.worker_cli import beat, worker
from core import batch_actions, batches, health, launching, logs, records, reports
from core.access import Actor, local
from core.article_filter import Analysed, ArticleFilter, Order
from core.budget import current_budgets
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DeskError, SettingsError
from core.executors import executor_of
from core.importers.fetching import fetch_coindesk
from core.importers.formats import read_articles
from core.models import BatchStatus, RecordStatus
from core.moving.move import MoveReport
from core.selection import Selection
from core.settings import load_settings
from core.stories.groups import group_ungrouped

app = typer.Typer(
    name="signaldesk",
    help="Find, check and review weak signals in Bitcoin news.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _set_up_logs(context: typer.Context) -> None:
    """Find, check and review weak signals in Bitcoin news."""
    with suppress(SettingsError):  # the command says so, if it needs them
        logs.set_up(load_settings(), service=context.invoked_subcommand in SERVICES)


SERVICES = frozenset({"start", "worker", "beat"})
"""Commands that run until they are stopped, and say what they do."""

SOME_FAILED = 10
PAUSED = 11
CANCELLED = 12

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Limit = Annotated[int | None, typer.Option("--limit", "-n", min=1, max=MOST_ID, help="At most so many articles.")]
Ids = Annotated[
    list[int] | None, typer.Option("--id", min=1, max=MOST_ID, help="This article; may be given several times. Other filters are ignored.")
]
Samples = Annotated[bool, typer.Option("--samples/--no-samples", help="With the sample articles, or without.")]
BatchId = Annotated[int, typer.Argument(min=1, max=MOST_ID, help="The batch's number.")]
OnePerStory = Annotated[bool, typer.Option("--one-per-story", help="Of the articles that tell the same story only one.")]
OrderBy = Annotated[Order, typer.Option("--order", help="Which articles come first, after priority publishers.")]


@app.command()
def start(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port to listen on; 0 picks a free one.")] = None,
    samples: Annotated[bool, typer.Option(help="Load the sample articles if there are no articles yet.")] = True,
) -> None:
    """Start the console: database, migrations, sample articles, web server. Prints the address.

    Beyond this machine (--host 0.0.0.0, say) it listens only with sign-in, SIGNALDESK_OIDC_CLIENT_ID, SIGNALDESK_OIDC_CLIENT_SECRET,
    SIGNALDESK_OIDC_METADATA_URL, SIGNALDESK_PUBLIC_URL and SIGNALDESK_COOKIE_SECRET, and an API token, SIGNALDESK_API_TOKEN or one
    made on the System page.
    """
    from console.server import serve

    serve(load_settings(), host=host, port=port, samples=samples)


@app.command("import")
def import_(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files (CoinDesk JSON, CSV, JSONL, RSS, Atom, also .gz), http(s) addresses of feeds, or the postgresql:// address of"
            " another newsletter's database: its tables articles, publishers and categories, and earlier analyses with their signals,"
            " are copied. That database is only read. Its password may stand in PGPASSWORD instead."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Import articles. What was rejected, and why, is written to a report.

    Importing again changes nothing that is here already, and goes on where an import was ended half-way.
    """
    settings = load_settings()
    with Desk.open(settings) as desk:
        report, by = MoveReport(), local(desk.environment.user)
        with _finishing(desk, report, as_json):
            for source in sources:
                import_one(desk, source, report, by=by, quiet=as_json)


@app.command()
def fetch(
    hours: Annotated[int, typer.Option(min=1, max=24 * 90, help="How far to go back.")] = 24,
    as_json: Json = False,
) -> None:
    """Import the news of the last hours from the CoinDesk Data API (COINDESK_API_KEY)."""
    settings = load_settings()
    if settings.coindesk_api_key is None:
        raise SettingsError("Fetching needs a key. Set COINDESK_API_KEY.")
    with Desk.open(settings) as desk:
        report, by = MoveReport(), local(desk.environment.user)
        key = settings.coindesk_api_key.get_secret_value()
        with _finishing(desk, report, as_json):
            for page in fetch_coindesk(key, hours, base_url=settings.coindesk_base_url, now=utc_now()):
                import_rows(desk, "CoinDesk", read_articles("CoinDesk", page, now=utc_now()), report.articles, by=by, quiet=as_json)


@app.command()
def estimate(
    publisher: Publishers = None,
    text: Text = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    article_id: Ids = None,
    samples: Samples = True,
    order: OrderBy = Order.NEWEST,
    one_per_story: OnePerStory = False,
    as_json: Json = False,
) -> None:
    """What analysing the articles that match would cost and take."""
    with Desk.open() as desk:
        group_ungrouped(desk)
        selection = _selection(desk, publisher, text, since, until, limit, article_id, samples, order, one_per_story)
        planned = desk.transaction(lambda session: launching.plan(session, selection, desk.settings(session)))
    print_estimate(planned, launching.reasons_in_words(planned.skipped), by_story=one_per_story, as_json=as_json)


@app.command()
def analyze(
    publisher: Publishers = None,
    text: Text = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    article_id: Ids = None,
    samples: Samples = True,
    order: OrderBy = Order.NEWEST,
    one_per_story: OnePerStory = False,
    budget: Annotated[float | None, typer.Option(min=0, max=999_999, help="USD that this batch may spend at most.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Idempotency key: the same key never makes two batches.")] = None,
    as_json: Json = False,
) -> None:
    """Analyse the articles that match, and wait for the end. Interrupting pauses the batch."""
    require_short_text("--key", key or "")
    with Desk.open() as desk:
        group_ungrouped(desk)
        selection = _selection(desk, publisher, text, since, until, limit, article_id, samples, order, one_per_story)
        with desk.database.session() as session:
            settings = desk.settings(session)
            batch_id = launching.launch(
                session,
                selection,
                settings,
                by=local(settings.user),
                now=utc_now(),
                idempotency_key=key,
                budget=Decimal(str(budget)) if budget is not None else None,
            )
        raise typer.Exit(_run_to_the_end(desk, batch_id, as_json))


@app.command()
def resume(batch_id: BatchId, as_json: Json = False) -> None:
    """Resume a paused batch, and wait for the end."""
    _act_and_run(lambda session, by: batch_actions.resume(session, batch_id, by=by), batch_id, as_json)


@app.command()
def retry(batch_id: BatchId, as_json: Json = False) -> None:
    """Run the failed articles of a batch again, and wait for the end."""
    _act_and_run(lambda session, by: batch_actions.retry_failed(session, batch_id, by=by), batch_id, as_json)


@app.command()
def pause(batch_id: BatchId) -> None:
    """Pause a batch that runs anywhere: what is in flight finishes, nothing more is claimed."""
    with Desk.open() as desk, desk.database.session() as session:
        batch_actions.pause(session, batch_id, by=local(desk.environment.user))
    notes.print(f"Batch {batch_id} is paused.")


@app.command()
def cancel(batch_id: BatchId) -> None:
    """Cancel a batch: what is done is kept."""
    with Desk.open() as desk, desk.database.session() as session:
        batch_actions.cancel(session, batch_id, by=local(desk.environment.user), now=utc_now())
    notes.print(f"Batch {batch_id} is cancelled.")


@app.command()
def status(
    batch_id: Annotated[int | None, typer.Argument(min=1, max=MOST_ID, help="A batch's number; without it, the whole desk.")] = None,
    as_json: Json = False,
) -> None:
    """The desk's state, or one batch's."""
    with Desk.open() as desk, desk.database.session() as session:
        settings = desk.settings(session)
        if batch_id is not None:
            print_batch(batches.progress(session, batch_id), as_json)
            return
        today = reports.today(session, launching.readiness(settings))
        budgets = current_budgets(session, settings, utc_now())
        recent = batches.recent(session, 5)
        facts = {
            "articles": today.articles,
            "analysis_ready": today.ready.value if today.ready.exact else f">{today.ready.value}",
            "in_flight": today.running,
            "waiting": today.waiting,
            "to_review": today.to_review,
            "accepted": today.accepted,
            "model": settings.resolved_model,
            "research": settings.resolved_research,
            "database": desk.database.address,
            "budgets": {state.label: {"limit": state.limit, "spent": state.spent, "reserved": state.reserved} for state in budgets},
            "batches": [{"id": batch.id, "status": batch.status, "done": batch.ended, "total": batch.total} for batch in recent],
        }
    if as_json:
        print_json(facts)
        return
    lines = {name.replace("_", " "): str(value) for name, value in facts.items() if name not in ("budgets", "batches")}
    for state in budgets:
        lines[f"budget {state.label}"] = f"{money(state.spent)} of {money(state.limit)} spent, {money(state.reserved)} reserved"
    for batch in recent:
        lines[f"batch {batch.id}"] = f"{batch.status.value}: {batch.ended} of {batch.total}, {money(batch.spent_usd)}"
    for name, words in lines.items():
        typer.echo(f"{name:<{max(map(len, lines))}}  {words}")


app.command()(export)
app.command()(backup)
app.command()(restore)
app.command()(prices)
app.command()(worker)
app.command()(beat)
app.command("settings")(show_settings)
app.command()(smoke)
app.add_typer(access, name="access")
app.add_typer(token, name="token")


# --- pieces of the commands ------------------------------------------------------------------------------------------


def _selection(
    desk: Desk,
    names: list[str] | None,
    text: str,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    ids: list[int] | None,
    samples: bool,
    order: Order,
    one_per_story: bool,
) -> Selection:
    if ids:
        return Selection.of_ids(ids, one_per_story=one_per_story)
    require_short_text("--text", text)
    require_days_in_order(since, until)
    article_filter = ArticleFilter(
        ready_only=True,
        publishers=publisher_ids(desk, names or ()),
        text=text,
        since=since.date() if since else None,
        until=until.date() if until else None,
        analysed=Analysed.ANY,
        samples=samples,
        order=order,
    )
    return Selection.of_filter(article_filter, limit, one_per_story=one_per_story)


@contextmanager
def _finishing(desk: Desk, report: MoveReport, as_json: bool) -> Iterator[None]:
    """An import whose source is refused half-way, or that is interrupted, still says what it took before that."""
    try:
        yield
    except DeskError:
        if not report.is_empty:
            finish_import(desk, report, as_json)
        raise
    except KeyboardInterrupt:
        finish_import(desk, report, as_json)
        notes.print("Interrupted. What was imported is kept; the same command goes on from there.")
        raise typer.Exit(130) from None
    finish_import(desk, report, as_json)


def _act_and_run(action: Callable[[Session, Actor], object], batch_id: int, as_json: bool) -> None:
    """Do something to a batch that has it run again, and wait for the end."""
    with Desk.open() as desk:
        desk.transaction(lambda session: action(session, local(desk.environment.user)))
        raise typer.Exit(_run_to_the_end(desk, batch_id, as_json))


def _run_to_the_end(desk: Desk, batch_id: int, as_json: bool) -> int:
    """Run an executor in this process until the batch is not running any more; returns the exit code."""
    executor = executor_of(desk)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[cost]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with interruptible() as check:
            executor.start()
            missing = desk.transaction(lambda session: health.what_is_missing(health.worker_states(session), desk.environment, utc_now()))
            if health.NO_WORKER in missing:
                notes.print(health.NO_WORKER)
            with Progress(*columns, console=notes, disable=as_json or not notes.is_terminal, transient=True) as bar:
                task = bar.add_task(f"Batch {batch_id}", total=None, cost="")
                while True:
                    check()
                    with desk.database.session() as session:
                        state = batches.progress(session, batch_id)
                    bar.update(task, total=state.total, completed=state.ended, cost=money(state.spent_usd))
                    if state.status not in BatchStatus.claimable():
                        break
                    time.sleep(0.2)
    except KeyboardInterrupt:
        with desk.database.session() as session:
            why = f"Interrupted on the command line. 'signaldesk resume {batch_id}' goes on."
            batch_actions.pause(session, batch_id, why, by=local(desk.environment.user))
        notes.print(f"Paused. 'signaldesk resume {batch_id}' goes on.")
    finally:
        executor.stop()
    with desk.database.session() as session:
        state = batches.progress(session, batch_id)
        failed = records.rows(session, batch_id, statuses=[RecordStatus.FAILED], size=5)
    print_batch(state, as_json)
    if not as_json:
        for record in failed:
            notes.print(f"  failed: {record.title[:80]}: {record.error_message}")
    if state.status is BatchStatus.PAUSED:
        return PAUSED
    if state.status is BatchStatus.CANCELLED:
        return CANCELLED
    return SOME_FAILED if state.counts[RecordStatus.FAILED] else 0


def main() -> None:
    """Entry point: a refusal is one line on standard error and its own exit code."""
    try:
        app()
    except DeskError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # of a file or folder that was named, such as a data directory that is none
        if error.filename is None:
            raise
        typer.echo(f"{str(error.filename)[:200]} cannot be used: {error.strerror}.", err=True)
        sys.exit(SettingsError.exit_code)


if __name__ == "__main__":
    main()
