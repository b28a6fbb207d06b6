"""Files: an export at the path that was asked for, whole or not at all, with its manifest beside it; or both in one ZIP."""

import hashlib
import os
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedRandom
from pathlib import Path
from typing import IO

from sqlalchemy.orm import Session

from core.access import Actor, Permission
from core.configuration import Desk
from core.errors import SettingsError
from core.exports.briefing import briefing
from core.exports.formats import csv_lines, json_lines
from core.exports.manifest import Manifest
from core.exports.rows import FETCH, Export, Row, count_rows, export_rows
from core.exports.tables import Format, Table

Progress = Callable[[int, int], None]
"""Told now and then how many rows are written, and of how many."""


def write(desk: Desk, export: Export, path: Path, *, by: Actor, now: datetime, progress: Progress | None = None) -> Manifest:
    """Write the export to ``path`` and its manifest to ``path`` with ``.manifest.json`` after it; returns the manifest.

    Both appear at once and whole; what fails or is interrupted leaves neither, and what stood there before stands.

    Raises:
        SettingsError: the path cannot be written, or the format is not for this table.
        DatabaseUnavailable: the database is away.
    """
    by.require(Permission.READ)
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path} is not a file. Without a file to write, the export goes to standard output.")
    beside = path.with_name(f"{path.name}.manifest.json")
    try:
        with _appearing(path) as file, _appearing(beside) as manifest_file:
            made = write_to(desk, export, file, by=by, now=now, progress=progress)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            manifest = made.beside(path.name, file.tell(), digest)
            manifest_file.write(manifest.as_json().encode())
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror or error}.") from error
    return manifest


def write_to(desk: Desk, export: Export, file: IO[bytes], *, by: Actor, now: datetime, progress: Progress | None = None) -> Manifest:
    """Write the export to an open file: all rows as they stood at one moment. Returns the manifest, without the file's own facts.

    Raises:
        SettingsError: the format is not for this table.
        DatabaseUnavailable: the database is away.
    """
    by.require(Permission.READ)
    if export.format is Format.BRIEFING and export.table is not Table.SIGNALS:
        raise SettingsError(f"A briefing is made of signals, not of {export.table.value}.")
    with desk.database.session() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        manifest = Manifest.of(session, export, desk.settings(session), count=count_rows(session, export), made_by=by.name, now=now)
        _write_rows(session, export, file, manifest, progress)
    return manifest


def bundle(desk: Desk, export: Export, *, by: Actor, now: datetime) -> bytes:
    """The export and its manifest as one ZIP, made on disk; only its compressed bytes are in memory.

    Raises:
        SettingsError, DatabaseUnavailable: as ``write``.
    """
    by.require(Permission.READ)
    with tempfile.TemporaryDirectory(prefix="signaldesk-export-") as folder:
        path, zipped = Path(folder) / suggested_name(export, now), Path(folder) / "export.zip"
        write(desk, export, path, by=by, now=now)
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
            archive.write(path, path.name)
            archive.write(f"{path}.manifest.json", "manifest.json")
        return zipped.read_bytes()


def suggested_name(export: Export, now: datetime) -> str:
    """A file name that says what is in it, such as ``signaldesk-signals-batch-3-20261124-1205.csv``."""
    batch_id, article_id = export.filter.batch_id, export.filter.article_id
    part = f"-batch-{batch_id}" if batch_id else f"-article-{article_id}" if article_id else ""
    what = "briefing" if export.format is Format.BRIEFING else export.table.value
    return f"signaldesk-{what}{part}-{now.astimezone(UTC):%Y%m%d-%H%M}{export.format.suffix}"


def _write_rows(session: Session, export: Export, file: IO[bytes], manifest: Manifest, progress: Progress | None) -> None:
    rows = _counted(export_rows(session, export), manifest.count, progress)
    if export.format is Format.PARQUET:
        from core.exports.parquet import write_parquet  # pyarrow is slow to import, and only this needs it

        write_parquet(file, export.table, rows, {"signaldesk": manifest.as_json()})
        return
    lines = {
        Format.CSV: lambda: csv_lines(export.table, rows, bom=export.bom),
        Format.JSONL: lambda: json_lines(rows),
        Format.BRIEFING: lambda: briefing(session, export, manifest),
    }[export.format]()
    for line in lines:
        file.write(line.encode())


def _counted(rows: Iterator[Row], total: int, progress: Progress | None) -> Iterator[Row]:
    number = 0
    for number, row in enumerate(rows, 1):
        yield row
        if progress and number % FETCH == 0:
            progress(number, total)
    if progress:
        progress(number, total)


@contextmanager
def _appearing(path: Path) -> Iterator[BufferedRandom]:
    """A file that is there under its name only once the block is done; before that it is a hidden one beside it."""
    hidden = path.with_name(f".{path.name[:200]}.{uuid.uuid4().hex}.part")
    try:
        with hidden.open("xb+") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
