"""The Budget page's spending: figures of a period, where the money goes, tokens and credits, estimates against actuals."""

from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from urllib.parse import quote

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from console import budget_charts
from console.components import empty
from console.resources import read, settings
from console.words import ago, exact, money, number
from core import quality, spending
from core.budget import utc_day
from core.clock import utc_now
from core.forecast import Comparison, median_error
from core.quality import Cost
from core.spending import COMPARED, LONGEST, Dimension, Group, Reserved, Usage

PERIODS = {7: "7 days", 30: "30 days", 90: "90 days", 365: "12 months"}
COUNTED = 90
"""Days over which completed articles are counted: beyond, counting them takes longer than a page may."""
CHARTED = 5
"""Groups of a stacked chart that have a colour of their own."""
STYLE = (
    "<style>.st-key-spend-figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:1rem}"
    ".st-key-spend-figures>*{width:100%!important}</style>"
)


# --- words, pure -----------------------------------------------------------------------------------------------------


def share_of(part: Decimal, whole: Decimal) -> float:
    """Percent of the whole; of nothing, nothing."""
    return float(part / whole) * 100 if whole else 0.0


def leads_to(dimension: Dimension, group: Group) -> str | None:
    """The address of what a group is made of; None where there is nothing to show."""
    if dimension is Dimension.RUN:
        return f"/runs?batch={group.key}" if group.key else None
    if dimension is Dimension.PUBLISHER:
        return f"/articles?publisher={quote(group.name)}" if group.key and group.name != "deleted" else None
    if dimension is Dimension.MONTH:
        return None
    return f"/budget?line-{dimension.value}={quote(str(group.key))}#ledger"


def error_words(error: float) -> str:
    """``+25%``, ``–3%``, ``as estimated``."""
    percent = round(error * 100)
    return "as estimated" if not percent else f"{percent:+,}%".replace("-", "–")


def credits(amount: Decimal) -> str:
    """Search credits, without zeros behind."""
    return f"{amount.normalize():,f}" if amount != amount.to_integral() else f"{amount:,.0f}"


# --- pieces ----------------------------------------------------------------------------------------------------------


def period() -> date:
    """The first UTC day that is looked at; bound to the address."""
    days = st.segmented_control(
        "Period", list(PERIODS), default=30, required=True, key="within", bind="query-params", format_func=PERIODS.__getitem__
    )
    return utc_day(utc_now()) - timedelta(days=(days or 30) - 1)


def figures(since: date) -> None:
    """The period in a line: spent, under way, and what an article and an accepted signal cost."""
    used, held, articles, accepted = read(partial(_figures, since=since))
    st.html(STYLE)
    row = st.container(key="spend-figures")
    each = money(used.usd / articles) if articles else "–"
    per_accepted = money(accepted.per_accepted) if accepted.per_accepted is not None else "–"
    unknown = f"{money(used.unknown_usd)} unknown" if used.unknown_calls else "all as billed"
    since_when = f", {ago(held.since, utc_now())}" if held.since else ""
    for label, value, detail, explained in (
        ("Spent", money(used.usd), unknown, "Calls without an answer may have been billed: they count at their worst case."),
        ("Calls", number(used.calls), f"{number(used.released_calls)} not billed", "Every attempt is a call, free ones included."),
        ("Tokens", number(used.tokens), f"{number(used.output_tokens + used.thinking_tokens)} of them out", "Input, output and thinking."),
        ("Under way", money(held.usd), f"{held.calls:,} calls{since_when}", "Held for calls that have not ended, each at its worst case."),
        (
            "Per article",
            each,
            f"{articles:,} completed" if articles is not None else f"up to {COUNTED} days",
            "All that was spent in this time, by articles completed in the runs of this time.",
        ),
        (
            "Per accepted signal",
            per_accepted,
            f"{accepted.accepted:,} accepted",
            "All that was spent in this time, by signals accepted in it.",
        ),
    ):
        row.metric(label, value, detail, delta_color="off", delta_arrow="off", border=True, help=explained)


def _figures(session: Session, since: date) -> tuple[Usage, Reserved, int | None, Cost]:
    return (
        spending.usage(session, since=since),
        spending.reserved(session),
        spending.completed_articles(session, since=since) if since >= utc_day(utc_now()) - timedelta(days=COUNTED) else None,
        quality.in_all(quality.costs(session, since=budget_charts.midnight(since))),
    )


@st.fragment
def where_it_goes(since: date, daily_limit: Decimal) -> None:
    """Spending told apart by one dimension: a chart by day and a table with shares."""
    st.header("Where the money goes")
    dimension = st.segmented_control(
        "By", list(Dimension), default=Dimension.MODEL, required=True, key="per", bind="query-params", format_func=lambda one: one.value
    )
    dimension = dimension or Dimension.MODEL
    groups, held = read(lambda session: (spending.by(session, dimension, since=since), spending.reserved_by(session, dimension)))
    if not groups:
        empty("No call was made in this time. Pick some articles and analyse them.", "articles", "Go to Articles")
        return
    whole = sum((group.usage.usd for group in groups), Decimal(0))
    charted = groups[:CHARTED]
    rows = read(partial(spending.by_day, dimension=dimension, keys=[group.key for group in charted], since=since))
    names = {group.key: group.name for group in charted} if dimension not in (Dimension.DAY, Dimension.MONTH) else {}
    monthly = dimension is Dimension.MONTH or since < utc_day(utc_now()) - timedelta(days=100)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.plotly_chart(budget_charts.spending(rows, names, daily_limit, since=since, monthly=monthly, in_calls=not whole))
        if not whole:
            st.caption("Nothing was spent: the offline rules and the archive are free. The chart shows their calls instead.")
    with right:
        _table(dimension, groups, held, whole)


