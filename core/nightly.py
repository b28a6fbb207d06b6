"""The nightly run: what a saved filter matches is launched every night, for at most so many dollars.

It is launched as a person would launch it, through ``core.launching``: only as many articles as likely cost no more than its
limit, and with that limit as the batch's budget, at which it would pause.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.access import ITSELF, Actor, Permission
from core.article_filter import ArticleFilter
from core.budget import usd
from core.errors import NothingSelected, NotPossible
from core.estimate import Estimate
from core.launching import launch, plan
from core.models import BatchRecord, BatchSession, RecordStatus
from core.schedule import Job, save_options
from core.selection import Selection
from core.settings import USD, Settings

THE_SCHEDULE = Actor("the schedule", ITSELF.permissions)
"""As whom it is launched."""


class Nightly(BaseModel):
    """What is launched. ``hour`` is UTC; ``limit_usd`` what one night may cost at most, ``most`` how many articles it takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: ArticleFilter = ArticleFilter(samples=False)
    limit_usd: USD = Decimal(1)
    most: int = Field(200, ge=1, le=10_000)
    hour: int = Field(2, ge=0, le=23)
    one_per_story: bool = True


def nightly_of(options: dict[str, Any]) -> Nightly:
    """As it was saved; the defaults where nothing was, or what no longer fits."""
    try:
        return Nightly.model_validate(options)
    except ValidationError:
        return Nightly()


def save_nightly(session: Session, nightly: Nightly, *, by: Actor, now: datetime) -> None:
    """Keep what is launched every night. It spends, so it takes the permission for money as well.

    Raises:
        NotFound: the schedule was never looked at.
    """
    by.require(Permission.MONEY)
    by.require(Permission.SETTINGS)
    save_options(session, Job.NIGHTLY, nightly.model_dump(mode="json"), by=by, now=now)


def affordable(estimate: Estimate, limit: Decimal) -> int:
    """How many of the articles of an estimate likely cost no more than ``limit`` (USD) together."""
    if not estimate.usd or estimate.usd <= limit:
        return estimate.articles
    return int(limit * estimate.articles / estimate.usd)


def launch_nightly(session: Session, nightly: Nightly, settings: Settings, *, due: datetime, now: datetime) -> str:
    """Launch what matches; returns what was launched, in words. The same ``due`` never launches twice.

    Raises:
        NotPossible: not one article is likely to cost as little as the limit.
        BudgetExceeded: today's or this month's budget has no room for it.
        SettingsError: a key is missing, or the model has no known price.
    """
    key = f"nightly {due:%Y-%m-%dT%H:%M:%S}"
    if (known := session.scalar(select(BatchSession.id).where(BatchSession.idempotency_key == key))) is not None:
        return f"Run #{known} was launched for this night already."
    in_flight = session.scalar(select(func.count()).where(BatchRecord.status.in_(RecordStatus.open()))) or 0
    selection = Selection.of_filter(nightly.filter, nightly.most + in_flight, one_per_story=nightly.one_per_story)
    try:
        planned = plan(session, selection, settings)
        if not planned.runnable:
            return "Nothing to analyse: what matches was analysed, or is in flight."
        number = min(affordable(planned.estimate, nightly.limit_usd), nightly.most)
        if not number:
            each = planned.estimate.usd / planned.estimate.articles
            raise NotPossible(f"Not launched: an article likely costs {usd(each)}, and a night may cost {usd(nightly.limit_usd)}.")
        chosen = Selection.of_ids(planned.runnable[:number], one_per_story=nightly.one_per_story)
        batch_id = launch(session, chosen, settings, by=THE_SCHEDULE, now=now, idempotency_key=key, budget=nightly.limit_usd)
    except NothingSelected:
        return "Nothing to analyse: no article matches."
    left = min(len(planned.runnable), nightly.most) - number
    return f"Run #{batch_id}: {number:,} articles." + (f" {left:,} more would cost more than {usd(nightly.limit_usd)}." if left else "")
