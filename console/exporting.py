"""Export on screen: what the page shows, as a file with its manifest, in the format that is chosen."""

from collections.abc import Sequence

import streamlit as st

from console.resources import open_desk, read, settings
from console.state import actor
from core import exports
from core.clock import utc_now
from core.exports import Export, Format, Table
from core.ledger_list import LedgerFilter
from core.signal_filter import SignalFilter

FORMATS: dict[str, tuple[Format, bool]] = {
    "CSV": (Format.CSV, False),
    "CSV for spreadsheets": (Format.CSV, True),
    "JSON lines": (Format.JSONL, False),
    "Parquet": (Format.PARQUET, False),
    "Briefing": (Format.BRIEFING, False),
}
NOTES = {
    "CSV for spreadsheets": "With a byte order mark, by which Excel knows UTF-8.",
    "Briefing": "An HTML page for reading and printing: the accepted signals, with quotes and links.",
}


def export_popover(
    tables: Sequence[Table] = tuple(Table),
    *,
    signals: SignalFilter | None = None,
    ledger: LedgerFilter | None = None,
    batch_id: int | None = None,
    article_id: int | None = None,
    key: str,
) -> None:
    """A button that opens a choice of table and format, says how much there is, and downloads it.

    ``signals`` is the filter on screen; without one, all signals, with the verdicts hidden that the screen hides.
    """
    popover = st.popover("Export", icon=":material/download:", key=f"export-{key}", on_change="rerun")
    if not popover.open:
        return
    with popover:
        table = tables[0]
        if len(tables) > 1:
            table = st.selectbox("What", tables, format_func=lambda one: one.value, key=f"export-what-{key}")
        names = [name for name, (kind, _) in FORMATS.items() if kind is not Format.BRIEFING or table is Table.SIGNALS]
        name = st.selectbox("Format", names, key=f"export-format-{key}")
        kind, bom = FORMATS[name]
        narrowed = signals or SignalFilter(blind_share=settings().blind_share)
        chosen = Export(
            table, kind, narrowed, batch_id or narrowed.batch_id, article_id or narrowed.article_id, bom, ledger or LedgerFilter()
        )
        _what_it_has(chosen, name, narrowed)
        _download(chosen, key)


def _what_it_has(chosen: Export, name: str, narrowed: SignalFilter) -> None:
    count = read(lambda session: exports.count_rows(session, chosen))
    what = "accepted signals" if chosen.format is Format.BRIEFING else "rows" if chosen.table is not Table.SIGNALS else "signals"
    st.markdown(f"**{count:,}** {what if count != 1 else what.removesuffix('s')}")
    if name in NOTES:
        st.caption(NOTES[name])
    if chosen.table is not Table.SIGNALS and narrowed.model_copy(update={"batch_id": None, "article_id": None}) != SignalFilter(
        order=narrowed.order, blind_share=narrowed.blind_share
    ):
        st.caption("The filter is of signals; of it only the run narrows this.")


def _download(chosen: Export, key: str) -> None:
    moment = utc_now()
    by = actor()
    st.download_button(
        "Download",
        data=lambda: exports.bundle(open_desk(), chosen, by=by, now=utc_now()),
        file_name=exports.suggested_name(chosen, moment).rsplit(".", 1)[0] + ".zip",
        mime="application/zip",
        icon=":material/download:",
        type="primary",
        key=f"export-download-{key}",
        on_click="ignore",
        help="A ZIP of the file and its manifest.json: filter, count, time, configuration.",
    )
