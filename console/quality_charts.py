"""Charts of the Quality page: shares with their intervals, and the reliability diagram."""

import html
import math
from collections.abc import Sequence

import plotly.graph_objects as go

from console.charts import MARGIN
from console.colours import SERIES
from core.calibration import FEW, Calibration, Share

LABEL = 26
"""Characters of a name beside a bar."""


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
        "<br>95%: %{customdata[3]:.0%} to %{customdata[4]:.0%}<extra></extra>",
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
            "<br>95%: %{customdata[2]:.0%} to %{customdata[3]:.0%}<extra></extra>",
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
