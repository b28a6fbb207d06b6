"""The System page's audit log: who decided or changed what, by who and what, a page at a time, newest first."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from console.components import Cell, filter_key, paged, rows_of_facts
from console.resources import read
from console.words import number_in
from core import audit
from core.agents.outputs import Verdict
from core.audit import Action, AuditFilter, Entry
from core.models import BatchStatus, RecordStatus

PAGE = 50
WAYS = {"signal": "/article?signal={}", "article": "/article?id={}", "run": "/runs?batch={}"}
STATES = frozenset(one.value for states in (Verdict, BatchStatus, RecordStatus) for one in states)
MOST_CHARS = 300
"""Of what stood before or after that are shown; the database has all of it."""


def audit_log() -> None:
    """The entries that match what the address says."""
    st.header("Audit log")
    st.caption(
        "Every decision, and every change of money, settings and access, with what stood before and after. Nothing of it can be changed"
        " or deleted. A run's own pauses are on its page."
    )
    chosen = _filters()
    found = read(lambda session: audit.count(session, chosen))
    page = paged(found, f"audit-{filter_key(chosen)}", lambda place: read(lambda session: audit.page(session, chosen, place, size=PAGE)))
    if not page.rows:
        st.caption("No entry matches." if chosen != AuditFilter() else "Nothing was decided or changed yet.")
        return
    rows_of_facts("Audit log", ("When", "Who", "What", "Of", "Before", "After"), [_cells(entry) for entry in page.rows])


def _filters() -> AuditFilter:
    row = st.columns([2, 2, 3])
    actor = row[0].selectbox("Who", read(audit.actors), index=None, key="log-actor", bind="query-params", placeholder="anybody")
    action = row[1].selectbox(
        "What", [one.value for one in Action], index=None, key="log-action", bind="query-params", placeholder="anything"
    )
    return AuditFilter(actor=actor, action=Action(action) if action else None)


def _cells(entry: Entry) -> list[Cell]:
    what = entry.action.replace(".", ": ")
    return [entry.at, entry.actor, what, _subject(entry), _in_words(entry.before), _in_words(entry.after)]


def _subject(entry: Entry) -> Cell:
    """What it was done to, with the way there where it has a page."""
    name, leads_to = f"{entry.subject_kind} {entry.subject_id}", WAYS.get(entry.subject_kind)
    return (name, leads_to.format(entry.subject_id)) if leads_to and number_in(entry.subject_id) is not None else name


def _in_words(values: Mapping[str, Any] | None) -> str | None:
    """Such as "decision accepted, note Seen on chain."; None where nothing stood."""
    said = ", ".join(f"{name.replace('_', ' ')} {_said(value)}" for name, value in (values or {}).items() if value is not None)
    return (f"{said[:MOST_CHARS]} …" if len(said) > MOST_CHARS else said) or None


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "none"
    if isinstance(value, dict):
        return f"({', '.join(f'{name} {_said(inner)}' for name, inner in value.items())})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    words = str(value)
    return words.lower().replace("_", " ") if words in STATES else words
