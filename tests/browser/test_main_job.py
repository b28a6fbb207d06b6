"""The analyst's whole job in a real browser, on the sample articles, without any key."""

import re
import zipfile
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from core.database import Database
from tests.browser.downloads import downloaded

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def tick_rows(page: Page, *rows: int) -> None:
    """Tick rows of the articles table. Its cells are drawn on a canvas, so they are clicked by place."""
    canvas = page.get_by_test_id("stDataFrame").first.locator("canvas").first
    for row in rows:
        canvas.click(position={"x": 17, "y": 35 + 30 * row + 15}, force=True)
        page.wait_for_timeout(400)


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a select box."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).click()


def test_filter_select_estimate_analyze_review_export(start_console: Any, page: Page, database: Database) -> None:
    console = start_console()
    page.goto(f"{console.url}/articles")
    expect(page.get_by_role("heading", name="Articles")).to_be_visible()

    page.get_by_placeholder("words in title or text").fill("Kestrel")
    page.get_by_placeholder("words in title or text").press("Enter")
    expect(page).to_have_url(re.compile("q=Kestrel"))
    expect(page.get_by_text("14 articles")).to_be_visible()
    page.wait_for_timeout(500)  # the canvas is drawn anew
    tick_rows(page, 0, 1)
    expect(page.get_by_text("2 articles selected")).to_be_visible()
    expect(page.get_by_text("Likely cost")).to_be_visible()

    page.get_by_role("button", name=re.compile("Analyze 2")).click()
    page.get_by_role("link", name="Watch the run").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(page.get_by_text("2 of 2 articles · 100%")).to_be_visible(timeout=60_000)

    page.get_by_role("link", name="Its signals").click()
    expect(page.get_by_role("heading", name="Signals")).to_be_visible()
    quote = page.locator(".reader mark").first
    expect(quote).to_be_visible()
    with database.session() as session:
        bodies = session.scalars(text("SELECT body FROM articles a JOIN analyses n ON n.article_id = a.id")).all()
    assert any(quote.inner_text().split("\n")[0] in body for body in bodies)

    page.get_by_placeholder("Note (optional)").fill("lead story")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text(re.compile("accepted by analyst.*lead story"))).to_be_visible()
    rows, manifest = downloaded(page)
    assert (manifest["table"], manifest["count"], manifest["filter"]["batch_id"]) == ("signals", len(rows), 1)
    choose(page, "Format", "Briefing")
    expect(page.get_by_text("1 accepted signal", exact=True)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "lead story" in archive.read(archive.namelist()[0]).decode()
    page.keyboard.press("Escape")
    with database.session() as session:
        stored = session.scalar(text("SELECT count(*) FROM signals"))
    assert len(rows) == stored
    accepted = [row for row in rows if row["decision"] == "accepted"]
    assert [row["review_note"] for row in accepted] == ["lead story"]

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text(re.compile("undone by analyst"))).to_be_visible()

    page.goto(f"{console.url}/budget")
    expect(page.get_by_role("heading", name="Ledger")).to_be_visible()
    costs, manifest = downloaded(page)
    assert manifest["table"] == "ledger"
    assert {row["model"] for row in costs} == {"offline"}
    assert {row["usd"] for row in costs} == {"0.00000000"}


def test_closing_the_tab_changes_nothing(start_console: Any, page: Page, database: Database) -> None:
    console = start_console(SIGNALDESK_CONCURRENCY="1")
    page.goto(f"{console.url}/articles")
    page.get_by_role("button", name=re.compile("Select all .* that match")).click()
    page.get_by_role("button", name=re.compile("Analyze")).dblclick()
    expect(page.get_by_text("Run #1", exact=True)).to_be_visible()
    page.close()
    deadline = 120
    while deadline:
        with database.session() as session:
            statuses = session.scalars(text("SELECT status FROM batch_sessions")).all()
        if statuses == ["COMPLETED"]:
            break
        deadline -= 1
        page.context.pages or page.context.new_page()
        page.context.pages[0].wait_for_timeout(500)
    assert statuses == ["COMPLETED"]
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM batch_records WHERE status <> 'COMPLETED'")) == 0
