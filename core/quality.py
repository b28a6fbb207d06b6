"""Quality: what the analysts' decisions say of kinds, sources, models and prompts, of the verdicts, of confidence, and of money.

Only the decision that stands counts (``standing_decisions``), of a signal as it was found: corrections change nothing here. Those of all
time are not counted one by one but read as sums (``decision_sums``). Reads only. Every query comes back as counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Float, Integer, Numeric, Select, String, case, cast, func, literal, select, union_all
from sqlalchemy.orm import Session

from core.agents.outputs import Verdict
from core.calibration import BINS, Bin, Calibration, Share, cohens_kappa
from core.models import BatchSession, Decision, DecisionSum, Publisher, StandingDecision
from core.spending import batch_spending

LONGEST = 100
YES_OR_NO = (Decision.ACCEPTED, Decision.REJECTED)
DECISIONS = (*YES_OR_NO, Decision.UNSURE)
BLIND = "blind"
VERDICTS = (BLIND, "in sight")
FORECASTS = ("given", "researched")
"""What ``decision_sums`` are about, beside the dimensions."""


class Dimension(StrEnum):
    """What acceptance is told apart by."""

    KIND = "kind"
    CATEGORY = "category"
    PUBLISHER = "publisher"
    MODEL = "model"
    PROMPT = "prompt version"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which decisions are looked at: those made since a moment, by one reviewer, and whether those of one click on many count."""

    since: datetime | None = None
    reviewer: str | None = None
    bulk: bool = True


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Decisions on one group of signals."""

    name: str
    accepted: int
    rejected: int
    unsure: int

    @property
    def decided(self) -> int:
        return self.accepted + self.rejected + self.unsure

    @property
    def share(self) -> Share:
        """Accepted of those accepted or rejected."""
        return Share(self.accepted, self.accepted + self.rejected)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How decisions went with the verdicts that stood when they were made. ``table``: signals by verdict and decision."""

    table: Mapping[tuple[Verdict | None, Decision], int]

    def of(self, verdict: Verdict | None, decision: Decision) -> int:
        return self.table.get((verdict, decision), 0)

    @property
    def share(self) -> Share:
        """Validated and accepted, or contradicted and rejected, of all validated or contradicted that were accepted or rejected."""
        (both, other), (another, neither) = self._square
        return Share(both + neither, both + other + another + neither)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa of the same signals."""
        return cohens_kappa(self._square)

    @property
    def _square(self) -> tuple[tuple[int, int], tuple[int, int]]:
        validated, contradicted = (
            (self.of(verdict, Decision.ACCEPTED), self.of(verdict, Decision.REJECTED))
            for verdict in (Verdict.VALIDATED, Verdict.CONTRADICTED)
        )
        return validated, contradicted


@dataclass(frozen=True, slots=True)
class Cost:
    """USD that runs with one model spent, and the signals of that model that were accepted."""

    model: str
    usd: Decimal
    unknown_usd: Decimal
    """The part of ``usd`` that is worst cases of calls without an answer."""
    accepted: int

    @property
    def per_accepted(self) -> Decimal | None:
        """USD; None while none is accepted."""
        return self.usd / self.accepted if self.accepted else None


def in_all(costs: list[Cost]) -> Cost:
    """All models together. Pure."""
    return Cost(
        "all models",
        sum((one.usd for one in costs), Decimal(0)),
        sum((one.unknown_usd for one in costs), Decimal(0)),
        sum(one.accepted for one in costs),
    )


def acceptance(agreements: tuple[Agreement, Agreement]) -> Acceptance:
    """All decisions together, those made blind and those made in sight of the verdict. Pure."""
    of = {decision: sum(n for one in agreements for (_, made), n in one.table.items() if made is decision) for decision in Decision}
    return Acceptance("all", of[Decision.ACCEPTED], of[Decision.REJECTED], of[Decision.UNSURE])


# --- reading ---------------------------------------------------------------------------------------------------------


def acceptance_by(session: Session, dimension: Dimension, scope: Scope = EVERYTHING) -> list[Acceptance]:
    """Decisions by a dimension, most decided first, at most ``LONGEST`` groups. Categories as found."""
    if scope.since is None:
        return _acceptance_of_all_time(session, dimension, scope)
    columns: dict[Dimension, Any] = {
        Dimension.KIND: cast(StandingDecision.kind, StandingDecision.category.type),
        Dimension.CATEGORY: StandingDecision.category,
        Dimension.PUBLISHER: Publisher.name,
        Dimension.MODEL: StandingDecision.model,
        Dimension.PROMPT: StandingDecision.prompt_version,
    }
    name = columns[dimension]
    statement = _decided(scope, name, *_counts())
    if dimension is Dimension.PUBLISHER:
        statement = statement.join(Publisher, Publisher.id == StandingDecision.publisher_id)
    rows = session.execute(statement.group_by(name).order_by(func.count().desc(), name).limit(LONGEST))
    return [Acceptance(*row) for row in rows]


def agreement(session: Session, scope: Scope = EVERYTHING) -> tuple[Agreement, Agreement]:
    """Agreement of verdict and analyst: decisions made blind, and those made in sight of the verdict."""
    tables: tuple[dict[tuple[Verdict | None, Decision], int], ...] = ({}, {})
    if scope.since is None:
        summed = _summed(scope, VERDICTS, DecisionSum.decision, func.sum(DecisionSum.number)).group_by(DecisionSum.decision)
        for about, verdict, decision, number in session.execute(summed):
            tables[0 if about == BLIND else 1][Verdict(verdict) if verdict else None, decision] = number
        return Agreement(tables[0]), Agreement(tables[1])
    columns = (StandingDecision.blind, StandingDecision.verdict, StandingDecision.decision)
    for blind, verdict, decision, number in session.execute(_decided(scope, *columns, func.count()).group_by(*columns)):
        tables[0 if blind else 1][verdict, decision] = number
    return Agreement(tables[0]), Agreement(tables[1])


def calibrations(session: Session, scope: Scope = EVERYTHING) -> tuple[Calibration, Calibration]:
    """Calibration of confidence as the model gave it, and of the same signals' confidence after research.

    After research it is the confidence plus the newest validation's adjustment, kept within 0..1; without validation, unchanged.
    """
    if scope.since is None:
        return _calibrations_of_all_time(session, scope)
    taken = case((StandingDecision.decision == Decision.ACCEPTED, 1.0), else_=0.0).label("taken")
    columns = (StandingDecision.confidence.label("given"), StandingDecision.adjustment.label("adjustment"), taken)
    decided = _decided(scope, *columns, func.count().label("number")).where(StandingDecision.decision.in_(YES_OR_NO))
    alike = decided.group_by("given", "adjustment", "taken").cte("alike")  # fewer: both sums are over these, not over each decision
    after = func.greatest(0.0, func.least(1.0, alike.c.given + alike.c.adjustment))
    sums = union_all(_binned(0, alike.c.given, alike), _binned(1, after, alike)).subquery()
    rows = session.execute(select(sums).order_by(sums.c.which, sums.c.bin)).all()
    given, researched = (tuple(Bin(*row[1:]) for row in rows if row.which == which) for which in (0, 1))
    return Calibration(given), Calibration(researched)


def costs(session: Session, *, since: datetime | None = None) -> list[Cost]:
    """By model: what runs spent since then, and what was accepted since then, dearest first.

    Spent is everything that calls cost in this time (from the beginning of its first UTC day), analysis and research, of articles
    that gave nothing too; a call of which no answer came counts at its worst case. Money has no reviewer, so all of them count.
    """
    paid_for = batch_spending(since.astimezone(UTC).date() if since else None)
    batch_id = func.nullif(paid_for.c.batch_id, 0)
    spent = (
        select(
            batch_id.label("batch_id"),
            case((batch_id.is_(None), paid_for.c.model)).label("alone"),
            func.sum(paid_for.c.usd).label("usd"),
            func.sum(paid_for.c.unknown_usd).label("unknown_usd"),
        )
        .group_by("batch_id", "alone")
        .subquery()
    )
    model = func.coalesce(BatchSession.configuration["model"].astext, spent.c.alone)
    statement = (
        select(model, func.sum(spent.c.usd), func.coalesce(func.sum(spent.c.unknown_usd), 0))
        .select_from(spent)
        .join(BatchSession, BatchSession.id == spent.c.batch_id, isouter=True)
        .group_by(model)
    )
    paid = {name: (usd, unknown) for name, usd, unknown in session.execute(statement)}
    if since is None:
        accepted = {row.name: row.accepted for row in acceptance_by(session, Dimension.MODEL) if row.accepted}
    else:
        of_time = _decided(Scope(since), StandingDecision.model, func.count()).where(StandingDecision.decision == Decision.ACCEPTED)
        accepted = dict(session.execute(of_time.group_by(StandingDecision.model)).all())
    nothing = (Decimal(0), Decimal(0))
    rows = [Cost(name, *paid.get(name, nothing), accepted.get(name, 0)) for name in paid.keys() | accepted.keys()]
    return sorted(rows, key=lambda row: (-row.usd, row.model))


def _acceptance_of_all_time(session: Session, dimension: Dimension, scope: Scope) -> list[Acceptance]:
    numbers = [func.coalesce(func.sum(DecisionSum.number).filter(DecisionSum.decision == decision), 0) for decision in DECISIONS]
    summed = _summed(scope, (dimension.value,), *numbers).subquery()
    name = Publisher.name if dimension is Dimension.PUBLISHER else summed.c.name
    statement = select(name, *list(summed.c)[2:])
    if dimension is Dimension.PUBLISHER:
        statement = statement.join(Publisher, cast(Publisher.id, String) == summed.c.name)
    decided = sum(list(summed.c)[3:], list(summed.c)[2])
    return [Acceptance(*row) for row in session.execute(statement.order_by(decided.desc(), name).limit(LONGEST))]


def _calibrations_of_all_time(session: Session, scope: Scope) -> tuple[Calibration, Calibration]:
    taken = func.coalesce(func.sum(DecisionSum.number).filter(DecisionSum.decision == Decision.ACCEPTED), 0)
    sums = (func.sum(DecisionSum.number), cast(func.sum(DecisionSum.confidence), Float), taken, cast(func.sum(DecisionSum.error), Float))
    rows = session.execute(_summed(scope, FORECASTS, *sums)).all()
    bins = {about: [Bin(int(row[1]), *row[2:]) for row in rows if row[0] == about] for about in FORECASTS}
    given, researched = (tuple(sorted(bins[about], key=lambda one: one.number)) for about in FORECASTS)
    return Calibration(given), Calibration(researched)


def _summed(scope: Scope, about: Sequence[str], *columns: Any) -> Select[Any]:
    """``columns`` of the decisions of all time, by what they are about and its name."""
    by = (DecisionSum.about, DecisionSum.name)
    conditions = [DecisionSum.reviewer == scope.reviewer] if scope.reviewer is not None else []
    if not scope.bulk:
        conditions.append(~DecisionSum.in_bulk)
    statement = select(*by, *columns).where(DecisionSum.about.in_(about), *conditions)
    return statement.group_by(*by).having(func.sum(DecisionSum.number) > 0)


def _decided(scope: Scope, *columns: Any) -> Select[Any]:
    """``columns`` of the decisions that count."""
    conditions: list[ColumnElement[bool]] = []
    if scope.since is not None:
        conditions.append(StandingDecision.decided_at >= scope.since)
    if scope.reviewer is not None:
        conditions.append(StandingDecision.reviewer == scope.reviewer)
    if not scope.bulk:
        conditions.append(~StandingDecision.in_bulk)
    return select(*columns).select_from(StandingDecision).where(*conditions)


def _counts() -> list[ColumnElement[int]]:
    return [func.count().filter(StandingDecision.decision == decision) for decision in DECISIONS]


def _binned(which: int, value: ColumnElement[Any], alike: Any) -> Select[Any]:
    """As ``core.calibration.calibration``, of rows that stay in the database: ``which`` of the two, and one bin a row."""
    error = value - alike.c.taken
    bin_ = func.least(cast(func.floor(func.round(cast(value * BINS, Numeric), 6)), Integer), BINS - 1).label("bin")
    return select(
        literal(which).label("which"),
        bin_,
        cast(func.sum(alike.c.number), Integer).label("number"),
        func.sum(value * alike.c.number).label("values"),
        cast(func.sum(alike.c.taken * alike.c.number), Integer).label("taken"),
        cast(func.sum(error * error * alike.c.number), Float).label("errors"),
    ).group_by(bin_)
