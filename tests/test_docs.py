"""The documentation holds: every file, symbol, setting, table and command that it names exists, and its examples are run."""

import asyncio
import csv
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import ROUND_UP, Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import typer
from sqlalchemy import text

from console.cli import app
from core import causes, records
from core.budget import ALERT_THRESHOLDS
from core.clock import utc_now
from core.configuration import Desk
from core.failures import CallFailed, FailureKind
from core.group_commit import GroupCommit
from core.metering import Account, Meter
from core.models import Base
from core.pace import Pace
from core.setting_reference import entries
from core.settings import CHECKOUT
from tests.faults.conftest import launch
from tests.loopback import LoopbackProviders

DOCS = CHECKOUT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
EVERYTHING = [*PAGES, CHECKOUT / "README.md"]
VARIABLES = {variable for entry in entries() for variable in entry.variables}
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def ids(path: Path) -> str:
    return path.name


def words(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", words(page), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- what is named exists --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", EVERYTHING, ids=ids)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = set(re.findall(r"(?<![\w/.-])((?:core|console|pages|tests|docs)/[\w./-]*\w)", words(page)))
    missing = [one for one in sorted(named) if not (CHECKOUT / one).exists()]
    assert missing == []


@pytest.mark.parametrize("page", EVERYTHING, ids=ids)
def test_every_symbol_that_is_named_is_there(page: Path) -> None:
    for name in set(re.findall(r"`((?:core|console|tests)(?:\.\w+)+)`", words(page))):
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            try:
                found: Any = importlib.import_module(".".join(parts[:length]))
            except ModuleNotFoundError:
                continue
            for attribute in parts[length:]:
                found = getattr(found, attribute)
            break


@pytest.mark.parametrize("page", EVERYTHING, ids=ids)
def test_every_link_within_the_documentation_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", words(page)):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("page", EVERYTHING, ids=ids)
def test_every_variable_that_is_named_is_a_setting(page: Path) -> None:
    named = set(re.findall(r"\bSIGNALDESK_[A-Z_]*[A-Z]\b", words(page)))
    assert named - VARIABLES == set()


def test_every_table_that_is_named_is_there() -> None:
    flow = words(DOCS / "flow.md")
    named = {
        name
        for paragraph in re.findall(r"^Tables: .*?(?=\n\n)", flow, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"`(\w+)`", paragraph)
    }
    assert named - set(Base.metadata.tables) == set()
    assert {"articles", "batch_sessions", "batch_records", "analyses", "signals", "validations", "reviews", "ledger_entries"} <= named


def test_every_cause_and_every_alert_has_its_remedy() -> None:
    alerts = words(DOCS / "alerts.md")
    listed = ROW.findall(alerts.split("<!-- causes -->")[1].split("<!-- /causes -->")[0])
    known = {kind.value for kind in FailureKind} | {causes.BUDGET, causes.SETTINGS, causes.TOO_MANY}
    assert set(listed) == known
    assert len(listed) == len(set(listed))
    for threshold in ALERT_THRESHOLDS:
        assert re.search(rf"^\| {threshold} %", alerts, re.MULTILINE), threshold


# --- commands --------------------------------------------------------------------------------------------------------


def commands(page: Path) -> Iterator[str]:
    """Every ``signaldesk …`` of a block of shell or of a unit, and the ones within text."""
    for block in re.findall(r"```(?:sh|ini)\n(.*?)```", words(page), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:^|[=/\s])(signaldesk [a-z].*)$", line.split(" #")[0])
            if found and not line.startswith(("systemctl", "journalctl", "adduser")):
                yield found[1]
    yield from re.findall(r"`(signaldesk [^`]+)`", words(page))


COMMANDS = sorted({(page.name, command) for page in EVERYTHING for command in commands(page)})


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_is_one(page: str, command: str) -> None:
    main: Any = typer.main.get_command(app)
    said = re.split(r" (?:\|\||&&|\||>|;) ?", command.replace("$(date +%F)", "today"))[0]
    arguments = shlex.split(said)[1:]
    if any("|" in argument for argument in arguments):
        arguments = [argument.split("|")[0] for argument in arguments]  # one of several
    context = typer.Context(main, info_name="signaldesk")
    while hasattr(main, "get_command"):  # a group, such as 'token'
        assert arguments, f"{page}: '{command}' names a group"
        name, *arguments = arguments
        main = main.get_command(context, name)
        assert main is not None, f"{page}: there is no command '{name}'"
        if not hasattr(main, "get_command") and (arguments or command.count(" ") > 1):
            main.make_context(name, list(arguments), parent=context)


def test_commands_are_found_and_a_wrong_one_would_be() -> None:
    assert {"running.md", "recovery.md", "extending.md", "README.md"} <= {page for page, _ in COMMANDS}
    with pytest.raises(Exception, match="No such option"):
        test_every_command_is_one("x", "signaldesk smoke https://desk.example --no-such-option")
    with pytest.raises(AssertionError):
        test_every_command_is_one("x", "signaldesk no-such-command")
    with pytest.raises(AssertionError):
        test_every_command_is_one("x", "signaldesk token no-such-command")


