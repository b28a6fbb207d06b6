"""The last lines of this process's log, for the System page. A handler keeps them; any thread may log and any may read."""

import logging
import re
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from core.settings import Settings

LINES = 500
HIDDEN = "•••"
_SHAPES = re.compile(
    r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # name and password in an address
    r"|(?i:(?<=bearer )|(?<=bearer: ))\S+"
    r"|\bAIza[\w-]{10,}|\btvly-[\w-]{6,}|\bsk-[\w-]{10,}"
    r"|(?i:(?<=\bkey=)|(?<=_key=)|(?<=token=)|(?<=password=))[^\s&'\"]+"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry; ``detail`` is its traceback, if it has one."""

    at: datetime
    level: int
    level_name: str
    logger: str
    message: str
    detail: str


class Tail(logging.Handler):
    """Keeps the last ``LINES`` entries, without the secrets it was told and without what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[Line] = deque(maxlen=LINES)
        self._secrets = sorted((one for one in secrets if len(one) >= 4), key=len, reverse=True)
        self._keeping = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        detail = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        line = Line(
            datetime.fromtimestamp(record.created, UTC),
            record.levelno,
            record.levelname,
            record.name,
            self._without_secrets(record.getMessage()),
            self._without_secrets(detail),
        )
        with self._keeping:
            self._lines.append(line)

    def lines(self, least: int = logging.NOTSET) -> list[Line]:
        """Those of at least this level, newest first."""
        with self._keeping:
            return [line for line in reversed(self._lines) if line.level >= least]

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return _SHAPES.sub(HIDDEN, text)


_tail = Tail()


def keep_tail(settings: Settings) -> None:
    """Begin to keep what this process logs; of the desk's own lines the quiet ones too, which do not go to the terminal."""
    global _tail  # noqa: PLW0603 - one a process
    root = logging.getLogger()
    root.removeHandler(_tail)
    for handler in root.handlers:
        handler.setLevel(max(handler.level, logging.WARNING))
    _tail = Tail(secrets_of(settings))
    root.addHandler(_tail)
    for ours in ("core", "console"):
        logging.getLogger(ours).setLevel(logging.INFO)


def tail(least: int = logging.NOTSET) -> list[Line]:
    """The kept lines of at least this level, newest first."""
    return _tail.lines(least)


def secrets_of(settings: Settings) -> list[str]:
    """Every secret that the settings hold, and the password within the database's address."""
    held = [value.get_secret_value() for value in dict(settings).values() if hasattr(value, "get_secret_value")]
    passwords = [found[1] for secret in held if (found := re.match(r"\w[\w+]*://[^/@:]*:([^@]+)@", secret))]
    return [*held, *passwords]
