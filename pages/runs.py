"""Runs: all of them, one live with what became of each of its articles (``batch``), or two side by side (``against``)."""

import streamlit as st

from console.components import empty, show_error
from console.run_comparison import comparison_page
from console.run_view import run_page
from console.runs_view import runs_list
from console.words import number_in
from core.errors import NotFound

st.title("Runs")
batch_id = number_in(st.query_params.get("batch", ""))
try:
    if batch_id is None:
        runs_list()
    elif "against" in st.query_params:
        comparison_page(batch_id, number_in(st.query_params["against"]))
    else:
        run_page(batch_id)
except NotFound as error:
    show_error(error)
    empty("It may have been deleted, or the address is mistyped.", "runs", "All runs")
