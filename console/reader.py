"""The article reader: body text as HTML with the evidence highlighted, one colour a kind. Pure.

Every character of the article is escaped: nothing in it can become markup. Overlapping evidence is cut into segments, each
of which carries every signal that it belongs to.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from console.charts import KIND_COLOURS, KIND_NAMES
from core.agents.outputs import SignalKind


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the body, ``body[start:end]``, that is evidence of a signal."""

    start: int
    end: int
    kind: SignalKind
    signal_id: int


def highlighted(body: str, marks: Sequence[Mark], *, chosen: int | None = None) -> str:
    """The body as paragraphs of HTML with its marks; those of signal ``chosen`` stand out."""
    usable = [mark for mark in marks if 0 <= mark.start < mark.end <= len(body)]
    edges = sorted({0, len(body), *(mark.start for mark in usable), *(mark.end for mark in usable)})
    pieces = []
    for start, end in pairwise(edges):
        text = html.escape(body[start:end]).replace("\n\n", "</p><p>").replace("\n", "<br>")
        over = [mark for mark in usable if mark.start <= start and mark.end >= end]
        pieces.append(_marked(text, over, chosen) if over else text)
    return f'<div class="reader"><p>{"".join(pieces)}</p></div>{_STYLE}'


def _marked(text: str, over: Sequence[Mark], chosen: int | None) -> str:
    first = next((mark for mark in over if mark.signal_id == chosen), over[0])
    colour = KIND_COLOURS[first.kind]
    kinds = ", ".join(dict.fromkeys(KIND_NAMES[mark.kind] for mark in over))
    strength = "66" if first.signal_id == chosen else "2b"
    look = f"background:{colour}{strength};border-bottom:2px solid {colour}"
    tag = f'<mark style="{look}" title="{html.escape(kinds)}" data-signal="{first.signal_id}">'
    # A mark that spans paragraphs is closed and opened again around the boundary.
    return tag + text.replace("</p><p>", f"</mark></p><p>{tag}") + "</mark>"


_STYLE = (
    "<style>.reader{max-width:46rem;line-height:1.6;font-size:1rem}.reader p{margin:0 0 .9em}"
    ".reader mark{color:inherit;padding:.05em 0;border-radius:2px}</style>"
)
