"""Search queries that stand on their own: whoever reads one without the article knows who and when is meant. Pure.

The schema asks the model for that; where it wrote "the company" or "yesterday" all the same, it is resolved here, for nothing, from
the article's title and date.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

QUERY_AT_MOST = 400
"""Characters that Tavily takes (https://docs.tavily.com/documentation/best-practices/best-practices-search)."""

_ACTORS = (
    "company|firm|exchange|bank|fund|issuer|miner|startup|project|protocol|platform|team|agency|regulator|court|government|country|state"
    "|report|study|article|author|analyst|ceo|founder|chairman|executive|spokesperson|lawmaker|senator|president|minister|investor"
)
_VAGUE = re.compile(
    rf"\b(?:(?:the|this|that|its|their|said)\s+(?:{_ACTORS})(?:['’]s)?(?!\s+(?:of|in|for|at|behind|called|named)\b)(?!\s+(?-i:[A-Z]))"
    r"|(?:he|she|they|it)\s+(?:said|says|added|told|claims?|plans?|will|has|is)"
    r"|as\s+mentioned|mentioned\s+above|according\s+to\s+the\s+article)\b\s*",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b(?:[A-Z][\w&’'.-]*[A-Za-z0-9]|[A-Z]{2,})(?:\s+(?:[A-Z][\w&’'.-]*[A-Za-z0-9]|[A-Z]{2,}|\d+))*")
_COMMON = frozenset(
    "a an and are as at bitcoin btc but by crypto did does ethereum for from has have how if in is it of on or that the these this those to"
    " was were what when where which who whose why will with does news price report reports update why"
    " january february march april may june july"
    " august september october november december monday tuesday wednesday thursday friday saturday sunday q1 q2 q3 q4".split()
)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B} {moment.year}"


def _month(moment: datetime) -> str:
    return f"{moment:%B} {moment.year}"


def _quarter(moment: datetime) -> str:
    return f"Q{(moment.month + 2) // 3} {moment.year}"


def _months_from(moment: datetime, months: int) -> datetime:
    month = moment.year * 12 + moment.month - 1 + months
    return moment.replace(year=month // 12, month=month % 12 + 1, day=1)


_TIMES: tuple[tuple[str, Callable[[datetime], str]], ...] = (
    (r"today|tonight|this\s+(?:morning|afternoon|evening)|earlier\s+today", _day),
    (r"yesterday|last\s+night", lambda now: _day(now - timedelta(days=1))),
    (r"tomorrow", lambda now: _day(now + timedelta(days=1))),
    (r"this\s+week|(?:in\s+)?recent\s+(?:days|weeks)|the\s+past\s+(?:few\s+)?(?:days|week)", _month),
    (r"last\s+week|the\s+previous\s+week", lambda now: _month(now - timedelta(days=7))),
    (r"next\s+week", lambda now: _month(now + timedelta(days=7))),
    (r"this\s+month", _month),
    (r"last\s+month|the\s+previous\s+month", lambda now: _month(_months_from(now, -1))),
    (r"next\s+month", lambda now: _month(_months_from(now, 1))),
    (r"this\s+quarter", _quarter),
    (r"last\s+quarter|the\s+previous\s+quarter", lambda now: _quarter(_months_from(now, -3))),
    (r"next\s+quarter", lambda now: _quarter(_months_from(now, 3))),
    (r"this\s+year|year[\s-]to[\s-]date", lambda now: str(now.year)),
    (r"last\s+year|the\s+previous\s+year", lambda now: str(now.year - 1)),
    (r"next\s+year", lambda now: str(now.year + 1)),
)
_RELATIVE = [(re.compile(rf"\b(?:{words})\b", re.IGNORECASE), resolve) for words, resolve in _TIMES]
_DATED = re.compile(r"\b(?:19|20)\d\d\b")


def self_contained(query: str, title: str, published_at: datetime) -> str:
    """The query with relative times resolved from the article's date and vague actors from its title, at most ``QUERY_AT_MOST`` long.

    One that names somebody and says when, or needs no time, comes back as it is.
    """
    resolved = " ".join(query.split())
    for pattern, resolve in _RELATIVE:
        if pattern.search(resolved):
            try:
                resolved = pattern.sub(resolve(published_at), resolved)
            except (OverflowError, ValueError):  # beyond the calendar's ends
                continue
    is_vague = _VAGUE.search(resolved) is not None
    resolved = " ".join(_VAGUE.sub("", resolved).split())
    own = _names(resolved)
    if is_vague or not own:
        missing = [name for name in _names(title) if name.lower() not in resolved.lower()]
        resolved = " ".join([*missing[:3], resolved])
        if not _DATED.search(resolved):
            resolved = f"{resolved} {_month(published_at)}"
    return _shortened(resolved.strip())


def _names(text: str) -> list[str]:
    """Names of parties, places and products in a text: runs of capitalised words, without the words that any title has."""
    names = []
    for run in _NAME.findall(text):
        words = [word for word in run.split() if word.lower().strip(".'’") not in _COMMON]
        if words and not all(word.isdigit() for word in words):
            names.append(" ".join(words))
    return list(dict.fromkeys(names))


def _shortened(query: str) -> str:
    if len(query) <= QUERY_AT_MOST:
        return query
    return query[: QUERY_AT_MOST + 1].rsplit(" ", 1)[0][:QUERY_AT_MOST]
