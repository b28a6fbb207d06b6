"""Who runs a process's batches: the pool in it, or Celery's workers elsewhere, as the settings say."""

from core.configuration import Desk
from core.dispatching import Dispatching
from core.orchestrator import Orchestrator


def executor_of(desk: Desk) -> Orchestrator | Dispatching:
    """What a console starts, wakes after each change, and stops at its end."""
    return Dispatching(desk) if desk.environment.executor == "celery" else Orchestrator(desk)
