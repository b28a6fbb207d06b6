"""The scripts that pages bring along, all of them: the content security policy names each by its hash, so no other one runs.

Nothing in them comes from outside, and none is made up while a page is drawn.
"""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

NOTE = "Note (N)"
"""What the field for a note says while it is empty; the scripts know it by that."""


def _beside(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


BACK_BUTTON = _beside("back_button.js")
REVIEW_KEYS = _beside("review_keys.js")
TO_NOTE = f"document.querySelector('input[placeholder=\"{NOTE}\"]')?.focus()"
ALL = (BACK_BUTTON, REVIEW_KEYS, TO_NOTE)


def run(script: str, *, again: int = 0, where: DeltaGenerator | None = None) -> None:
    """Have the browser run one of ``ALL``, once; and once more whenever ``again`` changes."""
    assert script in ALL
    (where or st).html(f'<script data-run="{again}">{script}</script>', unsafe_allow_javascript=True)
