"""The desk itself: settings, processes, the schedule."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Created, Json, Key, Moment


class WorkerKind(StrEnum):
    POOL = "pool"  # runs batches in threads of its own
    CONSOLE = "console"  # looks after batches that Celery's workers run
    CELERY = "celery"  # runs tasks of Celery
    BEAT = "beat"  # runs the schedule


class SavedSetting(Base):
    """A setting changed on screen."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)
    saved_by: Mapped[str] = mapped_column(String(100))
    saved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())


class Worker(Base):
    """A process that runs batches. One without a fresh heartbeat is dead, and its leases and reservations are taken back."""

    __tablename__ = "workers"

    owner: Mapped[str] = mapped_column(String(200), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int]
    kind: Mapped[WorkerKind] = mapped_column(server_default=WorkerKind.POOL.value)
    name: Mapped[str] = mapped_column(String(100), server_default=text("''"))
    """As it was started with; empty where it was given none."""
    slots: Mapped[int | None]
    """Tasks that it runs at once; null for what runs none."""
    tasks: Mapped[int] = mapped_column(server_default=text("0"))
    """Tasks that it ran at its last heartbeat."""
    started_at: Mapped[Created]
    heartbeat_at: Mapped[Created]


class ScheduledJob(Base):
    """Something that the desk does by itself at its times (``core.schedule``). ``running_owner`` is set while it runs."""

    __tablename__ = "schedule"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    enabled: Mapped[bool]
    every_seconds: Mapped[int]
    next_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    asked_at: Mapped[Moment | None]
    """When a person asked for it now; null once it began."""
    options: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    running_owner: Mapped[str | None] = mapped_column(String(200))
    running_until: Mapped[Moment | None]
    """With it: when it is taken for dead unless that is renewed."""
    started_at: Mapped[Moment | None]
    ended_at: Mapped[Moment | None]
    failed: Mapped[bool | None]
    result: Mapped[str | None]
    """What the last run did, or why it failed."""


class Feed(Base):
    """A feed that the schedule fetches."""

    __tablename__ = "feeds"

    id: Mapped[Key]
    address: Mapped[str] = mapped_column(unique=True)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    added_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[Created]
    fetched_at: Mapped[Moment | None]
    failed: Mapped[bool | None]
    result: Mapped[str | None]
    """What the last fetch brought, or why it failed."""
