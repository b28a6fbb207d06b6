"""The Overview's pieces: today at a glance, the trend, the strongest signals, a theme's narrative, shared stories."""

from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import overview_charts
from console.colours import BADGES, KIND_ICONS, KIND_NAMES
from console.components import attempt, empty
from console.navigation import to
from console.overview_charts import counted
from console.prices_view import price_popover
from console.resources import open_desk, read, settings
from console.state import blind_share
from console.words import duration, exact, money, number, plain
from core import headlines, reports, themes
from core.budget import BudgetState, current_budgets
from core.clock import utc_now
from core.launching import readiness
from core.prices import prices_between
from core.reports import Today
from core.samples import load_samples
from core.selection import Count
from core.signal_filter import SignalFilter
from core.signals import SignalRow
from core.themes import Narrative, Theme
from core.windows import Window, window_of

REFRESH_SECONDS = 5
STRONGEST = 8
NOTABLE = 6
STORIES = 8
CARDS = """<style>
.st-key-glance{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:.7rem}
.st-key-glance>*{width:100%!important;height:100%}
[class*=st-key-card-]{position:relative;gap:.1rem;height:100%;padding:.6rem .8rem .7rem!important;transition:border-color .12s}
[class*=st-key-card-]:hover,[class*=st-key-card-]:focus-within{border-color:var(--st-primary-color)!important}
[class*=st-key-card-] a{padding:0!important;background:none!important;position:static}
[class*=st-key-card-] a::after{content:"";position:absolute;inset:0}
[class*=st-key-card-] [data-testid=stMetricValue]{font-size:1.7rem;line-height:1.25}
[class*=st-key-card-] [data-testid=stMetricDelta]{font-size:.8rem;white-space:normal}
[class*=st-key-lines-] a p{white-space:normal;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden}
[class*=st-key-lines-]{gap:.15rem}
@media(max-width:900px){.st-key-glance{grid-template-columns:repeat(2,minmax(0,1fr))}}
</style>"""


@dataclass(frozen=True, slots=True)
class View:
    """What the page looks at: days, and whether samples are among what it shows."""

    window: Window
    samples: bool

    def signals(self) -> SignalFilter:
        """All signals of it, as the Signals page filters."""
        return SignalFilter(since=self.window.first, until=self.window.last, without_samples=not self.samples, blind_share=blind_share())

    def address(self, **more: str) -> dict[str, str]:
        """The same signals on the Signals page."""
        return {"published": self.window.address, **({} if self.samples else {"invented": "false"}), **more}


# --- today at a glance -----------------------------------------------------------------------------------------------


def no_articles() -> None:
    """The empty desk: how articles get here."""
    empty(
        "**There are no articles yet.** Import your own with `signaldesk import FILE` (CoinDesk JSON, CSV, JSONL, RSS, Atom) or"
        " `signaldesk fetch`, or begin with the invented ones that come with the desk."
    )
    if st.button("Load the sample articles", type="primary", icon=":material/download:", key="load-samples"):
        with st.spinner("Loading the sample articles…"):
            loaded = attempt(lambda: load_samples(open_desk(), utc_now()))
        if loaded:
            st.rerun()


def glance(today: Today) -> None:
    """Five numbers, each the way to what it counts; read again every few seconds if something runs when the page is drawn.

    It goes on refreshing after the end, until the page is left or touched: a rerun of the page asked for from here would
    swallow a click made at that moment.
    """
    st.html(CARDS)
    now = settings()
    known = [today]

    @st.fragment(run_every=REFRESH_SECONDS if today.running + today.waiting else None)
    def show() -> None:
        newest = known.pop() if known else read(lambda session: reports.today(session, readiness(now)))
        _cards(newest, read(lambda session: current_budgets(session, now, utc_now())[0]))

    show()


