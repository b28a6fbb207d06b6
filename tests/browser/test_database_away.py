"""The database goes away under an open console, and comes back; and an error that nobody foresaw. Both are said, and no more than that."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from core.database import make_engine
from core.embedded_postgres import EmbeddedPostgres
from tests.browser.screenshots import PAGES, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AWAY = "This page works again as soon as it answers."
NEVER = ("Traceback", "psycopg.", "sqlalchemy.", "SELECT", ".py")


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A Postgres of this test's own, to be stopped at will."""
    with tempfile.TemporaryDirectory(prefix="signaldesk-away-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, the server runs under another user
        running = EmbeddedPostgres(folder / "postgres", shared_dir=folder / "shared")
        yield running
        running.stop()


def assert_nothing_of_it_shows(page: Page) -> None:
    seen = page.get_by_test_id("stApp").inner_text()
    assert not [word for word in NEVER if word in seen], seen


def test_every_page_says_that_the_database_is_away_and_works_again(start_console: Any, server: EmbeddedPostgres, page: Page) -> None:
    url = server.start()
    console = start_console(DATABASE_URL=url)
    page.goto(f"{console.url}/articles")
    settled(page)

    server.stop()
    for name, path in PAGES.items():
        page.goto(f"{console.url}{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text(name.capitalize())
        expect(page.get_by_text(AWAY)).to_be_visible()
        expect(page.get_by_test_id("stAlert")).to_have_count(1)
        assert url.split("@")[0].rsplit(":", 1)[1] not in page.content()  # its password
        assert_nothing_of_it_shows(page)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text(AWAY)).to_be_visible()
    page.get_by_role("link", name="Runs").click()  # also from within a session
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    expect(page.get_by_text(AWAY)).to_be_visible()

    server.start()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text(AWAY)).to_have_count(0)
    expect(page.get_by_text("No runs yet.")).to_be_visible()
    for path in PAGES.values():
        page.goto(f"{console.url}{path}")
        expect(page.get_by_text("today: $0.00 of $5.00").first).to_be_visible()
        settled(page)
        expect(page.get_by_text(AWAY)).to_have_count(0)


def test_an_error_that_nobody_foresaw_is_a_reference_to_the_log(start_console: Any, server: EmbeddedPostgres, page: Page) -> None:
    url = server.start()
    console = start_console(DATABASE_URL=url)
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE publishers RENAME TO publishers_away"))
    page.goto(f"{console.url}/articles")
    said = page.get_by_text(re.compile(r"^Something went wrong that should not have\. It is in the log under \d{12}\.$"))
    expect(said).to_be_visible()
    assert_nothing_of_it_shows(page)
    reference = re.search(r"\d{12}", said.inner_text())
    assert reference
    expect(page.get_by_role("heading", level=1)).to_have_text("Articles")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE publishers_away RENAME TO publishers"))
    engine.dispose()
    page.reload()
    expect(page.get_by_text("Analysis-ready (")).to_be_visible()
    assert any(f"page failed ({reference[0]})" in line for line in console.log)
