"""Why a run paused and why its articles failed, a card a cause, each with the click that fixes it."""

from collections.abc import Callable
from functools import partial

import streamlit as st
from sqlalchemy.orm import Session

from console import state
from console.components import attempt, way
from console.navigation import to
from console.permits import permit
from console.resources import open_desk, read, settings
from console.runs_view import compare_from
from console.words import money, number, plain
from core import batch_actions
from core.access import Actor, Permission
from core.batches import Progress
from core.clock import utc_now
from core.errors import DeskError
from core.models import BatchStatus, RecordStatus
from core.remedies import (
    Fix,
    Group,
    failure_groups,
    more_output,
    pause_group,
    raise_ceiling_and_retry,
    research_groups,
    run_with_more_output,
)

SHOWN = 8
"""Causes shown at most; the records below have every message."""


def causes(progress: Progress) -> None:
    """What stands in the way, the largest group first. Nothing where nothing does."""
    if progress.pause_reason and (paused := pause_group(progress)):
        _card(progress, paused, 0, f"{paused.number:,} {'article waits' if paused.number == 1 else 'articles wait'}", None)
    elif progress.pause_reason:
        st.info(plain(progress.pause_reason), icon=":material/pause:")
    failed = read(lambda session: failure_groups(session, progress.id)) if progress.counts[RecordStatus.FAILED] else []
    unresearched = read(lambda session: research_groups(session, progress.id)) if progress.failed_research else []
    for place, group in enumerate(failed[:SHOWN], start=1):
        counted = f"{group.number:,} {'article' if group.number == 1 else 'articles'}"
        _card(progress, group, place, counted, {"record": RecordStatus.FAILED.value, "cause": group.cause.kind})
    for place, group in enumerate(unresearched[:1] if progress.status is BatchStatus.CANCELLED else unresearched[:SHOWN]):
        _card(progress, group, 100 + place, f"{group.number:,} {'signal' if group.number == 1 else 'signals'}", None, first=place == 0)
    if len(failed) > SHOWN:
        st.caption(f"And {len(failed) - SHOWN} more causes: filter the articles below by failed.")


def _card(progress: Progress, group: Group, place: int, counted: str, leads_to: dict[str, str] | None, *, first: bool = True) -> None:
    with st.container(border=True, key=f"cause-{progress.id}-{place}"):
        row = st.container(horizontal=True, vertical_alignment="center")
        with row:
            st.badge(
                group.remedy.title, color="orange" if place == 0 else "red", icon=":material/pause:" if place == 0 else ":material/error:"
            )
            if leads_to:
                way("runs", f"**{counted}**", query={"batch": str(progress.id), **leads_to}, key=f"{place}")
            else:
                st.markdown(f"**{counted}**")
        row.caption(group.remedy.meaning)
        st.markdown((f"{plain(group.article_title)}: " if group.article_title else "") + f"*{plain(group.example)}*")
        if progress.status is BatchStatus.CANCELLED:
            st.caption("This run was cancelled; launch its articles again instead.")
            return
        buttons = st.container(horizontal=True, vertical_alignment="center")
        for number_, fix in enumerate(group.remedy.fixes if first else ()):
            with buttons:
                _fix(progress, group, fix, f"fix-{progress.id}-{place}-{number_}", is_first=number_ == 0)


def _fix(progress: Progress, group: Group, fix: Fix, key: str, *, is_first: bool) -> None:
    """The button, or the link, of one fix."""
    batch, cause = progress.id, group.cause
    these = "this article" if group.number == 1 else f"these {group.number:,}"
    if fix is Fix.SETTINGS:
        st.page_link(to("system"), label="Open the settings", icon=":material/settings:")
        return
    if fix is Fix.RUN_AGAIN:
        if st.button("Run again with another model", icon=":material/restart_alt:", key=key, **permit(Permission.RUN)):
            compare_from(batch)
        return
    label, icon = "", ""
    action: Callable[..., object] = _nothing
    match fix:
        case Fix.RETRY:
            label, icon, action = (
                f"Retry {these}",
                ":material/replay:",
                partial(batch_actions.retry_failed, batch_id=batch, cause=cause),
            )
        case Fix.TAKE_OUT:
            label, icon = f"Take out {these}", ":material/playlist_remove:"
            action = partial(batch_actions.take_out, batch_id=batch, cause=cause, now=utc_now())
        case Fix.RESUME:
            label, icon, action = "Resume", ":material/play_arrow:", partial(batch_actions.resume, batch_id=batch)
        case Fix.TOP_UP if progress.pause_needs_usd is not None:
            label, icon = f"Top up {money(progress.pause_needs_usd)} and resume", ":material/add_card:"
            action = partial(batch_actions.top_up_and_resume, batch_id=batch)
        case Fix.RESEARCH:
            label, icon = f"Research {progress.failed_research:,} again", ":material/travel_explore:"
            action = partial(batch_actions.retry_research, batch_id=batch)
        case Fix.HIGHER_CEILING:
            now = settings()
            label = f"Raise the ceiling to {money(2 * now.cost_ceiling_per_article)} and retry {these}"
            icon, environment = ":material/vertical_align_top:", open_desk().environment
            action = partial(raise_ceiling_and_retry, batch_id=batch, cause=cause, settings=now, environment=environment)
        case Fix.MORE_OUTPUT:
            try:
                tokens = read(lambda session: more_output(session, batch))
            except DeskError as error:
                st.caption(str(error))
                return
            label, icon = f"Run {these} with {number(tokens)} output tokens", ":material/expand:"
            action = partial(run_with_more_output, batch_id=batch, cause=cause, settings=settings(), now=utc_now())
    use = permit(*_NEEDS.get(fix, (Permission.RUN,)), help=_HINTS.get(fix))
    if label and st.button(label, icon=icon, key=key, type="primary" if is_first else "secondary", **use):
        _do(fix, action)


_NEEDS = {
    Fix.TOP_UP: (Permission.MONEY, Permission.RUN),
    Fix.HIGHER_CEILING: (Permission.SETTINGS, Permission.MONEY, Permission.RUN),
}
_HINTS = {
    Fix.TAKE_OUT: "They count as taken out, and each can still be queued again from the list below.",
    Fix.MORE_OUTPUT: "A new run with the same model: a run keeps the configuration that it was launched with.",
    Fix.HIGHER_CEILING: "Changes the setting for every later run; it can be set back on the System page.",
    Fix.RESEARCH: "The analyses are kept and not paid again.",
}


def _nothing(session: Session, *, by: Actor) -> None:
    """What a fix does that is not possible now."""


def _do(fix: Fix, action: Callable[..., object]) -> None:
    """Do it, say so, and go to the new run where one was launched."""
    done: list[object] = []
    if not attempt(lambda: done.append(state.act(lambda session, by: action(session, by=by)))):
        return
    (result,) = done
    if fix is Fix.MORE_OUTPUT:
        state.flash(f"Run {result} is launched.", ":material/bolt:")
        st.query_params.from_dict({"batch": str(result)})
    elif fix in (Fix.RETRY, Fix.RESEARCH):
        state.flash(f"{result} queued again.", ":material/replay:")
    elif fix is Fix.TAKE_OUT:
        state.flash(f"{result} taken out. 'Queue again' brings one back.", ":material/playlist_remove:")
    st.rerun()
