"""The selection of the Articles page: what it holds, what a run of it would cost, and what else can be done with it."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from console import state
from console.articles_view import Listed
from console.components import attempt
from console.permits import permit
from console.resources import read
from console.words import duration, money, plain
from core import launching, selection
from core.access import Permission
from core.article_filter import ArticleFilter, Order
from core.articles import delete_articles, publisher_names, set_active
from core.clock import utc_now
from core.errors import DeskError, NothingSelected
from core.launching import Outline
from core.selection import Selection
from core.settings import Settings


def selection_card(article_filter: ArticleFilter, listed: Listed, now: Settings) -> None:
    """The selection with its cost, and the button that launches it."""
    chosen = state.selection()
    _undo_archiving()
    with st.container(border=True, key="selection"):
        if chosen.is_empty:
            st.markdown("**Nothing selected**")
            st.caption("Tick rows in the table, or select all that match. The cost appears here before anything is spent.")
            return
        try:
            planned = read(lambda session: launching.outline(session, chosen, now))
        except NothingSelected as error:
            st.caption(str(error))
            _others(article_filter, chosen, None, now)
            return
        except DeskError as error:
            st.warning(str(error))
            return
        _what(chosen, planned, listed)
        if planned.has_repeats and not (chosen.filter and chosen.filter.as_stories):
            st.toggle(
                "One article a story", key=state.ONE_PER_STORY, help="The others are skipped. A story of which one is analysed is left out."
            )
            st.caption(plain(f"{planned.about}{launching.stories_in_words(planned)}"))
        _cost(planned)
        if st.button(
            f"Analyze {planned.about}{planned.estimate.articles:,}",
            type="primary",
            icon=":material/bolt:",
            key="analyze",
            width="stretch",
            **permit(Permission.RUN, disabled=not planned.runnable),
        ) and attempt(lambda: _launch(now)):
            st.rerun()
        _others(article_filter, chosen, planned, now)


def _what(chosen: Selection, planned: Outline, listed: Listed) -> None:
    """How many articles, and where they come from if that is not plain to see."""
    number = planned.articles  # what would be skipped is selected, too, and said so below
    noun = "article" if number == 1 else "articles"
    st.markdown(f"**{planned.about}{number:,} {noun}** {'all that matched the filter' if chosen.filter else 'selected'}")
    if chosen.filter:
        st.caption(plain(filter_in_words(chosen.filter)))
        return
    elsewhere = len(set(chosen.ids) - set(listed.ids))
    if elsewhere:
        are = "is" if elsewhere == 1 else "are"
        st.caption(f":material/layers: {elsewhere:,} of them {are} on other pages or outside of this filter.")


def filter_in_words(chosen: ArticleFilter) -> str:
    """Such as "analysis-ready, CoinDesk, from 2026-11-01, without 2 unticked"."""
    names = read(publisher_names) if chosen.publishers else {}
    words = [
        "analysis-ready" if chosen.ready_only else "",
        "archived" if chosen.archived else "",
        chosen.analysed.value if chosen.analysed is not type(chosen.analysed).ANY else "",
        ", ".join(names.get(one, str(one)) for one in chosen.publishers),
        f"“{chosen.text}”" if chosen.text else "",
        f"from {chosen.since}" if chosen.since else "",
        f"to {chosen.until}" if chosen.until else "",
        "" if chosen.samples else "no samples",
        "one a story" if chosen.as_stories else "",
        chosen.order.value if chosen.order is not Order.NEWEST else "",
        f"without {len(chosen.excluded):,} unticked" if chosen.excluded else "",
        f"and {len(chosen.besides):,} ticked besides" if chosen.besides else "",
    ]
    return ", ".join(word for word in words if word) or "all articles"


def _cost(planned: Outline) -> None:
    figures = planned.estimate
    columns = st.columns(2)
    columns[0].metric(
        "Likely cost",
        f"{planned.about}{money(figures.usd)}",
        help=f"At most {money(figures.usd_at_most)}: the ceiling per article times the articles.",
    )
    columns[1].metric("Time", f"{planned.about}{duration(figures.seconds)}")
    basis = f"From {figures.measured_calls} recent calls." if figures.measured_calls else "From defaults: no recent calls yet."
    st.caption(f"{figures.input_tokens:,} tokens in, {figures.output_tokens:,} out, {figures.searches:,} searches. {basis}")
    if not planned.is_exact:
        st.caption(
            f":material/info: More than {launching.PLANNED_AT_MOST:,} articles: figures are those of the newest of them, scaled."
            " The launch takes each one that matches then."
        )
    if planned.reasons:
        st.caption(f":material/skip_next: Skipped: {planned.about}{launching.reasons_in_words(planned.reasons)}.")


def _others(article_filter: ArticleFilter, chosen: Selection, planned: Outline | None, now: Settings) -> None:
    """What can be done with a selection but to analyse it; None where nothing of it exists any more."""
    row = st.container(horizontal=True, gap="small", key="selection-actions")
    if state.selected_view(article_filter) is None and planned:
        row.button("Show", icon=":material/checklist:", key="show-selected", on_click=state.show_selected, args=(article_filter,))
    row.button("Clear", icon=":material/close:", key="clear-selection", on_click=state.clear_selection)
    if planned is None:
        return
    number, use = f"{planned.about}{planned.articles:,}", permit(Permission.ARTICLES)
    if article_filter.archived:
        if row.button("Restore", icon=":material/unarchive:", key="restore", **use) and attempt(partial(_set_active, chosen, now, True)):
            st.rerun()
        if row.button("Delete…", icon=":material/delete:", key="delete", **use):
            _confirm_deletion(_ids(chosen, now))
        return
    with row.popover("Archive", icon=":material/archive:", key="archive", **use):
        st.markdown(f"Take **{number}** out of work? They are analysed no more and no source of research; what was found in them stays.")
        if st.button(f"Archive {number}", type="primary", key="archive-now", **use) and attempt(partial(_set_active, chosen, now, False)):
            st.rerun()


def _ids(chosen: Selection, now: Settings) -> list[int]:
    return read(lambda session: selection.resolve(session, chosen, launching.readiness(now)))


def _set_active(chosen: Selection, now: Settings, active: bool) -> None:
    ids = _ids(chosen, now)
    changed = state.act(lambda session, by: set_active(session, ids, active, by=by))
    state.clear_selection()
    state.keep_archived(() if active else changed)
    state.flash(f"{len(changed):,} {'restored' if active else 'archived'}.", ":material/unarchive:" if active else ":material/archive:")


def _undo_archiving() -> None:
    ids, use = state.archived_last(), permit(Permission.ARTICLES)
    if ids and st.button(f"Undo: {len(ids):,} archived", icon=":material/undo:", key="undo-archive", type="tertiary", **use):
        restored: list[int] = []
        if attempt(lambda: restored.extend(state.act(lambda session, by: set_active(session, ids, True, by=by)))):
            state.keep_archived(())
            state.flash(f"{len(restored):,} restored.", ":material/unarchive:")
            st.rerun()


@st.dialog("Delete for good", icon=":material/delete:")
def _confirm_deletion(ids: Sequence[int]) -> None:
    number = f"{len(ids):,} {'article' if len(ids) == 1 else 'articles'}"
    st.markdown(f"**{number}** and everything that was found in them: signals, evidence, validations and reviews. This cannot be undone.")
    st.caption("Runs keep the titles, and the ledger keeps what they cost.")
    sure = st.checkbox(f"Yes, delete {number}", key="delete-sure")
    if st.button("Delete", type="primary", disabled=not sure, key="delete-now") and attempt(partial(_delete, ids)):
        st.rerun()


def _delete(ids: Sequence[int]) -> None:
    number = state.act(lambda session, by: delete_articles(session, ids, by=by))
    state.clear_selection()
    state.flash(f"{number:,} deleted.", ":material/delete:")


def _launch(now: Settings) -> None:
    chosen, key = state.selection(), state.launch_key()
    batch_id = state.act(lambda session, by: launching.launch(session, chosen, now, by=by, now=utc_now(), idempotency_key=key))
    state.clear_selection()
    state.flash(f"Run #{batch_id} is under way.", ":material/bolt:")
    state.keep_run(batch_id)
