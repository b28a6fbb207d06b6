"""Fields that the API's models share: money, moments, numbers and texts, each with what a database can hold of it."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from core.paging import Count

MOST_ID = 2**63 - 1
MOST_ROWS = 500
"""Rows of one page at most."""
FARTHEST = 10_000
"""Rows that an offset may pass over; a cursor goes on from anywhere."""

Usd = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": "US dollars, exact, as text.", "examples": ["0.0123"]}),
]
Credits = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": "Search credits, exact, as text."}),
]
Moment = Annotated[
    datetime,
    PlainSerializer(lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z"), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "ISO 8601, UTC.", "examples": ["2026-11-24T12:00:00Z"]}),
]


def _digits(value: object) -> object:
    """Of texts only plain ones: 1.0 and 1_000 would be further addresses of the same."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]+", value):
        raise ValueError("must be a whole number")
    return value


Id = Annotated[int, Field(ge=1, le=MOST_ID), BeforeValidator(_digits)]
"""In an address."""
StrictId = Annotated[int, Field(ge=1, le=MOST_ID, strict=True)]
"""In a body: a number, and nothing that could be read as one."""


def _day(value: object) -> object:
    """A day as text only: of a number pydantic would make one of 1970."""
    if not isinstance(value, date) and not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII)):
        raise ValueError("must be a day such as 2026-11-24")
    return value


def _since(value: object) -> object:
    """A day, or a moment with its zone, as text."""
    if not isinstance(value, str) or "T" not in value.upper():
        try:
            return date.fromisoformat(str(_day(value)))
        except ValueError as error:
            raise ValueError("must be a day such as 2026-11-24, or a moment such as 2026-11-24T12:00:00Z") from error
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a moment needs its zone, such as 2026-11-24T12:00:00Z (a + in an address is written %2B)")
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is no moment that there is") from error


Day = Annotated[date, BeforeValidator(_day)]
Since = Annotated[date | datetime, BeforeValidator(_since)]


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be valid Unicode")
    return text


_NO_NUL: dict[str, Any] = {"pattern": r"^[^\x00]*$"}
Words = Annotated[str, Field(max_length=200, json_schema_extra=_NO_NUL), AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=300, json_schema_extra=_NO_NUL), AfterValidator(_storable)]
Note = Annotated[str, Field(max_length=1_000, json_schema_extra=_NO_NUL), AfterValidator(_storable)]


class Shape(BaseModel):
    """An answer. Made of the dataclasses that core returns."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Asked(BaseModel):
    """Parameters or a body; what is not known is refused, so that a mistyped name does not pass for a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Total(Shape):
    """A count: exact, or at least so many."""

    value: int = Field(ge=0)
    exact: bool

    @classmethod
    def of(cls, count: Count) -> "Total":
        return cls(value=count.value, exact=count.exact)


class PageAsked(Asked):
    """Which page of a list."""

    limit: int = Field(50, ge=1, le=MOST_ROWS, description="Rows of the page.")
    cursor: str | None = Field(
        None,
        min_length=1,
        max_length=600,
        description="`next` or `previous` of a page of this list and filter.",
    )
