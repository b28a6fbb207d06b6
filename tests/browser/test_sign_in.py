"""Signing in with a real browser at a real OpenID Connect provider (``tests/oidc``): who gets in, as what, and who does not."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import func, select

from core import people
from core.access import Role, local
from core.configuration import Desk
from core.models import BatchSession
from core.people import set_role
from tests.browser.conftest import Console
from tests.browser.screenshots import settled
from tests.browser.test_accessibility import BACKGROUNDS, DESK, IS_IN, PHONE, THEMES, serious, skipped_levels
from tests.oidc import Provider

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HOST = local("test")
ROLES = {"anna@desk.example": Role.ANALYST, "vera@desk.example": Role.VIEWER}
TOKEN = "sd_not-a-real-token-but-long-enough-for-one"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def provider(port: int) -> Iterator[Provider]:
    with Provider([f"http://localhost:{port}/oauth2callback"]) as provider:
        yield provider


@pytest.fixture
def sign_in_environment(provider: Provider, port: int) -> dict[str, str]:
    return {
        "SIGNALDESK_OIDC_CLIENT_ID": provider.client_id,
        "SIGNALDESK_OIDC_CLIENT_SECRET": provider.client_secret,
        "SIGNALDESK_OIDC_METADATA_URL": provider.metadata_url,
        "SIGNALDESK_PUBLIC_URL": f"http://localhost:{port}",
        "SIGNALDESK_COOKIE_SECRET": "not-a-real-cookie-secret-but-long",
        "SIGNALDESK_ADMINS": "ada@desk.example",
        "SIGNALDESK_API_TOKEN": TOKEN,
    }


@pytest.fixture
def console(start_console: Any, sign_in_environment: dict[str, str], desk: Desk, port: int) -> Console:
    """A desk on which people sign in; Ada is its admin, and Anna and Vera have the roles of ``ROLES``."""
    for email, role in ROLES.items():
        desk.transaction(lambda session, email=email, role=role: set_role(session, email, role, by=HOST, settings=desk.environment))
    started: Console = start_console("--port", str(port), **sign_in_environment)
    return started


@pytest.fixture
def newcomer(browser: Browser) -> Iterator[Callable[[], Page]]:
    """A browser of somebody else's, each time."""
    contexts: list[BrowserContext] = []

    def come() -> Page:
        contexts.append(browser.new_context(viewport={"width": 1440, "height": 900}))
        contexts[-1].set_default_timeout(30_000)
        return contexts[-1].new_page()

    yield come
    for context in contexts:
        context.close()


def begin(page: Page, url: str) -> None:
    """As far as the provider's page."""
    page.goto(url)
    page.get_by_role("button", name="Sign in").click()


def sign_in(page: Page, console: Console, name: str, path: str = "/") -> None:
    begin(page, f"{console.url}{path}")
    page.get_by_role("link", name=name).click()
    page.wait_for_url(f"{console.url}/**")
    settled(page)


def cookies_of(page: Page) -> set[str]:
    return {cookie["name"] for cookie in page.context.cookies() if cookie["name"].startswith("_streamlit_user")}


def in_words(email_and_more: str) -> re.Pattern[str]:
    """As Markdown shows it: an invisible joiner after the @ keeps an address from becoming a link."""
    return re.compile(re.escape(email_and_more).replace("@", "@\u2060?"))


def expect_nobody(page: Page, words: str) -> None:
    """The sign-in page with the reason, and no session."""
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("link", name="Articles")).to_have_count(0)
    assert cookies_of(page) == set()


