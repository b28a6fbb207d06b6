"""Where earlier analyses lie in the other database: tables of analyses, of signals, of quotes and of validations. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.moving import earlier
from core.moving.shapes import ArticleShape, article_column, column_of, plain, readable
from core.moving.source import SourceTable, json_object, quoted

ANALYSES = (
    *("content_analysis", "content_analyses", "content_analysis_results", "article_analysis", "article_analyses", "analyses", "analysis"),
    *("analysis_results", "ai_analyses", "ai_analysis", "article_insights"),
)
SIGNALS = (
    *("signals", "weak_signals", "pattern_anomalies", "adjacent_connections", "narrative_gaps", "edge_indicators", "detected_signals"),
    *("content_signals", "article_signals", "analysis_signals"),
)
EVIDENCE = ("evidence", "signal_evidence", "signal_quotes", "quotes")
VALIDATIONS = ("signal_validations", "signal_validation", "validations", "validation_results")
SOURCES = ("validation_sources", "signal_validation_sources", "research_sources")
MAX_KINDS = 16
_HINTS = (earlier.SENTIMENT, earlier.IMPACT, earlier.SUMMARY, earlier.STRENGTH, earlier.UNIQUENESS, earlier.CONFIDENCE, earlier.CONTEXT)
_SCORES = {*earlier.IMPACT, *earlier.STRENGTH, *earlier.UNIQUENESS, *earlier.CONFIDENCE}
_NUMBERS = frozenset({"integer", "bigint", "smallint", "numeric", "real", "double precision"})
_ANALYSIS_KEYS = ("analysisid", "contentanalysisid", "articleanalysisid", "analysisuuid", "contentanalysesid")
_SIGNAL_KEYS = ("signalid", "weaksignalid", "signaluuid")
_VALIDATION_KEYS = ("validationid", "signalvalidationid")
_DESCRIBES = ("description", "signaldescription", "signal", "signaltext", "text", "observation", "insight", "finding", "title", "name")


@dataclass(frozen=True, slots=True)
class Part:
    """A table whose rows belong to rows of another."""

    table: SourceTable
    to: str
    """Its column that names those."""
    key: str | None
    """Its column by which others name it."""
    parts: tuple["Part", ...] = ()
    of_article: bool = False
    """Whether ``to`` names an article instead of an analysis."""


@dataclass(frozen=True, slots=True)
class AnalysisShape:
    """A table of analyses and what belongs to it."""

    table: SourceTable
    article: str
    """Its column that names the article."""
    signals: tuple[Part, ...]
    scores: tuple[str, ...]
    """Its columns with scores, whose scale their highest value tells."""
    validations: tuple[Part, ...]
    """Tables of validations that name an analysis or an article, and the signal by its words or its place."""
    newest: str
    """A condition on ``t``: of the analyses of one article by one model the newest; empty where there is nothing to tell by."""
    alone: Part | None = None
    """Set where there are signals of articles without a table of analyses: each row has those of one article, as JSON."""


def analysis_shapes(tables: Sequence[SourceTable], articles: ArticleShape) -> list[AnalysisShape]:
    """Where analyses lie: in a table of their own, in the articles' table, or in tables of signals alone."""
    found = [_shape(table, column, tables, articles) for table, column in _candidates(tables, articles)]
    if found:
        return found
    alone = [part for part in _signals(tables, articles, None) if part.of_article]
    return [_of_signals_alone(part) for part in alone]


def _candidates(tables: Sequence[SourceTable], articles: ArticleShape) -> list[tuple[SourceTable, str]]:
    """The table of analyses that says most, and the articles' table where it holds signals itself."""
    scored = []
    for table in tables:
        column = article_column(table, articles)
        if not table.is_readable or table.oid == articles.table.oid or column is None or plain(table.name) in map(plain, SIGNALS):
            continue
        says = _says(table) + (2 if plain(table.name) in map(plain, ANALYSES) else 0)
        if says >= 2:
            scored.append((says, table, column))
    best = [(table, column) for _, table, column in sorted(scored, key=lambda one: -one[0])[:1]]
    holds_signals = column_of(articles.table, (*earlier.SIGNALS, *earlier.KINDS)) is not None
    return [*best, *([(articles.table, articles.key)] if holds_signals and articles.key else [])]


def _says(table: SourceTable) -> int:
    hints = sum(column_of(table, names) is not None for names in _HINTS)
    return hints + (3 if column_of(table, (*earlier.SIGNALS, *earlier.KINDS)) else 0)


