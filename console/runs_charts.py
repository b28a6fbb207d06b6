"""Charts of a run over time: articles ended, money, and what was in flight.

In Vega-Lite, not Plotly: Streamlit gives a Plotly chart a new identity with every figure, so that one which changes each second is made
anew each second; to a Vega chart whose specification stays the new rows are only added.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any

import pandas as pd

from console.colours import SERIES
from console.words import duration
from core.run_history import History

HEIGHT = 170
CLOCK_SECONDS = 600
"""From a run of this length on the time is told without seconds; from a day on with the day."""
DONE, FAILED, MONEY, CALLS = SERIES[0], SERIES[4], SERIES[2], SERIES[1]

Chart = tuple[pd.DataFrame, dict[str, Any]]
"""Rows and the specification that draws them."""


def throughput(history: History) -> Chart:
    """Bars: articles that ended in each step, the failed ones on top of those done."""
    series = {"done": [one.completed for one in history.buckets], "failed": [one.failed for one in history.buckets]}
    return _rows(history, series, stacked=True), _specification(
        history, _BARS, series, (DONE, FAILED), axis={"format": "~s", "tickMinStep": 1}, shown=",d"
    )


def spend(history: History) -> Chart:
    """Bars: USD of the calls that ended in each step."""
    series = {"spent": [float(one.usd) for one in history.buckets]}
    return _rows(history, series, stacked=True), _specification(history, _BARS, series, (MONEY,), axis={"format": "$~f"}, shown="$.4f")


def concurrency(history: History) -> Chart:
    """Two lines: the mean number of articles in work and of calls in flight in each step."""
    series = {"articles in work": [one.articles for one in history.buckets], "calls in flight": [one.calls for one in history.buckets]}
    return _rows(history, series), _specification(history, _LINES, series, (DONE, CALLS), axis={"format": "~s"}, shown=".1f")


def step(history: History) -> str:
    """The width of a bar in words."""
    return duration(history.seconds)


def legend(specification: Mapping[str, Any]) -> str:
    """Markdown for after the chart's title: its series with their colours, where it has more than one."""
    scale = specification["encoding"]["color"]["scale"]
    named = zip(scale["domain"], scale["range"], strict=True)
    return "".join(f' · :color[■]{{foreground="{colour}"}} {name}' for name, colour in named) if len(scale["domain"]) > 1 else ""


def _clock(seconds: float) -> str:
    """How the axis tells times (UTC) of a run this long."""
    return "%H:%M:%S" if seconds < CLOCK_SECONDS else "%H:%M" if seconds < 86_400 else "%d %b %H:%M"


def _rows(history: History, series: Mapping[str, list[Any]], *, stacked: bool = False) -> pd.DataFrame:
    """A row a step and series: from when until when, and from what value up to what."""
    width, floor = timedelta(seconds=history.seconds), [0.0] * len(history.buckets)
    rows = []
    for name, values in series.items():
        for place, (one, value) in enumerate(zip(history.buckets, values, strict=True)):
            top = floor[place] + float(value)
            when = f"{one.at.astimezone(UTC):%d %b %H:%M:%S} UTC"
            rows.append(
                {"at": one.at, "until": one.at + width, "when": when, "what": name, "value": value, "low": floor[place], "high": top}
            )
            if stacked:
                floor[place] = top
    return pd.DataFrame(rows)


_BARS = {"type": "rect", "strokeWidth": 0}
_LINES = {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "point": {"size": 12}}


def _specification(
    history: History, mark: Mapping[str, Any], series: Iterable[str], colours: Sequence[str], *, axis: Mapping[str, Any], shown: str
) -> dict[str, Any]:
    ranged = {"x2": {"field": "until"}, "y2": {"field": "low"}} if mark is _BARS else {}
    scale = {"domain": list(series), "range": list(colours)}
    times = {"title": None, "grid": False, "tickCount": 4, "format": _clock(history.seconds * len(history.buckets))}
    return {
        "mark": dict(mark),
        "height": HEIGHT,
        "padding": {"left": 0, "top": 5, "right": 10, "bottom": 0},
        "encoding": {
            "x": {"field": "at", "type": "temporal", "scale": {"type": "utc"}, "axis": times},
            "y": {"field": "high", "type": "quantitative", "axis": {"title": None, "tickCount": 4, **axis}},
            **ranged,
            "color": {
                "field": "what",
                "type": "nominal",
                "scale": scale,
                "legend": None,
            },
            "tooltip": [
                {"field": "when", "title": "from"},
                {"field": "what", "title": "what"},
                {"field": "value", "type": "quantitative", "title": "value", "format": shown},
            ],
        },
    }
