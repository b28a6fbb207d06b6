"""Signing in, short of a browser: what Streamlit is told, and what is made of what comes back."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from streamlit import config
from streamlit.web.server.starlette.starlette_app_utils import _DEFAULT_SIGNED_VALUE_MAX_AGE_DAYS, create_signed_value

from console import sign_in
from console.sign_in import OUTCOMES, doubts, end, has_ended, is_page, is_signed_in, outcome_of, page_of, streamlit_secrets, told_by
from core import schedule, sign_ins
from core.clock import utc_now
from core.configuration import Desk
from core.errors import DatabaseUnavailable, SettingsError
from core.schedule import Job
from core.settings import Settings

SECRET = "not-a-real-cookie-secret-but-long"
SETTINGS = Settings(
    _env_file=None,
    oidc_client_id="desk",
    oidc_client_secret=SecretStr("not-a-real-secret"),
    oidc_metadata_url="https://login.example/.well-known/openid-configuration",
    public_url="https://desk.example",
    cookie_secret=SecretStr(SECRET),
)


def test_streamlit_is_told_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options: dict[str, Any] = {}
    monkeypatch.setattr(config, "set_option", set_options.__setitem__)
    told = streamlit_secrets(SETTINGS)
    assert told is not None
    assert told["auth"] == {
        "client_id": "desk",
        "client_secret": "not-a-real-secret",
        "server_metadata_url": "https://login.example/.well-known/openid-configuration",
        "redirect_uri": "https://desk.example/oauth2callback",
        "cookie_secret": SECRET,
    }
    assert set_options == {"server.cookieSecret": SECRET}
    assert streamlit_secrets(Settings(_env_file=None)) is None


def test_without_its_packages_sign_in_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install .*\[auth\]"):
        streamlit_secrets(SETTINGS)


def test_the_start_says_what_is_doubtful() -> None:
    assert doubts(SETTINGS, admins=True) == []
    assert doubts(Settings(_env_file=None), admins=False) == []
    (nobody,) = doubts(SETTINGS, admins=False)
    assert "SIGNALDESK_ADMINS" in nobody
    (in_the_clear,) = doubts(SETTINGS.model_copy(update={"public_url": "http://desk.example"}), admins=True)
    assert "https" in in_the_clear
    assert doubts(SETTINGS.model_copy(update={"public_url": "http://localhost:8501"}), admins=True) == []


def cookies(**told: Any) -> dict[str, str]:
    return {"_streamlit_user": create_signed_value(SECRET, "_streamlit_user", json.dumps(told)).decode()}


def test_only_streamlits_own_word_says_that_somebody_is_signed_in(desk: Desk) -> None:
    def signed_in(given: dict[str, str]) -> bool:
        return is_signed_in(given, SETTINGS, lambda: desk)

    cookie = cookies(email="ada@desk.example")["_streamlit_user"]
    assert signed_in({"_streamlit_user": cookie})
    forged = create_signed_value("another-secret-that-is-long-enough", "_streamlit_user", '{"email": "ada@desk.example"}').decode()
    for value in (forged, cookie[:-2], "{}", "", "\N{SNOWMAN}"):
        assert not signed_in({"_streamlit_user": value})
    assert not signed_in({"_streamlit_user_tokens": cookie})
    assert not signed_in({})


def told_of(given: dict[str, str]) -> dict[str, Any]:
    told = told_by(given, SETTINGS)
    assert told is not None
    return told


def test_a_sign_in_that_was_ended_counts_no_more_in_any_console_and_others_go_on(desk: Desk, make_settings: Any) -> None:
    here, there, somebody = cookies(sub="1", nonce="a"), cookies(sub="1", nonce="b"), cookies(sub="2", nonce="c")
    end(told_of(here), lambda: desk)
    end(told_of(here), lambda: desk)
    assert not sign_in._untold, "nothing of it is this process's alone, so a restart or another console knows it, too"
    another = Desk(desk.database, make_settings())
    for one in (desk, another):
        assert [is_signed_in(given, SETTINGS, lambda one=one: one) for given in (here, there, somebody)] == [False, True, True]
    assert desk.transaction(lambda session: has_ended(session, told_of(here)))


def test_signing_out_while_the_database_is_away_counts_here_at_once_and_everywhere_once_it_is_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "TELL_AGAIN_SECONDS", 0.01)
    here, asked, is_back = told_of(cookies(sub="1", nonce="z")), threading.Event(), threading.Event()

    def desk_of() -> Desk:
        if not is_back.is_set():
            asked.set()
            raise DatabaseUnavailable("away")
        return desk

    end(here, desk_of)
    assert asked.is_set()
    assert desk.transaction(lambda session: has_ended(session, here))
    assert not desk.transaction(lambda session: sign_ins.has_ended(session, sign_ins.key_of(here)))
    (telling,) = [thread for thread in threading.enumerate() if thread.name == "ended sign-ins"]
    is_back.set()
    telling.join(30)
    assert not sign_in._untold
    assert desk.transaction(lambda session: sign_ins.has_ended(session, sign_ins.key_of(here)))


def test_ended_sign_ins_are_kept_for_as_long_as_their_cookies_are_believed(desk: Desk) -> None:
    now = utc_now()
    believed = timedelta(days=_DEFAULT_SIGNED_VALUE_MAX_AGE_DAYS)
    for key, age in (("old", sign_ins.KEPT + timedelta(hours=1)), ("young", believed), ("new", timedelta(0))):
        desk.transaction(lambda session, key=key, age=age: sign_ins.end(session, key, now=now - age))
    desk.transaction(lambda session: schedule.ensure_jobs(session, now - schedule.DAY))
    assert desk.transaction(lambda session: schedule.do_quick(session, Job.SIGN_INS, desk.environment, owner="w", now=now))
    kept = desk.transaction(lambda session: [key for key in ("old", "young", "new") if sign_ins.has_ended(session, key)])
    assert kept == ["young", "new"]
    (job,) = desk.transaction(lambda session: [row for row in schedule.jobs(session) if row.name is Job.SIGN_INS])
    assert job.result == "1 forgotten."


def test_a_sign_in_too_long_for_one_cookie_is_put_together_again() -> None:
    parts = {"_streamlit_user": "chunks-2", "_streamlit_user_1": '{"email": "ada@', "_streamlit_user_2": 'desk.example"}'}
    cookies = {name: create_signed_value(SECRET, name, value).decode() for name, value in parts.items()}
    assert told_by(cookies, SETTINGS) == {"email": "ada@desk.example"}
    del cookies["_streamlit_user_2"]
    assert told_by(cookies, SETTINGS) is None


@pytest.mark.parametrize(
    ("query", "signed_in", "cleared", "outcome"),
    [
        ({"code": ["c"], "state": ["s"]}, True, False, None),
        ({"code": ["c"], "state": ["s"]}, False, True, "unconfirmed"),
        ({"code": ["c"], "state": ["s"]}, False, False, "stale"),
        ({"state": ["s"]}, False, False, "stale"),
        ({"error": ["access_denied"], "state": ["s"]}, False, False, "refused"),
        ({}, False, False, None),
    ],
)
def test_what_became_of_an_attempt(query: dict[str, Any], signed_in: bool, cleared: bool, outcome: str | None) -> None:
    found = outcome_of(query, signed_in=signed_in, cleared=cleared)
    assert found == outcome
    assert found is None or found in OUTCOMES


@pytest.mark.parametrize(
    ("referer", "page"),
    [
        ("https://desk.example/articles?q=miner", "/articles?q=miner"),
        ("https://desk.example/article?id=7&sign-in=stale", "/article?id=7"),
        ("https://desk.example/?window=30", "/?window=30"),
        ("https://desk.example/?sign-in=stale", None),
        ("https://desk.example/", None),
        ("https://desk.example", None),
        ("https://evil.example/articles", None),
        ("https://desk.example//evil.example/x", None),
        ("https://desk.example/articles?" + "q" * 5_000, None),
        (None, None),
    ],
)
def test_a_sign_in_leads_back_to_the_page_it_was_begun_on(referer: str | None, page: str | None) -> None:
    assert page_of(referer, "desk.example") == page


@pytest.mark.parametrize("address", ["//evil.example", "/\\evil.example", "https://evil.example", "/auth/login", "/a\nb", "", "articles"])
def test_and_nowhere_else(address: str) -> None:
    assert not is_page(address)
