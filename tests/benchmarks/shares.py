"""CPU that a run took, by who took it: the desk's own processes, Postgres and the providers' stand-in."""

from collections.abc import Sequence

import psutil
from sqlalchemy import text

from core.configuration import Desk
from tests.loopback import LoopbackProviders


class Shares:
    """Looks at the processes when made, and again when asked."""

    def __init__(self, desk: Desk, providers: LoopbackProviders, own: Sequence[int]) -> None:
        """``own`` are the pids of the desk's processes that do the work."""
        self._providers = providers
        self._own = [psutil.Process(pid) for pid in own]
        backend = desk.transaction(lambda session: session.scalar(text("SELECT pg_backend_pid()")))
        self._postmaster = psutil.Process(backend).parent()
        self._before = self._now()

    def a_piece(self, pieces: int) -> tuple[float, float, float]:
        """Milliseconds since then for each of ``pieces``: of the desk, of Postgres, and of the stand-in."""
        own, postgres, providers = ((now - before) / pieces * 1000 for now, before in zip(self._now(), self._before, strict=True))
        return own, postgres, providers

    def _now(self) -> tuple[float, float, float]:
        assert self._postmaster is not None
        ended = self._postmaster.cpu_times()  # with its children that have ended
        postgres = sum(ended[:4]) + sum(sum(child.cpu_times()[:2]) for child in self._postmaster.children())
        return sum(sum(process.cpu_times()[:2]) for process in self._own), postgres, float(self._providers.served()["cpu_seconds"])
