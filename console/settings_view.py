"""The System page's settings: every one with its source, those that may be changed on screen in place, and the way back."""

from collections.abc import Iterator
from functools import partial

import streamlit as st
from pydantic import SecretStr

from console import state
from console.components import attempt, rows_of_facts
from console.permits import permit
from console.resources import open_desk, read
from core.access import Permission
from core.configuration import MONEY_SETTINGS, SettingRow, put_back, reset_setting, save_settings, saved_values, setting_rows
from core.settings import Settings, choices, expected, on_screen_fields, read_from, variable

GROUPS = {
    "Analysis": ("model", "research_provider", "minimum_confidence", "searches_per_article", "max_output_tokens", "minimum_body_chars"),
    "Runs": (
        "concurrency",
        "concurrency_over_all",
        "max_attempts",
        "call_timeout_seconds",
        "failure_share",
        "failure_minimum",
        "failure_most",
    ),
    "Review": ("blind_share", "claim_minutes"),
    "Money": ("daily_budget", "monthly_budget", "cost_ceiling_per_article", "tavily_usd_per_credit"),
}
OTHERS = "Other"
SOURCES = {"environment": "set by the environment", "file": "set by the .env file", "screen": "saved here", "default": "default"}
COLUMNS = 3


def settings_on_screen(now: Settings) -> None:
    """What an analyst may change, by group."""
    st.caption(
        "The environment comes first, then a .env file, then what is saved here, then the default. Changes count from the next run on."
    )
    _undo()
    saved = read(saved_values)
    for group, rows in _grouped(setting_rows(now, set(saved))):
        with st.container(border=True):
            st.header(group)
            _group(group, rows)


def _grouped(rows: list[SettingRow]) -> Iterator[tuple[str, list[SettingRow]]]:
    by_name = {row.name: row for row in rows}
    for group, names in GROUPS.items():
        yield group, [by_name.pop(name) for name in names if name in by_name]
    if by_name:
        yield OTHERS, list(by_name.values())


def _group(group: str, rows: list[SettingRow]) -> None:
    changed = {}
    for start in range(0, len(rows), COLUMNS):
        for column, row in zip(st.columns(COLUMNS), rows[start : start + COLUMNS], strict=False):
            with column:
                value = _field(row)
            if value != row.shown:
                changed[row.name] = value
    if not changed:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        words = "the change" if len(changed) == 1 else f"{len(changed)} changes"
        if st.button(f"Save {words}", key=f"save-{group}", type="primary", icon=":material/save:") and attempt(partial(_save, changed)):
            st.rerun()
        if st.button("Discard", key=f"discard-{group}"):
            for row in rows:
                state.forget(_key(row))
            st.rerun()


def _field(row: SettingRow) -> str:
    """The field of one setting, with its source below; returns what stands in it."""
    text = f"{row.help} Takes {expected(row.name)}."
    use = permit(*_needs(row.name), help=text, disabled=row.is_fixed)
    if listed := choices(row.name):
        value = st.selectbox(row.title, listed, listed.index(row.shown), key=_key(row), **use)
    else:
        value = st.text_input(row.title, row.shown, key=_key(row), placeholder="none", **use)
    source = SOURCES[row.source] + (f" ({variable(row.name)})" if row.is_fixed else "")
    if row.source != "screen":
        st.caption(source)
        return value or ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{source}; default {_default(row)}")
        use = permit(*_needs(row.name), help=f"{row.title}: back to the default")
        if st.button("Reset", key=f"reset-{row.name}", type="tertiary", **use):
            _remember([row.name])
            if attempt(lambda: state.act(lambda session, by: reset_setting(session, row.name, by=by))):
                st.rerun()
    return value or ""


def _needs(name: str) -> tuple[Permission, ...]:
    return (Permission.SETTINGS, Permission.MONEY) if name in MONEY_SETTINGS else (Permission.SETTINGS,)


def _default(row: SettingRow) -> str:
    return SettingRow(row.name, row.title, row.help, row.default, row.default, row.source).shown or "none"


def _key(row: SettingRow) -> str:
    return f"setting-{row.name}-{row.shown}"  # another value, another field: one changed elsewhere does not look changed here


def _save(changed: dict[str, str]) -> None:
    before = _before(list(changed))
    state.act(lambda session, by: save_settings(session, open_desk().environment, changed, by=by))
    state.keep_undo("settings", before)
    state.flash("Saved.")


def _remember(names: list[str]) -> None:
    state.keep_undo("settings", _before(names))


def _before(names: list[str]) -> dict[str, object]:
    saved = read(saved_values)
    return {name: saved.get(name) for name in names}


def _undo() -> None:
    """The way back from the last change made here."""
    before = state.undo_of("settings")
    if not before:
        return
    titles = ", ".join(Settings.model_fields[name].title or name for name in before)

    def back() -> None:
        state.act(lambda session, by: put_back(session, open_desk().environment, before, by=by))

    if st.button(f"Undo: {titles}", key="undo-settings", icon=":material/undo:", **permit(Permission.SETTINGS)) and attempt(back):
        state.keep_undo("settings", None)
        st.rerun()


def settings_from_outside(now: Settings) -> None:
    """What only the environment or a .env file sets. Of a secret it is said whether it is there."""
    st.header("Set from outside")
    st.caption("By a variable of the environment or in a .env file in the checkout; the console reads them when it starts.")
    rows = []
    for name in Settings.model_fields:
        if name not in on_screen_fields():
            fixed = name in now.fixed_by_environment
            rows.append((variable(name), _outside(getattr(now, name), now, name), SOURCES[read_from(name)] if fixed else "default"))
    rows_of_facts("Settings from outside", ("Variable", "Value", "Source"), rows)


def _outside(value: object, now: Settings, name: str) -> str:
    if isinstance(value, SecretStr) or Settings.model_fields[name].annotation == SecretStr | None:
        return "set, not shown" if value else "not set"
    if name.endswith("_url") and value:  # may carry a name and a password
        return str(value).split("@")[-1] if "@" in str(value) else str(value)
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "not set"
    return "not set" if value in (None, {}) else str(value)
