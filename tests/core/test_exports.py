"""Exports: what is read back from the CSV is what is in the database, and no spreadsheet runs any of it."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import budget, launching, records, reviews
from core.access import local
from core.agents.outputs import SignalKind, Timeframe, Verdict
from core.budget import BudgetState, Call, End
from core.configuration import Configuration, Desk
from core.exports import COLUMNS, Export, Table, as_json, cell, count_rows, csv_lines, export_rows, rows
from core.exports.formats import BLOCK
from core.models import BatchRecord, BudgetScope, Decision, LedgerKind, RecordStatus
from core.pricing import TokenUsage
from core.reviews import Correction
from core.selection import Selection
from core.signal_filter import Reviewed, SignalFilter, SignalOrder
from core.signals import signal_page
from core.validations import Finding, keep_validations
from tests.conftest import NOW
from tests.core.answered import a_signal, keep, validated

AWKWARD = 'A "quoted", comma\r\nand a second line; then a third\nand ünïcode 比特币'


def read(data: bytes) -> list[dict[str, str]]:
    """The rows of a CSV, read strictly."""
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))


def to_csv(session: Session, table: Table, **narrowed: Any) -> bytes:
    return "".join(csv_lines(table, export_rows(session, Export(table, **narrowed)))).encode()


def exported(desk: Desk, table: Table, **narrowed: Any) -> list[dict[str, str]]:
    with desk.database.session() as session:
        return read(to_csv(session, table, **narrowed))


# The format


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


@given(st.lists(st.tuples(texts, texts), max_size=5))
@example([("a\rb", "c\nd"), ("\r\n", '"'), (",", "'=1+1"), ("", " ")])
def test_any_text_is_read_back_as_it_was(texts_of: list[tuple[str, str]]) -> None:
    names = ("category", "description")
    lines = "".join(csv_lines(Table.SIGNALS, (dict(zip(names, row, strict=True)) for row in texts_of)))
    assert [(row["category"], row["description"]) for row in read(lines.encode())] == [(cell(one), cell(two)) for one, two in texts_of]


def test_lines_end_as_rfc_4180_says_and_an_empty_export_is_a_header() -> None:
    (header,) = csv_lines(Table.RECORDS, iter([]))
    assert header == ",".join(COLUMNS[Table.RECORDS]) + "\r\n"
    lines = "".join(csv_lines(Table.RECORDS, iter([{"record_id": 1}, {"record_id": 2}])))
    assert lines.count("\r\n") == lines.count("\n") == 3


def test_rows_are_written_as_they_come() -> None:
    drawn = []

    def made() -> Iterator[dict[str, Any]]:
        for number in range(100_000):
            drawn.append(number)
            yield {"record_id": number, "article_title": "A title" * 20}

    lines = csv_lines(Table.RECORDS, made())
    first = next(lines)
    assert first.startswith("record_id,")
    assert first.count("\r\n") == len(drawn) < 1_000, "written long before all are read"
    assert len(first) < 2 * BLOCK


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("https://evil.example")', "=cmd|' /C calc'!A0"]
)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(formula: str) -> None:
    assert cell(formula) == f"'{formula}"


@given(texts)
def test_no_text_begins_as_a_formula_and_nothing_but_the_apostrophe_is_added(value: str) -> None:
    written = cell(value)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert written in (value, f"'{value}")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (-0.25, "-0.25"),
        (-3, "-3"),
        (True, "true"),
        (Decimal("-0.00000001"), "-0.00000001"),
        (Decimal("0E-8"), "0.00000000"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1234567.10000000"), "1234567.10000000"),
        (Decision.ACCEPTED, "accepted"),
        (SignalKind.NARRATIVE_GAP, "narrative_gap"),
        (datetime(2026, 11, 24, 12, 0, tzinfo=UTC), "2026-11-24T12:00:00Z"),
        (datetime(2026, 11, 24, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=9))), "2026-11-24T03:00:00.000005Z"),
        (date(2026, 11, 24), "2026-11-24"),
        ([{"quote": "é", "usd": Decimal("0.10")}], '[{"quote":"é","usd":"0.10"}]'),
        ("plain - text", "plain - text"),
    ],
)
def test_each_kind_of_value_has_one_form(value: Any, written: str) -> None:
    assert cell(value) == written


def test_the_same_values_as_json() -> None:
    state = BudgetState(1, BudgetScope.DAY, "2026-11-24", Decimal(5), Decimal("0.10"), Decimal(0))
    value = {"state": state, "day": date(2026, 11, 24), "when": NOW, "counts": {RecordStatus.PENDING: 2}, "ids": (1, 2), "note": "=1"}
    assert json.loads(json.dumps(as_json(value))) == {
        "state": {"id": 1, "scope": "day", "key": "2026-11-24", "limit": "5", "spent": "0.10", "reserved": "0"},
        "day": "2026-11-24",
        "when": "2026-11-24T12:00:00Z",
        "counts": {"PENDING": 2},
        "ids": [1, 2],
        "note": "=1",
    }


# Signals


def test_a_signal_is_exported_with_its_evidence_validation_sources_and_decision(desk: Desk, articles: Any) -> None:
    (article,) = articles(1, title="=Miners, again", publisher="CoinDesk", published_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC))
    (signal_id,) = keep(desk, article, a_signal(description=AWKWARD, implications="-5% by spring", confidence=0.61))
    validated(desk, signal_id)
    desk.transaction(lambda session: reviews.decide(session, signal_id, Decision.ACCEPTED, by=local("ida"), note="@desk: run it"))
    (row,) = exported(desk, Table.SIGNALS)
    assert tuple(row) == COLUMNS[Table.SIGNALS]
    told = ("signal_id", "kind", "description", "implications", "confidence", "verdict", "confidence_adjustment", "decision", "review_note")
    assert {name: row[name] for name in told} == {
        "signal_id": str(signal_id),
        "kind": "weak_signal",
        "description": AWKWARD,
        "implications": "'-5% by spring",
        "confidence": "0.61",
        "verdict": "VALIDATED",
        "confidence_adjustment": "0.25",
        "decision": "accepted",
        "review_note": "'@desk: run it",
    }
    assert (row["article_title"], row["publisher"], row["published_at"]) == ("'=Miners, again", "CoinDesk", "2026-11-20T08:30:00Z")
    assert row["reviewed_at"].endswith("Z")
    assert row["created_at"].endswith("Z")
    (evidence,) = json.loads(row["evidence"])
    assert (evidence["start"], evidence["end"], evidence["match"]) == (0, len(evidence["quote"]), "exact")
    (source,) = json.loads(row["sources"])
    assert (source["url"], source["stance"], source["published_at"]) == ("https://a.example/1", "supports", "2026-11-24T12:00:00Z")
    assert (source["authority"], source["origin"], source["own_publisher"]) == ("MEDIUM", 1, False)


def test_a_signal_without_validation_or_review_has_empty_cells(desk: Desk, articles: Any) -> None:
    keep(desk, articles(1)[0], a_signal())
    (row,) = exported(desk, Table.SIGNALS)
    assert {
        row[name] for name in ("verdict", "confidence_adjustment", "sources", "decision", "review_note", "reviewer", "reviewed_at")
    } == {""}


def test_only_the_newest_validation_and_review_are_exported(desk: Desk, articles: Any) -> None:
    (signal_id,) = keep(desk, articles(1)[0], a_signal())
    nothing = Finding(signal_id, ())
    desk.transaction(lambda session: keep_validations(session, [nothing], Configuration.of(desk.environment)))
    validated(desk, signal_id, published_at=None)
    for decision, note in ((Decision.ACCEPTED, "first"), (Decision.REJECTED, "second")):
        desk.transaction(lambda session, d=decision, n=note: reviews.decide(session, signal_id, d, by=local("ada"), note=n))
    (row,) = exported(desk, Table.SIGNALS)
    assert (row["verdict"], row["decision"], row["review_note"]) == ("VALIDATED", "rejected", "second")
    assert json.loads(row["sources"])[0]["published_at"] is None


def test_evidence_is_listed_as_it_stands_in_the_article(desk: Desk, articles: Any) -> None:
    (article,) = articles(1, body="Alpha begins here. Bravo follows it. Charlie ends it all. " * 60)
    keep(desk, article, a_signal("Charlie ends it all", "Alpha begins here", "Bravo follows it"))
    (row,) = exported(desk, Table.SIGNALS)
    assert [quote["quote"] for quote in json.loads(row["evidence"])] == ["Alpha begins here", "Bravo follows it", "Charlie ends it all"]


def test_times_are_utc_whatever_the_servers_zone(desk: Desk, articles: Any) -> None:
    (signal_id,) = keep(desk, articles(1, published_at=NOW)[0], a_signal())
    validated(desk, signal_id)
    with desk.database.session() as session:
        session.execute(text("SET LOCAL TIME ZONE 'Asia/Tokyo'"))
        (row,) = read(to_csv(session, Table.SIGNALS))
    assert row["published_at"] == "2026-11-24T12:00:00Z"
    assert json.loads(row["sources"])[0]["published_at"] == "2026-11-24T12:00:00Z"


def test_what_is_exported_is_what_the_filter_lets_through_in_its_order(desk: Desk, articles: Any) -> None:
    first, second = articles(2)
    weak, strong = keep(desk, first, a_signal(confidence=0.2), a_signal(confidence=0.9, kind="narrative_gap"))
    (middle,) = keep(desk, second, a_signal(confidence=0.5, category="flows"))
    desk.transaction(lambda session: reviews.decide(session, middle, Decision.ACCEPTED, by=local("ada")))

    def found(**values: Any) -> list[int]:
        return [int(row["signal_id"]) for row in exported(desk, Table.SIGNALS, signals=SignalFilter(**values))]

    assert found() == [strong, middle, weak]
    assert found(minimum_confidence=0.5) == [strong, middle]
    assert found(reviewed=Reviewed.ACCEPTED) == [middle]
    assert found(reviewed=Reviewed.OPEN) == [strong, weak]
    assert found(kinds=(SignalKind.NARRATIVE_GAP,)) == [strong]
    assert found(categories=("flows",)) == [middle]
    assert found(article_id=first) == [strong, weak]
    assert found(article_id=10**9) == []
    assert found(text="flow") == [middle]
    assert found(text="flow sell") == [middle]
    assert found(text="flow zebra") == []


def test_a_batch_narrows_every_export(desk: Desk, articles: Any) -> None:
    ids = articles(2)
    signals = [keep(desk, article, a_signal())[0] for article in ids]
    with desk.database.session() as session:
        made = list(session.scalars(select(BatchRecord.batch_id).order_by(BatchRecord.batch_id)))
        for batch_id in made:
            call = Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", Decimal("0.10"), batch_id=batch_id)
            budget.reserve(session, [call], desk.environment, owner="w1", now=NOW)
    assert [row["signal_id"] for row in exported(desk, Table.SIGNALS, batch_id=made[1])] == [str(signals[1])]
    for table in (Table.ANALYSES, Table.RECORDS, Table.LEDGER):
        assert [row["batch_id"] for row in exported(desk, table)] == [str(batch_id) for batch_id in made]
        assert [row["batch_id"] for row in exported(desk, table, batch_id=made[1])] == [str(made[1])]


def test_every_field_of_the_filter_narrows_the_export_as_it_does_the_screen(desk: Desk, articles: Any) -> None:
    first, second = articles(1, publisher="CoinDesk", published_at=NOW) + articles(
        1, publisher="Aardvark", published_at=NOW - timedelta(days=3)
    )
    ids = keep(desk, first, *[a_signal(confidence=one / 10, category=f"c{one % 2}", description=f"Signal {one}.") for one in range(1, 7)])
    ids += keep(desk, second, *[a_signal(confidence=one / 10, kind="narrative_gap", description=f"Gap {one}.") for one in range(1, 4)])
    with desk.database.session() as session:
        session.execute(text("UPDATE articles SET is_sample = true WHERE id = :id"), {"id": second})
    for signal_id in ids[::2]:
        validated(desk, signal_id)
    for signal_id, decision in zip(ids[:4], (Decision.ACCEPTED, Decision.REJECTED, Decision.UNSURE, Decision.ACCEPTED), strict=True):
        desk.transaction(lambda session, i=signal_id, d=decision: reviews.decide(session, i, d, by=local("ada")))
    desk.transaction(lambda session: reviews.correct(session, ids[0], Correction(category="corrected"), by=local("ada")))
    with desk.database.session() as session:
        publishers = dict(session.execute(text("SELECT name, id FROM publishers")).all())
        batches = list(session.scalars(text("SELECT id FROM batch_sessions ORDER BY id")))
    narrowed: dict[str, list[Any]] = {
        "kinds": [(SignalKind.NARRATIVE_GAP,)],
        "categories": [("c1",), ("corrected", "c0")],
        "verdicts": [(Verdict.VALIDATED,)],
        "reviewed": list(Reviewed),
        "publishers": [(publishers["CoinDesk"],)],
        "minimum_confidence": [0.35],
        "text": ["gap"],
        "since": [NOW.date()],
        "until": [NOW.date() - timedelta(days=1)],
        "batch_id": [batches[0]],
        "article_id": [second],
        "without_samples": [True],
        "order": list(SignalOrder),
        "blind_share": [0.5, 1.0],
    }
    assert set(narrowed) == set(SignalFilter.model_fields)
    seen = set()
    for name, values in narrowed.items():
        for value in values:
            chosen = SignalFilter(**{name: value})
            with desk.database.session() as session:
                on_screen = [row for at in range(0, 20, 4) for row in signal_page(session, chosen, offset=at, size=4)]
                written = list(export_rows(session, Export(signals=chosen)))
                assert count_rows(session, Export(signals=chosen)) == len(written)
            told = [(row["signal_id"], row["verdict"], row["verdict_hidden"], row["decision"]) for row in written]
            assert told == [(row.id, row.verdict, row.is_blind, row.decision) for row in on_screen], chosen
            seen.add((name, tuple(told)))
    everything = {told for name, told in seen if name == "order"}
    assert len(everything) > 2
    assert {name for name, told in seen if told not in everything or name == "order"} == set(narrowed)


def test_a_hidden_verdict_is_not_exported_until_it_is_decided(desk: Desk, articles: Any) -> None:
    (signal_id,) = keep(desk, articles(1)[0], a_signal())
    validated(desk, signal_id)
    hidden = SignalFilter(blind_share=1.0)
    (row,) = exported(desk, Table.SIGNALS, signals=hidden)
    research = ("verdict", "confidence_adjustment", "validation_reason", "sources", "model_verdict", "origins", "research_provider",
                "research_failed", "validated_at")  # fmt: skip
    assert {row[name] for name in research} == {""}
    assert (row["verdict_hidden"], row["description"] != "") == ("true", True)
    desk.transaction(lambda session: reviews.decide(session, signal_id, Decision.REJECTED, by=local("ada"), blind_share=1.0))
    (row,) = exported(desk, Table.SIGNALS, signals=hidden)
    told = (row["verdict_hidden"], row["verdict"], row["verdict_at_decision"], row["review_blind"], row["origins"])
    assert told == ("false", "VALIDATED", "VALIDATED", "true", "1")


def test_corrections_stand_beside_what_was_found_and_an_undo_takes_the_decision_out(desk: Desk, articles: Any) -> None:
    (signal_id,) = keep(desk, articles(1)[0], a_signal(category="mining"))
    found = exported(desk, Table.SIGNALS)[0]
    corrected = Correction("flows", "As it was.", Timeframe.LONG_TERM)
    desk.transaction(lambda session: reviews.decide(session, signal_id, Decision.ACCEPTED, by=local("ida"), note="first"))
    desk.transaction(lambda session: reviews.correct(session, signal_id, corrected, by=local("ada")))
    desk.transaction(lambda session: reviews.annotate(session, signal_id, "a later note", by=local("bo")))
    (row,) = exported(desk, Table.SIGNALS)
    names = ("category", "description", "timeframe")
    assert [row[name] for name in names] == [found[name] for name in names]
    assert [row[f"corrected_{name}"] for name in names] == ["flows", "As it was.", "long-term"]
    assert (row["decision"], row["review_note"], row["reviewer"]) == ("accepted", "first", "ida")
    for _ in range(3):
        desk.transaction(lambda session: reviews.undo(session, signal_id, by=local("ada")))
    assert exported(desk, Table.SIGNALS) == [found]


def test_a_source_says_whether_it_came_before_or_after_the_article(desk: Desk, articles: Any) -> None:
    (article,) = articles(1, published_at=NOW)
    moments = [NOW - timedelta(hours=1), NOW + timedelta(hours=1), None]
    ids = keep(desk, article, *[a_signal(description=f"Signal {number}.") for number in range(3)])
    for signal_id, moment in zip(ids, moments, strict=True):
        validated(desk, signal_id, published_at=moment)
    timing = {int(row["signal_id"]): json.loads(row["sources"])[0]["timing"] for row in exported(desk, Table.SIGNALS)}
    assert [timing[signal_id] for signal_id in ids] == ["before", "after", None]


# The other tables


def test_the_ledger_is_exported_to_the_last_decimal(desk: Desk) -> None:
    call = Call(LedgerKind.MODEL, "content_analysis", "google", "google:gemini-2.5-flash", Decimal("0.12345678"))
    with desk.database.session() as session:
        (entry,) = budget.reserve(session, [call], desk.environment, owner="w1", now=NOW)
        assert isinstance(entry, int)
        end = End.settled(entry, Decimal("0.00000001"), TokenUsage(1_000, 100, 20, 30))
        budget.end(session, [replace(end, error_message="=HYPERLINK()")], now=NOW)
    (row,) = exported(desk, Table.LEDGER)
    assert tuple(row) == COLUMNS[Table.LEDGER]
    told = ("usd", "reserved_usd", "input_tokens", "cached_tokens", "output_tokens", "thinking_tokens", "status", "settled_at")
    assert [row[name] for name in told] == ["0.00000001", "0.12345678", "1000", "100", "20", "30", "SETTLED", "2026-11-24T12:00:00Z"]
    assert row["error_message"] == "'=HYPERLINK()"


def test_records_are_exported_in_their_order_with_what_became_of_them(desk: Desk, articles: Any) -> None:
    ids = articles(2)
    (short,) = articles(1, body="x" * 100)
    chosen = Selection.of_ids([*ids, short])
    batch_id = desk.transaction(lambda session: launching.launch(session, chosen, desk.environment, by=local("ada"), now=NOW))
    with desk.database.session() as session:
        first, second = records.claim(session, batch_id, owner="w1", most=2, now=NOW)
        records.complete(session, [first.record_id], owner="w1", now=NOW)
        records.fail(session, second.record_id, "blocked", "The filter, it said.", owner="w1", now=NOW)
    told = exported(desk, Table.RECORDS, batch_id=batch_id)
    assert [(row["article_id"], row["status"], row["error_message"], row["skip_reason"]) for row in told] == [
        (str(first.article_id), "COMPLETED", "", ""),
        (str(second.article_id), "FAILED", "The filter, it said.", ""),
        (str(short), "SKIPPED", "", launching.TOO_SHORT),
    ]
    assert told[0]["finished_at"] == "2026-11-24T12:00:00Z"


def test_an_analysis_is_exported_with_its_scores_and_the_number_of_its_signals(desk: Desk, articles: Any) -> None:
    keep(desk, articles(1)[0], a_signal(), a_signal(description="Another."), a_signal("made up words"))
    (row,) = exported(desk, Table.ANALYSES)
    told = ("sentiment", "impact", "confidence", "signals", "ungrounded_signals", "dropped_quotes", "completed_at")
    assert [row[name] for name in told] == ["NEUTRAL", "0.4", "0.7", "2", "1", "1", "2026-11-24T12:00:00Z"]


@pytest.mark.parametrize("table", list(Table))
def test_every_export_of_an_empty_desk_is_its_header(desk: Desk, table: Table) -> None:
    with desk.database.session() as session:
        assert to_csv(session, table).decode() == ",".join(COLUMNS[table]) + "\r\n"


def test_an_export_longer_than_one_fetch_is_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch, articles: Any) -> None:
    monkeypatch.setattr(rows, "FETCH", 2)
    ids = keep(desk, articles(1)[0], *[a_signal(description=f"Signal {number}.") for number in range(5)])
    with desk.database.session() as session:
        assert sorted(row["signal_id"] for row in export_rows(session, Export())) == sorted(ids)
