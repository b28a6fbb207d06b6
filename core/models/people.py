"""Who may do what, and who did."""

from typing import Any

from sqlalchemy import Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.access import Role
from core.models.base import Base, Created, Key, Moment


class Person(Base):
    """The role of somebody who signs in, by e-mail address in lower case."""

    __tablename__ = "people"

    email: Mapped[str] = mapped_column(String(100), primary_key=True)
    role: Mapped[Role]
    given_by: Mapped[str] = mapped_column(String(100))
    given_at: Mapped[Created]


class ApiToken(Base):
    """What a program shows to be let in. The secret itself is kept nowhere."""

    __tablename__ = "api_tokens"
    __table_args__ = (Index("uq_api_tokens_in_force", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),)

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(80))
    """Of those that are not revoked one has it."""
    prefix: Mapped[str] = mapped_column(String(16))
    """The secret's first characters, by which a person knows it again."""
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256, hex. The secret has 256 random bits, so that nothing slower is needed."""
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    """Values of ``core.access.Permission``."""
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[Created]
    expires_at: Mapped[Moment | None]
    last_used_at: Mapped[Moment | None]
    """To the minute."""
    revoked_at: Mapped[Moment | None]
    revoked_by: Mapped[str | None] = mapped_column(String(100))


class EndedSignIn(Base):
    """A sign-in that somebody signed out of (``core.sign_ins``)."""

    __tablename__ = "ended_sign_ins"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256, hex, of what its cookie tells."""
    ended_at: Mapped[Created] = mapped_column(index=True)


class AuditEntry(Base):
    """One decision, or one change of money, settings or access. Append-only: a trigger refuses the rest."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_actor", "actor", "id"),
        Index("ix_audit_log_action", "action", "id"),
        Index("ix_audit_log_actor_action", "actor", "action", "id"),
    )

    id: Mapped[Key]
    at: Mapped[Created]
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(40))
    """A value of ``core.audit.Action``."""
    subject_kind: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(String(300))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
