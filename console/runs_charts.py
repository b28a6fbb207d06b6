"""Charts of a run over time: articles ended, money, and what was in flight.

In Vega-Lite, not Plotly: Streamlit gives a Plotly chart a new identity with every figure, so that one which changes each second is made
anew each second; to a Vega chart whose specification stays the new rows are only added.
"""

from datetime import UTC, timedelta
from typing import Any

import pandas as pd

from console.colours import SERIES
from console.words import duration
from core.run_history import History

HEIGHT = 170
DONE, FAILED, MONEY, CALLS = SERIES[0], SERIES[4], SERIES[2], SERIES[1]

Chart = tuple[pd.DataFrame, dict[str, Any]]
"""Rows and the specification that draws them."""


def throughput(history: History) -> Chart:
    """Stacked bars: articles that ended in each step, done and failed."""
    rows = _rows(history, {"done": [one.completed for one in history.buckets], "failed": [one.failed for one in history.buckets]})
    return rows, _specification("bar", ("done", "failed"), (DONE, FAILED), axis={"format": "~s", "tickMinStep": 1}, shown=",d")


def spend(history: History) -> Chart:
    """Bars: USD of the calls that ended in each step."""
    rows = _rows(history, {"spent": [float(one.usd) for one in history.buckets]})
    return rows, _specification("bar", ("spent",), (MONEY,), axis={"format": "$~f"}, shown="$.4f")


def concurrency(history: History) -> Chart:
    """Two lines: the mean number of articles in work and of calls in flight in each step."""
    rows = _rows(
        history,
        {"articles in work": [one.articles for one in history.buckets], "calls in flight": [one.calls for one in history.buckets]},
    )
    names = ("articles in work", "calls in flight")
    return rows, _specification("line", names, (DONE, CALLS), axis={"format": "~s"}, shown=".1f")


def step(history: History) -> str:
    """The width of a bar in words."""
    return duration(history.seconds)


def _rows(history: History, series: dict[str, list[Any]]) -> pd.DataFrame:
    """A row a step and series."""
    width = timedelta(seconds=history.seconds)
    return pd.DataFrame(
        [
            {"at": one.at, "until": one.at + width, "when": f"{one.at.astimezone(UTC):%d %b %H:%M:%S} UTC", "what": name, "value": value}
            for name, values in series.items()
            for one, value in zip(history.buckets, values, strict=True)
        ]
    )


def _specification(mark: str, names: tuple[str, ...], colours: tuple[str, ...], *, axis: dict[str, Any], shown: str) -> dict[str, Any]:
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "point": {"size": 12}}
    legend = {"orient": "top", "title": None, "symbolType": "square"} if len(names) > 1 else None
    time = {"field": "at", "type": "temporal", "scale": {"type": "utc"}, "axis": {"title": None, "grid": False, "tickCount": 5}}
    return {
        "mark": line if mark == "line" else {"type": "bar", "binSpacing": 1},
        "height": HEIGHT,
        "encoding": {
            "x": time,
            **({"x2": {"field": "until"}} if mark == "bar" else {}),
            "y": {"field": "value", "type": "quantitative", "axis": {"title": None, "tickCount": 4, **axis}},
            "color": {"field": "what", "type": "nominal", "scale": {"domain": list(names), "range": list(colours)}, "legend": legend},
            "order": {"field": "what"},
            "tooltip": [
                {"field": "when", "title": "from"},
                {"field": "what", "title": "what"},
                {"field": "value", "type": "quantitative", "title": "value", "format": shown},
            ],
        },
    }
