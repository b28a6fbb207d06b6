"""Charts of the Overview: signals by day and kind, and the narrative of a theme. Each has its numbers in words beside it."""

import html
from collections.abc import Sequence
from datetime import date

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from console.charts import MARGIN
from console.colours import KIND_COLOURS, KIND_NAMES, PRICE_COLOUR, SENTIMENT_COLOURS, SENTIMENT_NAMES, UNREAD_COLOUR
from console.words import money
from core.agents.outputs import SignalKind
from core.signals import SignalRow
from core.themes import Narrative, ThemeDay
from core.windows import Window, change, totals_by_day

DAYS = {"type": "date", "tickformat": "%d %b", "hoverformat": "%a %d %b %Y", "showgrid": False}
PRICE_NAME = "BTC close (right)"
UNREAD_NAME = "without a signal of it"


def trend(rows: Sequence[tuple[date, SignalKind, int]], window: Window) -> go.Figure:
    """Stacked bars: signals by day of their article and kind."""
    figure = go.Figure()
    for kind in SignalKind:
        counts = totals_by_day([(day, signals) for day, row_kind, signals in rows if row_kind is kind], window)
        if any(counts):
            figure.add_bar(x=window.days, y=counts, name=KIND_NAMES[kind], marker_color=KIND_COLOURS[kind])
    figure.update_layout(barmode="stack", bargap=0.2, height=280, margin=MARGIN, showlegend=False, hovermode="x unified")
    figure.update_xaxes(**DAYS, range=_edges(window))
    figure.update_yaxes(title="signals", rangemode="tozero", nticks=5, tickformat="d")
    return figure


def trend_in_words(rows: Sequence[tuple[date, SignalKind, int]], window: Window) -> tuple[str, str]:
    """``428 signals`` and ``12% more than in the 30 days before (381): 141 pattern anomaly, …``."""
    now, before = (sum(count for day, _, count in rows if span.first <= day <= span.last) for span in (window, window.before))
    by_kind = {kind: sum(n for day, one, n in rows if one is kind and window.first <= day <= window.last) for kind in SignalKind}
    listed = ", ".join(f"{n:,} {KIND_NAMES[kind]}" for kind, n in sorted(by_kind.items(), key=lambda one: -one[1]) if n)
    return counted(now, "signal"), against(now, before, window.length) + (f": {listed}" if listed else "")


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
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.64, 0.36], vertical_spacing=0.05, specs=[[{"secondary_y": True}], [{}]]
    )
    days = [day.day for day in story.days]
    for kind in SignalKind:
        counts = [day.kinds.get(kind, 0) for day in story.days]
        if any(counts):
            figure.add_bar(x=days, y=counts, name=KIND_NAMES[kind], marker_color=KIND_COLOURS[kind], row=1, col=1)
    _price(figure, story)
    _numbers(figure, story, notable)
    _articles(figure, story)
    figure.update_layout(
        barmode="stack",
        bargap=0.2,
        height=360,
        margin=MARGIN,
        hovermode="x unified",
        showlegend=False,
    )
    figure.update_xaxes(**DAYS, range=_edges(story.window))
    figure.update_yaxes(rangemode="tozero", tickformat="d", nticks=4)
    figure.update_yaxes(title="signals", row=1, col=1, secondary_y=False)
    most = max(max(day.articles, sum(day.sentiments.values())) for day in story.days)
    figure.update_yaxes(title="articles", range=[0, max(most * 1.1, 1.5)], row=2, col=1)
    figure.update_yaxes(showgrid=False, row=1, col=1, secondary_y=True, **_price_axis(story.days))
    return figure


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
    """``1 signal``, ``2,100 signals``."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


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


def _price(figure: go.Figure, story: Narrative) -> None:
    closes = [(day.day, float(day.close)) for day in story.days if day.close is not None]
    if closes:
        figure.add_scatter(
            x=[day for day, _ in closes],
            y=[close for _, close in closes],
            name=PRICE_NAME,
            mode="lines+markers" if len(closes) == 1 else "lines",
            line={"color": PRICE_COLOUR, "width": 2, "dash": "dot"},
            hovertemplate="$%{y:,.2f}",
            row=1,
            col=1,
            secondary_y=True,
        )


def _price_axis(days: Sequence[ThemeDay]) -> dict[str, object]:
    """The axis of the price: a little room around the closes, whole dollars where there are many."""
    closes = [float(day.close) for day in days if day.close is not None]
    if not closes:
        return {"visible": False}
    low, high = min(closes), max(closes)
    room = (high - low) * 0.12 or high * 0.02
    return {"range": [low - room, high + room], "tickformat": "$,.0f" if high >= 1_000 else "$.4~g", "nticks": 4, "tickmode": "auto"}


def _numbers(figure: go.Figure, story: Narrative, notable: Sequence[SignalRow]) -> None:
    """The numbers of notable signals above their day's bar; they are listed under these numbers beside the chart."""
    tops = {day.day: day.signals for day in story.days}
    marks: dict[date, list[tuple[int, str]]] = {}
    for place, row in enumerate(notable, start=1):
        marks.setdefault(row.published_at.date(), []).append((place, row.description))
    shown = [(day, listed) for day, listed in sorted(marks.items()) if day in tops]
    if not shown:
        return
    figure.add_scatter(
        x=[day for day, _ in shown],
        y=[tops[day] for day, _ in shown],
        mode="text",
        text=[f"<b>{', '.join(str(place) for place, _ in listed)}</b>" for _, listed in shown],
        textposition="top center",
        cliponaxis=False,
        customdata=[["<br>".join(f"{place}: {_short(words)}" for place, words in listed)] for _, listed in shown],
        hovertemplate="%{customdata[0]}<extra></extra>",
        name="notable",
        row=1,
        col=1,
    )
    most = max(tops.values())
    figure.update_yaxes(range=[0, max(most * 1.25, 1.5)], row=1, col=1, secondary_y=False)


def _articles(figure: go.Figure, story: Narrative) -> None:
    days = [day.day for day in story.days]
    for sentiment, colour in SENTIMENT_COLOURS.items():
        counts = [day.sentiments.get(sentiment, 0) for day in story.days]
        if any(counts):
            figure.add_bar(x=days, y=counts, name=SENTIMENT_NAMES[sentiment], marker_color=colour, row=2, col=1)
    rest = [max(day.articles - sum(day.sentiments.values()), 0) for day in story.days]
    if any(rest):
        figure.add_bar(x=days, y=rest, name=UNREAD_NAME, marker_color=UNREAD_COLOUR, row=2, col=1)


def _short(text: str, length: int = 90) -> str:
    text = " ".join(text.split())
    return html.escape(text if len(text) <= length else f"{text[: length - 1]}…")


def _edges(window: Window) -> list[str]:
    """The axis from the first day's bar to the last one's, whatever days have data."""
    return [f"{window.before.last}T12:00", f"{window.last}T12:00"]
