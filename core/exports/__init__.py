"""Exports: what is on screen as a file, streamed row by row, with a manifest beside it.

``tables`` says which columns there are, ``rows`` reads them, ``formats``, ``parquet`` and ``briefing`` write them, ``manifest`` says
what was exported, and ``files`` puts it where it belongs. Call from any thread; each export is one transaction of its own.
"""

from core.exports.files import bundle, suggested_name, write, write_to
from core.exports.formats import as_json, cell, csv_lines, json_lines
from core.exports.manifest import Manifest
from core.exports.rows import Export, count_rows, export_rows
from core.exports.tables import COLUMNS, Format, Table

__all__ = [
    "COLUMNS",
    "Export",
    "Format",
    "Manifest",
    "Table",
    "as_json",
    "bundle",
    "cell",
    "count_rows",
    "csv_lines",
    "export_rows",
    "json_lines",
    "suggested_name",
    "write",
    "write_to",
]
