"""Screenshots of every page, taken again by anyone:

    python -m tests.browser.screenshots docs/screenshots

A console of its own, on data of its own (``filled``), is opened at 1440 by 900 in both themes and at 390 by 844. The files are
``PAGE-light.webp``, ``PAGE-dark.webp`` and ``PAGE-phone.webp``; ``--look wide`` is 1920 by 1080. Takes two to three minutes on two cores.
"""

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from core.settings import Settings
from tests.browser.conftest import CHROMIUM_OPTIONS, Console
from tests.browser.filled import fill

PAGES = {
    "overview": "/",
    "articles": "/articles",
    "article": "/article?id={article}",
    "runs": "/runs?batch=2",
    "review": "/review",
    "signals": "/signals",
    "quality": "/quality",
    "budget": "/budget",
    "system": "/system",
}
SECTIONS = {"schedule": "/system?section=Schedule", "access": "/system?section=Access"}
LOOKS = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "wide": {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True, "is_mobile": True},
}
IN_THE_README = ("light", "dark", "phone")
LOADED = """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-testid=stSkeleton]') && document.querySelector('h1, [data-testid=stAlert]')"""
QUALITY = 82


def main(
    folder: Annotated[Path, typer.Argument(help="Where the pictures go.")],
    only: Annotated[list[str] | None, typer.Option(help="Only these pages.")] = None,
    look: Annotated[list[str] | None, typer.Option(help="Only these looks: light, dark, phone, wide.")] = None,
) -> None:
    """Take them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # as root, the embedded database runs under another user
        typer.echo("Filling a desk …", err=True)
        article = fill(Settings(_env_file=None, data_dir=Path(name)))
        console = Console(_environment(name))
        try:
            every = PAGES | SECTIONS
            pages = {page: every[page].format(article=article) for page in only or every}
            for path in _pictures(console.url, folder, pages, look or list(IN_THE_README)):
                typer.echo(f"{path}  {path.stat().st_size / 1024:.0f} KB")
        finally:
            console.stop()


def _environment(data_dir: str) -> dict[str, str]:
    """This process's, without what would make pictures differ from one machine to the next."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALDESK_") and not name.endswith("_API_KEY")}
    own.pop("DATABASE_URL", None)
    return own | {"SIGNALDESK_DATA_DIR": data_dir}


def _pictures(url: str, folder: Path, pages: dict[str, str], looks: list[str]) -> Iterator[Path]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is not installed (apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        for look in looks:
            page = _opened(browser, look)
            for name, address in pages.items():
                page.goto(f"{url}{address}")
                settled(page)
                picture = Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide")))
                path = folder / f"{name}-{look}.webp"
                picture.convert("RGB").save(path, quality=QUALITY, method=6)
                yield path
            page.context.close()
        browser.close()


def _opened(browser: Browser, look: str) -> Page:
    context = browser.new_context(**LOOKS[look])  # type: ignore[arg-type]
    context.set_default_timeout(30_000)
    return context.new_page()


def settled(page: Page) -> None:
    """Wait until a page has run and what it draws by itself, tables and charts, stands."""
    page.wait_for_function(LOADED)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(600)  # canvases and charts are drawn after that, and say nowhere when they are done


if __name__ == "__main__":
    typer.run(main)
