"""The article reader: body text as HTML with the evidence highlighted, one colour a kind. Pure.

Every character of the article is escaped: nothing in it can become markup. Overlapping evidence is cut into segments, each
of which carries every signal that it belongs to.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from console.colours import KIND_COLOURS, KIND_NAMES
from core.agents.outputs import SignalKind


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the body, ``body[start:end]``, that is evidence of a signal."""

    start: int
    end: int
    kind: SignalKind
    signal_id: int


def highlighted(body: str, marks: Sequence[Mark], *, chosen: int | None = None, numbers: Mapping[int, int] | None = None) -> str:
    """The body as paragraphs of HTML with its marks; those of signal ``chosen`` stand out.

    With ``numbers`` (of signals on the page, by id) a mark leads to the card of its signal, and each ends in its signal's number, so
    that overlapping ones lead to every signal that they belong to. The cards lead back by ``evidence_anchor``.
    """
    usable = [mark for mark in marks if 0 <= mark.start < mark.end <= len(body)]
    edges = sorted({0, len(body), *(mark.start for mark in usable), *(mark.end for mark in usable)})
    first_of: dict[int, Mark] = {}
    for mark in sorted(usable, key=lambda one: one.start):
        first_of.setdefault(mark.signal_id, mark)
    pieces = []
    for start, end in pairwise(edges):
        if numbers is not None:
            opened = [mark for mark in first_of.values() if mark.start == start]
            pieces += [f'<span id="{evidence_anchor(mark.signal_id)}"></span>' for mark in opened]
        text = html.escape(body[start:end]).replace("\n\n", "</p><p>").replace("\n", "<br>")
        over = [mark for mark in usable if mark.start <= start and mark.end >= end]
        pieces.append(_marked(text, over, chosen, linked=numbers is not None) if over else text)
        if numbers is not None:
            pieces += [_reference(mark, numbers) for mark in over if mark.end == end and mark.signal_id in numbers]
    return f'<div class="reader"><p>{"".join(pieces)}</p></div>{_STYLE}'


def legend(marks: Sequence[Mark]) -> str:
    """The colours of the kinds that are marked, as HTML; empty without a mark."""
    kinds = [kind for kind in SignalKind if any(mark.kind is kind for mark in marks)]
    shown = (
        f'<span style="border-bottom:2px solid {KIND_COLOURS[kind]};background:{KIND_COLOURS[kind]}2b">{KIND_NAMES[kind]}</span>'
        for kind in kinds
    )
    return f"<small>Evidence of: {' · '.join(shown)}. A click on it leads to its signal.</small>" if kinds else ""


def signal_anchor(signal_id: int) -> str:
    """The name of a signal's card on a page."""
    return f"signal-{signal_id}"


def evidence_anchor(signal_id: int) -> str:
    """The name of the place where a signal's evidence begins in the text."""
    return f"evidence-{signal_id}"


def _reference(mark: Mark, numbers: Mapping[int, int]) -> str:
    colour = KIND_COLOURS[mark.kind]
    link = f'<a href="#{signal_anchor(mark.signal_id)}" title="{KIND_NAMES[mark.kind]}: to the signal">{numbers[mark.signal_id]}</a>'
    return f'<sup style="border-color:{colour}">{link}</sup>'


def _marked(text: str, over: Sequence[Mark], chosen: int | None, *, linked: bool) -> str:
    first = next((mark for mark in over if mark.signal_id == chosen), over[0])
    colour = KIND_COLOURS[first.kind]
    kinds = ", ".join(dict.fromkeys(KIND_NAMES[mark.kind] for mark in over))
    strength = "66" if first.signal_id == chosen else "2b"
    look = f"background:{colour}{strength};border-bottom:2px solid {colour}"
    opening = f'<mark style="{look}" title="{html.escape(kinds)}" data-signal="{first.signal_id}">'
    closing = "</mark>"
    if linked:
        opening, closing = f'<a href="#{signal_anchor(first.signal_id)}">{opening}', f"{closing}</a>"
    # A mark that spans paragraphs is closed and opened again around the boundary.
    return opening + text.replace("</p><p>", f"{closing}</p><p>{opening}") + closing


_STYLE = (
    "<style>.reader{max-width:46rem;line-height:1.6;font-size:1rem}.reader p{margin:0 0 .9em}"
    ".reader mark{color:inherit;padding:.05em 0;border-radius:2px}.reader a{color:inherit;text-decoration:none}"
    ".reader a:focus-visible{outline:2px solid currentColor}.reader sup{margin:0 .15em;padding:0 .3em;border:1px solid;border-radius:.6em}"
    "[id^=evidence-],[id^=signal-]{scroll-margin-top:5rem}</style>"
)
