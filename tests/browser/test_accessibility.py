"""axe-core on every page: with data and empty, light and dark, on a desk and in a hand."""

import tomllib
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from core.settings import CHECKOUT
from tests.browser.filled import fill
from tests.browser.screenshots import PAGES, settled

CONFIG = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = ((1440, 900), (390, 844))
THEMES = ("light", "dark")
BACKGROUNDS = {theme: CONFIG["theme"][theme]["backgroundColor"] for theme in THEMES}
IS_IN = """background => {
    const probe = document.createElement('i'); probe.style.color = background;
    return getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor === probe.style.color;
}"""
SYSTEM = {f"system {section}": f"/system?section={section}" for section in ("Settings", "Publishers", "Web sources", "Database", "Log")}
ALSO = {"article, none chosen": "/article", "article, not there": "/article?id=999999"} | SYSTEM
STREAMLITS_OWN: dict[str, tuple[str, ...]] = {}
"""Findings in Streamlit's own markup that no page can change: rule -> what the finding's HTML begins with, each with its reason."""


def serious(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical, but for ``STREAMLITS_OWN``."""
    found = []
    for violation in Axe().run(page).response["violations"]:
        if violation["impact"] in ("serious", "critical"):
            excused = STREAMLITS_OWN.get(violation["id"], ())
            nodes = [node for node in violation["nodes"] if not any(part in node["html"] for part in excused)]
            found += [f"{violation['id']}: {node['html'][:200]} ({node['failureSummary'][-160:]})" for node in nodes]
    return found


def check(browser: Browser, url: str) -> dict[str, list[str]]:
    findings = {}
    for width, height in SIZES:
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        for name, path in (PAGES | ALSO).items():
            page.emulate_media(color_scheme="light")
            page.goto(f"{url}{path}")
            settled(page)
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                page.wait_for_function(IS_IN, arg=BACKGROUNDS[theme])
                page.wait_for_timeout(350)  # colours fade over
                if found := serious(page):
                    findings[f"{name}, {theme}, {width}"] = found
        context.close()
    return findings


def test_with_data(start_console: Any, browser: Browser, database: Any, make_settings: Any) -> None:
    fill(make_settings())
    assert check(browser, start_console().url) == {}


def test_empty(start_console: Any, browser: Browser) -> None:
    assert check(browser, start_console("--no-samples").url) == {}
