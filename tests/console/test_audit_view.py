"""Entries of the audit log as a person reads them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from console.audit_view import _cells
from core.audit import Entry

AT = datetime(2026, 11, 24, tzinfo=UTC)


def entry(kind: str, subject: str, after: dict[str, Any] | None = None) -> Entry:
    return Entry(1, AT, "ada", "review.decide", kind, subject, None, after)


@pytest.mark.parametrize(
    ("kind", "subject", "shown"),
    [
        ("signal", "591", ("signal 591", "/article?signal=591")),
        ("run", "3", ("run 3", "/runs?batch=3")),
        ("article", "7", ("article 7", "/article?id=7")),
        ("setting", "model", "setting model"),
        ("signal", "javascript:alert(1)", "signal javascript:alert(1)"),
    ],
)
def test_what_has_a_page_leads_there(kind: str, subject: str, shown: object) -> None:
    assert _cells(entry(kind, subject))[3] == shown


def test_values_are_said_in_words() -> None:
    after = {"blind": True, "verdict": "INSUFFICIENT_DATA", "decision": "accepted", "note": "SEC FILING"}
    assert _cells(entry("signal", "1", after))[4:] == [None, "blind yes, verdict insufficient data, decision accepted, note SEC FILING"]
