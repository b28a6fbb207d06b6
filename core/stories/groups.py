"""Groups of articles in the database: who belongs together, and what a story is made of.

A story is a connected component: an article joins all that it is one story with, directly or through others. So the groups
are a matter of the texts alone, whatever came first. Size and first publisher are read from the members, never stored: a
deletion, by whatever way, leaves nothing wrong behind, and a group of which one is left is no group.

Grouping happens under the import's lock; reading from any thread.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, any_, cast, func, select, text, update
from sqlalchemy.orm import Session, aliased

from core.configuration import Desk
from core.database import IMPORT_LOCK, among
from core.models import Article, Publisher
from core.stories.likeness import MAX_CHARS, Text, are_one_story, probes, story_keys, worth_reading

CHUNK = 200
PROBED_AT_ONCE = 10
"""Articles whose likes are looked up by one query: a thousand keys."""
BY_INDEX = text("SELECT set_config('enable_seqscan', :seqscan, true)")
"""For this transaction. The planner does not know that two arrays are compared each with each where no index is used."""


@dataclass(frozen=True, slots=True)
class Member:
    """An article of a story."""

    id: int
    publisher: str
    title: str
    url: str | None
    published_at: datetime


def members(session: Session, article_id: int) -> list[Member]:
    """The articles of this article's story, itself included, the first published first; none if it is alone."""
    own = select(Article.story_id).where(Article.id == article_id).scalar_subquery()
    rows = session.execute(
        select(Article.id, Publisher.name, Article.title, Article.url, Article.published_at)
        .join(Publisher, Publisher.id == Article.publisher_id)
        .where(Article.story_id == own)
        .order_by(Article.published_at, Article.id)
    )
    found = [Member(*row) for row in rows]
    return found if len(found) > 1 else []


def stories_among(session: Session, ids: Sequence[int]) -> int:
    """How many stories, told by more than one article, have one of these articles in them."""
    member, other = aliased(Article), aliased(Article)
    more = select(other.id).where(other.story_id == member.story_id, other.id != member.id).exists()
    statement = select(func.count(member.story_id.distinct())).where(member.id == any_(cast(list(ids), ARRAY(BigInteger))), more)
    return session.scalar(statement) or 0


def group(session: Session, ids: Iterable[int]) -> None:
    """Put articles that are new, or whose text or date changed, into their stories; the rest of what they leave is put right.

    Call with the import's lock held. ``story_keys`` is set for what had none.
    """
    changed = set(ids)
    if not changed:
        return
    left = select(Article.story_id).where(among(Article.id, sorted(changed)), Article.story_id.is_not(None))
    moving = changed | set(session.scalars(select(Article.id).where(Article.story_id.in_(left))))
    pairs = _pairs(session, _sketches(session, moving))
    labels = _story_ids(session, {article_id for pair in pairs for article_id in pair} - moving)
    settled: dict[int, list[int]] = defaultdict(list)
    for article_id, label in labels.items():
        if label is not None:
            settled[label].append(article_id)
    for label, known in settled.items():
        whole = session.scalars(select(Article.id).where(Article.story_id == label)).all()
        pairs += [(known[0], article_id) for article_id in {*whole, *known} if article_id != known[0]]
    story = {article_id: part[0] for part in components(pairs) for article_id in part}
    before = _story_ids(session, moving | story.keys())
    for label in {story.get(article_id) for article_id in before}:
        movers = [article_id for article_id, old in sorted(before.items()) if story.get(article_id) == label and old != label]
        if movers:
            session.execute(update(Article).where(among(Article.id, movers)).values(story_id=label))


def group_ungrouped(desk: Desk, *, leave: Callable[[], bool] = lambda: False) -> int:
    """Group the articles that were never compared: those from before there were stories, or that another program inserted.

    Works in chunks of one transaction each, until all are done or ``leave`` says so; returns how many it compared.

    Raises:
        DatabaseUnavailable: the database is away; the chunks before it are kept.
    """
    done = 0
    while not leave():
        with desk.database.session() as session:
            lock(session)
            ids = session.scalars(select(Article.id).where(Article.story_keys.is_(None)).order_by(Article.id).limit(CHUNK)).all()
            group(session, ids)
        if not ids:
            break
        done += len(ids)
    return done


