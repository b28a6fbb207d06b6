"""The pages and their addresses."""

from pathlib import Path
from typing import Any

import streamlit as st

from core.article_filter import Order
from core.signal_filter import Reviewed, SignalOrder

PAGES = Path(__file__).resolve().parent.parent / "pages"


_OF_ARTICLES: dict[str, object] = {
    "q": "",
    "since": None,
    "until": None,
    "order": next(iter(Order)),
    "archived": False,
    "samples": True,
    "ready": True,
    "stories": False,
    "priority": True,
}
_OF_SIGNALS: dict[str, object] = {
    "find": "",
    "kind": [],
    "verdict": [],
    "category": [],
    "from": [],
    "confidence": 0.0,
    "review": next(iter(Reviewed)),
    "sort": next(iter(SignalOrder)),
    "invented": True,
}
DEFAULTS = {"articles": _OF_ARTICLES, "signals": _OF_SIGNALS, "review": _OF_SIGNALS}
"""By page: what each of its filters shows where nothing is filtered, for the way back there from an empty list."""
FILTERS: dict[str, tuple[str, ...]] = {
    "": ("window", "examples", "theme"),
    "articles": tuple(_OF_ARTICLES),
    "runs": ("compared",),
    "review": tuple(_OF_SIGNALS),
    "signals": tuple(_OF_SIGNALS),
    "quality": ("days", "reviewer", "bulk", "by"),
    "budget": ("within", "per", "changes", "line-status", "line-agent", "line-model", "line-run", "line-day"),
    "system": ("section", "level", "publisher-name", "log-actor", "log-action"),
}
"""By address: the widgets of each page that are bound to it. Streamlit keeps what they show while another page is open."""
EVERYTHING = {"view": "all"}
"""What the address of a link carries that leads to a page without any filter (``state.arrive``)."""


def pages() -> list[Any]:
    """All pages in the order of the work; the article reader is reached from lists."""
    return [
        st.Page(PAGES / "overview.py", title="Overview", icon=":material/space_dashboard:", default=True),
        st.Page(PAGES / "articles.py", title="Articles", icon=":material/article:", url_path="articles"),
        st.Page(PAGES / "runs.py", title="Runs", icon=":material/play_circle:", url_path="runs"),
        st.Page(PAGES / "review.py", title="Review", icon=":material/fact_check:", url_path="review"),
        st.Page(PAGES / "signals.py", title="Signals", icon=":material/radar:", url_path="signals"),
        st.Page(PAGES / "quality.py", title="Quality", icon=":material/balance:", url_path="quality"),
        st.Page(PAGES / "budget.py", title="Budget", icon=":material/payments:", url_path="budget"),
        st.Page(PAGES / "system.py", title="System", icon=":material/settings:", url_path="system"),
        st.Page(PAGES / "article.py", title="Article", icon=":material/menu_book:", url_path="article", visibility="hidden"),
    ]


def to(page: str) -> Path:
    """The script of a page, as ``st.page_link`` and ``st.switch_page`` take it."""
    return PAGES / f"{page}.py"
