"""What the archive settles by itself, so that nothing is spent on the web for it. Pure, by the offline rules and the desk's own rule."""

from collections.abc import Mapping, Sequence

from core.agents.outputs import Verdict
from core.agents.signal_validation import CheckedSource
from core.articles import ArticleText
from core.models import Authority
from core.offline.validation import FoundResult, SignalQuestion, validate
from core.research import SearchResult
from core.signals import OpenSignal
from core.verdicts import standings, verdict_of

SETTLED = frozenset({Verdict.VALIDATED, Verdict.CONTRADICTED})


def settled(signal: OpenSignal, found: Sequence[SearchResult], article: ArticleText, authorities: Mapping[str, Authority]) -> bool:
    """Whether the archive's results alone confirm or refute a signal of the article.

    The offline rules read the stances: they see support only where the same fact is stated, so they settle too little rather than
    too much.
    """
    if not found:
        return False
    question = SignalQuestion(1, signal.description, signal.quotes, article.title, article.published_at, article.publisher)
    results = [FoundResult(one.url, one.title, one.publisher, one.published_at, one.text) for one in found]
    (answer,) = validate([question], results)
    sources = [CheckedSource(source.url, source.stance, source.quote) for source in answer.sources]
    return verdict_of(standings(article.body, article.publisher, sources, {one.url: one for one in found}, authorities)) in SETTLED
