"""``signaldesk prices``: what it says, what it writes, and how it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from console.cli import main
from core.configuration import Desk
from core.prices import price_span


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """``run("btc.csv", code=4)`` in ``tmp_path``: standard output and standard error."""
    monkeypatch.setattr(Desk, "open", classmethod(lambda cls, *_, **__: cls(desk.database, desk.environment)))
    monkeypatch.setattr(Desk, "close", lambda _: None)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> Any:
        monkeypatch.setattr(sys, "argv", ["signaldesk", "prices", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert int(end.value.code or 0) == code, said
        return said

    return run


def test_prices_are_imported_and_what_was_rejected_is_written_to_a_report(desk: Desk, run: Any, tmp_path: Path) -> None:
    (tmp_path / "btc.csv").write_text("\ufeffDate,Close\n2026-11-19,90000\n2026-11-20,n/a\n2026-11-21,=1+1\n", encoding="utf-8")
    said = run("btc.csv").out.splitlines()
    assert said[:2] == [
        "Prices of 2026-11-19 to 2026-11-19: 1 new, 0 updated, 0 unchanged, 2 rejected.",
        "  2 × close is no number",
    ]
    report = Path(said[2].removeprefix("The rejected rows are in "))
    assert report.parent == tmp_path / "reports"
    assert "2026-11-20,n/a" in report.read_text(encoding="utf-8")
    (tmp_path / "btc.csv").write_text("date,close\n2026-11-19,90000\n2026-11-20,91000\n", encoding="utf-8")
    figures = json.loads(run("btc.csv", "--json").out)
    assert figures == {
        "days": 2,
        "new": 1,
        "updated": 0,
        "unchanged": 1,
        "repeated": 0,
        "rejected": 0,
        "reasons": {},
        "first": "2026-11-19",
        "last": "2026-11-20",
        "report": None,
    }
    span = desk.transaction(price_span)
    assert span is not None
    assert span.days == 2


def test_what_is_no_price_file_is_refused_in_one_line(desk: Desk, run: Any, tmp_path: Path) -> None:
    (tmp_path / "news.csv").write_text("title,body\nA,B\n", encoding="utf-8")
    refused = run("news.csv", code=4).err.splitlines()
    assert refused == [
        "news.csv is no price file. Its first line is 'title,body'."
        " A price file is CSV with a column date and a column close, such as 2026-11-24,91250.10."
    ]
    assert run("missing.csv", code=7).err == "There is no file missing.csv.\n"
    assert run(str(tmp_path), code=7).err.startswith("There is no file")
    assert "Missing argument" in run(code=2).err
    assert desk.transaction(price_span) is None


def test_help_says_what_a_file_must_have(run: Any) -> None:
    assert "columns date and close" in " ".join(run("--help").out.split())
