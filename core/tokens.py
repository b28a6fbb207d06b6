"""API tokens: what a program shows to be let in, with scopes of its own. The desk keeps only a hash of the secret."""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.clock import utc_now
from core.errors import NotAllowed, NotFound, NotPossible
from core.models import ApiToken
from core.settings import Settings

MARK = "sd_"
"""What every secret begins with, so that a scanner of leaked secrets, or a person, knows what it is."""
SECRET_BYTES = 32
SHOWN_CHARS = 8
MOST_CHARS = 80
LISTED_AT_MOST = 500
USE_KEPT_EVERY = timedelta(minutes=1)
OF_THE_ENVIRONMENT = "SIGNALDESK_API_TOKEN"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token, for a list."""

    id: int
    name: str
    prefix: str
    scopes: tuple[Permission, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None

    def is_in_force(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def create(session: Session, name: str, scopes: Collection[Permission], *, by: Actor, expires_at: datetime | None = None) -> str:
    """Make a token and return its secret, which nobody can read again. Without ``expires_at`` it holds until it is revoked.

    Raises:
        NotPossible: the name is empty, too long or that of a token in force; there is no scope; or it would have expired already.
        NotAllowed: a scope that who makes it has not.
    """
    by.require(Permission.ACCESS)
    name = " ".join(name.split())
    if not name or len(name) > MOST_CHARS or not name.isprintable():
        raise NotPossible(f"A token has a name of 1 to {MOST_CHARS} characters, such as 'dashboard'.")
    if name == OF_THE_ENVIRONMENT:
        raise NotPossible(f"{name} is the token that the environment sets. Choose another name.")
    if not scopes:
        raise NotPossible(f"A token needs a scope: {', '.join(Permission)}.")
    if beyond := sorted(set(scopes) - by.permissions):
        raise NotAllowed(f"{by.name} may not give the scope '{beyond[0]}', which they do not have themselves.")
    if expires_at is not None and expires_at <= utc_now():
        raise NotPossible("The token would have expired already.")
    secret = MARK + secrets.token_urlsafe(SECRET_BYTES)
    ordered = [scope.value for scope in Permission if scope in scopes]
    made = session.scalar(
        insert(ApiToken)
        .values(
            name=name,
            prefix=secret[: len(MARK) + SHOWN_CHARS],
            secret_hash=_hash(secret),
            scopes=ordered,
            created_by=by.name,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing(index_elements=["name"], index_where=ApiToken.revoked_at.is_(None))
        .returning(ApiToken.id)
    )
    if made is None:
        raise NotPossible(f"There is a token '{name}' already. Revoke it first, or choose another name.")
    end = expires_at.astimezone(UTC).isoformat(timespec="seconds") if expires_at else None
    audit.record(session, by, audit.Action.CREATE_TOKEN, ("token", made), after={"name": name, "scopes": ordered, "expires_at": end})
    return secret


def revoke(session: Session, token_id: int, *, by: Actor) -> str:
    """Let nobody in with this token any more; returns its name. Revoking one twice changes nothing.

    Raises:
        NotFound: there is no such token.
    """
    by.require(Permission.ACCESS)
    held = session.execute(select(ApiToken.name, ApiToken.revoked_at).where(ApiToken.id == token_id).with_for_update()).first()
    if held is None:
        raise NotFound(f"There is no token {token_id}.")
    if held.revoked_at is None:
        session.execute(update(ApiToken).where(ApiToken.id == token_id).values(revoked_at=func.now(), revoked_by=by.name))
        audit.record(session, by, audit.Action.REVOKE_TOKEN, ("token", token_id), before={"name": held.name})
    return held.name


def authenticate(session: Session, secret: str, *, now: datetime, settings: Settings | None = None) -> Actor | None:
    """Who acts with this secret; None for one that is unknown, revoked or expired. Keeps its last use, to the minute.

    With ``settings`` the token that the environment sets is known, too; it has every scope.
    """
    if settings is not None and settings.api_token is not None:
        known = settings.api_token.get_secret_value()
        if hmac.compare_digest(secret.encode(errors="replace"), known.encode()):
            return Actor(f"token {OF_THE_ENVIRONMENT}", frozenset(Permission))
    if not secret.startswith(MARK) or not secret.isascii():
        return None
    found = session.execute(
        select(ApiToken.id, ApiToken.name, ApiToken.scopes, ApiToken.last_used_at).where(
            ApiToken.secret_hash == _hash(secret),
            ApiToken.revoked_at.is_(None),
            or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now),
        )
    ).first()
    if found is None:
        return None
    if found.last_used_at is None or now - found.last_used_at >= USE_KEPT_EVERY:
        session.execute(update(ApiToken).where(ApiToken.id == found.id).values(last_used_at=now))
    return Actor(f"token {found.name}", frozenset(_known(found.scopes)))


def listed(session: Session) -> list[TokenRow]:
    """The tokens, those in force first, then by name; the newest of those that are not ``LISTED_AT_MOST`` at most."""
    names = [name for name in TokenRow.__dataclass_fields__ if name != "scopes"]
    rows = session.execute(
        select(ApiToken.scopes, *[getattr(ApiToken, name) for name in names])
        .order_by(ApiToken.revoked_at.is_not(None), ApiToken.revoked_at.desc(), func.lower(ApiToken.name), ApiToken.id)
        .limit(LISTED_AT_MOST)
    ).mappings()
    return [TokenRow(scopes=_known(row["scopes"]), **{name: row[name] for name in names}) for row in rows]


def _known(scopes: Collection[str]) -> tuple[Permission, ...]:
    return tuple(scope for scope in Permission if scope.value in scopes)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
