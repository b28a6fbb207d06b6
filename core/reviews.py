"""Reviews: the analyst's decisions on signals. Append-only: the newest counts, history stays, an undo is one more row."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.errors import NotFound, NotPossible
from core.models import Decision, Review, Signal


@dataclass(frozen=True, slots=True)
class ReviewRow:
    decision: Decision
    note: str | None
    reviewer: str
    created_at: datetime


def review(session: Session, signal_id: int, decision: Decision, *, by: str, note: str | None = None) -> None:
    """Decide on a signal.

    Raises:
        NotFound: there is no such signal.
    """
    current = None if decision is Decision.WITHDRAWN else decision
    found = session.execute(update(Signal).where(Signal.id == signal_id).values(decision=current).returning(Signal.id)).first()
    if found is None:
        raise NotFound(f"Signal {signal_id} does not exist; its article may have been deleted.")
    session.add(Review(signal_id=signal_id, decision=decision, note=(note or "").strip() or None, reviewer=by))


def undo(session: Session, signal_id: int, *, by: str) -> None:
    """Take the newest decision back: the signal is undecided again.

    Raises:
        NotPossible: it is undecided.
    """
    newest = session.scalar(select(Review.decision).where(Review.signal_id == signal_id).order_by(Review.id.desc()).limit(1))
    if newest is None or newest is Decision.WITHDRAWN:
        raise NotPossible("There is no decision on this signal to undo.")
    review(session, signal_id, Decision.WITHDRAWN, by=by)


def reviews_of(session: Session, signal_id: int) -> list[ReviewRow]:
    """The decisions on a signal, newest first."""
    rows = session.execute(
        select(Review.decision, Review.note, Review.reviewer, Review.created_at)
        .where(Review.signal_id == signal_id)
        .order_by(Review.id.desc())
    )
    return [ReviewRow(*row) for row in rows]
