"""``signaldesk import postgresql://…``: another newsletter's database, with a progress bar and a report of what came over."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from console.interrupts import interruptible
from console.printing import notes
from core.access import Actor
from core.clock import utc_now
from core.configuration import Desk
from core.moving.move import MoveReport, Step, move


def move_in(desk: Desk, url: str, report: MoveReport, *, by: Actor, quiet: bool) -> None:
    """Import from another database; interrupting keeps what was imported.

    Raises:
        ImportRefused, SettingsError, DatabaseUnavailable: as ``core.moving.move.move``.
        KeyboardInterrupt: on Ctrl+C and SIGTERM.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with interruptible() as check, Progress(*columns, console=notes, disable=quiet or not notes.is_terminal, transient=True) as bar:
        tasks = {what: bar.add_task(f"Importing {what}", total=None, visible=False) for what in ("articles", "analyses")}

        def show(step: Step) -> None:
            bar.update(tasks[step.what], completed=step.done, total=step.total, visible=True)
            check()

        move(desk, url, by=by, now=utc_now(), report=report, on_progress=show)
