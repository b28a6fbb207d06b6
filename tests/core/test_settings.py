"""Settings: where a value comes from, which source wins, and what is refused in words that help."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.access import local
from core.configuration import (
    Configuration,
    Desk,
    put_back,
    reset_setting,
    save_setting,
    save_settings,
    saved_names,
    saved_values,
    setting_rows,
)
from core.errors import SettingsError
from core.settings import (
    DEFAULT_PAID_MODEL,
    OFFLINE_MODEL,
    Settings,
    checked_value,
    load_settings,
    on_screen_fields,
    read_from,
    variable,
)
from tests.actors import ANN

KEY = "AIza-not-a-real-key"


@pytest.fixture(autouse=True)
def _no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's ``.env`` does not reach these tests."""
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / "absent.env")


def set_environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_without_any_setting_the_desk_runs_offline_on_its_own_database() -> None:
    settings = load_settings()
    assert settings.database_url is None
    assert (settings.resolved_model, settings.resolved_research) == (OFFLINE_MODEL, "archive")
    assert settings.fixed_by_environment == frozenset()
    assert (settings.daily_budget, settings.minimum_body_chars) == (Decimal(5), 2_000)


@pytest.mark.parametrize("variable", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
def test_a_gemini_key_alone_turns_the_paid_model_on(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    set_environment(monkeypatch, **{variable: KEY})
    settings = load_settings()
    assert settings.resolved_model == DEFAULT_PAID_MODEL
    assert settings.resolved_research == "archive"
    assert KEY not in repr(settings)


def test_a_tavily_key_alone_turns_web_research_on(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, TAVILY_API_KEY="tvly-x")
    assert (load_settings().resolved_model, load_settings().resolved_research) == (OFFLINE_MODEL, "tavily")


def test_a_named_model_or_provider_is_taken_over_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, GEMINI_API_KEY=KEY, TAVILY_API_KEY="t", SIGNALDESK_MODEL="offline", SIGNALDESK_RESEARCH_PROVIDER="archive")
    assert (load_settings().resolved_model, load_settings().resolved_research) == ("offline", "archive")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, GEMINI_API_KEY="", SIGNALDESK_DAILY_BUDGET="")
    settings = load_settings()
    assert settings.gemini_api_key is None
    assert settings.fixed_by_environment == frozenset()


def test_environment_wins_over_a_saved_value_which_wins_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, SIGNALDESK_DAILY_BUDGET="2.50")
    settings = load_settings().with_saved({"daily_budget": "9", "monthly_budget": "40", "concurrency": 3})
    assert settings.daily_budget == Decimal("2.50")
    assert settings.monthly_budget == Decimal(40)
    assert settings.concurrency == 3
    assert settings.max_attempts == 4


def test_a_saved_value_does_not_count_as_fixed_by_the_environment() -> None:
    settings = load_settings().with_saved({"concurrency": 3})
    assert settings.fixed_by_environment == frozenset()
    assert settings.with_saved({"concurrency": 5}).concurrency == 5


