"""One table of colours, names and icons, which every page and chart reads.

The colours of kinds and series are for lines, bars and backgrounds, on light and dark alike: 3:1 against both (WCAG 1.4.11), and at
least 24 apart in CIE Lab for readers with normal, protan, deutan and tritan sight (Machado, Oliveira and Fernandes 2009); Okabe and
Ito's own five are 17 apart, and their yellow has 2.2:1 on white. Badges take their colours by name from the theme in
``.streamlit/config.toml``, where text on each has 4.5:1. ``tests/console/test_colours.py`` measures all of it.
"""

from typing import Literal

from core.access import Role
from core.agents.outputs import Sentiment, SignalKind, Stance, Verdict
from core.models import BatchStatus, Decision, LedgerStatus, RecordStatus, ReviewAct

BadgeColour = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray"]
Look = tuple[str, BadgeColour, str]
"""Name, colour and icon."""

KIND_COLOURS = {
    SignalKind.WEAK_SIGNAL: "#1C5FCC",
    SignalKind.PATTERN_ANOMALY: "#9C4D24",
    SignalKind.ADJACENT_CONNECTION: "#00A56E",
    SignalKind.NARRATIVE_GAP: "#C7148A",
    SignalKind.EDGE_INDICATOR: "#A99001",
}
KIND_NAMES = {kind: kind.value.replace("_", " ") for kind in SignalKind}
KIND_ICONS = {
    SignalKind.WEAK_SIGNAL: ":material/sensors:",
    SignalKind.PATTERN_ANOMALY: ":material/ssid_chart:",
    SignalKind.ADJACENT_CONNECTION: ":material/hub:",
    SignalKind.NARRATIVE_GAP: ":material/help_center:",
    SignalKind.EDGE_INDICATOR: ":material/explore:",
}
SENTIMENT_COLOURS = {
    Sentiment.POSITIVE: "#00A56E",
    Sentiment.MIXED: "#A99001",
    Sentiment.NEUTRAL: "#1C5FCC",
    Sentiment.NEGATIVE: "#9C4D24",
}
SENTIMENT_NAMES = {sentiment: sentiment.value.lower() for sentiment in Sentiment}
PRICE_COLOUR = "#7A7A7A"
UNREAD_COLOUR = "rgba(122, 122, 122, 0.4)"
"""Of articles that were not analysed."""
BADGES: dict[Verdict | Decision | ReviewAct | BatchStatus | LedgerStatus | Stance | Sentiment | Role, Look] = {
    Verdict.VALIDATED: ("validated", "green", ":material/verified:"),
    Verdict.CONTRADICTED: ("contradicted", "red", ":material/gpp_bad:"),
    Verdict.INCONCLUSIVE: ("inconclusive", "orange", ":material/contrast:"),
    Verdict.INSUFFICIENT_DATA: ("insufficient data", "gray", ":material/search_off:"),
    Decision.ACCEPTED: ("accepted", "green", ":material/thumb_up:"),
    Decision.REJECTED: ("rejected", "red", ":material/thumb_down:"),
    Decision.UNSURE: ("unsure", "orange", ":material/question_mark:"),
    Decision.WITHDRAWN: ("undecided", "gray", ":material/undo:"),
    ReviewAct.CORRECTION: ("corrected", "violet", ":material/edit:"),
    ReviewAct.NOTE: ("noted", "blue", ":material/sticky_note_2:"),
    ReviewAct.UNDO: ("undone", "gray", ":material/undo:"),
    BatchStatus.INITIATED: ("starting", "blue", ":material/hourglass_top:"),
    BatchStatus.PROCESSING: ("running", "blue", ":material/play_arrow:"),
    BatchStatus.PAUSED: ("paused", "orange", ":material/pause:"),
    BatchStatus.COMPLETED: ("completed", "green", ":material/check_circle:"),
    BatchStatus.FAILED: ("failed", "red", ":material/error:"),
    BatchStatus.CANCELLED: ("cancelled", "gray", ":material/cancel:"),
    LedgerStatus.RESERVED: ("reserved", "blue", ":material/hourglass_top:"),
    LedgerStatus.SETTLED: ("settled", "green", ":material/check_circle:"),
    LedgerStatus.RELEASED: ("not billed", "gray", ":material/undo:"),
    LedgerStatus.UNKNOWN: ("unknown: worst case", "orange", ":material/help:"),
    Stance.SUPPORTS: ("supports", "green", ":material/arrow_upward:"),
    Stance.CONTRADICTS: ("contradicts", "red", ":material/arrow_downward:"),
    Stance.NEUTRAL: ("neutral", "gray", ":material/circle:"),
    Sentiment.POSITIVE: ("positive", "green", ":material/trending_up:"),
    Sentiment.NEGATIVE: ("negative", "red", ":material/trending_down:"),
    Sentiment.NEUTRAL: ("neutral", "gray", ":material/trending_flat:"),
    Sentiment.MIXED: ("mixed", "orange", ":material/swap_vert:"),
    Role.VIEWER: ("viewer", "gray", ":material/visibility:"),
    Role.ANALYST: ("analyst", "blue", ":material/fact_check:"),
    Role.ADMIN: ("admin", "violet", ":material/shield_person:"),
}
RECORDS: dict[RecordStatus, Look] = {
    RecordStatus.PENDING: ("waiting", "gray", ":material/hourglass_top:"),
    RecordStatus.PROCESSING: ("running", "blue", ":material/play_arrow:"),
    RecordStatus.COMPLETED: ("done", "green", ":material/check_circle:"),
    RecordStatus.FAILED: ("failed", "red", ":material/error:"),
    RecordStatus.SKIPPED: ("skipped", "gray", ":material/skip_next:"),
    RecordStatus.CANCELLED: ("cancelled", "gray", ":material/cancel:"),
}
"""Apart from ``BADGES``: some states of a record have the same value as one of a batch."""
RECORD_MARKS = {
    RecordStatus.PENDING: "○ waiting",
    RecordStatus.PROCESSING: "◐ running",
    RecordStatus.COMPLETED: "● done",
    RecordStatus.FAILED: "✕ failed",
    RecordStatus.SKIPPED: "– skipped",
    RecordStatus.CANCELLED: "⊘ cancelled",
}
HIDDEN_VERDICT = "hidden"
SIGNAL_MARKS = {
    "validated": "#00A56E40",
    "contradicted": "#9C4D2450",
    "inconclusive": "#A9900140",
    "insufficient data": "#7A7A7A30",
    HIDDEN_VERDICT: "#7A7A7A60",
    "accepted": "#00A56E80",
    "rejected": "#9C4D2480",
    "unsure": "#A9900180",
}
"""Verdicts and, stronger, decisions, by their names in ``BADGES``, as a table shows them."""
STORY = "story"
ARTICLE_MARKS = {
    "★": "#A9900140",
    "in flight": "#9C4D2440",
    "analysed": "#00A56E40",
    "sample": "#7A7A7A40",
    "archived": "#7A7A7A40",
    STORY: "#1C5FCC40",
}
"""What an article in a list can be: from a priority publisher, in a run, analysed, invented, out of work, told by several."""
SERIES = ("#1C5FCC", "#A99001", "#00A56E", "#C7148A", "#9C4D24", "#7A7A7A")
"""For models, agents and whatever else has no colour of its own; the last is for what only accompanies. ``chartCategoricalColors``, too."""
NEUTRAL = SERIES[-1]
LIMIT = "#D23B4B"
"""Lines that must not be passed."""


def look(value: object) -> Look:
    """Name, colour and icon of a verdict, decision, stance, sentiment, status or role."""
    return RECORDS[value] if isinstance(value, RecordStatus) else BADGES[value]  # type: ignore[index]