def lock(session: Session) -> None:
    """Wait until no other transaction imports or groups; held to the end of this one."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": IMPORT_LOCK})


def components(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Who is connected by pairs, directly or through others; each part sorted."""
    part_of: dict[int, list[int]] = {}
    for one, other in pairs:
        smaller, larger = sorted((part_of.setdefault(one, [one]), part_of.setdefault(other, [other])), key=len)
        if smaller is not larger:
            larger.extend(smaller)
            part_of.update(dict.fromkeys(smaller, larger))
    return [sorted(part) for part in {id(part): part for part in part_of.values()}.values()]


@dataclass(frozen=True, slots=True)
class _Sketch:
    """What of an article is enough to find its likes."""

    published_at: datetime
    keys: list[int]


def _sketches(session: Session, ids: Iterable[int]) -> dict[int, _Sketch]:
    """Those of articles that exist; worked out and kept for those that have none yet."""
    found = session.execute(select(Article.id, Article.published_at, Article.story_keys).where(among(Article.id, sorted(ids)))).all()
    texts = _texts(session, [row.id for row in found if row.story_keys is None])
    new = {article_id: story_keys(text.title, text.body, text.published_at) for article_id, text in texts.items()}
    if new:
        session.execute(update(Article), [{"id": article_id, "story_keys": keys} for article_id, keys in new.items()])
    return {row.id: _Sketch(row.published_at, new[row.id] if row.story_keys is None else row.story_keys) for row in found}


def _texts(session: Session, ids: Iterable[int]) -> dict[int, Text]:
    rows = session.execute(
        select(
            Article.id, Article.publisher_id, Article.published_at, Article.title, func.left(Article.body, MAX_CHARS).label("body")
        ).where(among(Article.id, sorted(ids)))
    )
    return {row.id: Text(row.publisher_id, row.published_at, row.title, row.body) for row in rows}


def _pairs(session: Session, sketches: dict[int, _Sketch]) -> list[tuple[int, int]]:
    """Who of these articles is one story with whom, among themselves and with all others."""
    likely = _likely(session, sketches)
    texts = _texts(session, {article_id for pair in likely for article_id in pair})
    return [(one, other) for one, other in likely if one in texts and other in texts and are_one_story(texts[one], texts[other])]


def _likely(session: Session, sketches: dict[int, _Sketch]) -> set[tuple[int, int]]:
    """Pairs that share enough marks to be read, the smaller id first."""
    likely: set[tuple[int, int]] = set()
    ids = list(sketches)
    session.execute(BY_INDEX, {"seqscan": "off"})
    for start in range(0, len(ids), PROBED_AT_ONCE):
        who: dict[int, list[tuple[int, bool]]] = defaultdict(list)
        for article_id in ids[start : start + PROBED_AT_ONCE]:
            for key, is_title in probes(sketches[article_id].keys, sketches[article_id].published_at).items():
                who[key].append((article_id, is_title))
        meeting = Article.story_keys.op("&&")(cast(list(who), ARRAY(BigInteger)))
        for other_id, other_keys in session.execute(select(Article.id, Article.story_keys).where(meeting)):
            keys = other_keys or []
            met: dict[int, list[bool]] = defaultdict(list)
            for key in keys:
                for article_id, is_title in who.get(key, ()):
                    met[article_id].append(is_title)
            for article_id, shared in met.items():
                fewer = min(len(keys), len(sketches[article_id].keys))
                if article_id != other_id and worth_reading(len(shared), any(shared), fewer):
                    likely.add((min(article_id, other_id), max(article_id, other_id)))
    session.execute(BY_INDEX, {"seqscan": "on"})
    return likely


def _story_ids(session: Session, ids: Iterable[int]) -> dict[int, int | None]:
    return dict(session.execute(select(Article.id, Article.story_id).where(among(Article.id, sorted(ids)))).all())
