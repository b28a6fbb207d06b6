"""The Review page: one signal after the other from the queue, decided by single keys."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import streamlit as st
from sqlalchemy.orm import Session

from console import scripts, state
from console.colours import BADGES
from console.components import attempt, badge, empty
from console.navigation import to
from console.permits import permit
from console.resources import change, holder, open_desk, read, settings
from console.signal_card import DECISIONS, correction_form, decide, signal_evidence, signal_head, signal_history, signal_validation
from console.signals_view import here_with, nothing_found, signal_with_article
from console.words import number, plain
from core import review_queue, reviews
from core.access import Permission
from core.articles import ArticleText
from core.clock import utc_now
from core.errors import NotFound, NotPossible
from core.models import Decision
from core.paging import Count
from core.review_queue import Claimant, ClaimRow
from core.signal_filter import Reviewed, SignalFilter, words_in_signals
from core.signals import SignalDetail, count_signals, get_signals

KEYS = "**A** accept · **X** reject · **U** unsure · **N** note, then Enter · **J** next · **K** previous · **Z** undo"
SHOWN_REVIEWED = 30
# On a phone the words come first, and the buttons stay under the thumb; keys are for those who have some.
PHONE = """<style>@media(max-width:640px){
:has(>.st-key-review-note-row){order:2}:has(>.st-key-review-validation){order:3}:has(>.st-key-review-moves){order:4}
:has(>.st-key-review-decisions){order:5;position:sticky;bottom:0;z-index:10;backdrop-filter:blur(16px);padding:.5rem 0}
.st-key-review-decisions,.st-key-review-moves{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem}
:is(.st-key-review-decisions,.st-key-review-moves) :is(button,.stElementContainer,.stButton,.stPopover){width:100%!important;min-width:0}
:is(.st-key-review-decisions,.st-key-review-moves) button{padding:.25rem .3rem}
:is(.st-key-review-decisions,.st-key-review-moves) kbd{display:none}
.st-key-review-keys,.st-key-review-decisions>:last-child{display:none}
}</style>"""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the page shows: the signal in view, who has it if not this analyst, and what else waits."""

    signal: SignalDetail | None
    article: ArticleText | None
    taken_by: str | None
    waiting: Count
    others: list[ClaimRow]
    handed: int


def claimant() -> Claimant:
    """Who sits here. The settings are read once for all that a key does."""
    now = settings()
    return Claimant(holder(), state.actor(), timedelta(minutes=now.claim_minutes))


@st.fragment
def queue(signal_filter: SignalFilter) -> None:
    """The signal in view with its buttons, beside the state of the queue. A decision runs this alone, not the page around it."""
    state.show_flash()
    scripts.run(scripts.REVIEW_KEYS)  # Streamlit cannot tell a key that is held
    st.html(PHONE)
    me, desk = claimant(), state.review_desk()
    if desk.chosen != signal_filter:
        if desk.current is not None:
            _keep_note(desk.current, me)
        change(lambda session: review_queue.release(session, me.holder))
        desk.begin(signal_filter)
    now = change(partial(_situation, signal_filter=signal_filter, me=me))
    left, right = st.columns([7, 3])
    with right:
        _queue_facts(now, me)
    with left:
        if now.signal is None or now.article is None:
            _nothing_left(now, me)
        else:
            _signal(now.signal, now.article, now, me, signal_filter.blind_share)


def _situation(session: Session, signal_filter: SignalFilter, me: Claimant) -> Situation:
    """Where the analyst is, and the claim on what is in view renewed; the next signal is taken when nothing is."""
    desk, moment = state.review_desk(), utc_now()
    signal = article = taken_by = None
    decides = me.by.may(Permission.REVIEW)
    words = words_in_signals(session, signal_filter.text)
    if desk.current is None:
        if decides:
            taken = review_queue.take_next(session, signal_filter, me, passed_over=desk.trail, now=moment, words=words)
        else:
            taken = review_queue.first_open(session, signal_filter, passed_over=desk.trail, words=words)
        if taken is not None:
            desk.show(taken)
    if desk.current is not None:
        try:
            signal, article = signal_with_article(session, desk.current, signal_filter.blind_share)
        except NotFound:
            desk.trail.remove(desk.current)
            state.flash("The signal in view was deleted with its article; this is the next one.", ":material/delete:")
            return _situation(session, signal_filter, me)
        if signal.decision is None and decides:
            taken_by = review_queue.hold(session, signal.id, me, now=moment)
    return Situation(
        signal,
        article,
        taken_by,
        count_signals(session, signal_filter.model_copy(update={"reviewed": Reviewed.OPEN}), words),
        review_queue.with_others(session, me, now=moment),
        review_queue.handed_to(session, me.reviewer, now=moment),
    )


