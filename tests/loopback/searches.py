"""What the loopback Tavily and CoinDesk answer. Pure: a query in, invented results out, the same for the same seed.

Publishers and articles are invented and live on ``.example``. For a query, some results support it (its words and
figures come back), some dispute it, some have nothing to do with it, and some are copies of one another.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random
from typing import Any

MAX_QUERY = 400
FIGURE = re.compile(r"[$€£]?\d[\d,.]*\d%?|\d+%?")
ISO_DATE = re.compile(r"\b(20\d\d)-(\d\d)-(\d\d)\b")
LATEST = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)
PUBLISHERS = (
    ("Harbour Ledger", "harbourledger.example"),
    ("Chainwright", "chainwright.example"),
    ("The Satoshi Courier", "satoshicourier.example"),
    ("Northgate Markets", "northgatemarkets.example"),
    ("Blockfield Review", "blockfieldreview.example"),
    ("Mempool Gazette", "mempoolgazette.example"),
    ("Coinstead", "coinstead.example"),
    ("Ridge & Reserve", "ridgeandreserve.example"),
)
ASIDES = (
    ("Ferry timetable changes for the winter", "Boats to the outer islands leave twenty minutes later until March."),
    ("A choir finds its voice again", "After two quiet years the town choir sings on Thursdays, and newcomers are welcome."),
    ("Pruning apple trees in a wet autumn", "Gardeners are advised to wait for a dry week before they cut."),
    ("Museum reopens its clock room", "Forty restored clocks strike the hour together, a little apart."),
)


def search(request: dict[str, Any], seed: int = 7, empty: bool = False, page_texts: Sequence[str] = ()) -> dict[str, Any]:
    """Answer a Tavily ``/search`` body, without ``request_id`` and ``response_time``. Each result's page has one of ``page_texts`` too."""
    query = request["query"]
    rng = Random(hashlib.sha256(f"{seed}\0{query}".encode()).digest())
    wanted = 0 if empty else min(int(request.get("max_results") or 5), 20)
    domains = [pair for pair in PUBLISHERS if pair[1] not in (request.get("exclude_domains") or ())]
    domains = [(domain.split(".")[0].title(), domain) for domain in request.get("include_domains") or ()] or domains or list(PUBLISHERS)
    rng.shuffle(domains)
    results: list[dict[str, Any]] = []
    for index in range(wanted):
        publisher, domain = domains[index % len(domains)]
        kind = rng.choices(("supports", "disputes", "aside", "copy"), (45, 22, 18, 15))[0]
        told = [result for result in results if result["score"] > 0.5]
        title, content = _told(query, publisher, kind, told, rng)
        if page_texts:
            more = rng.choice(page_texts)
            title, content = f"{title} {more}", f"{content}\n\n{more}"
        published = _published(request, query, rng)
        score = round(rng.uniform(0.05, 0.3) if kind == "aside" else 0.98 - 0.05 * index - rng.random() / 100, 6)
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]
        result = {
            "url": f"https://{domain}/{published:%Y/%m}/{slug}-{rng.randrange(16**6):06x}",
            "title": title,
            "content": content,
            "score": max(score, 0.05),
            "raw_content": f"{title}\n\n{content}" if request.get("include_raw_content") else None,
        }
        if request.get("topic") == "news":
            result["published_date"] = format_datetime(published, usegmt=True)
        results.append(result)
    results.sort(key=lambda result: -result["score"])
    answer: dict[str, Any] = {
        "query": query,
        "follow_up_questions": None,
        "answer": (results[0]["content"] if results else "") if request.get("include_answer") else None,
        "images": [],
        "results": results,
    }
    if request.get("include_usage"):
        answer["usage"] = {"credits": credits_for(request)}
    return answer


def credits_for(request: dict[str, Any]) -> int:
    """What a search costs: two credits when advanced, one otherwise."""
    return 2 if request.get("search_depth") == "advanced" else 1


def _told(query: str, publisher: str, kind: str, told: Sequence[dict[str, Any]], rng: Random) -> tuple[str, str]:
    terms = query.strip().rstrip(".?!")
    figures = FIGURE.findall(ISO_DATE.sub("", terms))
    if kind == "copy" and told:
        original = rng.choice(told)
        return original["title"], original["content"]
    if kind == "aside":
        return rng.choice(ASIDES)
    if kind == "disputes":
        other = [figure.translate(str.maketrans("123456789", "987654321")) for figure in figures]
        numbers = f" The records put it at {', '.join(other)}, not {', '.join(figures)}." if figures else ""
        return (
            f"Doubts over a report: {terms[:80]}",
            f"A spokesperson denied the account of {terms}.{numbers} {publisher} found no evidence of it in public filings.",
        )
    numbers = f" Documents seen by {publisher} give the figures as {', '.join(figures)}." if figures else ""
    return (
        f"Confirmed: {terms[:80]}",
        f"{publisher} has confirmed the account of {terms}.{numbers} Two desks that follow the matter reported the same.",
    )


def _published(request: dict[str, Any], query: str, rng: Random) -> datetime:
    """Around a date named in the query, else within the dates asked for, else in the weeks before ``LATEST``."""
    if named := ISO_DATE.search(query):
        try:
            return datetime(*map(int, named.groups()), 12, tzinfo=UTC) + timedelta(hours=rng.randint(-48, 72))  # type: ignore[misc, arg-type]
        except ValueError:
            pass
    last = datetime.fromisoformat(request["end_date"]).replace(tzinfo=UTC) if request.get("end_date") else LATEST
    first = datetime.fromisoformat(request["start_date"]).replace(tzinfo=UTC) if request.get("start_date") else last - timedelta(days=30)
    return first + (last - first) * rng.random()


