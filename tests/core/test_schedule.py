"""The schedule: due at its times, done once however many look, made up for once after a sleep; asked for, switched, and ended."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from core import audit, feeds, launching, nightly, schedule
from core.access import Actor, Permission, Role
from core.article_filter import ArticleFilter
from core.configuration import Desk
from core.errors import ImportRefused, NotAllowed, NotPossible
from core.estimate import Estimate
from core.models import BatchStatus, RecordStatus
from core.nightly import Nightly
from core.paging import Place
from core.schedule import LONG, Job, JobRow, Taken, following
from core.scheduler import Scheduler
from core.selection import Selection
from tests.actors import ANN, NOBODY

NOON = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def begun(desk: Desk) -> Desk:
    """A desk whose schedule has begun at ``NOON``."""
    desk.transaction(lambda session: schedule.ensure_jobs(session, NOON))
    return desk


def job(desk: Desk, name: Job) -> JobRow:
    return next(row for row in desk.transaction(schedule.jobs) if row.name is name)


def take(desk: Desk, now: datetime, *names: Job, owner: str = "w1") -> Taken | None:
    return desk.transaction(lambda session: schedule.take(session, names, owner=owner, now=now))


def end(desk: Desk, name: Job, now: datetime, *, owner: str = "w1", failed: bool = False, result: str = "Done.") -> None:
    desk.transaction(lambda session: schedule.end(session, name, result, failed=failed, owner=owner, now=now))


@pytest.mark.parametrize(
    ("now", "every", "after", "expected"),
    [
        (NOON, timedelta(hours=4), timedelta(0), NOON.replace(hour=16, second=0)),
        (NOON.replace(hour=16, second=0), timedelta(hours=4), timedelta(0), NOON.replace(hour=20, second=0)),
        (NOON.replace(hour=23), timedelta(hours=4), timedelta(0), datetime(2026, 11, 25, tzinfo=UTC)),
        (NOON, timedelta(days=1), timedelta(hours=2), datetime(2026, 11, 25, 2, tzinfo=UTC)),
        (NOON.replace(hour=1), timedelta(days=1), timedelta(hours=2), NOON.replace(hour=2, second=0)),
        (NOON, timedelta(seconds=10), timedelta(0), NOON.replace(second=40)),
    ],
)
def test_times_are_counted_from_midnight(now: datetime, every: timedelta, after: timedelta, expected: datetime) -> None:
    assert following(now, every, after) == expected


def test_every_job_is_there_with_its_next_time_and_only_the_nightly_run_is_off(begun: Desk) -> None:
    rows = begun.transaction(schedule.jobs)
    assert [row.name for row in rows] == list(Job)
    assert [row.name for row in rows if not row.enabled] == [Job.NIGHTLY]
    assert job(begun, Job.FETCH).next_at == NOON.replace(hour=16, second=0)
    begun.transaction(lambda session: schedule.ensure_jobs(session, NOON + 9 * HOUR))
    assert begun.transaction(schedule.jobs) == rows  # a second process finds them made


def test_a_job_is_taken_when_it_is_due_and_not_before(begun: Desk) -> None:
    assert take(begun, NOON + HOUR, Job.FETCH) is None
    taken = take(begun, NOON + 4 * HOUR, Job.FETCH)
    assert taken is not None
    assert taken.due == NOON.replace(hour=16, second=0)
    assert take(begun, NOON + 4 * HOUR, Job.FETCH, owner="w2") is None  # it lies in other hands
    end(begun, Job.FETCH, NOON + 4 * HOUR + timedelta(seconds=5), result="3 new.")
    row = job(begun, Job.FETCH)
    assert (row.result, row.failed, row.running_owner) == ("3 new.", False, None)
    assert row.next_at == NOON.replace(hour=20, second=0)


def test_times_that_were_missed_are_made_up_for_once(begun: Desk) -> None:
    awake = NOON + timedelta(days=3)
    assert take(begun, awake, Job.FETCH) is not None
    end(begun, Job.FETCH, awake)
    assert take(begun, awake, Job.FETCH) is None
    assert job(begun, Job.FETCH).next_at == awake.replace(hour=16, second=0)


def test_many_that_look_at_once_take_it_once(begun: Desk) -> None:
    together = Barrier(8)

    def look(number: int) -> Taken | None:
        together.wait()
        return take(begun, NOON + 4 * HOUR, Job.FETCH, owner=f"w{number}")

    with ThreadPoolExecutor(8) as pool:
        taken = [one for one in pool.map(look, range(8)) if one is not None]
    assert len(taken) == 1


def test_many_that_look_at_once_do_a_quick_job_once(begun: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setitem(schedule._QUICKLY, Job.ROLLUPS, lambda *_: (done.append(1), "Folded.")[1])
    schedulers = [Scheduler(begun, f"w{number}", long_too=False) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: one.look(NOON + timedelta(minutes=1)), schedulers))
    assert done == [1]
    assert job(begun, Job.ROLLUPS).result == "Folded."


def test_one_whose_process_died_runs_again_at_its_next_time_and_its_late_end_counts_no_more(begun: Desk) -> None:
    first, later = NOON + 4 * HOUR, NOON + 8 * HOUR
    assert take(begun, first, Job.FETCH, owner="dead") is not None
    begun.transaction(lambda session: schedule.renew(session, Job.FETCH, owner="dead", now=first + timedelta(minutes=1)))
    assert job(begun, Job.FETCH).is_running(first + timedelta(minutes=2, seconds=30))
    assert not job(begun, Job.FETCH).is_running(later)
    assert take(begun, later, Job.FETCH, owner="w2") is not None
    end(begun, Job.FETCH, later, owner="dead", result="too late")
    assert job(begun, Job.FETCH).running_owner == "w2"


def test_a_nightly_run_whose_process_died_is_launched_by_another_for_the_same_night(begun: Desk, articles: Any) -> None:
    articles(2)
    begun.transaction(lambda session: schedule.switch(session, Job.NIGHTLY, True, by=ANN, now=NOON))
    night = datetime(2026, 11, 25, 2, tzinfo=UTC)
    first = take(begun, night, *LONG, owner="dead")
    while first is not None and first.name is not Job.NIGHTLY:  # fetching is due by then, too
        end(begun, first.name, night, owner="dead")
        first = take(begun, night, *LONG, owner="dead")
    assert first is not None
    assert run_night(begun, Nightly(filter=ArticleFilter()), first.due).startswith("Run #1")  # then it is killed
    assert take(begun, night + timedelta(minutes=1), Job.NIGHTLY, owner="w2") is None
    again = take(begun, night + timedelta(minutes=3), Job.NIGHTLY, owner="w2")
    assert again is not None
    assert again.due == first.due == night
    assert run_night(begun, Nightly(filter=ArticleFilter()), again.due) == "Run #1 was launched for this night already."
    end(begun, Job.NIGHTLY, night + timedelta(minutes=3), owner="dead", result="too late")
    end(begun, Job.NIGHTLY, night + timedelta(minutes=4), owner="w2")
    assert job(begun, Job.NIGHTLY).next_at == night + timedelta(days=1)
    assert take(begun, night + 9 * HOUR, Job.NIGHTLY, owner="w2") is None


def test_a_quick_job_that_fails_is_undone_and_says_so(begun: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: Any, *_: object) -> str:
        session.execute(text("INSERT INTO workers (owner, host, pid) VALUES ('x', 'x', 1)"))
        raise ZeroDivisionError

    monkeypatch.setitem(schedule._QUICKLY, Job.LEASES, fail)
    Scheduler(begun, "w1", long_too=False).look(NOON + timedelta(minutes=10))
    row = job(begun, Job.LEASES)
    assert row.failed
    assert "the log says how" in (row.result or "")
    assert row.next_at > NOON + timedelta(minutes=10)
    assert begun.transaction(lambda session: session.scalar(text("SELECT count(*) FROM workers"))) == 0
    assert job(begun, Job.ROLLUPS).failed is False  # the others were done


def test_run_now_does_it_at_the_next_look_also_when_it_is_off_and_leaves_its_times(begun: Desk) -> None:
    before = job(begun, Job.NIGHTLY).next_at
    begun.transaction(lambda session: schedule.run_now(session, Job.NIGHTLY, by=ANN, now=NOON))
    begun.transaction(lambda session: schedule.run_now(session, Job.NIGHTLY, by=ANN, now=NOON))
    assert take(begun, NOON, *LONG) is not None
    end(begun, Job.NIGHTLY, NOON)
    assert take(begun, NOON, *LONG) is None
    assert job(begun, Job.NIGHTLY).next_at == before


def test_what_is_switched_off_is_not_due_and_what_is_switched_on_does_not_make_up(begun: Desk) -> None:
    begun.transaction(lambda session: schedule.switch(session, Job.FETCH, False, by=ANN, now=NOON))
    assert take(begun, NOON + 30 * HOUR, *LONG) is None
    begun.transaction(lambda session: schedule.switch(session, Job.FETCH, True, by=ANN, now=NOON + 30 * HOUR))
    assert take(begun, NOON + 30 * HOUR, *LONG) is None
    assert take(begun, NOON + 34 * HOUR, *LONG) is not None


def test_what_keeps_the_desk_right_stays_on(begun: Desk) -> None:
    with pytest.raises(NotPossible, match="stays on"):
        begun.transaction(lambda session: schedule.switch(session, Job.LEASES, False, by=ANN, now=NOON))


@pytest.mark.parametrize("actor", [NOBODY, Actor("an analyst", Role.ANALYST.permissions)])
def test_the_schedule_is_changed_by_those_who_may_change_settings(begun: Desk, actor: Actor) -> None:
    for change in (
        lambda session: schedule.run_now(session, Job.FETCH, by=actor, now=NOON),
        lambda session: schedule.switch(session, Job.FETCH, False, by=actor, now=NOON),
        lambda session: schedule.save_options(session, Job.NIGHTLY, {}, by=actor, now=NOON),
        lambda session: nightly.save_nightly(session, Nightly(), by=actor, now=NOON),
        lambda session: feeds.add_feed(session, "https://a.example/rss", by=actor),
        lambda session: feeds.switch_feed(session, 1, False, by=actor),
        lambda session: feeds.remove_feed(session, 1, by=actor),
    ):
        with pytest.raises(NotAllowed):
            begun.transaction(change)


def test_changes_are_in_the_audit_log(begun: Desk) -> None:
    begun.transaction(lambda session: schedule.switch(session, Job.FETCH, False, by=ANN, now=NOON))
    begun.transaction(lambda session: feeds.add_feed(session, "https://a.example/rss", by=ANN))
    page = begun.transaction(lambda session: audit.page(session, audit.AuditFilter(), Place(), size=10))
    assert [(entry.action, entry.subject_id) for entry in page.rows] == [
        ("feed.change", "https://a.example/rss"),
        ("schedule.change", "fetch"),
    ]


# --- housekeeping ----------------------------------------------------------------------------------------------------


def test_housekeeping_takes_back_leases_and_turns_the_budgets(begun: Desk, articles: Any) -> None:
    articles(2)
    begun.transaction(lambda session: launching.launch(session, Selection.of_filter(ArticleFilter()), begun.environment, by=ANN, now=NOON))
    begun.transaction(
        lambda session: session.execute(
            text("UPDATE batch_records SET status = 'PROCESSING', lease_owner = 'gone', lease_expires_at = :at"), {"at": NOON}
        )
    )
    midnight = datetime(2026, 11, 25, 0, 0, 1, tzinfo=UTC)
    scheduler = Scheduler(begun, "w1", long_too=False)
    scheduler.look(midnight, without=frozenset({Job.LEASES}))
    assert job(begun, Job.LEASES).ended_at is None
    scheduler.look(midnight)
    assert job(begun, Job.LEASES).result == "2 queued again."
    assert job(begun, Job.RESERVATIONS).result == "None was stale."
    with begun.database.session() as session:
        assert set(session.scalars(text("SELECT key FROM budgets"))) >= {"2026-11-25", "2026-11"}


# --- the nightly run -------------------------------------------------------------------------------------------------


def figures(articles: int, usd: str) -> Estimate:
    return Estimate(articles, 0, 0, 0, Decimal(usd), Decimal(usd), 0.0, 0)


@pytest.mark.parametrize(
    ("articles", "usd", "limit", "expected"),
    [(10, "0", "0", 10), (10, "1.00", "1.00", 10), (10, "1.00", "0.55", 5), (10, "1.00", "0.05", 0), (3, "1.00", "0.99", 2)],
)
def test_as_many_are_taken_as_the_limit_likely_pays_for(articles: int, usd: str, limit: str, expected: int) -> None:
    assert nightly.affordable(figures(articles, usd), Decimal(limit)) == expected


def run_night(desk: Desk, options: Nightly, due: datetime = NOON) -> str:
    return desk.transaction(lambda session: nightly.launch_nightly(session, options, desk.environment, due=due, now=due))


def test_the_nightly_run_launches_what_matches_once_a_night_as_the_schedule(begun: Desk, articles: Any) -> None:
    articles(5, publisher="Hashyard")
    options = Nightly(filter=ArticleFilter(), most=3)
    assert run_night(begun, options) == "Run #1: 3 articles."
    assert run_night(begun, options) == "Run #1 was launched for this night already."
    with begun.database.session() as session:
        batches = session.execute(text("SELECT id, launched_by, status FROM batch_sessions")).all()
        waiting = session.scalar(text("SELECT count(*) FROM batch_records WHERE status = 'PENDING'"))
        limit = session.scalar(text("SELECT limit_usd FROM budgets WHERE scope = 'batch'"))
    assert batches == [(1, "the schedule", BatchStatus.INITIATED.value)]
    assert (waiting, limit) == (3, Decimal(1))
    assert run_night(begun, options, NOON + timedelta(days=1)) == "Run #2: 2 articles."
    assert run_night(begun, options, NOON + timedelta(days=2)).startswith("Nothing to analyse")


def test_the_nightly_run_takes_no_more_than_its_limit_pays_for(database: Any, make_settings: Any, articles: Any) -> None:
    desk = Desk(database, make_settings(gemini_api_key="k", research_provider="archive"))
    articles(5)
    with pytest.raises(NotPossible, match="a night may cost"):
        run_night(desk, Nightly(filter=ArticleFilter(), limit_usd=Decimal("0.000001")))
    planned = desk.transaction(lambda session: launching.plan(session, Selection.of_filter(ArticleFilter()), desk.environment))
    words = run_night(desk, Nightly(filter=ArticleFilter(), limit_usd=(planned.estimate.usd / 2).quantize(Decimal("0.000001"))))
    assert words.startswith("Run #1: 2 articles. 3 more would cost more than")
    with desk.database.session() as session:
        statuses = session.scalars(text("SELECT status FROM batch_records")).all()
    assert statuses == [RecordStatus.PENDING.value] * 2


def test_what_was_saved_and_no_longer_fits_falls_back_to_the_defaults() -> None:
    assert nightly.nightly_of({"hour": 99}) == Nightly()
    assert nightly.nightly_of(Nightly(hour=5).model_dump(mode="json")).hour == 5


def test_the_hour_moves_the_next_time(begun: Desk) -> None:
    begun.transaction(lambda session: nightly.save_nightly(session, Nightly(hour=18), by=ANN, now=NOON))
    begun.transaction(lambda session: schedule.switch(session, Job.NIGHTLY, True, by=ANN, now=NOON))
    assert job(begun, Job.NIGHTLY).next_at == NOON.replace(hour=18, second=0)


# --- feeds -----------------------------------------------------------------------------------------------------------


def test_feeds_are_added_switched_and_removed(begun: Desk) -> None:
    for _ in range(2):
        begun.transaction(lambda session: feeds.add_feed(session, " https://a.example/rss ", by=ANN))
    (feed,) = begun.transaction(feeds.feeds)
    assert (feed.address, feed.enabled, feed.added_by, feed.fetched_at) == ("https://a.example/rss", True, "ann", None)
    begun.transaction(lambda session: feeds.switch_feed(session, feed.id, False, by=ANN))
    assert not begun.transaction(feeds.feeds)[0].enabled
    assert begun.transaction(lambda session: feeds.remove_feed(session, feed.id, by=ANN)) == "https://a.example/rss"
    assert begun.transaction(lambda session: feeds.remove_feed(session, feed.id, by=ANN)) is None
    with pytest.raises(ImportRefused, match="Only http and https"):
        begun.transaction(lambda session: feeds.add_feed(session, "ftp://a.example", by=ANN))


@pytest.mark.parametrize(
    ("last", "hours"),
    [(None, 5), (NOON - HOUR, 5), (NOON - 4 * HOUR, 5), (NOON - 30 * HOUR, 31), (NOON - timedelta(days=90), 168)],
)
def test_coindesk_is_asked_for_what_came_since(last: datetime | None, hours: int) -> None:
    assert feeds.hours_since(last, NOON) == hours


def test_without_any_source_fetching_says_so(begun: Desk) -> None:
    assert feeds.fetch_all(begun, by=nightly.THE_SCHEDULE, now=NOON, last=None).startswith("Nothing to fetch")


RSS = """<rss version="2.0"><channel><title>Mill</title><item><title>{title}</title><link>https://mill.example/{n}</link>
<pubDate>Tue, 24 Nov 2026 10:00:00 GMT</pubDate><description>{body}</description></item></channel></rss>"""


@pytest.fixture
def feed_server() -> Any:
    """``feed_server(path, body)`` serves a feed on loopback and returns its address."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path)
            self.send_response(200 if body else 404)
            self.send_header("content-type", "application/rss+xml")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()

    def serve(path: str, body: str) -> str:
        pages[path] = body.encode()
        return f"http://127.0.0.1:{server.server_port}{path}"

    yield serve
    server.shutdown()
    server.server_close()


