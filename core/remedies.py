"""What went wrong in a batch, grouped by cause, with what it means and what fixes it.

Beside the table two fixes that take more than an action on the batch: more output tokens (a new batch, since a batch keeps the
configuration that it was launched with) and a higher ceiling an article (a setting, then a retry).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import batch_actions, launching
from core.access import Actor, Permission
from core.batches import Progress, research_failed
from core.causes import BUDGET, SETTINGS, TOO_MANY, Cause
from core.configuration import save_setting
from core.database import among
from core.errors import NotPossible
from core.failures import FailureKind
from core.models import Analysis, BatchRecord, BatchSession, BatchStatus, RecordStatus, Signal, Validation
from core.selection import Selection
from core.settings import Settings

MOST_MESSAGES = 2_000
"""Distinct messages of one batch that are grouped; the most frequent ones."""
OUTPUT_TOKENS_AT_MOST = 65_536


class Fix(StrEnum):
    RETRY = "retry"
    MORE_OUTPUT = "more output"  # a new batch of these articles, with twice the output tokens
    HIGHER_CEILING = "higher ceiling"  # twice the ceiling an article, then retry
    TAKE_OUT = "take out"  # give these up
    RESUME = "resume"
    TOP_UP = "top up"  # the budget that paused the batch, then resume
    RESEARCH = "research"  # again, keeping the analyses
    SETTINGS = "settings"  # a person changes something on the System page
    RUN_AGAIN = "run again"  # a new batch with the settings as they are then


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a cause means, in plain words, and what can be done: the first fix is the one that usually helps."""

    title: str
    meaning: str
    fixes: tuple[Fix, ...]


_TRIED = "It was tried several times, with waits in between."
REMEDIES: Mapping[str, Remedy] = {
    FailureKind.RATE_LIMIT: Remedy("Too many calls", f"The provider let no more calls through. {_TRIED}", (Fix.RETRY,)),
    FailureKind.OVERLOAD: Remedy("Provider overloaded", f"The provider was overloaded or failing. {_TRIED}", (Fix.RETRY,)),
    FailureKind.CONNECTION: Remedy("Connection broke", f"No usable answer came through the network. {_TRIED}", (Fix.RETRY,)),
    FailureKind.TIMEOUT: Remedy("No answer in time", f"A call took longer than 'Call timeout'. {_TRIED}", (Fix.RETRY, Fix.SETTINGS)),
    FailureKind.QUOTA: Remedy("Quota used up", "The provider's plan allows no more. Raise the plan or wait, then resume.", (Fix.RESUME,)),
    FailureKind.KEY: Remedy(
        "Key refused", "No call can succeed until the key is right. Set it, start again, then resume.", (Fix.RESUME, Fix.SETTINGS)
    ),
    FailureKind.MODEL: Remedy(
        "Model not available",
        "A run keeps the model that it was launched with. Choose another one and run the articles again, or resume once it is back.",
        (Fix.RUN_AGAIN, Fix.RESUME, Fix.SETTINGS),
    ),
    FailureKind.REJECTED: Remedy(
        "Request rejected",
        "The provider will not take these articles as they are; the same request fails again.",
        (Fix.TAKE_OUT, Fix.RETRY),
    ),
    FailureKind.BAD_ANSWER: Remedy(
        "Unusable answer",
        "The model's answer did not have the form asked for. Models vary: another try often helps.",
        (Fix.RETRY, Fix.TAKE_OUT),
    ),
    FailureKind.EMPTY: Remedy("Empty answer", "The model answered nothing. Another try often helps.", (Fix.RETRY, Fix.TAKE_OUT)),
    FailureKind.BLOCKED: Remedy(
        "Blocked by a safety filter",
        "This model will not read these articles. Another model may.",
        (Fix.TAKE_OUT, Fix.RUN_AGAIN, Fix.RETRY),
    ),
    FailureKind.CUT_OFF: Remedy(
        "Answer cut off",
        "The answer needs more tokens than the limit, also when doubled. A new run of these articles gets a higher limit.",
        (Fix.MORE_OUTPUT, Fix.TAKE_OUT),
    ),
    FailureKind.CEILING: Remedy(
        "Over the ceiling per article", "One more call could cost more than an article may.", (Fix.HIGHER_CEILING, Fix.TAKE_OUT)
    ),
    FailureKind.CANCELLED: Remedy("Stopped", "The call was stopped before its answer came.", (Fix.RETRY,)),
    FailureKind.INTERNAL: Remedy(
        "Unexpected error", "Something that should not happen; the log has the whole of it.", (Fix.RETRY, Fix.TAKE_OUT)
    ),
    BUDGET: Remedy("Budget used up", "The next calls do not fit into the budget.", (Fix.TOP_UP, Fix.RESUME)),
    SETTINGS: Remedy("Settings do not fit", "The run cannot start with the settings as they are.", (Fix.RESUME, Fix.SETTINGS)),
    TOO_MANY: Remedy("Too many articles failed", "Look at the causes below. Resuming runs those that still wait.", (Fix.RESUME,)),
}
RESEARCH = Remedy("Research failed", "The analyses are kept and not paid again; only the search and the validation are.", (Fix.RESEARCH,))


@dataclass(frozen=True, slots=True)
class Group:
    """Articles of one cause (or signals, where research failed, or the batch as a whole where it paused)."""

    cause: Cause
    number: int
    example: str
    """One message as it was."""
    remedy: Remedy
    article_id: int | None = None
    article_title: str = ""
    """Of the example."""


def remedy_of(kind: str) -> Remedy:
    return REMEDIES.get(kind, REMEDIES[FailureKind.INTERNAL])


