"""Review: one undecided signal after the other, decided by single keys."""

import streamlit as st

from console.review_view import name_field, queue
from console.signals_view import filters

with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    st.title("Review", width="content")
    name_field()
with st.expander("Filter and order", icon=":material/filter_list:"):
    signal_filter = filters(in_queue=True)
queue(signal_filter)
