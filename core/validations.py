"""Validations: keeping what research made of a signal, with its sources, and reading it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from core.agents.outputs import Stance, Verdict
from core.agents.signal_validation import CheckedSource, CheckedVerdict
from core.configuration import Configuration
from core.models import Authority, Signal, Source, Validation, table_of
from core.research import Search, SearchResult

NOTHING_FOUND = "The searches found nothing that bears on this signal."
HIGH_AUTHORITY = (
    "sec.gov",
    "federalreserve.gov",
    "cftc.gov",
    "treasury.gov",
    "europa.eu",
    "reuters.com",
    "bloomberg.com",
    "ft.com",
    "wsj.com",
)
MEDIUM_AUTHORITY = ("coindesk.com", "theblock.co", "cointelegraph.com", "decrypt.co", "bitcoinmagazine.com", "cnbc.com", "forbes.com")


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


@dataclass(frozen=True, slots=True)
class ValidationRow:
    """One validation of a signal with its sources."""

    id: int
    verdict: Verdict
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


def authority_of(publisher: str, *, in_archive: bool) -> Authority:
    """How much weight a source's publisher has. The desk's own archive counts as medium: its publishers were chosen."""
    domain = publisher.lower()
    if any(domain == known or domain.endswith(f".{known}") for known in HIGH_AUTHORITY):
        return Authority.HIGH
    if in_archive or any(domain == known or domain.endswith(f".{known}") for known in MEDIUM_AUTHORITY):
        return Authority.MEDIUM
    return Authority.LOW


@dataclass(frozen=True, slots=True)
class Finding:
    """What research made of one signal: a checked verdict, or the reason why there is none."""

    signal_id: int
    searches: tuple[Search, ...]
    verdict: CheckedVerdict | None = None
    results: Mapping[str, SearchResult] = field(default_factory=dict)
    """What the verdict's sources rest on, by address."""
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
        _source_columns(validation_id, source, finding.results[source.url])
        for validation_id, finding in zip(ids, findings, strict=True)
        if finding.verdict is not None
        for source in finding.verdict.sources
    ]
    if sources:
        session.execute(insert(table_of(Source)), sources)
    table = table_of(Signal)
    verdicts = [{"signal": row["signal_id"], "made": row["verdict"]} for row in rows]
    session.connection().execute(update(table).where(table.c.id == bindparam("signal")).values(verdict=bindparam("made")), verdicts)


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
        )
        sources.setdefault(source.validation_id, []).append(row)
    return [
        ValidationRow(
            validation.id,
            validation.verdict,
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
    return {
        "signal_id": finding.signal_id,
        "verdict": answer.verdict if answer else Verdict.INSUFFICIENT_DATA,
        "confidence_adjustment": answer.confidence_adjustment if answer else 0.0,
        "reason": answer.reason if answer else finding.reason,
        "failed": finding.failed,
        "model": configuration.model,
        "research_provider": configuration.research_provider,
        "prompt_version": configuration.validation_prompt,
        "searches": {"made": [search.as_json() for search in finding.searches]},
        "dropped_sources": finding.verdict.dropped if finding.verdict else 0,
    }


def _source_columns(validation_id: int, source: CheckedSource, result: SearchResult) -> dict[str, Any]:
    return {
        "validation_id": validation_id,
        "article_id": result.article_id,
        "url": result.url,
        "title": result.title,
        "publisher": result.publisher,
        "published_at": result.published_at,
        "stance": source.stance,
        "authority": authority_of(result.publisher, in_archive=result.article_id is not None),
        "quote": source.quote,
    }
