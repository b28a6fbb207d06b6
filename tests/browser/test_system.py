"""The System page in a real browser: settings, publishers, web sources, what goes on now, the log, and no secret in any of it."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from core.database import Database

pytestmark = [pytest.mark.browser, pytest.mark.slow]
THEMES = ("light", "dark")
FIRST_ROW, TICK = 50, 86  # pixels in a table's canvas
PATIENCE = 40


def saved(database: Database) -> dict[str, Any]:
    with database.session() as session:
        return dict(session.execute(text("SELECT name, value FROM settings")).all())


def priorities(database: Database) -> list[str]:
    with database.session() as session:
        return list(session.scalars(text("SELECT name FROM publishers WHERE is_priority ORDER BY name")))


def write(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("textbox", name=label, exact=True)
    field.fill(value)
    field.press("Enter")


@pytest.mark.parametrize("theme", THEMES)
def test_a_setting_is_changed_refused_reset_and_taken_back(start_console: Any, page: Page, database: Database, theme: Any) -> None:
    page.emulate_media(color_scheme=theme)
    console = start_console(SIGNALDESK_CLAIM_MINUTES="20")
    page.goto(f"{console.url}/system?section=Settings")

    write(page, "Articles at a time", "many")
    page.get_by_role("button", name="Save the change").click()
    expect(page.get_by_text("Articles at a time: must be a whole number from 1 to 256.")).to_be_visible()
    assert saved(database) == {}

    write(page, "Articles at a time", "7")
    page.get_by_role("button", name="Save the change").click()
    expect(page.get_by_text("saved here; default 16")).to_be_visible()
    assert saved(database) == {"concurrency": 7}

    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_text("saved here; default 16")).to_have_count(0)
    assert saved(database) == {}
    expect(page.get_by_role("textbox", name="Articles at a time", exact=True)).to_have_value("16")

    page.get_by_role("button", name="Undo: Articles at a time").click()
    expect(page.get_by_text("saved here; default 16")).to_be_visible()
    assert saved(database) == {"concurrency": 7}

    write(page, "Failures at most", "3")
    page.get_by_role("button", name="Save the change").click()
    expect(page.get_by_text("saved here; default none")).to_be_visible()
    write(page, "Failures at most", "")
    page.get_by_role("button", name="Save the change").click()
    expect(page.get_by_role("button", name="Save the change")).to_have_count(0)
    expect(page.get_by_role("textbox", name="Failures at most", exact=True)).to_have_value("")
    assert saved(database) == {"concurrency": 7, "failure_most": None}

    expect(page.get_by_role("textbox", name="Claim (min)", exact=True)).to_be_disabled()
    expect(page.get_by_text("set by the environment (SIGNALDESK_CLAIM_MINUTES)")).to_be_visible()


def test_a_publisher_is_found_and_put_first_and_that_is_taken_back(start_console: Any, page: Page, database: Database) -> None:
    console = start_console()
    page.goto(f"{console.url}/system?section=Publishers")
    write(page, "Find a publisher", "hash")
    expect(page).to_have_url(re.compile("publisher-name=hash"))
    expect(page.get_by_text("1 publishers.")).to_be_visible()
    page.wait_for_timeout(500)  # the canvas is drawn anew
    page.get_by_test_id("stDataFrame").locator("canvas").first.click(position={"x": TICK, "y": FIRST_ROW}, force=True)
    undo = page.get_by_role("button", name="Undo: Hashyard")
    expect(undo).to_be_visible(timeout=20_000)
    assert priorities(database) == ["Hashyard"]
    undo.click()
    expect(undo).to_have_count(0, timeout=20_000)
    assert priorities(database) == []


def test_a_web_source_that_is_no_domain_is_refused_and_a_domain_is_saved(start_console: Any, page: Page, database: Database) -> None:
    console = start_console()
    page.goto(f"{console.url}/system?section=Web%20sources")
    canvas = page.get_by_test_id("stDataFrame").locator("canvas").first
    expect(canvas).to_be_visible()
    editor = page.locator("textarea.gdg-input")

    def name_first_row(domain: str) -> None:
        for _ in range(PATIENCE):  # a canvas that is still being drawn takes no click, and says nowhere when it will
            canvas.dblclick(position={"x": 120, "y": FIRST_ROW}, force=True)
            page.wait_for_timeout(500)
            if editor.is_visible():
                break
        editor.fill(domain)
        editor.press("Enter")
        page.wait_for_timeout(800)  # the table sends what is typed a while after

    name_first_row("foo")
    page.get_by_role("button", name="Save the table").click()
    expect(page.get_by_text("'foo' is no domain. Write it as reuters.com.")).to_be_visible()
    name_first_row("desk.example")
    page.get_by_role("button", name="Save the table").click()
    expect(page.get_by_role("button", name="Save the table")).to_have_count(0, timeout=20_000)
    with database.session() as session:
        changed = dict(session.execute(text("SELECT domain, authority FROM domain_authorities")).all())
    assert changed == {"desk.example": "MEDIUM", "apnews.com": "LOW"}


def test_what_goes_on_now_and_no_secret(start_console: Any, page: Page) -> None:
    console = start_console(GEMINI_API_KEY="AIzaNotARealKeyButLong", SIGNALDESK_ALERT_WEBHOOK_URL="https://hooks.example/T0/hidden-path")
    page.goto(f"{console.url}/system")
    expect(page.get_by_text("GEMINI_API_KEY: set", exact=True)).to_be_visible()
    expect(page.get_by_text("TAVILY_API_KEY: not set", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Workers").locator("time").first).to_have_attribute("title", re.compile(r"^\d{4}-.* UTC$"))
    seen = ""
    for section in ("Now", "Settings", "Database", "Log"):
        page.goto(f"{console.url}/system?section={section}")
        expect(page.get_by_role("heading", level=2).first).to_be_visible()
        if section == "Log":  # which comes after its heading
            expect(page.get_by_role("region", name="Log, newest first")).to_contain_text("INFO     console.server: the console started at")
        seen += page.content()
    assert "NotARealKey" not in seen
    assert "hidden-path" not in seen


def test_the_schedule_is_switched_asked_for_and_told_what_to_fetch_and_launch(start_console: Any, page: Page, database: Database) -> None:
    console = start_console()
    page.goto(f"{console.url}/system?section=Schedule")
    table = page.get_by_role("region", name="Schedule")
    expect(table.get_by_role("row", name="Fetch new articles 4 h never")).to_be_visible(timeout=PATIENCE * 1_000)
    expect(table.get_by_role("row", name="Nightly run day never – – off")).to_be_visible()

    page.get_by_role("button", name="Fetch new articles", exact=True).click()
    expect(table.get_by_text("Nothing to fetch: there is no feed, and COINDESK_API_KEY is not set.")).to_be_visible(
        timeout=PATIENCE * 1_000
    )

    page.get_by_text("Nightly run", exact=True).nth(1).click()  # the switch
    expect(table.get_by_role("row", name=re.compile("Nightly run day never – – off"))).to_have_count(0)

    write(page, "At most ($)", "many")
    page.get_by_role("button", name="Save the nightly run").click()
    expect(page.get_by_text("At most ($): must be an amount")).to_be_visible()
    write(page, "At most ($)", "2.50")
    page.get_by_role("button", name="Save the nightly run").click()
    expect(page.get_by_text("The nightly run is saved.")).to_be_visible()
    with database.session() as session:
        enabled, options = session.execute(text("SELECT enabled, options FROM schedule WHERE name = 'nightly'")).one()
    assert (enabled, options["limit_usd"]) == (True, "2.50")

    write(page, "Address of a feed", "ftp://mill.example/rss")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Only http and https addresses can be fetched")).to_be_visible()
    page.get_by_role("textbox", name="Address of a feed").fill("https://mill.example/<b>rss</b>")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("cell", name="https://mill.example/<b>rss</b>")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("There is none yet.")).to_be_visible()
    page.get_by_role("button", name="Undo: put the feed back").click()
    expect(page.get_by_role("cell", name="https://mill.example/<b>rss</b>")).to_be_visible()
