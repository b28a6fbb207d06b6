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

from sqlalchemy import DateTime, Interval, Row, bindparam, func, select, text
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


# Grouped by where a thing began and where it ended: few groups of many things. Moments are held within the time shown, so that what was
# entered a moment before the batch's own start counts from there. In whole microseconds from end to end, which is several times faster
# than in seconds.
def _held(moment: str) -> str:
    return f"least(greatest({moment}, :start), :until)"


_FLOWS = text(
    f"""
SELECT what, status, date_bin(:step, began, :start) AS first, date_bin(:step, left_off, :start) AS final,
       count(*) AS number, sum(began - :start) AS began, sum(left_off - :start) AS left_off, 0 AS usd
FROM (SELECT 'article' AS what, status, {_held("started_at")} AS began,
             CASE WHEN status <> 'PROCESSING' AND finished_at IS NOT NULL THEN {_held("finished_at")} END AS left_off
      FROM batch_records
      WHERE batch_id = :batch AND status IN ('PROCESSING', 'COMPLETED', 'FAILED') AND started_at IS NOT NULL) AS articles
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT what, status, date_bin(:step, began, :start), date_bin(:step, left_off, :start),
       count(*), sum(began - :start), sum(left_off - :start), sum(usd)
FROM (SELECT 'call' AS what, '' AS status, usd, {_held("created_at")} AS began,
             CASE WHEN settled_at IS NOT NULL THEN {_held("settled_at")} END AS left_off
      FROM ledger_entries WHERE batch_id = :batch) AS calls
GROUP BY 1, 2, 3, 4
"""  # noqa: S608
).bindparams(*(bindparam(name, type_=DateTime(timezone=True)) for name in ("start", "until")), bindparam("step", type_=Interval()))


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
    given = {"batch": batch_id, "start": batch.started_at, "until": until, "step": timedelta(seconds=width)}
    rows = [_Group(row, batch.started_at, width, number - 1) for row in session.execute(_FLOWS, given)]
    completed, failed, usd = Counter[int](), Counter[int](), defaultdict[int, Decimal](Decimal)
    for row in rows:
        if row.final is not None:
            completed[row.final] += row.number if row.status == RecordStatus.COMPLETED else 0
            failed[row.final] += row.number if row.status == RecordStatus.FAILED else 0
            usd[row.final] += row.usd
    articles, calls = (_flows([row for row in rows if row.what == what], width) for what in ("article", "call"))
    return buckets(batch.started_at, until, articles, calls, completed, failed, usd)


class _Group:
    """A row of ``_FLOWS`` with its buckets' numbers, and its sums in seconds since ``start``."""

    def __init__(self, row: Row[Any], start: datetime, width: int, last: int) -> None:
        def bucket(at: datetime) -> int:
            return min(int((at - start).total_seconds()) // width, last)  # the last moment of all begins a bucket that is not there

        self.what, self.status, self.number, self.usd = row.what, row.status, row.number, row.usd
        self.first, self.began = bucket(row.first), row.began.total_seconds()
        self.final = None if row.final is None else bucket(row.final)
        self.left_off = 0.0 if row.left_off is None else row.left_off.total_seconds()


def _flows(rows: Iterable[_Group], width: int) -> dict[int, Flow]:
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