@pytest.mark.parametrize(
    "saved", [{"concurrency": 9_999}, {"model": ""}, {"no_such": 1}, {"port": 1}, {"gemini_api_key": "x"}, {"daily_budget": "much"}]
)
def test_a_saved_value_that_does_not_fit_is_passed_over(saved: dict[str, Any]) -> None:
    settings = load_settings().with_saved(saved)
    default = load_settings()
    assert all(getattr(settings, name) == getattr(default, name) for name in (*on_screen_fields(), "port", "gemini_api_key"))


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SIGNALDESK_PORT", "web", "SIGNALDESK_PORT"),
        ("SIGNALDESK_CONCURRENCY", "0", "SIGNALDESK_CONCURRENCY"),
        ("SIGNALDESK_DAILY_BUDGET", "-1", "SIGNALDESK_DAILY_BUDGET"),
        ("SIGNALDESK_RESEARCH_PROVIDER", "oracle", "SIGNALDESK_RESEARCH_PROVIDER"),
        ("DATABASE_URL", "mysql://desk:hunter2@db/x", "DATABASE_URL: .*must begin with postgresql://"),
        ("TAVILY_BASE_URL", "ftp://example", "TAVILY_BASE_URL: .*must begin with http"),
        ("SIGNALDESK_MODEL_PRICES", '{"x:y": {"input": -1, "output": 1}}', "SIGNALDESK_MODEL_PRICES"),
        ("SIGNALDESK_MODEL_PRICES", '{"x:y": {"input": 1, "output": -1}}', "SIGNALDESK_MODEL_PRICES"),
        ("SIGNALDESK_API_TOKEN", "hunter2", "SIGNALDESK_API_TOKEN: .*at least 32 characters"),
        ("SIGNALDESK_COOKIE_SECRET", "hunter2", "SIGNALDESK_COOKIE_SECRET: .*at least 32 characters"),
        ("SIGNALDESK_PUBLIC_URL", "https://anna:hunter2@desk.example", "SIGNALDESK_PUBLIC_URL: .*scheme and host"),
        ("SIGNALDESK_OIDC_METADATA_URL", "ftp://login.example", "SIGNALDESK_OIDC_METADATA_URL: .*must begin with http"),
        ("SIGNALDESK_ADMINS", "anna@desk.example;anna", "SIGNALDESK_ADMINS: .*e-mail addresses"),
    ],
)
def test_a_malformed_variable_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    set_environment(monkeypatch, **{variable: value})
    with pytest.raises(SettingsError, match=words) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_what_contradicts_is_said_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, SIGNALDESK_EXECUTOR="celery")
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith("Settings are malformed. SIGNALDESK_EXECUTOR=celery needs CELERY_BROKER_URL")


