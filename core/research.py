"""Research: what the desk's archive and the web say around a signal.

The archive (other publishers' articles around the same date, Postgres full text) is searched for every signal and is free.
The web (Tavily) is searched for the strongest signals that the archive does not settle, once a signal, up to the article's limit.
What comes back is hostile text until a quote of it was found in it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter
from sqlalchemy import Text, cast, func, literal_column, select
from sqlalchemy.orm import Session
from tavily import AsyncTavilyClient

from core import tracing
from core.agents.providers import CONNECTIONS_AT_MOST
from core.errors import SettingsError
from core.failures import ResearchRefused
from core.importers.clean_text import clean_characters
from core.kept_answers import key_of
from core.metering import Bill, Keeping, Meter
from core.models import Article, LedgerKind, Publisher
from core.queries import QUERY_AT_MOST
from core.settings import Settings

AGENT = "research"
ARCHIVE_RESULTS = 4
"""Of one signal."""
ARCHIVE_RESULTS_AN_ARTICLE = 24
ARCHIVE_WINDOW = timedelta(days=21)
WEB_RESULTS = 5
TEXT_AT_MOST = 2_000
"""Characters of one result that are looked at."""
BASIC_SEARCH_CREDITS = Decimal(1)

_COMMON = frozenset(
    """
    about after against also amid an and are article as at been before between bitcoin btc by can confirm
    confirmed could crypto did does for from had has have how in into is it its may more most new news no not of
    on or other over price report reported reports said says than that the their them they this to under up was
    were what when where which while who why will with would
    """.split()
)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One result, from the archive or the web. ``article_id`` is set for the archive."""

    url: str
    title: str
    publisher: str
    published_at: datetime | None
    text: str
    article_id: int | None = None


RESULTS = TypeAdapter(list[SearchResult])


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was made: where, with which words, and how many results came back."""

    provider: str
    query: str
    results: int

    def as_json(self) -> dict[str, Any]:
        return {"provider": self.provider, "query": self.query, "results": self.results}


# --- the archive -----------------------------------------------------------------------------------------------------


def archive_terms(query: str) -> list[str]:
    """The words of a query that are worth looking for: names, figures and rarer words, at most 12."""
    words = re.findall(r"[A-Za-z][\w’'-]*|\d[\d.,]*", query)
    kept = [word.strip("'’-.,") for word in words if word.lower() not in _COMMON and len(word) > 2]
    ranked = sorted(dict.fromkeys(kept), key=lambda word: not (word[0].isupper() or word[0].isdigit()))
    return ranked[:12]


def search_archive(session: Session, query: str, *, article_id: int, around: datetime) -> list[SearchResult]:
    """Articles of other publishers, published around ``around``, that have most of the query's words; best first."""
    terms = [lexeme for term in archive_terms(query) if (lexeme := re.sub(r"[^\w]", "", term))]
    if not terms:
        return []
    tsquery = func.to_tsquery("english", " | ".join(terms))
    own = select(Article.publisher_id).where(Article.id == article_id).scalar_subquery()
    candidates = (
        select(
            Article.id,
            Article.publisher_id,
            Article.url,
            Article.title,
            Article.published_at,
            Article.body,
            func.ts_rank(Article.search, tsquery).label("rank"),
        )
        .where(
            Article.search.op("@@")(tsquery),
            Article.published_at.between(around - ARCHIVE_WINDOW, around + ARCHIVE_WINDOW),
            Article.publisher_id != own,
            Article.is_active,
        )
        .order_by(literal_column("rank").desc())
        .limit(ARCHIVE_RESULTS)
        .subquery()
    )
    rows = session.execute(
        select(
            candidates.c.id,
            candidates.c.url,
            candidates.c.title,
            Publisher.name,
            candidates.c.published_at,
            func.left(cast(candidates.c.body, Text), 20_000),
        )
        .join(Publisher, Publisher.id == candidates.c.publisher_id)
        .order_by(candidates.c.rank.desc())
    )
    return [
        SearchResult(url or f"archive:{found_id}", title, publisher, published_at, best_passage(body, terms), found_id)
        for found_id, url, title, publisher, published_at, body in rows
    ]


