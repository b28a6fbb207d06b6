"""The roll-ups are the ledger's own sums: after every kind of end, folded or not, from two connections at once, and after an upgrade."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import func, select, text, update

from core import budget, launching, records, spending
from core.access import local
from core.budget import Call, End
from core.configuration import Desk
from core.database import MIGRATIONS, Database, make_engine
from core.models import BatchRecord, BatchSession, BatchStatus, LedgerKind, RecordStatus, SpendDelta
from core.pricing import TokenUsage
from core.selection import Selection
from core.settings import Settings
from core.spending import Dimension, Usage
from tests.conftest import NOW
from tests.core.locks import wait_until_blocked

D = Decimal
LONG_AGO = date(2020, 1, 1)
LEDGER_SUMS = """count(*), count(*) FILTER (WHERE status = 'RELEASED'), count(*) FILTER (WHERE status = 'UNKNOWN'), sum(usd),
    coalesce(sum(usd) FILTER (WHERE status = 'UNKNOWN'), 0), sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(thinking_tokens),
    sum(search_credits) FROM ledger_entries line LEFT JOIN articles ON articles.id = line.article_id WHERE status <> 'RESERVED'"""
LEDGER_KEYS = {
    Dimension.MODEL: "line.model",
    Dimension.AGENT: "line.agent",
    Dimension.PUBLISHER: "coalesce(articles.publisher_id, 0)",
    Dimension.RUN: "coalesce(line.batch_id, 0)",
    Dimension.DAY: "line.day",
    Dimension.MONTH: "CAST(date_trunc('month', line.day) AS date)",
}


def assert_as_the_ledger(desk: Desk) -> None:
    """Every dimension, the whole and the pace are what a GROUP BY over the ledger gives."""
    with desk.database.session() as session:
        for dimension, key in LEDGER_KEYS.items():
            expected = {row[0]: Usage(*row[1:]) for row in session.execute(text(f"SELECT {key}, {LEDGER_SUMS} GROUP BY 1"))}
            assert {group.key: group.usage for group in spending.by(session, dimension, since=LONG_AGO)} == expected, dimension
        whole = Usage(*(value or 0 for value in session.execute(text(f"SELECT {LEDGER_SUMS}")).one()))
        assert spending.usage(session, since=LONG_AGO) == whole
        assert spending.in_all(spending.usage_by_day(session, since=LONG_AGO)) == whole
        slots = "SELECT date_bin('10 minutes', settled_at, timestamptz '2000-01-01 00:00Z'), sum(usd) FROM ledger_entries WHERE status <> 'RESERVED' GROUP BY 1"
        by_slot = spending.usd_by_slot(session, since=datetime(2020, 1, 1, tzinfo=UTC))
        assert by_slot == dict(session.execute(text(slots)).all())  # type: ignore[arg-type]
        totals = dict(session.execute(text("SELECT batch_id, sum(usd) FROM ledger_entries WHERE batch_id > 0 GROUP BY 1")).all())
        assert spending.usd_by_batch(session, list(totals)) == totals


def call(worst: str = "0.10", agent: str = "content_analysis", model: str = "google:gemini", **values: Any) -> Call:
    kind = LedgerKind.SEARCH if agent == "research" else LedgerKind.MODEL
    return Call(kind, agent, "tavily" if agent == "research" else "google", model, D(worst), **values)


def enter(desk: Desk, *calls: Call, now: datetime = NOW, owner: str = "w1") -> list[int]:
    answers = desk.transaction(lambda session: budget.reserve(session, list(calls), desk.environment, owner=owner, now=now))
    entries = [answer for answer in answers if isinstance(answer, int)]
    assert len(entries) == len(calls), answers
    return entries


def end(desk: Desk, *ends: End, now: datetime = NOW) -> None:
    desk.transaction(lambda session: budget.end(session, list(ends), now=now))


@pytest.fixture
def batch(desk: Desk, articles: Any) -> Any:
    """A launched batch of four articles by two publishers: its id and theirs."""
    ids = [*articles(2, publisher="CoinDesk"), *articles(2, publisher="Hashyard")]
    return desk.transaction(
        lambda session: launching.launch(session, Selection.of_ids(ids), desk.environment, by=local("ada"), now=NOW)
    ), ids


@pytest.fixture
def ended(desk: Desk, batch: Any) -> Iterator[None]:
    """Calls of every kind and end, over two months; one is still under way."""
    batch_id, ids = batch
    tokens = TokenUsage(1_000, 200, 300, 40)
    for days in (0, 1, 30):
        moment = NOW - timedelta(days=days)
        entries = enter(
            desk,
            *(call(article_id=article, batch_id=batch_id) for article in ids),
            call(agent="research", model="tavily", article_id=ids[0], batch_id=batch_id),
            call("0", agent="research", model="archive", article_id=ids[1], batch_id=batch_id),
            now=moment,
        )
        end(desk, End.settled(entries[0], D("0.03"), tokens), End.settled(entries[1], D("0.0100001"), tokens), now=moment)
        end(desk, End.released(entries[2], "rate_limit", "Slower."), now=moment + timedelta(hours=1))
        end(desk, End.unknown(entries[3], "timeout", "No answer."), End.settled(entries[4], D("0.016"), credits=D("2.5")), now=moment)
        end(desk, End.settled(entries[5], D(0)), now=moment)
    end(desk, End.settled(enter(desk, call())[0], D("0.02"), tokens))
    enter(desk, call("0.25", article_id=ids[0], batch_id=batch_id))
    return


@pytest.mark.usefixtures("ended")
def test_the_roll_ups_are_the_ledgers_sums_before_and_after_they_are_folded(desk: Desk) -> None:
    assert_as_the_ledger(desk)
    assert desk.transaction(spending.fold)
    assert desk.transaction(lambda session: session.scalar(select(func.count()).select_from(SpendDelta))) == 0
    assert_as_the_ledger(desk)
    end(desk, End.settled(enter(desk, call())[0], D("0.07")))
    assert_as_the_ledger(desk)
    desk.transaction(spending.fold)
    assert_as_the_ledger(desk)


@pytest.mark.usefixtures("ended")
def test_a_call_that_is_ended_twice_counts_once(desk: Desk) -> None:
    (entry,) = enter(desk, call())
    end(desk, End.settled(entry, D("0.05")), End.settled(entry, D("0.05")))
    end(desk, End.unknown(entry, "timeout", "No answer."))
    assert_as_the_ledger(desk)


def test_a_dead_workers_calls_and_forgotten_ones_count_at_their_worst_case(desk: Desk, batch: Any) -> None:
    enter(desk, call("0.30", batch_id=batch[0]), owner="dead")
    enter(desk, call("0.20"), now=NOW - timedelta(hours=2), owner="alive")
    desk.transaction(lambda session: records.recover(session, ["dead"], now=NOW))
    desk.transaction(lambda session: budget.settle_forgotten(session, now=NOW))
    used = desk.transaction(lambda session: spending.usage(session, since=LONG_AGO))
    assert (used.calls, used.unknown_calls, used.usd, used.unknown_usd) == (2, 2, D("0.5"), D("0.5"))
    assert_as_the_ledger(desk)


def test_what_is_rolled_back_is_in_neither(desk: Desk) -> None:
    (entry,) = enter(desk, call())
    with pytest.raises(ZeroDivisionError):
        desk.transaction(lambda session: (budget.end(session, [End.settled(entry, D("0.05"))], now=NOW), 1 / 0))
    assert desk.transaction(lambda session: spending.usage(session, since=LONG_AGO)).calls == 0
    assert_as_the_ledger(desk)


def test_free_calls_that_end_at_once_wait_for_nobody(desk: Desk, batch: Any) -> None:
    batch_id, ids = batch
    first = enter(desk, *(call("0", article_id=article, batch_id=batch_id) for article in ids))
    second = enter(desk, *(call("0", article_id=article, batch_id=batch_id) for article in ids))
    with desk.database.session() as one, desk.database.session() as other:
        budget.end(one, [End.settled(first[0], D(0))], now=NOW)
        budget.end(other, [End.settled(second[3], D(0))], now=NOW)
        budget.end(other, [End.settled(second[0], D(0))], now=NOW)
        budget.end(one, [End.settled(first[3], D(0))], now=NOW)
    assert_as_the_ledger(desk)


def test_ends_from_many_connections_while_another_folds_and_rebuilds(desk: Desk, batch: Any) -> None:
    batch_id, ids = batch
    entries = [enter(desk, *(call("0.001", article_id=article, batch_id=batch_id) for article in ids)) for _ in range(40)]
    stop = threading.Event()
    failures: list[BaseException] = []

    def keep(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    def fold_and_rebuild() -> None:
        while not stop.is_set():
            desk.transaction(spending.fold)
            desk.transaction(spending.rebuild)

    def settle(part: list[list[int]]) -> None:
        for group in part:
            end(desk, *(End.settled(entry, D("0.0005")) for entry in group))

    folding = threading.Thread(target=keep, args=(fold_and_rebuild,))
    settling = [threading.Thread(target=keep, args=(lambda part=entries[n::4]: settle(part),)) for n in range(4)]
    for thread in (folding, *settling):
        thread.start()
    for thread in settling:
        thread.join()
    stop.set()
    folding.join()
    assert failures == []
    assert desk.transaction(lambda session: spending.usage(session, since=LONG_AGO)).calls == 160
    assert_as_the_ledger(desk)


def test_two_do_not_fold_at_once(desk: Desk) -> None:
    end(desk, End.settled(enter(desk, call())[0], D("0.05")))
    with desk.database.session() as session:
        assert spending.fold(session)
        assert desk.transaction(spending.fold) is False
    assert_as_the_ledger(desk)


@pytest.mark.usefixtures("ended")
def test_a_rebuild_waits_for_a_fold_and_finds_what_was_there(desk: Desk) -> None:
    rebuilding = threading.Thread(target=lambda: desk.transaction(spending.rebuild))
    with desk.database.session() as session:
        assert spending.fold(session)
        rebuilding.start()
        wait_until_blocked(desk.database)
    rebuilding.join()
    assert_as_the_ledger(desk)


def test_what_was_spent_on_a_batch_and_a_publisher_stays_known_when_the_batch_is_deleted(desk: Desk, batch: Any) -> None:
    batch_id, ids = batch
    end(desk, End.settled(enter(desk, call(article_id=ids[0], batch_id=batch_id))[0], D("0.05")))
    with desk.database.session() as session:
        session.execute(BatchSession.__table__.delete())  # type: ignore[attr-defined]
    with desk.database.session() as session:
        assert [(group.name, group.usage.usd) for group in spending.by(session, Dimension.RUN, since=LONG_AGO)] == [
            (f"#{batch_id}", D("0.05"))
        ]


@pytest.mark.usefixtures("ended")
def test_reservations_by_every_dimension_and_names(desk: Desk, batch: Any) -> None:
    batch_id, _ = batch
    with desk.database.session() as session:
        held = spending.reserved(session)
        assert (held.calls, held.usd, held.since) == (1, D("0.25"), NOW)
        groups = {dimension: spending.by(session, dimension, since=LONG_AGO) for dimension in Dimension}
        for dimension in Dimension:
            ((key, usd),) = spending.reserved_by(session, dimension).items()
            assert usd == D("0.25")
            assert key in [group.key for group in groups[dimension]]
    assert {group.name for group in groups[Dimension.PUBLISHER]} == {"CoinDesk", "Hashyard", "none"}
    assert [group.name for group in groups[Dimension.RUN]] == [f"#{batch_id}", "none"]
    assert [group.name for group in groups[Dimension.MONTH]] == ["2026-11", "2026-10"]
    usd = [group.usage.usd for group in groups[Dimension.MODEL]]
    assert usd == sorted(usd, reverse=True)


@pytest.mark.usefixtures("ended")
def test_days_of_a_chart_add_up_with_the_rest_under_one_name(desk: Desk) -> None:
    with desk.database.session() as session:
        rows = spending.by_day(session, Dimension.MODEL, ["tavily"], since=LONG_AGO)
        assert {key for _, key, _, _ in rows} == {"tavily", None}
        assert sum(usd for _, _, usd, _ in rows) == spending.usage(session, since=LONG_AGO).usd
        days = spending.usage_by_day(session, since=NOW.date() - timedelta(days=1))
        assert [day for day, _ in days] == [date(2026, 11, 23), date(2026, 11, 24)]
        assert spending.first_day(session) == date(2026, 10, 25)
        assert spending.by_day(session, Dimension.DAY, [], since=NOW.date())[0][1] is None


# Estimates against actuals


def a_run(desk: Desk, article: int, estimated: str, actual: str, status: BatchStatus = BatchStatus.COMPLETED) -> int:
    with desk.database.session() as session:
        batch_id = launching.launch(session, Selection.of_ids([article]), desk.environment, by=local("ada"), now=NOW)
        estimate = {"usd": estimated, "articles": 1}
        session.execute(update(BatchSession).where(BatchSession.id == batch_id).values(estimate=estimate, status=status))
        session.execute(update(BatchRecord).where(BatchRecord.batch_id == batch_id).values(status=RecordStatus.COMPLETED))
    if D(actual):
        end(desk, End.settled(enter(desk, call(batch_id=batch_id))[0], D(actual)))
    return batch_id


def test_estimates_stand_against_what_runs_cost_in_the_end(desk: Desk, articles: Any) -> None:
    ids = articles(5)
    over, under = a_run(desk, ids[0], "0.04", "0.05"), a_run(desk, ids[1], "0.10", "0.05", BatchStatus.FAILED)
    a_run(desk, ids[2], "0", "0")
    a_run(desk, ids[3], "0.10", "0.01", BatchStatus.CANCELLED)
    a_run(desk, ids[4], "0.10", "0.01", BatchStatus.PROCESSING)
    found = desk.transaction(spending.comparisons)
    assert [(one.batch_id, one.estimated, one.actual, one.articles, one.completed) for one in found] == [
        (under, D("0.10"), D("0.05"), 1, 1),
        (over, D("0.04"), D("0.05"), 1, 1),
    ]
    assert [one.error for one in found] == pytest.approx([-0.5, 0.25])
    assert desk.transaction(lambda session: spending.completed_articles(session, since=LONG_AGO)) == 4


# An upgrade


def test_an_upgrade_rolls_up_what_the_ledger_holds(desk: Desk, server_url: str) -> None:
    name = "upgraded_spending"
    admin = make_engine(server_url)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = server_url.rsplit("/", 1)[0] + f"/{name}"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = make_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.exec_driver_sql("INSERT INTO publishers (name, name_key) VALUES ('CoinDesk', 'coindesk')")
        connection.exec_driver_sql(
            "INSERT INTO articles (publisher_id, title, body, language, published_at, import_hash, content_hash)"
            " VALUES (1, 't', 'b', 'en', now(), '1', '1')"
        )
        connection.execute(
            text(
                "INSERT INTO ledger_entries (status, kind, agent, provider, model, article_id, usd, input_tokens, day, created_at, settled_at)"
                " SELECT (ARRAY['SETTLED', 'UNKNOWN', 'RELEASED', 'RESERVED'])[1 + n % 4], 'model', 'a', 'google', 'm' || n % 3,"
                " CASE WHEN n % 2 = 0 THEN 1 END, n * 0.001, n, date '2026-10-30' + n % 5, timestamptz '2026-10-30 00:30Z' + n * interval '1 h',"
                " timestamptz '2026-10-30 00:31Z' + n * interval '1 h' FROM generate_series(1, 200) n"
            )
        )
    engine.dispose()
    database = Database.open(Settings(_env_file=None, database_url=url))
    upgraded = Desk(database, desk.environment)
    assert_as_the_ledger(upgraded)
    before = upgraded.transaction(lambda session: spending.usage(session, since=LONG_AGO))
    assert (before.calls, before.unknown_calls) == (150, 50)
    upgraded.transaction(spending.rebuild)
    assert_as_the_ledger(upgraded)
    database.close()
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    admin.dispose()
