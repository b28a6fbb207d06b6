"""The data layer against a real server: migrations, addresses, and what is said when something is wrong."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import count
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import make_url, select, text
from sqlalchemy.orm import Session

from core import reviews
from core.access import local
from core.agents.outputs import Verdict
from core.configuration import Desk
from core.database import MIGRATION_LOCK, MIGRATIONS, Database, make_engine
from core.errors import DatabaseUnavailable, SettingsError
from core.models import Base, Decision, ReviewAct, Signal
from core.settings import CHECKOUT, Settings
from core.signals import get_signal
from core.stories.groups import group_ungrouped
from core.validations import validations_of
from tests.core.locks import wait_until_blocked

SECRET = "s3cr3t/with@odd:characters"
ENCODED = "s3cr3t%2Fwith%40odd%3Acharacters"
_numbers = count(1)


@pytest.fixture(scope="module")
def admin(server_url: str) -> Iterator[Any]:
    """``admin("CREATE ROLE …")`` runs a statement on the server as its superuser."""
    engine = make_engine(server_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield lambda statement: connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="module")
def empty_url(server_url: str, admin: Any) -> Any:
    """``empty_url()`` makes an empty database and returns its address; it goes with the server, since dropping it is slow."""

    def make() -> str:
        name = f"empty_{os.getpid()}_{next(_numbers)}"
        admin(f"CREATE DATABASE {name}")
        return at(server_url, database=name)

    return make


@pytest.fixture
def role(admin: Any) -> str:
    """A role with an awkward password and no rights."""
    name = f"role_{os.getpid()}_{next(_numbers)}"
    admin(rf"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'".replace(":", r"\:"))
    return name


def at(url: str, **parts: Any) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def migrate(url: str) -> None:
    database = Database(make_engine(url))
    try:
        database.migrate()
    finally:
        database.close()


# --- migrations ------------------------------------------------------------------------------------------------------


SHAPE = {
    "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length, numeric_precision,"
    " numeric_scale, is_identity, identity_generation, generation_expression, collation_name FROM information_schema.columns"
    " WHERE table_schema = 'public'",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "types": "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')",
    "sequences": "SELECT sequencename, data_type::text FROM pg_sequences WHERE schemaname = 'public'",
    "triggers": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}


def shape(url: str) -> dict[str, list[Any]]:
    """Everything the catalogue knows about the tables of a database, alembic's own left out."""
    engine = make_engine(url)
    with engine.connect() as connection:
        found = {name: sorted(map(repr, connection.execute(text(query)))) for name, query in SHAPE.items()}
    engine.dispose()
    return {name: [row for row in rows if "alembic_version" not in row] for name, rows in found.items()}


