"""The scripts that pages bring along, all of them: the content security policy names each by its hash, so no other one runs.

Nothing in them comes from outside, and none is made up while a page is drawn.
"""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from console.words import number_in

NOTE = "Note (N)"
"""What the field for a note says while it is empty; the scripts know it by that."""


def _beside(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


BACK_BUTTON = _beside("back_button.js")
REVIEW_KEYS = _beside("review_keys.js")
VIEWPORT = _beside("viewport.js")
TO_NOTE = f"document.querySelector('input[placeholder=\"{NOTE}\"]')?.focus()"
PHONE, DESK, WIDEST = 768, 1440, 7_680
"""Pixels: up to the first a page's columns stand under each other."""
ALL = (BACK_BUTTON, REVIEW_KEYS, VIEWPORT, TO_NOTE)


def viewport_width() -> int:
    """Pixels that the browser's window was wide when it last said so (``VIEWPORT``); those of a desk's screen until then."""
    told = number_in(st.context.cookies.get("signaldesk_width", "")) or 0
    return told if PHONE < told <= WIDEST else DESK


def run(script: str, *, again: int = 0, where: DeltaGenerator | None = None) -> None:
    """Have the browser run one of ``ALL``, once; and once more whenever ``again`` changes."""
    assert script in ALL
    (where or st).html(f'<script data-run="{again}">{script}</script>', unsafe_allow_javascript=True)
