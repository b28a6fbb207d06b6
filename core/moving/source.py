"""The other database, read only: what tables it has, and their rows page by page.

One connection and one transaction (``REPEATABLE READ, READ ONLY``), so that all that is read is of one moment and nothing can be
written whatever its role may do. Rows come as JSON, which has no type that this program could not read. One thread at a time.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from psycopg import IsolationLevel
from psycopg.abc import Buffer
from psycopg.types.string import StrDumper, TextLoader

from core.database import CONNECT, IDENTITY, parsed_url
from core.errors import ImportRefused
from core.importers.fields import MAX_RAW_BODY

PATIENCE = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
"""What that database or its role may have set for pages of a website is too short for all of its articles."""
PAGE = 50
"""Rows fetched at once: a row may hold megabytes."""
_TEXTS = frozenset({"text", "character varying", "character", "citext", "public.citext", "name", '"char"'})

_TABLES = """
SELECT c.oid, n.nspname, c.relname, has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY array_position(current_schemas(false), n.nspname), n.nspname <> 'public', n.nspname, c.relname
LIMIT 5000"""
_COLUMNS = """
SELECT a.attrelid, a.attname, format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attrelid, a.attnum"""
_KEYS = """
SELECT i.indrelid, array_agg(CAST(a.attname AS text) ORDER BY k.place)
FROM pg_index i CROSS JOIN LATERAL unnest(CAST(i.indkey AS smallint[])) WITH ORDINALITY AS k(number, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indrelid = ANY(%s) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
GROUP BY i.indrelid, i.indexrelid, i.indisprimary
HAVING bool_and(a.attnotnull)
ORDER BY i.indisprimary, count(*) DESC"""
_REFERENCES = """
SELECT f.conrelid, CAST(a.attname AS text), f.confrelid, CAST(b.attname AS text)
FROM pg_constraint f
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = f.confkey[1]
WHERE f.contype = 'f' AND f.conrelid = ANY(%s) AND cardinality(f.conkey) = 1"""


@dataclass(frozen=True, eq=False, slots=True)
class SourceTable:
    """A table or view, and those of its columns that may be read."""

    oid: int
    schema: str
    name: str
    is_readable: bool
    columns: dict[str, str] = field(default_factory=dict)
    """Types by name."""
    key: tuple[str, ...] = ()
    """The columns that tell its rows apart, none of them ever null; empty where it declares none."""
    references: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By column: the table (its ``oid``) and the column that it refers to."""
    query: str = ""
    """What is read instead of a table."""

    @property
    def sql(self) -> str:
        return f"({self.query})" if self.query else f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row: its key's values as text (empty where the table has none), and its columns as JSON reads them; None for what it cannot."""

    key: tuple[str, ...]
    values: dict[str, Any] | None


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


WINDOWS = "as-windows-1252"
"""Bytes that are not UTF-8 are read as Windows-1252, as old programs wrote them."""
codecs.register_error(WINDOWS, _as_windows)


class _Lenient(TextLoader):
    """Text of a database whose encoding was never checked."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", WINDOWS)


class _Utf8(StrDumper):
    """Values for a database whose encoding was never checked."""

    def dump(self, obj: str) -> bytes:
        return obj.encode()


class SourceDatabase:
    """The other database, open."""

    def __init__(self, url: str) -> None:
        self._connection, self.name = _connect(url)
        with self._refusing():
            self._connection.execute(PATIENCE)
            self.identity = self._identity()
            self.tables = self._read_tables()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query that has few.

        Raises:
            ImportRefused: the database is away or refuses.
        """
        with self._refusing():
            return self._connection.execute(query, [*parameters]).fetchall()

    def count(self, table: SourceTable, after: Sequence[str] | None = None) -> int:
        """How many rows there are, after a key or in all."""
        where, values = _beyond(table, after)
        return int(self.rows(f"SELECT count(*) FROM {table.sql} AS t{where}", values)[0][0])

    def read(
        self,
        table: SourceTable,
        columns: Sequence[str],
        *,
        after: Sequence[str] | None = None,
        only: str = "",
    ) -> Iterator[list[SourceRow]]:
        """Pages of rows in the order of the table's key, those after a key or all; ``only`` is a condition on the table ``t``.

        Raises:
            ImportRefused: the database is away or refuses.
        """
        where, values = _beyond(table, after)
        if only:
            where += f"{' AND' if where else ' WHERE'} {only}"
        key = ", ".join(f"CAST(t.{quoted(name)} AS text)" for name in table.key)
        order = f" ORDER BY {', '.join(f't.{quoted(name)}' for name in table.key)}" if table.key else ""
        query = f"SELECT ARRAY[{key}]::text[], {_as_json(table, columns)} FROM {table.sql} AS t{where}{order}"
        with self._refusing(), self._connection.cursor(f"read_{table.oid}") as cursor:
            cursor.execute(query, values)
            while page := cursor.fetchmany(PAGE):
                yield [SourceRow(tuple(found), _loaded(document)) for found, document in page]

    def matching(self, table: SourceTable, columns: Sequence[str], column: str, values: Sequence[str]) -> list[SourceRow]:
        """The rows whose ``column``, as text, is one of ``values``."""
        if not values:
            return []
        key = ", ".join(f"CAST(t.{quoted(name)} AS text)" for name in table.key)
        order = f" ORDER BY {', '.join(f't.{quoted(name)}' for name in table.key)}" if table.key else ""
        given, place = list(dict.fromkeys(values)), f"t.{quoted(column)}"
        kind = table.columns[column]
        fitting = _fitting(kind, given)
        condition = f"{place} = ANY(CAST(%s AS {kind}[]))" if fitting is not None else f"CAST({place} AS text) = ANY(%s)"
        query = f"SELECT ARRAY[{key}]::text[], {_as_json(table, columns)} FROM {table.sql} AS t WHERE {condition}{order}"
        found = self.rows(query, [given if fitting is None else fitting])
        return [SourceRow(tuple(keys), _loaded(document)) for keys, document in found]

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            said = _first_line(error)
            raise ImportRefused(f"{self.name} refuses: {said}. Give its role SELECT on that table, and USAGE on its schema.") from error
        except psycopg.OperationalError as error:
            if not self._connection.closed:  # such as a materialized view that was never filled
                raise ImportRefused(f"{self.name} cannot be read: {_first_line(error)}.") from error
            raise ImportRefused(
                f"{self.name} was lost on the way: {_first_line(error)}. What was imported is kept; importing again goes on from there."
            ) from error
        except psycopg.Error as error:
            raise ImportRefused(f"{self.name} cannot be read: {_first_line(error)}.") from error

    def _identity(self) -> str:
        """Which database of the world this is, by whatever address: its server's own number and its own in it."""
        try:
            with self._connection.transaction():
                return _one(self._connection, IDENTITY)
        except psycopg.errors.InsufficientPrivilege:
            return self.name

    def _read_tables(self) -> list[SourceTable]:
        tables = {row[0]: SourceTable(*row) for row in self._connection.execute(_TABLES)}
        oids = list(tables)
        keys = {oid: tuple(names) for oid, names in self._connection.execute(_KEYS, [oids])}  # the primary key comes last, so it stays
        references: dict[int, dict[str, tuple[int, str]]] = {}
        for oid, column, other, other_column in self._connection.execute(_REFERENCES, [oids]):
            references.setdefault(oid, {})[column] = (other, other_column)
        for oid, name, kind in self._connection.execute(_COLUMNS, [oids]):
            tables[oid].columns[name] = kind
        return [
            SourceTable(
                table.oid,
                table.schema,
                table.name,
                table.is_readable,
                table.columns,
                key if (key := keys.get(table.oid, ())) and set(key) <= table.columns.keys() else (),
                references.get(table.oid, {}),
            )
            for table in tables.values()
        ]


def quoted(name: str) -> str:
    """An identifier, in a query that has parameters."""
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _one(connection: psycopg.Connection[Any], query: str) -> str:
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else ""


def _connect(url: str) -> tuple[psycopg.Connection[Any], str]:
    """A connection that cannot write, and what the database is called in messages."""
    address = parsed_url(url, "The address")
    name = f"{address.host or 'localhost'}:{address.port or 5432}/{address.database or address.username or ''}"
    options: dict[str, Any] = {"host": address.host, "port": address.port, "user": address.username, "password": address.password}
    options |= {"dbname": address.database, **address.query}
    given: Mapping[str, Any] = {key: value for key, value in options.items() if value is not None}
    try:
        connection = psycopg.connect(**{**CONNECT, "client_encoding": "utf8", **given})
    except psycopg.Error as error:
        raise ImportRefused(_refusal(name, address.username, address.password, error)) from None
    connection.read_only = True
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.adapters.register_loader("text", _Lenient)
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        # It checks what it sends by the client's encoding, and would refuse what is not UTF-8. Any byte is Latin-1, so names of tables
        # and columns go back as they came.
        connection.execute("SET client_encoding TO 'LATIN1'")
        connection.commit()
        connection.adapters.register_dumper(str, _Utf8)
    return connection, name


def _refusal(name: str, user: str | None, password: str | None, error: psycopg.Error) -> str:
    said = str(error)
    if password and password in said:
        said = said.replace(password, "***")
    if "does not exist" in said and "database" in said:
        return f"There is no such database: {name}."
    if "password authentication failed" in said or re.search(r'role ".*" does not exist', said):
        return f"{name} refuses the user '{user}' or its password. Write both into the address, with @ : / ? # % percent-encoded."
    if "no password supplied" in said:
        return f"{name} asks for a password. Write it into the address, or set PGPASSWORD."
    if "no pg_hba.conf entry" in said:
        return f"{name} lets this machine or the user '{user}' not in (pg_hba.conf). It may want SSL: add ?sslmode=require."
    if "permission denied for database" in said:
        return f"{name} refuses the user '{user}'. Give it CONNECT on the database."
    words = next((line.strip() for line in reversed(said.splitlines()) if "failed: " in line), said.strip().splitlines()[0])
    return f"{name} does not answer: {words.rpartition('failed: ')[2]}. Check the host and the port, and that it runs."


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _beyond(table: SourceTable, after: Sequence[str] | None) -> tuple[str, list[str]]:
    if not table.key or after is None or len(after) != len(table.key):
        return "", []
    columns = ", ".join(f"t.{quoted(name)}" for name in table.key)
    values = ", ".join(f"CAST(%s AS {table.columns[name]})" for name in table.key)
    return f" WHERE ({columns}) > ({values})", list(after)


def _as_json(table: SourceTable, columns: Sequence[str]) -> str:
    """The columns as one JSON object; of texts no more than says that they are too long."""
    parts = []
    for name in columns:
        place = f"t.{quoted(name)}"
        parts.append(f"left({place}, {MAX_RAW_BODY + 1}) AS {quoted(name)}" if table.columns[name] in _TEXTS else place)
    return f"CAST({json_object(', '.join(parts))} AS text)"


def json_object(columns: str) -> str:
    """A row of these columns as JSON. ``r.*`` is the row even where the table has a column named r."""
    return f"(SELECT row_to_json(r.*) FROM (SELECT {columns}) AS r)"


def _fitting(kind: str, values: Sequence[str]) -> list[str] | None:
    """The values that can be of an indexed type, so that its index serves; None for a type that is compared as text."""
    if kind in ("integer", "bigint", "smallint"):
        most = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}[kind]
        return [value for value in values if re.fullmatch(r"-?\d{1,19}", value) and -most <= int(value) < most]
    if kind == "uuid":
        return [value for value in values if re.fullmatch(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}", value)]
    return list(values) if kind in ("text", "character varying") else None


def _loaded(document: str) -> dict[str, Any] | None:
    try:
        values = json.loads(document)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
