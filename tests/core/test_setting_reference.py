"""The reference of the settings is whole, and docs/settings.md is what the code makes today."""

from collections import Counter

from core import setting_reference
from core.settings import CHECKOUT, Settings


def test_the_page_is_what_the_code_makes() -> None:
    written = (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == setting_reference.as_markdown(), "signaldesk settings --markdown > docs/settings.md"


def test_every_setting_says_what_it_does_and_what_it_takes() -> None:
    entries = setting_reference.entries()
    assert [entry.name for entry in entries] == list(Settings.model_fields)
    assert [entry.name for entry in entries if not entry.meaning.strip(" .*") or not entry.takes or not entry.default] == []
    twice = Counter(variable for entry in entries for variable in entry.variables)
    assert [variable for variable, number in twice.items() if number > 1] == []


def test_secrets_and_limits_are_named_as_what_they_are() -> None:
    by_name = {entry.name: entry for entry in setting_reference.entries()}
    assert by_name["gemini_api_key"].secret
    assert by_name["gemini_api_key"].takes == "a secret"
    assert by_name["cookie_secret"].takes == "a secret of at least 32 characters"
    assert by_name["concurrency"].takes == "a whole number from 1 to 256"
    assert by_name["failure_most"].takes == "a whole number of at least 0, or empty for none"
    assert by_name["trace_content"].takes == "`true` or `false`"
    assert by_name["log_format"].takes == "`auto`, `json`, `text`"
    assert (by_name["daily_budget"].default, by_name["daily_budget"].on_screen) == ("`5`", True)
    assert str(Settings(_env_file=None).data_dir) not in setting_reference.as_markdown()
