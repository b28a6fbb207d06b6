"""What the archive settles by itself, so that nothing is spent on the web for it. Pure, by the offline rules and the desk's own rule."""

import re
from collections.abc import Mapping, Sequence

from core.agents.outputs import Stance, Verdict
from core.agents.signal_validation import CheckedSource
from core.articles import ArticleText
from core.models import Authority
from core.offline.validation import FoundResult, SignalQuestion, validate
from core.research import SearchResult, archive_terms
from core.signals import OpenSignal
from core.verdicts import standings, verdict_of

SETTLED = frozenset({Verdict.VALIDATED, Verdict.CONTRADICTED})


SENTENCES = 2
"""Of one page that the rules look at."""
_SENTENCE_END = re.compile(r"(?<=[.!?])[”\"’')]*\s+|\n+")


def settled(signal: OpenSignal, found: Sequence[SearchResult], article: ArticleText, authorities: Mapping[str, Authority]) -> bool:
    """Whether the archive's results alone confirm or refute a signal of the article.

    The offline rules read the stances: they see support only where the same fact is stated, so they settle too little rather than
    too much.
    """
    terms = [term.lower() for term in archive_terms(" ".join([*signal.quotes, signal.description]))]
    telling = {one.url: text for one in found if (text := _telling(one.text, terms))}
    if not telling:
        return False
    question = SignalQuestion(1, signal.description, signal.quotes, article.title, article.published_at, article.publisher)
    results = [FoundResult(one.url, one.title, one.publisher, one.published_at, telling[one.url]) for one in found if one.url in telling]
    (answer,) = validate([question], results)
    sources = [CheckedSource(source.url, source.stance, source.quote) for source in answer.sources]
    if all(source.stance is Stance.NEUTRAL for source in sources):
        return False  # whatever their origins
    return verdict_of(standings(article.body, article.publisher, sources, {one.url: one for one in found}, authorities)) in SETTLED


def _telling(text: str, terms: Sequence[str]) -> str:
    """The sentences with most of the signal's names and figures, and two at least; others hardly state or deny its fact.

    The rules take half a millisecond a sentence, of which this leaves a few.
    """
    counted = [(sum(term in lower for term in terms), one) for one in _SENTENCE_END.split(text) if (lower := one.lower())]
    best = sorted(counted, key=lambda one: -one[0])[:SENTENCES]
    return "\n\n".join(sentence for count, sentence in best if count >= 2)
