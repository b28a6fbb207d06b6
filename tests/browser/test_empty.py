"""Lists with nothing in them, each with the way out; and what a phone must not cover."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.test_articles import PHONE, open_articles

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def search_box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Search")


def is_touched_there(page: Page, target: Locator) -> bool:
    """Whether a finger on the middle and on both ends of ``target`` meets it, rather than something that lies over it."""
    return target.evaluate(
        """button => { const box = button.getBoundingClientRect();
            return [0.1, 0.5, 0.9].every(share => [0.1, 0.5, 0.9].every(down =>
                button.contains(document.elementFromPoint(box.left + share * box.width, box.top + down * box.height)))) }"""
    )


def test_an_empty_desk_offers_to_import_and_the_samples_wherever_articles_are_missed(start_console: Any, page: Page) -> None:
    url = start_console("--no-samples").url
    for path in ("/", "/articles"):
        page.goto(f"{url}{path}")
        missed = page.locator(".st-key-no-articles")
        expect(missed.get_by_text("There are no articles yet.")).to_be_visible()
        missed.get_by_role("button", name="Import").click()
        expect(page.get_by_role("dialog").get_by_text("Import articles")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    for path in ("/signals", "/review"):
        page.goto(f"{url}{path}")
        expect(page.get_by_text("No signals yet.")).to_be_visible()
        expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    page.get_by_role("link", name="Go to Articles").click()
    page.get_by_role("button", name="Load the sample articles").click()
    expect(page.get_by_role("button", name="Select all 46 that match")).to_be_visible()


def test_a_filter_that_nothing_passes_is_cleared_by_one_click(start_console: Any, page: Page) -> None:
    url = start_console().url
    page.goto(f"{url}/articles?q=nowhere-written&stories=true&ready=false&order=oldest&publisher=CoinDesk")
    page.get_by_role("button", name="Start from all that are ready").click()
    expect(search_box(page)).to_have_value("")
    expect(page.get_by_role("button", name="Select all")).to_be_visible()
    assert page.url == f"{url}/articles"


def test_nothing_lies_over_a_button_on_a_phone(start_console: Any, phone: Page) -> None:
    url = start_console().url
    open_articles(phone, url, "ready=false")
    assert is_touched_there(phone, phone.get_by_role("button", name="Import"))
    following = phone.get_by_role("button", name="Next", exact=True)
    following.scroll_into_view_if_needed()
    assert is_touched_there(phone, following)
    following.tap()
    expect(phone.get_by_text("51 to")).to_be_visible()
    phone.goto(f"{url}/review")
    assert is_touched_there(phone, phone.get_by_role("textbox", name="Reviewing as"))