def _signal(signal: SignalDetail, article: ArticleText, now: Situation, me: Claimant, share: float) -> None:
    desk = state.review_desk()
    with st.container(border=True, key="review-card"):
        st.html(f'<span data-review-signal="{signal.id}" hidden></span>')
        if now.taken_by is not None:
            st.warning(f"{plain(now.taken_by)} has this signal now. Go on to the next one.", icon=":material/lock_person:")
        signal_head(signal)
        with st.container(key="review-note-row"):
            note = st.text_input(
                "Note",
                key=f"review-note-{signal.id}",
                placeholder=scripts.NOTE,
                label_visibility="collapsed",
                max_chars=1_000,
                **permit(Permission.REVIEW),
            )
        use = permit(Permission.REVIEW)
        row = st.container(horizontal=True, key="review-decisions")
        for label, decision, icon, look, key in DECISIONS:
            pressed = row.button(
                label,
                icon=icon,
                type=look,
                shortcut=key,
                key=f"review-{decision.value}-{signal.id}",
                **permit(Permission.REVIEW, disabled=now.taken_by is not None or signal.decision is decision),
            )
            if pressed:
                _then(partial(_decided, signal, decision, note, me, share))
        if row.button("Note", icon=":material/sticky_note_2:", shortcut="N", key=f"review-note-button-{signal.id}", **use):
            desk.note_wanted += 1
        moves = st.container(horizontal=True, key="review-moves")
        if moves.button("Previous", icon=":material/chevron_left:", shortcut="K", key=f"previous-{signal.id}", disabled=desk.at <= 0):
            _then(partial(_move, -1, signal, me))
        if moves.button("Next", icon=":material/chevron_right:", shortcut="J", key=f"next-{signal.id}"):
            _then(partial(_move, 1, signal, me))
        if moves.button("Undo", icon=":material/undo:", shortcut="Z", key=f"review-undo-{signal.id}", **use):
            _then(partial(_undone, me))
        with moves:
            correction_form(signal)
            _hand_over(signal, me)
        if desk.note_wanted:
            scripts.run(scripts.TO_NOTE, again=desk.note_wanted)  # Streamlit has no way to move the cursor
        with st.container(key="review-evidence"):
            signal_evidence(signal, article)
        with st.container(key="review-validation"):
            signal_validation(signal, article)
            signal_history(signal)


def _queue_facts(now: Situation, me: Claimant) -> None:
    desk = state.review_desk()
    decided = len({signal_id for signal_id, _ in desk.acts})
    with st.container(border=True):
        columns = st.columns(2)
        columns[0].metric("To review", str(now.waiting), help="Undecided signals that match the filter")
        columns[1].metric("Reviewed here", number(decided), help="Signals you acted on since you opened the desk")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if now.waiting.value:
                st.page_link(to("signals"), label="List them", icon=":material/radar:", query_params=here_with(review=Reviewed.OPEN.value))
            if decided:
                _acted_on(desk)
        if now.handed:
            st.markdown(f":material/move_to_inbox: **{now.handed} handed to you** come first.")
        if now.others:
            names = dict.fromkeys(row.reviewer for row in now.others)
            who = ", ".join(f"{plain(name)} ({sum(row.reviewer == name for row in now.others)})" for name in names)
            st.caption(
                f"With others now: {who}. They are free again {int(me.limit.total_seconds() / 60)} min after they were last looked at,"
                " or a day after they were handed over."
            )
        handed = sum(row.handed_by == me.reviewer for row in now.others)
        if handed and st.button(f"Take back {handed} handed over", icon=":material/undo:", key="take-back"):
            _then(partial(_taken_back, me))
    with st.container(border=True, key="review-keys"):
        st.markdown("**Keys**")
        st.markdown(KEYS)
        st.caption("They work while no text field has the cursor. A note goes with the decision, or stays by itself when you go on.")


def _acted_on(desk: state.ReviewDesk) -> None:
    """The signals behind the number, newest first, each leading to its article."""
    popover = st.popover("Those you reviewed", icon=":material/history:", key="reviewed-here", on_change="rerun")
    if not popover.open:
        return
    ids = list(dict.fromkeys(signal_id for signal_id, _ in reversed(desk.acts)))[:SHOWN_REVIEWED]
    found = read(lambda session: {signal.id: signal for signal in get_signals(session, ids)})
    with popover:
        for signal in (found[signal_id] for signal_id in ids if signal_id in found):
            if signal.decision:
                badge(signal.decision)
            query = {"id": str(signal.article_id), "signal": str(signal.id)}
            st.page_link(to("article"), label=plain(signal.corrected_description or signal.description), query_params=query)


