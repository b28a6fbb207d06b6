"""What endpoints may answer besides, for the OpenAPI document."""

from typing import Any

from console.api.problems import MEDIA_TYPE

_WORDS = {
    400: "The body cannot be read",
    401: "No valid token",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    412: "Changed meanwhile",
    415: "The body is not said to be JSON",
    422: "Not valid",
    429: "Too many requests",
    503: "The database is away",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problems of these statuses."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": _WORDS[status], "content": {MEDIA_TYPE: schema}} for status in statuses}