def test_each_comes_in_with_their_role_and_those_without_one_do_not(console: Console, newcomer: Callable[[], Page]) -> None:
    for name, email, role in (
        ("Ada", "ada@desk.example", "admin"),
        ("Anna", "anna@desk.example", "analyst"),
        ("Vera", "vera@desk.example", "viewer"),
    ):
        page = newcomer()
        sign_in(page, console, name, "/articles?q=Kestrel")
        expect(page).to_have_url(re.compile("/articles.*q=Kestrel"))  # where they were going
        expect(page.get_by_text("14 articles")).to_be_visible()
        expect(page.get_by_test_id("stSidebar")).to_contain_text(f"{email} · {role}")
        assert all(cookie["httpOnly"] for cookie in page.context.cookies() if cookie["name"] in cookies_of(page))

    for name, email, words in (
        ("Nora", "nora@desk.example", "nora@desk.example has no role here. An admin gives one"),
        ("Ulla", "ulla@desk.example", "has not verified the e-mail address"),
    ):
        page = newcomer()
        sign_in(page, console, name, "/articles")
        expect(page.get_by_text(in_words(email)).first).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text(in_words(words))
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        expect(page.get_by_role("link", name="Articles")).to_have_count(0)
        assert "Kestrel" not in page.content()


def test_a_role_changed_or_taken_away_counts_at_once_in_an_open_page(console: Console, newcomer: Callable[[], Page], desk: Desk) -> None:
    page = newcomer()
    sign_in(page, console, "Anna", "/articles")
    page.get_by_role("button", name=re.compile("Select all")).click()
    launch = page.get_by_role("button", name=re.compile(r"^Analyze \d"))
    expect(launch).to_be_enabled()

    desk.transaction(lambda session: set_role(session, "anna@desk.example", Role.VIEWER, by=HOST, settings=desk.environment))
    launch.click()  # the button that was drawn for an analyst
    expect(page.get_by_text(in_words("anna@desk.example may not do this: it needs the permission 'run'"))).to_be_visible()
    assert desk.transaction(lambda session: session.scalar(select(func.count()).select_from(BatchSession))) == 0
    page.get_by_role("link", name="Budget").click()
    expect(page.get_by_test_id("stSidebar")).to_contain_text("anna@desk.example · viewer")

    desk.transaction(lambda session: people.remove(session, "anna@desk.example", by=HOST, settings=desk.environment))
    page.get_by_role("link", name="Signals").click()
    expect(page.get_by_role("alert")).to_contain_text(in_words("anna@desk.example has no role here"))
    expect(page.get_by_role("link", name="Articles")).to_have_count(0)


def test_a_piece_that_draws_itself_again_ends_with_the_role(console: Console, newcomer: Callable[[], Page], desk: Desk) -> None:
    page = newcomer()
    sign_in(page, console, "Vera", "/system")
    expect(page.get_by_text("Calls in flight")).to_be_visible()
    desk.transaction(lambda session: people.remove(session, "vera@desk.example", by=HOST, settings=desk.environment))
    expect(page.get_by_text(in_words("vera@desk.example has no role here"))).to_be_visible()
    expect(page.get_by_text("Calls in flight")).to_have_count(0)


