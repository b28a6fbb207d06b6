"""The configuration: what an analysis is made with. Two analyses with one configuration are the same work.

``Desk`` is what a process holds: the database and the settings of its environment. ``Desk.settings`` lays the values saved
on screen over them, read anew for each action.
"""

import asyncio
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Self, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

from core import audit, tracing
from core.access import Actor, Permission
from core.agents.prompts import prompt_version
from core.database import Database
from core.errors import DatabaseUnavailable, SettingsError
from core.models import SavedSetting
from core.settings import Settings, checked_value, load_settings, on_screen_fields, read_from

logger = logging.getLogger(__name__)

T = TypeVar("T")

MONEY_SETTINGS = frozenset({"daily_budget", "monthly_budget", "cost_ceiling_per_article", "tavily_usd_per_credit"})
"""Settings that say how much may be spent: they take the permission for money as well."""
PATIENCE_SECONDS = 120.0
"""How long work in flight waits for a database that went away."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that can change an analysis's result, with the prompts' versions."""

    model: str
    research_provider: str
    minimum_confidence: float
    searches_per_article: int
    max_output_tokens: int
    content_prompt: str
    validation_prompt: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The configuration that a launch with these settings has."""
        return cls(
            model=settings.resolved_model,
            research_provider=settings.resolved_research,
            minimum_confidence=settings.minimum_confidence,
            searches_per_article=settings.searches_per_article,
            max_output_tokens=settings.max_output_tokens,
            content_prompt=prompt_version("content_analysis"),
            validation_prompt=prompt_version("signal_validation"),
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def hash(self) -> str:
        """16 hex digits that name this configuration in the database."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting as the System page shows it."""

    name: str
    title: str
    help: str
    value: Any
    default: Any
    source: str
    """``environment``, ``file`` (a ``.env``), ``screen`` or ``default``."""

    @property
    def shown(self) -> str:
        """The value as a person would write it; empty for none."""
        return in_writing(self.value)

    @property
    def is_fixed(self) -> bool:
        """It is set from outside and cannot be changed on screen."""
        return self.source in ("environment", "file")


