"""Reviews: what analysts make of signals: decisions, corrections, notes, undos.

Append-only: every act is one row, and what counts of a signal is what its acts come to, in their order (``standing``). It is
repeated on the signal's own row by the same transaction, for lists and filters.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, cast, exists, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from core import audit
from core.access import Actor, Permission
from core.agents.outputs import Timeframe, Verdict
from core.audit import Action
from core.database import among
from core.errors import NotFound, NotPossible
from core.models import Decision, Review, ReviewAct, ReviewClaim, Signal, table_of
from core.signal_filter import SignalFilter, is_blind, joined, matching_signals


@dataclass(frozen=True, slots=True)
class Correction:
    """What an analyst put in place of what was found; None where that stands."""

    category: str | None = None
    description: str | None = None
    timeframe: Timeframe | None = None


AS_FOUND = Correction()


@dataclass(frozen=True, slots=True)
class Act:
    """One act on a signal, as the history shows it."""

    id: int
    act: ReviewAct
    decision: Decision | None
    note: str | None
    correction: Correction
    undoes: int | None
    verdict: Verdict | None
    blind: bool
    bulk: str | None
    reviewer: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What a signal's acts come to."""

    decision: Decision | None = None
    decided_by: int | None = None
    """The act that decided; None while undecided."""
    correction: Correction = AS_FOUND
    newest: Act | None = None
    """The newest act that is not undone: what an undo takes back."""


def standing(acts: Iterable[Act]) -> Standing:
    """What acts, oldest first, come to. Pure."""
    stands: list[Act] = []
    for act in acts:
        if act.act is ReviewAct.UNDO:
            stands = [one for one in stands if one.id != act.undoes]
        else:
            stands.append(act)
    decided = next((one for one in reversed(stands) if one.act is ReviewAct.DECISION), None)
    if decided is not None and decided.decision is Decision.WITHDRAWN:
        decided = None
    corrected = next((one for one in reversed(stands) if one.act is ReviewAct.CORRECTION), None)
    return Standing(
        decided.decision if decided else None,
        decided.id if decided else None,
        corrected.correction if corrected else AS_FOUND,
        stands[-1] if stands else None,
    )


def before(acts: Sequence[Act], position: int) -> Standing:
    """What stood before the act at ``position`` of ``acts``, oldest first. Pure."""
    return standing(acts[:position])


# --- acts ------------------------------------------------------------------------------------------------------------


def hold(session: Session, signal_id: int) -> None:
    """Let nobody else act on a signal until this transaction ends.

    Raises:
        NotFound: there is no such signal.
    """
    _lock(session, signal_id)


def decide(
    session: Session,
    signal_id: int,
    decision: Decision,
    *,
    by: Actor,
    note: str | None = None,
    blind_share: float = 0,
) -> int:
    """Decide on a signal; returns the act's id. It counts as blind where ``blind_share`` says that the verdict was hidden.

    Raises:
        NotFound: there is no such signal.
    """
    by.require(Permission.REVIEW)
    verdict, blind = _lock(session, signal_id, blind_share)
    return _append(session, signal_id, by, act=ReviewAct.DECISION, decision=decision, note=_said(note), verdict=verdict, blind=blind)


def correct(session: Session, signal_id: int, correction: Correction, *, by: Actor, note: str | None = None) -> int:
    """Put a category, description or timeframe beside what was found; returns the act's id. What equals the original is left out.

    Raises:
        NotFound: there is no such signal.
        NotPossible: nothing would change, or a text is too long.
    """
    by.require(Permission.REVIEW)
    _lock(session, signal_id)
    found = session.execute(select(Signal.category, Signal.description, Signal.timeframe).where(Signal.id == signal_id)).one()
    category, description = _said(correction.category), _said(correction.description)
    if len(category or "") > 100 or len(description or "") > 2_000:
        raise NotPossible("A category has at most 100 characters, a description 2,000.")
    changed = Correction(
        category if category != found.category else None,
        description if description != found.description else None,
        correction.timeframe if correction.timeframe != found.timeframe else None,
    )
    if changed == standing(acts_of(session, signal_id)).correction:
        raise NotPossible("Nothing was changed.")
    return _append(session, signal_id, by, act=ReviewAct.CORRECTION, note=_said(note), **_columns(changed))


def annotate(session: Session, signal_id: int, note: str, *, by: Actor) -> int:
    """Leave a note on a signal without deciding; returns the act's id.

    Raises:
        NotFound: there is no such signal.
        NotPossible: the note is empty.
    """
    by.require(Permission.REVIEW)
    if not _said(note):
        raise NotPossible("The note is empty.")
    _lock(session, signal_id)
    return _append(session, signal_id, by, act=ReviewAct.NOTE, note=_said(note))


