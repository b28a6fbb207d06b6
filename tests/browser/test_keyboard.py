"""Without a mouse: what can be clicked is reached by Tab, in view, with its focus to be seen."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core.clock import utc_now
from core.configuration import Desk
from tests.browser.screenshots import settled
from tests.core.answered import a_signal, keep

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MOST = 80
"""Tabs to the end of a page at most."""
FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
    return {
        tag: one.tagName,
        name: (one.getAttribute('aria-label') || one.innerText || one.placeholder || '').trim(),
        href: one.getAttribute('href') || '',
        ringed: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none',
        inView: box.bottom > 0 && box.top < innerHeight && box.width > 0,
    };
}"""


def tabbed(page: Page) -> list[dict[str, Any]]:
    """What Tab reaches, in order, until it leaves the page or begins anew."""
    page.evaluate("document.activeElement.blur()")
    found: list[dict[str, Any]] = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        page.wait_for_timeout(60)  # rings fade in
        now = page.evaluate(FOCUSED)
        if found and (now["name"], now["href"]) == (found[0]["name"], found[0]["href"]):
            break
        found.append(now)
    return found


def test_evidence_and_links_are_reached_by_tab_and_show_it(start_console: Any, page: Page, desk: Desk, articles: Any) -> None:
    (article,) = articles(1, published_at=utc_now())
    (signal,) = keep(desk, article, a_signal())
    console = start_console("--no-samples")
    page.goto(f"{console.url}/article?id={article}")
    settled(page)
    reached = tabbed(page)
    unseen = [one for one in reached if one["tag"] in ("A", "BUTTON") and not (one["ringed"] and one["inView"])]
    assert not unseen, unseen
    assert any(one["href"] == f"#signal-{signal}" for one in reached)
    assert any(one["name"].endswith("Accept") for one in reached)

    page.locator(f".reader a[href='#signal-{signal}']").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(f"#signal-{signal}")).to_be_in_viewport()

    page.goto(console.url)
    settled(page)
    cards = [
        one for one in tabbed(page) if one["tag"] == "A" and one["name"].split("\n")[-1] in ("Ready to analyse", "To review", "Accepted")
    ]
    assert len(cards) == 3
    assert not [one for one in cards if not (one["ringed"] and one["inView"])]
