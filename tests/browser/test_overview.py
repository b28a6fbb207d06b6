"""The Overview in a real browser, light and dark: from its numbers to what they count, a theme in the address, a price by upload."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from core import reviews
from core.access import local
from core.clock import utc_now
from core.configuration import Desk
from core.database import Database
from core.models import Decision
from core.prices import price_span
from tests.browser.screenshots import settled
from tests.core.answered import a_signal, keep, validated

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TEXT = "The exchange said that withdrawals resume on Thursday after a review of its wallets and its books by two firms. "
STORY = " ".join(f"{TEXT} It counted {number} wallets in that part of its review." for number in range(30))


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """A fresh browser session in each of the two themes."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=request.param)
    context.set_default_timeout(20_000)
    page = context.new_page()
    expect.set_options(timeout=20_000)
    yield page
    expect.set_options(timeout=5_000)
    page.screenshot(path=tmp_path / "last-seen.png")
    context.close()


@pytest.fixture
def signal_ids(desk: Desk, articles: Any) -> list[int]:
    """Three signals of mining in the last days, the first of them validated and accepted; one of macro; a story of two publishers."""
    now = utc_now()
    (today,) = articles(1, published_at=now - timedelta(hours=1), title="Harbour Mining sells")
    (earlier,) = articles(1, published_at=now - timedelta(days=3), title="Pools wait")
    ids = keep(desk, today, a_signal(description="Harbour Mining moved coins.", confidence=0.9), a_signal(kind="narrative_gap"))
    ids += keep(desk, earlier, a_signal(description="Pools hold back."), a_signal(category="macro", description="Rates bite."))
    validated(desk, ids[0])
    desk.transaction(lambda session: reviews.decide(session, ids[0], Decision.ACCEPTED, by=local("ada")))
    for hours, publisher in ((30, "Alpha"), (27, "Beta")):
        articles(1, title=f"{publisher}: withdrawals resume", body=STORY, publisher=publisher, published_at=now - timedelta(hours=hours))
    return ids


def open_overview(page: Page, url: str, address: str = "") -> None:
    page.goto(f"{url}/{address}")
    expect(page.get_by_role("heading", name="Narrative of a theme")).to_be_visible()


def test_every_number_leads_to_what_it_counts(start_console: Any, page: Page, signal_ids: list[int]) -> None:
    console = start_console()
    open_overview(page, console.url, "?window=7")
    background = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert background in ("rgb(251, 251, 250)", "rgb(19, 20, 22)")
    ways = (
        ("Ready to analyse", "2", r"/articles", "2 articles"),
        ("Running now", "0", r"/runs", "Runs"),
        ("To review", "3", r"/review", "To review"),
        ("Accepted", "1", r"/signals\?review=accepted", "1 signal"),
        ("Spent today", "$0.00", r"/budget", "Left today"),
    )
    for name, number, address, there in ways:
        card = page.locator("[class*=st-key-card-]").filter(has_text=name)
        expect(card.get_by_test_id("stMetricValue")).to_have_text(number)
        card.get_by_test_id("stMetricValue").click(force=True)  # the link lies over the whole card
        expect(page).to_have_url(re.compile(address))
        title = address.strip("/").partition("\\")[0].capitalize()  # the sidebar has the name of each page, too
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        expect(page.get_by_text(there, exact=True).first).to_be_visible()
        settled(page)
        page.go_back()
        expect(page.get_by_role("radio", name="7", exact=True)).to_be_checked()
        expect(page).to_have_url(f"{console.url}/?window=7")
    open_overview(page, console.url, "?window=7")
    page.get_by_role("link", name="4 signals").click()
    expect(page).to_have_url(re.compile(r"/signals\?published=\d{4}-\d\d-\d\d\.\.\d{4}-\d\d-\d\d"))
    expect(page.get_by_text("4 signals")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Only ")).click()
    expect(page).not_to_have_url(re.compile("published"))


def test_a_theme_lives_in_the_address(start_console: Any, page: Page, signal_ids: list[int]) -> None:
    console = start_console()
    open_overview(page, console.url, "?theme=mining&window=7")
    expect(page.get_by_text(re.compile("^3 signals and 2 articles by 1 publisher"))).to_be_visible()
    chart = page.get_by_test_id("stPlotlyChart").nth(1)
    expect(chart).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("mining, .*3 signals and 2 articles"))).to_be_attached()

    theme = page.get_by_role("combobox", name="Theme")
    theme.fill("withdrawals resume")
    theme.press("Enter")
    expect(page).to_have_url(re.compile("theme=withdrawals(%20|\\+)resume"))
    said = page.get_by_text(re.compile("^0 signals and 2 articles by 2 publishers"))
    expect(said).to_be_visible()
    page.reload()
    expect(said).to_be_visible()
    expect(page.get_by_role("radio", name="7", exact=True)).to_be_checked()
    page.get_by_role("link", name="2 articles", exact=True).click()
    expect(page).to_have_url(re.compile("/articles.*q=withdrawals"))
    expect(page.get_by_text("2 articles", exact=True).first).to_be_visible()

    open_overview(page, console.url, "?theme=macro&window=7")
    notable = page.locator(".st-key-lines-notable").get_by_role("link")
    expect(notable).to_have_count(1)
    notable.click()
    expect(page).to_have_url(re.compile(rf"/article\?id=\d+&signal={signal_ids[3]}"))
    expect(page.get_by_role("heading", name="Pools wait")).to_be_visible()


