"""Importing on screen: upload a file, see how it goes, get what was rejected."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_file_is_uploaded_and_what_was_rejected_can_be_had(start_console: Any, page: Page, tmp_path: Path) -> None:
    rows = [
        {
            "title": f"Harbour desk report {number}",
            "body": f"The harbour desk counted {number} ships with mining machines. " * 40,
            "url": f"https://example.org/harbour/{number}",
            "publisher": "Harbour Desk",
            "published_on": "2026-11-20T10:00:00Z",
        }
        for number in range(30)
    ]
    file = tmp_path / "harbour.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"title": "=cmd()", "body": ""}]))
    console = start_console()
    page.goto(f"{console.url}/articles")
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Import", exact=True)).to_be_disabled()
    dialog.locator("input[type=file]").set_input_files(file)
    dialog.get_by_role("button", name="Import", exact=True).click()

    expect(page.get_by_text("30 new, 0 updated, 0 unchanged, 1 rejected")).to_be_visible(timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Rejected rows").click()
    assert "'=cmd()" in Path(download.value.path()).read_text(encoding="utf-8-sig")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("30 new")).to_have_count(0)

    page.get_by_placeholder("words in title or text").fill("harbour")
    page.get_by_placeholder("words in title or text").press("Enter")
    expect(page.get_by_text("30 articles")).to_be_visible()
