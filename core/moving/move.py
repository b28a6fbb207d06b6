"""Moving in, from the other database to this one: articles as files bring them, then earlier analyses.

Works in the chunks of an ordinary import, and keeps after each how far it came: what was ended half-way goes on from there, and what
was done to the end is looked at again from the start, for what is new. Rows that are as they were are left alone.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.articles import ensure_publishers, publisher_key
from core.configuration import Desk
from core.database import IDENTITY, among
from core.errors import ImportRefused
from core.importers.clean_text import clean_characters
from core.importers.fields import BadRow
from core.importers.import_articles import ImportReport, import_articles
from core.importers.parsed_article import ParsedArticle, RejectedRow
from core.models import Category, Move, Publisher
from core.moving.analysis_shapes import AnalysisShape, analysis_shapes
from core.moving.earlier import is_unfinished, read_analysis
from core.moving.gathering import GatheredAnalysis, gathered, scales
from core.moving.keeping import ANALYSIS, ARTICLE, REFERENCE, Keeper, Moved, fingerprint, known_rows, note_articles, short
from core.moving.rows import Names, article_of, read_names, text_of
from core.moving.shapes import ArticleShape, article_shape
from core.moving.source import SourceDatabase, SourceRow
from core.stories import groups

UNKNOWN_ARTICLE = "analyses of articles that are not here"
UNFINISHED = "analyses that failed there or had not ended"
UNREADABLE = "analyses that cannot be read"
CAME = frozenset({"analyses", "signals", "validations"})
NAMES_AT_ONCE = 500


@dataclass
class MoveReport:
    """What came over, and what was left out."""

    articles: ImportReport = field(default_factory=ImportReport)
    publishers: int = 0
    """New ones, those without an article included."""
    categories: int = 0
    earlier: Counter[str] = field(default_factory=Counter)
    """``analyses``, ``signals`` and ``validations`` that came; everything else is what was left out, by reason."""
    resumed: bool = False
    """It went on where an earlier import had been ended."""

    @property
    def is_empty(self) -> bool:
        """Nothing was looked at."""
        return not (self.articles.total or self.publishers or self.categories or self.earlier.total())

    @property
    def left_out(self) -> dict[str, int]:
        """What of earlier analyses was left out, by reason, most first."""
        return {name: number for name, number in self.earlier.most_common() if number and name not in CAME}


@dataclass(frozen=True, slots=True)
class Step:
    """How far a part of a move is."""

    what: str
    """``articles`` or ``analyses``."""
    done: int
    total: int


def move(
    desk: Desk,
    url: str,
    *,
    by: Actor,
    now: datetime,
    report: MoveReport | None = None,
    on_progress: Callable[[Step], None] = lambda _: None,
) -> MoveReport:
    """Copy what another newsletter's database has and this one has not. ``report`` is filled on the way.

    Raises:
        NotAllowed: ``by`` may not import articles.
        SettingsError: the address cannot be read.
        ImportRefused: that database cannot be reached or read, has no articles, or is this desk's own.
        DatabaseUnavailable: this desk's database is away; what was imported is kept.
    """
    by.require(Permission.ARTICLES)
    report = report or MoveReport()
    with SourceDatabase(url) as source:
        with desk.database.session() as session:
            _refuse_own(session, source)
        shape = article_shape(source.name, source.tables)
        with desk.database.session() as session:
            move_id, place = _begin(session, source, now)
        report.resumed = place is not None
        _Move(desk, source, shape, move_id, by, now, report, on_progress).run(place or {})
        with desk.database.session() as session:
            session.execute(update(Move).where(Move.id == move_id).values(place=None, finished_at=now))
            came = {"publishers": report.publishers, "categories": report.categories, **report.earlier}
            audit.record(session, by, audit.Action.END_IMPORT, ("source", source.name), after=came)
    return report


def _refuse_own(session: Session, source: SourceDatabase) -> None:
    """Refuse the desk's own database, by whatever address."""
    try:
        with session.begin_nested():
            own = session.scalar(text(IDENTITY))
    except Exception as error:
        if not isinstance(getattr(error, "orig", None), psycopg.errors.InsufficientPrivilege):
            raise
        own = None
    address = session.get_bind().engine.url
    if own == source.identity or f"{address.host or 'localhost'}:{address.port or 5432}/{address.database or ''}" == source.name:
        raise ImportRefused(f"{source.name} is this desk's own database. Give the address of the one to import from.")


