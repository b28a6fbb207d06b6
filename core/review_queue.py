"""The review queue: which undecided signal lies before which analyst. A claim with a time limit keeps two from getting the same one.

A holder is one browser session. A signal handed to a colleague is held by the colleague's name until the colleague takes it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.access import Actor, Permission
from core.database import among
from core.errors import NotPossible
from core.models import ArticleWords, ReviewClaim, Signal, table_of
from core.paging import ordered_by
from core.signal_filter import Reviewed, SignalFilter, Stretch, has_signal_words, matching_but_words, stretches, words_in_signals
from core.text_search import Words

HANDED_FOR = timedelta(days=1)
"""How long a signal waits for the colleague it was handed to."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who takes from the queue: the analyst, in one browser session, for how long at a time."""

    holder: str
    by: Actor
    limit: timedelta

    @property
    def reviewer(self) -> str:
        return self.by.name


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim that holds."""

    signal_id: int
    reviewer: str
    handed_by: str | None
    expires_at: datetime


def take_next(
    session: Session,
    signal_filter: SignalFilter,
    claimant: Claimant,
    *,
    passed_over: Collection[int],
    now: datetime,
    words: Words | None = None,
) -> int | None:
    """Claim the first undecided signal that matches, in the filter's order; those handed to this analyst come first.

    None when there is none left that is neither with somebody else nor passed over. ``words`` are those of the filter's text, if
    looked up before.
    """
    claimant.by.require(Permission.REVIEW)
    for signal_id in _handed_ids(session, claimant.reviewer, now):
        if signal_id not in passed_over and hold(session, signal_id, claimant, now=now) is None:
            return signal_id
    open_ones = signal_filter.model_copy(update={"reviewed": Reviewed.OPEN})
    tried, words = set(passed_over), words or words_in_signals(session, open_ones.text)
    for part in stretches(session, open_ones):
        while (found := _first_free(session, open_ones, words, part, claimant, tried, now)) is not None:
            if hold(session, found, claimant, now=now) is None:
                return found
            tried.add(found)  # claimed by somebody between our reading and our claim
    return None


def first_open(session: Session, signal_filter: SignalFilter, *, passed_over: Collection[int], words: Words | None = None) -> int | None:
    """The first undecided signal that matches, for one who only looks: nothing is claimed, and what others hold is shown."""
    open_ones = signal_filter.model_copy(update={"reviewed": Reviewed.OPEN})
    words = words or words_in_signals(session, open_ones.text)
    found = (session.scalar(_first(open_ones, words, part, passed_over)) for part in stretches(session, open_ones))
    return next((signal_id for signal_id in found if signal_id is not None), None)


def _first_free(
    session: Session,
    open_ones: SignalFilter,
    words: Words | None,
    part: Stretch,
    claimant: Claimant,
    tried: Collection[int],
    now: datetime,
) -> int | None:
    """The first signal of a stretch of the queue that nobody else holds or locks."""
    taken = exists().where(ReviewClaim.signal_id == Signal.id, ReviewClaim.expires_at > now, ReviewClaim.holder != claimant.holder)
    return session.scalar(_first(open_ones, words, part, tried).where(~taken).with_for_update(of=Signal, skip_locked=True))


def _first(open_ones: SignalFilter, words: Words | None, part: Stretch, tried: Collection[int]) -> Select[int]:
    """The first signal of a stretch of the queue that was not tried."""
    statement = select(Signal.id).where(*matching_but_words(open_ones), *part.where)
    if words is not None and words.ids is None:
        statement = statement.join(ArticleWords, ArticleWords.article_id == Signal.article_id)
        statement = statement.where(has_signal_words(open_ones.text, ArticleWords.search))
    elif words is not None and words.ids is not None:
        statement = statement.where(among(Signal.id, words.ids))
    if tried:
        statement = statement.where(~among(Signal.id, list(tried)))
    ordered = statement.order_by(*ordered_by(part.columns, falls=part.falls, back=False))
    return ordered.limit(1)


def hold(session: Session, signal_id: int, claimant: Claimant, *, now: datetime) -> str | None:
    """Claim a signal, or renew the claim on it; returns the name of whoever has it, None when it is this one's now."""
    claimant.by.require(Permission.REVIEW)
    table = table_of(ReviewClaim)
    claim = {
        "signal_id": signal_id,
        "holder": claimant.holder,
        "reviewer": claimant.reviewer,
        "handed_by": None,
        "expires_at": now + claimant.limit,
    }
    statement = insert(table).values(claim)
    mine = (claimant.holder, _name_of(claimant.reviewer))
    free = or_(table.c.expires_at <= now, table.c.holder.in_(mine))
    renewed = statement.on_conflict_do_update(
        index_elements=["signal_id"],
        set_={
            "holder": statement.excluded.holder,
            "reviewer": statement.excluded.reviewer,
            "handed_by": table.c.handed_by,
            "expires_at": statement.excluded.expires_at,
        },
        where=free,
    )
    if session.execute(renewed.returning(table.c.signal_id)).first() is not None:
        return None
    return session.scalar(select(ReviewClaim.reviewer).where(ReviewClaim.signal_id == signal_id)) or "a colleague"