def _shape(table: SourceTable, column: str, tables: Sequence[SourceTable], articles: ArticleShape) -> AnalysisShape:
    signals = () if table.oid == articles.table.oid else tuple(_signals(tables, articles, table))
    scores = tuple(name for name, kind in table.columns.items() if plain(name) in _SCORES and kind in _NUMBERS)
    newest = _newest(table, column) if table.oid != articles.table.oid else ""
    return AnalysisShape(table, column, signals, scores, tuple(_beside(tables, articles, table)), newest)


def _newest(table: SourceTable, article: str) -> str:
    key = table.key[0] if len(table.key) == 1 else None
    made = column_of(table, earlier.MADE)
    if key is None:
        return ""
    order = [quoted(name) for name in (made, key) if name]
    by = [name for names in (earlier.MODEL, earlier.PROMPT) if (name := column_of(table, names))]
    same = "".join(f" AND newer.{quoted(name)} IS NOT DISTINCT FROM t.{quoted(name)}" for name in by)
    if state := column_of(table, earlier.STATE):
        said = f"coalesce(CAST(newer.{quoted(state)} AS text), '')"
        same += f" AND {said} !~* '^\\s*({earlier.UNFINISHED})'"
    newer = f"({', '.join(f'newer.{name}' for name in order)}) > ({', '.join(f't.{name}' for name in order)})"
    return f"NOT EXISTS (SELECT 1 FROM {table.sql} AS newer WHERE newer.{quoted(article)} = t.{quoted(article)}{same} AND {newer})"


def _signals(tables: Sequence[SourceTable], articles: ArticleShape, analyses: SourceTable | None) -> list[Part]:
    found = []
    for table in readable(tables, SIGNALS):
        if column_of(table, _DESCRIBES) is None or (analyses is not None and table.oid == analyses.oid):
            continue
        to, of_article = _refers(table, analyses, _ANALYSIS_KEYS), False
        if to is None or analyses is None:
            to, of_article = article_column(table, articles), True
        if to is not None:
            key = _key(table)
            parts = [*_parts(tables, table, EVIDENCE, _SIGNAL_KEYS), *_parts(tables, table, VALIDATIONS, _SIGNAL_KEYS)] if key else []
            found.append(Part(table, to, key, tuple(parts), of_article))
    return found


def _beside(tables: Sequence[SourceTable], articles: ArticleShape, analyses: SourceTable) -> list[Part]:
    """Tables of validations that refer to no table of signals."""
    found = []
    for table in readable(tables, VALIDATIONS):
        signals = [oid for oid, _ in table.references.values() if any(oid == other.oid for other in readable(tables, SIGNALS))]
        if table.oid == analyses.oid or signals or column_of(table, _SIGNAL_KEYS):
            continue
        to = _refers(table, analyses if analyses.oid != articles.table.oid else None, _ANALYSIS_KEYS)
        of_article = to is None
        to = to or article_column(table, articles)
        if to is not None:
            sources = _parts(tables, table, SOURCES, _VALIDATION_KEYS) if _key(table) else []
            found.append(Part(table, to, _key(table), tuple(sources), of_article))
    return found


def _parts(tables: Sequence[SourceTable], of: SourceTable, names: Sequence[str], keys: Sequence[str]) -> list[Part]:
    found = []
    for table in readable(tables, names):
        to = _refers(table, of, keys)
        if to is None:
            continue
        sources = _parts(tables, table, SOURCES, _VALIDATION_KEYS) if names is VALIDATIONS and _key(table) else []
        found.append(Part(table, to, _key(table), tuple(sources)))
    return found


def _refers(table: SourceTable, to: SourceTable | None, names: Sequence[str]) -> str | None:
    declared = [column for column, (oid, _) in table.references.items() if to is not None and oid == to.oid and column in table.columns]
    return next(iter(declared), None) or column_of(table, names)


def _key(table: SourceTable) -> str | None:
    return table.key[0] if len(table.key) == 1 else column_of(table, ("id", "uuid"))


def _of_signals_alone(part: Part) -> AnalysisShape:
    """Signals that belong to articles directly: all of one article are one analysis."""
    table, to = part.table, quoted(part.to)
    kind = table.columns[part.to]
    order = f" ORDER BY s.{quoted(part.key)}" if part.key else ""
    signal = json_object(", ".join(f"s.{quoted(name)}" for name in table.columns))
    query = f"SELECT s.{to}, json_agg({signal}{order}) AS signals FROM {table.sql} AS s WHERE s.{to} IS NOT NULL GROUP BY s.{to}"
    grouped = replace(table, query=query, columns={part.to: kind, "signals": "json"}, key=(part.to,), references={})
    return AnalysisShape(grouped, part.to, (), (), (), "", part)
