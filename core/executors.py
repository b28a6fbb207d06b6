"""Who runs a process's batches: the pool in it, or Celery's workers elsewhere, as the settings say."""

from typing import Protocol

from core.configuration import Desk


class Executor(Protocol):
    """What a console starts, wakes after each change, and stops at its end."""

    def start(self) -> None: ...
    def wake(self) -> None: ...
    def stop(self) -> None: ...


def executor_of(desk: Desk, *, schedules: bool = False) -> Executor:
    """The executor that is set. In the pool it also does the long jobs of the schedule if it ``schedules``; for Celery the beat does.

    The libraries of each are imported only where they are used: they are slow to.
    """
    if desk.environment.executor == "celery":
        from core.dispatching import Dispatching

        return Dispatching(desk)
    from core.orchestrator import Orchestrator

    return Orchestrator(desk, schedules=schedules)
