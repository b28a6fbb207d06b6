"""Charts of the Budget page: spending and tokens over time, estimates against actuals."""

import html
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import plotly.graph_objects as go

from console.charts import MARGIN
from console.colours import LIMIT, NEUTRAL, SERIES
from core.forecast import Comparison
from core.spending import Usage

HEIGHT = 300
NAME = 28
"""Characters of a name in a legend."""


def midnight(day: date) -> datetime:
    """The UTC moment that a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def spending(
    rows: Sequence[tuple[date, Any, Decimal, int]],
    names: Mapping[Any, str],
    daily_limit: Decimal,
    *,
    since: date,
    monthly: bool,
    in_calls: bool,
) -> go.Figure:
    """Stacked bars by day or month: USD, or calls where nothing cost anything. A key without a name is all the others."""
    values: dict[Any, dict[date, float]] = {}
    for day, key, usd, calls in rows:
        of_key = values.setdefault(key if key in names else None, {})
        place = day.replace(day=1) if monthly else day
        of_key[place] = of_key.get(place, 0.0) + (calls if in_calls else float(usd))
    unit = "calls" if in_calls else "USD"
    shown = "%{y:,}" if in_calls else "$%{y:,.4~f}"
    bars = []
    for position, key in enumerate([*names, None]):
        if key in values:
            label = names.get(key, "others" if names else unit)
            colour = SERIES[position] if key in names or not names else NEUTRAL
            bars.append(_bars(values[key], label, colour, shown, monthly=monthly))
    totals: dict[date, float] = {}
    for of_key in values.values():
        for place, value in of_key.items():
            totals[place] = totals.get(place, 0.0) + value
    axis = {"tickprefix": "" if in_calls else "$", **({"title": {"text": unit}} if in_calls else {})}
    figure = _over_time(bars, since, axis, monthly=monthly)
    if not in_calls and not monthly and daily_limit and max(totals.values(), default=0.0) > float(daily_limit) / 4:
        figure.add_hline(y=float(daily_limit), line_dash="dot", line_color=LIMIT, annotation_text="today's limit")
    return figure


def tokens(days: Sequence[tuple[date, Usage]], *, since: date, monthly: bool) -> go.Figure:
    """Stacked bars by day or month: tokens by kind."""
    bars, kinds = (
        [],
        {
            "input": lambda used: used.input_tokens - used.cached_tokens,
            "input from cache": lambda used: used.cached_tokens,
            "output": lambda used: used.output_tokens,
            "thinking": lambda used: used.thinking_tokens,
        },
    )
    for colour, (name, of) in zip(SERIES, kinds.items(), strict=False):
        values: dict[date, float] = {}
        for day, used in days:
            place = day.replace(day=1) if monthly else day
            values[place] = values.get(place, 0) + of(used)
        if any(values.values()):
            bars.append(_bars(values, name, colour, "%{y:,}", monthly=monthly))
    return _over_time(bars, since, {"tickformat": "~s"}, monthly=monthly)


def estimates(runs: Sequence[Comparison]) -> go.Figure:
    """Pairs of bars, oldest run first: estimated and actual USD."""
    labels = [f"#{run.batch_id}" for run in reversed(runs)]
    both = (
        ("estimated", NEUTRAL, [float(run.estimated) for run in reversed(runs)]),
        ("actual", SERIES[0], [float(run.actual) for run in reversed(runs)]),
    )
    bars = [_bar(labels, values, name, colour, "$%{y:,.4~f}") for name, colour, values in both]
    axes = {"xaxis": {"type": "category"}, "yaxis": {"tickprefix": "$", "rangemode": "tozero"}}
    return go.Figure(bars, {**_LAYOUT, "barmode": "group", "bargap": 0.3, **axes})


_LEGEND = {"orientation": "h", "y": -0.15, "traceorder": "normal"}
_LAYOUT = {"height": HEIGHT, "margin": MARGIN, "legend": _LEGEND, "hovermode": "x unified"}
_DAY = 86_400_000
"""Milliseconds, the unit of a bar's width over time."""


def _bars(values: Mapping[date, float], name: str, colour: str, shown: str, *, monthly: bool) -> dict[str, Any]:
    label = html.escape(name if len(name) <= NAME else name[: NAME - 1] + "…")
    width = _DAY * (22 if monthly else 0.75)  # a single day would be a hair's breadth of its own accord
    days = [day.isoformat() for day in values]  # plotly copies each date object, several times
    return _bar(days, list(values.values()), label, colour, shown) | {"width": width}


def _bar(places: Sequence[Any], values: Sequence[float], name: str, colour: str, shown: str) -> dict[str, Any]:
    return {"type": "bar", "x": places, "y": values, "name": name, "marker": {"color": colour}, "hovertemplate": shown}


def _over_time(bars: list[dict[str, Any]], since: date, axis: Mapping[str, Any], *, monthly: bool) -> go.Figure:
    today = datetime.now(UTC).date()
    if monthly:
        edges = [since.replace(day=1) - timedelta(days=16), today.replace(day=1) + timedelta(days=16)]
    else:
        edges = [since - timedelta(hours=12), today + timedelta(hours=12)]
    days = {"type": "date", "tickformat": "%b %y" if monthly else "%d %b", "range": [edge.isoformat() for edge in edges]}
    shown = {"barmode": "stack", "bargap": 0.25, "showlegend": True, "xaxis": days, "yaxis": {"rangemode": "tozero", **axis}}
    return go.Figure(bars, {**_LAYOUT, **shown})
