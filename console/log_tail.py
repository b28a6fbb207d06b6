"""The console's part of the logs: the last lines of this process for the System page, and Streamlit's lines in the form of all others.

A handler keeps the lines; any thread may log and any may read.
"""

import logging
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from streamlit import config, error_util
from streamlit import logger as streamlit_logger

from core.logs import Blot, concerns, ids_in_words, secrets_of
from core.settings import Settings

LINES = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One entry; ``concerns`` names its batch, record and article, ``detail`` is its traceback, if it has one."""

    at: datetime
    level: int
    level_name: str
    logger: str
    concerns: str
    message: str
    detail: str


class Tail(logging.Handler):
    """Keeps the last ``LINES`` entries, without secrets."""

    def __init__(self, blot: Blot | None = None) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[Line] = deque(maxlen=LINES)
        self._blot = blot or Blot()
        self._keeping = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        detail = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        line = Line(
            datetime.fromtimestamp(record.created, UTC),
            record.levelno,
            record.levelname,
            record.name,
            ids_in_words(concerns(record)),
            self._blot(record.getMessage()),
            self._blot(detail),
        )
        with self._keeping:
            self._lines.append(line)

    def lines(self, least: int = logging.NOTSET) -> list[Line]:
        """Those of at least this level, newest first."""
        with self._keeping:
            return [line for line in reversed(self._lines) if line.level >= least]


_tail = Tail()


def keep_tail(settings: Settings) -> None:
    """Begin to keep what this process logs; of the desk's own lines the quiet ones too, which may not go to the terminal."""
    global _tail  # noqa: PLW0603 - one a process
    root = logging.getLogger()
    root.removeHandler(_tail)
    _tail = Tail(Blot(secrets_of(settings)))
    root.addHandler(_tail)


def tail(least: int = logging.NOTSET) -> list[Line]:
    """The kept lines of at least this level, newest first."""
    return _tail.lines(least)


def _is_not_of_a_script(record: logging.LogRecord) -> bool:
    return record.msg != "Uncaught app execution"


def take_over_streamlit() -> None:
    """Have Streamlit's loggers pass their lines on, to be written in the form of all others.

    It gives every logger a handler and a format of its own as the logger is made, and again when its configuration is read. And it writes
    whatever ends a page's script, refusals in words included, to standard output: as it is, secrets in it too. ``show_error`` logs what
    nobody foresaw, so that is not said twice.
    """
    config.set_option("logger.enableRich", False)
    logging.getLogger(error_util.__name__).addFilter(_is_not_of_a_script)

    def pass_on(logger: logging.Logger) -> None:
        if (own := getattr(logger, "streamlit_console_handler", None)) is not None:
            logger.removeHandler(own)
        logger.propagate = True

    streamlit_logger.setup_formatter = pass_on
    streamlit_logger.update_formatter()