def _table(dimension: Dimension, groups: list[Group], held: dict[object, Decimal], whole: Decimal) -> None:
    calls = sum(group.usage.calls for group in groups)
    shares = [share_of(group.usage.usd, whole) if whole else share_of(Decimal(group.usage.calls), Decimal(calls)) for group in groups]
    config = {
        "Share": st.column_config.ProgressColumn(
            "Share" if whole else "Share of calls", format="%.0f%%", min_value=0, max_value=100, width=84
        ),
        "Details": st.column_config.LinkColumn(
            "Details", display_text="open", width=54, help="The run, the articles, or the lines of the ledger."
        ),
    }
    for name, width in {"Spent": 62, "Reserved": 70, "Calls": 54, "Credits": 58}.items():
        config[name] = st.column_config.Column(alignment="right", width=width)
    for name in ("In", "Out"):
        config[name] = st.column_config.Column(alignment="right", width=54, help="Tokens")
    table = {
        dimension.value.capitalize(): [group.name for group in groups],
        "Details": [leads_to(dimension, group) for group in groups],
        "Spent": [money(group.usage.usd) for group in groups],
        "Share": shares,
        "Reserved": [money(held[group.key]) if group.key in held else "–" for group in groups],
        "Calls": [number(group.usage.calls) for group in groups],
        "In": [number(group.usage.input_tokens) for group in groups],
        "Out": [number(group.usage.output_tokens + group.usage.thinking_tokens) for group in groups],
        "Credits": [credits(group.usage.search_credits) for group in groups],
    }
    if dimension is Dimension.MONTH:
        del table["Details"]
    st.dataframe(pd.DataFrame(table), hide_index=True, row_height=30, height=min(38 + 30 * len(groups), 400), column_config=config)
    if len(groups) == LONGEST:
        st.caption(f"The first {LONGEST}; a shorter period shows fewer.")


def tokens_and_credits(since: date) -> None:
    """Tokens by kind and search credits, by day."""
    st.header("Tokens and credits")
    days = read(lambda session: spending.usage_by_day(session, since=since))
    used = spending.in_all(days)
    if not used.tokens and not used.search_credits:
        with st.container(border=True):
            st.markdown("No tokens and no search credits were used in this time: the offline rules and the archive need none.")
        return
    monthly = since < utc_day(utc_now()) - timedelta(days=100)
    st.plotly_chart(budget_charts.tokens(days, since=since, monthly=monthly))
    rows = {
        "Input": used.input_tokens - used.cached_tokens,
        "Input from cache": used.cached_tokens,
        "Output": used.output_tokens,
        "Thinking, billed as output": used.thinking_tokens,
    }
    per_credit = settings().tavily_usd_per_credit
    table = pd.DataFrame(
        {
            "Kind": [*rows, "Search credits"],
            "Used": [*(number(value) for value in rows.values()), credits(used.search_credits)],
            "Share of tokens": [*(f"{share_of(Decimal(value), Decimal(used.tokens)):.0f}%" for value in rows.values()), "–"],
        }
    )
    right = {name: st.column_config.Column(alignment="right") for name in ("Used", "Share of tokens")}
    st.dataframe(table, hide_index=True, row_height=30, column_config=right)
    if used.search_credits:
        st.caption(
            f"A search credit costs {money(per_credit)} now (a setting): {money(used.search_credits * per_credit)} in all.".replace(
                "$", r"\$"
            )
        )


def estimates(runs: list[Comparison]) -> None:
    """The last runs: what they were estimated to cost at launch, and what they did cost."""
    st.header("Estimates and what runs cost")
    if not runs:
        with st.container(border=True):
            st.markdown("No run with a price has ended yet. Each that does is compared with its estimate here.")
        return
    median = median_error(runs) or 0.0
    how_many = f"the last {len(runs)} runs" if len(runs) > 1 else "the only run so far"
    st.markdown(f"Off by **{median:.0%}** (median, either way) over {how_many} that cost something and ran to their end.")
    st.plotly_chart(budget_charts.estimates(runs))
    st.dataframe(_compared(runs), hide_index=True, row_height=30, height=min(38 + 30 * len(runs), 280), column_config=_COMPARED)
    if len(runs) == COMPARED:
        st.caption(f"The newest {COMPARED}. Cancelled runs and free ones are left out.")


_COMPARED = {
    "Run": st.column_config.LinkColumn("Run", display_text=r"batch=(\d+)", width=50),
    **{name: st.column_config.Column(alignment="right", width=80) for name in ("Estimated", "Actual", "Error", "Articles")},
}


def _compared(runs: list[Comparison]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Run": [f"/runs?batch={run.batch_id}" for run in runs],
            "Estimated": [money(run.estimated) for run in runs],
            "Actual": [money(run.actual) for run in runs],
            "Error": [error_words(run.error) for run in runs],
            "Articles": [f"{run.completed:,} of {run.articles:,}" for run in runs],
            "Model": [run.model for run in runs],
            "Launched (UTC)": [exact(run.created_at).removesuffix(" UTC") for run in runs],
        }
    )
