"""ETags: an answer that the client has already is not sent again, and what changed meanwhile is not changed unseen."""

import hashlib
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

from console.api.problems import Refused

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has it already (If-None-Match)"}}


def tagged(request: Request, answer: BaseModel) -> Response:
    """The answer with its ETag, or 304 where the client has it. A shared cache keeps nothing; the client's own asks each time."""
    body = answer.model_dump_json().encode()
    tag = _tag_of(body)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if _names(request, "if-none-match", tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def require_unchanged(request: Request, now: BaseModel) -> None:
    """Refuse where ``If-Match`` says that the client knows another state than what would be answered now.

    Raises:
        Refused: it does.
    """
    if "if-match" in request.headers and not _names(request, "if-match", _tag_of(now.model_dump_json().encode())):
        detail = "It is no longer as you knew it: somebody changed it since. Read it again, then decide."
        raise Refused(HTTPStatus.PRECONDITION_FAILED, "changed", "Changed meanwhile", detail)


def _tag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _names(request: Request, header: str, tag: str) -> bool:
    """Whether a header names the tag, by the weak comparison of RFC 9110 (a proxy that compresses makes tags weak)."""
    given = [one.strip().removeprefix("W/") for line in request.headers.getlist(header) for one in line.split(",")]
    return "*" in given or tag in given
