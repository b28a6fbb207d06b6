"""The OpenAPI document and a page to read and try it: Swagger UI from files that are installed, so that it works without a network."""

from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, JSONResponse, Response

from console.api.problems import Fault, Problem
from core.health import versions

router = APIRouter(include_in_schema=False)
TITLE = "Signal Desk"
DESCRIPTION = """Articles, batches, signals and costs of this desk.

**Who asks.** `Authorization: Bearer sd_…` with a token made on the System page. On a desk that listens on this machine alone and has no
sign-in, requests without a token act as whoever sits at it.

**Pages.** Lists take `limit` and `cursor`; an answer has `next` and `previous`. A cursor belongs to its list and filter.

**Money** is US dollars as text, exact. **Times** are ISO 8601 in UTC; days are UTC days.

**Errors** are `application/problem+json` (RFC 9457): `type` names the kind, `detail` says what to do, `errors` lists what is invalid.
"""
_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signal Desk API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="docs"><noscript>This page needs JavaScript. The document itself is at <a href="openapi.json">openapi.json</a>.</noscript></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/begin.js"></script>
</body>
</html>
"""
# Addresses are taken from the page's own, so that it works below whatever prefix a proxy adds. Nothing is sent to a validator outside.
_BEGIN = """SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
});
"""


@cache
def _file(name: str) -> bytes:
    return files("fastapi_offline").joinpath("static", name).read_bytes()


@router.get("/api/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The document."""
    api: FastAPI = request.app
    return JSONResponse(api.openapi())


@router.get("/api/docs")
def docs() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_PAGE)


@router.get("/api/docs/begin.js")
def begin() -> Response:
    """What starts the page: a file of its own, since a strict content security policy runs no script within a page."""
    return Response(_BEGIN, media_type="text/javascript")


@router.get("/api/docs/{name}")
def file(name: str) -> Response:
    """Swagger UI's own files."""
    from starlette.exceptions import HTTPException

    if name not in _FILES:
        raise HTTPException(404)
    return Response(_file(name), media_type=_FILES[name], headers={"Cache-Control": "public, max-age=86400"})


def document(api: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once: what the endpoints say, with the one form of errors."""
    if api.openapi_schema is None:
        made = get_openapi(
            title=TITLE, version=versions()["signaldesk"], description=DESCRIPTION, routes=api.routes, separate_input_output_schemas=True
        )
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        template = "#/components/schemas/{model}"
        schemas |= {shape.__name__: shape.model_json_schema(ref_template=template) for shape in (Fault, Problem)}
        schemas["Problem"].pop("$defs", None)
        made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": "An API token, `sd_…`."}}
        for path, methods in made["paths"].items():
            for operation in methods.values():
                if not path.startswith("/health"):
                    operation["security"] = [{"token": []}, {}]
        api.openapi_schema = made
    return api.openapi_schema
