"""The offline rules: what reads an article when there is no model to ask.

Lexicons and patterns, no network, no randomness, no state: the same article always gives the same analysis.
Every function is a pure function of its arguments and may be called from any thread.
"""

from core.offline.analysis import analyse, promise
from core.offline.sentiment import classify_article, classify_headline, score
from core.offline.signals import find_signals
from core.offline.validation import FoundResult, SignalQuestion, validate

__all__ = [
    "FoundResult",
    "SignalQuestion",
    "analyse",
    "classify_article",
    "classify_headline",
    "find_signals",
    "promise",
    "score",
    "validate",
]
