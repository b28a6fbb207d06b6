"""Answers that were paid for, kept until their record ends, so that a worker that goes on after a crash has them.

An answer is kept in the transaction that settles its call: there is no moment at which it is paid for and not kept. Its key
says what was asked, so that the same question of the same record finds it. Any thread may call these.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from core.database import among
from core.models import KeptAnswer, RecordStatus

_KEEP = text("""
INSERT INTO kept_answers (record_id, key, answer)
SELECT given.record_id, given.key, given.answer
FROM unnest(CAST(:records AS bigint[]), CAST(:keys AS text[]), CAST(:answers AS text[])) AS given(record_id, key, answer)
JOIN batch_records ON batch_records.id = given.record_id AND batch_records.status = ANY(CAST(:open AS text[]))
ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, as JSON, and what it answers."""

    record_id: int
    key: str
    answer: str


def key_of(*asked: str) -> str:
    """64 hex digits that name a question."""
    return hashlib.sha256("\0".join(asked).encode("utf-8", "surrogatepass")).hexdigest()


def keep(session: Session, answers: Sequence[Answer]) -> None:
    """Keep the answers of records that have not ended; a second one to the same question changes nothing."""
    if not answers:
        return
    columns = {
        "records": [answer.record_id for answer in answers],
        "keys": [answer.key for answer in answers],
        "answers": [answer.answer for answer in answers],
        "open": [status.value for status in RecordStatus.open()],
    }
    session.execute(_KEEP, columns)


def of_records(session: Session, record_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """What is kept for each of the records: answers by key."""
    kept: dict[int, dict[str, str]] = {record_id: {} for record_id in record_ids}
    for record_id, key, answer in session.execute(
        select(KeptAnswer.record_id, KeptAnswer.key, KeptAnswer.answer).where(among(KeptAnswer.record_id, record_ids))
    ):
        kept[record_id][key] = answer
    return kept


def forget(session: Session, record_ids: Sequence[int]) -> None:
    """The records have ended: should one be run again, then with new questions."""
    session.execute(delete(KeptAnswer).where(among(KeptAnswer.record_id, record_ids)))
