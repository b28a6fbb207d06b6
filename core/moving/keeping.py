"""What moved in, in this desk's tables: which rows are known, how far an import came, and earlier analyses with their signals.

An earlier analysis lies in a batch of its own kind: ended from the start, of a configuration that names where it came from, without
an entry in the ledger. Call under the import's lock (``groups.lock``) where it says so.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from core.agents.outputs import SignalVerdict
from core.articles import ArticleText, get_articles
from core.authorities import authorities
from core.configuration import Configuration
from core.evidence import Grounding, Text, ground
from core.importers.parsed_article import ParsedArticle, canonical_url
from core.models import Analysis, ArticleKey, Authority, BatchRecord, BatchSession, BatchStatus, MovedRow, RecordStatus, Signal, table_of
from core.moving.earlier import LEAST_QUOTE, MOST_QUOTE, EarlierAnalysis, EarlierSignal, EarlierVerdict
from core.signals import NewAnalysis, find_analyses, keep_analyses
from core.validations import Finding, keep_validations
from core.verdicts import standings

if TYPE_CHECKING:  # this brings the agents' libraries, which nothing but a move needs of it
    from core.research import SearchResult

IMPORTED = "imported"
ARTICLE, REFERENCE, ANALYSIS = "article", "reference", "analysis"
MODELS_AT_MOST = 40
"""Models that are told apart; the analyses of all further ones are one model's."""
UNGROUNDED = "signals without a quote that stands in the article"
UNMATCHED = "validations that name no signal of their analysis"
LOST_QUOTES = "quotes that do not stand in the article"
LOST_SOURCES = "sources of validations that cannot be checked"


def short(key: str) -> str:
    """A row's key as it is kept."""
    return key if len(key) <= 500 else hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(article: ParsedArticle) -> str:
    """64 hex digits that change with whatever of an article an import would change."""
    told = "\0".join([article.content_hash, article.publisher, *article.identity_keys])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def known_rows(session: Session, move_id: int, kind: str, keys: Sequence[str]) -> dict[str, tuple[int, str | None]]:
    """Of rows that were imported: the article and the fingerprint, by key."""
    rows = session.execute(
        select(MovedRow.key, MovedRow.article_id, MovedRow.fingerprint).where(
            MovedRow.move_id == move_id, MovedRow.kind == kind, MovedRow.key.in_(keys)
        )
    )
    return {key: (article_id, said) for key, article_id, said in rows}


def note_articles(session: Session, move_id: int, taken: Mapping[str, ParsedArticle], named: Mapping[str, str]) -> None:
    """Keep which rows became which articles, by key; those that the import refused are left out.

    ``named`` is, by key, what other tables call a row whose key has several columns.
    """
    ids = dict(session.execute(select(ArticleKey.key, ArticleKey.article_id).where(ArticleKey.key.in_(_first_keys(taken)))).all())
    rows: list[dict[str, Any]] = [
        {"move_id": move_id, "kind": ARTICLE, "key": key, "article_id": ids[first], "fingerprint": fingerprint(article)}
        for key, article in taken.items()
        if (first := article.identity_keys[0]) in ids
    ]
    referred = {named[row["key"]]: row for row in rows if row["key"] in named}
    rows += [{**row, "kind": REFERENCE, "key": key, "fingerprint": None} for key, row in referred.items()]
    if rows:
        statement = upsert(MovedRow)
        changed = {"article_id": statement.excluded.article_id, "fingerprint": statement.excluded.fingerprint}
        session.execute(statement.on_conflict_do_update(index_elements=["move_id", "kind", "key"], set_=changed), rows)


def _first_keys(taken: Mapping[str, ParsedArticle]) -> list[str]:
    return [article.identity_keys[0] for article in taken.values()]


@dataclass(frozen=True, slots=True)
class Moved:
    """An earlier analysis on its way in, and the article it is of."""

    key: str
    article_id: int
    earlier: EarlierAnalysis


