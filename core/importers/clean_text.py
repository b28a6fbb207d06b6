"""Clean text out of whatever a source delivers: HTML pages and fragments, plain text, and text that was escaped once too often.

Pure functions without state; any thread may call them. They never raise on odd input: libxml2's event parser (through lxml)
needs no tree and no recursion, so a million open tags cost time in proportion and no more.
"""

import re
import unicodedata
from collections.abc import Mapping
from html import unescape
from html.entities import html5

from lxml import etree

_ELEMENTS = (
    "a|abbr|address|article|aside|audio|b|blockquote|body|br|button|center|cite|code|dd|del|div|dl|dt|em|embed|figcaption|figure|font|footer"
    "|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|li|link|main|mark|meta|nav|noscript|ol|p|picture|pre|s|script|section|small"
    "|source|span|strong|style|sub|sup|svg|table|tbody|td|tfoot|th|thead|time|title|tr|u|ul|video"
)
# A tag of HTML, and not "a <b and c> d": either bare, or with at least one attribute that has a value.
_TAG = re.compile(rf"<(?:/\s*(?:{_ELEMENTS})\s*|(?:{_ELEMENTS})(?:\s*/?|\s[^<>=]*=[^<>]*)|!doctype\s[^<>]*)>", re.IGNORECASE)
_UNCLOSED_NAME = re.compile(rf"<(?!(?:{_ELEMENTS})\b)(?=[a-z][^<>]*(?:<|\Z))|<(?![a-z/!?])", re.IGNORECASE)
_BARE_AMPERSAND = re.compile(r"&(?!(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});)", re.IGNORECASE)
_ENTITY = re.compile(r"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")

