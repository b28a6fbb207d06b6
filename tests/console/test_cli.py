"""The command line as its users meet it: real processes, their output, and their exit codes.

A start costs about two seconds, so each test goes through a few steps of one story, and of steps that differ in their
arguments only, some go through the same ``main`` in this process (``inside``).
"""

import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from console.cli import app, main
from core import reviews
from core.access import ITSELF, local
from core.clock import utc_now
from core.configuration import Desk
from core.database import Database
from core.embedded_postgres import EmbeddedPostgres
from core.embedded_postgres.clusters import home_of
from core.embedded_postgres.processes import find_server
from core.exports import COLUMNS, Table
from core.models import Decision
from core.samples import load_samples
from core.settings import CHECKOUT
from tests.core.answered import a_signal, keep
from tests.loopback import LoopbackProviders

SECRETS = {
    "COINDESK_API_KEY": "coindesk-s3cr3t-key",
    "SIGNALDESK_ALERT_WEBHOOK_URL": "https://hooks.example/s3cr3t-hook",
}
SENTENCE = "The pool said on Tuesday that it moved coins to a new wallet, the first such transfer since spring. "
BODY = SENTENCE * 25


@dataclass(frozen=True)
class Ended:
    """A process that ended: what it printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def check(ended: Ended, environment: dict[str, str]) -> Ended:
    """No run of the desk shows a traceback, or anything that is secret in its environment."""
    said = ended.out + ended.err
    assert "Traceback" not in said, said
    secrets = [value for name, value in environment.items() if value and name.endswith(("_API_KEY", "WEBHOOK_URL"))]
    if password := re.search(r"//[^:/]*:([^@]+)@", environment.get("DATABASE_URL", "")):
        secrets.append(password[1])
    assert not [secret for secret in secrets if secret in said], said
    return ended


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "console.cli", *arguments]


@pytest.fixture
def environment(database: Database, database_url: str, tmp_path: Path) -> dict[str, str]:
    """This test's database, a data directory of its own, and secrets that nothing may show."""
    own = {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(CHECKOUT)}
    return os.environ | SECRETS | own


@pytest.fixture
def signaldesk(environment: dict[str, str], tmp_path: Path) -> Callable[..., Ended]:
    """``signaldesk("import", "news.csv", code=4, SIGNALDESK_MODEL="offline")`` in ``tmp_path``; an empty value takes a variable away."""

    def run(*arguments: str, code: int = 0, **more: str) -> Ended:
        given = {name: value for name, value in (environment | more).items() if value}
        done = subprocess.run(command(*arguments), cwd=tmp_path, env=given, capture_output=True, text=True, timeout=90, check=False)
        ended = check(Ended(done.returncode, done.stdout, done.stderr), given)
        assert ended.code == code, f"{ended.out}\n{ended.err}"
        return ended

    return run


@pytest.fixture
def inside(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """As ``signaldesk``, without the cost of a process."""

    def run(*arguments: str, code: int = 0, **more: str) -> Ended:
        given = environment | more
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["signaldesk", *arguments])
            for name, value in given.items():
                patch.setenv(name, value)
            capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                main()
        ended = check(Ended(int(end.value.code or 0), *capsys.readouterr()), given)
        assert ended.code == code, f"{ended.out}\n{ended.err}"
        return ended

    return run


@pytest.fixture
def providers() -> Iterator[LoopbackProviders]:
    with LoopbackProviders(seed=3) as loopback:
        yield loopback


def rows_of(desk: Desk, query: str) -> list[Any]:
    with desk.database.session() as session:
        return list(session.execute(text(query)).all())


# --- importing -------------------------------------------------------------------------------------------------------


def an_entry(number: int, **changes: Any) -> dict[str, Any]:
    published = (utc_now() - timedelta(hours=number)).isoformat()
    fields = {"title": f"Pool {number} moves coins", "body": BODY, "url": f"https://hashyard.example/{number}", "published": published}
    return {**fields, "publisher": "Hashyard", **changes}


