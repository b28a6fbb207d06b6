"""A chunk on its way in a worker: its own records first, and then, with room to spare, those that no worker has claimed yet."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from core import chunks, launching
from core.article_filter import ArticleFilter
from core.chunk_runs import ChunkRunner
from core.clock import utc_now
from core.configuration import Desk
from core.selection import Selection
from core.supervisor import Shared
from tests.actors import ANN
from tests.conftest import NOW


@pytest.fixture
def runner(desk: Desk) -> Iterator[ChunkRunner]:
    running = ChunkRunner(desk, Shared(owner="w1"))
    running.start()
    yield running
    running.stop()


def launched(desk: Desk, articles: Any, number: int) -> tuple[int, list[int]]:
    """A batch with the offline rules, sent as a whole; its id and its records' in their order."""
    articles(number)
    with desk.database.session() as session:
        batch_id = launching.launch(session, Selection.of_filter(ArticleFilter()), desk.environment, by=ANN, now=NOW)
        sent = chunks.cover(session, batch_id, desk.environment, now=utc_now(), lost_before=NOW)
    assert len(sent) == number
    return batch_id, sent


def states(desk: Desk) -> dict[int, tuple[str, bool]]:
    """Each record's state, and whether a task is believed to cover it."""
    with desk.database.session() as session:
        rows = session.execute(text("SELECT id, status, sent_at IS NOT NULL FROM batch_records"))
        return {id_: (status, sent) for id_, status, sent in rows}


def test_a_chunk_with_room_helps_from_the_end_with_as_many_as_it_has_itself(desk: Desk, articles: Any, runner: ChunkRunner) -> None:
    batch_id, ids = launched(desk, articles, 7)
    runner.run(batch_id, ids[:2])
    now = states(desk)
    assert [now[id_][0] for id_ in ids] == ["COMPLETED", "COMPLETED", "PENDING", "PENDING", "PENDING", "COMPLETED", "COMPLETED"]
    assert [now[id_][1] for id_ in ids[2:5]] == [True] * 3  # their tasks are still to come
    runner.run(batch_id, ids[5:])  # the task of those that were helped with
    assert [state for state, _ in states(desk).values()].count("COMPLETED") == 6
    runner.run(batch_id, ids[2:5])
    assert {state for state, _ in states(desk).values()} == {"COMPLETED"}


def test_chunks_side_by_side_end_a_batch_and_do_each_record_once(desk: Desk, articles: Any, runner: ChunkRunner) -> None:
    batch_id, ids = launched(desk, articles, 40)
    tasks = [threading.Thread(target=runner.run, args=(batch_id, chunk)) for chunk in chunks.chunked(ids, 8)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    with desk.database.session() as session:
        done = session.execute(text("SELECT status, sum(attempts), count(*) FROM batch_records GROUP BY status")).all()
        assert [tuple(row) for row in done] == [("COMPLETED", 40, 40)]
        assert session.scalar(text("SELECT status FROM batch_sessions")) == "COMPLETED"
        assert session.scalar(text("SELECT count(*) FROM analyses")) == 40


def test_what_a_chunk_helped_with_and_gave_back_is_covered_by_no_task(
    desk: Desk, articles: Any, runner: ChunkRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.batch_run import BatchRun

    batch_id, ids = launched(desk, articles, 4)

    given_back: set[int] = set()

    async def give_back(self: BatchRun, claim: Any, *_: Any) -> None:
        given_back.add(claim.record_id)
        await self._give_back(claim)

    monkeypatch.setattr(BatchRun, "_run_and_end", give_back)
    runner.run(batch_id, ids[:2])
    assert given_back > set(ids[:2])  # it helped; with one record twice, if that was given back before it looked for another
    now = states(desk)
    assert {state for state, _ in now.values()} == {"PENDING"}
    assert {id_ for id_ in ids if not now[id_][1]} == given_back