_DROPPED_NAMES = (
    "audio button canvas embed figcaption head iframe img input math noscript object script select style svg template textarea title video"
)
_DROPPED = frozenset(_DROPPED_NAMES.split())
_DROPPED_CLASSES = frozenset(
    {"wp-caption-text", "image-caption", "screen-reader-text", "sr-only", "sharedaddy", "addtoany_share_save_container"}
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLOCK_NAMES = (
    "address article aside blockquote body center details dl div fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav p"
    " pre section summary"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_LISTS = frozenset({"ul", "ol", "menu"})
_NO_BREAK, _SPACE, _LINE, _PARAGRAPH = range(4)
_BREAKS = ("", " ", "\n", "\n\n")

_INVISIBLE = re.compile(  # C0 and C1 controls, soft hyphen, zero-width, bidi, annotation, tags and selectors that can carry hidden text
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_MARK = f"[{''.join(c for c in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(c))}]"
_PILED_MARKS = re.compile(f"({_MARK}{{8}}){_MARK}+")  # no script needs more; NFC takes quadratic time to put a long pile in order
_MAYBE_PILED = re.compile(r"[^\w\s\x00-\x7f]{9}")  # the quick look before the slow pattern
_CHARACTERS = {
    **{ord(c): " " for c in "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"},
    **dict.fromkeys(map(ord, "\x0b\x0c\u2028\u2029"), "\n"),
    0x2010: "-",
    0x2011: "-",
    # Windows-1252 read as Latin-1: the C1 controls are never meant
    **{code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)},
}

_ESCAPED_QUOTE = re.compile(r"\\{1,4}([\"'/])")
_ESCAPED_BREAK = re.compile(r"\\r\\n|\\[nr](?![a-z])|\\t(?![a-z])")
_ESCAPED_CODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SENTENCE_END = re.compile(r"[a-z\d%)][.!?:](?=[A-Z][A-Za-z’'])|[\w%)][.!?,:](?=“\w)|[.!?,]”(?=[A-Za-z])")
_WORD_OF_SENTENCE = re.compile(r"(?:^|[(“\"'‘’—–-])(?:[a-z]{3,}|\$?\d[\d,.]*%?|[^\s]*\))$")
_ADDRESS = re.compile(r"://|www\.|[@/]")
_SHORTCODE = re.compile(r"\[[a-z][\w-]{2,40}\s+[\w-]{1,40}=[”\"″][^\[\]]{0,500}\]")  # WordPress: [newsletter title=”Never miss”]
_SYNDICATION_NOTE = re.compile(r"\s*\bThe post [^\n]{1,400}? (?:appeared first|first appeared) on [^\n]{1,150}\Z")


def html_to_text(html: str) -> str:
    """Plain text of ``html`` (a page, a fragment, or text that is no HTML at all), paragraphs separated by blank lines.

    List items are lines beginning "- ", cells of a table row are joined with " | ", the text of links stays. Scripts, styles,
    embedded media, images with their captions, and hidden elements go. Entities are decoded, also when they were encoded twice.
    Text that only contains "<" or "&" ("hash rate < 5 EH/s", "AT&T") comes through unharmed. Never raises.
    """
    if "\\" in html:
        html = _without_literal_escapes(html)
    if "<![CDATA[" in html:
        html = html.replace("<![CDATA[", "").replace("]]>", "")
    if "&" in html and not _TAG.search(html):
        html = _decode_entities(html)  # once more below: "&amp;lt;p&amp;gt;" is HTML too
    text = _text_of_markup(html) if _TAG.search(html) else _plain_paragraphs(html)
    text = _decode_entities(text)
    text = clean_characters(_SHORTCODE.sub("", text) if "[" in text else text)
    text = text[:-700] + _SYNDICATION_NOTE.sub("", text[-700:])
    return _SENTENCE_END.sub(_separated, text)


def one_line(html: str) -> str:
    """``html_to_text`` on one line: for titles, names and keywords."""
    return " ".join(html_to_text(html).split())


def clean_characters(text: str) -> str:
    """NFC text without control, zero-width, bidi-override or surrogate characters, its spaces plain and its breaks ``\\n``.

    At most one blank line stands between two lines; none at either end.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CHARACTERS)
    text = _INVISIBLE.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", _PILED_MARKS.sub(r"\1", text) if _MAYBE_PILED.search(text) else text)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(" ".join(line.split()) for line in text.split("\n"))).strip()


class _TextBuilder:
    """Receives the parser's events and writes text. Breaks are wished for, and the strongest wish is written before the next word."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._break = _NO_BREAK
        self._prefix = ""
        self._dropped = 0  # depth below an element that is dropped
        self._lists = self._cells = self._preformatted = 0
        self._row_start = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._dropped or tag in _DROPPED or (attributes and _is_noise(attributes)):
            self._dropped += 1
        elif tag == "br":
            self._wish(_PARAGRAPH if self._break == _LINE else _LINE)
        elif tag in _LISTS:
            self._lists += 1
            self._wish(_LINE if self._lists > 1 else _PARAGRAPH)
        elif tag == "li":
            self._wish(_LINE)
            self._prefix = "- "
        elif tag in ("dt", "dd"):
            self._wish(_LINE)
        elif tag == "table":
            self._wish(_PARAGRAPH)
        elif tag == "tr":
            self._wish(_LINE)
            self._row_start = len(self._out)
        elif tag in ("td", "th"):
            self._cells += 1
            if len(self._out) > self._row_start:
                self._break, self._prefix = _NO_BREAK, " | "
        elif tag in _BLOCKS:
            self._preformatted += tag == "pre"
            self._wish_block()

    def end(self, tag: str) -> None:
        if self._dropped:
            self._dropped -= 1
        elif tag in _LISTS:
            self._lists = max(0, self._lists - 1)
            self._wish_block()
        elif tag == "li":
            self._prefix = ""
            self._wish(_LINE)
        elif tag == "table":
            self._prefix = ""
            self._wish(_PARAGRAPH)
        elif tag == "tr":
            self._prefix = ""
            self._wish(_LINE)
        elif tag in ("td", "th"):
            self._cells = max(0, self._cells - 1)
        elif tag in _BLOCKS:
            self._preformatted = max(0, self._preformatted - (tag == "pre"))
            self._wish_block()

    def data(self, text: str) -> None:
        if self._dropped:
            return
        for number, line in enumerate(text.split("\n") if self._preformatted else (text,)):
            if number:
                self._wish(_LINE)
            self._write(line)

    def comment(self, text: str) -> None:
        """Comments are no text."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nor are processing instructions."""

    def close(self) -> str:
        return "".join(self._out)

    def _write(self, text: str) -> None:
        words = text.split()
        if not words:
            if text:
                self._wish(_SPACE)
            return
        if text[0].isspace():
            self._wish(_SPACE)
        if self._out:
            self._out.append(_BREAKS[self._break])
        self._out += (self._prefix, " ".join(words))
        self._break, self._prefix = (_SPACE if text[-1].isspace() else _NO_BREAK), ""

    def _wish(self, strength: int) -> None:
        if not self._prefix:  # a bullet or a cell's bar stays with its text
            self._break = max(self._break, strength)

    def _wish_block(self) -> None:
        # Inside a list item or a cell, a paragraph is a line: a blank line would end the list or tear the row apart.
        self._wish(_LINE if self._lists or self._cells else _PARAGRAPH)


def _text_of_markup(html: str) -> str:
    html = _BARE_AMPERSAND.sub("&amp;", _UNCLOSED_NAME.sub("&lt;", html))
    parser = etree.HTMLParser(target=_TextBuilder(), encoding="utf-8", no_network=True, huge_tree=True)
    try:
        return etree.fromstring(_INVISIBLE.sub("", html).encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, AssertionError):  # nothing but tags, or nothing libxml2 takes for HTML
        return ""


def _is_noise(attributes: Mapping[str, str]) -> bool:
    if "hidden" in attributes or _HIDDEN_STYLE.search(attributes.get("style", "")):
        return True
    return not _DROPPED_CLASSES.isdisjoint(attributes.get("class", "").split())


def _plain_paragraphs(text: str) -> str:
    """Plain text that separates paragraphs with single line breaks gets blank lines; text wrapped at a column stays as it is."""
    if "\n" not in text:
        return text
    text = text.replace("\r\n", "\n")
    if re.search(r"\n\s*\n", text) or max(map(len, text.split("\n"))) <= 100:
        return text
    return re.sub(r"\n(?!- )", "\n\n", text)


def _without_literal_escapes(text: str) -> str:
    """Undo the string escapes of a source that serialised its text twice: a backslash before a quote or as "\\n"."""
    if _ESCAPED_CODE.search(text):
        text = _ESCAPED_CODE.sub(lambda match: chr(int(match[1], 16)), text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # joins the halves of surrogate pairs
    return _ESCAPED_QUOTE.sub(r"\1", _ESCAPED_BREAK.sub("\n", text))


def _decode_entities(text: str) -> str:
    return _ENTITY.sub(_character_of, text) if "&" in text else text


def _character_of(match: re.Match[str]) -> str:
    return unescape(match[0]) if match[1][0] == "#" else html5.get(f"{match[1]};", match[0])


def _separated(match: re.Match[str]) -> str:
    """A space after a sentence that runs into the next one ("by 1%.Riot"), but not inside "t.co/a.B", "Node.js" or "Ether.Fi"."""
    text, end = match.string, match.end()
    token = text[max(0, end - 80) : end].split()[-1]
    if _ADDRESS.search(token):
        return match[0]
    if token[-1] == "”" or text[end] == "“" or _WORD_OF_SENTENCE.search(token[:-1]):
        return f"{match[0]} "
    return match[0]
