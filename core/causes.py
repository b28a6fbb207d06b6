"""Causes: what went wrong, without what differs from article to article, so that a hundred failures of one cause are one line. Pure."""

import re
from dataclasses import dataclass
from typing import Self

BUDGET = "budget"
SETTINGS = "settings"
TOO_MANY = "too_many_failed"
"""Beside the kinds of ``core.failures``: why a batch pauses."""
UNKNOWN = "internal"

_VARYING = re.compile(
    r"https?://\S+"
    r"|\"[^\"]*\"|(?<!\w)'[^']{1,120}'(?!\w)|“[^”]*”"
    r"|\b[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*\b"
    r"|\d+(?:[.,:]\d+)*"
)
_PATTERN_CHARS = 240


@dataclass(frozen=True, slots=True)
class Cause:
    """A kind of failure (``core.failures.FailureKind``) and its message with ``…`` for addresses, quoted words, ids and numbers."""

    kind: str
    pattern: str

    @classmethod
    def of(cls, kind: str | None, message: str | None) -> Self:
        """The cause of a failure with this message."""
        return cls(kind or UNKNOWN, _VARYING.sub("…", " ".join((message or "").split()))[:_PATTERN_CHARS])
