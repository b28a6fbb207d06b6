"""Charts of a run over time: articles ended, money, and what was in flight. Small ones, side by side."""

from datetime import UTC, datetime, timedelta

import plotly.graph_objects as go

from console.charts import MARGIN
from console.colours import SERIES
from console.words import duration
from core.run_history import History

HEIGHT = 190
FAILED = SERIES[4]


def throughput(history: History) -> go.Figure:
    """Stacked bars: articles that ended in each step, done and failed."""
    figure = go.Figure()
    for name, colour, values in (
        ("done", SERIES[0], [bucket.completed for bucket in history.buckets]),
        ("failed", FAILED, [bucket.failed for bucket in history.buckets]),
    ):
        figure.add_bar(
            x=_times(history), y=values, name=name, marker_color=colour, width=_width(history), offset=0, hovertemplate=f"%{{y}} {name}"
        )
    figure.update_layout(barmode="stack")
    return _small(figure, history, whole=True)


def spend(history: History) -> go.Figure:
    """Bars: USD of the calls that ended in each step."""
    figure = go.Figure()
    usd = [float(bucket.usd) for bucket in history.buckets]
    figure.add_bar(x=_times(history), y=usd, name="USD", marker_color=SERIES[2], width=_width(history), offset=0, hovertemplate="$%{y:.4f}")
    figure.update_yaxes(tickprefix="$")
    return _small(figure, history)


def concurrency(history: History) -> go.Figure:
    """Two lines: the mean number of articles in work and of calls in flight in each step."""
    figure = go.Figure()
    for name, colour, values in (
        ("articles in work", SERIES[0], [bucket.articles for bucket in history.buckets]),
        ("calls in flight", SERIES[1], [bucket.calls for bucket in history.buckets]),
    ):
        figure.add_scatter(
            x=_times(history),
            y=values,
            name=name,
            mode="lines+markers" if len(history.buckets) < 3 else "lines",
            line={"color": colour, "width": 2, "shape": "hv"},
            hovertemplate=f"%{{y:.1f}} {name}",
        )
    return _small(figure, history)


def step(history: History) -> str:
    """The width of a bar in words."""
    return duration(history.seconds)


def _times(history: History) -> list[datetime]:
    return [bucket.at.astimezone(UTC).replace(tzinfo=None) for bucket in history.buckets]


def _width(history: History) -> float:
    """In milliseconds, with a little space between two bars."""
    return history.seconds * 900


def _small(figure: go.Figure, history: History, *, whole: bool = False) -> go.Figure:
    figure.update_layout(
        height=HEIGHT,
        margin=MARGIN | {"l": 4},
        showlegend=len(figure.data) > 1,
        legend={"orientation": "h", "y": 1.18, "x": 0},
        hovermode="x unified",
        uirevision="run",  # zoom and what is hidden stay as they are while the figures come in
        transition={"duration": 0},
    )
    first, last = _times(history)[0], _times(history)[-1]
    figure.update_xaxes(type="date", nticks=5, range=[first, last + timedelta(seconds=history.seconds)])
    figure.update_yaxes(rangemode="tozero", nticks=4, automargin=True, **({"tickformat": ",d"} if whole else {}))
    return figure
