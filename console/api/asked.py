"""What was asked for, checked beyond what a type can say."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from console.api.problems import Invalid
from core import catalogue
from core.errors import NotFound


def require_days_in_order(since: date | datetime | None, until: date | None, location: str = "query.since") -> None:
    """Refuse a time that ends before it begins, in which nothing could be found.

    Raises:
        Invalid: it does.
    """
    day = since.date() if isinstance(since, datetime) else since
    if day and until and day > until:
        raise Invalid(location, f"is after until: {since} > {until}")


def beginning(since: date | datetime | None) -> dict[str, Any]:
    """The field of an ``ArticleFilter`` that a day or a moment is."""
    return {"since_moment" if isinstance(since, datetime) else "since": since}


def publishers_named(session: Session, names: Sequence[str], location: str = "query.publisher") -> tuple[int, ...]:
    """The ids of publishers.

    Raises:
        Invalid: there is none of a name.
    """
    try:
        return catalogue.publisher_ids(session, names) if names else ()
    except NotFound as error:
        raise Invalid(location, str(error)) from None
