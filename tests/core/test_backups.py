"""Backups: one file and back, all of it or nothing, from this revision and from earlier ones."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from core import backups, records
from core.articles import counts, get_article
from core.configuration import Desk
from core.database import Database, make_engine, migrations
from core.errors import BackupRefused, DatabaseUnavailable, NotFound, NotPossible
from core.importers.import_articles import import_articles
from core.settings import Settings
from tests.actors import ANN
from tests.conftest import NOW, an_article


@pytest.fixture
def own_desk(server_url: str, tmp_path: Path) -> Any:
    """A desk on a database of this test's own: restoring replaces the tables."""
    admin = make_engine(server_url)
    name = f"backups_{abs(hash(tmp_path))}"
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    settings = Settings(_env_file=None, database_url=f"{server_url.rsplit('/', 1)[0]}/{name}")
    with Desk(Database.open(settings), settings) as desk:
        yield desk
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def dump(database: Database, file: Path) -> None:
    """A backup as an earlier desk, or another program, makes it."""
    backups._run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={file}"], database.engine.url)


def test_what_was_backed_up_comes_back_whatever_happened_since(own_desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "desk.dump"
    import_articles(own_desk, "test", [an_article(title="Kept — with $ and 'quotes' \\ and\ttabs") for _ in range(3)], by=ANN)
    assert backups.back_up(own_desk.database, file, by=ANN) == file.stat().st_size > 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with own_desk.database.session() as session:
        session.execute(text("DELETE FROM articles WHERE id = 1"))
        session.execute(text("CREATE TABLE left_over (id int)"))
    import_articles(own_desk, "test", [an_article() for _ in range(5)], by=ANN)
    backups.restore(own_desk.database, file, tmp_path, by=ANN)
    with own_desk.database.session() as session:
        assert counts(session)[0] == 3
        assert get_article(session, 1).title == "Kept — with $ and 'quotes' \\ and\ttabs"
    import_articles(own_desk, "test", [an_article()], by=ANN)  # the numbering goes on
    with own_desk.database.session() as session:
        assert counts(session)[0] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["desk.dump"]


def test_a_backup_of_an_earlier_revision_is_brought_to_the_newest(own_desk: Desk, tmp_path: Path) -> None:
    file, database = tmp_path / "old.dump", own_desk.database
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.exec_driver_sql("INSERT INTO publishers (name, name_key) VALUES ('Hashyard', 'hashyard')")
    dump(database, file)
    assert backups.revision_of(file) == "0002"
    database.migrate()
    backups.restore(database, file, tmp_path, by=ANN)
    import_articles(own_desk, "test", [an_article()], by=ANN)
    with database.session() as session:
        assert get_article(session, 1).publisher == "Hashyard"
        told = session.execute(text("SELECT actor, action, subject_id FROM audit_log ORDER BY id")).first()
    assert told is not None
    assert tuple(told) == ("ann", "backup.restore", "old.dump")


def test_a_file_that_cannot_be_restored_changes_nothing(own_desk: Desk, tmp_path: Path) -> None:
    import_articles(own_desk, "test", [an_article() for _ in range(30)], by=ANN)
    whole, cut, other, newer = (tmp_path / name for name in ("whole.dump", "cut.dump", "other.txt", "newer.dump"))
    backups.back_up(own_desk.database, whole, by=ANN)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    other.write_text("not a backup")
    with own_desk.database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    backups.back_up(own_desk.database, newer, by=ANN)
    with own_desk.database.session() as session:
        session.execute(text("DELETE FROM articles WHERE id > 10"))
    for file, words in ((cut, "damaged|no backup"), (other, "no backup"), (newer, "newer Signal Desk")):
        with pytest.raises(BackupRefused, match=words):
            backups.restore(own_desk.database, file, tmp_path, by=ANN)
    with pytest.raises(NotFound, match="no file"):
        backups.restore(own_desk.database, tmp_path / "none.dump", tmp_path, by=ANN)
    with own_desk.database.session() as session:
        assert counts(session)[0] == 10


def test_a_backup_that_fails_leaves_no_file_and_does_not_say_the_password(tmp_path: Path) -> None:
    address = "postgresql+psycopg://desk:hunter2@127.0.0.1:1/none"
    database = Database(make_engine(address))
    with pytest.raises(DatabaseUnavailable) as refusal:
        backups.back_up(database, tmp_path / "a.dump", by=ANN)
    assert "hunter2" not in str(refusal.value)
    with pytest.raises(BackupRefused, match="cannot be written"):
        backups.back_up(database, tmp_path / "no" / "such" / "folder.dump", by=ANN)
    assert list(tmp_path.iterdir()) == []


def test_a_backup_replaces_no_folder_and_no_device(own_desk: Desk, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file, words in ((tmp_path, "is a folder"), (pipe, "no ordinary file")):
        with pytest.raises(BackupRefused, match=words):
            backups.back_up(own_desk.database, file, by=ANN)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_backup_of_another_program_is_refused_though_it_counts_its_revisions_alike(own_desk: Desk, tmp_path: Path) -> None:
    file, database = tmp_path / "foreign.dump", own_desk.database
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE articles (id int)")
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num varchar(32)); INSERT INTO alembic_version VALUES ('0001')")
    dump(database, file)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    database.migrate()
    import_articles(own_desk, "test", [an_article()], by=ANN)
    with pytest.raises(BackupRefused, match="is one of another database"):
        backups.restore(database, file, tmp_path, by=ANN)
    with database.session() as session:
        assert counts(session)[0] == 1


def test_nothing_is_restored_under_a_desk_at_work(own_desk: Desk) -> None:
    with own_desk.database.session() as session:
        backups.refuse_if_at_work(session, NOW)
        records.heartbeat(session, [], owner="a:1:x", host="mill", pid=1, now=NOW)
    with own_desk.database.session() as session, pytest.raises(NotPossible, match="in use on mill"):
        backups.refuse_if_at_work(session, NOW)
    with own_desk.database.session() as session:
        backups.refuse_if_at_work(session, NOW + records.LEASE * 2)


def test_a_backup_s_script_has_nothing_that_a_server_of_an_older_major_version_does_not_know(own_desk: Desk, tmp_path: Path) -> None:
    file, script = tmp_path / "desk.dump", tmp_path / "backup.sql"
    backups.back_up(own_desk.database, file, by=ANN)
    backups._run("pg_restore", [f"--file={script}", str(file)], None)
    before = script.read_text()
    assert "SET transaction_timeout = 0;" in before  # of Postgres 17
    backups._for_any_server(script)
    changed = [(old, new) for old, new in zip(before.splitlines(), script.read_text().splitlines(), strict=True) if old != new]
    assert changed == [("SET transaction_timeout = 0;", "-" * 28)]


def test_a_database_with_tables_of_others_or_a_desk_in_another_schema_is_not_replaced(own_desk: Desk) -> None:
    own_desk.transaction(backups.refuse_if_shared)
    with own_desk.database.session() as session:
        session.execute(text("CREATE TABLE subscribers (id int)"))
        session.execute(text("CREATE VIEW letters AS SELECT id FROM subscribers"))
    with pytest.raises(NotPossible, match=r"holds more than the desk \(letters, subscribers\)"):
        own_desk.transaction(backups.refuse_if_shared)
    with own_desk.database.session() as session:
        session.execute(text("CREATE SCHEMA elsewhere"))
        session.execute(text("SET LOCAL search_path = elsewhere, public"))
        with pytest.raises(NotPossible, match="lie in the schema elsewhere"):
            backups.refuse_if_shared(session)
