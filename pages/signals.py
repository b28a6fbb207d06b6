"""Signals: filter, sort, read the evidence and the validation, decide."""

from functools import partial

import streamlit as st

from console.resources import read
from console.signal_card import signal_card
from console.signals_view import filters, signal_with_article, table

st.title("Signals")
signal_filter = filters()
left, right = st.columns([5, 3])
with left:
    chosen = table(signal_filter)
with right:
    if chosen is not None:
        signal_card(*read(partial(signal_with_article, signal_id=chosen, blind_share=signal_filter.blind_share)))