def in_writing(value: Any) -> str:
    """A setting's value as it is typed."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


class Desk:
    """The database and the environment's settings, one of each a process. Any thread may use it."""

    def __init__(self, database: Database, environment: Settings) -> None:
        self.database = database
        self.environment = environment
        self.leaving = threading.Event()
        """Set when this process must end: work in flight waits for the database no longer."""
        self._held_up: dict[object, DatabaseUnavailable] = {}

    @property
    def trouble(self) -> DatabaseUnavailable | None:
        """Why work in flight waits for the database at this moment; None when none does."""
        return next(iter(self._held_up.copy().values()), None)

    @classmethod
    def open(cls, environment: Settings | None = None, *, pool_size: int = 10) -> Self:
        """Connect and migrate.

        Raises:
            SettingsError: a setting is malformed, or asks for a package that is not installed.
            DatabaseUnavailable: the database cannot be started, reached or migrated.
        """
        environment = environment or load_settings()
        tracing.set_up(environment)
        return cls(Database.open(environment, pool_size=pool_size), environment)

    def close(self) -> None:
        tracing.flush()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transaction(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction.

        Raises:
            DatabaseUnavailable: the server is away or cannot write.
        """
        with self.database.session() as session:
            return work(session)

    async def offload(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction off the event loop.

        While the database is away it is tried again for ``PATIENCE_SECONDS``, or until this process must end, so that what was
        paid for is not lost to a restart of the server. ``work`` may therefore run twice, and is written so that this does no harm.

        Raises:
            DatabaseUnavailable: the server stays away.
        """
        try:
            return await asyncio.to_thread(self.transaction, work)
        except DatabaseUnavailable as error:
            return await self._offload_again(work, error)

    async def _offload_again(self, work: Callable[[Session], T], error: DatabaseUnavailable) -> T:
        this = object()

        def held_up(error: BaseException | None) -> None:
            if isinstance(error, DatabaseUnavailable):
                if not self._held_up:  # of all that wait, the first says so
                    logger.warning("work in flight waits for the database: %s", error)
                self._held_up[this] = error

        held_up(error)
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(DatabaseUnavailable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_any(stop_after_delay(PATIENCE_SECONDS), stop_when_event_set(self.leaving)),
            before_sleep=lambda state: held_up(state.outcome.exception() if state.outcome else None),
            reraise=True,
        )
        try:
            return await attempts(asyncio.to_thread, self.transaction, work)
        finally:
            self._held_up.pop(this, None)

    def settings(self, session: Session) -> Settings:
        """The settings in force now."""
        return self.environment.with_saved(saved_values(session))


def setting_rows(settings: Settings, saved: set[str]) -> list[SettingRow]:
    """Every setting that can be changed on screen, with where its value comes from."""
    rows = []
    for name in on_screen_fields():
        field = Settings.model_fields[name]
        source = read_from(name) if name in settings.fixed_by_environment else "screen" if name in saved else "default"
        rows.append(SettingRow(name, field.title or name, field.description or "", getattr(settings, name), field.default, source))
    return rows


def saved_names(session: Session) -> set[str]:
    """Names of the settings that were changed on screen."""
    return set(session.scalars(select(SavedSetting.name)))


def save_setting(session: Session, environment: Settings, name: str, value: Any, *, by: Actor) -> None:
    """Keep a value chosen on screen.

    Raises:
        SettingsError: the value does not fit, or the environment fixes this setting.
    """
    by.require(Permission.SETTINGS)
    if name in MONEY_SETTINGS:
        by.require(Permission.MONEY)
    if name in environment.fixed_by_environment:
        raise SettingsError(f"'{name}' is set by the environment; change it there.")
    checked = checked_value(name, value)
    stored = str(checked) if isinstance(checked, Decimal) else checked
    before = _saved(session, name)
    statement = insert(SavedSetting).values(name=name, value=stored, saved_by=by.name)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": stored, "saved_by": by.name}))
    audit.record(session, by, audit.Action.SAVE_SETTING, ("setting", name), before=before, after={"value": stored})


def saved_values(session: Session) -> dict[str, Any]:
    """What was saved on screen, as it is stored, by name."""
    return dict(session.execute(select(SavedSetting.name, SavedSetting.value)).all())


def save_settings(session: Session, environment: Settings, values: Mapping[str, Any], *, by: Actor) -> None:
    """Keep several values at once, or none of them. Raises as ``save_setting``."""
    by.require(Permission.SETTINGS)
    for name, value in values.items():
        save_setting(session, environment, name, value, by=by)


def put_back(session: Session, environment: Settings, saved: Mapping[str, Any], *, by: Actor) -> None:
    """Have settings as they stood: a name with what was saved for it, or with None where nothing was."""
    by.require(Permission.SETTINGS)
    for name, value in saved.items():
        if value is None:
            reset_setting(session, name, by=by)
        else:
            save_setting(session, environment, name, value, by=by)


def reset_setting(session: Session, name: str, *, by: Actor) -> None:
    """Go back to the default."""
    by.require(Permission.SETTINGS)
    if name in MONEY_SETTINGS:
        by.require(Permission.MONEY)
    if (before := _saved(session, name)) is not None:
        session.execute(delete(SavedSetting).where(SavedSetting.name == name))
        audit.record(session, by, audit.Action.RESET_SETTING, ("setting", name), before=before)


def _saved(session: Session, name: str) -> dict[str, Any] | None:
    """What is saved for a setting, held until the transaction ends; None where nothing is."""
    found = session.execute(select(SavedSetting.value).where(SavedSetting.name == name).with_for_update()).first()
    return None if found is None else {"value": found.value}