def undo(session: Session, signal_id: int, *, by: Actor, act_id: int | None = None) -> None:
    """Take the newest act back, so that what stood before it stands again. With ``act_id`` only if that is still the newest.

    Raises:
        NotFound: there is no such signal.
        NotPossible: there is nothing to undo, or somebody acted since.
    """
    by.require(Permission.REVIEW)
    _lock(session, signal_id)
    newest = standing(acts_of(session, signal_id)).newest
    if newest is None:
        raise NotPossible("There is nothing on this signal to undo.")
    if act_id is not None and newest.id != act_id:
        raise NotPossible(f"{newest.reviewer} has acted on this signal since; undo it on its card if you must.")
    _append(session, signal_id, by, act=ReviewAct.UNDO, undoes=newest.id)


# --- many at once ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Matched:
    """The signals that a filter let through when somebody was asked about them."""

    count: int
    decided: int
    digest: str
    """Of their ids: says whether they are still the same."""


def matched(session: Session, signal_filter: SignalFilter) -> Matched:
    """What a bulk decision would decide on now."""
    found = joined(select(Signal.id, Signal.decision)).where(*matching_signals(signal_filter)).subquery()
    ids = func.coalesce(func.string_agg(cast(found.c.id, Text), aggregate_order_by(literal(","), found.c.id)), "")
    return Matched(*session.execute(select(func.count(), func.count(found.c.decision), func.md5(ids)).select_from(found)).one())


def decide_all(
    session: Session, signal_filter: SignalFilter, decision: Decision, *, by: Actor, asked: Matched, note: str | None = None
) -> tuple[str, int]:
    """Decide on every signal that matches, as one act that can be undone as one; returns its name and how many there were.

    ``asked`` is what the analyst confirmed. Decisions on verdicts that the filter hides count as blind.

    Raises:
        NotPossible: other signals match now, so what was confirmed is not what would be done; or there are none.
    """
    by.require(Permission.REVIEW)
    hidden = is_blind(signal_filter.blind_share)
    matching = joined(select(Signal.id, Signal.verdict, hidden)).where(*matching_signals(signal_filter)).order_by(Signal.id)
    rows = session.execute(matching.with_for_update(of=Signal)).all()
    if (now := matched(session, signal_filter)).digest != asked.digest:
        raise NotPossible(
            f"The signals that match have changed since you were asked: {asked.count:,} then, {now.count:,} now. Look again, then confirm."
        )
    if not rows:
        raise NotPossible("No signal matches.")
    bulk, number = str(uuid.uuid4()), len(rows)
    same = {"act": ReviewAct.DECISION, "decision": decision, "note": _said(note), "bulk": bulk, "reviewer": by.name}
    acts = [{"signal_id": id_, "verdict": verdict, "blind": blind, **same} for id_, verdict, blind in rows]
    session.execute(insert(table_of(Review)), acts)
    signals, made = table_of(Signal), table_of(Review)
    stands = decision if decision is not Decision.WITHDRAWN else None
    session.execute(
        update(signals)
        .where(signals.c.id == made.c.signal_id, made.c.bulk == bulk)
        .values(decision=stands, review_id=made.c.id if stands else None)
    )
    claims = table_of(ReviewClaim)
    session.execute(claims.delete().where(claims.c.signal_id.in_(select(made.c.signal_id).where(made.c.bulk == bulk))))
    said = {
        "decision": decision,
        "number": number,
        "note": _said(note),
        "filter": signal_filter.model_dump(mode="json", exclude_defaults=True),
    }
    audit.record(session, by, Action.DECIDE_ALL, ("bulk", bulk), before={"decided": asked.decided}, after=said)
    return bulk, number


def undo_all(session: Session, bulk: str, *, by: Actor) -> tuple[int, int]:
    """Take a bulk decision back; returns how many it was taken back of, and how many were left because somebody acted since."""
    by.require(Permission.REVIEW)
    made = session.execute(select(Review.id, Review.signal_id).where(Review.bulk == bulk, Review.act == ReviewAct.DECISION)).all()
    ids = [row.signal_id for row in made]
    session.execute(select(Signal.id).where(among(Signal.id, ids)).order_by(Signal.id).with_for_update())
    known = _acts(session, among(Review.signal_id, ids))
    undone = [row for row in made if (newest := standing(known[row.signal_id]).newest) is not None and newest.id == row.id]
    if undone:
        acts = [{"signal_id": row.signal_id, "act": ReviewAct.UNDO, "undoes": row.id, "bulk": bulk, "reviewer": by.name} for row in undone]
        session.execute(insert(table_of(Review)), acts)
        stands = [(row.signal_id, standing(act for act in known[row.signal_id] if act.id != row.id)) for row in undone]
        repeated = [{"signal": id_, "now": one.decision, "act": one.decided_by} for id_, one in stands]
        table = table_of(Signal)
        restored: dict[str, Any] = {"decision": bindparam("now"), "review_id": bindparam("act")}
        session.connection().execute(update(table).where(table.c.id == bindparam("signal")).values(restored), repeated)
        audit.record(session, by, Action.UNDO_ALL, ("bulk", bulk), after={"taken back": len(undone), "left": len(made) - len(undone)})
    return len(undone), len(made) - len(undone)


