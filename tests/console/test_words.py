"""Numbers, times and hostile text in a reader's words."""

import html
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from console.words import WORD_JOINER, ago, duration, exact, money, number, percent, plain, when

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "$0.00"),
        (Decimal("0.00001234"), "$0.00001234"),
        (Decimal("0.0013"), "$0.0013"),
        (Decimal("0.09"), "$0.0900"),
        (Decimal("0.1"), "$0.10"),
        (Decimal("1.97"), "$1.97"),
        (0.1 + 0.2, "$0.30"),
        (Decimal("123456.789"), "$123,456.79"),
    ],
)
def test_money(amount: Decimal | float, words: str) -> None:
    assert money(amount) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"), (7, "7"), (950, "950"), (999, "999"), (1_000, "1.0 k"), (1_234, "1.2 k"), (10_000, "10 k"), (123_456, "123 k"),
        (1_000_000, "1.0 M"), (3_400_000, "3.4 M"), (12_000_000, "12 M"), (2_500_000_000, "2.5 G"), (-1_500, "-1.5 k"),
        (999.6, "1.0 k"), (9_949, "9.9 k"), (9_999, "10 k"), (999_499, "999 k"), (999_950, "1.0 M"), (999_999_999, "1.0 G"), (-999_950, "-1.0 M"),
    ],
)  # fmt: skip
def test_number(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "estimating…"), (0, "0.0 s"), (0.25, "0.2 s"), (1, "1 s"), (8.4, "8 s"), (89, "89 s"), (90, "2 min"), (180, "3 min"),
        (3_540, "59 min"), (3_599, "1 h 0 min"), (3_600, "1 h 0 min"), (4_800, "1 h 20 min"), (100_000, "27 h 47 min"),
    ],
)  # fmt: skip
def test_duration(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("back", "words"),
    [
        (timedelta(seconds=-30), "just now"), (timedelta(minutes=-5), "in 5 min"), (timedelta(seconds=44), "just now"), (timedelta(seconds=45), "1 min ago"),
        (timedelta(minutes=5), "5 min ago"), (timedelta(minutes=89), "89 min ago"), (timedelta(minutes=90), "2 h ago"),
        (timedelta(hours=3), "3 h ago"), (timedelta(hours=35), "35 h ago"), (timedelta(hours=36), "2 d ago"),
        (timedelta(days=13), "13 d ago"), (timedelta(days=14), "2026-11-10"), (timedelta(days=400), "2025-10-20"),
    ],
)  # fmt: skip
def test_ago(back: timedelta, words: str) -> None:
    assert ago(NOW - back, NOW) == words


def test_no_time_is_said_as_such() -> None:
    assert ago(None, NOW) == "never"
    assert exact(None) == ""


def test_exact_times_are_in_utc_wherever_they_come_from() -> None:
    assert exact(datetime(2026, 11, 24, 14, 5, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-24 13:05 UTC"


def test_percent() -> None:
    assert [percent(share) for share in (0, 0.333, 1)] == ["0%", "33%", "100%"]


# --- text of articles and models in Markdown -------------------------------------------------------------------------

MARKDOWN = MarkdownIt("commonmark").enable(["strikethrough", "table"])
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "<https://evil.example>",
    "[ref]: https://evil.example 'title'",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "1) item",
    "> quote",
    "    code",
    "`code` ``more``",
    "**bold** __bold__ *it* _it_ ~~gone~~",
    "a | b\n--|--\n1 | 2",
    "***",
    "Title\n===",
    "AT&T &amp; &lt;b&gt; &copy; &#60;b&#62; &NotEqualTilde;",
    "back\\slash \\*not\\* \\<b\\>",
    "$5 and $10 :red[alert] :material/bolt: :smile: $$x^2$$",
    "line one\n\nline two\r\n<b>three</b>",
    "```\nfence\n```",
    "trailing  \nbreak",
    "https://evil.example/a_b_c",
]


def shown(text: str) -> str:
    """What a reader sees of ``text`` as Markdown; one paragraph and no other markup may come of it. Word joiners are invisible."""
    rendered = MARKDOWN.render(plain(text)).removesuffix("\n")
    if not rendered:
        return ""
    assert rendered.startswith("<p>")
    assert rendered.endswith("</p>")
    inner = rendered[3:-4]
    assert "<" not in inner, rendered
    return html.unescape(inner).replace(WORD_JOINER, "")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == " ".join(text.split())


def test_streamlits_own_markup_is_escaped_too() -> None:
    for text in (":red[x]", ":material/bolt:", ":smile:", "$x$", "$5 to $10"):
        assert not re.search(r"(?<!\\)[:$\[\]]", plain(text))


# What Streamlit 1.67 makes of text nodes, where no backslash is left: links (mdast-util-gfm-autolink-literal), icons, arrows.
REWRITTEN = r"(?:https?|ftp)://|www\.|[-.\w+]@[-\w]|:material/|:streamlit:|<-|->|--|<=|>=|~="


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/x", "HTTP://evil.example", "www.evil.example", "WWW.evil.example", "a@b.example", "mailto:a@b.example",
        ":material/bolt:", ":streamlit:", "<-", "->", "<->", "--", "---", "-->", "<!--", "<=", ">=", "~=", "a@b@c.example", "<<==>>",
    ],
)  # fmt: skip
def test_what_streamlit_rewrites_after_the_escapes_stays_as_it_is(text: str) -> None:
    assert re.search(REWRITTEN, text, re.IGNORECASE)
    reaches_streamlit = html.unescape(MARKDOWN.render(plain(text))).removeprefix("<p>").removesuffix("</p>\n")
    assert not re.search(REWRITTEN, reaches_streamlit, re.IGNORECASE), reaches_streamlit
    assert shown(text) == text


@given(st.lists(st.sampled_from([*HOSTILE, *"<>&[]()!*_`~#+-.=|\\:;$'\" \n", "a", "amp", "1", "http://x.y"]), max_size=12).map("".join))
@example("&lt;")
@settings(deadline=None)
def test_any_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == " ".join(text.split())


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=f"\0{WORD_JOINER}")))
@settings(deadline=None)
def test_text_of_any_characters_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == " ".join(text.split())


def test_a_time_is_relative_and_exact_with_its_zone_under_the_pointer() -> None:
    shown = when(datetime(2026, 11, 24, 12, 55, tzinfo=timezone(timedelta(hours=2))), NOW)
    assert shown == '<time datetime="2026-11-24T10:55:00+00:00" title="2026-11-24 10:55 UTC">65 min ago</time>'
    assert when(None, NOW) == "never"
