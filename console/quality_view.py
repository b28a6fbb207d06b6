"""The Quality page's pieces: filters, the headline figures, acceptance, agreement, calibration, cost."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from console import quality_charts
from console.colours import BADGES, KIND_NAMES
from console.resources import read
from console.words import money, percent, plain
from core import quality, reviews
from core.agents.outputs import SignalKind, Verdict
from core.calibration import ENOUGH, FEW, Calibration, Share
from core.clock import utc_now
from core.models import Decision
from core.quality import Acceptance, Agreement, Cost, Dimension, Scope

DAYS = {7: "7 days", 30: "30 days", 90: "90 days", 0: "all time"}
CHART_ROWS = 12
WIDTHS = {"Decided": 68, "Accepted": 72, "Rejected": 72, "Unsure": 64, "Acceptance": 110}
AGREES = "Validated and accepted, or contradicted and rejected, of all validated or contradicted signals that were accepted or rejected."


# --- words, pure -----------------------------------------------------------------------------------------------------


def how_few(decided: int) -> str:
    """What so many decisions (accepted or rejected) allow to be said; empty when there are enough."""
    if decided >= ENOUGH:
        return ""
    made = f"**{decided} decision{'' if decided == 1 else 's'}** accepted or rejected so far"
    if decided < FEW:
        return (
            f"{made}: too few to judge by. Figures are shown with their 95% interval; calibration appears with {FEW - decided} more"
            f" (from {FEW} on), and with {ENOUGH - decided} more (from {ENOUGH} on) a share is known to about ±10 points."
        )
    return (
        f"{made}: read the 95% intervals rather than the figures. With {ENOUGH - decided} more (from {ENOUGH} on) a share is known to"
        " about ±10 points."
    )


def share(value: Share) -> str:
    """``64%``; a dash of nothing."""
    return "–" if value.value is None else percent(value.value)


def bounds(value: Share) -> str:
    """``35–85%``; a dash of nothing."""
    low, high = value.interval
    return f"{low * 100:.0f}–{high * 100:.0f}%" if value.whole else "–"


def interval(value: Share) -> str:
    """``7 of 11 · 35–85%``."""
    return f"{value.part:,} of {value.whole:,} · {bounds(value)}" if value.whole else "none yet"


def figure(value: Share) -> tuple[str, str]:
    """A share in large with its interval beside it; of few decisions the interval is the figure, since the share alone misleads."""
    if not value.whole:
        return "–", "none yet"
    return (share(value), interval(value)) if value.whole >= FEW else (bounds(value), f"{value.part} of {value.whole} so far")


def brier(value: Calibration) -> tuple[str, str]:
    """The Brier score with what it is worth, or how many decisions it lacks."""
    decided = value.outcomes.whole
    if decided < FEW or value.brier is None:
        return "–", f"from {FEW} decisions on"
    if value.skill is None:
        return f"{value.brier:.3f}", "one outcome only"
    return f"{value.brier:.3f}", f"skill {value.skill:+.0%}" if value.skill >= 0 else "below the base rate"


# --- pieces ----------------------------------------------------------------------------------------------------------


def filters() -> Scope:
    """Which decisions are looked at; every widget is bound to the address."""
    row = st.columns([3, 2, 3], vertical_alignment="bottom")
    days = row[0].segmented_control(
        "Decided within", list(DAYS), default=0, required=True, key="days", bind="query-params", format_func=DAYS.__getitem__
    )
    reviewer = row[1].selectbox(
        "Reviewer", read(reviews.reviewers), index=None, key="reviewer", bind="query-params", placeholder="everybody"
    )
    bulk = row[2].toggle(
        "Count decisions on many at once",
        value=True,
        key="bulk",
        bind="query-params",
        help="One click on many signals is one judgement, yet counts as many decisions, and makes intervals narrower than the truth.",
    )
    return Scope(utc_now() - timedelta(days=days) if days else None, reviewer, bulk)


def headline(all_: Acceptance, agreements: tuple[Agreement, Agreement], given: Calibration, cost: Cost) -> None:
    """The page's first answer."""
    blind, sighted = agreements
    score, worth = brier(given)
    each = money(cost.per_accepted) if cost.per_accepted is not None else "–"
    figures = (
        ("Decided", f"{all_.decided:,}", f"{all_.unsure:,} of them unsure", "Decisions that stand; undone ones don't count."),
        ("Acceptance", *figure(all_.share), "Accepted of accepted and rejected."),
        ("Agrees, blind", *figure(blind.share), f"{AGREES} The verdict was hidden until the decision."),
        ("Agrees, in sight", *figure(sighted.share), f"{AGREES} The verdict was shown."),
        ("Brier score", score, worth, "Of confidence as the model gave it: 0 is perfect. Skill is over always saying the base rate."),
        (
            "Cost per accepted",
            each,
            f"{money(cost.usd)} for {cost.accepted:,}",
            "All that was spent in this time by what everybody accepted.",
        ),
    )
    for column, (label, value, detail, explained) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(label, value, detail, delta_color="off", delta_arrow="off", border=True, help=explained)
    if words := how_few(all_.share.whole):
        st.info(words, icon=":material/hourglass_empty:")


