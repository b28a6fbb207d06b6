"""Charts of the Overview: signals by day and kind, and the narrative of a theme. Each has its numbers in words beside it."""

import html
from collections.abc import Sequence
from datetime import date
from math import floor, log10
from typing import Any

import plotly.graph_objects as go

from console.charts import MARGIN
from console.colours import KIND_COLOURS, KIND_NAMES, PRICE_COLOUR, SENTIMENT_COLOURS, SENTIMENT_NAMES, UNREAD_COLOUR
from console.words import money
from core.agents.outputs import SignalKind
from core.signals import SignalRow
from core.themes import Narrative, ThemeDay
from core.windows import Window, change, totals_by_day

DAYS = {"type": "date", "tickformat": "%d %b", "hoverformat": "%a %d %b %Y", "showgrid": False}
LAYOUT = {"barmode": "stack", "bargap": 0.2, "margin": MARGIN, "showlegend": False, "hovermode": "x unified"}
PRICE_NAME = "BTC close (right)"
UNREAD_NAME = "without a signal of it"


def trend(rows: Sequence[tuple[date, SignalKind, int]], window: Window) -> go.Figure:
    """Stacked bars: signals by day of their article and kind."""
    by_kind = {kind: totals_by_day([(day, signals) for day, one, signals in rows if one is kind], window) for kind in SignalKind}
    bars = [_bar(window.days, counts, KIND_NAMES[kind], KIND_COLOURS[kind]) for kind, counts in by_kind.items() if any(counts)]
    most = max((sum(counts) for counts in zip(*by_kind.values(), strict=True)), default=0)
    signals = {"title": {"text": "signals"}, **whole_numbers(most)}
    return go.Figure(bars, {**LAYOUT, "height": 280, "xaxis": {**DAYS, "range": _edges(window)}, "yaxis": signals})


def whole_numbers(most: int) -> dict[str, Any]:
    """An axis from 0 of counts up to ``most``, marked in steps of 1, 2 or 5 times a power of ten, some four of them."""
    wanted = max(most / 4, 1)
    power = 10 ** floor(log10(wanted))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= wanted)
    return {"rangemode": "tozero", "tickformat": ",d", "tick0": 0, "dtick": step}


def trend_in_words(rows: Sequence[tuple[date, SignalKind, int]], window: Window) -> tuple[str, str]:
    """``428 signals`` and ``141 pattern anomalies, …; 12% more than in the 30 days before (381)``."""
    now, before = (sum(count for day, _, count in rows if span.first <= day <= span.last) for span in (window, window.before))
    by_kind = {kind: sum(n for day, one, n in rows if one is kind and window.first <= day <= window.last) for kind in SignalKind}
    listed = ", ".join(counted(n, KIND_NAMES[kind]) for kind, n in sorted(by_kind.items(), key=lambda one: -one[1]) if n)
    return counted(now, "signal"), (f"{listed}; " if listed else "") + against(now, before, window.length)


def against(now: int, before: int, days: int) -> str:
    """A count against that of as many days before, in words."""
    share = change(now, before)
    if share is None:
        return f"none in the {days} days before"
    if now == before:
        return f"as many as in the {days} days before"
    how_much = f"{now / before:.1f} times as many as" if share >= 2 else f"{abs(share):.0%} {'more' if share > 0 else 'fewer'} than"
    return f"{how_much} in the {days} days before ({before:,})"


def narrative(story: Narrative, notable: Sequence[SignalRow]) -> go.Figure:
    """Signals of a theme by day and kind with the price behind them, notable ones numbered; below, articles by sentiment."""
    days = [day.day for day in story.days]
    by_kind = {kind: [day.kinds.get(kind, 0) for day in story.days] for kind in SignalKind}
    bars = [_bar(days, counts, KIND_NAMES[kind], KIND_COLOURS[kind]) for kind, counts in by_kind.items() if any(counts)]
    numbers = _numbers(story, notable)
    most_signals, most_articles = max(day.signals for day in story.days), max(map(_articles_of, story.days))
    layout = {
        **LAYOUT,
        "height": 360,
        "xaxis": {**DAYS, "range": _edges(story.window), "matches": "x2", "showticklabels": False, "anchor": "y", "domain": [0, 1]},
        "xaxis2": {**DAYS, "range": _edges(story.window), "anchor": "y3", "domain": [0, 1]},
        "yaxis": {
            **whole_numbers(most_signals),
            "title": {"text": "signals"},
            "domain": [0.392, 1],
            **({"range": [0, max(most_signals * 1.25, 1.5)]} if numbers else {}),
        },
        "yaxis2": {"overlaying": "y", "side": "right", "showgrid": False, **_price_axis(story.days)},
        "yaxis3": {
            **whole_numbers(most_articles),
            "title": {"text": "articles"},
            "domain": [0, 0.342],
            "anchor": "x2",
            "range": [0, max(most_articles * 1.1, 1.5)],
        },
    }
    return go.Figure([*bars, *_price(story), *numbers, *_articles(story)], layout)


def narrative_in_words(story: Narrative) -> str:
    """The chart's numbers: signals, articles, publishers, sentiment, price."""
    busiest = max(story.days, key=lambda day: (day.signals, day.articles))
    positive, negative, neither = story.mood
    parts = [
        f"{counted(story.signals.value, 'signal')} and {counted(story.articles.value, 'article')}"
        f" by {counted(len(story.publishers), 'publisher')}"
    ]
    if busiest.signals:
        parts.append(f"most on {busiest.day:%d %b} ({counted(busiest.signals, 'signal')})")
    if positive or negative or neither:
        parts.append(f"analysed: {positive:,} positive, {negative:,} negative, {neither:,} neither")
    if price := price_in_words(story.days):
        parts.append(price)
    return "; ".join(parts)


