"""Validations: keeping what research made of a signal, with its sources, and reading it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from core.agents.outputs import Stance, Verdict
from core.configuration import Configuration
from core.models import ARTICLE_ORIGIN, Authority, Source, Validation, table_of
from core.verdicts import Standing, adjustment_of, disagreement, verdict_of

if TYPE_CHECKING:  # these bring the agents' libraries, which a console that runs nothing does not need
    from core.agents.signal_validation import CheckedVerdict
    from core.research import Search, SearchResult

_REPEATED = text("""
UPDATE signals SET verdict = made.verdict, disagreement = made.disagreement
FROM unnest(CAST(:signals AS bigint[]), CAST(:verdicts AS text[]), CAST(:apart AS float[])) AS made(signal_id, verdict, disagreement)
WHERE signals.id = made.signal_id
""")
NOTHING_FOUND = "The searches found nothing that bears on this signal."


@dataclass(frozen=True, slots=True)
class SourceRow:
    url: str
    title: str
    publisher: str
    published_at: datetime | None
    stance: Stance
    authority: Authority
    quote: str
    article_id: int | None
    origin: int | None
    is_own: bool

    @property
    def counts(self) -> bool:
        """Whether the verdict may rest on it."""
        return self.origin != ARTICLE_ORIGIN and not self.is_own


@dataclass(frozen=True, slots=True)
class ValidationRow:
    """One validation of a signal with its sources."""

    id: int
    verdict: Verdict
    model_verdict: Verdict | None
    confidence_adjustment: float
    reason: str
    model: str
    research_provider: str
    prompt_version: str
    searches: list[dict[str, Any]]
    dropped_sources: int
    failed: bool
    created_at: datetime
    sources: tuple[SourceRow, ...]

    @property
    def origins(self) -> int:
        """Independent origins among the sources; 0 also in validations of before these were told apart."""
        return len({source.origin for source in self.sources if source.counts and source.origin is not None})


@dataclass(frozen=True, slots=True)
class Finding:
    """What research made of one signal: a checked verdict, or the reason why there is none."""

    signal_id: int
    searches: "tuple[Search, ...]"
    verdict: "CheckedVerdict | None" = None
    standings: tuple[Standing, ...] = ()
    """What each of its sources counts for."""
    results: "Mapping[str, SearchResult]" = field(default_factory=dict)
    """What the sources rest on, by address."""
    reason: str = NOTHING_FOUND
    failed: bool = False
    """Whether research failed, rather than found nothing: it can be tried again."""


def keep_validations(session: Session, findings: Sequence[Finding], configuration: Configuration) -> None:
    """Keep what was found out about signals, with the sources that hold."""
    if not findings:
        return
    rows = [_columns(finding, configuration) for finding in findings]
    ids = session.scalars(insert(table_of(Validation)).returning(Validation.id, sort_by_parameter_order=True), rows).all()
    sources = [
        _source_columns(validation_id, standing, finding.results[standing.source.url])
        for validation_id, finding in zip(ids, findings, strict=True)
        for standing in finding.standings
    ]
    if sources:
        session.execute(insert(table_of(Source)), sources)
    made = {
        "signals": [row["signal_id"] for row in rows],
        "verdicts": [row["verdict"].value for row in rows],
        "apart": [disagreement(finding.standings, row["model_verdict"]) for row, finding in zip(rows, findings, strict=True)],
    }
    session.execute(_REPEATED, made)  # in one statement, for the roll-ups that it brings


def validated_signals(session: Session, signal_ids: Sequence[int]) -> set[int]:
    """Those of the signals whose research did not fail: the checkpoint of an article in work."""
    return set(session.scalars(select(Validation.signal_id).where(Validation.signal_id.in_(signal_ids), ~Validation.failed)))


def validations_of(session: Session, signal_id: int) -> list[ValidationRow]:
    """The validations of a signal, newest first."""
    validations = session.scalars(select(Validation).where(Validation.signal_id == signal_id).order_by(Validation.id.desc())).all()
    sources: dict[int, list[SourceRow]] = {}
    for source in session.scalars(
        select(Source).where(Source.validation_id.in_([validation.id for validation in validations])).order_by(Source.id)
    ):
        row = SourceRow(
            source.url,
            source.title,
            source.publisher,
            source.published_at,
            source.stance,
            source.authority,
            source.quote,
            source.article_id,
            source.origin,
            source.is_own,
        )
        sources.setdefault(source.validation_id, []).append(row)
    return [
        ValidationRow(
            validation.id,
            validation.verdict,
            validation.model_verdict,
            validation.confidence_adjustment,
            validation.reason,
            validation.model,
            validation.research_provider,
            validation.prompt_version,
            validation.searches["made"],
            validation.dropped_sources,
            validation.failed,
            validation.created_at,
            tuple(sources.get(validation.id, ())),
        )
        for validation in validations
    ]


def _columns(finding: Finding, configuration: Configuration) -> dict[str, Any]:
    answer = finding.verdict.answer if finding.verdict else None
    verdict = verdict_of(finding.standings)
    return {
        "signal_id": finding.signal_id,
        "verdict": verdict,
        "model_verdict": answer.verdict if answer else None,
        "confidence_adjustment": adjustment_of(verdict, answer.confidence_adjustment) if answer else 0.0,
        "reason": answer.reason if answer else finding.reason,
        "failed": finding.failed,
        "model": configuration.model,
        "research_provider": configuration.research_provider,
        "prompt_version": configuration.validation_prompt,
        "searches": {"made": [search.as_json() for search in finding.searches]},
        "dropped_sources": finding.verdict.dropped if finding.verdict else 0,
    }


def _source_columns(validation_id: int, standing: Standing, result: "SearchResult") -> dict[str, Any]:
    return {
        "validation_id": validation_id,
        "article_id": result.article_id,
        "url": result.url,
        "title": result.title,
        "publisher": result.publisher,
        "published_at": result.published_at,
        "stance": standing.source.stance,
        "authority": standing.authority,
        "quote": standing.source.quote,
        "origin": standing.origin,
        "is_own": standing.is_own,
    }
