"""The import stage's database half: parsed articles in, rows out; each source row is counted as new, updated, unchanged or rejected.

Works in chunks, each one transaction under a lock that lasts as long as it, so two imports at once cannot make two rows of one
article. A row that the database refuses is rejected alone. Call from any thread.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TextIO

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.articles import ensure_publishers, publisher_key
from core.audit import Action
from core.configuration import Desk
from core.errors import ImportRefused
from core.importers.parsed_article import ParsedArticle, RejectedRow, reasons, shown_address
from core.models import Article, ArticleCategory, ArticleKey, Category
from core.offline.analysis import promise
from core.spreadsheets import harmless
from core.stories import groups
from core.stories.likeness import story_keys

CHUNK = 200
SHORTENED = 0.5
"""An update never puts a body in place of one more than twice as long: it is a feed's summary of what is here in full."""


@dataclass
class ImportReport:
    """What became of every row."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)
    stories: int = 0
    """Stories told by more than one article that a new or updated article is in."""
    changed: set[int] = field(default_factory=set, repr=False)
    """Ids of the new and updated articles."""

    @property
    def counts(self) -> dict[str, int]:
        return {"new": self.new, "updated": self.updated, "unchanged": self.unchanged, "rejected": len(self.rejected)}

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def reasons(self) -> dict[str, int]:
        """How many rows were rejected for each reason, most frequent first."""
        return reasons(self.rejected)


def import_articles(
    desk: Desk,
    source: str,
    rows: Iterable[ParsedArticle | RejectedRow],
    *,
    by: Actor,
    report: ImportReport | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Import rows, chunk by chunk; ``on_progress`` is told after each chunk how many rows are done.

    Raises:
        DatabaseUnavailable: the database is away; the chunks before it are kept, and importing again continues.
        ImportRefused: the source turns out to be unreadable.
    """
    by.require(Permission.ARTICLES)
    report = report or ImportReport()
    groups.group_ungrouped(desk)
    before = report.counts
    desk.transaction(lambda session: audit.record(session, by, Action.BEGIN_IMPORT, _named(source)))
    numbered = enumerate(rows, start=1)
    try:
        while chunk := list(islice(numbered, CHUNK)):
            report.rejected += [row for _, row in chunk if isinstance(row, RejectedRow)]
            articles = [(number, row) for number, row in chunk if isinstance(row, ParsedArticle)]
            if articles:
                _import_chunk(desk, source, articles, report)
            on_progress(len(chunk))
    except ImportRefused:
        _end(desk, source, report, before, by)
        raise
    _end(desk, source, report, before, by)
    return report


def _end(desk: Desk, source: str, report: ImportReport, before: Mapping[str, int], by: Actor) -> None:
    """Count the stories, and say in the audit log what came of the source.

    Chunks are transactions of their own, and too many for an entry each: an import that has a beginning and no end was cut short.
    """
    since = {name: number - before[name] for name, number in report.counts.items()}

    def end(session: Session) -> int:
        audit.record(session, by, Action.END_IMPORT, _named(source), after=since)
        return groups.stories_among(session, sorted(report.changed))

    report.stories = desk.transaction(end)


def _named(source: str) -> tuple[str, str]:
    return "source", shown_address(source) if source.startswith(("http://", "https://")) else source


def write_report(rejected: Sequence[RejectedRow], folder: Path, now: datetime) -> Path | None:
    """Write the rejected rows to a CSV file in ``folder``; None when there are none."""
    if not rejected:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"import-{now:%Y%m%d-%H%M%S-%f}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        write_rejected(rejected, file)
    return path


def write_rejected(rejected: Sequence[RejectedRow], file: TextIO) -> None:
    """Write the rejected rows as CSV; what a spreadsheet would run as a formula is made harmless."""
    writer = csv.DictWriter(file, [column.name for column in fields(RejectedRow)])
    writer.writeheader()
    writer.writerows(
        {name: harmless(value) if isinstance(value, str) else value for name, value in asdict(row).items()} for row in rejected
    )


def content_hash(title: str, body: str) -> str:
    """SHA-256 (hex) of the text that is analysed: when it changes, the article is ready to be analysed again."""
    return hashlib.sha256(f"{title}\0{body}".encode()).hexdigest()


def _import_chunk(desk: Desk, source: str, articles: list[tuple[int, ParsedArticle]], report: ImportReport) -> None:
    try:
        with desk.database.session() as session:
            new, updated = _Chunk(session).put([article for _, article in articles])
    except (DataError, IntegrityError) as error:
        if len(articles) == 1:
            number, article = articles[0]
            reason = f"refused by the database: {str(error.orig).splitlines()[0]}"
            report.rejected.append(RejectedRow(source, number, reason, article.title[:200]))
            return
        for one in articles:
            _import_chunk(desk, source, [one], report)
        return
    report.new += len(new)
    report.updated += len(updated)
    report.unchanged += len(articles) - len(new) - len(updated)
    report.changed.update(new, updated)