@pytest.fixture(scope="module")
def migrated_url(empty_url: Any) -> str:
    """The address of a database that was migrated by two processes at once."""
    url = empty_url()
    script = "import sys; from core.database import Database, make_engine; Database(make_engine(sys.argv[1])).migrate(); print('done')"
    watch = Database(make_engine(url))
    with watch.engine.begin() as holder:
        holder.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})  # none may go on before both are there
        processes = [
            subprocess.Popen([sys.executable, "-c", script, url], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        wait_until_blocked(watch, 2)
    ends = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    watch.close()
    assert ends == [("done\n", "", 0)] * 2
    return url


def test_processes_that_migrate_an_empty_database_at_once_all_find_it_done(migrated_url: str) -> None:
    assert_one_revision(migrated_url)


def test_migrations_make_exactly_what_the_models_describe(migrated_url: str, empty_url: Any) -> None:
    by_models = empty_url()
    engine = make_engine(migrated_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()
    engine = make_engine(by_models)
    Base.metadata.create_all(engine)
    engine.dispose()
    made, described = shape(migrated_url), shape(by_models)
    assert made["columns"]
    assert made["indexes"]
    for name in SHAPE:
        assert made[name] == described[name], name


def test_threads_that_migrate_an_empty_database_at_once_all_find_it_done(empty_url: Any) -> None:
    url = empty_url()
    ready = threading.Barrier(4)

    def one(_: int) -> None:
        ready.wait(30)
        migrate(url)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    assert_one_revision(url)


def assert_one_revision(url: str) -> None:
    engine = make_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
        assert connection.scalar(text("SELECT count(*) FROM articles")) == 0
    engine.dispose()


def test_migrating_what_is_migrated_changes_nothing(migrated_url: str) -> None:
    before = shape(migrated_url)
    migrate(migrated_url)
    assert shape(migrated_url) == before


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: Any) -> None:
    url = empty_url()
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE validations (unrelated integer)"))
    with pytest.raises(DatabaseUnavailable, match="already exists"):
        migrate(url)
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all() == ["validations"]
    engine.dispose()


def test_a_database_made_by_a_newer_desk_is_refused_in_words_and_left_alone(database: Database, database_url: str) -> None:
    with database.session() as session:
        (known,) = session.scalars(text("SELECT version_num FROM alembic_version"))
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(DatabaseUnavailable, match=r"was made by a newer Signal Desk \(revision 9999\)\. Update this checkout\."):
            migrate(database_url)
        with database.session() as session:
            assert session.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    finally:
        with database.session() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :known"), {"known": known})


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_way_to_write_the_address_works(database_url: str, make_settings: Any, scheme: str) -> None:
    url = f"{scheme}://{database_url.partition('://')[2]}"
    with Desk.open(make_settings().model_copy(update={"database_url": type(make_settings().database_url)(url)})) as desk:
        assert desk.transaction(lambda session: session.scalar(text("SELECT 1"))) == 1


def test_options_in_the_address_reach_the_driver(database_url: str) -> None:
    database = Database(make_engine(f"{database_url}?options=-c%20statement_timeout%3D4321ms&sslmode=prefer"))
    with database.session() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "4321ms"
    assert "?" not in database.address
    database.close()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://desk:{SECRET}@db.example:5432/desk",
        "postgresql://desk:s3cr3t@db.example:s3cr3t/desk",
        "postgresql://desk:s3cr3t@[::1/desk",
        "postgresql://desk:s3cr3t@ db.example : 5432/desk",
        "postgresql://desk:s3cr3t@db.example:543210/desk",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_in_words(url: str) -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_URL.*postgresql://user:password@host:5432/name.*%40") as refusal:
        make_engine(url)
    assert_no_secret(refusal.value)


# --- what is said, and what never is ---------------------------------------------------------------------------------


def assert_no_secret(error: BaseException) -> None:
    """Nothing a person, a log or a traceback would show of this error holds the password."""
    link: BaseException | None = error
    while link is not None:
        for words in (str(link), repr(link)):
            assert not [secret for secret in (SECRET, ENCODED, "s3cr3t") if secret in words], words
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def refusal_of(url: str) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as refusal:
        migrate(url)
    assert_no_secret(refusal.value)
    assert "\n" not in str(refusal.value)
    return refusal.value


def test_the_password_is_in_no_message(server_url: str, role: str, admin: Any) -> None:
    mine = at(server_url, username=role, password=SECRET)
    assert "***" in Database(make_engine(mine)).address
    assert "does not answer" in str(refusal_of(at(mine, port=1)))
    assert "no_such_database" in str(refusal_of(at(mine, database="no_such_database")))
    admin(f"ALTER ROLE {role} PASSWORD 'another'")
    wrong = str(refusal_of(mine))
    assert "password authentication failed" in wrong
    assert f"{role}:***@" in wrong


def test_a_role_that_may_not_create_tables_is_told_what_it_needs(migrated_url: str, role: str) -> None:
    words = str(refusal_of(at(migrated_url, username=role, password=SECRET)))
    assert "Give its role the right to create tables" in words


def test_a_session_is_one_transaction(database: Database) -> None:
    insert = text("INSERT INTO categories (name) VALUES ('one')")
    with pytest.raises(ZeroDivisionError), database.session() as session:
        assert session.execute(insert).rowcount / 0  # type: ignore[attr-defined]
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM categories")) == 0
        session.execute(insert)
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM categories")) == 1


def test_the_server_keeps_the_plans_of_statements_that_come_again_and_of_no_others(database_url: str) -> None:
    database = Database(make_engine(database_url, pool_size=1))

    def run(number: int, *, remembered: bool) -> None:
        for _ in range(4):
            with database.session() as session, database.remembering(session) if remembered else nullcontext():
                session.execute(text(f"SELECT {number}"))

    run(4711, remembered=True)
    run(4712, remembered=False)
    with database.session() as session:
        kept = session.scalars(text("SELECT statement FROM pg_prepared_statements")).all()
    database.close()
    assert kept == ["SELECT 4711"]


def test_a_cut_connection_is_a_refusal_and_the_next_session_works(database: Database, admin: Any) -> None:
    def cut(session: Session) -> None:
        admin(f"SELECT pg_terminate_backend({session.scalar(text('SELECT pg_backend_pid()'))})")

    with pytest.raises(DatabaseUnavailable, match="does not answer"), database.session() as session:
        assert cut(session) or session.execute(text("SELECT 1"))
    with database.session() as session:
        assert session.scalar(text("SELECT 1")) == 1


def test_a_database_that_is_read_only_is_a_refusal(database: Database, database_url: str) -> None:
    read_only = Database(make_engine(f"{database_url}?options=-c%20default_transaction_read_only%3Don"))
    with pytest.raises(DatabaseUnavailable, match="read-only"), read_only.session() as session:
        session.execute(text("INSERT INTO categories (name) VALUES ('one')"))
    read_only.close()


def test_work_waits_for_a_database_that_went_away_says_so_and_gives_up_when_the_process_must_end(desk: Desk) -> None:
    tried: list[str | None] = []

    def work(_: Session) -> None:
        tried.append(str(desk.trouble) if desk.trouble else None)
        if len(tried) == 3:
            desk.leaving.set()
        raise DatabaseUnavailable("It is away.")

    with pytest.raises(DatabaseUnavailable, match=r"It is away\."):
        asyncio.run(desk.offload(work))
    assert tried == [None, "It is away.", "It is away."]
    assert desk.trouble is None


RELEASED = """
INSERT INTO publishers (name, name_key) VALUES ('Hashyard', 'hashyard');
INSERT INTO articles (publisher_id, title, body, language, published_at, import_hash, content_hash)
    SELECT 1, 'Miner ' || n, 'A miner moved coins. ' || n, 'en', now(), n, n FROM generate_series(1, 2) n;
INSERT INTO batch_sessions (launched_by, configuration, configuration_hash, selection, estimate, concurrency)
    VALUES ('ada', '{}', 'c', '{}', '{}', 1);
INSERT INTO analyses (article_id, batch_id, configuration_hash, content_hash, model, prompt_version, sentiment, impact, summary, context,
    signal_strength, uniqueness, confidence) VALUES (1, 1, 'c', '1', 'offline', '1', 'NEUTRAL', 0, 's', 'c', 0, 0, 0);
INSERT INTO signals (analysis_id, article_id, position, kind, category, description, implications, timeframe, confidence, research_query,
    verdict, decision) SELECT 1, 1, n, 'weak_signal', 'mining', 'd', 'i', 'immediate', 0.5, 'q', 'VALIDATED',
    CASE n WHEN 1 THEN 'accepted' END FROM generate_series(1, 2) n;
INSERT INTO validations (signal_id, verdict, confidence_adjustment, reason, model, research_provider, prompt_version, searches)
    VALUES (1, 'VALIDATED', 0.1, 'r', 'offline', 'archive', '1', '{"made": []}');
INSERT INTO validation_sources (validation_id, url, title, publisher, stance, authority, quote)
    VALUES (1, 'https://a.example', 't', 'a.example', 'supports', 'LOW', 'q');
INSERT INTO reviews (signal_id, decision, reviewer) VALUES (1, 'rejected', 'ida'), (1, 'accepted', 'ada'), (2, 'accepted', 'ada'),
    (2, 'withdrawn', 'ada');
"""


def test_an_upgrade_from_a_released_revision_keeps_every_row_and_what_counts(empty_url: Any) -> None:
    url = empty_url()
    engine = make_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for statement in RELEASED.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    database = Database.open(Settings(_env_file=None, database_url=url))
    database.migrate()
    desk = Desk(database, Settings(_env_file=None, database_url=url))
    with database.session() as session:
        first, second = (get_signal(session, id_) for id_ in (1, 2))
        assert (first.decision, second.decision) == (Decision.ACCEPTED, None)
        acts = reviews.acts_of(session, 1)
        assert [(act.act, act.decision, act.verdict) for act in acts] == [
            (ReviewAct.DECISION, Decision.REJECTED, None),
            (ReviewAct.DECISION, Decision.ACCEPTED, Verdict.VALIDATED),
        ]
        assert session.scalar(select(Signal.review_id).where(Signal.id == 1)) == acts[1].id
        ((validation,)) = validations_of(session, 1)
        assert (validation.model_verdict, validation.origins, [source.origin for source in validation.sources]) == (None, 0, [None])
        reviews.undo(session, 1, by=local("ada"))
        assert get_signal(session, 1).decision is Decision.REJECTED
        assert reviews.standing(reviews.acts_of(session, 2)).decision is None
    assert group_ungrouped(desk) == 2, "articles from before there were stories are grouped, too"
    database.close()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_has_no_room_for_all_texts_is_refused_with_how_to_make_one(server_url: str, admin: Any, encoding: str) -> None:
    name = f"encoded_{os.getpid()}_{next(_numbers)}"
    admin(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(DatabaseUnavailable, match=f"keeps texts as {encoding}.* CREATE DATABASE desk ENCODING 'UTF8'"):
        Database.open(Settings(_env_file=None, database_url=at(server_url, database=name)))


def test_a_database_of_another_program_is_said_to_be_one(empty_url: Any) -> None:
    url = empty_url()
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE articles (id int)"))
    engine.dispose()
    with pytest.raises(DatabaseUnavailable, match="is another program's: relation .* already exists. Give the desk one of its own"):
        Database.open(Settings(_env_file=None, database_url=url))
