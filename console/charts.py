"""Charts of signals and money over time."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import plotly.graph_objects as go

from console.colours import KIND_COLOURS, KIND_NAMES, LIMIT, SERIES
from core.agents.outputs import SignalKind

MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}


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
        figure.add_hline(y=float(limit), line_dash="dot", line_color=LIMIT, annotation_text="daily budget")
    figure.update_yaxes(tickprefix="$", rangemode="tozero")
    until = max(day for day, _, _ in rows)
    figure = _plain(figure, "USD")
    figure.update_xaxes(range=[since - timedelta(hours=12), until + timedelta(hours=12)])
    return figure


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
