"""What was spent on what, and the budgets, over HTTP."""

from dataclasses import asdict
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy.orm import Session

from console.api.asked import require_days_in_order
from console.api.fields import Asked, Credits, Day, Moment, Shape, Usd
from console.api.serving import Caller, Guarded
from core import limits, spending
from core.budget import BudgetState, current_budgets, utc_day
from core.clock import utc_now
from core.models import BudgetScope
from core.settings import Settings
from core.spending import LONGEST, Dimension, Group, Usage

router = APIRouter(prefix="/api", tags=["costs"], route_class=Guarded)
DAYS = 30
"""What is looked at where nothing else is asked for, today included."""


# --- shapes ----------------------------------------------------------------------------------------------------------


class By(StrEnum):
    """What spending is told apart by."""

    DAY = "day"
    MONTH = "month"
    BATCH = "batch"
    AGENT = "agent"
    MODEL = "model"
    PUBLISHER = "publisher"


class Used(Shape):
    """Calls that have ended, and what they used."""

    calls: int
    released_calls: int = Field(description="Of the calls: refused or never made, so not billed.")
    unknown_calls: int = Field(description="Of the calls: without an answer, so counted at their worst case.")
    usd: Usd
    unknown_usd: Usd = Field(description="Of `usd`: the worst cases.")
    input_tokens: int = Field(description="Cached ones included.")
    cached_tokens: int
    output_tokens: int = Field(description="Thinking excluded.")
    thinking_tokens: int
    search_credits: Credits


class GroupUsed(Used):
    key: str = Field(description="A day, a month, the id of a batch or publisher (0 for none), a model or an agent.")
    name: str
    reserved_usd: Usd = Field(description="Held now for calls under way.")


class Held(Shape):
    """What calls under way hold now."""

    calls: int
    usd: Usd
    since: Moment | None = Field(description="When the oldest of them began.")


class BudgetLine(Shape):
    """A limit and what is used of it."""

    id: int
    scope: BudgetScope
    key: str = Field(description="The UTC day, the UTC month, or the batch's id.")
    limit_usd: Usd
    spent_usd: Usd
    reserved_usd: Usd
    room_usd: Usd = Field(description="What may still be spent.")

    @classmethod
    def of(cls, state: BudgetState) -> "BudgetLine":
        return cls(
            id=state.id,
            scope=state.scope,
            key=state.key,
            limit_usd=state.limit,
            spent_usd=state.spent,
            reserved_usd=state.reserved,
            room_usd=state.room,
        )


class Costs(Shape):
    """Spending of some UTC days, and the budgets now. Money is US dollars, as text."""

    since: date
    until: date
    by: By
    total: Used
    reserved: Held
    groups: list[GroupUsed] = Field(description="Days and months newest first, others dearest first.")
    cut_off: bool = Field(description=f"There are {LONGEST} groups, and there may be more.")
    budgets: list[BudgetLine] = Field(description="Today's, this month's, then those of batches that have not ended.")


# --- endpoint --------------------------------------------------------------------------------------------------------


class CostsAsked(Asked):
    by: By = By.DAY
    since: Day | None = Field(None, description=f"First UTC day; without it {DAYS} days with the last one.")
    until: Day | None = Field(None, description="Last UTC day, included; without it today.")


@router.get("/costs")
def costs(at: Caller, asked: Annotated[CostsAsked, Query()]) -> Costs:
    """What was spent, told apart by day, month, batch, agent, model or publisher; and the budgets."""
    now = utc_now()
    until = asked.until or max(utc_day(now), asked.since or date.min)
    since = asked.since or date.fromordinal(max(until.toordinal() - DAYS + 1, 1))
    require_days_in_order(since, until)
    dimension = Dimension.RUN if asked.by is By.BATCH else Dimension(asked.by.value)

    def work(session: Session, settings: Settings) -> Costs:
        groups = spending.by(session, dimension, since=since, until=until)
        held = spending.reserved_by(session, dimension)
        budgets = [*current_budgets(session, settings, now), *limits.open_batch_budgets(session)]
        return Costs(
            since=since,
            until=until,
            by=asked.by,
            total=Used.model_validate(spending.usage(session, since=since, until=until)),
            reserved=Held.model_validate(spending.reserved(session)),
            groups=[_group(dimension, group, held) for group in groups],
            cut_off=len(groups) == LONGEST,
            budgets=[BudgetLine.of(state) for state in budgets],
        )

    return at.with_settings(work)


def _group(dimension: Dimension, group: Group, held: dict[Any, Any]) -> GroupUsed:
    used: Usage = group.usage
    key = f"{group.key:%Y-%m}" if dimension is Dimension.MONTH else str(group.key)
    return GroupUsed(key=key, name=group.name, reserved_usd=held.get(group.key, 0), **asdict(used))