def test_systemd_s_file_of_variables_has_settings_and_nothing_behind_their_values() -> None:
    """To systemd all that stands behind the = is the value, a comment too."""
    (block,) = re.findall(r"^`/etc/signaldesk\.env`.*?```sh\n(.*?)```", words(DOCS / "running.md"), re.DOTALL | re.MULTILINE)
    lines = [re.fullmatch(r"([A-Z_]+)=\S+", line) for line in block.splitlines()]
    assert all(lines), block
    assert {line[1] for line in lines if line} <= VARIABLES


def test_nginx_takes_the_file_for_it(tmp_path: Path) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed (apt-get install nginx)")
    (site,) = re.findall(r"```nginx\n(.*?)```", words(DOCS / "running.md"), re.DOTALL)
    bare = re.sub(r"^ *ssl_certificate.*$", "", site, flags=re.MULTILINE).replace("listen 443 ssl", f"listen unix:{tmp_path}/socket")
    file = tmp_path / "nginx.conf"
    file.write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; client_body_temp_path {tmp_path}/body;\n{bare}}}\n")
    told = subprocess.run([nginx, "-t", "-e", "stderr", "-c", str(file)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


# --- examples --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_model_of_the_example_is_priced_as_it_says(database_url: str, database: Any, tmp_path: Path) -> None:
    """The steps of "Tried out, without paying", taken from the page."""
    block = words(DOCS / "extending.md").split("### Tried out, without paying")[1].split("```sh\n")[2].split("```")[0]
    with LoopbackProviders() as providers:
        environment = os.environ | {"DATABASE_URL": database_url, "PYTHONPATH": str(CHECKOUT)}
        steps = block.replace("http://127.0.0.1:8901", providers.url).replace("/tmp/trying", str(tmp_path))
        steps = steps.replace("signaldesk ", f"{shlex.quote(sys.executable)} -m console.cli ").replace(
            "ledger.csv", str(tmp_path / "ledger.csv")
        )
        done = subprocess.run(
            ["sh", "-e", "-c", steps], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=170, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "ledger.csv").open(encoding="utf-8") as file:
        calls = list(csv.DictReader(file))
    assert len(calls) >= 5  # one an article, and one more where there was something to validate
    for call in calls:
        assert call["model"] == "google:gemini-9-pro"
        written = int(call["output_tokens"]) + int(call["thinking_tokens"])
        usd = (int(call["input_tokens"]) * Decimal("0.40") + written * Decimal("3.00")) / 1_000_000
        assert Decimal(call["usd"]) == usd.quantize(Decimal("0.00000001"), rounding=ROUND_UP) > 0


@pytest.mark.slow
def test_the_roll_ups_are_added_up_anew_as_it_says(database_url: str, database: Any, tmp_path: Path) -> None:
    (block,) = [block for block in re.findall(r"```sh\n(.*?)```", words(DOCS / "recovery.md"), re.DOTALL) if "rebuild" in block]
    environment = os.environ | {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path)}
    steps = block.replace("python3 ", f"{shlex.quote(sys.executable)} ")
    done = subprocess.run(["sh", "-e", "-c", steps], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def searxng() -> Iterator[str]:
    """A server that answers as SearXNG does, and keeps what it was asked."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {
                "url": "https://news.example/a",
                "title": "A",
                "content": "The pool moved \u200b450 BTC.",
                "publishedDate": "2026-11-20T08:00:00",
            }
            body = json.dumps({"results": [found, {"url": "javascript:alert(1)"}]} if "q=moved" in self.path else {}).encode()
            self.send_response(200 if "q=moved" in self.path else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_research_provider_of_the_example_searches_through_the_ledger(searxng: str, desk: Desk, articles: Any) -> None:
    block = words(DOCS / "extending.md").split("<!-- example: searxng -->\n```python\n")[1].split("```")[0]
    example: dict[str, Any] = {"__name__": "example"}
    exec(compile(block, "docs/extending.md", "exec"), example)
    articles(1)
    batch_id = launch(desk.database, desk.environment)

    async def go() -> tuple[Any, Any]:
        claims = await desk.offload(lambda session: records.claim(session, batch_id, owner="tester", most=1, now=utc_now()))
        settings = desk.environment.model_copy(update={"max_attempts": 2})
        account = Account(desk, GroupCommit(desk), settings, Pace(2), "tester", batch_id, sleep=no_wait)
        meter = Meter(account, claims[0].record_id, claims[0].article_id or 0)
        async with example["SearxngSearch"](searxng, 5.0) as search:
            found = await search.search("moved coins", meter)
            try:
                failed = await search.search("anything else", meter)
            except CallFailed as error:
                failed = error.failure.kind
        await meter.settled()
        return found, failed

    found, failed = asyncio.run(go())
    assert [(one.url, one.text, one.publisher) for one in found] == [("https://news.example/a", "The pool moved 450 BTC.", "news.example")]
    assert found[0].published_at.isoformat() == "2026-11-20T08:00:00+00:00"
    assert failed is FailureKind.OVERLOAD
    with desk.database.session() as session:
        calls = session.execute(text("SELECT provider, kind, usd, error_kind FROM ledger_entries ORDER BY id")).all()
    assert [(call.provider, call.kind, call.usd) for call in calls] == [("searxng", "search", 0)] * 3
    assert [call.error_kind for call in calls] == [None, "overload", "overload"]


async def no_wait(_seconds: float) -> None:
    pass
