"""The System page's table of domain authority."""

import pandas as pd
import streamlit as st

from console import state
from console.components import attempt
from console.permits import permit, refusal
from console.resources import read
from core.access import Permission
from core.authorities import authorities, replace_authorities
from core.models import Authority


def authority_table() -> None:
    """How much weight web sources have, to be edited in place; it counts from the next validation on."""
    st.header("Authority of web sources")
    st.caption(
        "A domain counts for those below it. One that is not listed has low authority; the desk's own archive has medium."
        " A row that is taken out counts as low; a row that is not complete is left out."
    )
    if (why := refusal(Permission.SETTINGS)) is not None:
        st.caption(f":material/lock: {why}")
    known = read(authorities)
    frame = pd.DataFrame({"domain": list(known), "authority": [one.value for one in known.values()]})
    edited = st.data_editor(
        frame,
        num_rows="dynamic",
        hide_index=True,
        height=560,
        disabled=not state.looking().may(Permission.SETTINGS),
        row_height=30,
        column_config={
            "domain": st.column_config.TextColumn("Domain", required=True, max_chars=300),
            "authority": st.column_config.SelectboxColumn("Authority", options=[one.value for one in Authority], required=True),
        },
        key=f"authorities-{state.table_generation()}-{hash(tuple(known.items()))}",
    )
    rows = edited.dropna().values.tolist()
    wanted = {str(domain): Authority(authority) for domain, authority in rows}
    if wanted == known:
        return
    with st.container(horizontal=True):

        def save() -> None:
            state.act(lambda session, by: replace_authorities(session, wanted, by=by))

        if st.button("Save the table", type="primary", icon=":material/save:", **permit(Permission.SETTINGS)) and attempt(save):
            state.flash("The table of authority is saved.")
            st.rerun()
        st.caption("Changed, not saved yet.")
