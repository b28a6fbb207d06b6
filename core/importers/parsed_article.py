"""One article as a source gave it, after cleaning and before the database; and one row that could not become an article.

Pure values: any thread may build, compare and read them.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from w3lib.url import canonicalize_url

from core.articles import publisher_key

MAX_TITLE = 1_000
MAX_BODY = 500_000
MAX_URL = 2_048
# A Postgres btree entry must stay below 2,704 bytes, and a character can take four.
MAX_IDENTITY_KEY = 500

_TRACKING = re.compile(
    r"(?:utm_|mtm_|pk_|piwik_|hsa_|oly_|vero_|at_custom|fb_action_|guce_referrer).*|_ga|_gl|_hsenc|_hsmi|__twitter_impression|amp"
    r"|at_campaign|at_medium|cmp|cmpid|cmp_id|dclid|fbclid|gbraid|gclid|gclsrc|guccounter|igsh|igshid|ito|li_fat_id|mc_cid|mc_eid|mkt_tok"
    r"|msclkid|ncid|ocid|outputtype|ref|ref_src|ref_url|referer|referrer|rss|s_cid|sc_channel|smid|soc_src|soc_trk|spm|sr_share|src_trk"
    r"|trk|ttclid|twclid|wbraid|wt_mc|xtor|yclid",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParsedArticle:
    """A cleaned article. ``body`` is plain text whose paragraphs are separated by blank lines; ``published_at`` is aware UTC."""

    title: str
    body: str
    publisher: str
    published_at: datetime
    url: str | None = None
    external_id: str | None = None  # "<provider>:<its number>", such as "coindesk:52473886"
    guid: str | None = None  # unique within one publisher
    row_key: str | None = None  # of another database's row: "<database>:<its key>"
    subtitle: str | None = None
    authors: str | None = None
    language: str = "en"
    keywords: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    sentiment: str | None = None  # the provider's own POSITIVE, NEGATIVE or NEUTRAL
    active: bool = True
    is_sample: bool = False

    @property
    def identity_keys(self) -> tuple[str, ...]:
        """Canonical identifiers, strongest first; sharing any one of them makes two articles the same article.

        A key is at most 500 characters; a longer one is replaced by its SHA-256.
        """
        keys = [f"row:{self.row_key}"] if self.row_key else []
        if self.url and (address := canonical_url(self.url)):
            keys.append(f"url:{address}")
        if self.external_id:
            keys.append(f"id:{self.external_id}")
        if self.guid:
            if self.guid.lower().startswith(("http://", "https://")):
                if address := canonical_url(self.guid):
                    keys.append(f"url:{address}")
            else:
                keys.append(f"guid:{publisher_key(self.publisher)}:{self.guid}")
        return tuple(dict.fromkeys(_shortened(key) for key in keys))

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) over everything whose change counts as an update.

        Identifiers, the address and the publisher's spelling are left out: they differ between two deliveries of the same
        article (tracking parameters, "coindesk" and "CoinDesk"). The order of keywords and categories does not count.
        """
        content = [
            self.title,
            self.subtitle or "",
            self.body,
            self.published_at.isoformat(),
            self.authors or "",
            self.language,
            sorted(self.keywords),
            sorted(self.categories),
            self.sentiment or "",
            self.active,
        ]
        return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of a source that is no article. ``row`` counts from 1 (a line of JSONL, a data row of CSV, an entry of a feed)."""

    source: str
    row: int
    reason: str
    title: str = ""
    excerpt: str = ""


def reasons(rejected: Iterable[RejectedRow]) -> dict[str, int]:
    """How many rows were rejected for each reason, most frequent first."""
    counts = Counter(row.reason.split(":")[0] for row in rejected)
    return dict(counts.most_common())


def canonical_url(url: str) -> str | None:
    """The form of an article's address in which two spellings of it are equal, or None.

    https for http, lowercase host without "www." and default port, no fragment, no trailing slash, no tracking parameters,
    sorted query. None for what is no http(s) address, and for a site's front page: it names no article, and some feeds
    give it for every entry.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip(".").removeprefix("www."), parts.port
        if parts.scheme.lower() not in ("http", "https") or not host:
            return None
        if ":" in host:
            host = f"[{host}]"
        netloc = host if port in (None, 80, 443) else f"{host}:{port}"
        query = urlencode(_without_tracking(parse_qsl(parts.query, keep_blank_values=True)))
        path = parts.path.rstrip("/")
        if not path and not query:
            return None
        return canonicalize_url(f"https://{netloc}{path}?{query}").rstrip("/?")
    except (ValueError, UnicodeError):  # a bracket without its pair, a port of 99999, a host that is no IDNA name
        return None


def shown_address(url: str) -> str:
    """An address as a message or a log may show it: without its query, which may hold a token."""
    parts = urlsplit(url)
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return "".join(c for c in text[:300] if c.isprintable())


def web_address(url: str) -> str | None:
    """``url`` when it is an http(s) address that may be shown as a link (a host, no credentials, no spaces), else None."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        return None
    return url if usable and len(url) <= MAX_URL and not any(c.isspace() or c in '<>"\\' for c in url) else None


def _without_tracking(query: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(k, v) for k, v in query if not _TRACKING.fullmatch(k)]


def _shortened(key: str) -> str:
    if len(key) <= MAX_IDENTITY_KEY:
        return key
    return f"{key.partition(':')[0]}:sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
