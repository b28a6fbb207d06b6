"""One table of colours, names and icons, which every page and chart reads. Colours are Okabe and Ito's, which colour-blind readers
tell apart (https://jfly.uni-koeln.de/color/)."""

from core.agents.outputs import SignalKind, Verdict
from core.models import BatchStatus, Decision, RecordStatus, ReviewAct

KIND_COLOURS = {
    SignalKind.WEAK_SIGNAL: "#0072B2",
    SignalKind.PATTERN_ANOMALY: "#D55E00",
    SignalKind.ADJACENT_CONNECTION: "#009E73",
    SignalKind.NARRATIVE_GAP: "#CC79A7",
    SignalKind.EDGE_INDICATOR: "#E69F00",
}
KIND_NAMES = {kind: kind.value.replace("_", " ") for kind in SignalKind}
KIND_ICONS = {
    SignalKind.WEAK_SIGNAL: ":material/sensors:",
    SignalKind.PATTERN_ANOMALY: ":material/ssid_chart:",
    SignalKind.ADJACENT_CONNECTION: ":material/hub:",
    SignalKind.NARRATIVE_GAP: ":material/help_center:",
    SignalKind.EDGE_INDICATOR: ":material/explore:",
}
BADGES = {
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
}
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
    "validated": "#009E7340",
    "contradicted": "#D55E0050",
    "inconclusive": "#E69F0040",
    "insufficient data": "#8A8A8A30",
    HIDDEN_VERDICT: "#8A8A8A60",
    "accepted": "#009E7380",
    "rejected": "#D55E0080",
    "unsure": "#E69F0080",
}
"""Verdicts and, stronger, decisions, by their names in ``BADGES``, as a table shows them."""
STORY = "story"
ARTICLE_MARKS = {
    "★": "#E69F0040",
    "in flight": "#D55E0040",
    "analysed": "#009E7340",
    "sample": "#8A8A8A40",
    "archived": "#8A8A8A40",
    STORY: "#0072B240",
}
"""What an article in a list can be: from a priority publisher, in a run, analysed, invented, out of work, told by several."""
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8A8A8A")
