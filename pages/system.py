"""System: settings with their source, publishers and their priority, the database."""

from functools import partial

import streamlit as st

from console.authority_view import authority_table
from console.components import attempt
from console.resources import change, open_desk, read, settings
from console.state import forget, user
from core.articles import publishers, set_priority
from core.configuration import reset_setting, save_setting, saved_names, setting_rows
from core.records import workers

st.title("System")
desk = open_desk()
now = settings()
left, right = st.columns([3, 2])

with left:
    st.subheader("Settings")
    st.caption("The environment comes first, then what is saved here, then the default.")
    for row in setting_rows(now, read(saved_names)):
        columns = st.columns([5, 3, 2], vertical_alignment="bottom")
        fixed = row.source == "environment"
        value = columns[0].text_input(row.title, str(row.value), key=f"setting-{row.name}", help=row.help, disabled=fixed)
        columns[1].caption(
            {"environment": "set by the environment", "screen": f"saved here; default {row.default}", "default": "default"}[row.source]
        )
        buttons = columns[2].container(horizontal=True)
        if (
            not fixed
            and value != str(row.value)
            and buttons.button("Save", key=f"save-{row.name}", type="primary")
            and attempt(partial(change, partial(save_setting, environment=desk.environment, name=row.name, value=value, by=user())))
        ):
            st.rerun()
        if row.source == "screen" and buttons.button("Reset", key=f"reset-{row.name}"):
            change(partial(reset_setting, name=row.name))
            forget(f"setting-{row.name}")
            st.rerun()

with right:
    st.subheader("Providers")
    keys = {"GEMINI_API_KEY": now.gemini_api_key, "TAVILY_API_KEY": now.tavily_api_key, "COINDESK_API_KEY": now.coindesk_api_key}
    for name, key in keys.items():
        st.markdown(f"`{name}` {':green[set]' if key else ':gray[not set]'}")
    st.subheader("Database")
    st.code(desk.database.address, language=None)
    st.subheader("Workers")
    for worker in read(workers):
        st.caption(f"{worker.owner} · last heartbeat {worker.heartbeat_at:%H:%M:%S} UTC")
    authority_table()
    st.subheader("Publishers")
    st.caption("Priority publishers come first in lists and runs.")
    for publisher in read(publishers):
        chosen = st.toggle(f"{publisher.name} ({publisher.articles:,})", publisher.is_priority, key=f"publisher-{publisher.id}")
        if chosen != publisher.is_priority:
            change(partial(set_priority, publisher_id=publisher.id, is_priority=chosen))
            st.rerun()
