"""Settings: what the desk is told from outside, and what an analyst may change on screen.

Three sources, strongest first: the environment (and a ``.env`` file beside ``pyproject.toml``), the values saved on
screen (table ``settings``), the defaults here. A field marked ``on_screen`` may be saved; one that the environment sets
is shown as fixed. ``Settings`` is a value: read it once per action with ``core.desk_settings.current`` and pass it on.
"""

import os
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from dotenv import dotenv_values
from platformdirs import user_data_path
from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from core import setting_checks as checks
from core.errors import SettingsError
from core.setting_files import readable

CHECKOUT = Path(__file__).resolve().parent.parent

OFFLINE_MODEL = "offline"
DEFAULT_PAID_MODEL = "google:gemini-2.5-flash"

USD = Annotated[Decimal, Field(ge=0, le=999_999, decimal_places=6)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
Names = Annotated[frozenset[str], NoDecode]
"""Comma-separated in the environment; kept in lower case."""
ADDRESSES = ("gemini_base_url", "tavily_base_url", "coindesk_base_url", "oidc_metadata_url", "otel_endpoint")
SIGN_IN = ("oidc_client_id", "oidc_client_secret", "oidc_metadata_url", "public_url", "cookie_secret")
"""The fields that turn sign-in on, all of them or none."""


def on_screen(default: Any, label: str, help_text: str, **limits: Any) -> Any:
    """A field that an analyst may change on the System page."""
    return Field(default, title=label, description=help_text, json_schema_extra={"on_screen": True}, **limits)


class ModelPrice(BaseModel, frozen=True):
    """USD per million tokens, for a model whose price the bundled table does not know."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)


class Settings(BaseSettings):
    """Every setting of the desk. Environment names are ``SIGNALDESK_<FIELD>`` unless the field names its own."""

    model_config = SettingsConfigDict(
        env_prefix="SIGNALDESK_",
        env_file=(CHECKOUT / ".env", ".env"),
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # Where things are
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "SIGNALDESK_DATABASE_URL"),
        description="postgresql://user:password@host:5432/name, instead of the embedded Postgres; SSL options in it work, and poolers.",
    )
    direct_database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DIRECT_DATABASE_URL", "SIGNALDESK_DIRECT_DATABASE_URL"),
        description="The same database without the pooler that DATABASE_URL goes through; for backups.",
    )
    data_dir: Path = Field(default_factory=lambda: user_data_path("signaldesk"), description="Embedded database, reports, exports.")
    host: str = Field("127.0.0.1", description="Address to listen on. Beyond this machine only with sign-in and an API token.")
    port: int = Field(8501, ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")
    user: str = Field("analyst", min_length=1, max_length=100, description="The name that reviews and launches carry without sign-in.")
    api_requests_per_minute: int = Field(300, ge=1, le=1_000_000, description="Requests that one API token, or one address, may make.")

    # Who gets in
    oidc_client_id: Words | None = Field(None, description="The desk's name at the OpenID Connect provider.")
    oidc_client_secret: SecretStr | None = Field(None, description="The desk's secret at the OpenID Connect provider.", min_length=1)
    oidc_metadata_url: Words | None = Field(None, description="The provider's address ending in /.well-known/openid-configuration.")
    public_url: Words | None = Field(None, description="Where people open the desk, such as https://desk.example.")
    cookie_secret: SecretStr | None = Field(None, description="Signs the cookie of who is signed in.")
    admins: Names = Field(frozenset(), description="E-mail addresses that always have the role admin, separated by commas.")
    api_token: SecretStr | None = Field(None, description="An API token with every scope.")
    allowed_hosts: Names = Field(frozenset(), description="More host names that requests may name, beside that of public_url.")
    max_body_bytes: int = Field(1_048_576, ge=1_024, le=104_857_600, description="Largest body of a request, uploads of files aside.")

    # What it says while it runs
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto is JSON where standard error is no terminal, else text.")
    log_level: Literal["auto", "debug", "info", "warning", "error"] = Field(
        "auto", description="auto is info for a service (start, worker, beat) that logs JSON, else warning."
    )

    otel_endpoint: str | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Traces of batches are sent to this OpenTelemetry collector (OTLP over HTTP), such as http://localhost:4318.",
    )
    trace_content: bool = Field(False, description="Traces hold articles, prompts and answers too.")

    # Who runs the batches
    executor: Literal["pool", "celery"] = Field("pool", description="pool: the console itself; celery: workers, by way of Redis.")
    celery_broker_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("CELERY_BROKER_URL", "SIGNALDESK_CELERY_BROKER_URL"),
        description="The Redis by which tasks go to workers, such as redis://localhost:6379/0.",
    )
    batch_chunk: int = Field(10, ge=1, le=256, description="Articles in one task of Celery.")

    # Providers
    gemini_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        description="Analyses with Gemini instead of the offline rules, where the model is auto.",
    )
    gemini_base_url: str | None = Field(
        None, validation_alias="GOOGLE_GEMINI_BASE_URL", description="Another address for Gemini; none is the provider's own."
    )
    tavily_api_key: SecretStr | None = Field(
        None, validation_alias="TAVILY_API_KEY", description="Searches the web as well as the archive, where research is auto."
    )
    tavily_base_url: str = Field("https://api.tavily.com", validation_alias="TAVILY_BASE_URL", description="Tavily's address.")
    coindesk_api_key: SecretStr | None = Field(
        None, validation_alias="COINDESK_API_KEY", description="Fetches news from the CoinDesk Data API."
    )
    coindesk_base_url: str = Field("https://data-api.coindesk.com", validation_alias="COINDESK_BASE_URL", description="CoinDesk's address.")
    allow_private_feeds: bool = Field(False, description="Let feeds be fetched from loopback and private networks.")

    # What an analysis is made with: together these are its configuration
    model: str = on_screen(
        "auto", "Model", "auto, offline, or any pydantic-ai model such as google:gemini-2.5-flash.", min_length=1, max_length=200
    )
    research_provider: Literal["auto", "tavily", "archive"] = on_screen(
        "auto", "Research", "auto, tavily (web) or archive (this desk's articles)."
    )
    minimum_confidence: float = on_screen(0.3, "Confidence to validate", "Signals below it are not researched.", ge=0, le=1)
    searches_per_article: int = on_screen(5, "Searches per article", "Web searches at most for one article.", ge=0, le=20)
    max_output_tokens: int = on_screen(8_192, "Output tokens", "Most tokens one answer may have, thinking included.", ge=512, le=65_536)

    # What a run may do
    minimum_body_chars: int = on_screen(2_000, "Analysis-ready length", "Shortest body, in characters, worth analysing.", ge=1, le=100_000)
    concurrency: int = on_screen(16, "Articles at a time", "Articles of one batch in flight at once in one process.", ge=1, le=256)
    concurrency_over_all: int | None = on_screen(
        None, "Articles at a time, over all", "Articles of one batch held at once by all consoles and workers together.", ge=1, le=4_096
    )
    max_attempts: int = on_screen(4, "Attempts per call", "Tries of one call before its article fails.", ge=1, le=10)
    call_timeout_seconds: float = on_screen(120.0, "Call timeout (s)", "A call without an answer for so long is cancelled.", ge=1, le=1_200)
    failure_share: float = on_screen(
        0.2, "Failure tolerance", "A batch pauses when more than this share of its articles failed.", ge=0, le=1
    )
    failure_minimum: int = on_screen(10, "Failures counted from", "Articles finished before the tolerance applies.", ge=1, le=10_000)

    failure_most: int | None = on_screen(None, "Failures at most", "A batch also pauses when more articles than this failed.", ge=0)

    # Review
    blind_share: float = on_screen(
        0.1, "Blind reviews", "Share of signals whose verdict stays hidden until the analyst has decided, 0 to 1.", ge=0, le=1
    )
    claim_minutes: int = on_screen(15, "Claim (min)", "How long a signal lies before one analyst alone.", ge=1, le=1_440)

    # Money
    cost_ceiling_per_article: USD = on_screen(Decimal("0.25"), "Ceiling per article ($)", "An article whose calls would cost more fails.")
    daily_budget: USD = on_screen(Decimal("5"), "Daily budget ($)", "Spend of one day (UTC) at most.")
    monthly_budget: USD = on_screen(Decimal("100"), "Monthly budget ($)", "Spend of one month (UTC) at most.")
    alert_webhook_url: SecretStr | None = Field(None, description="Budget alerts are posted here as JSON.")
    tavily_usd_per_credit: USD = on_screen(Decimal("0.008"), "Tavily credit ($)", "Price of one search credit; pay-as-you-go is $0.008.")
    model_prices: dict[str, ModelPrice] = Field(
        default_factory=dict, description="USD per million tokens for models without a known price."
    )

    _database = field_validator("database_url", "direct_database_url")(checks.postgres_address)
    _broker = field_validator("celery_broker_url")(checks.redis_address)
    _listed = field_validator("admins", "allowed_hosts", mode="before")(checks.names)
    _addresses = field_validator("admins")(checks.email_addresses)
    _hosts = field_validator("allowed_hosts")(checks.host_names)
    _webhook = field_validator("alert_webhook_url")(checks.secret_http_address)
    _secrets = field_validator("cookie_secret", "api_token")(checks.not_to_be_guessed)
    _origin = field_validator("public_url")(checks.origin)
    _http = field_validator(*ADDRESSES)(checks.http_address)

    @model_validator(mode="before")
    @classmethod
    def _trimmed(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A space or a line's end around a value, as files of secrets have it, is none of it; nothing else is no value."""
        trimmed = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        return {name: value for name, value in trimmed.items() if value != "" or given[name] == ""}

    @model_validator(mode="after")
    def _celery_has_a_broker(self) -> Self:
        if self.executor == "celery" and self.celery_broker_url is None:
            raise ValueError("SIGNALDESK_EXECUTOR=celery needs CELERY_BROKER_URL, such as redis://localhost:6379/0")
        return self

    @cached_property
    def fixed_by_environment(self) -> frozenset[str]:
        """Names of the fields that the environment or ``.env`` sets; a saved value cannot change these."""
        return frozenset(self.model_fields_set)

    @property
    def signs_in(self) -> bool:
        """Whether people sign in; without it, who can reach the desk may do everything."""
        return not self.lacking_for_sign_in

    @property
    def lacking_for_sign_in(self) -> tuple[str, ...]:
        """Variables still to be set before people can sign in."""
        return tuple(variable(name) for name in SIGN_IN if getattr(self, name) is None)

    @property
    def resolved_model(self) -> str:
        """The model string after ``auto``: Gemini with a key, the offline rules without."""
        if self.model == "auto":
            return DEFAULT_PAID_MODEL if self.gemini_api_key else OFFLINE_MODEL
        return self.model

    @property
    def resolved_research(self) -> Literal["tavily", "archive"]:
        """The research provider after ``auto``: Tavily with a key, the archive without."""
        if self.research_provider == "auto":
            return "tavily" if self.tavily_api_key else "archive"
        return self.research_provider

    @property
    def key_problem(self) -> str | None:
        """What stands in the way of calling the model or the search provider, if a key is missing."""
        if self.resolved_model.startswith("google") and self.gemini_api_key is None:
            return f"The model '{self.resolved_model}' needs a key. Set GEMINI_API_KEY and start again, or choose the model 'offline'."
        if self.resolved_research == "tavily" and self.tavily_api_key is None:
            return "Research on the web needs a key. Set TAVILY_API_KEY and start again, or set Research to 'archive'."
        return None

    def with_saved(self, saved: dict[str, Any]) -> Self:
        """These settings with the values saved on screen laid over the defaults; the environment keeps precedence.

        A saved value that no longer fits its field's limits is passed over, so that one old row cannot stop the desk.
        """
        usable = {name: value for name, value in saved.items() if name in on_screen_fields() and name not in self.fixed_by_environment}
        fitting = {name: checked for name, value in usable.items() if (checked := _fits(name, value)) is not _UNFIT}
        copy = self.model_copy(update=fitting)
        copy.__dict__["fixed_by_environment"] = self.fixed_by_environment
        return copy


_UNFIT = object()


def on_screen_fields() -> tuple[str, ...]:
    """Names of the settings an analyst may change, in the order of the class."""
    return tuple(
        name
        for name, field in Settings.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("on_screen")
    )


def checked_value(name: str, value: Any) -> Any:
    """``value`` as the field ``name`` holds it.

    Raises:
        SettingsError: the name is unknown or not editable, or the value does not fit.
    """
    if name not in on_screen_fields():
        raise SettingsError(f"'{name}' is not a setting that can be changed on screen.")
    if value == "" and _may_be_none(name):
        return None
    try:
        return _adapter(name).validate_python(value)
    except ValidationError:
        raise SettingsError(f"{Settings.model_fields[name].title}: must be {expected(name)}.") from None


def choices(name: str) -> tuple[str, ...]:
    """The values of a setting that has a fixed list of them; empty for any other."""
    annotation = Settings.model_fields[name].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def expected(name: str) -> str:
    """What a setting takes, in words: ``a whole number from 1 to 256``."""
    field = Settings.model_fields[name]
    if listed := choices(name):
        return f"{', '.join(listed[:-1])} or {listed[-1]}"
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not NoneType]
    # The limits stand beside the field, or in the type that it names.
    limits = {key: value for limit in field.metadata for key, value in _limits(limit).items()}
    low, high = limits.get("ge"), limits.get("le")
    if str in kinds:
        return f"a text of {limits.get('min_length', 0)} to {limits.get('max_length', 'any number of')} characters"
    what = "a whole number" if int in kinds else "an amount" if Decimal in kinds else "a number"
    reach = f" from {low:,} to {high:,}" if high is not None else f" of at least {low:,}" if low is not None else ""
    places = f" with at most {limits['decimal_places']} decimals" if "decimal_places" in limits else ""
    return f"{what}{reach}{places}" + (", or empty for none" if _may_be_none(name) else "")


