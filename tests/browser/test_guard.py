"""The security headers in a browser: every page works with them, and what they forbid does not happen."""

from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.filled import fill
from tests.browser.screenshots import PAGES, settled
from tests.browser.test_accessibility import ALSO

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WATCH = "window.refused = []; document.addEventListener('securitypolicyviolation', e => refused.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`))"
STREAMLITS_OWN = ("/_stcore/health", "/_stcore/host-config")
"""What Streamlit looks for below the page's address before it finds it at the top."""


def complaints_of(page: Page) -> list[str]:
    """What the page's console says is wrong, as it comes in."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        where = message.location["url"]
        if message.type == "error" and not ("404" in message.text and where.endswith(STREAMLITS_OWN)):
            found.append(f"{page.url}: {message.text} ({where})")

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))
    return found


def test_no_page_is_hindered_by_them(start_console: Any, browser: Browser, database: Any, make_settings: Any) -> None:
    article = fill(make_settings())
    url = start_console().url
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    complaints = complaints_of(page)
    refused = []
    for path in (PAGES | ALSO).values():
        page.goto(f"{url}{path.format(article=article)}")
        settled(page)
        refused += [f"{path}: {one}" for one in page.evaluate("refused")]
    page.goto(f"{url}/api/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    refused += [f"/api/docs: {one}" for one in page.evaluate("refused")]
    assert refused == []
    assert complaints == []
    context.close()


RUN = """() => {
    const within = document.createElement('script'); within.textContent = 'window.ran = true'; document.head.append(within);
    const button = document.createElement('button'); button.setAttribute('onclick', 'window.ran = true'); document.body.append(button);
    button.click();
    return window.ran === true;
}"""


def test_no_script_that_gets_into_a_page_runs_and_no_page_elsewhere_frames_it(start_console: Any, page: Page) -> None:
    url = start_console().url
    page.add_init_script(WATCH)
    page.goto(url)
    settled(page)
    assert page.evaluate(RUN) is False
    page.wait_for_function("refused.length >= 2")
    assert {one.split(" ")[0] for one in page.evaluate("refused")} <= {"script-src-elem", "script-src-attr"}

    with page.expect_console_message(lambda message: "frame-ancestors" in message.text or "X-Frame-Options" in message.text):
        page.evaluate("url => { const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame) }", url)
