"""System: what goes on right now, what it runs on, settings, publishers, web sources, who may do what and who did, what was logged."""

import streamlit as st

from console.access_view import access
from console.audit_view import audit_log
from console.authority_view import authority_table
from console.publishers_view import publishers_table
from console.resources import settings
from console.schedule_view import schedule
from console.settings_view import settings_from_outside, settings_on_screen
from console.system_view import database, log, operation

SECTIONS = ("Now", "Settings", "Schedule", "Publishers", "Web sources", "Access", "Audit", "Database", "Log")

st.title("System")
now = settings()
section = st.segmented_control(
    "Section", SECTIONS, default="Now", required=True, key="section", bind="query-params", label_visibility="collapsed"
)
match section:
    case "Settings":
        settings_on_screen(now)
        settings_from_outside(now)
    case "Schedule":
        schedule()
    case "Publishers":
        st.header("Publishers")
        publishers_table()
    case "Web sources":
        authority_table()
    case "Access":
        access()
    case "Audit":
        audit_log()
    case "Database":
        database()
    case "Log":
        st.header("Log")
        log()
    case _:
        operation(now)
