"""The schedule: what the desk does by itself, at its times, exactly once however many processes look.

Each job is a row of ``schedule``. Whoever finds one due takes it by a locked update of its row, which also says when it is due
next, so a time that was missed (the machine slept, nothing ran) is made up for once, at the next look. A quick job is done in
the transaction that took it; a long one is held under a lease that its process renews, and should that process die the job
runs again at its next time. Called by supervisors; a page reads and asks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, records, rollups, sign_ins, spending
from core.access import Actor, Permission
from core.audit import Action
from core.budget import ensure_budgets, settle_forgotten
from core.errors import NotFound, NotPossible
from core.models import ScheduledJob
from core.settings import Settings

HELD = timedelta(minutes=2)
"""A long job whose process has not renewed it for so long is taken for dead."""
DAY = timedelta(days=1)


class Job(StrEnum):
    FETCH = "fetch"
    NIGHTLY = "nightly"
    LEASES = "leases"
    RESERVATIONS = "reservations"
    ROLLUPS = "roll-ups"
    BUDGETS = "budgets"
    SIGN_INS = "sign-ins"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a job is. ``every`` counts from midnight UTC, and ``after`` it."""

    title: str
    help: str
    every: timedelta
    after: timedelta = timedelta(0)
    is_optional: bool = False
    """It can be switched off; the others keep the desk right."""
    is_on: bool = True
    """Unless somebody switches it."""
    is_long: bool = False
    comes_back: bool = False
    """It is due until it has ended: one whose process died is done by another, and not only at its next time."""


KINDS = {
    Job.FETCH: Kind(
        "Fetch new articles",
        "From the feeds below, and from CoinDesk where there is a key.",
        timedelta(hours=4),
        is_optional=True,
        is_long=True,
    ),
    Job.NIGHTLY: Kind(
        "Nightly run",
        "Launches what a filter matches, within a budget.",
        DAY,
        timedelta(hours=2),
        is_optional=True,
        is_on=False,
        is_long=True,
        comes_back=True,
    ),
    Job.LEASES: Kind("Take back expired leases", "Articles of workers that died wait again.", timedelta(seconds=10)),
    Job.RESERVATIONS: Kind("Release stale reservations", "Calls that nobody ended count at their worst case.", timedelta(minutes=5)),
    Job.ROLLUPS: Kind("Fold roll-ups", "Keeps the rows few that figures are summed from.", rollups.FOLD_EVERY),
    Job.BUDGETS: Kind("Turn of the budgets", "The new day's and month's limits are there from its first minute.", DAY),
    Job.SIGN_INS: Kind("Forget ended sign-ins", "Those whose cookies have run out by themselves.", DAY, timedelta(hours=1)),
}
QUICK = tuple(job for job, kind in KINDS.items() if not kind.is_long)
LONG = tuple(job for job, kind in KINDS.items() if kind.is_long)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it stands."""

    name: Job
    enabled: bool
    every_seconds: int
    next_at: datetime
    asked_at: datetime | None
    options: dict[str, Any]
    running_owner: str | None
    running_until: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    failed: bool | None
    result: str | None

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def is_running(self, now: datetime) -> bool:
        return self.running_owner is not None and self.running_until is not None and self.running_until >= now


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that is to be done now. ``due`` is the time for which, ``last`` the end of the run before that went well."""

    name: Job
    due: datetime
    last: datetime | None
    options: dict[str, Any]


_COLUMNS = [getattr(ScheduledJob, name) for name in JobRow.__dataclass_fields__]


