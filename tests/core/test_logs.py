"""Logs: their two forms, what they concern through tasks, threads and groups, and nothing secret in them."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from core import logs
from core.configuration import Desk
from core.group_commit import GroupCommit
from core.logs import HIDDEN, Blot, JsonLines, TextLines, about, concerns, secrets_of
from core.settings import Settings

MOMENT = datetime(2026, 11, 27, 9, 30, 0, 250_000, tzinfo=UTC)


def a_line(message: str, *arguments: object, error: Exception | None = None, **more: Any) -> logging.LogRecord:
    raised = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("core.metering", logging.WARNING, "metering.py", 1, message, arguments, raised)  # type: ignore[arg-type]
    record.created = MOMENT.timestamp()
    record.__dict__ |= more
    return record


def as_json(record: logging.LogRecord, *secrets: str) -> dict[str, Any]:
    written = JsonLines(Blot(secrets)).format(record)
    assert len(written.splitlines()) == 1
    return json.loads(written)


def raised(message: str) -> Exception:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


# --- the two forms ---------------------------------------------------------------------------------------------------


def test_json_has_time_level_logger_message_and_ids() -> None:
    with about(batch_id=3), about(record_id=5, article_id=7):
        line = as_json(a_line("waits %d s", 12))
    assert line == {
        "time": "2026-11-27T09:30:00.250Z",
        "level": "WARNING",
        "logger": "core.metering",
        "message": "waits 12 s",
        "batch_id": 3,
        "record_id": 5,
        "article_id": 7,
    }
    assert set(as_json(a_line("idle"))) == {"time", "level", "logger", "message"}


def test_an_exception_is_one_field_of_one_line() -> None:
    line = as_json(a_line("the article failed", error=raised("two\nlines\u2028and more")))
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: two\nlines\u2028and more")


def test_what_is_given_with_a_line_is_a_field_and_comes_before_what_the_block_said() -> None:
    with about(batch_id=3):
        line = as_json(a_line("told", batch_id=4, waits=[1, 2], by={"name": "x"}, when=MOMENT, color_message="told"))
    assert (line["batch_id"], line["waits"], line["by"]) == (4, [1, 2], {"name": "x"})
    assert line["when"].startswith("2026-11-27")
    assert "color_message" not in line


def test_text_is_one_line_whatever_is_in_it_and_the_traceback_below() -> None:
    with about(batch_id=3, trace_id="4bf9"):
        written = TextLines(Blot()).format(a_line("title: %s", "one\n2026-11-27 ERROR core: forged\x1b[31m", error=raised("why")))
    first, *below = written.splitlines()
    assert first == "2026-11-27 09:30:00Z WARNING core.metering [batch 3]: title: one\\n2026-11-27 ERROR core: forged\\x1b[31m"
    assert below[0] == "Traceback (most recent call last):"
    assert below[-1] == "ValueError: why"


@pytest.mark.parametrize("form", [JsonLines, TextLines])
def test_a_line_whose_arguments_do_not_fit_is_still_a_line(form: type[JsonLines] | type[TextLines]) -> None:
    assert "'a'" in form(Blot()).format(a_line("%d articles of %d", "a"))


# --- what it concerns ------------------------------------------------------------------------------------------------


def told() -> dict[str, int | str]:
    return concerns(a_line("x"))


def test_ids_go_along_to_tasks_and_threads_and_end_with_their_block() -> None:
    async def article(number: int) -> list[dict[str, int | str]]:
        with about(record_id=number):
            await asyncio.sleep(0)
            return [told(), await asyncio.to_thread(told), await asyncio.create_task(asyncio.to_thread(told))]

    async def batch() -> list[list[dict[str, int | str]]]:
        with about(batch_id=1):
            found = await asyncio.gather(article(5), article(6))
            assert told() == {"batch_id": 1}
            return found

    assert asyncio.run(batch()) == [[{"batch_id": 1, "record_id": number}] * 3 for number in (5, 6)]
    assert told() == {}


def test_a_group_of_transactions_is_the_batch_s_and_no_one_article_s(desk: Desk) -> None:
    seen = []

    def work(session: Any, items: Any) -> list[int]:
        session.execute(text("SELECT 1"))
        seen.append(told())
        return [0 for _ in items]

    async def article(commits: GroupCommit, number: int) -> None:
        with about(record_id=number):
            await commits.run(work, number)

    async def batch() -> None:
        with about(batch_id=9):
            commits = GroupCommit(desk)
            await asyncio.gather(*(article(commits, number) for number in range(4)))

    asyncio.run(batch())
    assert seen
    assert all(one == {"batch_id": 9} for one in seen)


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [
        "connection to postgresql://desk:pa55word@db.example/x failed",
        "redis://:pa55word@cache.example:6379/0 is away",
        "Authorization: Bearer pa55word",
        "Authorization: Basic pa55word==",
        "GET https://api.example/v1?key=pa55word&q=1",
        "GET https://api.example/v1?api_key=pa55word",
        "AIzapa55wordpa55word is not valid",
        "tvly-pa55wordpa55word was refused",
        "the token sd_pa55wordpa55wordpa55word was revoked",
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(secret: str) -> None:
    for written in (as_json(a_line(secret))["message"], TextLines(Blot()).format(a_line("%s", secret))):
        assert "pa55word" not in written
        assert HIDDEN in written


def test_a_known_secret_is_blotted_out_wherever_it_stands() -> None:
    record = a_line('it says "%s"', 'p"w\\1', error=raised('refused: p"w\\1'), headers={"x": ['p"w\\1']}, given=Exception('p"w\\1'))
    line = as_json(record, 'p"w\\1')
    assert line["message"] == f'it says "{HIDDEN}"'
    assert line["exception"].endswith(f"refused: {HIDDEN}")
    assert (line["headers"], line["given"]) == ({"x": [HIDDEN]}, HIDDEN)
    assert 'p"w\\1' not in TextLines(Blot(['p"w\\1'])).format(record)


def test_ordinary_lines_stay_as_they_are() -> None:
    words = "record 12 stops: https://news.example/a?id=1 answered 503; monkey=1, keyboard: yes, basic facts"
    assert as_json(a_line(words))["message"] == words


def test_every_secret_of_settings_and_environment_is_known_and_the_password_in_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-provider-s")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-honeycomb-team=abc123")
    monkeypatch.setenv("SORT_KEY", "date")
    settings = Settings(
        _env_file=None, gemini_api_key="AIza-one", alert_webhook_url="https://hooks.example/two", database_url="postgresql://u:th%40ree@h/d"
    )
    known = set(secrets_of(settings))
    assert "postgresql://u:th%40ree@h/d" not in known  # it is blotted out by its shape; without a password it is no secret
    assert {"AIza-one", "https://hooks.example/two", "th%40ree", "th@ree", "another-provider-s", "x-honeycomb-team=abc123"} <= known
    assert "date" not in known


# --- setting up ------------------------------------------------------------------------------------------------------


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, hooks = root.level, (threading.excepthook,)
    yield
    root.removeHandler(logs._handler)
    root.setLevel(level)
    for name in (*logs.OURS, *logs.SERVERS):
        logging.getLogger(name).setLevel(logging.NOTSET)
    (threading.excepthook,) = hooks
    logging.captureWarnings(False)


@pytest.mark.usefixtures("_logging_as_it_was")
@pytest.mark.parametrize(
    ("given", "service", "expected"),
    [
        ({}, True, ["INFO core.orchestrator", "INFO alembic", "WARNING core.orchestrator", "WARNING httpx"]),  # no terminal: JSON
        ({}, False, ["WARNING core.orchestrator", "WARNING httpx"]),
        ({"log_format": "text"}, True, ["WARNING core.orchestrator", "WARNING httpx"]),
        ({"log_level": "error"}, True, []),
        (
            {"log_level": "debug", "log_format": "json"},
            False,
            ["DEBUG core.orchestrator", "INFO core.orchestrator", "INFO alembic", "WARNING core.orchestrator", "WARNING httpx"],
        ),
    ],
)
def test_what_is_written_follows_the_settings(
    given: dict[str, Any], service: bool, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(Settings(_env_file=None, **given), service=service)
    logging.getLogger("core.orchestrator").debug("a")
    logging.getLogger("core.orchestrator").info("b")
    logging.getLogger("alembic.runtime.migration").info("c")
    logging.getLogger("httpx").info("d")
    logging.getLogger("core.orchestrator").warning("e")
    logging.getLogger("httpx").warning("f")
    written = capsys.readouterr().err.splitlines()
    if given.get("log_format") == "text":
        assert [" ".join(line.split()[2:4]).rstrip(":") for line in written] == expected
    else:
        lines = [json.loads(line) for line in written]
        assert [f"{line['level']} {line['logger'].removesuffix('.runtime.migration')}" for line in lines] == expected


@pytest.mark.usefixtures("_logging_as_it_was")
def test_a_thread_that_dies_leaves_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(_env_file=None, log_format="json"))

    def die() -> None:
        raise ValueError("unforeseen")

    thread = threading.Thread(target=die, name="stories")
    thread.start()
    thread.join()
    (line,) = [json.loads(one) for one in capsys.readouterr().err.splitlines()]
    assert line["message"] == "the thread stories ended by an error"
    assert line["exception"].endswith("ValueError: unforeseen")
