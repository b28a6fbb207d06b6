"""Articles and their publishers: reading one, the lists that filters offer, priority, deletion."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, true, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.database import among
from core.errors import NotFound
from core.models import Article, ArticleCategory, ArticleCell, Category, ListedArticle, Publisher, PublisherDay

PRIORITY_PUBLISHERS = frozenset({"newsbtc", "coindesk", "cryptopotato"})
"""Name keys of the publishers that come first until an analyst changes it."""


@dataclass(frozen=True, slots=True)
class ArticleText:
    """One article as the reader and the agents see it."""

    id: int
    title: str
    subtitle: str | None
    authors: str | None
    publisher: str
    url: str | None
    published_at: datetime
    language: str
    body: str
    content_hash: str
    is_active: bool
    is_sample: bool
    provider_sentiment: str | None
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublisherRow:
    id: int
    name: str
    is_priority: bool
    articles: int


def publisher_key(name: str) -> str:
    """The letters and digits of a publisher's name in lower case; names that differ otherwise are one publisher."""
    return re.sub(r"[\W_]+", "", name.casefold())[:300] or name.casefold()[:300]


def ensure_publishers(session: Session, names: set[str]) -> dict[str, int]:
    """Ids of the publishers called ``names``, by name key; those not yet known are added."""
    by_key = {publisher_key(name): name[:300] for name in sorted(names, reverse=True)}
    known = dict(session.execute(select(Publisher.name_key, Publisher.id).where(Publisher.name_key.in_(by_key))).all())
    if missing := [
        {"name": name, "name_key": key, "is_priority": key in PRIORITY_PUBLISHERS} for key, name in by_key.items() if key not in known
    ]:
        session.execute(insert(Publisher).values(missing).on_conflict_do_nothing(index_elements=["name_key"]))
        known = dict(session.execute(select(Publisher.name_key, Publisher.id).where(Publisher.name_key.in_(by_key))).all())
    return known


def publishers(session: Session) -> list[PublisherRow]:
    """All publishers with their number of articles, priority first."""
    counted = (
        select(PublisherDay.publisher_id, func.sum(PublisherDay.articles).label("articles")).group_by(PublisherDay.publisher_id).subquery()
    )
    rows = session.execute(
        select(Publisher.id, Publisher.name, Publisher.is_priority, func.coalesce(counted.c.articles, 0))
        .outerjoin(counted, counted.c.publisher_id == Publisher.id)
        .order_by(Publisher.is_priority.desc(), func.lower(Publisher.name))
    )
    return [PublisherRow(*row) for row in rows]


def publisher_names(session: Session) -> dict[int, str]:
    """The names of all publishers by id, in the order of ``publishers``; without the numbers, which take longer."""
    ordered = select(Publisher.id, Publisher.name).order_by(Publisher.is_priority.desc(), func.lower(Publisher.name))
    return dict(session.execute(ordered).all())


@dataclass(frozen=True, slots=True)
class PublisherLine:
    """A publisher as the System page lists it; ``articles`` is counted up to ``PUBLISHER_BOUND``, and one more says that there are more."""

    id: int
    name: str
    is_priority: bool
    articles: int
    newest: datetime | None


PUBLISHER_BOUND = 1_000


def publisher_lines(session: Session, find: str, *, size: int) -> tuple[list[PublisherLine], int]:
    """Publishers whose name has the text ``find``, priority first, ``size`` at most; and how many there are in all."""
    matches = func.strpos(func.lower(Publisher.name), find.strip().lower()) > 0 if find.strip() else true()
    some = (
        select(Publisher.id, Publisher.name, Publisher.is_priority)
        .where(matches)
        .order_by(Publisher.is_priority.desc(), func.lower(Publisher.name), Publisher.id)
        .limit(size)
        .subquery()
    )
    newest = (
        select(Article.published_at)
        .where(Article.publisher_id == some.c.id)
        .order_by(Article.published_at.desc())
        .limit(PUBLISHER_BOUND + 1)
        .lateral()
    )
    rows = session.execute(
        select(some.c.id, some.c.name, some.c.is_priority, func.count(newest.c.published_at), func.max(newest.c.published_at))
        .outerjoin(newest, true())
        .group_by(some.c.id, some.c.name, some.c.is_priority)
        .order_by(some.c.is_priority.desc(), func.lower(some.c.name), some.c.id)
    )
    total = session.scalar(select(func.count()).select_from(Publisher).where(matches)) or 0
    return [PublisherLine(*row) for row in rows], total