def hand_over(session: Session, signal_id: int, claimant: Claimant, *, to: str, now: datetime) -> None:
    """Hand a signal that this analyst holds to a colleague, who gets it before anything else, within ``HANDED_FOR``.

    Raises:
        NotPossible: no name was given, it is one's own, or the signal is with somebody else by now.
    """
    claimant.by.require(Permission.REVIEW)
    to = " ".join(to.split())[:100]
    if not to or to.casefold() == claimant.reviewer.casefold():
        raise NotPossible("Name a colleague to hand the signal to.")
    if (other := hold(session, signal_id, claimant, now=now)) is not None:
        raise NotPossible(f"{other} has this signal now.")
    values = {"holder": _name_of(to), "reviewer": to, "handed_by": claimant.reviewer, "expires_at": now + HANDED_FOR}
    session.execute(update(table_of(ReviewClaim)).where(ReviewClaim.signal_id == signal_id).values(values))


def take_back(session: Session, *, by: Actor) -> int:
    """Let go of what this analyst handed over and no colleague took yet; returns how many signals that were."""
    by.require(Permission.REVIEW)
    table = table_of(ReviewClaim)
    waiting = table.c.holder.startswith("@", autoescape=True)
    return len(session.execute(delete(table).where(table.c.handed_by == by.name, waiting).returning(table.c.signal_id)).all())


def release(session: Session, holder: str, signal_id: int | None = None) -> None:
    """Let go of one signal, or of everything that the browser session holds."""
    table = table_of(ReviewClaim)
    one: tuple[ColumnElement[bool], ...] = (table.c.signal_id == signal_id,) if signal_id is not None else ()
    session.execute(delete(table).where(table.c.holder == holder, *one))


def with_others(session: Session, claimant: Claimant, *, now: datetime) -> list[ClaimRow]:
    """The claims of everybody else that hold, by name."""
    claimant.by.require(Permission.READ)
    mine = (claimant.holder, _name_of(claimant.reviewer))
    rows = session.execute(
        select(ReviewClaim.signal_id, ReviewClaim.reviewer, ReviewClaim.handed_by, ReviewClaim.expires_at)
        .join(Signal, Signal.id == ReviewClaim.signal_id)
        .where(ReviewClaim.expires_at > now, ReviewClaim.holder.not_in(mine), Signal.decision.is_(None))
        .order_by(ReviewClaim.reviewer, ReviewClaim.signal_id)
    )
    return [ClaimRow(*row) for row in rows]


def handed_to(session: Session, reviewer: str, *, now: datetime) -> int:
    """How many undecided signals wait for an analyst because a colleague handed them over."""
    return len(_handed_ids(session, reviewer, now))


def _handed_ids(session: Session, reviewer: str, now: datetime) -> list[int]:
    """The undecided signals that wait for an analyst because a colleague handed them over."""
    handed = select(ReviewClaim.signal_id).join(Signal, Signal.id == ReviewClaim.signal_id)
    handed = handed.where(ReviewClaim.holder == _name_of(reviewer), ReviewClaim.expires_at > now, Signal.decision.is_(None))
    return list(session.scalars(handed.order_by(ReviewClaim.signal_id)))


def _name_of(reviewer: str) -> str:
    """The holder that stands for an analyst in no browser session yet."""
    return f"@{reviewer.casefold()}"
