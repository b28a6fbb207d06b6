"""Runs: what a batch does right now, and what became of each of its articles."""

import streamlit as st

from console.runs_view import choose_batch, downloads, live_batch

st.title("Runs")
batch_id = choose_batch()
if batch_id is not None:
    live_batch(batch_id)
    downloads(batch_id)
