"""Numbers, times and statuses in a reader's words: $0.0013, 1.2 k, 3 min, 2 h ago. Pure."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from core.budget import usd


def money(amount: Decimal | float) -> str:
    """``$1.97``; four places below ten cents."""
    return usd(Decimal(str(amount)))


def number(value: float) -> str:
    """``950``, ``1.2 k``, ``3.4 M``; what rounds to a thousand of a unit is one of the next."""
    size, unit = 1, ""
    for larger, its_unit in ((1_000, " k"), (1_000_000, " M"), (1_000_000_000, " G")):
        if round(abs(value) / size) < 1_000:
            break
        size, unit = larger, its_unit
    shown = f"{value / size:.1f}"
    return f"{shown}{unit}" if unit and abs(float(shown)) < 10 else f"{value / size:,.0f}{unit}"


def size(count: int) -> str:
    """``812 B``, ``14.2 kB``, ``239 MB`` of bytes."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}" if count < 100 * scale else f"{count / scale:,.0f} {unit}"
    return f"{count} B"


def duration(seconds: float | None) -> str:
    """``8 s``, ``3 min``, ``1 h 20 min``; "estimating…" for None."""
    if seconds is None:
        return "estimating…"
    if seconds < 1:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def ago(moment: datetime | None, now: datetime) -> str:
    """``just now``, ``5 min ago``, ``3 h ago``, ``2 d ago``, else the date; ``in 5 min``, ``in 90 d`` of what is to come."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    if seconds < -129_600:
        return f"in {round(-seconds / 86_400)} d"
    if seconds < -45:
        return f"in {duration(-seconds)}"
    if seconds < 45:
        return "just now"
    for size, unit, most in ((60, "min", 5_400), (3_600, "h", 129_600), (86_400, "d", 1_209_600)):
        if seconds < most:
            return f"{max(round(seconds / size), 1)} {unit} ago"
    return exact(moment)[:10]


def exact(moment: datetime | None) -> str:
    """``2026-11-24 13:05 UTC``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""


def when(moment: datetime | None, now: datetime) -> str:
    """HTML: how long ago it was, and under the pointer when exactly, with the time zone."""
    if moment is None:
        return "never"
    return f'<time datetime="{moment.astimezone(UTC).isoformat(timespec="seconds")}" title="{exact(moment)}">{ago(moment, now)}</time>'


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
# Streamlit makes links, icons and arrows of text after its escapes were taken off; an invisible character within stops that.
_REWRITTEN = re.compile(
    r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=\w)|(?<=:material)(?=/)|(?<=:streamlit)(?=:)|(?<=-)(?=[->])|(?<=<)(?=[-=])|(?<=[>~])(?==)",
    re.IGNORECASE,
)
WORD_JOINER = "\u2060"


def plain(text: str) -> str:
    """Text of an article or a model as Markdown that shows exactly that text: nothing in it can become markup."""
    return _MARKDOWN.sub(r"\\\1", _REWRITTEN.sub(WORD_JOINER, " ".join(text.split())))


def number_in(text: str) -> int | None:
    """The id that an address names; None for what is none, or what no database could hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def percent(share: float) -> str:
    return f"{share:.0%}"
