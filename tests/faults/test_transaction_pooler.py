"""The whole desk behind PgBouncer in transaction mode, with fewer server sessions than there are processes and threads.

Whatever one client would leave in a server's session (a setting, a lock, a prepared statement, a temporary table) another client of
the desk would find there: that nothing is left is looked up in every session of the pool.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text

from core import batches, launching, reviews
from core.access import local
from core.article_filter import ArticleFilter
from core.clock import utc_now
from core.configuration import Desk
from core.database import is_pooled
from core.models import BatchStatus, Decision, RecordStatus, Signal
from core.selection import Selection
from core.settings import CHECKOUT, Settings
from tests.core.elsewhere import NEWSLETTER, Elsewhere, elsewhere
from tests.faults.conftest import Console, wait_for
from tests.pooler import POOL, pooler

pytestmark = pytest.mark.slow
SAMPLES = str(CHECKOUT / "core" / "samples" / "articles.jsonl")


@pytest.fixture
def other(server_url: str) -> Iterator[Elsewhere]:
    with elsewhere(server_url) as made:
        yield made


class Pooled:
    """A desk whose every process reaches its database through the pooler alone."""

    def __init__(self, url: str, direct: str, folder: Path) -> None:
        self.url, self.direct, self.folder = url, direct, folder
        self.environment = os.environ | {"DATABASE_URL": url, "SIGNALDESK_DATA_DIR": str(folder), "SIGNALDESK_CONCURRENCY": "8"}

    def start(self, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "console.cli", *arguments]
        return subprocess.Popen(
            command, cwd=CHECKOUT, env=self.environment | more, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, **more: str) -> tuple[int, str, str]:
        return ended(self.start(*arguments, **more))

    def sessions(self) -> list[dict[str, Any]]:
        """What is in every server session of the pool: each is held by a transaction of its own while it is looked at."""
        held = [psycopg.connect(self.url, prepare_threshold=None) for _ in range(POOL)]
        try:
            return [
                {
                    "pid": connection.execute("SELECT pg_backend_pid()").fetchone(),
                    "search_path": connection.execute("SHOW search_path").fetchone(),
                    "seqscan": connection.execute("SHOW enable_seqscan").fetchone(),
                    "read only": connection.execute("SHOW default_transaction_read_only").fetchone(),
                    "statements": connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone(),
                    "locks": connection.execute(
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
                    ).fetchone(),
                    "temporary": connection.execute(
                        "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
                    ).fetchone(),
                    "listening": connection.execute("SELECT count(*) FROM pg_listening_channels()").fetchone(),
                }
                for connection in held
            ]
        finally:
            for connection in held:
                connection.rollback()
                connection.close()

    def assert_nothing_is_left(self) -> None:
        found = self.sessions()
        assert len({one.pop("pid") for one in found}) == POOL
        clean = {"search_path": ('"$user", public',), "seqscan": ("on",), "read only": ("off",)}
        clean |= dict.fromkeys(("statements", "locks", "temporary", "listening"), (0,))
        assert found == [clean] * POOL


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=240)
    assert "Traceback" not in out + err, out + err
    return process.returncode, out, err


def test_the_whole_desk_works_behind_a_transaction_pooler(server_url: str, other: Elsewhere, tmp_path: Path) -> None:
    direct = other.make()
    with pooler(direct) as url:
        pooled = Pooled(url, direct, tmp_path)

        # migrations: two processes at once on an empty database
        both = [pooled.start("status", "--json") for _ in range(2)]
        assert [ended(process)[0] for process in both] == [0, 0]
        assert Elsewhere.ask(direct, "SELECT count(*) FROM alembic_version") == [(1,)]

        # imports: a file, and another database behind the same pooler
        code, out, err = pooled.run("import", SAMPLES, "--json")
        assert (code, json.loads(out)["new"]) == (0, 60), err
        source = other.make(NEWSLETTER.replace("2100", "250").replace("series(1, 300)", "series(1, 50)"))
        behind = url.rpartition("/")[0] + "/" + source.rpartition("/")[2]
        code, out, err = pooled.run("import", behind, "--json")
        moved = json.loads(out)
        assert (code, moved["new"], moved["analyses"], moved["rejected"]) == (0, 250, 50, 0), err
        assert json.loads(pooled.run("import", behind, "--json")[1])["unchanged"] == 250
        pooled.assert_nothing_is_left()

        # batches: two command lines at once, then two consoles at once that share one
        runs = [pooled.start("analyze", "--limit", "25", "--order", order, "--json") for order in ("newest", "oldest")]
        for process in runs:
            code, out, err = ended(process)
            assert (code, json.loads(out)["failed"]) == (0, 0), err
        consoles = [Console(pooled.environment, tmp_path / f"console-{number}.log") for number in range(2)]
        try:
            for console in consoles:
                console.wait_until_it_serves()
            desk = Desk.open(Settings(_env_file=None, database_url=url, data_dir=tmp_path), pool_size=2)
            with desk:
                run_a_batch_in_consoles(desk)
                review(desk)
            code, out, err = pooled.run("export", "signals", "--json", "--no-samples")
            signals = [json.loads(line) for line in out.splitlines()]
            assert (code, [one["decision"] for one in signals].count("accepted")) == (0, 1), err
            pooled.assert_nothing_is_left()
            backup(pooled, other, tmp_path)
        finally:
            for console in consoles:
                console.terminate()
        restore(pooled, tmp_path)
        pooled.assert_nothing_is_left()
        for console in consoles:
            assert "Traceback" not in console.printed, console.printed


def run_a_batch_in_consoles(desk: Desk) -> None:
    everything = Selection.of_filter(ArticleFilter(), 80)
    with desk.database.session() as session:
        assert is_pooled(session.connection())
        batch_id = launching.launch(session, everything, desk.settings(session), by=local("ada"), now=utc_now())

    def has_ended() -> bool:
        with desk.database.session() as session:
            return batches.progress(session, batch_id).status not in BatchStatus.claimable()

    wait_for(has_ended, 200, "the batch has ended")
    with desk.database.session() as session:
        state = batches.progress(session, batch_id)
        assert (state.status, state.counts[RecordStatus.FAILED]) == (BatchStatus.COMPLETED, 0), state.pause_reason
        assert state.counts[RecordStatus.COMPLETED] >= 40
        assert session.scalar(text("SELECT count(*) FROM ledger_entries WHERE status = 'RESERVED'")) == 0


def review(desk: Desk) -> None:
    with desk.database.session() as session:
        signal_id = session.scalars(select(Signal.id).where(~Signal.is_sample).order_by(Signal.id)).first()
        assert signal_id is not None
        reviews.decide(session, signal_id, Decision.REJECTED, by=local("ada"))
        reviews.decide(session, signal_id, Decision.ACCEPTED, by=local("ben"))


def backup(pooled: Pooled, other: Elsewhere, folder: Path) -> None:
    """It needs a session of its own: it says so, and takes the server's own address for it, if that is the same database."""
    file = str(folder / "desk.dump")
    code, out, err = pooled.run("backup", file)
    assert (code, out) == (9, "")
    assert "is a pooler (such as PgBouncer)" in err
    assert "Set DIRECT_DATABASE_URL" in err
    code, _, err = pooled.run("backup", file, DIRECT_DATABASE_URL=pooled.url)
    assert (code, "is a pooler, too" in err) == (9, True)
    code, _, err = pooled.run("backup", file, DIRECT_DATABASE_URL=other.make())
    assert (code, "is another database than DATABASE_URL" in err) == (9, True)
    assert not (folder / "desk.dump").exists()
    code, out, err = pooled.run("backup", file, DIRECT_DATABASE_URL=pooled.direct)
    assert (code, out.startswith(file)) == (0, True), err
    code, _, err = pooled.run("restore", file, "--yes", DIRECT_DATABASE_URL=pooled.direct)
    assert (code, "The desk is in use" in err) == (8, True)


def restore(pooled: Pooled, folder: Path) -> None:
    """As a backup is taken, once nobody works."""
    file = str(folder / "desk.dump")
    code, _, err = pooled.run("restore", file, "--yes")
    assert (code, "Set DIRECT_DATABASE_URL" in err) == (9, True), err
    code, out, err = pooled.run("restore", file, "--yes", DIRECT_DATABASE_URL=pooled.direct)
    assert (code, out.endswith(": 310 articles.\n")) == (0, True), err
