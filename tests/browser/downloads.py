"""What the Export button of a page gives."""

import csv
import io
import json
import zipfile
from typing import Any

from playwright.sync_api import Page


def downloaded(page: Page) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The rows of the CSV that the page's Export gives, and its manifest."""
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    with zipfile.ZipFile(download.value.path()) as archive:
        name, _ = archive.namelist()
        rows = list(csv.DictReader(io.StringIO(archive.read(name).decode(), newline="")))
        return rows, json.loads(archive.read("manifest.json"))
