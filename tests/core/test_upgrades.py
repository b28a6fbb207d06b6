"""An upgrade from every released revision to the newest keeps every row of every table that there was, and the desk works on.

The revisions are those of this checkout: a new migration is tested from the day it is there. What is filled in is read from the
catalogue, so that no table and no column can be forgotten.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from alembic import command
from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, JSON, Connection, Engine, Enum, inspect, make_url, select, text
from sqlalchemy.engine.interfaces import ReflectedColumn

from core import reports, reviews, spending
from core.access import local
from core.articles import counts, get_article
from core.configuration import Desk
from core.database import current_revision, known_revisions, make_engine, migrations
from core.importers.import_articles import import_articles
from core.launching import readiness
from core.models import Base, Decision, LedgerEntry, Signal
from core.settings import Settings
from core.signals import get_signal
from core.stories.groups import group_ungrouped
from tests.conftest import ANN, an_article

ROWS = 3
START = datetime(2026, 10, 1, 12, tzinfo=UTC)
KEPT_BY_TRIGGERS = frozenset(
    "article_cells article_list article_words publisher_days signal_days signal_categories standing_decisions decision_sums".split()
)
"""Tables that follow from the others: the database fills them itself, and a migration may make them anew."""
LEFT_EMPTY = {("articles", "story_keys"), ("articles", "story_id"), ("reviews", "undoes"), ("budget_events", "undoes")}
NUMBERS = {"usd": "0", "usd_at_most": "0", "articles": 1, "model": "offline", "research_provider": "archive", "made": []}
_numbers = count(1)


@dataclass(frozen=True)
class Old:
    """A database of an earlier revision, full, and what it holds by table."""

    url: str
    rows: dict[str, list[dict[str, Any]]]


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    name = f"upgrade_{os.getpid()}_{next(_numbers)}"
    admin = make_engine(server_url)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def build(url: str, revision: str) -> Old:
    """The schema of ``revision``, with rows in every table."""
    engine, config = make_engine(url), migrations()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        assert current_revision(connection) == revision
    tables = [name for name in in_order(engine) if name != "alembic_version"]
    with engine.begin() as connection:
        for table in tables:
            if table not in KEPT_BY_TRIGGERS:
                fill(connection, table)
    with engine.connect() as connection:
        rows = {table: rows_of(connection, table) for table in tables if table not in KEPT_BY_TRIGGERS}
    engine.dispose()
    assert all(len(found) == ROWS for found in rows.values()), {table: len(found) for table, found in rows.items()}
    return Old(url, rows)


def in_order(engine: Engine) -> list[str]:
    """Tables, those that others refer to first."""
    looked, ordered = inspect(engine), list[str]()
    left = {table: {key["referred_table"] for key in looked.get_foreign_keys(table)} - {table} for table in looked.get_table_names()}
    while left:
        ready = sorted(table for table, needs in left.items() if needs <= set(ordered))
        assert ready, f"tables that refer to each other: {left}"
        ordered += ready
        left = {table: needs for table, needs in left.items() if table not in ready}
    return ordered


def fill(connection: Connection, table: str) -> None:
    looked = inspect(connection)
    parents = {key["constrained_columns"][0]: (key["referred_table"], key["referred_columns"][0]) for key in looked.get_foreign_keys(table)}
    columns = [column for column in looked.get_columns(table) if not column.get("computed") and not column.get("identity")]
    columns = [column for column in columns if (table, column["name"]) not in LEFT_EMPTY]
    for number in range(1, ROWS + 1):
        values = {column["name"]: value_of(connection, table, column, number, parents.get(column["name"])) for column in columns}
        names, places = ", ".join(f'"{name}"' for name in values), ", ".join(f":{name}" for name in values)
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)


def value_of(connection: Connection, table: str, column: ReflectedColumn, number: int, parent: tuple[str, str] | None) -> Any:
    """A value that fits the column and differs from row to row where it can."""
    name = column["name"]
    if parent is not None:
        return connection.scalar(text(f'SELECT "{parent[1]}" FROM {parent[0]} ORDER BY 1 OFFSET {number - 1} LIMIT 1'))
    known = Base.metadata.tables[table].columns.get(name) if table in Base.metadata.tables else None
    if known is not None and isinstance(known.type, Enum):
        return known.type.enums[number % len(known.type.enums)]
    kind = column["type"]
    if isinstance(kind, ARRAY):
        return (
            [number] if kind.item_type.python_type is int else [f"{name} {number}"[: getattr(kind.item_type, "length", None) or 100], "ö"]
        )
    if isinstance(kind, JSON):
        return Jsonb(NUMBERS | {"number": number})
    values: dict[type, Any] = {
        int: number,
        Decimal: Decimal(number),
        float: number / 4,
        bool: number % 2 == 0,
        datetime: START + timedelta(hours=number),
        date: (START + timedelta(days=number)).date(),
        str: f"{name} {number} ö"[: getattr(kind, "length", None) or 100],
    }
    return values[kind.python_type]


def rows_of(connection: Connection, table: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
    looked = inspect(connection)
    columns = columns or [column["name"] for column in looked.get_columns(table) if not column.get("computed")]
    listed = ", ".join(f'"{name}"' for name in columns)
    order = ", ".join(f'"{name}"' for name in looked.get_pk_constraint(table)["constrained_columns"])
    return list(connection.scalars(text(f"SELECT to_jsonb(r) FROM (SELECT {listed} FROM {table} ORDER BY {order}) r")))


@pytest.mark.parametrize("revision", sorted(name for name, _ in known_revisions()))
def test_an_upgrade_keeps_every_row_and_the_desk_works_on(empty_url: str, revision: str) -> None:
    old = build(empty_url, revision)
    settings = Settings(_env_file=None, database_url=old.url)
    with Desk.open(settings) as desk:
        with desk.database.engine.connect() as connection:
            assert current_revision(connection) == known_revisions()[0][0]
            for table, rows in old.rows.items():
                assert rows_of(connection, table, list(rows[0])) == rows, table
        assert_the_desk_works(desk)
        if "spend_batches" not in old.rows:  # the roll-ups came later: they hold what the ledger held before
            with desk.database.session() as session:
                spent = session.scalars(select(LedgerEntry.usd).where(LedgerEntry.status != "RESERVED")).all()
                assert sum(spending.usd_by_batch(session, [1, 2, 3]).values()) == sum(spent) == 6


def assert_the_desk_works(desk: Desk) -> None:
    """Lists, sums and acts on what was there, and new articles beside it."""
    with desk.database.session() as session:
        assert counts(session)[0] == ROWS
        assert get_article(session, 1).title == "title 1 ö"
        assert reports.today(session, readiness(desk.environment)).articles == ROWS
        ids = session.scalars(select(Signal.id).order_by(Signal.id)).all()
        assert len(ids) == ROWS
        assert [get_signal(session, id_).evidence[0].quote for id_ in ids] == [f"quote {number} ö" for number in (1, 2, 3)]
        listed = session.scalar(text("SELECT count(*) FROM article_list JOIN article_cells c ON c.id = cell_id"))
        by_day = (
            session.scalar(text("SELECT sum(articles) FROM publisher_days")),
            session.scalar(text("SELECT sum(signals) FROM signal_days")),
        )
        assert (listed, by_day) == (ROWS, (ROWS, ROWS))
        reviews.decide(session, ids[0], Decision.ACCEPTED, by=local("ada"))
        assert get_signal(session, ids[0]).decision is Decision.ACCEPTED
    group_ungrouped(desk)
    assert import_articles(desk, "test", [an_article()], by=ANN).new == 1


def test_the_tables_kept_by_triggers_are_those_of_the_models() -> None:
    assert Base.metadata.tables.keys() >= KEPT_BY_TRIGGERS