def _begin(session: Session, source: SourceDatabase, now: datetime) -> tuple[int, dict[str, Any] | None]:
    """The move's id, and where an earlier one of the same database was ended half-way."""
    statement = upsert(Move).values(identity=source.identity[:200], name=source.name[:300], started_at=now)
    session.execute(statement.on_conflict_do_update(index_elements=["identity"], set_={"name": source.name[:300]}))
    found = session.execute(select(Move.id, Move.place).where(Move.identity == source.identity[:200])).one()
    return found.id, found.place


@dataclass(slots=True)
class _Move:
    desk: Desk
    source: SourceDatabase
    shape: ArticleShape
    move_id: int
    by: Actor
    now: datetime
    report: MoveReport
    on_progress: Callable[[Step], None]
    publishers: Names = field(default_factory=Names)
    categories: Names = field(default_factory=Names)
    passed: deque[tuple[SourceRow, str, ParsedArticle | None, bool]] = field(default_factory=deque)
    """Rows handed to the import or left alone, that are not yet noted: the row, its key, what it became, whether it was handed over."""
    done: int = 0
    total: int = 0

    def run(self, place: dict[str, Any]) -> None:
        self.publishers = read_names(self.source, self.shape.publishers)
        self.categories = read_names(self.source, self.shape.category_names)
        self._names()
        if "analyses" not in place:
            self._articles(place.get("articles"))
        for number, shape in enumerate(analysis_shapes(self.source.tables, self.shape)):
            name = f"{number}:{shape.table.name}"
            if place.get("analyses", name) <= name:
                self._analyses(name, shape, place.get("after") if place.get("analyses") == name else None)

    def _names(self) -> None:
        """Publishers and categories, also those without an article."""
        listed = sorted({name[:200] for name in self.publishers.all if name.strip()})
        priority = {publisher_key(name) for name in self.publishers.priority}
        labels = sorted({name[:100] for name in self.categories.all if name.strip() and not name.isdigit()})
        with self.desk.database.session() as session:
            groups.lock(session)
            for start in range(0, len(listed), NAMES_AT_ONCE):
                some = set(listed[start : start + NAMES_AT_ONCE])
                known = set(session.scalars(select(Publisher.name_key).where(Publisher.name_key.in_(map(publisher_key, some)))))
                ids = ensure_publishers(session, some)
                new = {key: id_ for key, id_ in ids.items() if key not in known}
                first = [id_ for key, id_ in new.items() if key in priority]
                session.execute(update(Publisher).where(among(Publisher.id, first)).values(is_priority=True))
                self.report.publishers += len(new)
            for start in range(0, len(labels), NAMES_AT_ONCE):
                rows = [{"name": name} for name in labels[start : start + NAMES_AT_ONCE]]
                added = session.execute(upsert(Category).on_conflict_do_nothing().returning(Category.id), rows).all()
                self.report.categories += len(added)

    # --- articles --------------------------------------------------------------------------------------------------------

    def _articles(self, after: list[str] | None) -> None:
        self.total = self.source.count(self.shape.table, after)
        self.on_progress(Step("articles", 0, self.total))
        import_articles(self.desk, self.source.name, self._rows(after), by=self.by, report=self.report.articles, on_progress=self._note)
        self._note(0)

    def _rows(self, after: list[str] | None) -> Iterator[ParsedArticle | RejectedRow]:
        for page in self.source.read(self.shape.table, self.shape.columns, after=after):
            keys = [self._key(row) for row in page]
            joined = self._joined(page)
            with self.desk.database.session() as session:
                known = known_rows(session, self.move_id, ARTICLE, [short(key) for key in keys])
            for row, key in zip(page, keys, strict=True):
                number = int(key) if key.isdigit() and len(key) < 18 else self.done + len(self.passed) + 1
                article = self._article(row, key, joined.get(key, []), number)
                before = known.get(short(key))
                if isinstance(article, ParsedArticle) and before is not None and before[1] == fingerprint(article):
                    self.report.articles.unchanged += 1
                    self.passed.append((row, key, None, False))
                else:
                    self.passed.append((row, key, article if isinstance(article, ParsedArticle) else None, True))
                    yield article
            if not any(handed for _, _, _, handed in self.passed):
                self._note(0)

    def _key(self, row: SourceRow) -> str:
        """The row's name within its table: what others refer to it by, else its key, else what it says."""
        own = (row.values or {}).get(self.shape.key or "")
        if own is not None and len(row.key) <= 1:
            return str(own)
        return "|".join(row.key) or hashlib.sha256(json.dumps(row.values, sort_keys=True).encode()).hexdigest()

    def _article(self, row: SourceRow, key: str, joined: list[str], number: int) -> ParsedArticle | RejectedRow:
        title = text_of(next((row.values.get(name) for name in self.shape.fields["title"]), None)) if row.values else None
        try:
            if row.values is None:
                raise BadRow("unreadable row")
            return article_of(
                row.values, key, self.shape, self.publishers, self.categories, joined, identity=self.source.identity, now=self.now
            )
        except Exception as error:  # what no rule foresaw in one row must not cost the others
            why = str(error) if isinstance(error, BadRow) else f"unreadable row ({type(error).__name__})"
            return RejectedRow(self.source.name, number, why, clean_characters((title or "")[:200]), clean_characters(f"key {key}"[:200]))

    def _joined(self, page: list[SourceRow]) -> dict[str, list[str]]:
        """Categories that a table of its own gives to articles, by the articles' keys."""
        join, key = self.shape.joined, self.shape.key
        if join is None or key is None:
            return {}
        values = [str(row.values[key]) for row in page if row.values and row.values.get(key) is not None]
        found: dict[str, list[str]] = {}
        for row in self.source.matching(join.table, [join.article, join.category], join.article, values):
            if row.values and (name := self.categories.of(row.values[join.category])):
                found.setdefault(str(row.values[join.article]), []).append(name)
        return found

    def _note(self, imported: int) -> None:
        """Keep what became of the rows up to the last that was imported, and how far that is."""
        taken: dict[str, ParsedArticle] = {}
        named: dict[str, str] = {}
        last: SourceRow | None = None
        while self.passed and (imported or not self.passed[0][3]):
            last, key, article, handed = self.passed.popleft()
            imported -= handed
            self.done += 1
            if article is not None:
                taken[short(key)] = article
                if len(last.key) > 1 and (own := (last.values or {}).get(self.shape.key or "")) is not None:
                    named[short(key)] = short(str(own))
        if last is None:
            return
        with self.desk.database.session() as session:
            note_articles(session, self.move_id, taken, named)
            if last.key:
                session.execute(update(Move).where(Move.id == self.move_id).values(place={"articles": list(last.key)}))
        self.on_progress(Step("articles", self.done, self.total))

    # --- earlier analyses ------------------------------------------------------------------------------------------------

    def _analyses(self, name: str, shape: AnalysisShape, after: list[str] | None) -> None:
        keeper = Keeper(self.move_id, self.source.identity, self.source.name, self.by.name)
        named_by = REFERENCE if len(self.shape.table.key) > 1 else ARTICLE
        out_of, total, done = scales(self.source, shape), self.source.count(shape.table, after), 0
        self.on_progress(Step("analyses", 0, total))
        for page in gathered(self.source, shape, after):
            keys = {id(row): short(f"{name}:{'|'.join(row.key) or _digest(row)}") for row in page}
            with self.desk.database.session() as session:
                groups.lock(session)
                known = known_rows(session, self.move_id, ANALYSIS, list(keys.values()))
                fresh = [row for row in page if keys[id(row)] not in known]
                articles = known_rows(session, self.move_id, named_by, [short(row.article) for row in fresh])
                moved = []
                for row in fresh:
                    if (one := self._moved(row, keys[id(row)], articles, out_of)) is not None:
                        moved.append(one)
                if moved:
                    keeper.keep(session, moved, self.now, self.report.earlier)
                place = {"analyses": name, "after": list(page[-1].key)} if page[-1].key else {"analyses": name}
                session.execute(update(Move).where(Move.id == self.move_id).values(place=place))
            done += len(page)
            self.on_progress(Step("analyses", done, total))

    def _moved(
        self, row: GatheredAnalysis, key: str, articles: dict[str, tuple[int, str | None]], out_of: dict[str, float]
    ) -> Moved | None:
        of = articles.get(short(row.article))
        if row.values is None:
            self.report.earlier[UNREADABLE] += 1
        elif is_unfinished(row.values):
            self.report.earlier[UNFINISHED] += 1
        elif of is None:
            self.report.earlier[UNKNOWN_ARTICLE] += 1
        else:
            return Moved(key, of[0], read_analysis(row.values, row.signals, row.validations, scale=out_of, now=self.now))
        return None


def _digest(row: GatheredAnalysis) -> str:
    return hashlib.sha256(json.dumps(row.values, sort_keys=True).encode()).hexdigest()