def best_passage(body: str, terms: Sequence[str]) -> str:
    """The consecutive part of ``body``, at most ``TEXT_AT_MOST`` characters, with most of the terms."""
    if len(body) <= TEXT_AT_MOST:
        return body
    lower = body.lower()
    places = sorted(place.start() for term in terms for place in re.finditer(re.escape(term.lower()), lower))[:400]
    start = max(places, key=lambda first: sum(first <= other < first + TEXT_AT_MOST for other in places), default=0)
    boundary = max(body.rfind("\n", 0, start), body.rfind(". ", 0, start))
    if start - boundary <= 300:
        start = boundary + 1
    return body[start : start + TEXT_AT_MOST].strip()


# --- the web ---------------------------------------------------------------------------------------------------------


class WebSearch:
    """Tavily, for one event loop. ``async with`` it, so that its connections are closed with the loop."""

    provider = "tavily"

    def __init__(self, settings: Settings) -> None:
        """Raises: SettingsError without a key, since the client would silently go keyless."""
        if settings.tavily_api_key is None:
            raise SettingsError("Research on the web needs a key. Set TAVILY_API_KEY, or set Research to 'archive'.")
        self._http = httpx.AsyncClient(
            base_url=settings.tavily_base_url,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {settings.tavily_api_key.get_secret_value()}"},
            timeout=settings.call_timeout_seconds,
            # Few are kept: httpx looks at every idle connection at each request.
            limits=httpx.Limits(max_connections=CONNECTIONS_AT_MOST, max_keepalive_connections=16),
            event_hooks={"response": [_refuse_errors]},
        )
        self._client = AsyncTavilyClient(client=self._http)
        self._usd_per_credit = settings.tavily_usd_per_credit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def search(self, query: str, meter: Meter) -> list[SearchResult]:
        """Search, paid for through ``meter``.

        Raises:
            CallFailed, NoRoom: as ``Meter.pay``.
        """
        query = query[:QUERY_AT_MOST]

        async def make() -> Bill[list[SearchResult]]:
            answer = await self._client.search(query, search_depth="basic", topic="general", max_results=WEB_RESULTS, include_usage=True)
            credits_used = _credits(answer)
            return Bill(web_results(answer), credits_used * self._usd_per_credit, credits=credits_used)

        worst = BASIC_SEARCH_CREDITS * self._usd_per_credit
        keeping = Keeping(key_of(AGENT, query), lambda results: RESULTS.dump_json(results).decode(), RESULTS.validate_json)
        with tracing.span(f"search {self.provider}"):
            return await meter.pay(AGENT, self.provider, "tavily-basic", LedgerKind.SEARCH, worst, make, keeping)


def web_results(answer: dict[str, Any]) -> list[SearchResult]:
    """Tavily's answer as results: only http(s) addresses, text cleaned of characters that cannot be seen."""
    results = []
    for row in answer.get("results") or []:
        url = _visible(row.get("url") or "").strip()
        try:
            parts = urlsplit(url)
        except ValueError:  # such as a bracket left open
            continue
        if parts.scheme not in ("http", "https") or not parts.hostname:
            continue
        results.append(
            SearchResult(
                url=url,
                title=_visible(row.get("title") or "")[:500],
                publisher=parts.hostname.removeprefix("www."),
                published_at=_date(row.get("published_date")),
                text=_visible(row.get("content") or "")[:TEXT_AT_MOST],
            )
        )
    return results


async def _refuse_errors(response: httpx.Response) -> None:
    """Tavily's client tells fewer kinds of refusal apart than its server does."""
    if response.status_code < 400:
        return
    await response.aread()
    try:
        detail = json.loads(response.text).get("detail", {})
        message = detail.get("error") if isinstance(detail, dict) else str(detail)
    except (ValueError, AttributeError):
        message = None
    header = response.headers.get("retry-after", "")
    raise ResearchRefused(response.status_code, message or f"HTTP {response.status_code}", float(header) if header.isdigit() else None)


def _credits(answer: dict[str, Any]) -> Decimal:
    used = (answer.get("usage") or {}).get("credits")
    return Decimal(str(used)) if used is not None else BASIC_SEARCH_CREDITS


def _date(value: Any) -> datetime | None:
    if not value:
        return None
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(str(value))
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):  # no date, or one that is outside the calendar in UTC
            continue
    return None


def _visible(value: Any) -> str:
    """Text as the importer would keep it: no character that carries words which nobody sees."""
    return clean_characters(str(value))
