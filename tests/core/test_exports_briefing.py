"""The briefing: what was accepted, as a page that runs nothing and asks for nothing."""

from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from core import reviews
from core.access import local
from core.configuration import Desk
from core.exports import Export, Format, write
from core.exports.briefing import web_address
from core.models import Decision
from core.reviews import Correction
from core.signal_filter import Reviewed, SignalFilter
from tests.conftest import NOW
from tests.core.answered import a_signal, keep, validated

ATTACK = """</h3><script>alert(1)</script><img src=x onerror="alert(1)">'"><a href="javascript:alert(1)">{{ 7*7 }}</style>"""


class Seen(HTMLParser):
    """Every element and attribute of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(desk: Desk, folder: Path, **values: Any) -> str:
    path = folder / "briefing.html"
    write(desk, Export(format=Format.BRIEFING, signals=SignalFilter(**values)), path, by=local("ida"), now=NOW)
    return path.read_text(encoding="utf-8")


def accept(desk: Desk, signal_id: int, **values: Any) -> None:
    desk.transaction(lambda session: reviews.decide(session, signal_id, Decision.ACCEPTED, by=local(values.pop("by", "ida")), **values))


def test_it_has_the_accepted_signals_with_quotes_links_and_who_accepted_them(desk: Desk, articles: Any, tmp_path: Path) -> None:
    (article,) = articles(
        1, publisher="CoinDesk", title="Coins move", published_at=NOW - timedelta(days=2), url="https://coins.example/1?a=1&b=2"
    )
    good, other = keep(
        desk, article, a_signal(description="Harbour moved 77 BTC."), a_signal(description="Left out.", kind="narrative_gap")
    )
    validated(desk, good)
    accept(desk, good, note="Lead with it.", blind_share=1.0)
    html = page(desk, tmp_path)
    seen = Seen(html)
    for words in ("1 accepted signal", "22 November 2026", "Weak signals", "Harbour moved 77 BTC.", "In no quote: 77", "Lead with it.",
                  "CoinDesk", "They say so.", "1 source, 1 independent origin", "after the article", "before seeing the verdict"):  # fmt: skip
        assert words in " ".join(seen.text.split()), words
    assert "Left out." not in seen.text
    links = [attributes for tag, attributes in seen.tags if tag == "a"]
    assert [link["href"] for link in links] == ["https://coins.example/1?a=1&b=2", "https://a.example/1"]
    assert {link["rel"] for link in links} == {"noopener noreferrer nofollow"}
    assert other


def test_a_correction_is_what_is_read_and_the_original_is_noted(desk: Desk, articles: Any, tmp_path: Path) -> None:
    (signal_id,) = keep(desk, articles(1)[0], a_signal(description="As found.", category="mining"))
    accept(desk, signal_id)
    desk.transaction(lambda session: reviews.correct(session, signal_id, Correction("flows", "As corrected."), by=local("ida")))
    html = page(desk, tmp_path)
    assert "<h3>As corrected.</h3>" in html
    assert "The description was corrected; it was found as: As found." in html
    assert "The category was corrected; it was found as: mining" in html
    assert "The timeframe was corrected" not in html


def test_nothing_that_was_written_by_others_becomes_markup(desk: Desk, articles: Any, tmp_path: Path) -> None:
    (article,) = articles(
        1, title=ATTACK, publisher=ATTACK[:60], body=f"{ATTACK} and more words. " * 40, url="https://evil.example/\"'><script>"
    )
    (signal_id,) = keep(desk, article, a_signal(f"{ATTACK} and more words", description=ATTACK, implications=ATTACK, category=ATTACK[:60]))
    validated(desk, signal_id, reason=ATTACK)
    with desk.database.session() as session:
        session.connection().exec_driver_sql(
            "UPDATE validation_sources SET url = 'javascript:alert(1)', title = %s, quote = %s", (ATTACK, ATTACK)
        )
    accept(desk, signal_id, note=ATTACK, by=ATTACK[:60])
    seen = Seen(page(desk, tmp_path))
    assert {tag for tag, _ in seen.tags} & {"script", "img", "iframe", "object", "form", "link", "base", "svg"} == set()
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
    assert all((attributes["href"] or "").startswith("https://") for tag, attributes in seen.tags if tag == "a")
    assert seen.text.count("<script>alert(1)</script>") >= 6
    policy = next(attributes["content"] for tag, attributes in seen.tags if attributes.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'")


def test_without_anything_accepted_it_says_so(desk: Desk, articles: Any, tmp_path: Path) -> None:
    keep(desk, articles(1)[0], a_signal())
    assert "No signal was accepted yet" in page(desk, tmp_path)


def test_it_keeps_to_the_filter_but_always_to_accepted_ones(desk: Desk, articles: Any, tmp_path: Path) -> None:
    ids = keep(desk, articles(1)[0], a_signal(description="First.", confidence=0.9), a_signal(description="Second.", confidence=0.2))
    for signal_id in ids:
        accept(desk, signal_id)
    html = page(desk, tmp_path, minimum_confidence=0.5, reviewed=Reviewed.REJECTED)
    assert "First." in html
    assert "Second." not in html


@pytest.mark.parametrize(
    ("url", "linked"),
    [("https://a.example/x", True), ("http://a.example", True), ("HTTPS://a.example", True), ("javascript:alert(1)", False), ("//a.example", False),
     (" javascript:alert(1)", False), ("data:text/html,x", False), ("https://", False), ("http://[", False), ("", False), (None, False)],
)  # fmt: skip
def test_only_addresses_of_the_web_are_linked(url: str | None, linked: bool) -> None:
    assert (web_address(url) is not None) is linked
