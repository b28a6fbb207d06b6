"""Options that several commands share, and what they mean to the desk."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from core import catalogue
from core.configuration import Desk
from core.errors import SettingsError

MOST_ID = 2**63 - 1  # what a BIGINT holds

Publishers = Annotated[list[str] | None, typer.Option("--publisher", "-p", help="Only this publisher; may be given several times.")]
Text = Annotated[str, typer.Option("--text", "-t", help="Only articles with these words.")]
Since = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day (UTC).")]
Until = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day (UTC).")]


def publisher_ids(desk: Desk, names: Sequence[str]) -> tuple[int, ...]:
    """The publishers of these names.

    Raises:
        NotFound: there is none of one of them.
    """
    return desk.transaction(lambda session: catalogue.publisher_ids(session, names)) if names else ()


def require_days_in_order(since: datetime | None, until: datetime | None) -> None:
    """Refuse a time that ends before it begins, in which nothing could be found.

    Raises:
        SettingsError: ``--since`` is after ``--until``.
    """
    if since and until and since > until:
        raise SettingsError(f"--since {since:%Y-%m-%d} is after --until {until:%Y-%m-%d}.")


def require_short_text(option: str, value: str) -> None:
    """Refuse what the database could not take.

    Raises:
        SettingsError: the text is too long, or no text.
    """
    if len(value) > 200:
        raise SettingsError(f"{option} takes at most 200 characters.")
    if any("\ud800" <= character <= "\udfff" for character in value):  # bytes of the command line that are no UTF-8
        raise SettingsError(f"{option} is not valid UTF-8.")
