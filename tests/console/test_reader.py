"""The reader: the article's own text, all of it, and nothing of it as markup."""

import html
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.colours import KIND_COLOURS
from console.reader import Mark, evidence_anchor, highlighted, legend, signal_anchor
from core.agents.outputs import SignalKind

WEAK, GAP = SignalKind.WEAK_SIGNAL, SignalKind.NARRATIVE_GAP
ALLOWED = {"div", "p", "br", "mark", "style"}
HOSTILE = [
    "<script>alert(1)</script>",
    "</p></div><script src=//evil.example></script>",
    "<img src=x onerror='alert(1)'>",
    "</mark><mark onmouseover=alert(1)>",
    '" onmouseover="alert(1)',
    "</style><style>*{display:none}</style>",
    "<!-- comment --> <![CDATA[ x ]]> <?php ?>",
    "&lt;b&gt; &amp;amp; &#60;script&#62; &copy",
    "<br></p><p>",
    "a < b && c > d, \u201cquoted\u201d 'single' \"double\"",
]


class Piece(NamedTuple):
    """A run of text, and the marks it stands in."""

    text: str
    signal: str | None
    title: str | None


class Reader(HTMLParser):
    """Reads the HTML as a browser would: refuses what is not balanced or not expected, keeps the text and its marks."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.pieces: list[Piece] = []
        self.paragraphs = 0
        self.mark: dict[str, str | None] = {}
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert tag in ALLOWED, tag
        assert names == {"mark": ["style", "title", "data-signal"], "div": ["class"]}.get(tag, [])
        if tag == "br":
            self._add("\n")
            return
        assert tag != "mark" or self.open == ["div", "p"], "a mark stands within one paragraph, and in no other mark"
        assert tag != "p" or self.open == ["div"]
        if tag == "p":
            if self.paragraphs:
                self._add("\n\n")
            self.paragraphs += 1
        if tag == "mark":
            self.mark = dict(attributes)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag
        if tag == "mark":
            self.mark = {}

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            assert data.startswith(".reader{")
            return
        assert self.open[:2] == ["div", "p"]
        self._add(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    def _add(self, text: str) -> None:
        self.pieces.append(Piece(text, self.mark.get("data-signal"), self.mark.get("title")))

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    def marked(self, signal: int) -> str:
        return "".join(piece.text for piece in self.pieces if piece.signal == str(signal))


def stripped(source: str) -> str:
    """The body back from the HTML, the plain way: tags off, entities decoded."""
    inner = re.fullmatch(r'<div class="reader"><p>(.*)</p></div><style>.*?</style>', source, re.DOTALL)
    assert inner
    text = re.sub(r"</?mark[^>]*>", "", inner[1]).replace("</p><p>", "\n\n").replace("<br>", "\n")
    assert "<" not in text
    assert ">" not in text
    return html.unescape(text)


@pytest.mark.parametrize("body", HOSTILE)
def test_no_markup_of_the_article_survives_marked_or_not(body: str) -> None:
    marks = [Mark(start, end, WEAK, 1) for start, end in ((0, len(body)), (1, 4), (len(body) // 2, len(body)))]
    for source in (highlighted(body, []), highlighted(body, marks), highlighted(body, marks, chosen=1)):
        assert stripped(source) == body
        assert Reader(source).text == body


def test_a_mark_carries_its_signal_its_kind_and_its_colour() -> None:
    body = "Miners moved coins. Nobody said why."
    source = highlighted(body, [Mark(0, 19, WEAK, 7), Mark(20, 36, GAP, 8)])
    read = Reader(source)
    assert read.marked(7) == "Miners moved coins."
    assert read.marked(8) == "Nobody said why."
    assert [piece.title for piece in read.pieces if piece.signal] == ["weak signal", "narrative gap"]
    assert KIND_COLOURS[WEAK] in source
    assert KIND_COLOURS[GAP] in source


def test_where_two_signals_overlap_both_kinds_are_named() -> None:
    body = "0123456789"
    read = Reader(highlighted(body, [Mark(0, 6, WEAK, 1), Mark(4, 10, GAP, 2)]))
    assert [(piece.text, piece.title) for piece in read.pieces] == [
        ("0123", "weak signal"), ("45", "weak signal, narrative gap"), ("6789", "narrative gap"),
    ]  # fmt: skip


def test_the_chosen_signal_stands_out_also_where_another_lies_over_it() -> None:
    body = "0123456789"
    marks = [Mark(0, 10, WEAK, 1), Mark(2, 8, GAP, 2)]
    plain, chosen = highlighted(body, marks), highlighted(body, marks, chosen=2)
    assert Reader(plain).marked(2) == ""
    assert Reader(chosen).marked(2) == "234567"
    assert f"{KIND_COLOURS[GAP]}66" in chosen
    assert "66;" not in plain


def test_a_mark_across_paragraphs_is_closed_and_opened_again() -> None:
    body = "First paragraph.\n\nSecond one.\nIts next line.\n\nThird."
    read = Reader(highlighted(body, [Mark(6, len(body) - 2, WEAK, 3)]))
    assert read.paragraphs == 3
    assert read.text == body
    assert read.marked(3).replace("\n", "") == "paragraph.Second one.Its next line.Thir"


@pytest.mark.parametrize("edge", range(15, 20))
def test_a_mark_that_ends_in_a_paragraphs_boundary_loses_nothing(edge: int) -> None:
    body = "First paragraph.\n\nSecond one."
    for mark in (Mark(0, edge, WEAK, 1), Mark(edge, len(body), WEAK, 1)):
        assert Reader(highlighted(body, [mark])).text == body


@pytest.mark.parametrize("mark", [(-1, 3), (3, 3), (5, 2), (0, 99), (50, 60)])
def test_a_mark_that_does_not_fit_the_text_is_left_out(mark: tuple[int, int]) -> None:
    source = highlighted("0123456789", [Mark(*mark, WEAK, 1)])
    assert "<mark" not in source
    assert stripped(source) == "0123456789"


def test_an_empty_text_is_an_empty_paragraph() -> None:
    assert Reader(highlighted("", [Mark(0, 0, WEAK, 1)])).text == ""


bodies = st.lists(
    st.one_of(st.sampled_from([*HOSTILE, "\n\n", "\n", "<", ">", "&", ";", '"', "'", "word ", "</p><p>", "<br>"]), st.text(max_size=8)),
    max_size=10,
).map("".join)
spans = st.lists(st.tuples(st.integers(-2, 80), st.integers(-2, 80), st.sampled_from(list(SignalKind)), st.integers(1, 4)), max_size=6)


@given(bodies, spans, st.one_of(st.none(), st.integers(1, 4)))
@settings(deadline=None, max_examples=300)
def test_the_body_comes_back_whole_whatever_it_is_and_however_it_is_marked(
    body: str, given_spans: list[tuple[int, int, SignalKind, int]], chosen: int | None
) -> None:
    marks = [Mark(*span) for span in given_spans]
    assert stripped(highlighted(body, marks, chosen=chosen)) == body


@given(bodies.filter(lambda body: "\0" not in body and "\r" not in body and body.isprintable()), spans)
@settings(deadline=None)
def test_every_marked_character_is_marked_and_no_other(body: str, given_spans: list[tuple[int, int, SignalKind, int]]) -> None:
    marks = [Mark(*span) for span in given_spans]
    covered = {at for mark in marks if 0 <= mark.start < mark.end <= len(body) for at in range(mark.start, mark.end)}
    read = Reader(highlighted(body, marks))
    assert read.text == body
    edges = [0]
    for piece in read.pieces:
        edges.append(edges[-1] + len(piece.text))
    found = {at for piece, (start, end) in zip(read.pieces, pairwise(edges), strict=True) if piece.signal for at in range(start, end)}
    assert found == covered


def test_each_mark_leads_to_its_signal_and_can_be_led_back_to() -> None:
    body = "One two three four five."
    marks = [Mark(0, 13, SignalKind.WEAK_SIGNAL, 7), Mark(8, 18, SignalKind.NARRATIVE_GAP, 9)]
    shown = highlighted(body, marks, numbers={7: 1, 9: 2})
    for signal_id, number in ((7, 1), (9, 2)):
        assert shown.count(f'id="{evidence_anchor(signal_id)}"') == 1
        assert re.search(rf'<sup[^>]*><a href="#{signal_anchor(signal_id)}"[^>]*>{number}</a></sup>', shown)
    assert re.sub(r"<style>.*?</style>|<sup.*?</sup>|<[^>]+>", "", shown) == body
    assert "href" not in highlighted(body, marks), "an excerpt on a card leads nowhere"


def test_the_legend_names_the_kinds_that_are_marked_and_no_other() -> None:
    told = legend([Mark(0, 1, SignalKind.NARRATIVE_GAP, 1), Mark(2, 3, SignalKind.NARRATIVE_GAP, 2)])
    assert told.count("narrative gap") == 1
    assert "weak signal" not in told
    assert legend([]) == ""
