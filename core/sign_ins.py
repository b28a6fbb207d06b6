"""Sign-ins that were ended: who still has the cookie of one, in another tab or as a copy, is signed in nowhere any more.

In the database, so that every console of the desk knows, also after a restart.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.models import EndedSignIn

KEPT = timedelta(days=35)
"""Longer than Streamlit believes its cookie: 30 days and one of grace."""


def key_of(told: Mapping[str, Any]) -> str:
    """Names a sign-in by what its cookie tells: the person, and the nonce of that one sign-in. Others of the same person are not meant."""
    which = f"{told.get('iss')}\0{told.get('sub')}\0{told.get('nonce') or told.get('iat')}"
    return hashlib.sha256(which.encode(errors="replace")).hexdigest()


def end(session: Session, key: str, *, now: datetime) -> None:
    """Let a sign-in count no more. Ending it twice changes nothing."""
    session.execute(insert(EndedSignIn).values(key=key, ended_at=now).on_conflict_do_nothing(index_elements=["key"]))


def has_ended(session: Session, key: str) -> bool:
    """Whether somebody signed out of this sign-in."""
    return bool(session.scalar(select(exists().where(EndedSignIn.key == key))))


def forget(session: Session, now: datetime) -> int:
    """Delete those whose cookies no console believes any more; returns how many."""
    gone = delete(EndedSignIn).where(EndedSignIn.ended_at < now - KEPT).returning(EndedSignIn.key)
    return len(session.scalars(gone).all())
