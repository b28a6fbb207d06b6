"""Imports started on screen: each runs in a thread of this process, whether the page that started it is open or not.

One at a time, as the database takes them anyway. A job is read by pages while its thread writes it: only plain counters and
references change. An import that was stopped, or whose process ended, keeps what it did, and importing again goes on from there.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from core.access import Actor, Permission
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DeskError, NotPossible
from core.importers.fetching import fetch_coindesk, fetch_feed
from core.importers.formats import read_articles
from core.importers.import_articles import ImportReport, import_articles
from core.importers.parsed_article import ParsedArticle, RejectedRow

logger = logging.getLogger(__name__)

Row = ParsedArticle | RejectedRow
FETCH_HOURS = 24
ENDING_SECONDS = 10.0


class UploadedFile(Protocol):
    """What Streamlit's uploader gives."""

    name: str
    size: int

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


@dataclass
class ImportJob:
    """One import on its way, or as it ended."""

    source: str
    started: datetime
    by: Actor
    """Who started it: it acts as them, with what they may do."""
    report: ImportReport = field(default_factory=ImportReport)
    rows: int = 0
    ended: datetime | None = None
    problem: str | None = None
    """Why it ended before its source did."""
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _share: Callable[[], float | None] = field(default=lambda: None, repr=False)

    @property
    def is_running(self) -> bool:
        return self.ended is None

    @property
    def is_stopping(self) -> bool:
        return self.is_running and self._stop.is_set()

    @property
    def share(self) -> float | None:
        """How much of the source is read, 0..1; None where that says nothing of how much is left."""
        return self._share()

    def stop(self) -> None:
        """End after the rows that are under way."""
        self._stop.set()

    def seconds_left(self, now: datetime) -> float | None:
        """Seconds until the end at the pace so far; None until that is honest."""
        elapsed, share = (now - self.started).total_seconds(), self.share
        if share is None or share < 0.02 or elapsed < 2:
            return None
        return elapsed / share * (1 - share)


class ImportJobs:
    """The imports of this process; ``newest`` is the one that runs, or that ran last."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.newest: ImportJob | None = None

    def of_files(self, files: list[UploadedFile], *, by: Actor) -> ImportJob:
        """Import files one after the other.

        Raises:
            NotPossible: an import runs already.
        """
        names = ", ".join(file.name for file in files)
        return self._start(ImportJob(names, utc_now(), by, _share=lambda: _share_read(files)), lambda job: self._files(job, files))

    def of_feed(self, address: str, *, by: Actor) -> ImportJob:
        """Import a feed from its http(s) address.

        Raises:
            NotPossible: an import runs already.
        """
        return self._start(ImportJob(address, utc_now(), by), lambda job: self._feed(job, address))

    def of_coindesk(self, hours: int = FETCH_HOURS, *, by: Actor) -> ImportJob:
        """Import the last hours' news from the CoinDesk Data API.

        Raises:
            NotPossible: an import runs already, or there is no key.
        """
        key = self._desk.environment.coindesk_api_key
        if key is None:
            raise NotPossible("Fetching needs a key. Set COINDESK_API_KEY and start again.")
        secret = key.get_secret_value()
        return self._start(ImportJob(f"CoinDesk, {hours} hours", utc_now(), by), lambda job: self._coindesk(job, secret, hours))

    def _start(self, job: ImportJob, work: Callable[[ImportJob], None]) -> ImportJob:
        job.by.require(Permission.ARTICLES)
        with self._lock:
            if self.newest is not None and self.newest.is_running:
                raise NotPossible(f"{self.newest.source} is being imported. Stop it, or wait for its end.")
            self.newest = job
        self._thread = threading.Thread(target=self._run, args=(job, work), name="import", daemon=True)
        self._thread.start()
        return job

    def end(self) -> None:
        """Stop what runs, and wait for the rows that are under way."""
        if self.newest is not None and self._thread is not None:
            self.newest.stop()
            self._thread.join(ENDING_SECONDS)

    def _run(self, job: ImportJob, work: Callable[[ImportJob], None]) -> None:
        try:
            work(job)
        except DeskError as error:
            job.problem = str(error)
        except Exception:
            logger.exception("the import of %s failed", job.source)
            job.problem = "The import failed; the log says how. What was imported before is kept."
        finally:
            job.ended = utc_now()

    def _files(self, job: ImportJob, files: list[UploadedFile]) -> None:
        for file in files:
            file.seek(0)  # it may be the second time
            stream: BinaryIO = file  # type: ignore[assignment]
            self._rows(job, file.name, read_articles(file.name, stream, now=utc_now()))

    def _feed(self, job: ImportJob, address: str) -> None:
        feed = fetch_feed(address, allow_private=self._desk.environment.allow_private_feeds)
        self._rows(job, address, read_articles(address, feed.content, charset=feed.charset, now=utc_now()))

    def _coindesk(self, job: ImportJob, key: str, hours: int) -> None:
        for page in fetch_coindesk(key, hours, base_url=self._desk.environment.coindesk_base_url, now=utc_now()):
            self._rows(job, "CoinDesk", read_articles("CoinDesk", page, now=utc_now()))

    def _rows(self, job: ImportJob, name: str, rows: Iterable[Row]) -> None:
        def count(done: int) -> None:
            job.rows += done

        import_articles(self._desk, name, _until(job, rows), by=job.by, report=job.report, on_progress=count)
        if job.is_stopping:
            raise NotPossible("Stopped. What was imported is kept; importing it again goes on from there.")


def _until(job: ImportJob, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        if job.is_stopping:
            return
        yield row


def _share_read(files: list[UploadedFile]) -> float | None:
    """By bytes; of a source that is parsed as a whole, such as JSON, all is read before the first row comes: that says nothing."""
    size, read = sum(file.size for file in files), sum(_place(file) for file in files)
    return read / size if size and 0 < read < size else None


def _place(file: Any) -> int:
    return int(file.tell()) if not file.closed else int(file.size)
