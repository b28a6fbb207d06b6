"""What the Overview puts first: the strongest signals of a window, and the stories that several publishers share. Reads only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, false, func, or_, select, true
from sqlalchemy.orm import Session

from core.agents.outputs import SignalKind, Verdict
from core.article_filter import Readiness, day_after, day_start, is_analysed
from core.database import among
from core.models import Article, Decision, Publisher, Signal
from core.signal_filter import Reviewed, SignalFilter, SignalOrder, is_blind
from core.signals import SignalRow, signal_rows, strongest_of_each
from core.windows import Window

MOST_STORY_ARTICLES = 20_000
"""Of the articles that are part of a story, the newest so many of a window are looked at."""


@dataclass(frozen=True, slots=True)
class SharedStory:
    """A story that several publishers tell."""

    story_id: int
    articles: int
    publishers: int
    first_article_id: int
    first_publisher: str
    first_published_at: datetime
    title: str
    """Of the article that was published first."""
    span: timedelta
    """From the first article to the last."""
    is_analysed: bool
    """One of its articles is, with the current configuration."""
    is_sample: bool
    signals: int


def strongest(session: Session, chosen: SignalFilter, size: int) -> list[SignalRow]:
    """The strongest signals of a filter that are undecided or accepted: validated ones first, then by confidence.

    A contradicted one is none of them. A hidden verdict counts as no verdict. Each of the four lists that it is taken from has an
    index of its own order, so that it costs the same however many signals there are.
    """
    narrowed = [
        chosen.model_copy(update={"reviewed": reviewed, "verdicts": verdicts, "order": SignalOrder.STRONGEST})
        for reviewed in (Reviewed.OPEN, Reviewed.ACCEPTED)
        for verdicts in ((Verdict.VALIDATED,), ())
    ]
    ids = strongest_of_each(session, narrowed, 2 * size)
    return ranked(signal_rows(session, ids, blind_share=chosen.blind_share).values())[:size]


def strongest_among(session: Session, ids: Sequence[int], chosen: SignalFilter, size: int) -> list[SignalRow]:
    """As ``strongest``, of these signals, which are few enough to be looked at one by one."""
    standing = or_(Signal.decision.is_(None), Signal.decision == Decision.ACCEPTED)
    shown = and_(Signal.verdict == Verdict.VALIDATED, ~is_blind(chosen.blind_share))
    left_out = and_(Signal.verdict == Verdict.CONTRADICTED, ~is_blind(chosen.blind_share))
    first = select(Signal.id).where(among(Signal.id, ids), standing, func.coalesce(~left_out, true()))
    first = first.order_by(func.coalesce(shown, false()).desc(), Signal.confidence.desc(), Signal.id.desc()).limit(size)
    return ranked(signal_rows(session, session.scalars(first).all(), blind_share=chosen.blind_share).values())


def ranked(rows: Iterable[SignalRow]) -> list[SignalRow]:
    """Signals as ``strongest`` orders them; contradicted ones are left out."""
    standing = [row for row in rows if row.verdict is not Verdict.CONTRADICTED]
    return sorted(standing, key=lambda row: (row.verdict is not Verdict.VALIDATED, -row.confidence, -row.id))


def shared_stories(
    session: Session, window: Window, readiness: Readiness, *, size: int, without_samples: bool = False
) -> list[SharedStory]:
    """The stories that two publishers or more tell in these days: most publishers first, then most articles, then the newest.

    The window says which stories; size, publishers and span are those of the whole story.
    """
    members = (
        select(Article.story_id, Article.publisher_id, Article.published_at)
        .where(
            Article.story_id.is_not(None),
            Article.published_at >= day_start(window.first),
            Article.published_at < day_after(window.last),
            *([~Article.is_sample] if without_samples else []),
        )
        .order_by(Article.published_at.desc())
        .limit(MOST_STORY_ARTICLES)
        .subquery()
    )
    publishers = func.count(members.c.publisher_id.distinct())
    chosen = session.scalars(
        select(members.c.story_id)
        .group_by(members.c.story_id)
        .having(publishers > 1)
        .order_by(publishers.desc(), func.count().desc(), func.max(members.c.published_at).desc(), members.c.story_id)
        .limit(size)
    ).all()
    stories = {story.story_id: story for story in _stories(session, list(chosen), readiness)}
    return [stories[story_id] for story_id in chosen if story_id in stories]


def _stories(session: Session, story_ids: list[int], readiness: Readiness) -> list[SharedStory]:
    signals = select(func.count()).where(Signal.article_id == Article.id).correlate(Article).scalar_subquery()
    rows = session.execute(
        select(
            Article.story_id,
            Article.id,
            Article.title,
            Article.publisher_id,
            Publisher.name,
            Article.published_at,
            is_analysed(readiness).label("is_analysed"),
            Article.is_sample,
            signals.label("signals"),
        )
        .join(Publisher, Publisher.id == Article.publisher_id)
        .where(Article.story_id.in_(story_ids))
        .order_by(Article.story_id, Article.published_at, Article.id)
    ).all()
    members: dict[int, list[Any]] = {}
    for row in rows:
        members.setdefault(row.story_id, []).append(row)
    return [
        SharedStory(
            story_id=story_id,
            articles=len(of),
            publishers=len({one.publisher_id for one in of}),
            first_article_id=of[0].id,
            first_publisher=of[0].name,
            first_published_at=of[0].published_at,
            title=of[0].title,
            span=of[-1].published_at - of[0].published_at,
            is_analysed=any(one.is_analysed for one in of),
            is_sample=of[0].is_sample,
            signals=sum(one.signals for one in of),
        )
        for story_id, of in members.items()
    ]


def sample_signals_by_day(session: Session, *, since: date) -> list[tuple[date, SignalKind, int]]:
    """What of ``reports.signals_by_day`` comes from sample articles: to be taken off where they are not wanted."""
    day = func.date(func.timezone("UTC", Article.published_at))
    rows = session.execute(
        select(day, Signal.kind, func.count())
        .join(Article, Article.id == Signal.article_id)
        .where(Article.is_sample, Article.published_at >= day_start(since))
        .group_by(day, Signal.kind)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def publisher_names(session: Session, ids: list[int]) -> dict[int, str]:
    """The names of these publishers, by id."""
    return dict(session.execute(select(Publisher.id, Publisher.name).where(Publisher.id.in_(ids))).all())
