"""An OpenID Connect provider on loopback, for the sign-in tests and for trying sign-in by hand (``python -m tests.oidc``)."""

from tests.oidc.provider import PEOPLE, Provider, Someone

__all__ = ["PEOPLE", "Provider", "Someone"]
