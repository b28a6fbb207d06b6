"""Errors: one form for all of them, RFC 9457 ``application/problem+json``. No input is repeated in one: it may hold a secret."""

import logging
import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import (
    BackupRefused,
    BudgetExceeded,
    DatabaseUnavailable,
    DeskError,
    ImportRefused,
    NotAllowed,
    NotFound,
    NothingSelected,
    NotPossible,
    SettingsError,
)

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
"""When to come back to a database that is away."""


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    location: str = Field(description="Where: such as `query.limit`, `body.articles.0` or `header.idempotency-key`.")
    detail: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="Names the kind of problem: stable, for programs.", examples=["urn:signaldesk:not-found"])
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What happened, and what to do about it.")
    errors: list[Fault] | None = Field(None, description="For an invalid request: everything that is wrong with it.")


class Refused(HTTPException):
    """A refusal of the API's own, with its kind."""

    def __init__(self, status: HTTPStatus, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status.value, detail, dict(headers) if headers else None)
        self.kind, self.title = kind, title


class Invalid(DeskError):
    """A parameter that has the right type and makes no sense here."""

    def __init__(self, location: str, detail: str) -> None:
        self.fault = Fault(location=location, detail=detail)
        super().__init__(detail)


_KINDS: dict[type[DeskError], tuple[HTTPStatus, str, str]] = {
    NotFound: (HTTPStatus.NOT_FOUND, "not-found", "Not found"),
    NotAllowed: (HTTPStatus.FORBIDDEN, "not-allowed", "Not allowed"),
    NotPossible: (HTTPStatus.CONFLICT, "not-possible", "Not possible now"),
    NothingSelected: (HTTPStatus.UNPROCESSABLE_ENTITY, "nothing-selected", "Nothing selected"),
    BudgetExceeded: (HTTPStatus.CONFLICT, "budget-exceeded", "Over the budget"),
    SettingsError: (HTTPStatus.UNPROCESSABLE_ENTITY, "setting", "A setting does not fit"),
    ImportRefused: (HTTPStatus.UNPROCESSABLE_ENTITY, "import-refused", "Import refused"),
    BackupRefused: (HTTPStatus.CONFLICT, "backup-refused", "Backup refused"),
    Invalid: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "The request is not valid"),
    DatabaseUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable", "The database is away"),
}


def problem(
    status: int, kind: str, title: str, detail: str, *, errors: list[Fault] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that says why."""
    body = Problem(type=f"urn:signaldesk:{kind}", title=title, status=status, detail=detail, errors=errors)
    given = {"Cache-Control": "no-store"} | dict(headers or {})
    return Response(body.model_dump_json(exclude_none=True), status, given, MEDIA_TYPE)


def of_desk_error(error: DeskError) -> Response:
    """What a refusal of the desk's is over HTTP."""
    fallback = (HTTPStatus.BAD_REQUEST, "refused", "Refused")
    status, kind, title = next((known for one in type(error).__mro__ if (known := _KINDS.get(one))), fallback)
    errors = [error.fault] if isinstance(error, Invalid) else None
    headers = {"Retry-After": str(RETRY_SECONDS)} if isinstance(error, DatabaseUnavailable) else None
    detail = f"{error.fault.location}: {error}" if isinstance(error, Invalid) else str(error)
    return problem(status, kind, title, detail, errors=errors, headers=headers)


def of_refusal(error: Refused) -> Response:
    """What a refusal of the API's own is over HTTP."""
    return problem(error.status_code, error.kind, error.title, error.detail, headers=error.headers)


def add_handlers(api: FastAPI) -> None:
    """Give every error of an application this form."""

    @api.exception_handler(DeskError)
    def refused(_request: Request, error: DeskError) -> Response:
        return of_desk_error(error)

    @api.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        if isinstance(error, Refused):
            return of_refusal(error)
        status = HTTPStatus(error.status_code)
        known = {
            HTTPStatus.NOT_FOUND: "There is nothing at this address. /api/docs lists what there is.",
            HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method; the header Allow says which it takes.",
            HTTPStatus.BAD_REQUEST: "The body cannot be read. It must be JSON in UTF-8.",
        }
        headers = dict(error.headers or {})
        if status is HTTPStatus.METHOD_NOT_ALLOWED:  # the router names those of the first route that has the address
            headers["Allow"] = ", ".join(sorted(methods_at(api.openapi(), request.url.path))) or headers.get("Allow", "")
        kind = status.phrase.lower().replace(" ", "-")
        return problem(status, kind, status.phrase, known.get(status, str(error.detail)), headers=headers)

    @api.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            detail = f"The body is not JSON: {first['ctx']['error']} at character {first['loc'][-1]}."
            return problem(HTTPStatus.BAD_REQUEST, "bad-request", "Bad Request", detail)
        if first["loc"] == ("body",) and first["type"] != "missing" and not _is_json(request.headers.get("content-type", "")):
            detail = "The body must be JSON, and say so: Content-Type: application/json."
            return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported Media Type", detail)
        faults = [Fault(location=".".join(str(part) for part in one["loc"]), detail=_in_words(one)) for one in error.errors()]
        detail = "; ".join(f"{fault.location}: {fault.detail}" for fault in faults[:5])
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "The request is not valid", detail, errors=faults)

    @api.exception_handler(DataError)
    def not_storable(_request: Request, error: DataError) -> Response:
        logger.warning("the database refused a value of a request: %s", error.orig)
        detail = "The database cannot take a value of this request."
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "The request is not valid", detail)


def methods_at(document: Mapping[str, Any], path: str) -> set[str]:
    """The methods that an OpenAPI document has for an address."""
    found: set[str] = set()
    for template, methods in document["paths"].items():
        if re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)), path):
            found |= {method.upper() for method in methods}
    return found | ({"HEAD"} if "GET" in found else set())


def _is_json(content_type: str) -> bool:
    return bool(re.match(r"application/([\w.+-]+\+)?json\b", content_type, re.IGNORECASE))


def _in_words(fault: Mapping[str, Any]) -> str:
    said = str(fault["msg"]).removeprefix("Value error, ")
    return said[:300]


class Unforeseen:
    """Says that something went wrong that nobody foresaw, with the reference under which the log has it. Pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception:
            reference = f"{uuid.uuid4().int % 10**12:012}"
            logger.exception("the API failed (%s)", reference)
            if started or scope["type"] != "http":
                raise
            detail = f"Something went wrong that should not have. It is in the log under {reference}."
            answer = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unforeseen", "Internal error", detail)
            await answer(scope, receive, send)
