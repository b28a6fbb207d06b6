"""Who may do what, in a real browser: people and their roles, a token that is shown once and works, and the audit log that tells of it."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core import people, tokens
from core.access import Actor, Permission, Role
from core.clock import utc_now
from core.configuration import Desk
from core.settings import Settings
from tests.browser.conftest import Console

pytestmark = [pytest.mark.browser, pytest.mark.slow]
THEMES = ("light", "dark")


def open_access(console: Console, page: Page, section: str = "Access") -> None:
    page.goto(f"{console.url}/system?section={section}")
    expect(page.get_by_role("heading", name="People" if section == "Access" else "Audit log")).to_be_visible()


def role_of(desk: Desk, email: str) -> Actor | None:
    return desk.transaction(lambda session: people.actor_of(session, email, desk.environment))


def give(page: Page, email: str, role: str) -> None:
    page.get_by_role("button", name="Add somebody").click()
    page.get_by_role("textbox", name="E-mail address").fill(email)
    page.get_by_role("combobox", name="Role").click()
    page.get_by_role("option", name=re.compile(f"^{role}:")).click()
    page.get_by_role("button", name="Give the role").click()


def change(page: Page, email: str) -> None:
    page.locator(f"[class*='st-key-person-{email.replace('@', '-').replace('.', '-')}']").get_by_role("button", name="Change").click()


@pytest.mark.parametrize("theme", THEMES)
def test_people_get_another_role_and_lose_it_but_the_last_admin(start_console: Any, page: Page, desk: Desk, theme: Any) -> None:
    page.emulate_media(color_scheme=theme)
    console = start_console()
    open_access(console, page)
    expect(page.get_by_text("Nobody signs in at this desk")).to_be_visible()

    give(page, "nonsense", "viewer")
    expect(page.get_by_text("'nonsense' is no e-mail address")).to_be_visible()
    page.keyboard.press("Escape")
    page.reload()
    give(page, "Ann@Example.org", "admin")
    expect(page.get_by_text("ann@example.org", exact=True)).to_be_visible()
    page.reload()
    give(page, "bea@example.org", "viewer")
    expect(page.get_by_text("bea@example.org", exact=True)).to_be_visible()
    assert role_of(desk, "bea@example.org") == Actor("bea@example.org", Role.VIEWER.permissions)

    page.reload()
    change(page, "bea@example.org")
    page.get_by_role("combobox", name="Role").click()
    page.get_by_role("option", name=re.compile("^analyst:")).click()
    page.get_by_role("button", name="Make analyst").click()
    expect(page.get_by_text("is analyst now")).to_be_visible()
    assert role_of(desk, "bea@example.org") == Actor("bea@example.org", Role.ANALYST.permissions)

    page.reload()
    change(page, "ann@example.org")
    page.get_by_role("button", name="Take the role away").click()
    expect(page.get_by_text("is the last admin")).to_be_visible()

    page.reload()
    change(page, "bea@example.org")
    page.get_by_role("button", name="Take the role away").click()
    expect(page.get_by_text("has no role any more")).to_be_visible()
    assert role_of(desk, "bea@example.org") is None
    assert role_of(desk, "ann@example.org") is not None


def acting(desk: Desk, secret: str) -> Actor | None:
    return desk.transaction(lambda session: tokens.authenticate(session, secret, now=utc_now()))


@pytest.mark.parametrize("theme", THEMES)
def test_a_token_is_shown_once_works_and_is_revoked_and_the_log_tells_of_it(
    start_console: Any, page: Page, desk: Desk, theme: Any, make_settings: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    environment: Settings = make_settings()
    console = start_console(SIGNALDESK_API_TOKEN="from-the-environment-0123456789abcdef")
    open_access(console, page)
    expect(page.get_by_text("SIGNALDESK_API_TOKEN is set")).to_be_visible()
    page.get_by_role("button", name="Create a token").click()
    page.get_by_role("textbox", name="Name").fill("dashboard")
    page.get_by_role("textbox", name="Name").press("Enter")
    page.get_by_role("button", name="run", exact=True).click()
    page.get_by_role("button", name="Create", exact=True).click()
    shown = page.get_by_role("dialog").locator("code")
    expect(shown).to_have_text(re.compile(r"^sd_[\w-]{43}$"))
    secret = shown.inner_text()
    assert acting(desk, secret) == Actor("token dashboard", frozenset({Permission.READ, Permission.RUN}))

    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("dashboard", exact=True)).to_be_visible()
    expect(page.get_by_text("used just now")).to_be_visible()
    expect(page.get_by_text("in 90 d")).to_be_visible()
    page.get_by_role("button", name="Create a token").click()
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_visible()
    assert secret not in page.content()
    page.reload()
    expect(page.get_by_text("dashboard", exact=True)).to_be_visible()
    assert secret not in page.content()

    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke dashboard").click()
    expect(page.get_by_text("No token is in force.")).to_be_visible()
    expect(page.get_by_text("1 revoked or expired")).to_be_visible()
    assert acting(desk, secret) is None

    open_access(console, page, "Audit")
    rows = page.get_by_role("region", name="Audit log").locator("tbody tr")
    expect(rows.filter(has_text="token: revoke")).to_have_count(1)
    expect(rows.filter(has_text="token: create")).to_have_count(1)
    page.get_by_role("combobox", name="What").fill("token.create")  # the list is long, and drawn as it is scrolled
    page.get_by_role("option", name="token.create").click()
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile("log-action=token.create"))
    expect(rows).to_contain_text("name dashboard, scopes read, run")
    page.reload()
    expect(rows).to_have_count(1)
    assert secret not in page.content()
    assert environment.user in rows.inner_text()
    assert secret not in "".join(console.log)