def price_in_words(days: Sequence[ThemeDay]) -> str:
    """``Bitcoin from $68,100 to $74,250 (+9 %)``; empty without a price."""
    closes = [day.close for day in days if day.close is not None]
    if not closes:
        return ""
    first, last = (f"${close:,.0f}" if close >= 1_000 else money(close) for close in (closes[0], closes[-1]))
    return f"Bitcoin from {first} to {last} ({float(closes[-1] / closes[0] - 1):+.1%})" if len(closes) > 1 else f"Bitcoin at {first}"


def counted(value: int, noun: str) -> str:
    """``1 signal``, ``2,100 signals``, ``3 pattern anomalies``."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{value:,} {noun if value == 1 else several}"


def legend(figure: go.Figure) -> str:
    """What the figure's colours mean, as HTML that wraps on a narrow screen, where a legend within would leave no room to the chart.

    A line for each of the figure's rows.
    """
    rows: dict[str, list[str]] = {}
    for trace in figure.data:
        row = "articles" if trace.yaxis == "y3" else "signals"
        if trace.type == "bar":
            rows.setdefault(row, []).append(_mark(f"background:{trace.marker.color}", trace.name))
        elif trace.mode != "text":
            rows.setdefault(row, []).append(_mark(f"border-top:2px dotted {trace.line.color};height:0", trace.name))
    named = [f"<span>{row}:</span>{''.join(marks)}" if len(rows) > 1 else "".join(marks) for row, marks in rows.items()]
    return "".join(f'<div style="display:flex;flex-wrap:wrap;gap:.1rem .9rem;font-size:.8rem">{line}</div>' for line in named)


def _mark(style: str, name: str) -> str:
    square = f'<i style="display:inline-block;width:.75rem;height:.75rem;{style}"></i>'
    return f'<span style="display:inline-flex;align-items:center;gap:.35rem">{square}{html.escape(name)}</span>'


def _bar(days: Sequence[date], counts: Sequence[int], name: str, colour: str, **axes: str) -> dict[str, Any]:
    dates = [day.isoformat() for day in days]  # plotly copies each date object, several times
    return {"type": "bar", "x": dates, "y": counts, "name": name, "marker": {"color": colour}, **axes}


def _price(story: Narrative) -> list[dict[str, Any]]:
    closes = [(day.day, float(day.close)) for day in story.days if day.close is not None]
    if not closes:
        return []
    return [
        {
            "type": "scatter",
            "x": [day.isoformat() for day, _ in closes],
            "y": [close for _, close in closes],
            "yaxis": "y2",
            "name": PRICE_NAME,
            "mode": "lines+markers" if len(closes) == 1 else "lines",
            "line": {"color": PRICE_COLOUR, "width": 2, "dash": "dot"},
            "hovertemplate": "$%{y:,.2f}",
        }
    ]


def _price_axis(days: Sequence[ThemeDay]) -> dict[str, object]:
    """The axis of the price: a little room around the closes, whole dollars where there are many."""
    closes = [float(day.close) for day in days if day.close is not None]
    if not closes:
        return {"visible": False}
    low, high = min(closes), max(closes)
    room = (high - low) * 0.12 or high * 0.02
    return {"range": [low - room, high + room], "tickformat": "$,.0f" if high >= 1_000 else "$.4~g", "nticks": 4, "tickmode": "auto"}


def _numbers(story: Narrative, notable: Sequence[SignalRow]) -> list[dict[str, Any]]:
    """The numbers of notable signals above their day's bar; they are listed under these numbers beside the chart."""
    tops = {day.day: day.signals for day in story.days}
    marks: dict[date, list[tuple[int, str]]] = {}
    for place, row in enumerate(notable, start=1):
        marks.setdefault(row.published_at.date(), []).append((place, row.description))
    shown = [(day, listed) for day, listed in sorted(marks.items()) if day in tops]
    if not shown:
        return []
    return [
        {
            "type": "scatter",
            "x": [day for day, _ in shown],
            "y": [tops[day] for day, _ in shown],
            "mode": "text",
            "text": [f"<b>{', '.join(str(place) for place, _ in listed)}</b>" for _, listed in shown],
            "textposition": "top center",
            "cliponaxis": False,
            "customdata": [["<br>".join(f"{place}: {_short(words)}" for place, words in listed)] for _, listed in shown],
            "hovertemplate": "%{customdata[0]}<extra></extra>",
            "name": "notable",
        }
    ]


def _articles(story: Narrative) -> list[dict[str, Any]]:
    days, below = [day.day for day in story.days], {"xaxis": "x2", "yaxis": "y3"}
    rows = [
        (SENTIMENT_NAMES[sentiment], colour, [day.sentiments.get(sentiment, 0) for day in story.days])
        for sentiment, colour in SENTIMENT_COLOURS.items()
    ]
    rows.append((UNREAD_NAME, UNREAD_COLOUR, [max(day.articles - sum(day.sentiments.values()), 0) for day in story.days]))
    return [_bar(days, counts, name, colour, **below) for name, colour, counts in rows if any(counts)]


def _articles_of(day: ThemeDay) -> int:
    return max(day.articles, sum(day.sentiments.values()))


def _short(text: str, length: int = 90) -> str:
    text = " ".join(text.split())
    return html.escape(text if len(text) <= length else f"{text[: length - 1]}…")


def _edges(window: Window) -> list[str]:
    """The axis from the first day's bar to the last one's, whatever days have data."""
    return [f"{window.before.last}T12:00", f"{window.last}T12:00"]
