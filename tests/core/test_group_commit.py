"""Group commit: what comes together is committed together, in order, and one that fails fails alone."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import configuration
from core.configuration import Desk
from core.database import Database
from core.errors import DatabaseUnavailable
from core.group_commit import MOST, GroupCommit

Groups = list[tuple[str, list[int]]]


@pytest.fixture
def notes(desk: Desk) -> Iterator[Desk]:
    """A desk with a table to write numbers into; a number twice is refused by the database."""
    with desk.database.session() as session:
        session.execute(text("CREATE TABLE notes (number integer PRIMARY KEY, transaction bigint DEFAULT txid_current())"))
    yield desk
    with desk.database.session() as session:
        session.execute(text("DROP TABLE notes"))


def written(desk: Desk) -> list[tuple[int, int]]:
    """Numbers with the transactions that wrote them."""
    with desk.database.session() as session:
        return [(row[0], row[1]) for row in session.execute(text("SELECT number, transaction FROM notes ORDER BY number"))]


class Writer:
    """Work that writes its numbers, and remembers in which groups they came."""

    def __init__(self) -> None:
        self.groups: Groups = []
        self.hold = threading.Event()
        self.hold.set()

    def write(self, session: Session, numbers: Sequence[int]) -> list[int]:
        self.hold.wait(30)
        self.groups.append(("write", list(numbers)))
        for number in numbers:
            session.execute(text("INSERT INTO notes (number) VALUES (:number)"), {"number": number})
        return [10 * number for number in numbers]

    def read(self, _session: Session, numbers: Sequence[int]) -> list[str]:
        self.groups.append(("read", list(numbers)))
        return [f"read {number}" for number in numbers]


def with_commits(desk: Desk, work: Callable[[GroupCommit], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        return await work(GroupCommit(desk))

    return asyncio.run(run())


def test_what_waits_while_a_transaction_is_under_way_is_committed_together(notes: Desk) -> None:
    writer = Writer()

    async def work(commits: GroupCommit) -> list[Any]:
        writer.hold.clear()
        first = asyncio.create_task(commits.run(writer.write, 1))
        await asyncio.sleep(0.05)  # its transaction is under way
        others = [asyncio.create_task(commits.run(writer.write, number)) for number in (2, 3)]
        others.append(asyncio.create_task(commits.run(writer.read, 4)))
        others.append(asyncio.create_task(commits.run(writer.write, 5)))
        await asyncio.sleep(0)
        writer.hold.set()
        return await asyncio.gather(first, *others)

    assert with_commits(notes, work) == [10, 20, 30, "read 4", 50]
    assert writer.groups == [("write", [1]), ("write", [2, 3, 5]), ("read", [4])]
    (_, alone), *together = written(notes)
    assert [number for number, _ in together] == [2, 3, 5]
    assert {transaction for _, transaction in together} != {alone}
    assert len({transaction for _, transaction in together}) == 1


def test_what_is_to_be_first_goes_before_what_was_asked_earlier(notes: Desk) -> None:
    writer = Writer()

    async def work(commits: GroupCommit) -> None:
        await asyncio.gather(commits.run(writer.read, 1), commits.run(writer.write, 2, first=True))

    with_commits(notes, work)
    assert writer.groups == [("write", [2]), ("read", [1])]


def test_of_a_group_that_fails_only_the_one_with_the_fault_fails(notes: Desk) -> None:
    writer = Writer()

    async def work(commits: GroupCommit) -> list[Any]:
        await commits.run(writer.write, 7)
        return await asyncio.gather(*(commits.run(writer.write, number) for number in (6, 7, 8)), return_exceptions=True)

    before, fault, after = with_commits(notes, work)
    assert (before, after) == (60, 80)
    assert "duplicate key" in str(fault)
    assert [number for number, _ in written(notes)] == [6, 7, 8]


def test_the_work_of_a_caller_that_was_cancelled_before_its_turn_is_left_out(notes: Desk) -> None:
    writer = Writer()

    async def work(commits: GroupCommit) -> None:
        writer.hold.clear()
        first = asyncio.create_task(commits.run(writer.write, 1))
        await asyncio.sleep(0.05)
        second, third = (asyncio.create_task(commits.run(writer.write, number)) for number in (2, 3))
        await asyncio.sleep(0)
        second.cancel()
        writer.hold.set()
        await asyncio.gather(first, third)

    with_commits(notes, work)
    assert [number for number, _ in written(notes)] == [1, 3]


def test_more_than_fits_into_one_transaction_goes_into_several_in_order(notes: Desk) -> None:
    writer = Writer()

    async def work(commits: GroupCommit) -> list[int]:
        return await asyncio.gather(*(commits.run(writer.write, number) for number in range(2 * MOST + 3)))

    assert with_commits(notes, work) == [10 * number for number in range(2 * MOST + 3)]
    assert [len(numbers) for _, numbers in writer.groups] == [MOST, MOST, 3]


def test_a_database_that_stays_away_is_told_to_all_that_waited_and_the_next_is_tried_anew(
    notes: Desk, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(configuration, "PATIENCE_SECONDS", 0.0)
    writer = Writer()
    away = True

    def work_while_away(session: Session, numbers: Sequence[int]) -> list[int]:
        if away:
            raise DatabaseUnavailable("It is away.")
        return writer.write(session, numbers)

    async def work(commits: GroupCommit) -> list[Any]:
        nonlocal away
        refused = await asyncio.gather(*(commits.run(work_while_away, number) for number in (1, 2)), return_exceptions=True)
        away = False
        return [*refused, await commits.run(work_while_away, 3)]

    *refused, last = with_commits(notes, work)
    assert [type(error) for error in refused] == [DatabaseUnavailable, DatabaseUnavailable]
    assert last == 30
    assert [number for number, _ in written(notes)] == [3]
