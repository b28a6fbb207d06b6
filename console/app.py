"""The script that Streamlit runs for every page: page setup, navigation, then the page itself."""

from pathlib import Path

import streamlit as st

from console.components import sidebar, style
from console.entrance import admitted, who_works_here
from console.navigation import FILTERS, pages
from console.state import arrive, arrive_as, show_flash

ICON = Path(__file__).resolve().parent / "icon.svg"

st.set_page_config(page_title="Signal Desk", page_icon=str(ICON), layout="wide")
actor = admitted()
arrive_as(actor)
style()
page = st.navigation(pages())
arrive(page.url_path, FILTERS.get(page.url_path, ()))
sidebar(page.title)
who_works_here(actor)
show_flash()
page.run()