class _Chunk:
    """One transaction's worth of articles."""

    def __init__(self, session: Session) -> None:
        self.session = session
        groups.lock(session)

    def put(self, articles: list[ParsedArticle]) -> tuple[list[int], list[int]]:
        """Insert what is new, update what changed, and group both into stories; returns the ids of each, one an article and delivery."""
        new: list[int] = []
        updated: list[int] = []
        publishers = ensure_publishers(self.session, {article.publisher for article in articles})
        for batch in _without_repeats(articles):
            keys = [key for article in batch for key in article.identity_keys]
            known = dict(self.session.execute(select(ArticleKey.key, ArticleKey.article_id).where(ArticleKey.key.in_(keys))).all())
            owner = [next((known[key] for key in article.identity_keys if key in known), None) for article in batch]
            fresh = [article for article, found in zip(batch, owner, strict=True) if found is None]
            inserted = self._insert(fresh, publishers)
            ids = iter(inserted)
            placed = [(article, found if found is not None else next(ids)) for article, found in zip(batch, owner, strict=True)]
            updated += self._update([pair for pair, found in zip(placed, owner, strict=True) if found is not None])
            new += inserted
            rows = [{"key": key, "article_id": article_id} for article, article_id in placed for key in article.identity_keys]
            self.session.execute(upsert(ArticleKey).on_conflict_do_nothing(), rows)
        groups.group(self.session, [*new, *updated])
        return new, updated

    def _insert(self, articles: list[ParsedArticle], publishers: dict[str, int]) -> list[int]:
        if not articles:
            return []
        rows = [{"publisher_id": publishers[publisher_key(article.publisher)], **_columns(article)} for article in articles]
        ids = list(self.session.scalars(insert(Article).returning(Article.id, sort_by_parameter_order=True), rows))
        self._categorise(dict(zip(ids, articles, strict=True)))
        return ids

    def _update(self, placed: list[tuple[ParsedArticle, int]]) -> list[int]:
        ids = [article_id for _, article_id in placed]
        stored = {
            row[0]: row
            for row in self.session.execute(select(Article.id, Article.import_hash, Article.body_chars).where(Article.id.in_(ids)))
        }
        changed = {
            article_id: article
            for article, article_id in placed
            if article.content_hash != stored[article_id][1] and len(article.body) >= stored[article_id][2] * SHORTENED
        }
        for article_id, article in changed.items():
            values = _columns(article) | {"is_active": Article.archived_at.is_(None) if article.active else False, "updated_at": func.now()}
            self.session.execute(update(Article).where(Article.id == article_id).values(values))
        self._categorise(changed)
        return list(changed)

    def _categorise(self, articles: dict[int, ParsedArticle]) -> None:
        names = {name[:200] for article in articles.values() for name in article.categories}
        if names:
            self.session.execute(upsert(Category).on_conflict_do_nothing(), [{"name": name} for name in sorted(names)])
        ids = dict(self.session.execute(select(Category.name, Category.id).where(Category.name.in_(names))).all())
        self.session.execute(delete(ArticleCategory).where(ArticleCategory.article_id.in_(articles)))
        rows = [
            {"article_id": article_id, "category_id": category_id}
            for article_id, article in articles.items()
            for category_id in {ids[name[:200]] for name in article.categories}
        ]
        if rows:
            self.session.execute(insert(ArticleCategory), rows)


def _columns(article: ParsedArticle) -> dict[str, object]:
    return {
        "url": article.url,
        "title": article.title,
        "subtitle": article.subtitle,
        "authors": article.authors,
        "body": article.body,
        "language": article.language[:16],
        "keywords": list(article.keywords),
        "provider_sentiment": article.sentiment,
        "published_at": article.published_at,
        "import_hash": article.content_hash,
        "content_hash": content_hash(article.title, article.body),
        "is_active": article.active,
        "is_sample": article.is_sample,
        "promise": promise(article.title, article.body),
        "story_keys": story_keys(article.title, article.body, article.published_at),
    }


def _without_repeats(articles: list[ParsedArticle]) -> Iterator[list[ParsedArticle]]:
    """Parts of a chunk within which no article is there twice, so that the second is seen as an update of the first."""
    part: list[ParsedArticle] = []
    seen: set[str] = set()
    for article in articles:
        keys = set(article.identity_keys)
        if keys & seen:
            yield part
            part, seen = [], set()
        part.append(article)
        seen |= keys
    yield part