def set_priorities(session: Session, wanted: Mapping[int, bool], *, by: Actor) -> None:
    """Put publishers among those that come first, or take them out, all or none. Raises NotFound as ``set_priority``."""
    by.require(Permission.SETTINGS)
    for publisher_id, is_priority in wanted.items():
        set_priority(session, publisher_id, is_priority, by=by)


def set_priority(session: Session, publisher_id: int, is_priority: bool, *, by: Actor) -> None:
    """Put a publisher among those that come first, or take it out.

    Raises:
        NotFound: there is no such publisher.
    """
    by.require(Permission.SETTINGS)
    held = select(Publisher.name, Publisher.is_priority).where(Publisher.id == publisher_id)
    found = session.execute(held.with_for_update()).first()
    if found is None:
        raise NotFound(f"There is no publisher {publisher_id}.")
    if found.is_priority is not is_priority:
        session.execute(update(Publisher).where(Publisher.id == publisher_id).values(is_priority=is_priority))
        stood, stands = {"name": found.name, "priority": found.is_priority}, {"priority": is_priority}
        audit.record(session, by, audit.Action.PRIORITY, ("publisher", publisher_id), before=stood, after=stands)


def get_article(session: Session, article_id: int) -> ArticleText:
    """One article with its whole text.

    Raises:
        NotFound: it was deleted, or never existed.
    """
    found = get_articles(session, [article_id])
    if article_id not in found:
        raise NotFound(f"Article {article_id} does not exist; it may have been deleted.")
    return found[article_id]


def get_articles(session: Session, ids: Sequence[int]) -> dict[int, ArticleText]:
    """Articles with their whole texts, by id; those that exist."""
    categories = (
        select(func.array_agg(aggregate_order_by(Category.name, Category.name)))
        .join(ArticleCategory, ArticleCategory.category_id == Category.id)
        .where(ArticleCategory.article_id == Article.id)
        .correlate(Article)
        .scalar_subquery()
    )
    found = session.execute(
        select(
            Article.id,
            Article.title,
            Article.subtitle,
            Article.authors,
            Publisher.name.label("publisher"),
            Article.url,
            Article.published_at,
            Article.language,
            Article.body,
            Article.content_hash,
            Article.is_active,
            Article.is_sample,
            Article.provider_sentiment,
            categories.label("categories"),
        )
        .join(Publisher, Publisher.id == Article.publisher_id)
        .where(among(Article.id, ids))
    )
    return {row["id"]: ArticleText(**(dict(row) | {"categories": tuple(row["categories"] or ())})) for row in found.mappings()}


def set_active(session: Session, ids: Sequence[int], active: bool, *, by: Actor) -> list[int]:
    """Archive articles, or take them into work again; returns the ids of those that this changed, which is what undoes it.

    An archived article is analysed no more and is no source of research; what was found in it stays. Importing it again does not
    restore it.
    """
    by.require(Permission.ARTICLES)
    archived_at = None if active else func.now()
    changed = update(Article).where(among(Article.id, ids), Article.is_active.is_not(active))
    changed = changed.values(is_active=active, archived_at=archived_at)
    found = sorted(session.scalars(changed.returning(Article.id)))
    if found:
        action = audit.Action.RESTORE if active else audit.Action.ARCHIVE
        audit.record(session, by, action, _named(found), after=audit.several(found))
    return found


def delete_articles(session: Session, ids: Sequence[int], *, by: Actor) -> int:
    """Delete articles with what was found in them; records that queued them keep their title. Returns how many there were."""
    by.require(Permission.ARTICLES)
    gone = session.execute(delete(Article).where(among(Article.id, ids)).returning(Article.id, Article.title)).all()
    if gone:
        found = sorted(row.id for row in gone)
        titles = [row.title[:200] for row in sorted(gone)[: audit.NAMED_AT_MOST]]
        audit.record(session, by, audit.Action.DELETE, _named(found), before=audit.several(found) | {"titles": titles})
    return len(gone)


def _named(ids: Sequence[int]) -> tuple[str, object]:
    """What an entry of the audit log is about: the article, or how many."""
    return ("article", ids[0]) if len(ids) == 1 else ("articles", len(ids))


def counts(session: Session) -> tuple[int, int]:
    """How many articles there are, and how many of them are samples."""
    of_samples = select(ArticleCell.id).where(ArticleCell.is_sample)
    samples = select(func.count()).where(ListedArticle.cell_id.in_(of_samples)).scalar_subquery()
    total, sampled = session.execute(select(func.coalesce(func.sum(PublisherDay.articles), 0), samples)).one()
    return total, sampled
