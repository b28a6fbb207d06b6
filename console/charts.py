"""One colour table and the charts. Colours are Okabe and Ito's, which colour-blind readers tell apart
(https://jfly.uni-koeln.de/color/)."""

import html
import math
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import plotly.graph_objects as go

from core.agents.outputs import SignalKind, Verdict
from core.calibration import FEW, Calibration, Share
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
MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}
LABEL = 26
"""Characters of a name beside a bar."""


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


def acceptance_bars(rows: Sequence[tuple[str, Share]]) -> go.Figure:
    """Horizontal bars: the share of each name with its interval; pale where it rests on few."""
    shares = [row.value or 0.0 for _, row in rows]
    places = list(range(len(rows)))
    figure = go.Figure()
    figure.add_bar(
        x=shares,
        y=places,
        orientation="h",
        marker_color=SERIES[0],
        marker_opacity=[0.35 if row.whole < FEW else 0.85 for _, row in rows],
        error_x=_whiskers(shares, [row for _, row in rows]),
        customdata=[[html.escape(name), row.part, row.whole, *row.interval] for name, row in rows],
        hovertemplate="%{customdata[0]}: %{x:.0%}, %{customdata[1]} of %{customdata[2]}"
        "<br>95 %: %{customdata[3]:.0%} to %{customdata[4]:.0%}<extra></extra>",
    )
    names = [html.escape(name if len(name) <= LABEL else name[: LABEL - 1] + "…") for name, _ in rows]
    labels = [f"{name} ({row.whole:,})" for name, (_, row) in zip(names, rows, strict=True)]
    figure.update_layout(height=70 + 30 * len(rows), margin=MARGIN, bargap=0.35, showlegend=False)
    figure.update_xaxes(range=[0, 1.01], tickformat=".0%", title="accepted")
    figure.update_yaxes(tickvals=places, ticktext=labels, autorange="reversed", automargin=True)
    return figure


def reliability(series: Sequence[tuple[str, Calibration]]) -> go.Figure:
    """The reliability diagram: observed acceptance by mean confidence, with intervals; markers as big as there are signals."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": SERIES[-1]}, name="perfect", hoverinfo="skip")
    most = max((one.size for _, calibration in series for one in calibration.bins), default=1)
    for position, (name, calibration) in enumerate(series):
        observed = [one.observed for one in calibration.bins]
        shares = [row.value or 0.0 for row in observed]
        figure.add_scatter(
            x=[one.confidence for one in calibration.bins],
            y=shares,
            mode="lines+markers",
            name=name,
            line={"color": SERIES[position], "width": 1.5},
            marker={"size": [6 + 16 * math.sqrt(one.size / most) for one in calibration.bins], "opacity": 0.85},
            error_y=_whiskers(shares, observed),
            customdata=[[row.part, row.whole, *row.interval] for row in observed],
            hovertemplate=f"{name}: confidence %{{x:.0%}}, accepted %{{y:.0%}} (%{{customdata[0]}} of %{{customdata[1]}})"
            "<br>95 %: %{customdata[2]:.0%} to %{customdata[3]:.0%}<extra></extra>",
        )
    figure.update_layout(height=380, margin=MARGIN, legend={"orientation": "h", "y": -0.2})
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%", title="confidence")
    figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%", title="accepted")
    return figure


def _whiskers(shares: Sequence[float], rows: Sequence[Share]) -> dict[str, object]:
    """Error bars out to each interval's ends."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [row.interval[1] - share for share, row in zip(shares, rows, strict=True)],
        "arrayminus": [share - row.interval[0] for share, row in zip(shares, rows, strict=True)],
        "thickness": 1.2,
        "width": 3,
        "color": SERIES[-1],
    }


def _plain(figure: go.Figure, title: str) -> go.Figure:
    figure.update_layout(
        barmode="stack",
        height=280,
        margin=MARGIN,
        legend={"orientation": "h", "y": -0.15},
        yaxis_title=title,
        bargap=0.25,
        hovermode="x unified",
    )
    figure.update_xaxes(type="date", tickformat="%d %b", dtick=None)
    return figure
