"""The Overview's pieces: today at a glance, the trend, the strongest signals, shared stories."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import overview_charts
from console.colours import BADGES, KIND_ICONS, KIND_NAMES
from console.components import empty
from console.exporting import export_popover
from console.navigation import EVERYTHING, to
from console.overview_charts import counted
from console.resources import read
from console.words import ago, duration, exact, money, number, plain
from core import headlines, reports, spending
from core.budget import BudgetState, current_budgets
from core.clock import utc_now
from core.exports import Table
from core.forecast import Outlook
from core.launching import readiness
from core.paging import Count
from core.reports import Today
from core.settings import Settings
from core.signal_filter import SignalFilter
from core.signals import SignalRow
from core.windows import Window, window_of

PublisherRows = list[tuple[str, int, int]]
"""Publishers with their signals, and how many of them were accepted."""
REFRESH_SECONDS = 5
STRONGEST = 9
STORIES = 8
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CARDS = """<style>
.st-key-glance{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:.7rem}
.st-key-glance>*{width:100%!important;height:100%}
[class*=st-key-card-]{position:relative;gap:.1rem;height:100%;padding:.6rem .8rem .7rem!important;transition:border-color .12s}
[class*=st-key-card-]:hover,[class*=st-key-card-]:focus-within{border-color:var(--st-primary-color)!important}
[class*=st-key-card-] [data-testid=stElementContainer]{position:static}
[class*=st-key-card-] a{padding:0!important;background:none!important;position:static}
[class*=st-key-card-] a::after{content:"";position:absolute;inset:0}
[class*=st-key-card-] [data-testid=stMetricValue]{font-size:1.7rem;line-height:1.25}
[class*=st-key-card-] [data-testid=stCaptionContainer]{font-size:.8rem}
[class*=st-key-lines-] a p{white-space:normal;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical}
[class*=st-key-lines-] a p{overflow:hidden;line-height:1.4}
[class*=st-key-lines-]{gap:.45rem}
[class*=st-key-lines-] a{align-items:flex-start}
[class*=st-key-words-] [data-testid=stCaptionContainer]{flex:1 1 20rem}
@media(max-width:900px){.st-key-glance{grid-template-columns:repeat(2,minmax(0,1fr))}.st-key-glance>:last-child{grid-column:span 2}}
</style>"""


@dataclass(frozen=True, slots=True)
class View:
    """What the page looks at: days, and whether samples are among what it shows."""

    window: Window
    samples: bool
    blind_share: float

    def signals(self) -> SignalFilter:
        """All signals of it, as the Signals page filters."""
        return SignalFilter(since=self.window.first, until=self.window.last, without_samples=not self.samples, blind_share=self.blind_share)

    def address(self, **more: str) -> dict[str, str]:
        """The same signals on the Signals page."""
        return {"published": self.window.address, **({} if self.samples else {"invented": "false"}), **more}


# --- today at a glance -----------------------------------------------------------------------------------------------


def glance(today: Today, now: Settings) -> None:
    """Five numbers, each the way to what it counts; read again every few seconds if something runs when the page is drawn.

    It goes on refreshing after the end, until the page is left or touched: a rerun of the page asked for from here would
    swallow a click made at that moment.
    """
    st.html(CARDS)
    known = [today]

    @st.fragment(run_every=REFRESH_SECONDS if today.running + today.waiting else None)
    def show() -> None:
        newest = known.pop() if known else read(lambda session: reports.today(session, readiness(now)))
        _cards(newest, *read(partial(_spent_today, now=now)))

    show()


def _spent_today(session: Session, now: Settings) -> tuple[BudgetState, Outlook]:
    moment = utc_now()
    budget = current_budgets(session, now, moment)[0]
    return budget, spending.outlook_today(session, budget, moment)


def _cards(today: Today, budget: BudgetState, outlook: Outlook) -> None:
    with st.container(key="glance"):
        _card("Ready to analyse", "articles", "bolt", _figure(today.ready), f"of {_figure(today.articles)} articles")
        running = f"{_figure(today.waiting)} waiting" if today.waiting else "nothing waits" if not today.running else "none waiting"
        _card("Running now", "runs", "play_circle", _figure(today.running), running)
        _card("To review", "review", "fact_check", _figure(today.to_review), "signals wait for a decision")
        _card("Accepted", "signals", "thumb_up", _figure(today.accepted), "signals for the newsletter", {"review": "accepted"})
        _card("Spent today", "budget", "payments", money(budget.spent), f"of {money(budget.limit)}{_forecast(budget, outlook)}")


def _forecast(budget: BudgetState, outlook: Outlook) -> str:
    """What today comes to at its pace, as the Budget page says at length; nothing while there is no pace to tell."""
    if outlook.at_end is None or not outlook.rate:
        return ""
    over = " :orange[over the limit]" if outlook.at_end > budget.limit else ""
    return f"; about {money(outlook.at_end)} by midnight UTC{over}"


def _card(title: str, page: str, icon: str, value: str, words: str, address: dict[str, str] | None = None) -> None:
    """A number with its name, all of which leads to ``page``."""
    with st.container(border=True, key=f"card-{page}"):
        st.page_link(to(page), label=title, icon=f":material/{icon}:", query_params=address or EVERYTHING)
        st.metric(title, value, label_visibility="collapsed")
        st.caption(words)


def _figure(count: Count | int) -> str:
    """Exact as far as it can be read at a glance: ``1,420``, ``1.2 M``, ``> 10,000``."""
    value, exactly = (count.value, count.exact) if isinstance(count, Count) else (count, True)
    return f"{'' if exactly else '> '}{value:,}" if value < 100_000 else f"{'' if exactly else '> '}{number(value)}"


# --- the days that are looked at -------------------------------------------------------------------------------------


def choose_days(now: Settings) -> View:
    """How many days, and whether with samples; both in the address. Says which days these are."""
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    row.markdown("Days")
    length = row.segmented_control(
        "Days",
        [7, 30, 90],
        default=30,
        required=True,
        key="window",
        bind="query-params",
        label_visibility="collapsed",
    )
    samples = row.toggle("Samples", value=True, key="examples", bind="query-params", help="The invented articles, too.")
    newest, today = read(reports.newest_article_day), utc_now().date()
    window = window_of(length or 30, newest=newest, today=today)
    why = "" if window.last == today else ", where the analysed articles end"
    chosen = View(window, samples, now.blind_share)
    with row:
        export_popover([Table.SIGNALS], signals=chosen.signals(), key="overview")
    row.caption(f":material/calendar_month: Articles of **{window}**{why} (UTC)")
    return chosen


# --- signals ---------------------------------------------------------------------------------------------------------


def trend(view: View) -> bool:
    """Signals by day and kind against the days before; whether there are any in the desk's days at all."""
    rows = read(partial(_signals_by_day, view=view))
    st.header("Signals by day")
    number_of, words = overview_charts.trend_in_words(rows, view.window)
    if not any(view.window.first <= day <= view.window.last for day, _, _ in rows):
        empty("No signal was found in articles of these days. Analyse some, or look at more days.", "articles", "Go to Articles")
        return False
    figure = overview_charts.trend(rows, view.window)
    st.html(overview_charts.legend(figure))
    st.plotly_chart(figure, alt=f"Signals by day of their article: {number_of}, {words}", key="trend")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="words-trend"):
        st.page_link(to("signals"), label=number_of, icon=":material/radar:", query_params=view.address())
        st.caption(words)
    return True


