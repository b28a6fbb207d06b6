"""Bulk decisions: one decision on every signal that a filter shows, after a count and a confirmation, undone as one."""

from functools import partial

import streamlit as st

from console import state
from console.colours import BADGES
from console.components import attempt
from console.permits import permit
from console.resources import read
from core import reviews
from core.access import Permission
from core.models import Decision
from core.reviews import Matched
from core.signal_filter import SignalFilter


def bulk_decision(signal_filter: SignalFilter) -> None:
    """A button for the set, and the way back from the last one."""
    use = permit(Permission.REVIEW, help="One decision on every signal that matches the filter")
    if st.button("Decide on all…", icon=":material/done_all:", **use):
        _confirm(signal_filter, read(lambda session: reviews.matched(session, signal_filter)))
    me = state.looking()
    if last := read(lambda session: reviews.last_bulk(session, me.name)):
        bulk, decision, number = last
        words = _words(number, decision)
        undo = st.button(f"Undo: {words}", icon=":material/undo:", key="undo-bulk", type="tertiary", **permit(Permission.REVIEW))
        if undo and attempt(partial(_undo, bulk, words)):
            st.rerun()


@st.dialog("Decide on all that match", icon=":material/done_all:")
def _confirm(signal_filter: SignalFilter, asked: Matched) -> None:
    found, decided = asked.count, asked.decided
    st.markdown(f"**{found:,} {'signal matches' if found == 1 else 'signals match'}** the filter.")
    if decided:
        st.warning(f"{decided:,} of them are decided already; this decides on them again.", icon=":material/history:")
    choices = (Decision.ACCEPTED, Decision.REJECTED, Decision.UNSURE, Decision.WITHDRAWN)
    decision = st.segmented_control("Decision", choices, default=Decision.REJECTED, required=True, format_func=lambda one: BADGES[one][0])
    note = st.text_input("Note", max_chars=1_000, placeholder="optional, the same on all")
    sure = st.checkbox(f"Yes, on all {found:,}")
    if st.button("Decide", type="primary", disabled=not sure or not found or decision is None, key="decide-bulk") and attempt(
        partial(_decide, signal_filter, decision or Decision.UNSURE, asked, note)
    ):
        st.rerun()


def _decide(signal_filter: SignalFilter, decision: Decision, asked: Matched, note: str) -> None:
    _, number = state.act(lambda session, by: reviews.decide_all(session, signal_filter, decision, by=by, asked=asked, note=note))
    state.flash(f"{_words(number, decision)}.")


def _words(number: int, decision: Decision) -> str:
    return f"{number:,} {BADGES[decision][0]}"


def _undo(bulk: str, words: str) -> None:
    taken_back, left = state.act(lambda session, by: reviews.undo_all(session, bulk, by=by))
    rest = f" {left:,} were left: somebody acted on them since." if left else ""
    state.flash(f"Undone: {words}; {taken_back:,} taken back.{rest}", ":material/undo:")