def test_malformed_json_in_a_variable_is_a_settings_error(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, SIGNALDESK_MODEL_PRICES="{not json")
    with pytest.raises(SettingsError, match="model_prices|MODEL_PRICES"):
        load_settings()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_common_postgres_scheme_is_accepted(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    set_environment(monkeypatch, DATABASE_URL=f"{scheme}://u:p@h/d")
    url = load_settings().database_url
    assert url is not None
    assert url.get_secret_value() == f"{scheme}://u:p@h/d"
    assert "u:p" not in repr(load_settings())


def test_a_base_url_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:9/")
    assert load_settings().gemini_base_url == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("daily_budget", "2.5", Decimal("2.5")),
        ("concurrency", "12", 12),
        ("minimum_confidence", 0.55, 0.55),
        ("research_provider", "tavily", "tavily"),
        ("model", "google:gemini-2.5-pro", "google:gemini-2.5-pro"),
    ],
)
def test_a_value_typed_on_screen_becomes_what_the_field_holds(name: str, given: Any, kept: Any) -> None:
    value = checked_value(name, given)
    assert (value, type(value)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("daily_budget", "-0.01"),
        ("daily_budget", "NaN"),
        ("daily_budget", "Infinity"),
        ("daily_budget", "1000001"),
        ("daily_budget", "0.0000001"),
        ("minimum_confidence", float("nan")),
        ("minimum_confidence", 1.01),
        ("call_timeout_seconds", float("inf")),
        ("concurrency", 0),
        ("concurrency", 257),
        ("research_provider", "oracle"),
        ("model", ""),
    ],
)
def test_a_value_outside_its_limits_is_refused_with_the_fields_title(name: str, value: Any) -> None:
    title = Settings.model_fields[name].title or ""
    with pytest.raises(SettingsError) as refused:
        checked_value(name, value)
    assert str(refused.value).startswith(f"{title}: ")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("concurrency", "many", "Articles at a time: must be a whole number from 1 to 256."),
        ("minimum_confidence", "1.5", "Confidence to validate: must be a number from 0 to 1."),
        ("research_provider", "oracle", "Research: must be auto, tavily or archive."),
        ("daily_budget", "much", "Daily budget ($): must be an amount from 0 to 999,999 with at most 6 decimals."),
        ("failure_most", "-1", "Failures at most: must be a whole number of at least 0, or empty for none."),
        ("model", "", "Model: must be a text of 1 to 200 characters."),
    ],
)
def test_a_refusal_says_what_the_setting_takes(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        checked_value(name, value)
    assert str(refused.value) == words


def test_an_empty_field_is_none_where_a_setting_may_be_none(desk: Desk) -> None:
    assert checked_value("failure_most", "") is None
    with desk.database.session() as session:
        save_settings(session, desk.environment, {"failure_most": "3", "concurrency": "7"}, by=local("ada"))
        before = saved_values(session)
        save_settings(session, desk.environment, {"failure_most": ""}, by=local("ada"))
        assert desk.settings(session).failure_most is None
        put_back(session, desk.environment, {"failure_most": before["failure_most"], "concurrency": None}, by=local("ada"))
        assert saved_values(session) == {"failure_most": 3}


def test_of_several_changes_all_are_kept_or_none(desk: Desk) -> None:
    with pytest.raises(SettingsError), desk.database.session() as session:
        save_settings(session, desk.environment, {"concurrency": "7", "max_attempts": "many"}, by=local("ada"))
    with desk.database.session() as session:
        assert saved_names(session) == set()


def test_a_value_from_a_file_is_told_from_one_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("signaldesk_concurrency=5\nGEMINI_API_KEY=AIza-from-file\nSIGNALDESK_MAX_ATTEMPTS=2\n", encoding="utf-8")
    monkeypatch.setitem(Settings.model_config, "env_file", (tmp_path / "absent.env", file))
    set_environment(monkeypatch, SIGNALDESK_MAX_ATTEMPTS="3")
    rows = {row.name: row for row in setting_rows(load_settings(), set())}
    assert (rows["concurrency"].source, rows["concurrency"].shown) == ("file", "5")
    assert (rows["max_attempts"].source, rows["max_attempts"].shown) == ("environment", "3")
    assert read_from("gemini_api_key") == "file"
    assert variable("gemini_api_key") == "GOOGLE_API_KEY"


@pytest.mark.parametrize("name", ["port", "gemini_api_key", "database_url", "no_such_setting"])
def test_what_is_not_an_on_screen_setting_cannot_be_changed_on_screen(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        checked_value(name, "x")


def test_no_secret_can_be_changed_on_screen() -> None:
    assert not {name for name in on_screen_fields() if name.endswith(("key", "url"))}


def test_every_on_screen_setting_has_a_title_a_help_text_and_a_default_that_fits() -> None:
    for name in on_screen_fields():
        field = Settings.model_fields[name]
        assert field.title, name
        assert field.description, name
        assert checked_value(name, field.default) == field.default


def test_a_setting_saved_on_screen_is_read_back_as_it_was_meant(desk: Desk) -> None:
    with desk.database.session() as session:
        save_setting(session, desk.environment, "daily_budget", "2.75", by=local("ada"))
        save_setting(session, desk.environment, "daily_budget", Decimal("3.10"), by=local("ada"))
        save_setting(session, desk.environment, "minimum_confidence", 0.4, by=local("ada"))
    with desk.database.session() as session:
        settings = desk.settings(session)
        assert saved_names(session) == {"daily_budget", "minimum_confidence"}
    assert settings.daily_budget == Decimal("3.10")
    assert settings.minimum_confidence == 0.4
    with desk.database.session() as session:
        reset_setting(session, "daily_budget", by=ANN)
    with desk.database.session() as session:
        assert desk.settings(session).daily_budget == Decimal(5)


def test_a_setting_fixed_by_the_environment_cannot_be_saved(desk: Desk, make_settings: Any) -> None:
    fixed = make_settings(daily_budget="2")
    with desk.database.session() as session:
        with pytest.raises(SettingsError, match="set by the environment"):
            save_setting(session, fixed, "daily_budget", "9", by=local("ada"))
        assert saved_names(session) == set()


def test_a_refused_value_is_not_saved(desk: Desk) -> None:
    with desk.database.session() as session:
        with pytest.raises(SettingsError):
            save_setting(session, desk.environment, "concurrency", 0, by=local("ada"))
        assert saved_names(session) == set()


def test_the_system_page_tells_where_each_value_comes_from(make_settings: Any) -> None:
    settings = make_settings(daily_budget="2").with_saved({"concurrency": 3})
    rows = {row.name: row for row in setting_rows(settings, {"concurrency", "daily_budget"})}
    assert set(rows) == set(on_screen_fields())
    assert (rows["daily_budget"].source, rows["daily_budget"].value) == ("environment", Decimal(2))
    assert (rows["concurrency"].source, rows["concurrency"].value, rows["concurrency"].default) == ("screen", 3, 16)
    assert rows["model"].source == "default"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "google:gemini-2.5-pro"},
        {"research_provider": "tavily"},
        {"minimum_confidence": 0.31},
        {"searches_per_article": 4},
        {"max_output_tokens": 4_096},
    ],
)
def test_whatever_can_change_a_result_changes_the_configurations_hash(make_settings: Any, change: dict[str, Any]) -> None:
    assert Configuration.of(make_settings(**change)).hash != Configuration.of(make_settings()).hash


