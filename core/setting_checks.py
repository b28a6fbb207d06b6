"""What the values of settings must look like: each returns the value as it is kept, or raises ``ValueError`` with what it must be. Pure."""

import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

SECRET_CHARS = 32
"""Shortest cookie secret and API token: what a generator gives, not what somebody thinks up."""


def postgres_address(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        raise ValueError("must begin with postgresql://")
    return value


def redis_address(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    if not value.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("must begin with redis:// or rediss://")
    parts = _parts(value.get_secret_value())
    if parts is None or not re.fullmatch(r"/?\d*", parts.path):
        raise ValueError("must be written redis://user:password@host:6379/0, with @ : / ? # % of the password percent-encoded")
    return value


def http_address(value: str | None) -> str | None:
    """Without a slash at its end."""
    if value is None:
        return None
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    if _parts(value) is None:
        raise ValueError("must name a host, such as https://api.example")
    return value.rstrip("/")


def secret_http_address(value: SecretStr | None) -> SecretStr | None:
    return None if value is None else SecretStr(http_address(value.get_secret_value()) or "")


def _parts(address: str) -> SplitResult | None:
    """None for an address without a host, or with one that cannot be."""
    try:
        parts = urlsplit(address)
        is_one = bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", address)
    except ValueError:
        return None
    return parts if is_one else None


def origin(value: str | None) -> str | None:
    """Scheme and host alone, in lower case."""
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise ValueError("must be the scheme and host of the desk, such as https://desk.example")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def names(value: Any) -> Any:
    """A text of names, separated by commas, as a list of them in lower case."""
    return [name for part in value.split(",") if (name := part.strip().lower())] if isinstance(value, str) else value


def email_addresses(value: frozenset[str]) -> frozenset[str]:
    return _each(value, r"[^@\s;<>]+@[^@\s;<>]+", "e-mail addresses")


def host_names(value: frozenset[str]) -> frozenset[str]:
    return _each(value, r"[^\s/@:\[\]]+(:\d+)?|\[[0-9a-f:.]+\](:\d+)?", "host names without scheme and path")


def _each(value: frozenset[str], pattern: str, what: str) -> frozenset[str]:
    if wrong := sorted(name for name in value if not re.fullmatch(pattern, name)):
        raise ValueError(f"must be {what}, separated by commas; '{' '.join(wrong[0].split())[:100]}' is none")
    return value


def not_to_be_guessed(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < SECRET_CHARS:
        raise ValueError(f"must have at least {SECRET_CHARS} characters")
    return value