def an_rss_feed(*entries: dict[str, Any]) -> str:
    items = "".join(
        f"<item><title>{escape(entry['title'])}</title><link>{entry['url']}</link><pubDate>{entry['published']}</pubDate>"
        f"<description>{escape('<p>' + entry['body'] + '</p>')}</description></item>"
        for entry in entries
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Blockledger</title>{items}</channel></rss>'


@pytest.mark.slow
def test_import_of_every_kind_of_file_and_again(signaldesk: Any, desk: Desk, tmp_path: Path) -> None:
    lines = [json.dumps(an_entry(number)) for number in range(1, 4)]
    lines += ["{broken", json.dumps(an_entry(4, title="")), json.dumps(an_entry(5, published="someday", title="=1+1"))]
    (tmp_path / "news.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    with (tmp_path / "[b] news.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(an_entry(0)))
        writer.writeheader()
        writer.writerows(an_entry(number, title=f"Ärger, “{number}”") for number in (11, 12))
    (tmp_path / "feed.xml").write_text(an_rss_feed(an_entry(21), an_entry(22)), encoding="utf-8")
    (tmp_path / "one.json").write_text(json.dumps({"articles": [an_entry(31)]}), encoding="utf-8")
    sources = ("news.jsonl.gz", "[b] news.csv", "feed.xml", "one.json")

    first = signaldesk("import", *sources)
    assert "8 new, 0 updated, 0 unchanged, 3 rejected." in first.out
    assert "1 × no title" in first.out
    assert first.err == ""
    report = Path(re.search(r"The rejected rows are in (.+)", first.out)[1])  # type: ignore[index]
    assert report.parent == tmp_path / "data" / "reports"
    with report.open(encoding="utf-8", newline="") as file:
        rejected = list(csv.DictReader(file))
    assert [(row["source"], row["row"], row["reason"].split(":")[0]) for row in rejected] == [
        ("news.jsonl.gz", "4", "broken JSON"), ("news.jsonl.gz", "5", "no title"), ("news.jsonl.gz", "6", "unreadable date"),
    ]  # fmt: skip
    assert rejected[2]["title"] == "'=1+1"
    assert rows_of(desk, "SELECT count(*) FROM articles") == [(8,)]
    assert rows_of(desk, "SELECT title FROM articles WHERE title LIKE 'Ä%' ORDER BY 1") == [("Ärger, “11”",), ("Ärger, “12”",)]

    again = signaldesk("import", *sources, "--json")
    counts = again.json
    assert Path(counts.pop("report")).is_file()
    assert {name: counts[name] for name in ("new", "updated", "unchanged", "rejected")} == {
        "new": 0, "updated": 0, "unchanged": 8, "rejected": 3,
    }  # fmt: skip
    assert sorted(counts["reasons"].values()) == [1, 1, 1]
    assert again.err == ""


@pytest.mark.slow
def test_a_source_that_is_refused_does_not_hide_what_was_taken_before_it(signaldesk: Any, tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text("\n".join(json.dumps(an_entry(number)) for number in (1, 2)) + "\n{broken\n", encoding="utf-8")
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7 \x00\x01")
    ended = signaldesk("import", "good.jsonl", "paper.pdf", code=4)
    assert "2 new, 0 updated, 0 unchanged, 1 rejected." in ended.out
    assert "The rejected rows are in" in ended.out
    assert ended.err.startswith("paper.pdf is a PDF. Supported are JSON,")

    (tmp_path / "plain").write_text("not a directory")
    unwritable = signaldesk("import", "good.jsonl", "--json", code=2, SIGNALDESK_DATA_DIR=str(tmp_path / "plain"))
    assert unwritable.json["unchanged"] == 2
    assert unwritable.json["report"] is None
    assert "The rejected rows cannot be written to" in unwritable.err


@pytest.mark.slow
def test_fetch_imports_the_last_hours_from_coindesk(signaldesk: Any, desk: Desk, tmp_path: Path) -> None:
    ages = (1, 5, 23, 25, 100)
    (tmp_path / "served.jsonl").write_text("\n".join(json.dumps(an_entry(hours)) for hours in ages), encoding="utf-8")
    with LoopbackProviders(articles=str(tmp_path / "served.jsonl")) as providers:
        keyed = {"COINDESK_BASE_URL": providers.url, "COINDESK_API_KEY": providers.env()["COINDESK_API_KEY"]}
        assert signaldesk("fetch", "--hours", "24", "--json", **keyed).json["new"] == 3
        assert "2 new, 0 updated, 3 unchanged, 0 rejected." in signaldesk("fetch", "--hours", "200", **keyed).out
        refused = signaldesk("fetch", code=4, **keyed | {"COINDESK_API_KEY": "no-such-key"})
        assert refused.err.startswith("CoinDesk answered 401")
        assert "Check COINDESK_API_KEY." in refused.err
    assert rows_of(desk, "SELECT count(*) FROM articles") == [(5,)]


# --- exporting -------------------------------------------------------------------------------------------------------


def test_an_export_has_the_filters_and_formats_of_the_screen(inside: Any, desk: Desk, articles: Any, tmp_path: Path) -> None:
    (coindesk,), (aardvark,) = articles(1, publisher="CoinDesk"), articles(1, publisher="Aardvark")
    first, second = keep(desk, coindesk, a_signal(confidence=0.9), a_signal(confidence=0.4, kind="narrative_gap", category="flows"))
    (third,) = keep(desk, aardvark, a_signal(confidence=0.5))
    desk.transaction(lambda session: reviews.decide(session, third, Decision.ACCEPTED, by=local("ida")))

    def found(*arguments: str) -> list[int]:
        return [json.loads(line)["signal_id"] for line in inside("export", "--json", *arguments).out.splitlines()]

    assert found() == [first, third, second]
    assert found("--kind", "narrative_gap") == found("--category", "flows") == [second]
    assert found("--publisher", "coindesk", "--confidence", "0.5") == [first]
    assert found("--reviewed", "accepted") == found("--article", str(aardvark)) == [third]
    assert found("--order", "newest", "--until", "2026-11-24") == [third, second, first]
    assert found("--since", "2026-11-25") == found("--verdict", "VALIDATED") == found("--text", "zyzzyva") == []
    assert inside("export", "--bom").out.startswith("\ufeffsignal_id,")
    for name, start in (("a.parquet", b"PAR1"), ("a.html", b"<!doctype html>"), ("a.jsonl", b'{"signal_id"'), ("a.csv", b"signal_id,")):
        assert "beside it" in inside("export", "-o", name).err
        assert (tmp_path / name).read_bytes().startswith(start)
        assert json.loads((tmp_path / f"{name}.manifest.json").read_text(encoding="utf-8"))["file"] == name
    inside("export", "--format", "csv", "-o", "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "a.csv").read_bytes()
    assert next(csv.reader(io.StringIO(inside("export", "costs").out, newline=""))) == list(COLUMNS[Table.LEDGER])


# --- analysing -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_estimate_analyze_status_export_on_the_samples_without_a_key(signaldesk: Any, inside: Any, desk: Desk, tmp_path: Path) -> None:
    load_samples(desk, utc_now(), by=ITSELF)
    estimated = signaldesk("estimate", "-n", "3", "--json").json
    assert (estimated["articles"], float(estimated["usd"]), estimated["skipped"]) == (3, 0, 0)
    assert rows_of(desk, "SELECT count(*) FROM batch_sessions") == [(0,)]

    analyzed = signaldesk("analyze", "-n", "3", "--json", "--key", "monday")
    done = analyzed.json
    assert (done["status"], done["model"], done["research"], done["completed"], done["failed"]) == ("COMPLETED", "offline", "archive", 3, 0)
    assert float(done["spent_usd"]) == 0
    assert analyzed.err == ""

    again = inside("analyze", "-n", "3", "--json", "--key", "monday").json
    assert again["batch"] == done["batch"]
    assert rows_of(desk, "SELECT count(*) FROM batch_sessions") == [(1,)]
    assert rows_of(desk, "SELECT count(*) FROM analyses") == [(3,)]

    desk_now = inside("status", "--json").json
    assert desk_now["articles"] == 60
    assert desk_now["batches"] == [{"id": done["batch"], "status": "COMPLETED", "done": 3, "total": 3}]
    assert desk_now["database"].startswith("postgresql+psycopg://signaldesk:***@127.0.0.1")
    batch = inside("status", str(done["batch"])).out
    assert batch.startswith(f"Batch {done['batch']}: COMPLETED, offline and archive\n  3 completed\n")

    assert signaldesk("export", "signals", "-o", "[b].csv").err.startswith("Wrote [b].csv: ")
    with (tmp_path / "[b].csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        signals = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS[Table.SIGNALS]
    assert len(signals) == rows_of(desk, "SELECT count(*) FROM signals")[0][0] > 0
    bodies = dict(rows_of(desk, "SELECT id, body FROM articles"))
    for row in signals:
        for evidence in json.loads(row["evidence"]):
            assert bodies[int(row["article_id"])][evidence["start"] : evidence["end"]] == evidence["quote"]
    manifest = json.loads((tmp_path / "[b].csv.manifest.json").read_text(encoding="utf-8"))
    assert (manifest["count"], manifest["made_by"], manifest["configuration"]["model"]) == (len(signals), "analyst", "offline")
    records = [json.loads(line) for line in inside("export", "records", "--json").out.splitlines()]
    assert [record["status"] for record in records] == ["COMPLETED"] * 3


def test_filters_and_the_words_of_an_estimate(inside: Any, articles: Any) -> None:
    articles(2, publisher="CoinDesk")
    articles(3, publisher="Aardvark")
    chosen = inside("estimate", "--publisher", "coin desk", "--since", "2026-10-01").out.splitlines()
    assert chosen[0] == "2 articles"
    assert chosen[1].startswith("about $0.00, at most $")
    table = inside("status").out
    assert re.search(r"^articles +5$", table, re.MULTILINE)
    assert re.search(r"^budget today +\$0\.00 of \$5\.00 spent", table, re.MULTILINE)
    csv_text = inside("export", "ledger").out
    assert next(csv.reader(io.StringIO(csv_text, newline=""))) == list(COLUMNS[Table.LEDGER])


@pytest.mark.slow
def test_failed_articles_have_their_exit_code_and_can_be_retried(
    signaldesk: Any, inside: Any, articles: Any, providers: LoopbackProviders
) -> None:
    articles(2)
    articles(1, title="Poisoned [/red] article")
    providers.faults({"provider": "gemini", "kind": "safety", "contains": "Poisoned"})
    ended = signaldesk("analyze", code=10, **providers.env())
    assert "2 completed, 1 failed" in ended.out
    assert "failed: Poisoned [/red] article: " in ended.err
    providers.clear_faults()
    retried = inside("retry", "1", "--json", **providers.env()).json
    assert (retried["status"], retried["completed"], retried["failed"]) == ("COMPLETED", 3, 0)
    assert float(retried["spent_usd"]) > 0
    assert "No article of batch 1 failed." in inside("retry", "1", code=8, **providers.env()).err


@pytest.mark.slow
def test_interrupting_pauses_the_batch_and_resume_goes_on(
    signaldesk: Any, inside: Any, environment: dict[str, str], articles: Any, desk: Desk, providers: LoopbackProviders, tmp_path: Path
) -> None:
    articles(4)
    providers.behave(latency=0.5)
    given = environment | providers.env() | {"SIGNALDESK_CONCURRENCY": "1"}
    process = subprocess.Popen(
        command("analyze", "--json"), cwd=tmp_path, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not providers.served()["requests"]:
        assert process.poll() is None
        assert time.monotonic() < deadline, "the batch did not start"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    paused = check(Ended(process.returncode, out, err), given)
    assert paused.code == 11, paused.err
    assert paused.json["status"] == "PAUSED"
    assert paused.json["pending"] > 0
    assert paused.json["processing"] == 0
    assert "'signaldesk resume 1' goes on" in paused.err

    providers.behave(latency=0)
    resumed = signaldesk("resume", "1", "--json", **providers.env()).json
    assert (resumed["status"], resumed["completed"]) == ("COMPLETED", 4)
    assert rows_of(desk, "SELECT count(*) FROM batch_records") == [(4,)]
    assert "can't be paused" in inside("pause", "1", code=8).err


# --- refusals --------------------------------------------------------------------------------------------------------

UNREACHABLE = {"DATABASE_URL": "postgresql://desk:hunter2-s3cr3t@127.0.0.1:1/desk"}
Refusal = tuple[int, tuple[str, ...], dict[str, str], str]
CELERY = {"SIGNALDESK_EXECUTOR": "celery", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
REFUSALS: dict[str, Refusal] = {
    "malformed number": (2, ("status",), {"SIGNALDESK_CONCURRENCY": "many"}, "SIGNALDESK_CONCURRENCY"),
    "not Postgres": (2, ("status",), {"DATABASE_URL": "mysql://desk:hunter2-s3cr3t@db/desk"}, "DATABASE_URL.*postgresql://"),
    "unreadable address": (2, ("status",), {"DATABASE_URL": "postgresql://desk:hunter2@s3cr3t@db:x/desk"}, "DATABASE_URL is malformed"),
    "no key to fetch": (2, ("fetch",), {"COINDESK_API_KEY": ""}, "Set COINDESK_API_KEY"),
    "model without its key": (2, ("analyze",), {"SIGNALDESK_MODEL": "google:gemini-2.5-flash"}, "Set GEMINI_API_KEY"),
    "text too long": (2, ("estimate", "--text", "x" * 201), {}, "--text takes at most 200 characters"),
    "text that is no UTF-8": (2, ("estimate", "--text", "\udcff"), {}, "--text is not valid UTF-8"),
    "key too long": (2, ("analyze", "--key", "x" * 201), {}, "at most 200 characters"),
    "days in the wrong order, exported": (
        2,
        ("export", "--since", "2026-11-03", "--until", "2026-11-02"),
        {},
        "--since 2026-11-03 is after --until 2026-11-02",
    ),
    "days in the wrong order, analysed": (2, ("estimate", "--since", "2026-11-03", "--until", "2026-11-02"), {}, "is after --until"),
    "an ending that names no format": (2, ("export", "-o", "s.txt"), {}, r"s\.txt names no format: end it in \.csv, \.jsonl, \.ndjson, "),
    "no ending": (2, ("export", "-o", "signals"), {}, "or give one with --format"),
    "unwritable export": (2, ("export", "-o", "no/such/folder/x.csv"), {}, "x.csv cannot be written: No such file"),
    "Parquet without a file": (2, ("export", "--format", "parquet"), {}, "Parquet is written to a file"),
    "a briefing of records": (2, ("export", "records", "--format", "briefing", "-o", "b.html"), {}, "A briefing is made of signals"),
    "a filter that does not apply": (2, ("export", "ledger", "--kind", "narrative_gap"), {}, "the other filters are of signals"),
    "unreachable database": (3, ("status",), UNREACHABLE, r"desk:\*\*\*@127\.0\.0\.1:1/desk does not answer.*DATABASE_URL"),
    "a worker's endless name": (2, ("worker", "--name", "x" * 101), CELERY, "--name takes 1 to 100 characters in one line"),
    "a worker's name of two lines": (2, ("worker", "--name", "a\nb"), CELERY, "--name takes 1 to 100 characters in one line"),
    "a worker without a name": (2, ("worker", "--name", " "), CELERY, "--name takes 1 to 100 characters in one line"),
    "nothing that matches": (5, ("analyze", "--text", "zyzzyva"), {}, "No article is selected"),
    "an id that is not there": (5, ("analyze", "--id", "999"), {}, "No article is selected"),
    "missing file": (7, ("import", "no-such-file.jsonl"), {}, "There is no file no-such-file.jsonl"),
    "endless name": (7, ("import", "x" * 5_000), {}, "There is no file x"),
    "unknown publisher": (7, ("estimate", "-p", "Nobody"), {}, "There is no publisher called Nobody"),
    "unknown batch": (7, ("status", "999"), {}, "There is no batch 999"),
}


AS_PROCESSES = {"malformed number", "unreachable database", "nothing that matches", "missing file"}
"""One of each kind."""


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_one_line_with_its_own_exit_code(signaldesk: Any, inside: Any, articles: Any, name: str) -> None:
    articles(1)
    code, arguments, environment, words = REFUSALS[name]
    ended = (signaldesk if name in AS_PROCESSES else inside)(*arguments, code=code, **environment)
    assert re.search(words, ended.err), ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert "hunter2" not in ended.err
    assert "s3cr3t" not in ended.err
    assert ended.out == ""


@pytest.mark.slow
def test_over_budget_is_refused_before_anything_is_asked_or_made(
    signaldesk: Any, desk: Desk, articles: Any, providers: LoopbackProviders
) -> None:
    articles(3)
    ended = signaldesk("analyze", code=6, SIGNALDESK_DAILY_BUDGET="0.001", **providers.env())
    assert re.match(r"Budget for today is \$0\.0010; \$0\.00 is spent and \$0\.\d+ was asked for", ended.err), ended.err
    assert ended.err.count("\n") == 1
    assert providers.served()["requests"] == 0
    assert rows_of(desk, "SELECT count(*) FROM batch_sessions") == [(0,)]


def test_usage_errors_have_exit_code_2(inside: Any) -> None:
    for arguments, words in (
        (("status", "99999999999999999999"), "batch_id"),
        (("estimate", "--id", "99999999999999999999"), "--id"),
        (("estimate", "-n", "0"), "--limit"),
        (("estimate", "--since", "yesterday"), "--since"),
        (("analyze", "--budget", "nan"), "--budget"),
        (("analyze", "--budget", "inf"), "--budget"),
        (("export", "nothing"), "signals"),
        (("import",), "sources"),
        (("nosuch",), "nosuch"),
    ):
        assert words in inside(*arguments, code=2).err


def test_help_of_every_command_says_what_it_does_and_exits_0() -> None:
    runner = CliRunner()
    commands = [entry.name or (entry.callback.__name__ if entry.callback else "") for entry in app.registered_commands]
    assert {"start", "import", "fetch", "estimate", "analyze", "resume", "retry", "pause", "cancel", "status", "export"} <= set(commands)
    overview = runner.invoke(app, ["--help"])
    assert overview.exit_code == 0
    for name in commands:
        assert name in overview.output
        for flag in ("--help", "-h"):
            shown = runner.invoke(app, [name, flag])
            assert shown.exit_code == 0, shown.output
            assert f"{name} [OPTIONS]" in shown.output
            assert not re.search(r"\[\[|\{\{", shown.output), shown.output


@pytest.mark.slow
def test_help_needs_no_database(signaldesk: Any) -> None:
    assert "What analysing the articles that match would cost" in signaldesk("estimate", "--help", **UNREACHABLE).out


# --- the embedded database -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_without_a_database_url_the_embedded_one_is_used_and_left_stopped(signaldesk: Any, tmp_path: Path) -> None:
    folder = tmp_path / "fresh" / "desk"
    embedded = EmbeddedPostgres(folder / "postgres")
    try:
        first = signaldesk("status", "--json", DATABASE_URL="", SIGNALDESK_DATA_DIR="fresh/desk").json
        assert first["articles"] == 0
        assert first["model"] == "offline"
        assert "***@127.0.0.1" in first["database"]
        cluster = home_of(folder / "postgres") / "cluster"
        assert (cluster / "pgdata" / "PG_VERSION").exists()
        assert find_server(cluster / "pgdata") is None
        assert "0 new" not in signaldesk("import", "nothing.csv", code=7, DATABASE_URL="", SIGNALDESK_DATA_DIR=str(folder)).out
        assert find_server(cluster / "pgdata") is None, "a refusal left the server running"
    finally:
        embedded.destroy()


def test_a_data_directory_that_cannot_be_one_is_said_in_one_line(signaldesk: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder, code, words in (
        ("x" * 5_000, 2, "xxx cannot be used: File name too long."),
        ("file", 3, "could not be started. [Errno 17] File exists"),
    ):
        refused = signaldesk("status", code=code, DATABASE_URL="", SIGNALDESK_DATA_DIR=folder)
        assert words in refused.err
        assert len(refused.err.strip().splitlines()) == 1
    backed_up = signaldesk("backup", code=2, SIGNALDESK_DATA_DIR="file")
    assert backed_up.err.strip().endswith("backups cannot be used: Not a directory.")
