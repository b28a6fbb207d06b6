"""The reference of every setting, made from ``core.settings`` itself: variable, meaning, what it takes, default. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from core.setting_checks import SECRET_CHARS
from core.settings import SIGN_IN, Settings, choices, expected, on_screen_fields, variables

SECTIONS = {
    "database_url": "Where things are",
    "oidc_client_id": "Who gets in",
    "log_format": "What it says while it runs",
    "executor": "Who runs the batches",
    "gemini_api_key": "Providers",
    "model": "What an analysis is made with",
    "minimum_body_chars": "What a run may do",
    "blind_share": "Review",
    "cost_ceiling_per_article": "Money",
}
"""Headings, each by the first setting below it; a setting that is none of these stands under the heading before it."""

ADDRESSES_WITH_SECRETS = {
    "database_url": "postgresql://",
    "direct_database_url": "postgresql://",
    "celery_broker_url": "redis://` or `rediss://",
    "alert_webhook_url": "http://` or `https://",
}
PLATFORM_FOLDER = "the platform's folder for data, such as `~/.local/share/signaldesk`"
INTRODUCTION = f"""\
# Settings

Made by `signaldesk settings --markdown` from `core/settings.py`; a test keeps it so. `signaldesk settings` prints what is in force.

A setting is taken from the environment, else from a `.env` file (beside `pyproject.toml`, or in the working directory), else from what
was saved on the System page, else it has its default. What the environment sets cannot be changed on screen. *Screen* marks what can
be changed there; a change holds for what is launched after it. An empty variable counts as not set. A value that does not fit stops
the command with one line that names the variable (exit code 2).

Secrets are never shown or logged; `signaldesk settings` says only whether they are set. Sign-in is on when all of these are set:
{", ".join(f"`{variables(field)[0]}`" for field in SIGN_IN)}.
"""
AFTER = """\
## Variables of others

| variable | read by |
|---|---|
| `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, … | the OpenTelemetry SDK ([list][otel]), for traces |
| `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, … | pydantic-ai, for a model of that provider |
| `HTTPS_PROXY`, `NO_PROXY` | the clients of the providers |
| `NO_COLOR` | the command line |

[otel]: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting, for a reader."""

    name: str
    variables: tuple[str, ...]
    """Any of them sets it; the first that is set counts."""
    meaning: str
    takes: str
    default: str
    on_screen: bool
    secret: bool


def entries() -> list[Entry]:
    """Every setting, in the order of the class."""
    editable = on_screen_fields()
    return [
        Entry(name, variables(name), _meaning(name), takes(name), _default(name), name in editable, _is_secret(name))
        for name in Settings.model_fields
    ]


def as_markdown() -> str:
    """``docs/settings.md``."""
    parts = [INTRODUCTION]
    for entry in entries():
        if entry.name in SECTIONS:
            parts.append(f"\n## {SECTIONS[entry.name]}\n\n| variable | what it does | takes | default | screen |\n|---|---|---|---|---|\n")
        names = " or ".join(f"`{name}`" for name in entry.variables)
        cells = (names, entry.meaning, entry.takes, entry.default, "yes" if entry.on_screen else "")
        parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n")
    return "".join([*parts, "\n", AFTER])


def takes(name: str) -> str:  # noqa: PLR0911 - one row of the table a return
    """What a setting takes, in words, whether it can be changed on screen or not."""
    annotation = Settings.model_fields[name].annotation
    kinds = [kind for kind in (get_args(annotation) or (annotation,)) if kind is not NoneType]
    if choices(name):
        return ", ".join(f"`{one}`" for one in choices(name))
    if name in ("cookie_secret", "api_token"):
        return f"a secret of at least {SECRET_CHARS} characters"
    if name in ADDRESSES_WITH_SECRETS:
        return f"an address that begins with `{ADDRESSES_WITH_SECRETS[name]}`; may hold a password"
    if _is_secret(name):
        return "a secret"
    if bool in kinds:
        return "`true` or `false`"
    if Path in kinds:
        return "a folder"
    if get_origin(annotation) is dict:
        return 'JSON such as `{"openai:gpt-x": {"input": 0.30, "output": 2.50}}`'
    if get_origin(annotation) is frozenset:
        return "names separated by commas"
    if name.endswith("_url") or name == "otel_endpoint":
        return "an address that begins with `http://` or `https://`"
    if {int, float, Decimal} & set(kinds) or name in on_screen_fields():
        return expected(name)
    return "a text"


def _meaning(name: str) -> str:
    field = Settings.model_fields[name]
    return f"*{field.title}.* {field.description}" if field.title else field.description or ""


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if name == "data_dir":
        return PLATFORM_FOLDER
    value: Any = field.get_default(call_default_factory=True) if field.default is PydanticUndefined else field.default
    if value is None or value in ({}, frozenset()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.normalize():f}`" if isinstance(value, Decimal) else f"`{value}`"


def _is_secret(name: str) -> bool:
    annotation = Settings.model_fields[name].annotation
    return SecretStr in (get_args(annotation) or (annotation,))
