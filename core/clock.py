"""The one place that asks what time it is; everything else is told."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)