@dataclass(slots=True)
class Keeper:
    """Keeps the analyses of one move."""

    move_id: int
    identity: str
    origin: str
    """Host, port and database."""
    by: str

    @property
    def database(self) -> str:
        return self.origin.rpartition("/")[2] or self.origin

    def keep(self, session: Session, moved: Sequence[Moved], now: datetime, counts: Counter[str]) -> None:
        """Keep analyses that are not known. ``counts`` is told what came and what was left out. Under the import's lock."""
        articles = get_articles(session, [one.article_id for one in moved])
        by_model: dict[Configuration, list[Moved]] = {}
        for one in moved:
            by_model.setdefault(self._configuration(session, one.earlier), []).append(one)
        known = authorities(session)
        for configuration, ones in by_model.items():
            fresh = self._fresh([one for one in ones if one.article_id in articles], articles, session, configuration, counts)
            if fresh:
                self._keep_fresh(session, fresh, articles, configuration, known, now, counts)
        rows = [{"move_id": self.move_id, "kind": ANALYSIS, "key": one.key, "article_id": one.article_id} for one in moved]
        session.execute(upsert(MovedRow).on_conflict_do_nothing(), rows)

    def _fresh(
        self,
        ones: Sequence[Moved],
        articles: Mapping[int, ArticleText],
        session: Session,
        configuration: Configuration,
        counts: Counter[str],
    ) -> list[Moved]:
        """One an article, and none that is here."""
        here = find_analyses(session, {one.article_id: articles[one.article_id].content_hash for one in ones}, configuration.hash)
        fresh = {one.article_id: one for one in reversed(ones) if one.article_id not in here}
        counts["analyses of an article that has one of the same model"] += len(ones) - len(fresh)
        return list(fresh.values())

    def _keep_fresh(
        self,
        session: Session,
        fresh: Sequence[Moved],
        articles: Mapping[int, ArticleText],
        configuration: Configuration,
        known: Mapping[str, Authority],
        now: datetime,
        counts: Counter[str],
    ) -> None:
        batch_id = self._batch(session, configuration, now)
        texts = {one.article_id: Text(articles[one.article_id].body) for one in fresh}
        grounded = {one.article_id: _grounded(one.earlier, texts[one.article_id]) for one in fresh}
        new = [
            NewAnalysis(one.article_id, articles[one.article_id].content_hash, one.earlier.analysis, grounded[one.article_id])
            for one in fresh
        ]
        kept = keep_analyses(session, new, batch_id, configuration)
        pages = _archive(session, [signal for one in fresh for signal in one.earlier.signals])
        findings: list[Finding] = []
        for one, (_, signals) in zip(fresh, kept, strict=True):
            grounding = grounded[one.article_id]
            verdicts = {id(signal.found): signal.verdict for signal in one.earlier.signals}
            for found, signal in zip(grounding.signals, signals, strict=True):
                if verdict := verdicts[id(found.signal)]:
                    findings.append(_finding(signal.id, verdict, articles[one.article_id], pages, known))
            counts["analyses"] += 1
            counts["signals"] += len(signals)
            counts[UNGROUNDED] += grounding.ungrounded + one.earlier.unreadable
            counts[UNMATCHED] += one.earlier.unmatched
            counts[LOST_QUOTES] += len(grounding.missing)
        made = [{"kept": analysis_id, "made": one.earlier.made_at or now} for one, (analysis_id, _) in zip(fresh, kept, strict=True)]
        connection, analyses, signal_table = session.connection(), table_of(Analysis), table_of(Signal)
        when: dict[str, Any] = {"created_at": bindparam("made")}
        connection.execute(update(signal_table).where(signal_table.c.analysis_id == bindparam("kept")).values(when), made)
        connection.execute(
            update(analyses).where(analyses.c.id == bindparam("kept")).values(when | {"completed_at": bindparam("made")}), made
        )
        keep_validations(session, findings, configuration)
        counts["validations"] += len(findings)
        counts[LOST_SOURCES] += sum(finding.verdict.dropped for finding in findings if finding.verdict)
        self._records(session, batch_id, [articles[one.article_id] for one in fresh], now)

    def _configuration(self, session: Session, earlier: EarlierAnalysis) -> Configuration:
        """What it was made with, as far as it says, and where it came from. It is never that of an analysis of this desk's own."""
        from_here = f"({IMPORTED} from {self.database[:80]})"
        made = Configuration(f"{earlier.model or 'unknown model'} {from_here}", IMPORTED, 0.0, 0, 0, earlier.prompt or IMPORTED, IMPORTED)
        if self._batch_of(session, made) is None:
            batches = select(func.count()).where(BatchSession.idempotency_key.startswith(self._key(""), autoescape=True))
            if (session.scalar(batches) or 0) >= MODELS_AT_MOST:
                return Configuration(f"other models {from_here}", IMPORTED, 0.0, 0, 0, IMPORTED, IMPORTED)
        return made

    def _key(self, configuration_hash: str) -> str:
        return f"moved:{hashlib.sha256(self.identity.encode()).hexdigest()[:32]}:{configuration_hash}"

    def _batch_of(self, session: Session, configuration: Configuration) -> int | None:
        return session.scalar(select(BatchSession.id).where(BatchSession.idempotency_key == self._key(configuration.hash)))

    def _batch(self, session: Session, configuration: Configuration, now: datetime) -> int:
        if (known := self._batch_of(session, configuration)) is not None:
            session.execute(update(BatchSession).where(BatchSession.id == known).values(finished_at=now))
            return known
        batch = BatchSession(
            idempotency_key=self._key(configuration.hash),
            status=BatchStatus.COMPLETED,
            launched_by=self.by[:100],
            configuration=configuration.as_json(),
            configuration_hash=configuration.hash,
            selection={"imported_from": self.origin},
            estimate={"articles": 0, "usd": "0", "usd_at_most": "0"},
            concurrency=1,
            started_at=now,
            finished_at=now,
        )
        session.add(batch)
        session.flush()
        return batch.id

    def _records(self, session: Session, batch_id: int, articles: Sequence[ArticleText], now: datetime) -> None:
        last = session.scalar(select(func.max(BatchRecord.position)).where(BatchRecord.batch_id == batch_id))
        rows: list[dict[str, Any]] = [
            {
                "batch_id": batch_id,
                "article_id": article.id,
                "article_title": article.title,
                "position": position,
                "status": RecordStatus.COMPLETED,
                "started_at": now,
                "finished_at": now,
            }
            for position, article in enumerate(articles, start=0 if last is None else last + 1)
        ]
        session.execute(upsert(BatchRecord).on_conflict_do_nothing(), rows)


