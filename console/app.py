"""The script that Streamlit runs for every page: page setup, navigation, then the page itself."""

import streamlit as st

from console.components import sidebar
from console.navigation import pages
from console.state import show_flash

st.set_page_config(page_title="Signal Desk", page_icon=":material/radar:", layout="wide")
page = st.navigation(pages())
sidebar()
show_flash()
page.run()
