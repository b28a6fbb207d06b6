"""Parquet: typed columns by one schema, whatever rows there are. Times in UTC, money as decimals of the ledger's own scale."""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import IO, Any

import pyarrow as pa
from pyarrow import parquet

from core.exports.tables import Kind, Table, kinds

ROW_GROUP = 1_000
TIME = pa.timestamp("us", tz="UTC")
QUOTE = pa.struct([("quote", pa.string()), ("start", pa.int64()), ("end", pa.int64()), ("match", pa.string())])
SOURCE = pa.struct(
    [
        *[(name, pa.string()) for name in ("url", "title", "publisher")],
        ("published_at", TIME),
        *[(name, pa.string()) for name in ("stance", "authority", "quote")],
        ("origin", pa.int64()),
        ("own_publisher", pa.bool_()),
        ("timing", pa.string()),
    ]
)
TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.REAL: pa.float64(),
    Kind.MONEY: pa.decimal128(14, 8),
    Kind.CREDITS: pa.decimal128(12, 4),
    Kind.TIME: TIME,
    Kind.BOOLEAN: pa.bool_(),
    Kind.EVIDENCE: pa.list_(QUOTE),
    Kind.SOURCES: pa.list_(SOURCE),
    Kind.TEXTS: pa.list_(pa.string()),
}


def schema(table: Table) -> pa.Schema:
    """The schema of a table's export."""
    return pa.schema([(name, TYPES[kind]) for name, kind in kinds(table).items()])


def write_parquet(file: IO[bytes], table: Table, rows: Iterable[dict[str, Any]], metadata: dict[str, str]) -> None:
    """Write the rows, a row group at a time."""
    columns = schema(table).with_metadata(metadata)
    left = iter(rows)
    with parquet.ParquetWriter(file, columns, compression="zstd") as writer:
        while chunk := list(islice(left, ROW_GROUP)):
            writer.write_batch(pa.RecordBatch.from_pylist([_timed(row) for row in chunk], schema=columns))


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the times of its sources as times."""
    if not row.get("sources"):
        return row
    sources = [source | {"published_at": published_at(source)} for source in row["sources"]]
    return row | {"sources": sources}


def published_at(source: dict[str, Any]) -> datetime | None:
    """When a source was published."""
    return datetime.fromisoformat(source["published_at"]) if source["published_at"] else None