def _nothing_left(now: Situation, me: Claimant) -> None:
    desk = state.review_desk()
    if desk.trail and now.waiting.value > len(now.others):
        with st.container(border=True):
            st.markdown("**You have been through the queue.** What you passed over is still undecided.")
            row = st.container(horizontal=True)
            if row.button("Go through it again", icon=":material/restart_alt:", type="primary", shortcut="J"):
                desk.chosen = None
                st.rerun(scope="fragment")
    elif now.waiting.value:
        empty("Everything that waits is with colleagues. Loosen the filter, or come back when their claims run out.")
    else:
        nothing_found("review", "Nothing waits for review here.")
    with st.container(horizontal=True):
        if desk.trail and st.button("Previous", icon=":material/chevron_left:", shortcut="K", key="previous-at-the-end"):
            desk.at = len(desk.trail) - 1
            st.rerun(scope="fragment")
        if desk.acts and st.button("Undo", icon=":material/undo:", shortcut="Z", key="undo-at-the-end", **permit(Permission.REVIEW)):
            _then(partial(_undone, me))


def _hand_over(signal: SignalDetail, me: Claimant) -> None:
    use = permit(Permission.REVIEW)
    popover = st.popover("Hand over", icon=":material/forward_to_inbox:", key=f"hand-over-{signal.id}", on_change="rerun", **use)
    if not popover.open:  # who ever reviewed is read when it is asked for, not at each key
        return
    with popover:
        colleagues = [name for name in read(reviews.reviewers) if name != me.reviewer]
        to = st.selectbox("Colleague", colleagues, index=None, accept_new_options=True, placeholder="a name", key=f"hand-to-{signal.id}")
        st.caption("The signal lies before nobody else for a day. To hand over a whole queue, filter it and send its address.")
        if st.button("Hand over", type="primary", key=f"hand-{signal.id}"):
            _then(partial(_handed, signal, to or "", me))


# --- what the keys do ------------------------------------------------------------------------------------------------


def _then(action: Callable[[], None]) -> None:
    """Do it; refused, the refusal is shown in place."""
    if attempt(action):
        st.rerun(scope="fragment")


def _decided(signal: SignalDetail, decision: Decision, note: str | None, me: Claimant, share: float) -> None:
    desk = state.review_desk()
    desk.acts.append((signal.id, decide(signal.id, decision, note, share=share)))
    if signal.is_blind and signal.verdict:
        state.flash(f"The hidden verdict was: {BADGES[signal.verdict][0]}.", ":material/visibility:")
    desk.at, desk.note_wanted = desk.at + 1, 0


def _move(step: int, signal: SignalDetail, me: Claimant) -> None:
    """Go to the signal before or after; a note that was written stays with the one that is left."""
    desk = state.review_desk()
    _keep_note(signal.id, me)
    change(lambda session: review_queue.release(session, me.holder, signal.id))
    desk.at, desk.note_wanted = max(desk.at + step, 0), 0


def _keep_note(signal_id: int, me: Claimant) -> None:
    """A note that was written and not yet sent with a decision is kept by itself."""
    if note := state.written(f"review-note-{signal_id}"):
        act = change(lambda session: reviews.annotate(session, signal_id, note, by=me.by))
        state.review_desk().acts.append((signal_id, act))
        state.forget(f"review-note-{signal_id}")


def _undone(me: Claimant) -> None:
    """Take the newest act of this analyst back, and show its signal again; after a reload, from what the database knows."""
    desk = state.review_desk()
    newest = desk.acts.pop() if desk.acts else read(lambda session: reviews.last_act(session, me.reviewer))
    if newest is None:
        raise NotPossible("There is nothing of yours to undo.")
    signal_id, act_id = newest
    change(lambda session: reviews.undo(session, signal_id, by=me.by, act_id=act_id))
    desk.note_wanted = 0
    desk.show(signal_id)


def _handed(signal: SignalDetail, to: str, me: Claimant) -> None:
    change(lambda session: review_queue.hand_over(session, signal.id, me, to=to, now=utc_now()))
    state.flash(f"Handed to {plain(to)}.", ":material/forward_to_inbox:")
    state.review_desk().at += 1


def _taken_back(me: Claimant) -> None:
    number = change(lambda session: review_queue.take_back(session, by=me.by))
    state.flash(f"{number} taken back.", ":material/undo:")


def name_field() -> None:
    """Who reviews here, where there is no sign-in."""
    if open_desk().environment.signs_in:
        return
    st.text_input(
        "Reviewing as",
        state.actor().name,
        max_chars=100,
        key=state.NAME_FIELD,
        on_change=state.rename,
        width=190,
        help="The name in the history, until this tab is closed or reloaded. SIGNALDESK_USER sets it for good.",
    )
