"""Answers that were paid for, kept until their record ends, so that a worker that goes on after a crash has them.

An answer is kept in the transaction that settles its call: there is no moment at which it is paid for and not kept. Its key
says what was asked, so that the same question of the same record finds it. Any thread may call these.
"""

import hashlib

from sqlalchemy import delete, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.models import BatchRecord, KeptAnswer, RecordStatus


def key_of(*asked: str) -> str:
    """64 hex digits that name a question."""
    return hashlib.sha256("\0".join(asked).encode("utf-8", "surrogatepass")).hexdigest()


def keep(session: Session, record_id: int, key: str, answer: str) -> None:
    """Keep an answer, as JSON, unless its record has ended; a second one to the same question changes nothing."""
    in_work = select(BatchRecord.id, literal(key), literal(answer)).where(
        BatchRecord.id == record_id, BatchRecord.status.in_(RecordStatus.open())
    )
    session.execute(insert(KeptAnswer).from_select(["record_id", "key", "answer"], in_work).on_conflict_do_nothing())


def of_record(session: Session, record_id: int) -> dict[str, str]:
    """What is kept for a record: answers by key."""
    return dict(session.execute(select(KeptAnswer.key, KeptAnswer.answer).where(KeptAnswer.record_id == record_id)).all())


def forget(session: Session, record_id: int) -> None:
    """The record has ended: should it be run again, then with new questions."""
    session.execute(delete(KeptAnswer).where(KeptAnswer.record_id == record_id))
