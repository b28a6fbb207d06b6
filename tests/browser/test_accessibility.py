"""axe-core on every page: with data in both themes; empty, and on a phone, in one."""

import tomllib
from itertools import pairwise
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from core.settings import CHECKOUT
from tests.browser.filled import fill
from tests.browser.screenshots import PAGES, settled

CONFIG = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESK, PHONE = (1440, 900), (390, 844)
THEMES = ("light", "dark")
BACKGROUNDS = {theme: CONFIG["theme"][theme]["backgroundColor"] for theme in THEMES}
IS_IN = """background => {
    const probe = document.createElement('i'); probe.style.color = background;
    return getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor === probe.style.color;
}"""
SYSTEM = {
    f"system {section}": f"/system?section={section}"
    for section in ("Settings", "Schedule", "Publishers", "Web sources", "Access", "Audit", "Database", "Log")
}
ALSO = {"article, none chosen": "/article", "article, not there": "/article?id=999999"} | SYSTEM
Findings = dict[str, list[str]]
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


def skipped_levels(page: Page) -> list[str]:
    """Headings that are more than one level below the one before them, and whatever else than one heading of level 1 there is."""
    levels = page.locator("h1, h2, h3, h4, h5, h6").evaluate_all("all => all.map(one => [Number(one.tagName[1]), one.innerText])")
    skipped = [words for (before, _), (level, words) in pairwise(levels) if level > before + 1]
    return skipped + ([] if [level for level, _ in levels].count(1) == 1 else [f"not one heading of level 1: {levels}"])


def check(browser: Browser, url: str, paths: dict[str, str], size: tuple[int, int], themes: tuple[str, ...] = ("light",)) -> Findings:
    findings = {}
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    for name, path in paths.items():
        for theme in themes:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            if theme == themes[0]:
                page.goto(f"{url}{path}")
                settled(page)
            page.wait_for_function(IS_IN, arg=BACKGROUNDS[theme])
            if theme != themes[0]:
                page.wait_for_timeout(350)  # colours fade over
            if found := serious(page) + skipped_levels(page):
                findings[f"{name}, {theme}, {size[0]}"] = found
    context.close()
    return findings


def test_with_data(start_console: Any, browser: Browser, database: Any, make_settings: Any) -> None:
    fill(make_settings())
    url = start_console().url
    assert check(browser, url, PAGES | ALSO, DESK, THEMES) | check(browser, url, PAGES, PHONE) == {}


def test_empty(start_console: Any, browser: Browser) -> None:
    assert check(browser, start_console("--no-samples").url, PAGES, DESK) == {}
