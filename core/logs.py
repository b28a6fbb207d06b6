"""Logs: one form for every line of a process, with the batch, record and article it concerns, and no secret in it.

A line goes to standard error: as JSON, one object a line, where that is no terminal, else as text. ``about`` says what the lines
of a block concern; it holds for the tasks and threads that the block starts too (``asyncio.to_thread`` takes it along). Lines of
uvicorn, Alembic, Celery and Streamlit have the same form. Any thread may log.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import unquote

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from core.settings import Settings

HIDDEN = "•••"
OURS = ("core", "console")
SERVERS = ("uvicorn", "alembic", "celery")
"""Libraries whose lines say what the process does; of all others only warnings are kept."""
QUIET = ("celery.worker.strategy", "celery.app.trace", "celery.worker.consumer.connection")
"""Say of each task that it came and went, and not of which batch, as ``core.batch_run`` does; and where the broker is, as the worker
does, which knows what of that may be read."""
ADDRESSES = ("database_url", "direct_database_url", "celery_broker_url")
"""Secret settings of which only the password within is one: where a database is may be read."""

_SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS|_HEADERS)$", re.IGNORECASE)
_SHAPES = re.compile(
    r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # name and password in an address
    r"|(?i:(?<=bearer )|(?<=bearer: )|(?<=basic ))[\w.~+/=-]{6,}"
    r"|\bAIza[\w-]{10,}|\btvly-[\w-]{6,}|\bsk-[\w-]{10,}|\bsd_[\w-]{16,}"
    r"|(?i:(?<=\bkey=)|(?<=_key=)|(?<=token=)|(?<=password=)|(?<=secret=))[^\s&'\"]+"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PASSWORD = re.compile(r"\w[\w+]*://[^/@:]*:([^@]+)@")

_about: ContextVar[Mapping[str, int | str]] = ContextVar("about", default={})  # noqa: B039 - never changed, only replaced


@contextmanager
def about(**ids: int | str) -> Iterator[None]:
    """Lines logged in this block concern these: ``about(batch_id=3)``, and within it ``about(record_id=5, article_id=7)``."""
    before = _about.set({**_about.get(), **ids})
    try:
        yield
    finally:
        _about.reset(before)


def concerned() -> Mapping[str, int | str]:
    """What this task or thread concerns itself with: ids by their names."""
    return _about.get()


def concerns(record: logging.LogRecord) -> dict[str, int | str]:
    """The ids of what a line concerns, by name; what was given with the line itself comes first. Ask in the thread that logs."""
    own = {name: getattr(record, name) for name in ("batch_id", "record_id", "article_id") if hasattr(record, name)}
    return {**_about.get(), **own}


# --- secrets ---------------------------------------------------------------------------------------------------------


class Blot:
    """Takes secrets out of texts: those that it was told, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({one for one in secrets if len(one) >= 4}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return _SHAPES.sub(HIDDEN, text)

    def within(self, value: Any) -> Any:
        """The same value with the secrets taken out of its texts; what is neither number, list nor mapping becomes text."""
        match value:
            case None | bool() | int() | float():
                return value
            case dict():
                return {str(name): self.within(one) for name, one in value.items()}
            case list() | tuple():
                return [self.within(one) for one in value]
        return self(str(value))


def secrets_of(settings: Settings) -> list[str]:
    """Every secret that the settings and the environment hold, and the passwords within addresses."""
    held = {name: value.get_secret_value() for name, value in dict(settings).items() if hasattr(value, "get_secret_value")}
    passwords = [found[1] for secret in held.values() if (found := _PASSWORD.match(secret))]
    whole = [secret for name, secret in held.items() if name not in ADDRESSES]
    # Other providers' clients read keys of their own. A short value is a word or a switch.
    whole += [value for name, value in os.environ.items() if _SECRET_NAMES.search(name) and len(value) >= 8]
    return [*whole, *passwords, *map(unquote, passwords)]


# --- the two forms ---------------------------------------------------------------------------------------------------


class JsonLines(JsonFormatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, ids, and ``exception`` with the whole traceback."""

    def __init__(self, blot: Blot) -> None:
        super().__init__(
            ("asctime", "levelname", "name", "message"),
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"},
            reserved_attrs=[*RESERVED_ATTRS, "taskName", "color_message"],
        )
        self._blot = blot

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record) if _is_readable(record) else super().format(_unreadable(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _utc(record).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, message_dict)
        log_data |= concerns(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        blotted: dict[str, Any] = self._blot.within(log_data)
        return blotted


class TextLines(logging.Formatter):
    """A line for a person: time (UTC), level, logger, ids, message; a traceback below it."""

    def __init__(self, blot: Blot) -> None:
        super().__init__()
        self._blot = blot

    def format(self, record: logging.LogRecord) -> str:
        line = record if _is_readable(record) else _unreadable(record)
        # One line, whatever a hostile title holds.
        message = _CONTROL.sub(lambda found: repr(found[0])[1:-1], line.getMessage())
        text = f"{_utc(line):%Y-%m-%d %H:%M:%S}Z {line.levelname} {line.name}{ids_in_words(concerns(line))}: {message}"
        if line.exc_info:
            text += f"\n{self.formatException(line.exc_info)}"
        return self._blot(text)


def ids_in_words(ids: Mapping[str, int | str]) -> str:
    """`` [batch 3, record 5]``; empty for none."""
    known = [f"{name.removesuffix('_id')} {value}" for name, value in ids.items() if name != "trace_id"]
    return f" [{', '.join(known)}]" if known else ""


def _utc(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _is_readable(record: logging.LogRecord) -> bool:
    try:
        record.getMessage()
    except (TypeError, ValueError, KeyError):
        return False
    return True


def _unreadable(record: logging.LogRecord) -> logging.LogRecord:
    """A line of some library whose arguments do not fit its format is kept as it is, in its form."""
    copy = logging.makeLogRecord(record.__dict__)
    copy.msg, copy.args = f"{record.msg} {record.args!r}", None
    return copy


# --- setting up ------------------------------------------------------------------------------------------------------


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the time: a progress bar puts itself in between."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


_handler = _StandardError()


def set_up(settings: Settings, *, service: bool = False) -> None:
    """Send this process's lines to standard error in the form and from the level that the settings say. May be called again.

    On ``auto`` a service says what it does as long as nobody reads along; a command, and whatever stands on a terminal, only
    warns.
    """
    blot = Blot(secrets_of(settings))
    structured = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    auto = "info" if service and structured else "warning"
    level = logging.getLevelNamesMapping()[(auto if settings.log_level == "auto" else settings.log_level).upper()]
    _handler.setFormatter(JsonLines(blot) if structured else TextLines(blot))
    _handler.setLevel(level)
    root = logging.getLogger()
    root.setLevel(max(level, logging.WARNING))
    root.removeHandler(_handler)
    root.addHandler(_handler)
    for name in SERVERS:
        logging.getLogger(name).setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(min(level, logging.INFO))  # the System page shows the quiet ones too
    logging.getLogger("alembic.runtime.migration").addFilter(_says_what_it_does)
    logging.captureWarnings(True)
    sys.excepthook = _log_the_end if structured else sys.__excepthook__
    threading.excepthook = _log_a_thread_s_end


def _says_what_it_does(record: logging.LogRecord) -> bool:
    """Alembic tells of the dialect whenever somebody asks for the schema's revision, as each look at ``/health/ready`` does."""
    return not str(record.msg).startswith(("Context impl", "Will assume"))


def is_structured() -> bool:
    """Whether lines go out as JSON."""
    return isinstance(_handler.formatter, JsonLines)


def _log_the_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        logging.getLogger(__name__).critical("the process ends by an error", exc_info=(kind, error, traceback))


def _log_a_thread_s_end(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        name = ended.thread.name if ended.thread else "a thread"
        error = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logging.getLogger(__name__).error("the thread %s ended by an error", name, exc_info=error)
