"""Validations: keeping what research made of a signal, with its sources, and reading it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.agents.outputs import Stance, Verdict
from core.agents.signal_validation import CheckedVerdict
from core.configuration import Configuration
from core.models import Authority, Signal, Source, Validation
from core.research import Search, SearchResult

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


def keep_validation(
    session: Session,
    signal_id: int,
    checked: CheckedVerdict,
    results: Sequence[SearchResult],
    searches: Sequence[Search],
    configuration: Configuration,
) -> None:
    """Keep a verdict with the sources that hold."""
    by_url = {result.url: result for result in results}
    validation = _keep(
        session,
        signal_id,
        checked.answer.verdict,
        checked.answer.confidence_adjustment,
        checked.answer.reason,
        configuration,
        searches,
        checked.dropped,
    )
    session.add_all(
        Source(
            validation_id=validation.id,
            article_id=(result := by_url[source.url]).article_id,
            url=result.url,
            title=result.title,
            publisher=result.publisher,
            published_at=result.published_at,
            stance=source.stance,
            authority=authority_of(result.publisher, in_archive=result.article_id is not None),
            quote=source.quote,
        )
        for source in checked.sources
    )


def keep_insufficient(session: Session, signal_id: int, reason: str, searches: Sequence[Search], configuration: Configuration) -> None:
    """Nothing could be found out: say so, and why."""
    _keep(session, signal_id, Verdict.INSUFFICIENT_DATA, 0.0, reason, configuration, searches, 0)


def validated_signals(session: Session, signal_ids: Sequence[int]) -> set[int]:
    """Those of the signals that have a validation: the checkpoint of an article in work."""
    return set(session.scalars(select(Validation.signal_id).where(Validation.signal_id.in_(signal_ids))))


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
            validation.created_at,
            tuple(sources.get(validation.id, ())),
        )
        for validation in validations
    ]


def _keep(
    session: Session,
    signal_id: int,
    verdict: Verdict,
    adjustment: float,
    reason: str,
    configuration: Configuration,
    searches: Sequence[Search],
    dropped: int,
) -> Validation:
    validation = Validation(
        signal_id=signal_id,
        verdict=verdict,
        confidence_adjustment=adjustment,
        reason=reason,
        model=configuration.model,
        research_provider=configuration.research_provider,
        prompt_version=configuration.validation_prompt,
        searches={"made": [search.as_json() for search in searches]},
        dropped_sources=dropped,
    )
    session.add(validation)
    session.flush()
    session.execute(update(Signal).where(Signal.id == signal_id).values(verdict=verdict))
    return validation
