"""The log's tail: the last lines, by level, and nothing secret in them."""

import logging
import sys
from typing import Any

import pytest

from console.log_tail import HIDDEN, LINES, Tail, secrets_of
from core.settings import Settings


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
    tail = Tail(["hunter2-secret"])
    try:
        raise ValueError("refused: hunter2-secret")
    except ValueError:
        logged(tail, "page failed", exc_info=sys.exc_info())
    (line,) = tail.lines()
    assert line.detail.startswith("Traceback")
    assert line.detail.endswith(f"refused: {HIDDEN}")


@pytest.mark.parametrize(
    "secret",
    [
        "connection to postgresql://desk:pa55word@db.example/x failed",
        "Authorization: Bearer pa55word",
        "GET https://api.example/v1?key=pa55word&q=1",
        "GET https://api.example/v1?api_key=pa55word",
        "AIzapa55wordpa55word is not valid",
        "tvly-pa55wordpa55word was refused",
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(secret: str) -> None:
    tail = Tail()
    logged(tail, secret)
    assert "pa55word" not in tail.lines()[0].message
    assert HIDDEN in tail.lines()[0].message


def test_ordinary_lines_stay_as_they_are() -> None:
    tail = Tail()
    logged(tail, "record 12 stops: https://news.example/a?id=1 answered 503; monkey=1, keyboard: yes")
    assert tail.lines()[0].message == "record 12 stops: https://news.example/a?id=1 answered 503; monkey=1, keyboard: yes"


def test_every_secret_of_the_settings_is_known_and_the_password_in_an_address() -> None:
    settings = Settings(
        _env_file=None, gemini_api_key="AIza-one", alert_webhook_url="https://hooks.example/two", database_url="postgresql://u:three@h/d"
    )
    assert {"AIza-one", "https://hooks.example/two", "three"} <= set(secrets_of(settings))