def test_every_source_is_fetched_and_one_that_fails_stops_no_other(
    database: Any, make_settings: Any, feed_server: Callable[[str, str], str]
) -> None:
    desk = Desk(database, make_settings(allow_private_feeds=True))
    body = "Miners moved coins on Tuesday, the desk learned. " * 60
    good = feed_server("/b", RSS.format(title="Miners move", n=1, body=body))
    bad = good.replace("/b", "/a")
    for address in (bad, good):
        desk.transaction(lambda session, address=address: feeds.add_feed(session, address, by=ANN))
    scheduler = Scheduler(desk, "w1", long_too=True)
    scheduler.look(NOON)
    desk.transaction(lambda session: schedule.run_now(session, Job.FETCH, by=ANN, now=NOON))
    scheduler.look(NOON)
    assert scheduler._thread is not None
    scheduler._thread.join(60)
    row = job(desk, Job.FETCH)
    assert row.failed
    assert (row.result or "").startswith("1 new and 0 updated articles from 2 sources. 1 failed: ")
    first, second = desk.transaction(feeds.feeds)
    assert (first.address, first.failed) == (bad, True)
    assert "404" in (first.result or "")
    assert (second.failed, second.result) == (False, "1 new")
    with desk.database.session() as session:
        assert session.scalars(text("SELECT title FROM articles")).all() == ["Miners move"]


def test_what_the_schedule_does_it_may_do() -> None:
    assert nightly.THE_SCHEDULE.permissions >= {Permission.RUN, Permission.ARTICLES}
    assert not nightly.THE_SCHEDULE.may(Permission.ACCESS)
