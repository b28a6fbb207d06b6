"""The ledger in pages: every filter, on and back by its keys, and each by an index."""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from core import ledger_list, spending
from core.configuration import Desk
from core.exports import Export, Table, export_rows
from core.ledger_list import LedgerFilter
from core.models import BatchSession, LedgerEntry, LedgerKind, LedgerStatus, table_of
from tests.conftest import NOW


@pytest.fixture
def lines(desk: Desk) -> None:
    """120 lines over three days, two models, two runs and every status."""
    statuses = (LedgerStatus.SETTLED, LedgerStatus.SETTLED, LedgerStatus.RELEASED, LedgerStatus.UNKNOWN, LedgerStatus.RESERVED)
    with desk.database.session() as session:
        for _ in range(2):
            session.add(BatchSession(launched_by="a", configuration={}, configuration_hash="0", selection={}, estimate={}, concurrency=1))
        session.flush()
        rows: list[dict[str, Any]] = [
            {
                "status": statuses[n % 5],
                "kind": LedgerKind.MODEL,
                "agent": ("content_analysis", "signal_validation")[n % 2],
                "provider": "google",
                "model": f"m{n % 3}",
                "batch_id": 1 + n % 2,
                "day": NOW.date() - timedelta(days=n % 4),
                "created_at": NOW + timedelta(seconds=n),
            }
            for n in range(120)
        ]
        session.execute(insert(table_of(LedgerEntry)), rows)
        spending.rebuild(session)


FILTERS = (
    LedgerFilter(),
    LedgerFilter(status=LedgerStatus.UNKNOWN),
    LedgerFilter(status=LedgerStatus.RESERVED),
    LedgerFilter(agent="signal_validation"),
    LedgerFilter(model="m2"),
    LedgerFilter(batch_id=2),
    LedgerFilter(day=date(2026, 11, 22)),
    LedgerFilter(status=LedgerStatus.SETTLED, model="m1", batch_id=1, day=date(2026, 11, 24)),
    LedgerFilter(model="none"),
)


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("chosen", FILTERS)
def test_pages_on_and_back_hold_every_line_of_the_filter_once(desk: Desk, chosen: LedgerFilter) -> None:
    with desk.database.session() as session:
        everything = ledger_list.page(session, LedgerFilter(), size=1_000)
        wanted = [line for line in everything if all(getattr(line, name) == value for name, value in chosen if value is not None)]
        assert [line.id for line in everything] == list(range(120, 0, -1))
        assert str(ledger_list.count(session, chosen)) == str(len(wanted))
        exported = [row["id"] for row in export_rows(session, Export(Table.LEDGER, ledger=chosen))]
        assert exported == [line.id for line in reversed(wanted)]
        pages, before = [], None
        while page := ledger_list.page(session, chosen, size=7, before=before):
            pages.append(page)
            before = page[-1].id
        assert [line for page in pages for line in page] == wanted
        for newer, older in itertools.pairwise(pages):
            assert ledger_list.page(session, chosen, size=7, after=older[0].id) == newer


def test_a_count_of_a_batch_has_a_bound(desk: Desk, lines: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_list, "COUNT_BOUND", 50)
    assert str(desk.transaction(lambda session: ledger_list.count(session, LedgerFilter(batch_id=1)))) == "more than 50"
    assert str(desk.transaction(lambda session: ledger_list.count(session, LedgerFilter()))) == "120"


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        (LedgerFilter(), "pk_ledger_entries"),
        (LedgerFilter(status=LedgerStatus.UNKNOWN), "ix_ledger_entries_troubled"),
        (LedgerFilter(model="m2"), "ix_ledger_entries_model_id"),
        (LedgerFilter(batch_id=2), "ix_ledger_entries_batch_id"),
        (LedgerFilter(day=date(2026, 11, 22)), "ix_ledger_entries_day_id"),
    ],
)
def test_each_filter_has_an_index_in_its_order(desk: Desk, chosen: LedgerFilter, index: str) -> None:
    with desk.database.session() as session:
        session.execute(text("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off"))
        statement = ledger_list.statement(chosen, size=10)
        sql = str(statement.compile(session.connection(), compile_kwargs={"literal_binds": True}))
        plan = "\n".join(session.scalars(text("EXPLAIN " + sql.replace(":", r"\:"))))
    assert index in plan
    assert "Sort" not in plan
