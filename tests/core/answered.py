"""What a model may have answered, and what the desk then keeps: values for tests that begin after content analysis."""

from datetime import datetime
from typing import Any

from sqlalchemy import update

from core import batch_actions, launching
from core.access import local
from core.agents.outputs import CitedSource, ContentAnalysis, FoundSignal, SignalVerdict, Stance, Verdict
from core.agents.signal_validation import CheckedSource, CheckedVerdict
from core.articles import get_article
from core.configuration import Configuration, Desk
from core.evidence import Text, ground
from core.models import Authority, BatchRecord, RecordStatus
from core.research import Search, SearchResult
from core.selection import Selection
from core.settings import Settings
from core.signals import NewAnalysis, complete_analyses, keep_analyses
from core.validations import Finding, keep_validations
from core.verdicts import standings
from tests.conftest import NOW

OPENING = "(the article's first words)"


def a_signal(*evidence: str, **values: Any) -> FoundSignal:
    """A signal as a model gives it; a keyword replaces a field. Without evidence, ``keep`` quotes the article's first words."""
    usual: dict[str, Any] = {
        "kind": "weak_signal",
        "category": "mining",
        "description": "A miner moves coins.",
        "implications": "It may sell.",
        "timeframe": "short-term",
        "confidence": 0.6,
        "evidence": list(evidence) or [OPENING],
        "research_query": "Harbour Mining moved 4,100 BTC",
    }
    return FoundSignal(**(usual | values))


def an_analysis(*signals: FoundSignal, **values: Any) -> ContentAnalysis:
    """An analysis as a model gives it."""
    usual: dict[str, Any] = {
        "sentiment": "NEUTRAL",
        "impact": 0.4,
        "summary": "A miner moved coins.",
        "context": "Miners sell to pay for power.",
        "signal_strength": 0.5,
        "uniqueness": 0.5,
        "confidence": 0.7,
        "signals": list(signals),
    }
    return ContentAnalysis(**(usual | values))


def keep(desk: Desk, article_id: int, *signals: FoundSignal, settings: Settings | None = None, completed: bool = True) -> list[int]:
    """Launch the article, keep an analysis with these signals, end the record; returns the ids of the signals."""
    settings = settings or desk.environment
    with desk.database.session() as session:
        article = get_article(session, article_id)
        batch_id = launching.launch(session, Selection.of_ids([article_id]), settings, by=local("ada"), now=NOW)
        opening = {"evidence": [article.body[:40]]}
        quoted = [signal.model_copy(update=opening) if signal.evidence == [OPENING] else signal for signal in signals]
        analysis = an_analysis(*quoted)
        new = NewAnalysis(article_id, article.content_hash, analysis, ground(analysis, Text(article.body)))
        ((analysis_id, found),) = keep_analyses(session, [new], batch_id, Configuration.of(settings))
        if completed:
            complete_analyses(session, [analysis_id], now=NOW)
        session.execute(update(BatchRecord).where(BatchRecord.batch_id == batch_id).values(status=RecordStatus.COMPLETED))
        batch_actions.finish_if_done(session, batch_id, now=NOW)
        return [signal.id for signal in found]


def validated(desk: Desk, signal_id: int, published_at: datetime | None = NOW, **values: Any) -> None:
    """Keep a validation of the signal by one page of medium authority, which supports it unless confidence is to fall.

    A keyword replaces a field of the verdict.
    """
    stance = Stance.CONTRADICTS if values.get("confidence_adjustment", 0) < 0 else Stance.SUPPORTS
    found = SearchResult("https://a.example/1", "Confirmed", "a.example", published_at, "The company confirmed the transfer.")
    cited = CitedSource(url=found.url, stance=stance, quote="confirmed the transfer")
    usual = {"signal": 1, "verdict": Verdict.VALIDATED, "confidence_adjustment": 0.25, "reason": "They say so.", "sources": [cited]}
    answer = SignalVerdict(**(usual | values))
    sources = [CheckedSource(one.url, one.stance, one.quote) for one in answer.sources]
    counted = standings("Another text.", "CoinDesk", sources, {found.url: found}, {"a.example": Authority.MEDIUM})
    verdict = CheckedVerdict(answer, tuple(sources), 0)
    finding = Finding(signal_id, (Search("archive", "query", 1),), verdict, counted, {found.url: found})
    desk.transaction(lambda session: keep_validations(session, [finding], Configuration.of(desk.environment)))