def _limits(limit: Any) -> dict[str, Any]:
    names = ("ge", "le", "min_length", "max_length", "decimal_places")
    return {name: value for name in names if (value := getattr(limit, name, None)) is not None}


def _may_be_none(name: str) -> bool:
    return NoneType in get_args(Settings.model_fields[name].annotation)


def variable(name: str) -> str:
    """The environment variable that sets a field: of several the one that is set, else the first."""
    aliases = variables(name)
    return next((alias for alias in aliases if os.environ.get(alias)), aliases[0])


def read_from(name: str) -> Literal["environment", "file"]:
    """Where a field that is fixed from outside has its value from: this process's environment, or a ``.env`` file."""
    if any(os.environ.get(alias) for alias in variables(name)):
        return "environment"
    for file in _env_files():
        written = {key.upper(): value for key, value in dotenv_values(file).items()}
        if any(written.get(alias) for alias in variables(name)):
            return "file"
    return "environment"


def variables(name: str) -> tuple[str, ...]:
    """Every environment variable that sets a field."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (str(alias),) if alias else (f"SIGNALDESK_{name.upper()}",)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    field = Settings.model_fields[name]
    return TypeAdapter(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)  # type: ignore[arg-type]


def _fits(name: str, value: Any) -> Any:
    try:
        return checked_value(name, value)
    except SettingsError:
        return _UNFIT


def load_settings() -> Settings:
    """The settings as environment and ``.env`` give them, without what is saved on screen.

    Raises:
        SettingsError: a value is malformed, a ``.env`` file cannot be read, or sign-in is set up in part; the message names the variables
            and never shows a secret.
    """
    try:
        settings = Settings(_env_file=_env_files())
    except ValidationError as error:
        problems = "; ".join(_in_words(problem["loc"], problem["msg"]) for problem in error.errors(include_input=False))
        raise SettingsError(f"Settings are malformed. {problems}.") from None
    except UnreadableSetting:  # its message names the field but not what is wrong; only model_prices is JSON
        raise SettingsError(
            "Settings are malformed. SIGNALDESK_MODEL_PRICES: must be JSON such as "
            '{"google:gemini-2.5-flash": {"input": 0.30, "output": 2.50}}.'
        ) from None
    if 0 < len(settings.lacking_for_sign_in) < len(SIGN_IN):
        there = ", ".join(variable(name) for name in SIGN_IN if getattr(settings, name) is not None)
        raise SettingsError(f"Sign-in is set up in part: {there} set, {', '.join(settings.lacking_for_sign_in)} missing. Set all or none.")
    return settings


def _env_files() -> tuple[Path, ...]:
    named: Any = Settings.model_config.get("env_file") or ()
    return readable(named if isinstance(named, tuple) else (named,))


def _in_words(location: tuple[int | str, ...], message: str) -> str:
    words = message.removeprefix("Value error, ")
    return f"{_variable(location)}: {words}" if location else words


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return next((variable(field) for field in Settings.model_fields if name in (field, *variables(field))), name)