def test_what_cannot_change_a_result_leaves_the_configurations_hash(make_settings: Any) -> None:
    changed = make_settings(daily_budget="1", concurrency=2, gemini_api_key=None, minimum_body_chars=10, max_attempts=1)
    assert Configuration.of(changed).hash == Configuration.of(make_settings()).hash


def test_auto_and_the_model_it_stands_for_are_one_configuration(make_settings: Any) -> None:
    assert Configuration.of(make_settings(model="auto")).hash == Configuration.of(make_settings(model="offline")).hash
    with_key = make_settings(gemini_api_key=KEY)
    assert Configuration.of(with_key).hash == Configuration.of(make_settings(model=DEFAULT_PAID_MODEL)).hash


def test_a_configuration_is_read_back_from_its_json(make_settings: Any) -> None:
    configuration = Configuration.of(make_settings(model="google:gemini-2.5-pro", searches_per_article=2))
    assert Configuration.from_json(configuration.as_json()) == configuration
    assert len(configuration.hash) == 16


SIGN_IN = {
    "SIGNALDESK_OIDC_CLIENT_ID": "desk",
    "SIGNALDESK_OIDC_CLIENT_SECRET": "not-a-real-secret",
    "SIGNALDESK_OIDC_METADATA_URL": "https://login.example/.well-known/openid-configuration",
    "SIGNALDESK_PUBLIC_URL": "https://Desk.Example/",
    "SIGNALDESK_COOKIE_SECRET": "not-a-real-cookie-secret-but-long",
}


def test_people_sign_in_when_all_of_sign_in_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not load_settings().signs_in
    set_environment(monkeypatch, **SIGN_IN, SIGNALDESK_ADMINS="Anna@desk.example, ,bert@desk.example")
    settings = load_settings()
    assert settings.signs_in
    assert settings.public_url == "https://desk.example"
    assert settings.admins == {"anna@desk.example", "bert@desk.example"}
    assert not [secret for secret in ("not-a-real-secret", "not-a-real-cookie") if secret in repr(settings)]


@pytest.mark.parametrize("left_out", SIGN_IN)
@pytest.mark.parametrize("alone", [True, False])
def test_sign_in_set_in_part_is_refused_with_what_is_missing(monkeypatch: pytest.MonkeyPatch, left_out: str, alone: bool) -> None:
    there = {name: value for name, value in SIGN_IN.items() if (name == left_out) is alone}
    set_environment(monkeypatch, **there)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    missing = str(refused.value).split(" set, ")[1]
    assert [name for name in SIGN_IN if name in missing] == [name for name in SIGN_IN if name not in there]
    assert not [value for value in there.values() if value in str(refused.value)]