# --- reading ---------------------------------------------------------------------------------------------------------


def acts_of(session: Session, signal_id: int) -> list[Act]:
    """The acts on a signal, oldest first."""
    return _acts(session, Review.signal_id == signal_id).get(signal_id, [])


def last_bulk(session: Session, reviewer: str) -> tuple[str, Decision, int] | None:
    """The bulk decision that somebody made last, if it was not undone: its name, what it decided, and on how many signals."""
    newest = select(Review.bulk).where(Review.bulk.is_not(None), Review.reviewer == reviewer).order_by(Review.id.desc()).limit(1)
    rows = session.execute(select(Review.bulk, Review.act, Review.decision).where(Review.bulk == newest.scalar_subquery())).all()
    if not rows or any(row.act is ReviewAct.UNDO for row in rows):
        return None
    return rows[0].bulk, rows[0].decision, len(rows)


def last_act(session: Session, reviewer: str) -> tuple[int, int] | None:
    """Signal and act of the newest act by somebody that still stands and is the newest on its signal; bulk decisions apart."""
    later = aliased(Review)
    statement = (
        select(Review.signal_id, Review.id)
        .where(Review.reviewer == reviewer, Review.bulk.is_(None), Review.act != ReviewAct.UNDO)
        .where(~exists().where(later.signal_id == Review.signal_id, later.id > Review.id))
        .order_by(Review.id.desc())
        .limit(1)
    )
    found = session.execute(statement).first()
    return (found[0], found[1]) if found else None


def reviewers(session: Session) -> list[str]:
    """Everybody who ever reviewed, by name."""
    name = select(func.min(Review.reviewer).label("name")).cte("names", recursive=True)  # from one to the next by the index
    later = select(func.min(Review.reviewer)).where(Review.reviewer > name.c.name).scalar_subquery()
    names = name.union_all(select(later).where(name.c.name.is_not(None)))
    return list(session.scalars(select(names.c.name).where(names.c.name.is_not(None)).order_by(names.c.name)))


def _acts(session: Session, condition: ColumnElement[bool]) -> dict[int, list[Act]]:
    names = [name for name in Act.__dataclass_fields__ if name != "correction"]
    corrections = (Review.corrected_category, Review.corrected_description, Review.corrected_timeframe)
    statement = select(Review.signal_id, *corrections, *[getattr(Review, name) for name in names]).where(condition).order_by(Review.id)
    acts: dict[int, list[Act]] = {}
    for signal_id, category, description, timeframe, *rest in session.execute(statement):
        values = dict(zip(names, rest, strict=True))
        acts.setdefault(signal_id, []).append(Act(correction=Correction(category, description, timeframe), **values))
    return acts


# --- writing ---------------------------------------------------------------------------------------------------------


def _lock(session: Session, signal_id: int, blind_share: float = 0) -> tuple[Verdict | None, bool]:
    """Have the acts on a signal follow one another; returns its verdict and whether that is hidden now."""
    hidden = is_blind(blind_share) if blind_share else literal(False)
    row = session.execute(select(Signal.verdict, hidden).where(Signal.id == signal_id).with_for_update()).first()
    if row is None:
        raise NotFound(f"Signal {signal_id} does not exist; its article may have been deleted.")
    return row[0], bool(row[1])


def _append(session: Session, signal_id: int, by: Actor, **columns: Any) -> int:
    """Add an act, and bring the signal's own row to what its acts come to."""
    review = {"signal_id": signal_id, "reviewer": by.name, **columns}
    act_id = session.scalars(insert(table_of(Review)).values(review).returning(Review.id)).one()
    acts = acts_of(session, signal_id)
    stands = standing(acts)
    values = {"decision": stands.decision, "review_id": stands.decided_by, **_columns(stands.correction)}
    session.execute(update(table_of(Signal)).where(Signal.id == signal_id).values(values))
    if columns["act"] is ReviewAct.DECISION:
        session.execute(table_of(ReviewClaim).delete().where(ReviewClaim.signal_id == signal_id))
    said = {name: value for name, value in columns.items() if name != "act" and value is not None}
    audit.record(session, by, _ACTIONS[columns["act"]], ("signal", signal_id), before=_stood(before(acts, len(acts) - 1)), after=said)
    return act_id


_ACTIONS = {
    ReviewAct.DECISION: Action.DECIDE,
    ReviewAct.CORRECTION: Action.CORRECT,
    ReviewAct.NOTE: Action.NOTE,
    ReviewAct.UNDO: Action.UNDO,
}


def _stood(standing: Standing) -> dict[str, Any] | None:
    """What an act found standing, for the audit log."""
    values = {"decision": standing.decision, **_columns(standing.correction)}
    return {name: value for name, value in values.items() if value is not None} or None


def _columns(correction: Correction) -> dict[str, Any]:
    return {
        "corrected_category": correction.category,
        "corrected_description": correction.description,
        "corrected_timeframe": correction.timeframe,
    }


def _said(text: str | None) -> str | None:
    return (text or "").strip() or None