def following(now: datetime, every: timedelta, after: timedelta = timedelta(0)) -> datetime:
    """The first time later than ``now`` of those that lie ``every`` apart, counted from midnight UTC and ``after`` it."""
    midnight = datetime(2000, 1, 1, tzinfo=UTC) + after
    return midnight + ((now - midnight) // every + 1) * every


def ensure_jobs(session: Session, now: datetime) -> None:
    """Make the rows that are not there yet, due at their next times."""
    rows = [
        {
            "name": job.value,
            "enabled": kind.is_on,
            "every_seconds": int(kind.every.total_seconds()),
            "next_at": following(now, kind.every, kind.after),
        }
        for job, kind in KINDS.items()
    ]
    session.execute(insert(ScheduledJob).values(rows).on_conflict_do_nothing(index_elements=["name"]))


def jobs(session: Session) -> list[JobRow]:
    """All jobs, in the order of ``Job``; none before a supervisor ran for the first time."""
    known = {row[0]: row for row in session.execute(select(*_COLUMNS))}
    return [JobRow(job, *known[job.value][1:]) for job in Job if job.value in known]


# --- what supervisors do ---------------------------------------------------------------------------------------------


def due(session: Session, now: datetime) -> list[Job]:
    """The jobs that are to be done now and that nobody does, longest due first. Takes none."""
    names = select(ScheduledJob.name).where(*_to_be_done(now)).order_by(ScheduledJob.next_at)
    return [Job(name) for name in session.scalars(names) if name in set(Job)]


def take(session: Session, names: Sequence[Job], *, owner: str, now: datetime) -> Taken | None:
    """Take the longest due of the named jobs; None when none is due, or all that are lie in other hands."""
    found = (
        select(ScheduledJob)
        .where(ScheduledJob.name.in_([name.value for name in names]), *_to_be_done(now))
        .order_by(ScheduledJob.next_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    job = session.scalar(found)
    if job is None:
        return None
    kind = KINDS[Job(job.name)]
    taken = Taken(Job(job.name), job.asked_at or job.next_at, job.ended_at if job.failed is False else None, job.options)
    job.running_owner, job.running_until, job.started_at, job.asked_at = owner, now + HELD, now, None
    if not kind.comes_back:
        _move_on(job, now)
    session.flush()
    return taken


def renew(session: Session, name: Job, *, owner: str, now: datetime) -> None:
    """Say that a long job is still being done."""
    held = update(ScheduledJob).where(ScheduledJob.name == name.value, ScheduledJob.running_owner == owner)
    session.execute(held.values(running_until=now + HELD))


def end(session: Session, name: Job, result: str, *, failed: bool, owner: str, now: datetime) -> None:
    """Write down how a job ended; nothing where it was taken for dead meanwhile."""
    held = select(ScheduledJob).where(ScheduledJob.name == name.value, ScheduledJob.running_owner == owner).with_for_update()
    job = session.scalar(held)
    if job is not None:
        job.running_owner, job.running_until, job.ended_at, job.failed, job.result = None, None, now, failed, result[:2_000]
        _move_on(job, now)
        session.flush()


def _move_on(job: ScheduledJob, now: datetime) -> None:
    if job.next_at <= now:
        job.next_at = following(now, timedelta(seconds=job.every_seconds), _after(KINDS[Job(job.name)], job.options))


def do_quick(session: Session, job: Job, settings: Settings, *, owner: str, now: datetime) -> bool:
    """Do one of the quick jobs, taking it and ending it in this transaction. Returns False where it is not due any more."""
    if take(session, [job], owner=owner, now=now) is None:
        return False
    end(session, job, _QUICKLY[job](session, settings, now), failed=False, owner=owner, now=now)
    return True


def _expire_leases(session: Session, _: Settings, now: datetime) -> str:
    queued = records.recover(session, (), now=now)
    return f"{queued:,} queued again." if queued else "None had expired."


def _release(session: Session, _: Settings, now: datetime) -> str:
    ended = settle_forgotten(session, now=now)
    return f"{ended:,} ended at their worst case." if ended else "None was stale."


def _fold(session: Session, _: Settings, now: datetime) -> str:
    rollups.fold(session)
    spending.fold(session)
    return "Folded."


def _turn_budgets(session: Session, settings: Settings, now: datetime) -> str:
    ensure_budgets(session, settings, now)
    return f"The budgets of {now:%Y-%m-%d} and {now:%Y-%m} are there."


def _forget_sign_ins(session: Session, _: Settings, now: datetime) -> str:
    gone = sign_ins.forget(session, now)
    return f"{gone:,} forgotten." if gone else "None had run out."


_QUICKLY: dict[Job, Callable[[Session, Settings, datetime], str]] = {
    Job.LEASES: _expire_leases,
    Job.RESERVATIONS: _release,
    Job.ROLLUPS: _fold,
    Job.BUDGETS: _turn_budgets,
    Job.SIGN_INS: _forget_sign_ins,
}


# --- what people do --------------------------------------------------------------------------------------------------


def run_now(session: Session, name: Job, *, by: Actor, now: datetime) -> None:
    """Have a job done at the next look, switched on or not; its times stay as they are. Asking twice is asking once.

    Raises:
        NotFound: the schedule was never looked at.
    """
    by.require(Permission.SETTINGS)
    asked = update(ScheduledJob).where(ScheduledJob.name == name.value).values(asked_at=now)
    if not session.execute(asked.returning(ScheduledJob.name)).first():
        raise NotFound("The schedule has not begun yet; it does within seconds of the console's start.")
    audit.record(session, by, Action.RUN_JOB, ("job", name.value))


def switch(session: Session, name: Job, enabled: bool, *, by: Actor, now: datetime) -> None:
    """Switch a job on or off. One that is switched on is due at its next time, not for those it missed.

    Raises:
        NotPossible: the desk needs it.
        NotFound: the schedule was never looked at.
    """
    by.require(Permission.SETTINGS)
    kind = KINDS[name]
    if not kind.is_optional:
        raise NotPossible(f"'{kind.title}' keeps the desk right and stays on.")
    job = _held(session, name)
    before = {"enabled": job.enabled}
    job.enabled = enabled
    job.next_at = following(now, timedelta(seconds=job.every_seconds), _after(kind, job.options))
    audit.record(session, by, Action.SWITCH_JOB, ("job", name.value), before=before, after={"enabled": enabled})


def save_options(session: Session, name: Job, options: dict[str, Any], *, by: Actor, now: datetime) -> None:
    """Keep how a job is to be done (plain JSON), and reckon its next time by it.

    Raises:
        NotFound: the schedule was never looked at.
    """
    by.require(Permission.SETTINGS)
    job = _held(session, name)
    audit.record(session, by, Action.SWITCH_JOB, ("job", name.value), before=job.options, after=options)
    job.options = options
    job.next_at = following(now, timedelta(seconds=job.every_seconds), _after(KINDS[name], options))


def _to_be_done(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """It is due or was asked for, and nobody is at it."""
    is_due = ScheduledJob.asked_at.is_not(None) | (ScheduledJob.enabled & (ScheduledJob.next_at <= now))
    return is_due, ScheduledJob.running_owner.is_(None) | (ScheduledJob.running_until < now)


def _held(session: Session, name: Job) -> ScheduledJob:
    job = session.scalar(select(ScheduledJob).where(ScheduledJob.name == name.value).with_for_update())
    if job is None:
        raise NotFound("The schedule has not begun yet; it does within seconds of the console's start.")
    return job


def _after(kind: Kind, options: dict[str, Any]) -> timedelta:
    hour = options.get("hour")
    return timedelta(hours=hour) if isinstance(hour, int) else kind.after
