"""The sources that the desk fetches by itself: feeds that were entered on System, and the CoinDesk Data API where there is a key.

One source that fails stops no other; what became of each is kept with it. Called from any thread; each import is chunks of one
transaction each, so what came before a failure is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.audit import Action
from core.configuration import Desk
from core.errors import DatabaseUnavailable, DeskError, ImportRefused, NotFound, NotPossible
from core.importers.fetching import fetch_coindesk, fetch_feed, require_web_address
from core.importers.formats import read_articles
from core.importers.import_articles import ImportReport, import_articles
from core.importers.parsed_article import shown_address
from core.models import Feed

MOST = 200
LEAST_HOURS = 5
"""What CoinDesk is asked for at least: an hour more than lies between two fetches, for articles that come late."""
MOST_HOURS = 24 * 7
"""And at most, after the desk was off for long."""


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A feed and how its last fetch went."""

    id: int
    address: str
    enabled: bool
    added_by: str
    fetched_at: datetime | None
    failed: bool | None
    result: str | None


def feeds(session: Session) -> list[FeedRow]:
    """All of them, by address."""
    columns = [getattr(Feed, name) for name in FeedRow.__dataclass_fields__]
    return [FeedRow(*row) for row in session.execute(select(*columns).order_by(Feed.address))]


def add_feed(session: Session, address: str, *, by: Actor) -> None:
    """Have a feed fetched from now on. Adding one that is there switches it on.

    Raises:
        ImportRefused: that is no http(s) address.
        NotPossible: there are ``MOST`` already.
    """
    by.require(Permission.SETTINGS)
    address = address.strip()
    require_web_address(address)
    if len(address) > 2_000:
        raise ImportRefused("That address is longer than 2,000 characters.")
    if len(feeds(session)) >= MOST:
        raise NotPossible(f"{MOST} feeds are fetched already. Remove one first.")
    added = insert(Feed).values(address=address, added_by=by.name)
    session.execute(added.on_conflict_do_update(index_elements=["address"], set_={"enabled": True}))
    audit.record(session, by, Action.FEED, ("feed", shown_address(address)), after={"enabled": True})


def switch_feed(session: Session, feed_id: int, enabled: bool, *, by: Actor) -> None:
    """Fetch a feed, or leave it out.

    Raises:
        NotFound: it is gone.
    """
    by.require(Permission.SETTINGS)
    switched = update(Feed).where(Feed.id == feed_id).values(enabled=enabled).returning(Feed.address)
    address = session.scalar(switched)
    if address is None:
        raise NotFound("The feed does not exist any more.")
    audit.record(session, by, Action.FEED, ("feed", shown_address(address)), after={"enabled": enabled})


def remove_feed(session: Session, feed_id: int, *, by: Actor) -> str | None:
    """Take a feed off the list; its articles stay. Returns its address, to add it again by; None where it is gone already."""
    by.require(Permission.SETTINGS)
    address = session.scalar(delete(Feed).where(Feed.id == feed_id).returning(Feed.address))
    if address is not None:
        audit.record(session, by, Action.FEED, ("feed", shown_address(address)), after=None)
    return address


def fetch_all(desk: Desk, *, by: Actor, now: datetime, last: datetime | None, leave: Callable[[], bool] = lambda: False) -> str:
    """Import what is new in every source that is on; returns what came, in words.

    ``last`` is when that was done last, for how far back CoinDesk is asked. ``leave`` ends it after the source in hand.

    Raises:
        ImportRefused: a source failed, with what came of the others.
        DatabaseUnavailable: the database is away.
    """
    by.require(Permission.ARTICLES)
    report, troubles, fetched = ImportReport(), [], 0
    for feed in desk.transaction(feeds):
        if not feed.enabled or leave():
            continue
        fetched += 1
        before = report.new
        try:
            import_feed(desk, feed.address, by=by, now=now, report=report)
        except DatabaseUnavailable:
            raise
        except DeskError as error:
            troubles.append(str(error))
            _keep(desk, feed.id, now, str(error), failed=True)
        else:
            _keep(desk, feed.id, now, f"{report.new - before:,} new", failed=False)
    if (key := desk.environment.coindesk_api_key) is not None and not leave():
        fetched += 1
        try:
            hours = hours_since(last, now)
            for page in fetch_coindesk(key.get_secret_value(), hours, base_url=desk.environment.coindesk_base_url, now=now):
                import_articles(desk, "CoinDesk", read_articles("CoinDesk", page, now=now), by=by, report=report)
        except ImportRefused as error:
            troubles.append(str(error))
    if not fetched:
        return "Nothing to fetch: there is no feed, and COINDESK_API_KEY is not set."
    words = f"{report.new:,} new and {report.updated:,} updated articles from {fetched:,} {'source' if fetched == 1 else 'sources'}."
    if troubles:
        raise ImportRefused(f"{words} {len(troubles):,} failed: {' '.join(troubles)}")
    return words


def import_feed(desk: Desk, address: str, *, by: Actor, now: datetime, report: ImportReport) -> None:
    """Import what an address has.

    Raises:
        ImportRefused: it cannot be fetched or read.
        DatabaseUnavailable: the database is away.
    """
    by.require(Permission.ARTICLES)
    feed = fetch_feed(address, allow_private=desk.environment.allow_private_feeds)
    import_articles(desk, address, read_articles(address, feed.content, charset=feed.charset, now=now), by=by, report=report)


def hours_since(last: datetime | None, now: datetime) -> int:
    """How many hours back to ask: since ``last`` and one more, within bounds."""
    passed = LEAST_HOURS if last is None else ceil((now - last) / timedelta(hours=1)) + 1
    return min(max(passed, LEAST_HOURS), MOST_HOURS)


def _keep(desk: Desk, feed_id: int, now: datetime, result: str, *, failed: bool) -> None:
    kept = update(Feed).where(Feed.id == feed_id).values(fetched_at=now, failed=failed, result=result[:1_000])
    desk.transaction(lambda session: session.execute(kept))
