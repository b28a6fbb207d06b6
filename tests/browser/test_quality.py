"""The Quality page in a real browser: with few decisions it says how few, and a filter changes what is counted."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core import reviews
from core.access import local
from core.configuration import Desk
from core.models import Decision
from tests.core.answered import a_signal, keep

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_shares_stand_beside_how_many_decisions_they_rest_on(start_console: Any, page: Page, desk: Desk, articles: Any) -> None:
    (article,) = articles(1)
    ids = keep(desk, article, *[a_signal(confidence=0.5 + place / 50) for place in range(4)])
    for signal_id, decision in zip(ids, (Decision.ACCEPTED, Decision.ACCEPTED, Decision.REJECTED), strict=False):
        desk.transaction(lambda session, one=signal_id, what=decision: reviews.decide(session, one, what, by=local("ada")))
    page.goto(f"{start_console().url}/quality")
    expect(page.get_by_role("heading", name="Quality")).to_be_visible()
    expect(page.get_by_text("3 decisions")).to_be_visible()
    decided = page.get_by_test_id("stMetric").filter(has_text="Decided")
    expect(decided).to_contain_text("3")
    acceptance = page.get_by_test_id("stMetric").filter(has_text="Acceptance")
    expect(acceptance).to_contain_text("2 of 3 so far")

    page.get_by_role("combobox", name="Reviewer").click()
    page.get_by_role("option", name="ada").click()
    expect(page).to_have_url(re.compile("reviewer=ada"))
    expect(acceptance).to_contain_text("2 of 3 so far")
    page.get_by_text("7 days", exact=True).click()
    expect(page).to_have_url(re.compile("days=7"))
