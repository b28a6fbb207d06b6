"""Exports as files: each format read back with somebody else's reader, the manifest, and nothing half-written."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from core import budget, exports, reviews
from core.access import local
from core.budget import Call, End
from core.configuration import Configuration, Desk
from core.errors import SettingsError
from core.exports import COLUMNS, Export, Format, Table, bundle, csv_lines, files, json_lines, write
from core.exports.parquet import schema, write_parquet
from core.models import Decision, LedgerKind
from core.pricing import TokenUsage
from core.signal_filter import SignalFilter
from tests.conftest import NOW
from tests.core.answered import a_signal, keep, validated

AWKWARD = '=A "quoted", comma\r\nand a second line\tünïcode 比特币 \u2028 </script>'
DATA = [Format.CSV, Format.JSONL, Format.PARQUET]


@pytest.fixture
def signal(desk: Desk, articles: Any) -> int:
    """A signal with all that an export tells."""
    (article,) = articles(1, publisher="CoinDesk", published_at=NOW)
    (signal_id,) = keep(desk, article, a_signal(description=AWKWARD, confidence=0.61))
    validated(desk, signal_id)
    desk.transaction(lambda session: reviews.decide(session, signal_id, Decision.ACCEPTED, by=local("ida"), note="-lead"))
    return signal_id


def written(desk: Desk, folder: Path, export: Export) -> tuple[Path, dict[str, Any]]:
    path = folder / f"out{export.format.suffix}"
    write(desk, export, path, by=local("ida"), now=NOW)
    return path, json.loads(path.with_name(f"{path.name}.manifest.json").read_text(encoding="utf-8"))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


@given(st.lists(st.tuples(texts, st.lists(texts, max_size=2)), max_size=4))
def test_any_text_comes_back_from_json_and_parquet_as_it_was(values: list[tuple[str, list[str]]]) -> None:
    rows = [{"description": one, "unsupported_numbers": many} for one, many in values]
    assert [json.loads(line) for line in "".join(json_lines(iter(rows))).split("\n")[:-1]] == rows
    file = io.BytesIO()
    write_parquet(file, Table.SIGNALS, iter(rows), {})
    table = parquet.read_table(file)
    assert table.schema.equals(schema(Table.SIGNALS))
    assert [{name: row[name] for name in ("description", "unsupported_numbers")} for row in table.to_pylist()] == rows


def test_the_three_formats_say_the_same(desk: Desk, signal: int, tmp_path: Path) -> None:
    with written(desk, tmp_path, Export())[0].open(encoding="utf-8", newline="") as file:
        (in_csv,) = csv.DictReader(file, strict=True)
    (line,) = written(desk, tmp_path, Export(format=Format.JSONL))[0].read_text(encoding="utf-8").split("\n")[:-1]
    in_json = json.loads(line)
    (in_parquet,) = parquet.read_table(written(desk, tmp_path, Export(format=Format.PARQUET))[0]).to_pylist()
    assert tuple(in_csv) == tuple(in_json) == tuple(in_parquet) == COLUMNS[Table.SIGNALS]
    assert in_csv["description"] == f"'{AWKWARD}"
    assert in_json["description"] == in_parquet["description"] == AWKWARD
    assert (in_json["review_note"], in_parquet["review_note"]) == ("-lead", "-lead")
    assert in_json["published_at"] == in_csv["published_at"] == "2026-11-24T12:00:00Z"
    assert in_parquet["published_at"] == in_parquet["sources"][0]["published_at"] == NOW
    assert json.loads(in_csv["sources"]) == in_json["sources"]
    assert in_json["sources"] == [one | {"published_at": "2026-11-24T12:00:00Z"} for one in in_parquet["sources"]]
    assert json.loads(in_csv["evidence"]) == in_json["evidence"] == in_parquet["evidence"]
    assert (in_json["verdict"], in_parquet["verdict"], in_parquet["verdict_hidden"]) == ("VALIDATED", "VALIDATED", False)


def test_money_is_unrounded_in_every_format(desk: Desk, tmp_path: Path) -> None:
    call = Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", Decimal("0.12345678"))
    with desk.database.session() as session:
        (entry,) = budget.reserve(session, [call], desk.environment, owner="w1", now=NOW)
        assert isinstance(entry, int)
        budget.end(session, [replace(End.settled(entry, Decimal("0.00000001"), TokenUsage(1, 0, 2, 0)))], now=NOW)
    wanted = Export(Table.LEDGER, Format.PARQUET)
    table = parquet.read_table(written(desk, tmp_path, wanted)[0])
    assert (table.schema.field("usd").type, table.schema.field("search_credits").type) == (pa.decimal128(14, 8), pa.decimal128(12, 4))
    assert table["usd"].to_pylist() == [Decimal("0.00000001")]
    line = json.loads(written(desk, tmp_path, Export(Table.LEDGER, Format.JSONL))[0].read_text(encoding="utf-8"))
    assert (line["usd"], line["reserved_usd"], line["search_credits"]) == ("0.00000001", "0.12345678", "0.0000")


@pytest.mark.parametrize("table", list(Table))
def test_an_export_without_rows_still_has_its_columns(desk: Desk, table: Table, tmp_path: Path) -> None:
    read = parquet.read_table(written(desk, tmp_path, Export(table, Format.PARQUET))[0])
    assert (read.num_rows, tuple(read.column_names)) == (0, COLUMNS[table])
    assert read.schema.equals(schema(table))
    assert written(desk, tmp_path, Export(table, Format.JSONL))[0].read_bytes() == b""
    assert written(desk, tmp_path, Export(table))[0].read_bytes().decode() == ",".join(COLUMNS[table]) + "\r\n"


def test_a_byte_order_mark_is_written_when_it_is_asked_for(desk: Desk, tmp_path: Path) -> None:
    assert written(desk, tmp_path, Export(bom=True))[0].read_bytes().startswith(b"\xef\xbb\xbfsignal_id,")
    assert written(desk, tmp_path, Export())[0].read_bytes().startswith(b"signal_id,")
    assert "".join(csv_lines(Table.RECORDS, [], bom=True)).count("\ufeff") == 1


@pytest.mark.parametrize("kind", list(Format))
def test_the_manifest_tells_the_truth(desk: Desk, signal: int, make_settings: Any, tmp_path: Path, kind: Format) -> None:
    secret = "s3cr3t-key"
    own = Desk(desk.database, make_settings(gemini_api_key=secret, model="offline"))
    with desk.database.session() as session:
        publisher = session.connection().exec_driver_sql("SELECT id FROM publishers WHERE name = 'CoinDesk'").scalar_one()
    path, manifest = written(own, tmp_path, Export(format=kind, signals=SignalFilter(publishers=(publisher,), since=NOW.date())))
    data = path.read_bytes()
    assert (manifest["file"], manifest["bytes"], manifest["sha256"]) == (path.name, len(data), hashlib.sha256(data).hexdigest())
    assert (manifest["table"], manifest["format"], manifest["count"]) == ("signals", kind.value, 1)
    assert (manifest["made_at"], manifest["made_by"]) == ("2026-11-24T12:00:00Z", "ida")
    assert tuple(manifest["columns"]) == COLUMNS[Table.SIGNALS]
    assert (manifest["filter"]["publishers"], manifest["filter"]["since"]) == (["CoinDesk"], "2026-11-24")
    assert manifest["filter_in_words"].startswith(
        "reviewed accepted; " * (kind is Format.BRIEFING) + "publishers CoinDesk; since 2026-11-24"
    )
    assert manifest["configuration"] == Configuration.of(own.environment).as_json()
    assert manifest["revision"]
    assert secret not in json.dumps(manifest)
    if kind is Format.PARQUET:
        within = json.loads(parquet.read_schema(path).metadata[b"signaldesk"])
        assert within == {name: value for name, value in manifest.items() if name not in ("file", "bytes", "sha256")}


@pytest.mark.parametrize("kind", [*Format])
def test_what_fails_on_the_way_leaves_what_was_there(
    desk: Desk, signal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Format
) -> None:
    path, _ = written(desk, tmp_path, Export(format=kind))
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    real = exports.rows._chunk

    def interrupted(*_: Any) -> Iterator[Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(exports.rows, "_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(desk, Export(format=kind), path, by=local("ida"), now=NOW)
    with pytest.raises(KeyboardInterrupt):
        write(desk, Export(format=kind), tmp_path / "new", by=local("ida"), now=NOW)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before
    monkeypatch.setattr(exports.rows, "_chunk", real)
    write(desk, Export(format=kind), path, by=local("ida"), now=NOW)


def test_what_cannot_be_written_is_refused(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a file"):
        write(desk, Export(), tmp_path, by=local("ida"), now=NOW)
    with pytest.raises(SettingsError, match="cannot be written: No such file"):
        write(desk, Export(), tmp_path / "no" / "where.csv", by=local("ida"), now=NOW)
    with pytest.raises(SettingsError, match="A briefing is made of signals, not of records"):
        write(desk, Export(Table.RECORDS, Format.BRIEFING), tmp_path / "b.html", by=local("ida"), now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_all_rows_are_of_one_moment(desk: Desk, signal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = files.count_rows

    def then_undone(*arguments: Any) -> int:
        found = counted(*arguments)
        desk.transaction(lambda session: reviews.undo(session, signal, by=local("ada")))
        return found

    monkeypatch.setattr(files, "count_rows", then_undone)
    path, _ = written(desk, tmp_path, Export(format=Format.JSONL))
    assert json.loads(path.read_text(encoding="utf-8"))["decision"] == "accepted"


@pytest.mark.parametrize("kind", DATA)
def test_a_download_is_the_file_with_its_manifest(desk: Desk, signal: int, kind: Format) -> None:
    with zipfile.ZipFile(
        io.BytesIO(bundle(desk, Export(format=kind, batch_id=1), by=local("ida"), now=NOW + timedelta(hours=1)))
    ) as archive:
        name, beside = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
        assert (name, beside) == (f"signaldesk-signals-batch-1-20261124-1300.{kind.value}", "manifest.json")
        assert hashlib.sha256(archive.read(name)).hexdigest() == manifest["sha256"]
    assert manifest["file"] == name
