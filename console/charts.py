"""Charts of signals over time."""

from collections.abc import Sequence
from datetime import date

import plotly.graph_objects as go

from console.colours import KIND_COLOURS, KIND_NAMES
from core.agents.outputs import SignalKind

MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}


def signals_by_day(rows: Sequence[tuple[date, SignalKind, int]]) -> go.Figure:
    """Stacked bars: signals by day and kind."""
    figure = go.Figure()
    for kind in SignalKind:
        days = [(day, number) for day, row_kind, number in rows if row_kind == kind]
        figure.add_bar(x=[day for day, _ in days], y=[number for _, number in days], name=KIND_NAMES[kind], marker_color=KIND_COLOURS[kind])
    return _plain(figure, "signals")


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
