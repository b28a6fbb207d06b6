"""The Articles and Article pages in a real browser, on both themes and on a phone."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from core.database import Database
from tests.browser.test_main_job import choose, tick_rows
from tests.core.answered import a_signal, keep

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {"width": 390, "height": 844}


@pytest.fixture(params=["light", "dark"])
def themed(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A browser session whose system is set to light or dark."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=request.param)
    context.set_default_timeout(20_000)
    page = context.new_page()
    yield page
    context.close()


def open_articles(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/articles?{query}")
    expect(page.get_by_text(re.compile(r"^\d+ articles?$"))).to_be_visible()
    expect(page.get_by_test_id("stDataFrame").locator("canvas [role=gridcell]").first).to_be_attached()  # it takes clicks from then on
    page.wait_for_timeout(400)


def click_title(page: Page, row: int) -> None:
    page.get_by_test_id("stDataFrame").first.locator("canvas").first.click(position={"x": 120, "y": 35 + 30 * row + 15}, force=True)


def preview(page: Page) -> Any:
    return page.locator(".st-key-preview")


def is_dark(page: Page) -> bool:
    red = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor.match(/\\d+/)[0]")
    return int(red) < 128


def test_a_selection_survives_paging_and_filters_and_can_be_listed(start_console: Any, themed: Page) -> None:
    page = themed
    open_articles(page, start_console().url, "ready=false&order=oldest")
    tick_rows(page, 0, 1)
    expect(page.get_by_text("2 articles selected")).to_be_visible()
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_text("51 to")).to_be_visible()
    page.wait_for_timeout(400)
    tick_rows(page, 2)
    expect(page.get_by_text("3 articles selected")).to_be_visible()
    expect(page.get_by_text("2 of them are on other pages")).to_be_visible()
    told = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert told["signaldesk_width"] == "1440"  # the next page's tables are sized by it

    page.get_by_placeholder("words in title or text").fill("Kestrel")
    page.get_by_placeholder("words in title or text").press("Enter")
    expect(page.get_by_text("60 articles", exact=True)).to_have_count(0)
    expect(page.get_by_text("3 articles selected")).to_be_visible()
    page.wait_for_timeout(400)
    tick_rows(page, 3)
    expect(page.get_by_text("4 articles selected")).to_be_visible()

    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("Only what is selected")).to_be_visible()
    expect(page.get_by_text("on other pages")).to_have_count(0)
    page.wait_for_timeout(400)
    tick_rows(page, 0)  # all are ticked here: this one no more, and its row stays
    expect(page.get_by_text("3 articles selected")).to_be_visible()
    expect(page.get_by_text("Only what is selected")).to_be_visible()
    page.get_by_role("button", name="Back to the list").click()
    expect(page.get_by_text("Only what is selected")).to_have_count(0)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_text("Nothing selected")).to_be_visible()


def test_all_that_match_stays_what_it_was_and_single_rows_can_be_taken_out(start_console: Any, page: Page) -> None:
    open_articles(page, start_console().url, "q=Kestrel")
    page.get_by_role("button", name="Select all 14 that match").click()
    expect(page.get_by_text("14 articles all that matched")).to_be_visible()
    page.wait_for_timeout(600)
    tick_rows(page, 0)  # they are ticked: this takes one out
    expect(page.get_by_text("13 articles all that matched")).to_be_visible()
    expect(page.get_by_text("without 1 unticked")).to_be_visible()

    page.get_by_placeholder("words in title or text").fill("")
    page.get_by_placeholder("words in title or text").press("Enter")
    expect(page.get_by_text("“Kestrel”")).to_be_visible()
    expect(page.get_by_text("13 articles all that matched")).to_be_visible()
    choose(page, "Order", "most promising")
    expect(page).to_have_url(re.compile("order=most"))
    expect(page.get_by_text("13 articles all that matched")).to_be_visible()


def test_the_preview_follows_the_list_and_the_address(start_console: Any, themed: Page, request: pytest.FixtureRequest) -> None:
    page = themed
    open_articles(page, start_console().url, "q=Kestrel")
    assert is_dark(page) == ("dark" in request.node.name)
    click_title(page, 0)
    expect(page).to_have_url(re.compile(r"open=\d+"))
    title = preview(page).get_by_role("heading")
    first = title.inner_text()
    expect(preview(page).get_by_text(re.compile(r"Promise 0\.\d\d: ")).first).to_be_visible()
    expect(page.get_by_text("Nothing selected")).to_be_visible()
    one = page.url

    preview(page).get_by_role("button", name="Next").click()
    expect(title).not_to_have_text(first)
    second = title.inner_text()
    page.keyboard.press("j")
    expect(title).not_to_have_text(second)
    page.keyboard.press("k")
    expect(title).to_have_text(second)
    two = page.url
    assert one != two

    page.reload()
    expect(title).to_have_text(second)
    expect(page.get_by_text("14 articles", exact=True)).to_be_visible()
    page.goto(one)
    expect(title).to_have_text(first)
    page.go_back()
    expect(title).to_have_text(second)
    preview(page).get_by_role("button", name="Close").click()
    expect(preview(page)).to_have_count(0)
    expect(page).not_to_have_url(re.compile("open="))


def test_choices_have_counts_and_a_link_outlives_them(start_console: Any, page: Page, desk: Any, articles: Any) -> None:
    articles(2)
    ids = articles(3, publisher="CoinDesk")
    keep(desk, ids[0], a_signal())
    console = start_console()
    open_articles(page, console.url)
    for label in ("any (5)", "analysed (1)", "not analysed (4)", "Samples (0)", "Archived (0)"):
        expect(page.get_by_text(label, exact=True)).to_be_visible()
    page.get_by_role("combobox", name="Publishers").fill("coin")
    page.get_by_role("option", name="★ CoinDesk (3)").click()
    expect(page).to_have_url(re.compile("publisher=CoinDesk"))
    expect(page.get_by_text("any (3)", exact=True)).to_be_visible()
    expect(page.get_by_text("2 articles", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_text("analysed (1)", exact=True).click()
    expect(page.get_by_text("1 article", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("analysed=analysed"))
    link = page.url

    articles(1, publisher="CoinDesk")
    page.goto(link)
    expect(page.get_by_text("any (4)", exact=True)).to_be_visible()
    expect(page.get_by_text("1 article", exact=True)).to_be_visible()


def test_days_that_leave_nothing_between_them_are_said_and_swapped(start_console: Any, page: Page) -> None:
    page.goto(f"{start_console().url}/articles?since=2026-11-20&until=2026-11-10")
    expect(page.get_by_text("No day lies between")).to_be_visible()
    expect(page.get_by_text("No article matches")).to_be_visible()
    page.get_by_role("button", name="Swap the days").click()
    expect(page.get_by_text("No day lies between")).to_have_count(0)
    expect(page).to_have_url(re.compile("since=2026-11-10&until=2026-11-20"))


def test_articles_are_archived_restored_and_deleted(start_console: Any, page: Page, database: Database) -> None:
    console = start_console()

    def archived() -> int:
        with database.session() as session:
            return session.scalar(text("SELECT count(*) FROM articles WHERE NOT is_active")) or 0

    def archive() -> None:
        page.get_by_role("button", name="Select all 14 that match").click()
        page.get_by_role("button", name="Archive", exact=True).click()
        page.get_by_role("button", name="Archive 14").click()
        expect(page.get_by_text("14 archived.")).to_be_visible()

    open_articles(page, console.url, "q=Kestrel")
    archive()
    assert archived() == 14
    page.get_by_role("button", name="Undo: 14 archived").click()
    expect(page.get_by_text("14 articles", exact=True)).to_be_visible()
    assert archived() == 0
    archive()

    open_articles(page, console.url, "archived=true")
    tick_rows(page, 0)
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("13 articles", exact=True)).to_be_visible()
    page.get_by_role("button", name="Select all 13 that match").click()
    page.get_by_role("button", name="Delete…").click()
    delete = page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True)
    expect(delete).to_be_disabled()
    page.get_by_text("Yes, delete 13 articles").click()
    delete.click()
    expect(page.get_by_text("Nothing is archived")).to_be_visible()
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM articles")) == 47


def test_an_article_is_analysed_from_its_page_and_shows_run_cost_and_signals(start_console: Any, themed: Page, database: Database) -> None:
    page, console = themed, start_console()
    page.goto(f"{console.url}/article")
    expect(page.get_by_role("heading", name="Article", exact=True)).to_be_visible()
    page.get_by_role("link", name="Find one among the articles").click()
    expect(page.get_by_role("heading", name="Articles")).to_be_visible()

    with database.session() as session:
        article = session.scalar(text("SELECT id FROM articles WHERE body_chars > 2000 ORDER BY promise DESC LIMIT 1"))
    page.goto(f"{console.url}/article?id={article}")
    expect(page.get_by_text("Not analysed yet")).to_be_visible()
    page.get_by_role("button", name="Analyze this article · $0.00").click()
    expect(page.get_by_text("Run #1 is under way.")).to_be_visible()
    for _ in range(60):
        with database.session() as session:
            if session.scalar(text("SELECT status FROM batch_sessions")) == "COMPLETED":
                break
        page.wait_for_timeout(500)
    page.reload()
    expect(page.get_by_text(re.compile(r"In 1 run.*\$0\.00"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"● done · \$0\.00 · \d+ calls?"))).to_be_visible()
    expect(page.get_by_text("Not ready for analysis: already analysed")).to_be_visible()
    with database.session() as session:
        number = session.scalar(text("SELECT count(*) FROM signals"))
    assert number
    assert number > 1
    expect(page.get_by_text(f"{number} signals", exact=True)).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text(f"Signal 1 of {number}")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text(f"Signal 2 of {number}")).to_be_visible()
    title = page.get_by_role("heading", level=1).inner_text()
    page.goto(f"{console.url}/article?signal={re.search(r'signal=([0-9]+)', page.url)[1]}")  # type: ignore[index]
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    expect(page.get_by_text(f"Signal 2 of {number}")).to_be_visible()
    page.get_by_role("link", name="Run #1").first.click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(page).to_have_url(re.compile("batch=1"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_on_a_phone(start_console: Any, browser: Browser, desk: Any, articles: Any, scheme: Any) -> None:
    (article,) = articles(1)
    keep(desk, article, *[a_signal(confidence=0.5 + place / 100) for place in range(3)])
    console = start_console()
    context = browser.new_context(viewport=PHONE, color_scheme=scheme)
    page = context.new_page()
    for address in ("articles", f"articles?ready=false&open={article}", f"article?id={article}", "signals", "review"):
        page.goto(f"{console.url}/{address}")
        expect(page.get_by_test_id("stSidebar")).to_be_attached()
        expect(page.get_by_role("heading").first).to_be_visible()
        page.wait_for_timeout(1_000)
        widths = page.evaluate(
            "[document.documentElement.scrollWidth, document.querySelector('[data-testid=stMain]').scrollWidth, window.innerWidth]"
        )
        assert max(widths[:2]) <= widths[2], (address, widths)
    quote = page.locator(".reader mark").first  # on Review the words and the buttons are both on the first screen
    expect(quote).to_be_in_viewport()
    boxes = [page.get_by_role("button", name=name).bounding_box() for name in ("Accept", "Reject", "Unsure")]
    assert all(boxes)
    assert len({(round(box["y"]), round(box["width"])) for box in boxes if box}) == 1, boxes
    expect(page.get_by_role("button", name="Accept")).to_be_in_viewport()
    context.close()
