"""``signaldesk worker`` and ``signaldesk beat``: the processes beside the console where Celery runs the batches."""

import signal
import threading
from typing import Annotated

import typer

from console.printing import announce
from core.broker import shown_address
from core.configuration import Desk
from core.errors import SettingsError
from core.settings import Settings, load_settings

NAME_MOST = 100


def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Tasks at once, each of SIGNALDESK_BATCH_CHUNK articles. Default: enough for SIGNALDESK_CONCURRENCY articles.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What this worker is called on System; several on one machine need different ones.")] = "worker",
) -> None:
    """Run a worker: takes chunks of launched batches from the queue until it is told to end (SIGTERM, Ctrl+C)."""
    settings = _celery_settings("worker")
    if not (name.strip() and name.isprintable() and len(name) <= NAME_MOST):
        raise SettingsError(f"--name takes 1 to {NAME_MOST} characters in one line.")
    from core.celery_worker import CeleryWorker, slots_for  # the agents' libraries are slow to import

    with Desk.open(settings) as desk:
        slots = concurrency or slots_for(desk.transaction(desk.settings))
        running = CeleryWorker(desk, name=name, slots=slots)
        words = f"worker {name} takes {slots} {'task' if slots == 1 else 'tasks'} at a time from {shown_address(settings)}"
        code = running.run(on_ready=lambda: announce(words))
    raise typer.Exit(code)


def beat() -> None:
    """Run the schedule (fetching, the nightly run, housekeeping) until told to end; where Celery runs the batches the console does not.

    Several do no harm: each job is done once.
    """
    settings = _celery_settings("beat")
    from core.dispatching import Dispatching

    ending = threading.Event()
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda *_: ending.set())
    with Desk.open(settings) as desk:
        running = Dispatching(desk, schedules=True)
        running.start()
        announce("the schedule runs.")
        ending.wait()
        running.stop()


def _celery_settings(command: str) -> Settings:
    settings = load_settings()
    if settings.executor != "celery":
        raise SettingsError(f"'signaldesk {command}' is for Celery. Set SIGNALDESK_EXECUTOR=celery and CELERY_BROKER_URL.")
    return settings