@contextmanager
def without_root() -> Iterator[None]:
    """To whom permissions mean something."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_that_may_not_be_entered_has_no_settings_and_a_file_that_cannot_be_read_is_named(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, unreadable, odd = (open_folder / name / ".env" for name in ("closed", "unreadable", "odd"))
    for file in (closed, unreadable, odd):
        file.parent.mkdir()
        file.write_bytes(b"SIGNALDESK_USER=\xff")
    unreadable.chmod(0)
    closed.parent.chmod(0)
    try:
        with without_root():
            monkeypatch.setitem(Settings.model_config, "env_file", (open_folder / "absent.env", closed))
            assert load_settings().user == "analyst"
            for file, words in ((unreadable, "Permission denied"), (odd, "it is no text in UTF-8")):
                monkeypatch.setitem(Settings.model_config, "env_file", (file,))
                with pytest.raises(SettingsError, match=f"The settings in {file} cannot be read: {words}"):
                    load_settings()
    finally:
        closed.parent.chmod(0o700)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SIGNALDESK_DATABASE_URL", "mysql://x", "SIGNALDESK_DATABASE_URL: must begin with postgresql://"),
        ("SIGNALDESK_CELERY_BROKER_URL", "amqp://x", "SIGNALDESK_CELERY_BROKER_URL: must begin with redis:// or rediss://"),
        ("CELERY_BROKER_URL", "redis://:hunter2@[::1", "CELERY_BROKER_URL: must be written redis://user:password@host:6379/0"),
        ("CELERY_BROKER_URL", "rediss://desk:hunter2@mill:x/0", "CELERY_BROKER_URL: must be written redis://"),
        ("CELERY_BROKER_URL", "redis://:hunter2@mill:6379/first", "CELERY_BROKER_URL: must be written redis://"),
        ("CELERY_BROKER_URL", "redis:///0", "CELERY_BROKER_URL: must be written redis://"),
        ("SIGNALDESK_ALERT_WEBHOOK_URL", "hunter2", "SIGNALDESK_ALERT_WEBHOOK_URL: must begin with http:// or https://"),
        ("SIGNALDESK_ALERT_WEBHOOK_URL", "https://", "SIGNALDESK_ALERT_WEBHOOK_URL: must name a host"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[", "OTEL_EXPORTER_OTLP_ENDPOINT: must name a host"),
        ("TAVILY_BASE_URL", "http://two words", "TAVILY_BASE_URL: must name a host"),
        ("SIGNALDESK_ADMINS", "a\nb", "SIGNALDESK_ADMINS: must be e-mail addresses, separated by commas; 'a b' is none"),
        ("SIGNALDESK_ALLOWED_HOSTS", "https://desk.example", "SIGNALDESK_ALLOWED_HOSTS: must be host names without scheme and path"),
    ],
)
def test_a_value_that_does_not_fit_is_one_line_that_names_its_variable_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_what_stands_around_a_value_is_none_of_it_and_blanks_are_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", f" {KEY}\r\n")
    monkeypatch.setenv("TAVILY_API_KEY", "  ")
    monkeypatch.setenv("SIGNALDESK_USER", "\t")
    monkeypatch.setenv("CELERY_BROKER_URL", "rediss://desk:p%40ss@mill.example:6380/1\n")
    settings = load_settings()
    assert settings.gemini_api_key is not None
    assert settings.gemini_api_key.get_secret_value() == KEY
    assert (settings.tavily_api_key, settings.user) == (None, "analyst")
    assert settings.celery_broker_url is not None
    assert settings.celery_broker_url.get_secret_value() == "rediss://desk:p%40ss@mill.example:6380/1"
