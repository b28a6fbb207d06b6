"""Badges within a table's cells. Pure."""

from collections.abc import Iterable, Sequence

LETTER, AROUND, MARGIN = 6, 23, 16
"""Pixels: a letter of a badge, what is around its text, what is around all of a cell."""


def width_of(cells: Iterable[Sequence[str]], *, least: int = 60, most: int = 200) -> int:
    """Pixels that a column needs to show the badges of every one of ``cells``."""
    widest = max((sum(len(mark) * LETTER + AROUND for mark in marks) for marks in cells), default=0)
    return min(max(widest + MARGIN, least), most)
