"""Review: one undecided signal after the other, decided by single keys."""

import streamlit as st

from console.review_view import name_field, queue
from console.signals_view import filters

head = st.columns([8, 2], vertical_alignment="bottom")
head[0].title("Review")
with head[1]:
    name_field()
with st.expander("Filter and order", icon=":material/filter_list:"):
    signal_filter = filters(in_queue=True)
queue(signal_filter)