@st.fragment
def acceptance(scope: Scope) -> None:
    """Acceptance by one dimension, whose choice runs this alone, as bars with intervals and as a table."""
    st.header("Acceptance")
    dimension = st.segmented_control(
        "By", list(Dimension), default=Dimension.KIND, required=True, key="by", bind="query-params", format_func=lambda one: one.value
    )
    dimension = dimension or Dimension.KIND
    title = dimension.value.capitalize()
    rows = read(partial(quality.acceptance_by, dimension=dimension, scope=scope))
    names = [KIND_NAMES[SignalKind(row.name)] if dimension is Dimension.KIND else row.name for row in rows]
    judged = [(name, row.share) for name, row in zip(names, rows, strict=True) if row.share.whole]
    if judged:
        st.plotly_chart(quality_charts.acceptance_bars(judged[:CHART_ROWS]))
    note = f" The {CHART_ROWS} with most decisions; the table has {len(rows)}." if len(judged) > CHART_ROWS else ""
    st.caption(f"Accepted of accepted and rejected, with the 95% interval (Wilson); pale under {FEW} decisions.{note}")
    st.dataframe(
        pd.DataFrame(
            {
                title: names,
                "Decided": [row.decided for row in rows],
                "Accepted": [row.accepted for row in rows],
                "Rejected": [row.rejected for row in rows],
                "Unsure": [row.unsure for row in rows],
                "Acceptance": [f"{share(row.share)} ({bounds(row.share)})" if row.share.whole else "–" for row in rows],
            }
        ),
        hide_index=True,
        row_height=30,
        column_config={name: st.column_config.Column(width=width) for name, width in ({title: 130} | WIDTHS).items()},
    )


def calibration(given: Calibration, after: Calibration) -> None:
    """The reliability diagram and the Brier scores."""
    st.header("Calibration of confidence")
    decided = given.outcomes.whole
    if decided < FEW:
        with st.container(border=True):
            st.markdown(
                f"Not drawn yet: {decided} of the {FEW} decisions it takes. Ten steps of confidence with fewer than two signals each"
                " would show chance."
            )
        return
    st.plotly_chart(quality_charts.reliability((("as the model gave it", given), ("after research", after))))
    st.caption(
        "On the line, signals of 70% confidence are accepted 7 times in 10; below it, confidence promises too much. Bigger: more signals."
    )
    st.dataframe(
        pd.DataFrame(
            {
                "Confidence": ["as the model gave it", "after research", "always the base rate"],
                "Brier score": [_three(given.brier), _three(after.brier), _three(given.reference)],
                "Skill": [_skill(given), _skill(after), "0%"],
                "Decisions": [f"{decided:,}"] * 3,
            }
        ),
        hide_index=True,
        row_height=30,
        column_config=_to_the_right("Brier score", "Skill", "Decisions"),
    )
    st.caption(
        "Brier score: mean squared distance of confidence from what came of it (1 accepted, 0 rejected); 0 is perfect. Skill: how much"
        f" better than always saying the base rate, {share(given.outcomes)}."
    )


def agreement(agreements: tuple[Agreement, Agreement]) -> None:
    """Verdict against decision, blind and in sight."""
    st.header("Verdict and analyst")
    for title, one in zip(("Blind: the verdict was hidden until the decision", "In sight of the verdict"), agreements, strict=True):
        st.markdown(f"**{title}**")
        if not one.table:
            st.caption("No decision yet.")
            continue
        kappa = f" · Cohen's kappa {one.kappa:.2f}" if one.kappa is not None and one.share.whole >= FEW else ""
        low = f" · {FEW} needed for Cohen's kappa" if one.share.whole < FEW else ""
        st.caption(f"Agreement: {share(one.share)} · {interval(one.share)}{kappa}{low}")
        verdicts: Sequence[Verdict | None] = (*Verdict, None)
        decisions = (Decision.ACCEPTED, Decision.REJECTED, Decision.UNSURE)
        table = {BADGES[decision][0].capitalize(): [one.of(verdict, decision) for verdict in verdicts] for decision in decisions}
        st.dataframe(
            pd.DataFrame({"Verdict": [BADGES[verdict][0] if verdict else "not researched" for verdict in verdicts]} | table),
            hide_index=True,
            row_height=30,
        )
    st.caption(
        "It agrees where a validated signal was accepted or a contradicted one rejected; other verdicts and unsure decisions say neither."
    )


def cost(costs: list[Cost], total: Cost, scope: Scope) -> None:
    """What an accepted signal costs, by model."""
    st.header("Cost per accepted signal")
    rows = [*costs, total] if len(costs) > 1 else costs
    if rows:
        st.dataframe(
            pd.DataFrame(
                {
                    "Model of the run": [row.model for row in rows],
                    "Spent": [money(row.usd) for row in rows],
                    "of it unknown": [money(row.unknown_usd) for row in rows],
                    "Accepted": [row.accepted for row in rows],
                    "Per accepted": [money(row.per_accepted) if row.per_accepted is not None else "–" for row in rows],
                }
            ),
            hide_index=True,
            row_height=30,
            column_config=_to_the_right("Spent", "of it unknown", "Per accepted"),
        )
    who = " Money has no reviewer: everybody's decisions count here." if scope.reviewer or not scope.bulk else ""
    st.caption(
        "Spent: all analysis and research of the runs in this time, articles that gave nothing included; calls without an answer at"
        " their worst case. Accepted: decided in this time. Signals that still wait have cost too, so the figure falls as they are"
        f" reviewed.{who}"
    )


def nothing_decided(scope: Scope) -> str:
    """What to do when no decision matches. Pure."""
    if scope == quality.EVERYTHING:
        return (
            f"Nothing is decided yet. Accept or reject some signals: from {FEW} decisions on this page shows calibration, from {ENOUGH} on"
            " its shares are known to about ±10 points."
        )
    whose = f" by {plain(scope.reviewer)}" if scope.reviewer else ""
    return f"No decision{whose} matches. Widen the time, choose everybody, or decide on some signals."


def _to_the_right(*columns: str) -> dict[str, Any]:
    """Figures that are written out stand under each other, as numbers do."""
    return {name: st.column_config.Column(alignment="right") for name in columns}


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _skill(value: Calibration) -> str:
    return "–" if value.skill is None else f"{value.skill:+.0%}"
