"""The Budget page in a real browser, in both themes: what a paid run spent, a limit changed and changed back, lines of the ledger."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from core.database import Database
from tests.browser.downloads import downloaded
from tests.loopback import LoopbackProviders

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WAIT = 60_000


@pytest.fixture(params=["light", "dark"])
def themed(browser: Browser, request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Page]:
    """A page in one theme; what it last showed is kept in the test's folder."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=request.param, accept_downloads=True)
    context.set_default_timeout(WAIT)
    page = context.new_page()
    yield page
    page.screenshot(path=tmp_path / "last-seen.png", full_page=True)
    context.close()


def limit_in(database: Database) -> str:
    with database.session() as session:
        return str(session.scalar(text("SELECT round(limit_usd, 2) FROM budgets WHERE scope = 'day'")))


def test_what_a_paid_run_spent_and_what_is_left_of_it(start_console: Any, themed: Page, database: Database) -> None:
    with LoopbackProviders(latency=0.01) as providers:
        console = start_console(**providers.env())
        themed.goto(f"{console.url}/articles?q=Kestrel")
        themed.get_by_role("button", name=re.compile("Select all .* that match")).click()
        themed.get_by_role("button", name=re.compile("Analyze")).click()
        themed.get_by_role("link", name="Watch the run").click()
        expect(themed.get_by_text(re.compile(r"of 14 articles · 100%"))).to_be_visible(timeout=WAIT)
    with database.session() as session:
        spent = session.scalar(text("SELECT sum(usd) FROM ledger_entries"))
        searches = session.scalar(text("SELECT count(*) FROM ledger_entries WHERE model = 'tavily-basic'"))
    assert spent > 0

    # how much is left, and will it last
    themed.goto(f"{console.url}/budget?within=7+days&per=agent")
    expect(themed.get_by_text("Left today")).to_be_visible(timeout=WAIT)
    expect(themed.get_by_text(f"${5 - spent:.2f}", exact=True)).to_be_visible()
    expect(themed.get_by_text(re.compile("Too little spent to tell a pace")).first).to_be_visible()
    expect(themed.get_by_text("14 completed")).to_be_visible()
    expect(themed.get_by_text(re.compile("Off by .* over the only run so far"))).to_be_visible()

    # the address has what is looked at
    themed.get_by_role("radio", name="publisher", exact=True).click()
    expect(themed).to_have_url(re.compile("per=publisher"))
    expect(themed).to_have_url(re.compile("within=7.days"))

    # a limit is changed after it is said what that does, and changed back
    themed.get_by_role("button", name="Change the limit").first.click()
    field = themed.get_by_role("dialog").get_by_label(re.compile("Limit of today"))
    field.fill("0.01")
    field.press("Enter")
    expect(themed.get_by_role("dialog").get_by_text("Paid calls pause until there is room")).to_be_visible()
    field.fill("8")
    field.press("Enter")
    expect(themed.get_by_role("dialog").get_by_text(re.compile(r"\$5.00 becomes \$8.00"))).to_be_visible()
    themed.get_by_role("button", name="Set to $8.00").click()
    expect(themed.get_by_role("dialog")).to_have_count(0)
    expect(themed.get_by_text(f"${8 - spent:.2f}", exact=True)).to_be_visible(timeout=WAIT)
    assert limit_in(database) == "8.00"
    themed.get_by_role("button", name="Back to $5.00").first.click()
    expect(themed.get_by_text(f"${5 - spent:.2f}", exact=True)).to_be_visible(timeout=WAIT)
    expect(themed.get_by_text(re.compile(r"limit set back from \$8.00 to \$5.00")).first).to_be_visible()
    assert limit_in(database) == "5.00"

    # lines of the ledger by an address, and all of them as a file
    themed.goto(f"{console.url}/budget?line-model=tavily-basic")
    expect(themed.get_by_text(f"{searches} lines", exact=True)).to_be_visible(timeout=WAIT)
    themed.get_by_role("button", name="All lines").click()
    with database.session() as session:
        lines = session.scalar(text("SELECT count(*) FROM ledger_entries"))
    expect(themed.get_by_text(f"{lines} lines", exact=True)).to_be_visible(timeout=WAIT)
    rows, manifest = downloaded(themed)
    assert (manifest["table"], len(rows)) == ("ledger", lines)


def test_nothing_was_spent(start_console: Any, page: Page) -> None:
    console = start_console()
    page.goto(f"{console.url}/budget")
    expect(page.get_by_text("No call was made in this time.")).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("link", name="Go to Articles")).to_be_visible()
    expect(page.get_by_text("No tokens and no search credits were used")).to_be_visible()
    expect(page.get_by_text("No call was made yet; the first analysis fills this.")).to_be_visible()
