"""What each worker does right now: the articles that it holds, and which call each of them waits for. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.models import Worker

MOST = 256
"""Articles in work of one batch at most: the widest a batch may be set."""


class Stage(StrEnum):
    QUEUED = "waiting for its turn"
    ANALYSIS = "content analysis"
    SEARCH = "searching"
    VALIDATION = "signal validation"
    RETRY = "waiting to try again"
    BETWEEN = "between two calls"


@dataclass(frozen=True, slots=True)
class Work:
    """An article in work."""

    record_id: int
    article_id: int | None
    title: str
    worker: str
    stage: Stage
    trouble: str | None
    """Why the last call failed, while it waits to try again."""
    since: datetime
    """When the stage began."""
    claimed_at: datetime
    lease_expires_at: datetime
    attempt: int
    calls: int
    """In flight."""


@dataclass(frozen=True, slots=True)
class WorkerNow:
    """A worker that holds articles of the batch. ``heartbeat_at`` is None once it is not registered any more."""

    owner: str
    heartbeat_at: datetime | None
    work: tuple[Work, ...]

    @property
    def stages(self) -> dict[Stage, int]:
        """How many articles are in each stage, in the order of the pipeline, without empty ones."""
        stages = [one.stage for one in self.work]
        return {stage: stages.count(stage) for stage in Stage if stage in stages}


def stage_of(agent: str | None, kind: str | None, *, reserved: bool, failed: bool) -> Stage:
    """The stage that an article's newest call stands for. ``agent`` is None where none was made since the claim."""
    if agent is None:
        return Stage.QUEUED
    if not reserved:
        return Stage.RETRY if failed else Stage.BETWEEN
    if kind == "search":
        return Stage.SEARCH
    return Stage.VALIDATION if agent == "signal_validation" else Stage.ANALYSIS


_WORK = text(
    """
SELECT r.id, r.article_id, r.article_title, r.lease_owner, r.started_at, r.lease_expires_at, r.attempts,
       call.agent, call.kind, call.status = 'RESERVED' AS reserved, call.error_kind, call.error_message,
       coalesce(call.since, r.started_at) AS since, coalesce(call.open, 0) AS open
FROM batch_records r LEFT JOIN LATERAL (
    SELECT agent, kind, status, error_kind, error_message, coalesce(settled_at, created_at) AS since,
           count(*) FILTER (WHERE status = 'RESERVED') OVER () AS open
    FROM ledger_entries WHERE record_id = r.id AND created_at >= r.started_at
    ORDER BY status = 'RESERVED' DESC, coalesce(settled_at, created_at) DESC, id DESC LIMIT 1
) AS call ON true
WHERE r.batch_id = :batch AND r.status = 'PROCESSING' AND r.lease_owner IS NOT NULL
ORDER BY r.position LIMIT :most
"""
)


def workers_now(session: Session, batch_id: int) -> list[WorkerNow]:
    """The workers of a batch with what each of them does, by name; of more than ``MOST`` articles the first ones."""
    held: dict[str, list[Work]] = {}
    for row in session.execute(_WORK, {"batch": batch_id, "most": MOST}):
        stage = stage_of(row.agent, row.kind, reserved=bool(row.reserved), failed=row.error_kind is not None)
        work = Work(
            row.id,
            row.article_id,
            row.article_title,
            row.lease_owner,
            stage,
            row.error_message if stage is Stage.RETRY else None,
            row.since,
            row.started_at,
            row.lease_expires_at,
            row.attempts,
            row.open,
        )
        held.setdefault(row.lease_owner, []).append(work)
    beats = dict(session.execute(select(Worker.owner, Worker.heartbeat_at).where(Worker.owner.in_(held))).all())
    return [WorkerNow(owner, beats.get(owner), tuple(work)) for owner, work in sorted(held.items())]
