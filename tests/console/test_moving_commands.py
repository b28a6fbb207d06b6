"""``signaldesk import postgresql://…`` as it is typed: a real process, a real source with 2,100 articles, kills in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import Database
from core.settings import CHECKOUT
from tests.core.elsewhere import NEWSLETTER, PASSWORD, Elsewhere, elsewhere

pytestmark = pytest.mark.slow
SECRETS = (PASSWORD, "s3cr3t")


@pytest.fixture(scope="module")
def other(server_url: str) -> Iterator[Elsewhere]:
    with elsewhere(server_url) as made:
        yield made


@pytest.fixture(scope="module")
def source(other: Elsewhere) -> str:
    return other.reader(other.make(NEWSLETTER))


@pytest.fixture
def environment(database: Database, database_url: str, tmp_path: Path) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": database_url, "SIGNALDESK_DATA_DIR": str(tmp_path)}


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "console.cli", "import", *arguments]
    return subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in out + err, err
    assert not [secret for secret in SECRETS if secret in out + err], out + err
    return process.returncode, out, err


def number(database: Database, table: str) -> int:
    with database.session() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_killed_and_interrupted_in_the_middle_the_import_goes_on_and_nothing_is_lost_or_doubled(
    environment: dict[str, str], database: Database, source: str
) -> None:
    killed = start(environment, source)
    wait_until(lambda: number(database, "articles") >= 400, killed)
    killed.kill()
    killed.communicate(timeout=60)
    kept = number(database, "articles")
    assert 400 <= kept < 2_100

    interrupted = start(environment, source)
    wait_until(lambda: number(database, "articles") >= kept + 400, interrupted)
    interrupted.send_signal(signal.SIGINT)
    code, out, err = ended(interrupted)
    assert code == 130
    assert "What was imported is kept; the same command goes on from there." in err
    so_far = number(database, "articles")
    assert f"{so_far - kept:,} new" in out
    assert so_far < 2_100

    code, out, _ = ended(start(environment, source, "--json"))
    last = json.loads(out)
    assert code == 0
    assert (last["new"], last["rejected"]) == (2_100 - so_far, 0)
    assert last["unchanged"] <= 200, "at most the chunk that was being noted when the process was killed is looked at again"
    assert (number(database, "articles"), number(database, "analyses"), number(database, "signals")) == (2_100, 300, 600)

    code, out, _ = ended(start(environment, source))
    assert out.splitlines()[0] == "0 new, 0 updated, 2,100 unchanged, 0 rejected."
    assert (number(database, "articles"), number(database, "analyses"), number(database, "signals")) == (2_100, 300, 600)
    assert number(database, "ledger_entries") == 0


def test_refusals_are_one_line_without_the_password(environment: dict[str, str], database_url: str, source: str) -> None:
    for address, code, words in (
        (database_url, 4, "is this desk's own database"),
        (source.replace("elsewhere_", "nowhere_"), 4, "There is no such database"),
        (source.replace("postgresql://", "postgresq://"), 4, "begins with http://, https:// or postgresql://"),
        (source.replace("@127.0.0.1:", "@127.0.0.1:s3cr3t"), 2, "is malformed"),
    ):
        ended_with, out, err = ended(start(environment, address))
        assert (ended_with, out, len(err.splitlines())) == (code, "", 1)
        assert words in err


def test_the_password_may_come_from_the_environment(environment: dict[str, str], other: Elsewhere) -> None:
    url = other.reader(other.make(NEWSLETTER.replace("2100", "3").replace("series(1, 300)", "series(1, 1)")))
    bare = f"postgresql://{url.partition('//')[2].partition(':')[0]}@{url.rpartition('@')[2]}"
    code, out, _ = ended(start(environment | {"PGPASSWORD": PASSWORD}, bare))
    assert (code, out.splitlines()[0]) == (0, "3 new, 0 updated, 0 unchanged, 0 rejected.")


def test_the_help_says_what_can_be_imported(environment: dict[str, str]) -> None:
    code, out, _ = ended(start(environment, "--help"))
    assert code == 0
    assert "postgresql://" in out
    assert "PGPASSWORD" in out
