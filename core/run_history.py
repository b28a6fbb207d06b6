"""A batch over time: articles ended, money and what was in flight, in some sixty steps from its start to now.

``history`` reads two aggregates of one batch; ``buckets`` makes the steps of them and is pure.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Double, Row, bindparam, func, select, text
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.models import BatchRecord, BatchSession, BatchStatus, LedgerEntry, RecordStatus

MOST_BUCKETS = 60
_DAY = 86_400
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, _DAY)
"""Seconds, as people divide an hour and a day."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What began and ended in one bucket, each with the sum of its seconds since the bucket's beginning."""

    begun: int = 0
    begun_seconds: float = 0.0
    ended: int = 0
    ended_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step: articles that ended, USD of the calls that ended, and means over the step of what was under way."""

    at: datetime
    completed: int
    failed: int
    usd: Decimal
    articles: float
    """Articles in work."""
    calls: float
    """Calls in flight."""


@dataclass(frozen=True, slots=True)
class History:
    """A batch's steps of ``seconds`` each; the last one may be younger."""

    seconds: int
    buckets: tuple[Bucket, ...]


def division(duration: float) -> tuple[int, int]:
    """The width in seconds and the number of the buckets that cover ``duration`` seconds: the narrowest that are not too many."""
    fitting = (step for step in _STEPS if duration <= step * MOST_BUCKETS)
    width = next(fitting, 0) or math.ceil(duration / (MOST_BUCKETS * _DAY)) * _DAY
    return width, max(math.ceil(duration / width), 1)


def in_flight(flows: Mapping[int, Flow], spans: Iterable[float]) -> list[float]:
    """The mean number under way in each bucket; ``spans`` are the buckets' seconds.

    What goes through a bucket counts all of it; what begins in it the rest from then on; what ends in it is taken off again.
    """
    found, under_way = [], 0
    for number, span in enumerate(spans):
        flow = flows.get(number, Flow())
        seconds = under_way * span + flow.begun * span - flow.begun_seconds - (flow.ended * span - flow.ended_seconds)
        found.append(max(seconds / span, 0.0) if span > 0 else float(under_way + flow.begun - flow.ended))
        under_way += flow.begun - flow.ended
    return found


def buckets(
    start: datetime,
    until: datetime,
    articles: Mapping[int, Flow],
    calls: Mapping[int, Flow],
    completed: Mapping[int, int],
    failed: Mapping[int, int],
    usd: Mapping[int, Decimal],
) -> History:
    """The steps from ``start`` to ``until``; each mapping is by the number of the bucket, from 0."""
    duration = max((until - start).total_seconds(), 0.0)
    width, number = division(duration)
    spans = [min(width, duration - width * step) for step in range(number)]
    in_work, in_the_air = in_flight(articles, spans), in_flight(calls, spans)
    return History(
        width,
        tuple(
            Bucket(
                start + timedelta(seconds=width * step),
                completed.get(step, 0),
                failed.get(step, 0),
                usd.get(step, Decimal(0)),
                in_work[step],
                in_the_air[step],
            )
            for step in range(number)
        ),
    )


# Grouped by where a thing began and where it ended: a row a thing, and few groups. Moments are held within the time shown, so that what
# was entered a moment before the batch's own start counts from there.
_FLOWS = text(
    """
WITH things AS (
    SELECT 'article' AS what, status, 0.0 AS usd, date_part('epoch', started_at) - :start AS began,
           CASE WHEN status <> 'PROCESSING' THEN date_part('epoch', finished_at) - :start END AS left_off
    FROM batch_records
    WHERE batch_id = :batch AND status IN ('PROCESSING', 'COMPLETED', 'FAILED') AND started_at IS NOT NULL
    UNION ALL
    SELECT 'call', '', usd, date_part('epoch', created_at) - :start, date_part('epoch', settled_at) - :start
    FROM ledger_entries WHERE batch_id = :batch
), held AS (
    SELECT what, status, usd, CASE WHEN began < 0 THEN 0 WHEN began > :duration THEN :duration ELSE began END AS began,
           CASE WHEN left_off < 0 THEN 0 WHEN left_off > :duration THEN :duration ELSE left_off END AS left_off
    FROM things
)
SELECT what, status, least(floor(began / :width), :last)::int AS first,
       CASE WHEN left_off IS NOT NULL THEN least(floor(left_off / :width), :last)::int END AS final,  -- least() passes over a null
       count(*) AS number, sum(began) AS began, sum(left_off) AS left_off, sum(usd) AS usd
FROM held GROUP BY what, status, first, final
"""
).bindparams(bindparam("start", type_=Double()), bindparam("duration", type_=Double()))


def history(session: Session, batch_id: int, *, now: datetime) -> History | None:
    """A batch over time; None until it has begun. Up to now while it runs, else up to the last thing that happened.

    Raises:
        NotFound: there is no such batch.
    """
    batch = session.execute(
        select(BatchSession.status, BatchSession.started_at, BatchSession.finished_at).where(BatchSession.id == batch_id)
    ).one_or_none()
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}.")
    if batch.started_at is None:
        return None
    until = max(now if batch.status in BatchStatus.claimable() else _rest(session, batch_id, batch.finished_at, now), batch.started_at)
    duration = (until - batch.started_at).total_seconds()
    width, number = division(duration)
    given = {"batch": batch_id, "start": batch.started_at.timestamp(), "duration": duration, "width": width, "last": number - 1}
    rows = session.execute(_FLOWS, given).all()
    completed, failed, usd = Counter[int](), Counter[int](), defaultdict[int, Decimal](Decimal)
    for row in rows:
        if row.final is not None:
            completed[row.final] += row.number if row.status == RecordStatus.COMPLETED else 0
            failed[row.final] += row.number if row.status == RecordStatus.FAILED else 0
            usd[row.final] += row.usd
    articles, calls = (_flows([row for row in rows if row.what == what], width) for what in ("article", "call"))
    return buckets(batch.started_at, until, articles, calls, completed, failed, usd)


def _flows(rows: Iterable[Row[Any]], width: int) -> dict[int, Flow]:
    flows: dict[int, Flow] = {}
    for row in rows:
        flow = flows.get(row.first, Flow())
        seconds = flow.begun_seconds + row.began - row.number * row.first * width
        flows[row.first] = replace(flow, begun=flow.begun + row.number, begun_seconds=seconds)
        if row.final is not None:
            flow = flows.get(row.final, Flow())
            seconds = flow.ended_seconds + row.left_off - row.number * row.final * width
            flows[row.final] = replace(flow, ended=flow.ended + row.number, ended_seconds=seconds)
    return flows


def _rest(session: Session, batch_id: int, finished_at: datetime | None, now: datetime) -> datetime:
    """When a batch that does not run came to rest."""
    busy, last = session.execute(
        select(func.count().filter(BatchRecord.status == RecordStatus.PROCESSING), func.max(BatchRecord.finished_at)).where(
            BatchRecord.batch_id == batch_id, BatchRecord.status.in_([RecordStatus.PROCESSING, RecordStatus.COMPLETED, RecordStatus.FAILED])
        )
    ).one()
    if busy:
        return now
    settled = session.scalar(select(func.max(LedgerEntry.settled_at)).where(LedgerEntry.batch_id == batch_id))
    return max((moment for moment in (last, settled) if moment is not None), default=finished_at or now)
