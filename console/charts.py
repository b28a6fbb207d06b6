"""One colour table and the charts. Colours are Okabe and Ito's, which colour-blind readers tell apart
(https://jfly.uni-koeln.de/color/)."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import plotly.graph_objects as go

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
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8A8A8A")


def signals_by_day(rows: Sequence[tuple[date, SignalKind, int]]) -> go.Figure:
    """Stacked bars: signals by day and kind."""
    figure = go.Figure()
    for kind in SignalKind:
        days = [(day, number) for day, row_kind, number in rows if row_kind == kind]
        figure.add_bar(x=[day for day, _ in days], y=[number for _, number in days], name=KIND_NAMES[kind], marker_color=KIND_COLOURS[kind])
    return _plain(figure, "signals")


def spend_by_day(rows: Sequence[tuple[date, str, Decimal]], limit: Decimal | None, *, since: date) -> go.Figure:
    """Stacked bars: USD by day and model, with the day's limit."""
    figure = go.Figure()
    for position, model in enumerate(sorted({model for _, model, _ in rows})):
        days = [(day, usd) for day, row_model, usd in rows if row_model == model]
        figure.add_bar(
            x=[day for day, _ in days], y=[float(usd) for _, usd in days], name=model, marker_color=SERIES[position % len(SERIES)]
        )
    if limit and rows and max(usd for _, _, usd in rows) > limit / 10:
        figure.add_hline(y=float(limit), line_dash="dot", line_color="#D55E00", annotation_text="daily budget")
    figure.update_yaxes(tickprefix="$", rangemode="tozero")
    until = max(day for day, _, _ in rows)
    figure = _plain(figure, "USD")
    figure.update_xaxes(range=[since - timedelta(hours=12), until + timedelta(hours=12)])
    return figure


def _plain(figure: go.Figure, title: str) -> go.Figure:
    figure.update_layout(
        barmode="stack",
        height=280,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.15},
        yaxis_title=title,
        bargap=0.25,
        hovermode="x unified",
    )
    figure.update_xaxes(type="date", tickformat="%d %b", dtick=None)
    return figure
