"""Cursors: a place in a list, with the list and the filter that it belongs to. One of another list is refused rather than misread."""

import hashlib
from collections.abc import Callable
from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from console.api.fields import Shape
from console.api.problems import Invalid
from core.paging import FIRST, Place
from core.paging import Page as Found

R = TypeVar("R")
T = TypeVar("T")


class Page(Shape, Generic[T]):
    """A page of a list. Rows that come or go meanwhile make none appear twice or not at all."""

    items: list[T]
    next: str | None = Field(description="Cursor of the next page; null at the end.")
    previous: str | None = Field(description="Cursor of the page before; null at the beginning.")


def place_of(cursor: str | None, name: str, chosen: BaseModel | None = None) -> Place:
    """The place that a cursor of list ``name`` with this filter says; the first without one.

    Raises:
        Invalid: it is none, or one of another list or filter.
    """
    if cursor is None:
        return FIRST
    digest, _, token = cursor.partition(".")
    place = Place.of_token(token)
    if digest != _digest(name, chosen) or not token or place.token != token:
        raise Invalid("query.cursor", "is not a cursor of this list with this filter; begin without one")
    return place


def cursor_of(place: Place | None, name: str, chosen: BaseModel | None = None) -> str | None:
    """The cursor for a place; none for none."""
    if place is None:
        return None
    return f"{_digest(name, chosen)}.{place.token}" if place != FIRST else None


def beside(found: Found[R], name: str, chosen: BaseModel | None = None) -> dict[str, str | None]:
    """``next`` and ``previous`` of a page."""
    return {"next": cursor_of(found.next, name, chosen), "previous": cursor_of(found.previous, name, chosen)}


def as_page(found: Found[R], made: Callable[[R], T], name: str, chosen: BaseModel | None = None) -> Page[T]:
    """A page of core's as an answer."""
    return Page(items=[made(row) for row in found.rows], **beside(found, name, chosen))


def _digest(name: str, chosen: BaseModel | None) -> str:
    said = f"{name}:{chosen.model_dump_json() if chosen else ''}"
    return hashlib.sha256(said.encode()).hexdigest()[:10]