def _grounded(earlier: EarlierAnalysis, text: Text) -> Grounding:
    """The evidence check. Of a signal without quotes its own words are looked up; a quote that is too short says nothing."""
    short_ones: list[str] = []
    for signal in earlier.signals:
        found = signal.found
        short_ones += [quote for quote in found.evidence if len(quote) < LEAST_QUOTE]
        found.evidence = [quote for quote in found.evidence or [found.description[:MOST_QUOTE]] if len(quote) >= LEAST_QUOTE]
    grounding = ground(earlier.analysis, text)
    return replace(grounding, missing=(*grounding.missing, *short_ones))


def _archive(session: Session, signals: Sequence[EarlierSignal]) -> "dict[str, SearchResult]":
    """The pages that validations name and that are articles here, by address as named."""
    from core.research import SearchResult

    named = {source.url for signal in signals if signal.verdict for source in signal.verdict.sources}
    keys = {url: f"url:{address}" for url in named if (address := canonical_url(url))}
    ids = dict(session.execute(select(ArticleKey.key, ArticleKey.article_id).where(ArticleKey.key.in_(list(keys.values())))).all())
    articles = get_articles(session, list(ids.values()))
    return {
        url: SearchResult(url, article.title, article.publisher, article.published_at, article.body, article.id)
        for url, key in keys.items()
        if key in ids and (article := articles.get(ids[key]))
    }


def _finding(
    signal_id: int, earlier: EarlierVerdict, article: ArticleText, pages: "Mapping[str, SearchResult]", known: Mapping[str, Authority]
) -> Finding:
    """An earlier validation by this desk's rule: it rests on sources that are here and say what it quotes, or on nothing."""
    from core.agents.signal_validation import CheckedSource, CheckedVerdict

    sources: dict[str, CheckedSource] = {}
    for cited in earlier.sources:
        page = pages.get(cited.url)
        if page is not None and page.article_id != article.id and (span := Text(page.text).find(cited.quote)):
            sources.setdefault(cited.url, CheckedSource(cited.url, cited.stance, span.quote))
    answer = SignalVerdict(signal=1, verdict=earlier.verdict, confidence_adjustment=earlier.adjustment, reason=earlier.reason, sources=[])
    dropped = earlier.dropped + len(earlier.sources) - len(sources)
    checked = CheckedVerdict(answer, tuple(sources.values()), dropped)
    results = {url: pages[url] for url in sources}
    return Finding(signal_id, (), checked, standings(article.body, article.publisher, checked.sources, results, known), results)