def pause_group(progress: Progress) -> Group | None:
    """Why a batch is paused, unless a person wanted it."""
    if progress.status is not BatchStatus.PAUSED or progress.pause_kind is None or progress.pause_reason is None:
        return None
    return Group(
        Cause.of(progress.pause_kind, progress.pause_reason),
        progress.total - progress.ended,
        progress.pause_reason,
        remedy_of(progress.pause_kind),
    )


def failure_groups(session: Session, batch_id: int) -> list[Group]:
    """The failed articles of a batch by cause, the largest group first."""
    number = func.count()
    rows = session.execute(
        select(BatchRecord.error_kind, BatchRecord.error_message, number, func.min(BatchRecord.id))
        .where(BatchRecord.batch_id == batch_id, BatchRecord.status == RecordStatus.FAILED)
        .group_by(BatchRecord.error_kind, BatchRecord.error_message)
        .order_by(number.desc())
        .limit(MOST_MESSAGES)
    ).all()
    numbers: dict[Cause, int] = {}
    examples: dict[Cause, int] = {}
    for kind, message, count, record_id in rows:
        cause = Cause.of(kind, message)
        numbers[cause] = numbers.get(cause, 0) + count
        examples.setdefault(cause, record_id)
    told = select(BatchRecord.id, BatchRecord.error_message, BatchRecord.article_id, BatchRecord.article_title)
    records = {row.id: row for row in session.execute(told.where(among(BatchRecord.id, list(examples.values()))))}
    return [
        Group(cause, count, record.error_message or "", remedy_of(cause.kind), record.article_id, record.article_title)
        for cause, count in sorted(numbers.items(), key=lambda one: -one[1])
        if (record := records.get(examples[cause]))
    ]


def research_groups(session: Session, batch_id: int) -> list[Group]:
    """The signals of a batch whose newest research failed, by cause, the largest group first."""
    newest = select(func.max(Validation.id)).where(Validation.signal_id == Signal.id).correlate(Signal).scalar_subquery()
    number = func.count()
    rows = session.execute(
        select(Validation.reason, number)
        .select_from(Analysis)
        .join(Signal, Signal.analysis_id == Analysis.id)
        .join(Validation, Validation.id == newest)
        .where(Analysis.batch_id == batch_id, research_failed())
        .group_by(Validation.reason)
        .order_by(number.desc())
        .limit(MOST_MESSAGES)
    )
    numbers: dict[Cause, int] = {}
    examples: dict[Cause, str] = {}
    for reason, count in rows:
        cause = Cause.of("research", reason)
        numbers[cause] = numbers.get(cause, 0) + count
        examples.setdefault(cause, reason)
    return [Group(cause, count, examples[cause], RESEARCH) for cause, count in sorted(numbers.items(), key=lambda one: -one[1])]


def articles_of(session: Session, batch_id: int, cause: Cause | None = None) -> Selection:
    """The articles of a batch that were not skipped, or those that failed of one cause.

    Raises:
        NotPossible: none failed so.
    """
    if cause is not None:
        return Selection.of_ids(list(batch_actions.failed_of(session, batch_id, cause).values()))
    ran = select(BatchRecord.article_id).where(
        BatchRecord.batch_id == batch_id, BatchRecord.status != RecordStatus.SKIPPED, BatchRecord.article_id.is_not(None)
    )
    return Selection.of_ids([article for article in session.scalars(ran.order_by(BatchRecord.position)) if article is not None])


def more_output(session: Session, batch_id: int) -> int:
    """Twice the output tokens that a batch's answers may have, or the most that a setting allows.

    Raises:
        NotPossible: it has the most already.
    """
    configuration = session.scalar(select(BatchSession.configuration).where(BatchSession.id == batch_id)) or {}
    limit = int(configuration.get("max_output_tokens", 0))
    if limit >= OUTPUT_TOKENS_AT_MOST:
        raise NotPossible(f"Answers may already have {limit:,} tokens, the most there is. Take these articles out.")
    return min(2 * limit, OUTPUT_TOKENS_AT_MOST)


def run_with_more_output(session: Session, batch_id: int, cause: Cause, settings: Settings, *, by: Actor, now: datetime) -> int:
    """Launch the articles that failed of ``cause`` anew with the batch's model and twice its output tokens. Returns the new batch's id.

    Raises:
        NotPossible: none failed so, or there is no higher limit.
        NothingSelected, BudgetExceeded, SettingsError: as ``launching.launch``.
    """
    by.require(Permission.RUN)
    configuration = session.scalar(select(BatchSession.configuration).where(BatchSession.id == batch_id)) or {}
    wanted = {"max_output_tokens": more_output(session, batch_id), "model": configuration.get("model", settings.model)}
    roomier = settings.model_copy(update=wanted)
    return launching.launch(session, articles_of(session, batch_id, cause), roomier, by=by, now=now)


def raise_ceiling_and_retry(
    session: Session, batch_id: int, cause: Cause, settings: Settings, environment: Settings, *, by: Actor
) -> tuple[Decimal, int]:
    """Double the desk's ceiling per article and queue again what failed of it. Returns the new ceiling and how many.

    Raises:
        NotPossible: the batch runs, and would go on with the ceiling that it began with; or none failed so.
        SettingsError: the environment fixes the ceiling.
    """
    by.require(Permission.SETTINGS)
    by.require(Permission.RUN)
    if batch_actions.lock(session, batch_id) in BatchStatus.claimable():
        raise NotPossible("A run keeps the ceiling that it began with while it runs. Pause it, or wait for its end, and try again.")
    ceiling = 2 * settings.cost_ceiling_per_article
    save_setting(session, environment, "cost_ceiling_per_article", ceiling, by=by)
    return ceiling, batch_actions.retry_failed(session, batch_id, cause, by=by)
