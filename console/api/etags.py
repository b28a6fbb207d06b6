"""ETags: an answer that the client has already is not sent again."""

import hashlib
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has it already (If-None-Match)"}}


def tagged(request: Request, answer: BaseModel) -> Response:
    """The answer with its ETag, or 304 where the client has it. A shared cache keeps nothing; the client's own asks each time."""
    body = answer.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if _has(",".join(request.headers.getlist("if-none-match")), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _has(asked: str, tag: str) -> bool:
    """Whether ``If-None-Match`` names the tag, by the weak comparison of RFC 9110 (a proxy that compresses makes tags weak)."""
    given = [one.strip().removeprefix("W/") for one in asked.split(",")]
    return "*" in given or tag in given
