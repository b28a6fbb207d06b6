"""The briefing: accepted signals as one HTML file for reading and printing. No scripts, nothing from elsewhere, all text escaped."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.agents.outputs import SignalKind, Stance, Verdict
from core.exports.manifest import Manifest
from core.figures import unsupported

if TYPE_CHECKING:
    from jinja2 import Template

Row = dict[str, Any]

HEADINGS = {
    SignalKind.WEAK_SIGNAL: "Weak signals",
    SignalKind.PATTERN_ANOMALY: "Pattern anomalies",
    SignalKind.ADJACENT_CONNECTION: "Adjacent connections",
    SignalKind.NARRATIVE_GAP: "Narrative gaps",
    SignalKind.EDGE_INDICATOR: "Edge indicators",
}
VERDICTS = {
    Verdict.VALIDATED: "Validated",
    Verdict.CONTRADICTED: "Contradicted",
    Verdict.INCONCLUSIVE: "Inconclusive",
    Verdict.INSUFFICIENT_DATA: "Not enough data",
}
STANCES = {Stance.SUPPORTS: "supports", Stance.CONTRADICTS: "contradicts", Stance.NEUTRAL: "neutral"}


def briefing(rows: Iterable[Row], manifest: Manifest) -> Iterator[str]:
    """The page, piece by piece. ``rows`` are of the signals' export, in the order in which they are to be read within their kind."""
    kinds: dict[SignalKind, list[Row]] = {kind: [] for kind in HEADINGS}
    for row in rows:
        kinds[row["kind"]].append(_as_read(row))
    signals = [row for found in kinds.values() for row in found]
    dates = [row["published_at"] for row in signals]
    facts = {
        "groups": [(kind.value, HEADINGS[kind], found) for kind, found in kinds.items() if found],
        "count": len(signals),
        "articles": len({row["article_id"] for row in signals}),
        "period": _period(min(dates), max(dates)) if dates else "",
        "made_at": datetime.fromisoformat(manifest.made_at),
        "manifest": manifest,
    }
    return _template().generate(facts)


def _as_read(row: Row) -> Row:
    """A signal as the reader gets it: as corrected, with the original beside it where it was."""
    description = row["corrected_description"] or row["description"]
    quotes = [quote["quote"] for quote in row["evidence"]]
    return row | {
        "description": description,
        "category": row["corrected_category"] or row["category"],
        "timeframe": row["corrected_timeframe"] or row["timeframe"],
        "found": [
            (name, row[name])
            for name in ("description", "category", "timeframe")
            if row[f"corrected_{name}"] and row[f"corrected_{name}"] != row[name]
        ],
        "unsupported": unsupported(description, quotes),
        "verdict_name": VERDICTS.get(row["verdict"]),
    }


def web_address(url: str | None) -> str | None:
    """The address if it is one of the web's, else None: ``javascript:`` and its like are not linked."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def _day(moment: datetime) -> str:
    at = moment.astimezone(UTC)
    return f"{at.day} {at:%B %Y}"


def _time(moment: datetime) -> str:
    at = moment.astimezone(UTC)
    return f"{_day(at)}, {at:%H:%M} UTC"


def _period(first: datetime, last: datetime) -> str:
    return _day(first) if _day(first) == _day(last) else f"{_day(first)} to {_day(last)}"


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only a briefing needs it

    environment = Environment(
        loader=PackageLoader("core.exports", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"day": _day, "time": _time, "web_address": web_address}
    environment.globals |= {"stances": STANCES}
    return environment.get_template("briefing.html")