def _signals_by_day(session: Session, view: View) -> list[tuple]:
    since = view.window.before.first
    rows = reports.signals_by_day(session, since=since)
    if view.samples:
        return rows
    samples = {(day, kind): n for day, kind, n in headlines.sample_signals_by_day(session, since=since)}
    return [(day, kind, n - samples.get((day, kind), 0)) for day, kind, n in rows if n > samples.get((day, kind), 0)]


def strongest(view: View) -> None:
    """The strongest signals of the window, each leading to its article."""
    st.header("Strongest signals", help="Undecided or accepted: validated ones first, then by confidence. Contradicted ones are left out.")
    rows = read(lambda session: headlines.strongest(session, view.signals(), STRONGEST))
    if not rows:
        st.caption("None that is undecided or accepted in these days.")
        return
    with st.container(key="lines-strongest"):
        for row in rows:
            signal_line(row)


def signal_line(row: SignalRow, place: int | None = None) -> None:
    """A signal as one link of at most two lines: confidence, what was made of it, its words."""
    marks = [BADGES[one] for one in (row.verdict, row.decision) if one is not None and BADGES[one][1] == "green"]
    badges = "".join(f":{colour}-badge[{icon} {name}] " for name, colour, icon in marks)
    before = f"**{place}.** " if place else ""
    words = row.description if len(row.description) <= 170 else f"{row.description[:169]}…"
    st.page_link(
        to("article"),
        label=f"{before}**{row.confidence:.0%}** {badges}{plain(words)}",
        icon=KIND_ICONS[row.kind],
        query_params={"id": str(row.article_id), "signal": str(row.id)},
        help=f"{KIND_NAMES[row.kind]} · {plain(row.publisher)} · {exact(row.published_at)}",
    )


# --- stories and publishers ------------------------------------------------------------------------------------------


def stories(view: View, now: Settings) -> None:
    """The stories of the window that several publishers tell."""
    st.header("Stories that several publishers share")
    ready = readiness(now)
    rows = read(lambda session: headlines.shared_stories(session, view.window, ready, size=STORIES, without_samples=not view.samples))
    if not rows:
        st.caption("No text of these days was published by two publishers or more.")
        return
    with st.container(key="lines-stories"):
        for story in rows:
            _story_line(story)


def _story_line(story: headlines.SharedStory) -> None:
    state = f":green[{counted(story.signals, 'signal')}]" if story.is_analysed else ":gray[not analysed]"
    about = [
        f"**{story.publishers}** publishers, {counted(story.articles, 'article')}",
        f"first {plain(story.first_publisher)}, {ago(story.first_published_at, utc_now())}",
        f"within {_span(story.span)}",
        state,
        *(["sample"] if story.is_sample else []),
    ]
    st.page_link(
        to("article"),
        label=plain(story.title),
        icon=":material/newspaper:",
        query_params={"id": str(story.first_article_id)},
        help=f"First published {exact(story.first_published_at)}",
    )
    st.caption(" · ".join(about))


def _span(span: timedelta) -> str:
    """``5 min``, ``31 h``, ``4 days``."""
    if span < timedelta(hours=2):
        return duration(span.total_seconds())
    return f"{span / HOUR:.0f} h" if span < 3 * DAY else f"{span / DAY:.0f} days"


def publishers(rows: PublisherRows) -> None:
    """Publishers by the signals found in their articles, of all days."""
    st.header("Publishers", help="Of all days.")
    if not rows:
        st.caption("Appears with the first signals.")
        return
    st.dataframe(
        pd.DataFrame(rows, columns=["Publisher", "Signals", "Accepted"]),
        hide_index=True,
        row_height=30,
        column_config={
            "Signals": st.column_config.NumberColumn(format="localized", width=80),
            "Accepted": st.column_config.NumberColumn(format="localized", width=80),
        },
    )
