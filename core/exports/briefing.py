"""The briefing: accepted signals as one HTML file for reading and printing. No scripts, nothing from elsewhere, all text escaped."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from core.agents.outputs import SignalKind, Verdict
from core.exports.manifest import Manifest
from core.exports.rows import Export, Row, export_rows, spans
from core.figures import unsupported

if TYPE_CHECKING:
    from jinja2 import Template

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


def briefing(session: Session, export: Export, manifest: Manifest) -> Iterator[str]:
    """The page, piece by piece: kind by kind, within each in the filter's order."""
    found = {span.kind: span for span in spans(session, export.filter)}

    def read(kind: SignalKind) -> Iterator[Row]:
        return map(_as_read, export_rows(session, replace(export, signals=export.signals.model_copy(update={"kinds": (kind,)}))))

    stream = _template().stream(
        groups=((kind.value, heading, found[kind].count, read(kind)) for kind, heading in HEADINGS.items() if kind in found),
        period=_period(min(span.first for span in found.values()), max(span.last for span in found.values())) if found else "",
        made_at=datetime.fromisoformat(manifest.made_at),
        manifest=manifest,
    )
    stream.enable_buffering(200)
    return stream


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
        "sources": [source | {"published_at": _moment(source["published_at"])} for source in row["sources"] or ()],
        "verdict_name": VERDICTS.get(row["verdict"]),
    }


def web_address(url: str | None) -> str | None:
    """The address if it is one of the web's, else None: ``javascript:`` and its like are not linked."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


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
    return environment.get_template("briefing.html")
