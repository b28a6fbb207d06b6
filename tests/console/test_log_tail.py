"""The log's tail: the last lines, by level, with what they concern and nothing secret in them."""

import logging
import sys
from typing import Any

import pytest
from streamlit import config, error_util
from streamlit import logger as streamlit_logger

from console import log_tail
from console.components import show_error
from console.log_tail import LINES, Tail
from core.errors import NotPossible
from core.logs import HIDDEN, Blot, about


def logged(tail: Tail, message: str, *arguments: object, level: int = logging.WARNING, **more: Any) -> None:
    tail.handle(logging.LogRecord("core.metering", level, "metering.py", 1, message, arguments, more.get("exc_info")))


def test_the_newest_line_comes_first_and_only_so_many_are_kept() -> None:
    tail = Tail()
    for number in range(LINES + 3):
        logged(tail, "line %d", number)
    lines = tail.lines()
    assert len(lines) == LINES
    assert (lines[0].message, lines[-1].message) == (f"line {LINES + 2}", "line 3")
    assert (lines[0].logger, lines[0].level_name) == ("core.metering", "WARNING")


def test_lines_below_a_level_are_left_out() -> None:
    tail = Tail()
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        logged(tail, "at %d", level, level=level)
    assert [line.message for line in tail.lines(logging.WARNING)] == ["at 40", "at 30"]
    assert len(tail.lines()) == 3


def test_a_traceback_is_kept_without_secrets() -> None:
    tail = Tail(Blot(["hunter2-secret"]))
    try:
        raise ValueError("refused: hunter2-secret")
    except ValueError:
        logged(tail, "page failed", exc_info=sys.exc_info())
    (line,) = tail.lines()
    assert line.detail.startswith("Traceback")
    assert line.detail.endswith(f"refused: {HIDDEN}")


def test_a_line_says_which_article_it_concerns() -> None:
    tail = Tail()
    with about(batch_id=3), about(record_id=5, article_id=7):
        logged(tail, "stops")
    logged(tail, "idle")
    assert [line.concerns for line in tail.lines()] == ["", " [batch 3, record 5, article 7]"]


def test_streamlit_s_loggers_pass_their_lines_on_the_ones_made_later_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamlit_logger, "setup_formatter", streamlit_logger.setup_formatter)  # put back after the test
    before = streamlit_logger.get_logger("streamlit.made_before")
    log_tail.take_over_streamlit()
    later = streamlit_logger.get_logger("streamlit.made_later")
    streamlit_logger.update_formatter()  # as when its configuration is read
    assert [(one.propagate, one.handlers) for one in (before, later)] == [(True, [])] * 2


def test_what_ends_a_page_is_logged_once_in_the_one_form_and_a_refusal_not_at_all(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    rich = config.get_option("logger.enableRich")
    try:
        log_tail.take_over_streamlit()
        for error in (NotPossible("There is nothing to undo."), ValueError("password=hunter2-secret")):
            error_util.handle_user_script_exception(error, show_error)
    finally:
        config.set_option("logger.enableRich", rich)
        logging.getLogger(error_util.__name__).removeFilter(log_tail._is_not_of_a_script)
    said = capfd.readouterr()
    assert "hunter2" not in said.out
    assert "nothing to undo" not in said.out + said.err
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (line.name, line.exc_info is not None) == ("console.components", True)
