"""The Budget page's limits: what is left and whether it lasts, changing a limit, and the history of alerts and changes."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.components import attempt, budget_meter
from console.navigation import to
from console.permits import permit
from console.resources import read
from console.words import ago, duration, exact, money, plain
from core import forecast, limits, spending
from core.access import Permission
from core.budget import ALERT_THRESHOLDS, BudgetState
from core.clock import utc_now
from core.forecast import LEAST_DAYS, LEAST_TIME, PACE_DAYS, Outlook
from core.limits import Effect, Event
from core.models import BudgetEventKind, BudgetScope

HISTORY = 12
"""Lines of history at first, and with each click on more."""
KINDS = {
    "Everything": (),
    "Alerts": (BudgetEventKind.ALERT,),
    "Top-ups": (BudgetEventKind.TOP_UP,),
    "Changes": (BudgetEventKind.LIMIT,),
}


# --- words, pure -----------------------------------------------------------------------------------------------------


def will_it_last(budget: BudgetState, outlook: Outlook, now: datetime) -> tuple[str, str, str]:
    """What the outlook comes to, as Markdown, with its colour and icon."""
    of_day = budget.scope is BudgetScope.DAY
    end = "midnight UTC" if of_day else f"{outlook.ends_at - timedelta(days=1):%d %B}"
    if budget.spent >= budget.limit:
        return "The limit is reached: paid calls wait until it is raised or a new one begins.", "red", ":material/block:"
    if outlook.rate is None or outlook.at_end is None:
        waits = f"{LEAST_TIME // timedelta(minutes=1)} minutes from the first spending on" if of_day else f"{LEAST_DAYS} whole days"
        return f"Too little spent to tell a pace: it takes {waits}.", "gray", ":material/hourglass_empty:"
    if not outlook.rate:
        rest = "in the last hours" if of_day else f"in the last {PACE_DAYS} days"
        return f"Nothing was spent {rest}: it lasts.", "green", ":material/check_circle:"
    pace = f"{money(outlook.rate / 24)} an hour" if of_day else f"{money(outlook.rate)} a day"
    taken = f"the last {duration(outlook.rests_on.total_seconds())}" if of_day else f"the last {outlook.rests_on.days} days"
    rests = f"{pace}, as in {taken}: about {money(outlook.at_end)} by {end}"
    if outlook.reached_at is None:
        return f"It lasts. At {rests}.", "green", ":material/check_circle:"
    left = duration((outlook.reached_at - now).total_seconds())
    reached = f"**{exact(outlook.reached_at)[11:]}**, in {left}" if of_day else f"**{outlook.reached_at:%d %B}**"
    return f"The limit is reached about {reached}. At {rests}.", "orange", ":material/trending_up:"


def what_it_does(budget: BudgetState, limit: Decimal, effect: Effect) -> tuple[str, bool]:
    """What a new limit changes, as Markdown, and whether it stops paid calls."""
    before = f"{budget.label.capitalize()}: {money(budget.limit)} becomes **{money(limit)}**, so {money(budget.room)} left becomes"
    if not effect.room:
        beyond = f": {money(effect.over)} more than that is spent or reserved already" if effect.over else ""
        return f"{before} **nothing**{beyond}. Paid calls pause until there is room; what is under way finishes.", True
    passed = f" {max(effect.passes)}% of it is spent already." if effect.passes else ""
    return f"{before} **{money(effect.room)}**.{passed}", False


def event_words(event: Event) -> str:
    """What happened, as Markdown."""
    what = {BudgetScope.DAY: f"Day {event.key}", BudgetScope.MONTH: f"Month {event.key}", BudgetScope.BATCH: f"Run #{event.key}"}
    if event.kind is BudgetEventKind.ALERT:
        told = "" if event.told_at else ", not told yet"
        return f"{what[event.scope]} passed **{event.threshold}%** of its limit{told}"
    after = f" to **{money(event.after)}**" if event.after is not None else ""
    before = f" from {money(event.before)}" if event.before is not None else ""
    if event.kind is BudgetEventKind.TOP_UP:
        return f"{what[event.scope]} topped up by **{money(event.amount or 0)}**{before}{after}"
    return f"{what[event.scope]}: limit {'set back' if event.undoes else 'changed'}{before}{after}"


# --- pieces ----------------------------------------------------------------------------------------------------------


def what_is_left(states: list[BudgetState]) -> None:
    """Today's and this month's budget: what is left, whether it lasts, and a way to change each."""
    now = utc_now()
    outlooks = read(lambda session: _outlooks(session, states, now))
    changes = {(event.scope, event.key): event for event in reversed(read(partial(limits.events, size=20))) if event.can_be_undone}
    for column, budget, outlook in zip(st.columns(len(states)), states, outlooks, strict=True):
        with column, st.container(border=True, height="stretch"):
            top = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="top")
            top.metric(
                f"Left {budget.label}",
                money(budget.room),
                f"of {money(budget.limit)}",
                delta_color="off",
                delta_arrow="off",
                width="content",
            )
            if top.button("Change the limit", key=f"change-{budget.id}", icon=":material/edit:", **permit(Permission.MONEY)):
                _change_dialog(budget)
            budget_meter(budget)
            words, colour, icon = will_it_last(budget, outlook, now)
            st.markdown(f":{colour}[{icon}] {_dollars(words)}")
            marks = " · ".join(f"{threshold}% at {money(budget.limit * threshold / 100)}" for threshold in ALERT_THRESHOLDS)
            st.caption(_dollars(f"Alerts: {marks}"))
            event = changes.get((budget.scope, budget.key))
            if event is not None and now - event.created_at < timedelta(hours=1):
                _undo_line(event, now)


def batch_limits() -> None:
    """The limits of runs that have not ended; nothing where none has one."""
    budgets = read(limits.open_batch_budgets)
    if not budgets:
        return
    st.header("Limits of open runs")
    for budget in budgets:
        row = st.container(horizontal=True, vertical_alignment="center")
        with row.container(width=320):
            budget_meter(budget)
        row.page_link(to("runs"), label=f"Run #{budget.key}", icon=":material/play_circle:", query_params={"batch": budget.key})
        if row.button("Change its limit", key=f"change-{budget.id}", icon=":material/edit:", **permit(Permission.MONEY)):
            _change_dialog(budget)


def history() -> None:
    """Alerts, top-ups and changes of limits, newest first; a change that still stands can be undone."""
    st.header("Alerts and changes of limits")
    chosen = st.segmented_control(
        "Show", list(KINDS), default="Everything", required=True, key="changes", bind="query-params", label_visibility="collapsed"
    )
    size = HISTORY * (1 + state.page_number("budget-history"))
    rows = read(partial(limits.events, size=size + 1, kinds=KINDS[chosen or "Everything"]))
    now = utc_now()
    for event in rows[:size]:
        _event_line(event, now)
    if not rows:
        st.caption(
            f"None yet. An alert is raised when {', '.join(f'{one}%' for one in ALERT_THRESHOLDS)} of a limit is spent; a run that is"
            " short of money offers a top-up on its page."
        )
    if len(rows) > size and st.button("Show more", icon=":material/expand_more:"):
        state.turn_to("budget-history", state.page_number("budget-history") + 1)
        st.rerun()


def _outlooks(session: Session, states: list[BudgetState], now: datetime) -> tuple[Outlook, Outlook]:
    day, month = states
    days = spending.usage_by_day(session, since=now.date() - timedelta(days=PACE_DAYS))
    by_day = {one: used.usd for one, used in days}
    return (
        spending.outlook_today(session, day, now),
        forecast.outlook_of_month(month.limit, month.spent, now, by_day, spending.first_day(session)),
    )


@st.dialog("Change the limit")
def _change_dialog(budget: BudgetState) -> None:
    given = st.number_input(
        f"Limit of {budget.label} ({budget.key}), in $",
        min_value=0.0,
        max_value=float(limits.MOST),
        value=float(budget.limit),
        step=1.0,
        format="%.2f",
        key=f"limit-{budget.id}",
    )
    limit = Decimal(str(given))
    words, stops = what_it_does(budget, limit, limits.effect(budget, limit))
    if limit == budget.limit:
        st.caption("This is what it is now.")
    elif stops:
        st.warning(_dollars(words), icon=":material/block:")
    else:
        st.markdown(_dollars(words))
    if budget.scope is not BudgetScope.BATCH:
        st.page_link(to("system"), label="The default for new days and months is on the System page.", icon=":material/settings:")
    row = st.container(horizontal=True)
    label = f"Set to {money(limit)}" + (" and pause paid calls" if stops else "")
    if row.button(_dollars(label), type="primary", disabled=limit == budget.limit, key=f"set-{budget.id}") and attempt(
        lambda: state.act(lambda session, by: limits.change_limit(session, budget.id, limit, by=by))
    ):
        state.flash(_dollars(f"The limit of {budget.label} is {money(limit)} now. It can be undone on this page."))
        st.rerun()
    if row.button("Leave it", key=f"leave-{budget.id}"):
        st.rerun()


def _undo_line(event: Event, now: datetime) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    row.caption(_dollars(f"{event_words(event)} by {plain(event.made_by)} · {ago(event.created_at, now)}"), width="content")
    _undo_button(row, event, "now")


def _event_line(event: Event, now: datetime) -> None:
    icon = {
        BudgetEventKind.ALERT: ":orange[:material/notifications:]",
        BudgetEventKind.TOP_UP: ":green[:material/add_card:]",
        BudgetEventKind.LIMIT: ":gray[:material/tune:]",
    }[event.kind]
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    row.markdown(_dollars(f"{icon} {event_words(event)}"), width="content")
    row.caption(f"{ago(event.created_at, now)} · {plain(event.made_by)}", help=exact(event.created_at), width="content")
    if event.scope is BudgetScope.BATCH:
        row.page_link(to("runs"), label="Its run", icon=":material/play_circle:", query_params={"batch": event.key})
    if event.can_be_undone:
        _undo_button(row, event, "listed")


def _undo_button(row: st.delta_generator.DeltaGenerator, event: Event, where: str) -> None:
    label = _dollars(f"Back to {money(event.before or 0)}")
    if row.button(label, key=f"undo-{where}-{event.id}", icon=":material/undo:", type="tertiary", **permit(Permission.MONEY)) and attempt(
        lambda: state.act(lambda session, by: limits.undo(session, event.id, by=by))
    ):
        state.flash(_dollars(f"The limit is {money(event.before or 0)} again."), ":material/undo:")
        st.rerun()


def _dollars(text: str) -> str:
    """Markdown in which two amounts are no formula."""
    return text.replace("$", r"\$")