def _cards(today: Today, budget: BudgetState) -> None:
    forecast = reports.burn_rate(budget, utc_now())
    over = " :orange[over the limit]" if forecast > budget.limit else ""
    with st.container(key="glance"):
        _card("Ready to analyse", "articles", "bolt", _figure(today.ready), f"of {number(today.articles)} articles", {"ready": "true"})
        running = f"{number(today.waiting)} waiting" if today.waiting else "nothing waits" if not today.running else "none waiting"
        _card("Running now", "runs", "play_circle", number(today.running), running)
        _card("To review", "review", "fact_check", number(today.to_review), "signals wait for a decision")
        _card("Accepted", "signals", "thumb_up", number(today.accepted), "signals for the newsletter", {"review": "accepted"})
        words = f"of {money(budget.limit)}; about {money(forecast)} by midnight UTC{over}"
        _card("Spent today", "budget", "payments", money(budget.spent), words)


def _card(title: str, page: str, icon: str, value: str, words: str, address: dict[str, str] | None = None) -> None:
    """A number with its name, all of which leads to ``page``."""
    with st.container(border=True, key=f"card-{page}"):
        st.page_link(to(page), label=title, icon=f":material/{icon}:", query_params=address)
        st.metric(title, value, words, delta_color="off", delta_arrow="off", label_visibility="collapsed")


def _figure(count: Count) -> str:
    return number(count.value) if count.exact else f"> {number(count.value)}"


# --- the days that are looked at -------------------------------------------------------------------------------------


def choose_days() -> View:
    """How many days, and whether with samples; both in the address. Says which days these are."""
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    length = row.segmented_control(
        "Days",
        [7, 30, 90],
        default=30,
        required=True,
        key="window",
        bind="query-params",
        format_func=lambda one: f"{one} days",
        label_visibility="collapsed",
    )
    samples = row.toggle("Samples", value=True, key="examples", bind="query-params", help="The invented articles, too.")
    newest, today = read(reports.newest_article_day), utc_now().date()
    window = window_of(length or 30, newest=newest, today=today)
    why = "" if window.last == today else ", where the analysed articles end"
    row.caption(f":material/calendar_month: Articles of **{window}**{why} (UTC)")
    return View(window, samples)


# --- signals ---------------------------------------------------------------------------------------------------------


def trend(view: View) -> bool:
    """Signals by day and kind against the days before; whether there are any in the desk's days at all."""
    rows = read(partial(_signals_by_day, view=view))
    st.subheader("Signals by day")
    words = overview_charts.trend_in_words(rows, view.window)
    if not any(view.window.first <= day <= view.window.last for day, _, _ in rows):
        empty("No signal was found in articles of these days. Analyse some, or look at more days.", "articles", "Go to Articles")
        return False
    st.plotly_chart(overview_charts.trend(rows, view.window), alt=f"Signals by day of their article. {words}", key="trend")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(words)
        st.page_link(to("signals"), label="All of them", icon=":material/arrow_forward:", query_params=view.address())
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
    st.subheader(
        "Strongest signals", help="Undecided or accepted: validated ones first, then by confidence. Contradicted ones are left out."
    )
    rows = read(lambda session: headlines.strongest(session, view.signals(), STRONGEST))
    if not rows:
        st.caption("None that is undecided or accepted in these days.")
        return
    with st.container(key="lines-strongest"):
        for row in rows:
            _signal_line(row)


def _signal_line(row: SignalRow, place: int | None = None) -> None:
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


# --- a theme's narrative ---------------------------------------------------------------------------------------------


def narrative(view: View) -> None:
    """Choose a theme, and see how it went through the days, with the price behind it."""
    offered = read(lambda session: themes.frequent_categories(session, view.window, without_samples=not view.samples))
    head = st.container(horizontal=True, vertical_alignment="bottom")
    head.subheader("Narrative of a theme", width="content")
    chosen = head.selectbox(
        "Theme",
        [category for category, _ in offered],
        key="theme",
        bind="query-params",
        accept_new_options=True,
        placeholder="a category, or words of your own",
        width=320,
        help="A category that signals have, or any words: then it is the signals and articles that have all of them.",
    )
    theme = Theme.of(chosen, [category for category, _ in offered])
    with head:
        price_popover(view.window)
    if theme is None:
        st.caption("Pick a category, or type words such as a company's name, to see its days.")
        return
    now = readiness(settings())
    story = read(lambda session: _narrative(session, theme, view, now))
    if story.is_empty:
        empty(f"Nothing about **{plain(theme.name)}** in articles of {view.window}. Pick another theme, or look at more days.")
        return
    chosen_signals = theme.signals(view.window, without_samples=not view.samples, blind_share=blind_share())
    notable = read(lambda session: headlines.strongest(session, chosen_signals, NOTABLE))
    left, right = st.columns([7, 4])
    with left:
        _narrative_chart(story, notable)
    with right:
        _narrative_numbers(story, notable, view)