def test_strongest_signals_and_shared_stories_lead_to_their_articles(start_console: Any, page: Page, signal_ids: list[int]) -> None:
    console = start_console()
    open_overview(page, console.url)
    strongest = page.locator(".st-key-lines-strongest").get_by_role("link")
    expect(strongest).to_have_count(4)
    expect(strongest.first).to_contain_text("Harbour Mining moved coins.")
    expect(strongest.first).to_contain_text("validated")
    expect(page.get_by_text(re.compile("2 publishers, 2 articles · first Alpha.*within 3 h · not analysed"))).to_be_visible()
    page.get_by_role("link", name="Alpha: withdrawals resume").click()
    expect(page.get_by_text("One story in 2 articles")).to_be_visible()


def test_a_price_is_imported_by_upload_and_drawn(start_console: Any, page: Page, desk: Desk, signal_ids: list[int], tmp_path: Path) -> None:
    console = start_console()
    today = utc_now().date()
    file = tmp_path / "btc.csv"
    file.write_text(f"Date,Close\n{today - timedelta(days=2)},90000\n{today - timedelta(days=1)},91800\nx,1\n", encoding="utf-8")
    wrong = tmp_path / "news.csv"
    wrong.write_text("title,body\nA,B\n", encoding="utf-8")
    open_overview(page, console.url, "?theme=mining")
    page.get_by_role("button", name="Import prices").click()
    expect(page.get_by_text("No price was imported yet.")).to_be_visible()
    page.locator("input[type=file]").set_input_files(wrong)
    settled(page)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text(re.compile("news.csv is no price file"))).to_be_visible()
    assert desk.transaction(price_span) is None
    page.locator("input[type=file]").set_input_files(file)
    settled(page)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text(re.compile("2 new, 0 updated, 0 unchanged, 1 rejected"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"Bitcoin from \$90,000 to \$91,800 \(\+2\.0%\)"))).to_be_visible()
    span = desk.transaction(price_span)
    assert span is not None
    assert span.days == 2


def test_an_empty_desk_says_what_to_do_next(start_console: Any, page: Page, database: Database) -> None:
    console = start_console()
    with database.session() as session:
        session.execute(text("DELETE FROM articles"))
    page.goto(console.url)
    expect(page.get_by_text("There are no articles yet.")).to_be_visible()
    page.get_by_role("button", name="Load the sample articles").click()
    expect(page.get_by_text("No signals yet.")).to_be_visible()
    expect(page.get_by_text("of 60 articles")).to_be_visible()
    page.get_by_role("link", name="Go to Articles").click()
    expect(page.get_by_role("heading", name="Articles")).to_be_visible()


def test_hostile_words_are_shown_as_words(start_console: Any, page: Page, database: Database, desk: Desk, articles: Any) -> None:
    attack = "<img src=x onerror=alert(1)> [click](https://evil.example) ![x](https://evil.example/p.png) :material/home:"
    (article,) = articles(1, title=attack, published_at=utc_now(), publisher="Alpha <b>x</b>")
    keep(desk, article, a_signal(description=attack, category="<b>flows</b>"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    console = start_console()
    open_overview(page, console.url)
    expect(page.locator(".st-key-lines-strongest")).to_contain_text("<img src=x onerror=alert(1)> [click]")
    expect(page.get_by_text(re.compile("Articles by publisher: Alpha <b>x</b> 1"))).to_be_visible()
    expect(page.get_by_role("figure", name="<b>flows</b>, ")).to_be_attached()
    main = page.get_by_test_id("stMain")
    assert main.locator("img:not([role]), iframe, object").count() == 0
    assert not [address for address in asked if "evil.example" in address]
