"""Imports started on screen: they run to their end, can be stopped, and say what went wrong."""

import io
import json
import threading
from typing import Any

import pytest

from console.import_jobs import ImportJob, ImportJobs
from core.articles import counts
from core.clock import utc_now
from core.configuration import Desk
from core.database import Database
from core.errors import NotPossible
from core.settings import Settings
from tests.actors import ANN


class Upload(io.BytesIO):
    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.name = name
        self.size = len(content)


class Slow(Upload):
    """A file that gives its first part only, until it is told to go on."""

    def __init__(self, name: str, content: bytes, go_on: threading.Event) -> None:
        super().__init__(name, content)
        self.go_on = go_on

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 0:
            assert self.go_on.wait(30)
        return super().read(size)


def lines(number: int, first: int = 0) -> bytes:
    rows = [
        {
            "title": f"Report {one}",
            "body": f"Miner {one} sold {one} coins. " * 30,
            "url": f"https://example.org/{one}",
            "publisher": "Desk Wire",
            "published_on": "2026-11-01T10:00:00Z",
        }
        for one in range(first, first + number)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def jobs(database: Database) -> ImportJobs:
    return ImportJobs(Desk(database, Settings(_env_file=None)))


def ended(job: ImportJob) -> ImportJob:
    deadline = threading.Event()
    for _ in range(600):
        if not job.is_running:
            return job
        deadline.wait(0.05)
    raise AssertionError("the import does not end")


def test_files_are_imported_one_after_the_other_and_a_second_time_change_nothing(jobs: ImportJobs, database: Database) -> None:
    files: list[Any] = [Upload("a.jsonl", lines(3)), Upload("b.jsonl", lines(2, first=3) + b'{"title": "no body"}\n')]
    job = ended(jobs.of_files(files, by=ANN))
    assert (job.report.new, len(job.report.rejected), job.rows, job.problem) == (5, 1, 6, None)
    again = ended(jobs.of_files(files, by=ANN))
    assert (again.report.new, again.report.unchanged) == (0, 5)
    with database.session() as session:
        assert counts(session)[0] == 5


def test_one_import_at_a_time_and_a_stopped_one_keeps_what_it_did(jobs: ImportJobs, database: Database) -> None:
    go_on = threading.Event()
    job = jobs.of_files([Slow("slow.jsonl", lines(20_000), go_on)], by=ANN)
    with pytest.raises(NotPossible, match=r"slow\.jsonl is being imported"):
        jobs.of_feed("https://example.org/feed.xml", by=ANN)
    job.stop()
    assert job.is_stopping
    go_on.set()
    ended(job)
    assert job.problem is not None
    assert job.problem.startswith("Stopped.")
    assert job.report.new < 20_000
    with database.session() as session:
        assert counts(session)[0] == job.report.new


def test_what_is_no_source_says_why(jobs: ImportJobs) -> None:
    job = ended(jobs.of_files([Upload("a.pdf.gz", b"%PDF-1.7 nothing")], by=ANN))
    assert job.problem is not None
    assert "is a PDF" in job.problem
    with pytest.raises(NotPossible, match="COINDESK_API_KEY"):
        jobs.of_coindesk(by=ANN)


def test_time_left_is_said_only_when_it_is_honest() -> None:
    now = utc_now()
    job = ImportJob("a", now, ANN)
    assert job.seconds_left(now) is None  # of a document all is read before its first row
    assert ImportJob("a", now, ANN, _share=lambda: 0.5).seconds_left(now) is None  # it has only begun
