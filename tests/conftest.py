"""What every test may use: a real Postgres (one server a run, one database a test process, emptied between tests)."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.configuration import Desk
from core.database import Database, make_engine
from core.embedded_postgres import EmbeddedPostgres
from core.importers.import_articles import import_articles
from core.importers.parsed_article import ParsedArticle
from core.models import Base
from core.settings import Settings
from tests.actors import ANN

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
_OWN_VARIABLES = (
    "DATABASE_URL",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "TAVILY_API_KEY",
    "COINDESK_API_KEY",
    "CELERY_BROKER_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "TAVILY_BASE_URL",
)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_this_machine() -> None:
    """Tests see no key, address or setting of whoever runs them."""
    for name in [*os.environ]:
        if name in _OWN_VARIABLES or name.startswith("SIGNALDESK_"):
            del os.environ[name]


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Postgres server for tests, shared by all processes of a run; the last one stops and removes it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone-{os.getpid()}")
    folder = Path(tempfile.gettempdir()) / f"signaldesk-tests-{run[:16]}"
    folder.mkdir(mode=0o755, exist_ok=True)
    server = EmbeddedPostgres(folder / "postgres", shared_dir=folder / "shared")
    url = server.start()
    _without_waiting_for_the_disk(url)
    yield url
    server.stop()
    if not (folder / "postgres" / "attached").exists() or not any((folder / "postgres" / "attached").iterdir()):
        shutil.rmtree(folder, ignore_errors=True)


def _without_waiting_for_the_disk(url: str) -> None:
    """What a test wrote need not outlive the machine's power; tests that kill a server start one of their own."""
    admin = make_engine(url)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()


@pytest.fixture(scope="session")
def database_url(server_url: str) -> str:
    """A migrated database of this test process's own."""
    name = f"test_{os.getpid()}"
    admin = make_engine(server_url)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    url = server_url.rsplit("/", 1)[0] + f"/{name}"
    database = Database(make_engine(url))
    database.migrate()
    database.close()
    return url


@pytest.fixture(scope="session")
def _database(database_url: str) -> Iterator[Database]:
    database = Database(make_engine(database_url))
    yield database
    database.close()


_TABLES = [f'"{table.name}"' for table in Base.metadata.sorted_tables]
_FULL = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in _TABLES)
_FIRST_IDS = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences WHERE last_value IS NOT NULL"""


@pytest.fixture
def database(_database: Database) -> Database:
    """The database, empty."""
    with _database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # the audit log is emptied, too, which its trigger refuses
        connection.execute(text(f"LOCK TABLE {', '.join(_TABLES)}"))  # waits for what an earlier test left at work
        if full := connection.scalars(text(_FULL)).all():  # most are empty, and each takes its time
            connection.execute(text(f"TRUNCATE {', '.join(full)} CASCADE"))
        connection.execute(text(_FIRST_IDS))
    return _database


@pytest.fixture
def make_settings(database_url: str, tmp_path: Path) -> Any:
    """``make_settings(daily_budget="2")``: settings as the environment would give them, for this test's database."""

    def make(**values: Any) -> Settings:
        return Settings(_env_file=None, database_url=database_url, data_dir=tmp_path, **values)

    return make


@pytest.fixture
def desk(database: Database, make_settings: Any) -> Desk:
    """A desk with an empty database and default settings."""
    return Desk(database, make_settings())


_numbers = count(1)


def an_article(**values: Any) -> ParsedArticle:
    """A distinct analysis-ready article."""
    number = next(_numbers)
    sentence = f"Miner number {number} said on Tuesday that it moved {number} BTC to a new wallet, the first such transfer since spring. "
    defaults: dict[str, Any] = {
        "title": f"Miner {number} moves coins",
        "body": sentence * (2_400 // len(sentence) + 1),
        "publisher": "Hashyard",
        "published_at": NOW - timedelta(hours=number % 500),
        "url": f"https://hashyard.example/{number}",
    }
    return ParsedArticle(**(defaults | values))


@pytest.fixture
def articles(desk: Desk) -> Any:
    """``articles(3, publisher="CoinDesk")`` imports so many articles and returns their ids, in order."""

    def add(number: int = 1, **values: Any) -> list[int]:
        parsed = [an_article(**values) for _ in range(number)]
        import_articles(desk, "test", parsed, by=ANN)
        with desk.database.session() as session:
            ids = dict(session.execute(text("SELECT key, article_id FROM article_keys")).all())
        return [ids[article.identity_keys[0]] for article in parsed]

    return add
