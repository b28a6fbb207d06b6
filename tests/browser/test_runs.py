"""A run from start to end in a real browser, on both themes: live, failing, fixed with one click, and compared with another one."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select, update

from core import batches, launching
from core.access import local
from core.article_filter import ArticleFilter
from core.configuration import Desk
from core.database import Database
from core.importers.import_articles import import_articles
from core.models import BatchRecord, BatchSession, BatchStatus, RecordStatus
from core.selection import Selection
from core.settings import Settings
from tests.actors import ANN
from tests.conftest import an_article
from tests.loopback import LoopbackProviders

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ARTICLES = 6
BLOCKED = "Harbourside"


@pytest.fixture
def providers() -> Iterator[LoopbackProviders]:
    """Providers that block what is said of one company, until the fault is taken away."""
    with LoopbackProviders(subprocess=True, latency=0.3, signals=(1, 2)) as running:
        running.faults({"provider": "gemini", "kind": "bad_request", "contains": BLOCKED})
        yield running


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1200}, color_scheme=request.param)
    context.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    page = context.new_page()
    yield page
    expect.set_options(timeout=5_000)
    if not page.is_closed():
        page.screenshot(path=tmp_path / "last-seen.png")
    context.close()


@pytest.fixture
def run(desk: Desk, providers: LoopbackProviders, make_settings: Any) -> int:
    """A batch of six articles, two of which will fail, that nobody runs yet."""
    parsed = [
        an_article(title=f"{BLOCKED} number {number} moves coins" if number < 2 else f"Miner {number} sells") for number in range(ARTICLES)
    ]
    import_articles(desk, "test", parsed, by=ANN)
    return launch(desk, settings_of(make_settings, providers))


def settings_of(make_settings: Any, providers: LoopbackProviders, **values: Any) -> Settings:
    keys = providers.env()
    return make_settings(  # type: ignore[no-any-return]
        **{
            "gemini_api_key": keys["GEMINI_API_KEY"],
            "gemini_base_url": providers.url,
            "tavily_api_key": keys["TAVILY_API_KEY"],
            "tavily_base_url": providers.url,
            "daily_budget": "90",
        }
        | values
    )


def launch(desk: Desk, settings: Settings) -> int:
    everything = Selection.of_filter(ArticleFilter(ready_only=False))
    return desk.transaction(lambda session: launching.launch(session, everything, settings, by=local("ada"), now=datetime.now(UTC)))


ROOMY = {"SIGNALDESK_DAILY_BUDGET": "90", "SIGNALDESK_MONTHLY_BUDGET": "100"}


def test_a_failing_run_is_fixed_with_one_click_and_compared_with_another(
    start_console: Any, page: Page, desk: Desk, providers: LoopbackProviders, run: int
) -> None:
    console = start_console(**providers.env(), **ROOMY)
    page.goto(f"{console.url}/runs")
    page.get_by_role("button", name=f"Run #{run}").or_(page.get_by_test_id("stDataFrame")).first.wait_for()
    page.goto(f"{console.url}/runs?batch={run}")
    expect(page.get_by_text(f"{ARTICLES} of {ARTICLES} articles · 100%")).to_be_visible(timeout=60_000)

    # The failures are one group; its number leads to exactly them.
    expect(page.get_by_text("Request rejected")).to_have_count(1)
    page.get_by_role("button", name="2 articles").click()
    expect(page).to_have_url(re.compile("cause=rejected"))
    expect(page.get_by_role("button", name="Only rejected")).to_be_visible()
    page.go_back()
    expect(page).not_to_have_url(re.compile("cause="))

    # One click queues the group again, and the run completes live.
    providers.clear_faults()
    page.get_by_role("button", name="Retry these 2").click()
    expect(page.get_by_text("2 queued again.")).to_be_visible()
    expect(page.get_by_text("Request rejected")).to_have_count(0, timeout=60_000)
    expect(page.get_by_text(f"{ARTICLES} of {ARTICLES} articles · 100%")).to_be_visible(timeout=60_000)
    with desk.database.session() as session:
        progress = batches.progress(session, run)
    assert (progress.status, progress.counts[RecordStatus.COMPLETED]) == (BatchStatus.COMPLETED, ARTICLES)

    # The same articles with another model, then the two side by side.
    expect(page.get_by_test_id("stMetric").filter(has_text="Took")).to_be_visible()  # the run has come to rest
    page.wait_for_timeout(1_500)
    page.get_by_role("button", name="Compare or run again").click()
    expect(page.get_by_text("No other run analysed an article of this one yet.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Model")).to_have_value("offline")
    page.get_by_role("button", name=f"Run {ARTICLES} again").click()
    expect(page).to_have_url(re.compile(rf"batch={run + 1}"))
    expect(page.get_by_text(f"{ARTICLES} of {ARTICLES} articles · 100%")).to_be_visible(timeout=60_000)
    page.goto(f"{console.url}/runs?batch={run}&against=choose")
    page.get_by_role("combobox", name="Against").click()
    page.get_by_role("option", name=re.compile(rf"#{run + 1} · {ARTICLES} articles in common")).click()
    expect(page).to_have_url(re.compile(rf"against={run + 1}"))
    expect(page.get_by_text(f"On {ARTICLES} articles")).to_be_visible()
    for name in ("Signals in both", "Same verdict", "Same sentiment", "Cost an article"):
        expect(page.get_by_test_id("stMetric").filter(has_text=name)).to_be_visible()
    expect(page.get_by_text(re.compile("What differs: model google"))).to_be_visible()
    page.get_by_role("radio", name=re.compile("^Lost")).or_(page.get_by_role("button", name=re.compile("^Lost"))).first.click()
    page.wait_for_timeout(500)  # the canvas is drawn anew
    page.get_by_test_id("stDataFrame").last.locator("canvas").first.click(position={"x": 300, "y": 50}, force=True)
    page.get_by_role("link", name=re.compile("Signal .* in its article")).click()
    expect(page.get_by_role("heading", name="Runs")).to_have_count(0)
    expect(page.locator(".reader mark").first).to_be_visible()


@pytest.fixture
def held_run(desk: Desk, run: int) -> int:
    """The batch as it is while a worker holds some of it: with leases that no process of this test lets go."""
    soon = datetime.now(UTC) + timedelta(minutes=10)
    with desk.database.session() as session:
        first = select(BatchRecord.id).where(BatchRecord.batch_id == run).order_by(BatchRecord.position).limit(2)
        session.execute(
            update(BatchRecord)
            .where(BatchRecord.id.in_(first))
            .values(
                status=RecordStatus.PROCESSING, lease_owner="elsewhere:7", lease_expires_at=soon, started_at=datetime.now(UTC), attempts=1
            )
        )
        session.execute(update(BatchSession).where(BatchSession.id == run).values(status=BatchStatus.PAUSED, started_at=datetime.now(UTC)))
    return run


KEPT = "[data-testid=stMetricValue], [data-testid=stDataFrame], [data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas, [data-testid=stProgress]"


def test_a_live_run_changes_in_place_and_stops_asking_once_it_rests(start_console: Any, page: Page, desk: Desk, held_run: int) -> None:
    console = start_console()
    page.goto(f"{console.url}/runs?batch={held_run}")
    expect(page.get_by_text("elsewhere:7")).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg")).to_have_count(2)
    expect(page.get_by_text(f"0 of {ARTICLES} articles · 0%")).to_be_visible()
    for kind, number in (("stMetricValue", 6), ("stDataFrame", 2)):
        expect(page.get_by_test_id(kind)).to_have_count(number)
    page.evaluate("where => document.querySelectorAll(where).forEach(element => { element.dataset.kept = 'yes' })", KEPT)
    marked = page.locator("[data-kept]").count()
    assert marked >= 6 + 2 + 2 + 1  # figures, tables, charts and the progress

    def end(number: int) -> None:
        with desk.database.session() as session:
            one = select(BatchRecord.id).where(BatchRecord.status == RecordStatus.PROCESSING).limit(number)
            ended = {"status": RecordStatus.COMPLETED, "finished_at": datetime.now(UTC), "lease_owner": None, "lease_expires_at": None}
            session.execute(update(BatchRecord).where(BatchRecord.id.in_(one.scalar_subquery())).values(**ended))

    end(1)
    expect(page.get_by_text(f"1 of {ARTICLES} articles · 17%")).to_be_visible()
    assert page.locator("[data-kept]").count() == marked

    end(1)
    expect(page.get_by_text(f"2 of {ARTICLES} articles · 33%")).to_be_visible()
    expect(page.get_by_text("elsewhere:7")).to_have_count(0)
    page.wait_for_timeout(1_500)  # a timer that was still running would have come round
    with desk.database.session() as session:
        session.execute(update(BatchRecord).where(BatchRecord.status == RecordStatus.PENDING).values(status=RecordStatus.SKIPPED))
    page.wait_for_timeout(2_500)
    expect(page.get_by_text(f"2 of {ARTICLES} articles · 33%")).to_be_visible()


def test_no_run_and_no_such_run_say_what_to_do_next(start_console: Any, page: Page, database: Database) -> None:
    console = start_console()
    page.goto(f"{console.url}/runs")
    expect(page.get_by_text("No runs yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Go to Articles")).to_be_visible()
    page.goto(f"{console.url}/runs?batch=77")
    expect(page.get_by_text("There is no batch 77.")).to_be_visible()
    page.get_by_role("button", name="All runs").click()
    expect(page).not_to_have_url(re.compile("batch="))