def _narrative(session: Session, theme: Theme, view: View, now: themes.Readiness) -> Narrative:
    prices = prices_between(session, view.window.first, view.window.last)
    return themes.narrative(session, theme, view.window, now, prices, without_samples=not view.samples)


def _narrative_chart(story: Narrative, notable: list[SignalRow]) -> None:
    words = overview_charts.narrative_in_words(story)
    st.plotly_chart(overview_charts.narrative(story, notable), alt=f"{story.theme.name}, {story.window}. {words}", key="narrative")
    if story.counted_from != story.window.first:
        st.caption(
            f":material/info: Too much to count at once: the newest {themes.MOST:,}, which is everything since {story.counted_from:%d %b}."
        )
    st.caption(words)


def _narrative_numbers(story: Narrative, notable: list[SignalRow], view: View) -> None:
    theme = story.theme
    address = {"category": theme.category} if theme.category else {"find": theme.words}
    with st.container(horizontal=True):
        if story.signals.value:
            label = f"{'' if story.signals.exact else '> '}{counted(story.signals.value, 'signal')}"
            st.page_link(to("signals"), label=label, icon=":material/radar:", query_params=view.address(**address))
        if theme.words and story.articles.value:
            label = f"{'' if story.articles.exact else '> '}{counted(story.articles.value, 'article')}"
            days = {"since": str(story.window.first), "until": str(story.window.last)}
            more = {"q": theme.words, "ready": "false", **days, **({} if view.samples else {"samples": "false"})}
            st.page_link(to("articles"), label=label, icon=":material/article:", query_params=more)
    if notable:
        st.markdown("**Notable signals**")
        with st.container(key="lines-notable"):
            for place, row in enumerate(notable, start=1):
                _signal_line(row, place)
    names = read(lambda session: headlines.publisher_names(session, [key for key, _ in story.publishers[:5]]))
    listed = ", ".join(f"{plain(names[key])} {articles:,}" for key, articles in story.publishers[:5] if key in names)
    rest = len(story.publishers) - 5
    st.caption(f"Articles by publisher: {listed}" + (f" and {rest} more" if rest > 0 else "") + ".")


# --- stories and publishers ------------------------------------------------------------------------------------------


def stories(view: View) -> None:
    """The stories of the window that several publishers tell."""
    st.subheader("Stories that several publishers share")
    now = readiness(settings())
    rows = read(lambda session: headlines.shared_stories(session, view.window, now, size=STORIES, without_samples=not view.samples))
    if not rows:
        st.caption("No text of these days was published by two publishers or more.")
        return
    with st.container(key="lines-stories"):
        for story in rows:
            _story_line(story)


def _story_line(story: headlines.SharedStory) -> None:
    state = f":green[{counted(story.signals, 'signal')}]" if story.is_analysed else ":gray[not analysed]"
    facts = [
        f"**{story.publishers}** publishers, {counted(story.articles, 'article')}",
        f"first {plain(story.first_publisher)}, {exact(story.first_published_at)}",
        f"within {duration(story.span.total_seconds())}",
        state,
        *(["sample"] if story.is_sample else []),
    ]
    st.page_link(to("article"), label=plain(story.title), icon=":material/newspaper:", query_params={"id": str(story.first_article_id)})
    st.caption(" · ".join(facts))


def publishers() -> None:
    """Publishers by the signals found in their articles, of all days."""
    st.subheader("Publishers", help="Of all days.")
    rows = read(reports.publishers_by_signals)
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
