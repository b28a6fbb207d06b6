"""Attacks in every text that the Signals page shows: a browser makes no link, no image and no request of them."""

import re
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, Request, expect

from core.agents.outputs import Stance, Verdict
from core.configuration import Desk
from core.database import Database
from core.models import Authority, Source, Validation
from tests.core.answered import a_signal, keep
from tests.injection.attacks import ATTACKS, HOSTILE_HOST

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOURCE = "https://paper.example/a"
SHOWN = [attack.text for attack in ATTACKS if attack.family in ("markup", "exfiltration", "cell")]


def test_the_signals_page_shows_hostile_words_as_words(
    start_console: Any, page: Page, database: Database, desk: Desk, articles: Any
) -> None:
    hostile = "\n\n".join(SHOWN)
    line = " ".join(hostile.split())
    (article_id,) = articles(1, title=line[:900], publisher=line[:150].strip(), body=f"{hostile}\n\n{'The miner moved its coins. ' * 100}")
    wording = {"description": line[:1_900], "implications": line[:1_900], "category": line[:60].strip(), "research_query": line[:390]}
    (signal_id,) = keep(desk, article_id, a_signal(hostile[:900], **wording))
    with database.session() as session:
        validation = Validation(
            signal_id=signal_id,
            verdict=Verdict.INCONCLUSIVE,
            confidence_adjustment=0,
            reason=line[:1_900],
            model="offline",
            research_provider="tavily",
            prompt_version="1",
            searches={"made": [{"provider": "tavily", "query": line[:390], "results": 1}]},
        )
        session.add(validation)
        session.flush()
        session.add(
            Source(
                validation_id=validation.id,
                url=SOURCE,
                title=line[:500],
                publisher="paper.example",
                stance=Stance.NEUTRAL,
                authority=Authority.LOW,
                quote=line[:900],
            )
        )
    console = start_console()
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    page.goto(f"{console.url}/signals")
    expect(page.get_by_text("Validation", exact=True)).to_be_visible()
    expect(page.locator(".reader mark").first).to_be_visible()
    expect(page.get_by_text(re.compile("Why it may matter: .*report.*evil", re.DOTALL))).to_be_visible()
    expect(page.get_by_role("link", name="Open the page")).to_have_attribute("href", SOURCE)
    main = page.get_by_test_id("stMain")
    assert main.locator("img, iframe, script, object, form").count() == 0
    addresses = main.locator("a").evaluate_all("links => links.map((link) => link.getAttribute('href') || '')")
    outside = [address for address in addresses if not urljoin(f"{console.url}/", address).startswith(f"{console.url}/")]
    assert outside == [SOURCE]  # by its button
    assert not [address for address in asked if not address.startswith((console.url, console.url.replace("http", "ws"), "data:", "blob:"))]
    assert not [address for address in asked if HOSTILE_HOST in address]