def article_list(articles: Sequence[dict[str, Any]], to_ts: int | None, limit: int, sources: Iterable[str] = ()) -> dict[str, Any]:
    """A page of CoinDesk's ``/news/v1/article/list``: the newest ``limit`` articles not after ``to_ts`` (inclusive)."""
    keys = set(sources)
    page = [
        article
        for article in articles
        if (to_ts is None or article["PUBLISHED_ON"] <= to_ts) and (not keys or article["SOURCE_DATA"]["SOURCE_KEY"] in keys)
    ]
    return {"Data": page[:limit], "Err": {}}


def read_articles(path: str | Path) -> list[dict[str, Any]]:
    """Articles from JSON or JSONL (``.gz`` too), CoinDesk's own form or ``{title, body, url, published, source}``, newest first."""
    path = Path(path)
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    try:
        whole = json.loads(text)
        rows = whole.get("Data", [whole]) if isinstance(whole, dict) else whole
    except ValueError:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    wired = [row if "PUBLISHED_ON" in row else _wired(number=index, **_plain(row)) for index, row in enumerate(rows, start=1)]
    return sorted(wired, key=lambda article: -article["PUBLISHED_ON"])


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    published = datetime.fromisoformat(str(row.get("published") or row.get("published_at") or LATEST))
    published = published if published.tzinfo else published.replace(tzinfo=UTC)
    source = row.get("source") or row.get("publisher") or "Unnamed"
    return {"title": row["title"], "body": row.get("body") or "", "url": row["url"], "published": published, "source": source}


def _wired(*, number: int, title: str, body: str, url: str, published: datetime, source: str) -> dict[str, Any]:
    stamp = int(published.timestamp())
    key = re.sub(r"[^a-z0-9]", "", source.lower())
    return {
        "TYPE": "121",
        "ID": 70_000_000 + number,
        "GUID": url,
        "PUBLISHED_ON": stamp,
        "PUBLISHED_ON_NS": None,
        "IMAGE_URL": "",
        "TITLE": title,
        "SUBTITLE": "",
        "AUTHORS": "A. Writer",
        "URL": url,
        "SOURCE_ID": 9_000 + len(key),
        "BODY": body,
        "KEYWORDS": "BTC|Market",
        "LANG": "EN",
        "UPVOTES": 0,
        "DOWNVOTES": 0,
        "SCORE": 0,
        "SENTIMENT": "NEUTRAL",
        "STATUS": "ACTIVE",
        "CREATED_ON": stamp + 60,
        "UPDATED_ON": stamp + 60,
        "SOURCE_DATA": {
            "TYPE": "120",
            "ID": 9_000 + len(key),
            "SOURCE_KEY": key,
            "NAME": source,
            "LANG": "EN",
            "SOURCE_TYPE": "RSS",
            "STATUS": "ACTIVE",
        },
        "CATEGORY_DATA": [{"TYPE": "122", "ID": 14, "NAME": "BTC", "CATEGORY": "BTC"}],
    }


ACTORS = (
    "Larkfield Mining",
    "the Port Assay Exchange",
    "Brindle Capital",
    "the Vesper Island regulator",
    "Tallow Custody",
    "Quarry Street Bank",
)
PLACES = ("Norhaven", "Port Assay", "the Vesper Islands", "Lower Brindle", "Castle Quay")
DEEDS = (
    "moved {btc:,} BTC out of cold storage in {place} before the market opened",
    "cut its hash rate in {place} by {share}% after a new power tariff",
    "asked for a licence to settle invoices of ${usd} million in bitcoin",
    "disclosed a loss of ${usd} million on a hedge that matched no known position",
    "signed a {share}-month contract to heat a greenhouse in {place} with mining machines",
    "reported that {share}% of withdrawals in {place} went to addresses less than a week old",
)


def invented_articles(count: int = 24, seed: int = 7, chars: int = 2_400) -> list[dict[str, Any]]:
    """Articles in CoinDesk's form about nobody, each with a body of at least ``chars`` characters, newest first."""
    return list(_invent(count, Random(seed), chars))


def _invent(count: int, rng: Random, chars: int) -> Iterator[dict[str, Any]]:
    def deed(actor: str) -> str:
        what = rng.choice(DEEDS).format(
            btc=rng.randint(90, 9_000), share=rng.randint(3, 48), usd=rng.randint(2, 900), place=rng.choice(PLACES)
        )
        return f"{actor[:1].upper()}{actor[1:]} {what}."

    for number in range(1, count + 1):
        actor = rng.choice(ACTORS)
        headline = deed(actor)
        paragraphs = [headline]
        while sum(len(paragraph) + 2 for paragraph in paragraphs) < chars:
            day = f"On day {rng.randint(1, 28)} of the month"
            paragraphs.append(f"{deed(rng.choice(ACTORS))} {day}, traders in {rng.choice(PLACES)} noticed. {deed(actor)}")
        publisher, domain = rng.choice(PUBLISHERS)
        yield _wired(
            number=number,
            title=headline.rstrip("."),
            body="\n\n".join(paragraphs),
            url=f"https://{domain}/news/{number}-{rng.randrange(16**6):06x}",
            published=LATEST - timedelta(hours=3 * number),
            source=publisher,
        )
