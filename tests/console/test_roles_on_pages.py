"""What somebody's role lets them see and press: a viewer looks at everything, and what they may not do is off and says why."""

import ast
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from console import guard, person, resources
from console.person import Person
from core import batch_actions, feeds, launching, people, schedule
from core.access import Role
from core.configuration import Desk
from core.models import BatchSession, BatchStatus, Signal
from core.selection import Selection
from core.settings import CHECKOUT
from tests.actors import ANN
from tests.conftest import NOW
from tests.core.answered import a_signal, keep

SIGN_IN = {
    "oidc_client_id": "desk",
    "oidc_client_secret": "a secret that only the provider knows",
    "oidc_metadata_url": "http://127.0.0.1:1/.well-known/openid-configuration",
    "public_url": "http://localhost",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
}
PAGES = ("overview", "articles", "article", "runs", "review", "signals", "quality", "budget", "system")
SYSTEM = ast.literal_eval(
    next(
        node.value
        for node in ast.parse((CHECKOUT / "pages" / "system.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SECTIONS"
    )
)
"""The System page's sections, as it has them."""
VERA = "vera@example.org"
Open = Callable[..., AppTest]


@pytest.fixture
def desk(database: Any, make_settings: Any, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk where Vera is signed in."""
    desk = Desk(database, make_settings(**SIGN_IN))
    monkeypatch.setattr(resources, "_desk", desk)
    monkeypatch.setattr(guard, "stands", lambda: True)
    monkeypatch.setattr(person, "signed_in", lambda: Person(VERA, "Vera", {"sub": "vera"}, None))
    whole_page = st.rerun

    def rerun(*, scope: str = "app") -> None:  # this harness runs the whole page, also for a button of a fragment
        whole_page()

    monkeypatch.setattr(st, "rerun", rerun)
    return desk


@pytest.fixture
def filled(desk: Desk, articles: Any) -> Desk:
    """With something to press on every page: signals, a paused run with a limit, an archived article."""
    ids = articles(5)
    for article_id in ids[:2]:
        keep(desk, article_id, a_signal())
    batch = desk.transaction(
        lambda session: launching.launch(session, Selection.of_ids(ids[2:4]), desk.environment, by=ANN, now=NOW, budget=1)
    )
    desk.transaction(lambda session: batch_actions.pause(session, batch, by=ANN))
    desk.transaction(lambda session: schedule.ensure_jobs(session, NOW))
    desk.transaction(lambda session: feeds.add_feed(session, "https://news.example/feed.xml", by=ANN))
    return desk


def give(desk: Desk, role: Role) -> None:
    desk.transaction(lambda session: people.set_role(session, VERA, role, by=ANN, settings=desk.environment))


def opened(page: str, **query: str) -> AppTest:
    session = AppTest.from_file(str(CHECKOUT / "console" / "app.py"), default_timeout=120)
    for name, value in query.items():
        session.query_params[name] = value
    if page != "overview":
        session.switch_page(f"../pages/{page}.py")
    session.run()
    assert not session.exception, session.exception[0].value
    return session


VIEWS = (
    [(page, {}) for page in PAGES if page != "system"]
    + [("system", {"section": section}) for section in SYSTEM]
    + [("runs", {"batch": "newest"})]
)


def view(desk: Desk, page: str, query: dict[str, str]) -> AppTest:
    """A page as it opens; ``newest`` stands for the run, and the article is one with a signal."""
    with desk.database.session() as session:
        ids = {"batch": session.scalar(select(func.max(BatchSession.id)).where(BatchSession.status == BatchStatus.PAUSED))}
        if page == "article":
            query = query | {"id": str(session.scalar(select(Signal.article_id).limit(1)))}
    return opened(page, **{name: str(ids[name]) if value == "newest" else value for name, value in query.items()})


def buttons(session: AppTest) -> dict[str, bool]:
    """Whether each button is on, by what it is called and where."""
    return {f"{one.label}|{one.key}": not one.disabled for one in session.button}


@pytest.mark.slow
@pytest.mark.parametrize(("page", "query"), VIEWS)
def test_a_viewer_sees_every_page_and_no_button_that_is_on_is_refused(filled: Desk, page: str, query: dict[str, str]) -> None:
    give(filled, Role.VIEWER)
    session = view(filled, page, query)
    assert not [one.value for one in session.warning]
    on = [place for place, button in enumerate(session.button) if not button.disabled and "Sign out" not in button.label]
    for place in on:
        pressed = view(filled, page, query)
        label = pressed.button[place].label
        pressed.button[place].click().run()
        assert not pressed.exception, f"{label}: {pressed.exception[0].value}"
        assert not [one.value for one in (*pressed.warning, *pressed.error) if "may not" in one.value], label


ACTS = {
    "articles": ({}, "Import"),
    "article": ({}, "Archive"),
    "runs": ({"batch": "newest"}, "Resume"),
    "review": ({}, "Accept"),
    "signals": ({}, "Decide on all…"),
    "budget": ({}, "Change the limit"),
    "system": ({"section": "Access"}, "Create a token"),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(ACTS))
def test_what_one_role_may_not_do_another_may(filled: Desk, page: str) -> None:
    query, label = ACTS[page]
    seen = {}
    for role in Role:
        give(filled, role)
        session = view(filled, page, query)
        found = [one for one in session.button if one.label == label]
        assert found, buttons(session)
        seen[role] = found[0].disabled
        if found[0].disabled:
            assert "With your role you cannot" in found[0].help
    admins_only = page in ("budget", "system")
    assert seen == {Role.VIEWER: True, Role.ANALYST: admins_only, Role.ADMIN: False}


@pytest.mark.slow
def test_settings_are_to_be_read_but_not_changed(filled: Desk) -> None:
    give(filled, Role.ANALYST)
    session = opened("system", section="Settings")
    assert session.text_input
    assert all(one.disabled for one in session.text_input)
    give(filled, Role.ADMIN)
    assert not all(one.disabled for one in opened("system", section="Settings").text_input)


@pytest.mark.slow
def test_a_role_that_was_taken_ends_at_the_next_click(filled: Desk) -> None:
    give(filled, Role.ADMIN)
    other = "cleo@example.org"
    filled.transaction(lambda session: people.set_role(session, other, Role.ADMIN, by=ANN, settings=filled.environment))
    session = opened("budget")
    (button, *_) = [one for one in session.button if one.label == "Change the limit"]
    filled.transaction(lambda session: people.remove(session, VERA, by=ANN, settings=filled.environment))
    button.click().run()
    assert [one.value for one in session.title] == [":material/radar: Signal Desk"]
    assert "has no role here" in session.warning[0].value
