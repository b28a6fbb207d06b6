"""The catalogue: publishers and categories page by page, each with what there is of it. Reads only; counts are bounded or roll-ups'."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, func, select, true, tuple_
from sqlalchemy.orm import Session

from core.articles import publisher_key
from core.database import among
from core.errors import NotFound
from core.models import ArticleCategory, Category, Publisher, PublisherDay, SignalCategory
from core.paging import Count, Key, Page, Place, walk

CATEGORY_BOUND = 1_000
"""Articles of a category are counted up to here."""


@dataclass(frozen=True, slots=True)
class PublisherLine:
    """A publisher with its articles, the signals found in them and those accepted of these."""

    id: int
    name: str
    is_priority: bool
    articles: int
    signals: int
    accepted: int


@dataclass(frozen=True, slots=True)
class CategoryLine:
    """A category that sources give their articles."""

    id: int
    name: str
    articles: Count


def publisher_ids(session: Session, names: Sequence[str]) -> tuple[int, ...]:
    """The publishers of these names.

    Raises:
        NotFound: there is none of one of them.
    """
    keys = {name: publisher_key(name) for name in names}
    known = dict(session.execute(select(Publisher.name_key, Publisher.id).where(Publisher.name_key.in_(set(keys.values())))).all())
    if unknown := [name for name, key in keys.items() if key not in known]:
        raise NotFound(f"There is no publisher called {', '.join(unknown)}.")
    return tuple(dict.fromkeys(known[key] for key in keys.values()))


def publishers_at(session: Session, place: Place, size: int, *, find: str = "") -> Page[PublisherLine]:
    """The page at ``place`` of the publishers with ``find`` in their name: priority publishers first, then by name."""
    found = walk([partial(_named, session, Publisher, find, Publisher.is_priority.is_(first)) for first in (True, False)], place, size)
    sums = (func.sum(PublisherDay.articles), func.sum(PublisherDay.signals), func.sum(PublisherDay.accepted))
    counted = (
        select(PublisherDay.publisher_id, *sums).where(among(PublisherDay.publisher_id, found.rows)).group_by(PublisherDay.publisher_id)
    )
    figures = {row[0]: tuple(row[1:]) for row in session.execute(counted)}
    rows = session.execute(select(Publisher.id, Publisher.name, Publisher.is_priority).where(among(Publisher.id, found.rows)))
    lines = {row.id: PublisherLine(*row, *figures.get(row.id, (0, 0, 0))) for row in rows}
    return Page([lines[id_] for id_ in found.rows], found.previous, found.next, found.position)


def most_articles(session: Session, size: int) -> list[PublisherLine]:
    """The publishers with most articles, most first."""
    articles, signals, accepted = (func.sum(getattr(PublisherDay, name)) for name in ("articles", "signals", "accepted"))
    counted = (
        select(PublisherDay.publisher_id.label("id"), articles.label("articles"), signals.label("signals"), accepted.label("accepted"))
        .group_by(PublisherDay.publisher_id)
        .having(articles > 0)
        .order_by(articles.desc(), PublisherDay.publisher_id)
        .limit(size)
        .subquery()
    )
    own = select(Publisher.id, Publisher.name, Publisher.is_priority, counted.c.articles, counted.c.signals, counted.c.accepted)
    rows = session.execute(own.join(counted, counted.c.id == Publisher.id).order_by(counted.c.articles.desc(), Publisher.id))
    return [PublisherLine(*row) for row in rows]


def categories_at(session: Session, place: Place, size: int, *, find: str = "") -> Page[CategoryLine]:
    """The page at ``place`` of the articles' categories with ``find`` in their name, by name."""
    found = walk([partial(_named, session, Category, find, true())], place, size)
    some = select(Category.id, Category.name).where(among(Category.id, found.rows)).subquery()
    held = select(ArticleCategory.article_id).where(ArticleCategory.category_id == some.c.id).limit(CATEGORY_BOUND + 1).lateral()
    counted = select(some.c.id, some.c.name, func.count(held.c.article_id)).outerjoin(held, true()).group_by(some.c.id, some.c.name)
    lines = {
        id_: CategoryLine(id_, name, Count(min(number, CATEGORY_BOUND), number <= CATEGORY_BOUND))
        for id_, name, number in session.execute(counted)
    }
    return Page([lines[id_] for id_ in found.rows], found.previous, found.next, found.position)


def signal_categories(session: Session, size: int = 100) -> list[tuple[str, int]]:
    """The categories of signals, as corrected or else as found, with their number, most first."""
    number = func.sum(SignalCategory.signals)
    statement = select(SignalCategory.category, number).group_by(SignalCategory.category).having(number > 0)
    return [(name, found) for name, found in session.execute(statement.order_by(number.desc(), SignalCategory.category).limit(size))]


def _named(
    session: Session, table: Any, find: str, condition: ColumnElement[bool], key: Key | None, back: bool, limit: int
) -> list[tuple[Key, int]]:
    """The next rows of a table with a name. The key is the id alone: the name that it stands for is looked up."""
    order = (func.lower(table.name), table.id)
    statement = select(table.id).where(condition)
    if find.strip():
        statement = statement.where(func.strpos(func.lower(table.name), find.strip().lower()) > 0)
    if key is not None:
        at = session.execute(select(*order).where(table.id == int(key[0]))).first()
        if at is None:
            return []
        statement = statement.where(tuple_(*order) < tuple_(*at) if back else tuple_(*order) > tuple_(*at))
    ids = session.scalars(statement.order_by(*(column.desc() if back else column.asc() for column in order)).limit(limit))
    return [((id_,), id_) for id_ in ids]
