"""Importing the price of Bitcoin on screen: a popover that says which days there are and takes a file."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from console import state
from console.components import show_error
from console.permits import permit
from console.resources import open_desk, read
from console.words import plain
from core.access import Permission
from core.clock import utc_now
from core.errors import DeskError
from core.prices import PriceSpan, import_prices, price_span
from core.windows import Window

MOST_MEGABYTES = 32
COLUMNS = "CSV with the columns date and close (USD)"
SUFFIXES = ["csv", "gz", "txt", "tsv"]


def price_popover(window: Window) -> None:
    """The button beside the narrative; it stands out where these days have no price."""
    span = read(price_span)
    missing = span is None or span.last < window.first or span.first > window.last
    popover = st.popover(
        "Import prices" if span is None else "Prices",
        icon=":material/add_chart:" if missing else ":material/show_chart:",
        key="prices",
        on_change="rerun",
    )
    if not popover.open:
        return
    with popover:
        st.markdown(_what_there_is(span, window))
        with st.form("price-form", clear_on_submit=True, border=False):
            uploaded = st.file_uploader(COLUMNS, SUFFIXES, max_upload_size=MOST_MEGABYTES, key="price-file")
            asked = st.form_submit_button("Import", type="primary", icon=":material/upload:", **permit(Permission.ARTICLES))
        if asked and uploaded is not None:
            _import(uploaded)
        elif asked:
            st.caption("Choose a file first.")


def _import(uploaded: UploadedFile) -> None:
    try:
        with st.spinner(f"Importing {plain(uploaded.name)}…"):
            report = import_prices(open_desk(), uploaded.name, uploaded, by=state.actor(), now=utc_now())
    except DeskError as error:
        show_error(error)
        return
    state.flash("  \n".join(plain(line) for line in report.in_words()), ":material/show_chart:")
    st.rerun()


def _what_there_is(span: PriceSpan | None, window: Window) -> str:
    if span is None:
        return "**No price was imported yet.** Any daily series will do, of days that overlap with the articles."
    here = f"Prices of **{span.days:,} days**, {span.first} to {span.last}."
    if span.last < window.first or span.first > window.last:
        return f"{here} None of them is of {window}: import a newer file."
    return f"{here} Importing again adds days and replaces what differs."