def test_signing_out_ends_it_here_and_at_the_provider_and_past_a_restart(
    console: Console, provider: Provider, newcomer: Callable[[], Page], start_console: Any, sign_in_environment: dict[str, str], port: int
) -> None:
    page = newcomer()
    sign_in(page, console, "Vera")
    assert cookies_of(page)
    other = page.context.new_page()
    other.goto(f"{console.url}/articles")
    expect(other.get_by_text("Kestrel").or_(other.get_by_test_id("stDataFrame")).first).to_be_visible()
    kept = page.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert cookies_of(page) == set()
    assert provider.signed_out == 1
    page.goto(f"{console.url}/articles")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_have_count(0)

    other.get_by_role("link", name="Signals").click()  # a tab that was open all the time
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    thief = newcomer()
    thief.context.add_cookies(kept)  # type: ignore[arg-type]
    thief.goto(f"{console.url}/articles")
    expect(thief.get_by_role("button", name="Sign in")).to_be_visible()
    sign_in(page, console, "Vera")

    console.stop()
    again = start_console("--port", str(port), **sign_in_environment)  # it knows of the sign-out by the database alone
    thief.goto(f"{again.url}/articles")
    expect(thief.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(f"{again.url}/articles")
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()


def test_what_goes_wrong_is_said_and_nobody_is_signed_in(console: Console, provider: Provider, newcomer: Callable[[], Page]) -> None:
    page = newcomer()
    page.goto(f"{console.url}/oauth2callback?code=stolen&state=forged")
    expect_nobody(page, "not begun in this browser")

    begin(page, f"{console.url}/articles")
    page.get_by_role("link", name="Nobody here").click()
    expect_nobody(page, "did not let you in")

    provider.expect_secret = "another one"
    begin(page, console.url)
    page.get_by_role("link", name="Ada").click()
    expect_nobody(page, "did not confirm who you are")
    provider.expect_secret = provider.client_secret

    provider.stop()
    begin(page, console.url)
    expect_nobody(page, "does not answer")
    provider.start()

    sign_in(page, console, "Ada")
    expect(page.get_by_role("link", name="Articles")).to_be_visible()
    page.goto(f"{console.url}/oauth2callback?code=stolen&state=forged")
    settled(page)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("ada@desk.example · admin")  # nobody is signed out by a link
    said = "".join(console.log)
    assert provider.client_secret not in said
    assert "not-a-real-cookie-secret" not in said


def test_its_pages_can_be_read_by_everybody(console: Console, browser: Browser) -> None:
    found = {}
    for size in (DESK, PHONE):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        page = context.new_page()
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.goto(f"{console.url}/?sign-in=stale")
            settled(page)
            page.wait_for_function(IS_IN, arg=BACKGROUNDS[theme])
            found[f"sign in, {theme}, {size}"] = serious(page) + skipped_levels(page)
        sign_in(page, console, "Nora")
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.wait_for_function(IS_IN, arg=BACKGROUNDS[theme])
            page.wait_for_timeout(350)  # colours fade over
            found[f"no role, {theme}, {size}"] = serious(page) + skipped_levels(page)
        context.close()
    assert {name: what for name, what in found.items() if what} == {}


def test_a_code_or_a_session_of_somebody_else_is_of_no_use(console: Console, newcomer: Callable[[], Page]) -> None:
    """The attacker begins a sign-in of their own and has the victim finish it."""
    attacker, victim = newcomer(), newcomer()
    begin(attacker, console.url)
    attacker.route("**/oauth2callback*", lambda route: route.abort())
    with attacker.expect_request("**/oauth2callback*") as asked:
        attacker.get_by_role("link", name="Vera").click(no_wait_after=True)
    victim.goto(asked.value.url)
    expect_nobody(victim, "not begun in this browser")


def test_files_and_the_api_are_for_those_who_are_let_in(console: Console, newcomer: Callable[[], Page], tmp_path: Path) -> None:
    rows = [
        {"title": f"Report {n}", "body": "The desk counted ships. " * 100, "url": f"https://example.org/{n}", "publisher": "Desk"}
        for n in range(3)
    ]
    file = tmp_path / "reports.jsonl"
    file.write_text("".join(json.dumps(row | {"published_on": "2026-11-20T10:00:00Z"}) + "\n" for row in rows))
    page = newcomer()
    sign_in(page, console, "Anna", "/articles")
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog")
    with page.expect_request("**/_stcore/upload_file/**") as sent:
        dialog.locator("input[type=file]").set_input_files(file)
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("3 new, 0 updated, 0 unchanged, 0 rejected")).to_be_visible()

    with httpx.Client(trust_env=False) as stranger:
        assert stranger.put(sent.value.url, content=b"x").status_code == 401
        assert stranger.get(f"{console.url}/media/0.csv").status_code == 401
        assert stranger.get(f"{console.url}/api/articles").status_code == 401
        assert stranger.get(f"{console.url}/admin/status").status_code == 401
        assert stranger.get(f"{console.url}/metrics").status_code == 401
        assert stranger.get(f"{console.url}/health").status_code == 200
        allowed = stranger.get(f"{console.url}/api/articles", headers={"Authorization": f"Bearer {TOKEN}"})
        assert allowed.status_code == 200, allowed.text
