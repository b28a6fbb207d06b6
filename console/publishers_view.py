"""The System page's publishers: which of them come first, found by name and changed in place."""

from collections.abc import Mapping
from functools import partial

import pandas as pd
import streamlit as st

from console import state
from console.components import attempt, empty
from console.permits import permit, refusal
from console.resources import read
from console.words import plain
from core.access import Permission
from core.articles import PUBLISHER_BOUND, PublisherLine, publisher_lines, set_priorities

MOST = 100


def publishers_table() -> None:
    """One table for all publishers; a tick counts at once and can be taken back."""
    st.caption("Priority publishers come first in lists and runs. A tick counts at once.")
    if (why := refusal(Permission.SETTINGS)) is not None:
        st.caption(f":material/lock: {why}")
    wanted = st.text_input("Find a publisher", key="publisher-name", bind="query-params", placeholder="part of its name") or ""
    _undo()
    rows, total = read(partial(publisher_lines, find=wanted, size=MOST))
    if not rows and wanted:
        st.info(f"No publisher has “{plain(wanted)}” in its name.", icon=":material/search_off:")
        return
    if not rows:
        empty("There are no publishers yet: they come with the first articles.", "articles", "Go to Articles")
        return
    shown = f"The first {len(rows):,} of {total:,}; find others by name." if total > len(rows) else f"{total:,} publishers."
    st.caption(shown)
    edited = st.data_editor(
        pd.DataFrame(
            {
                "priority": [row.is_priority for row in rows],
                "name": [row.name for row in rows],
                "articles": [_counted(row) for row in rows],
                "newest": [row.newest for row in rows],
            }
        ),
        hide_index=True,
        row_height=30,
        height=min(38 + 30 * len(rows), 640),
        disabled=["name", "articles", "newest"] if state.looking().may(Permission.SETTINGS) else True,
        column_config={
            "priority": st.column_config.CheckboxColumn("Priority", width=70),
            "name": st.column_config.TextColumn("Publisher", width="large"),
            "articles": st.column_config.TextColumn("Articles", width=90, alignment="right"),
            "newest": st.column_config.DatetimeColumn("Newest article (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC"),
        },
        key=f"publishers-{hash(tuple((row.id, row.is_priority) for row in rows))}",  # positions: other rows, another table
        alt="Publishers with their priority",
    )
    ticked = {row.id: bool(now) for row, now in zip(rows, edited["priority"], strict=True) if bool(now) != row.is_priority}
    if ticked and attempt(partial(_save, ticked, {row.id: row.name for row in rows})):
        st.rerun()


def _counted(row: PublisherLine) -> str:
    return f"{row.articles:,}" if row.articles <= PUBLISHER_BOUND else f"more than {PUBLISHER_BOUND:,}"


def _save(ticked: Mapping[int, bool], names: Mapping[int, str]) -> None:
    state.act(lambda session, by: set_priorities(session, ticked, by=by))
    named = ", ".join(names[one] for one in ticked)
    state.keep_undo("publishers", (named, {one: not is_priority for one, is_priority in ticked.items()}))


def _undo() -> None:
    before = state.undo_of("publishers")
    if before is None:
        return
    named, wanted = before
    if st.button(f"Undo: {plain(named)}", key="undo-publishers", icon=":material/undo:", **permit(Permission.SETTINGS)) and attempt(
        lambda: state.act(lambda session, by: set_priorities(session, wanted, by=by))
    ):
        state.keep_undo("publishers", None)
        st.rerun()
