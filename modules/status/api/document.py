"""The OpenAPI document: what FastAPI gathers, with errors and who may do what. Checked in as docs/openapi.json."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from modules.status.api.answers import Problem

_WHY: Final = {
    "400": "The request, or its body, cannot be read",
    "401": "A token is needed, or the one given is wrong",
    "403": "The role, or the page it comes from, does not allow it",
    "404": "No such thing",
    "409": "Does not go with how things stand",
    "411": "The body's length is missing",
    "413": "The body is too large",
    "415": "The body is not JSON",
    "421": "The host name is not on the list",
    "422": "A field is not as it should be",
    "429": "Too many requests; Retry-After says when to come back",
    "503": "The module that knows does not answer now",
    "505": "HTTP/1.0 knows no answers that go on",
}
_STREAMS: Final = ("/api/v1/events",)
_NAMES_IN_BODY: Final = ("/api/v1/alarms/test",)  # where it is the body that names a thing
_ALWAYS: Final = ("400", "401", "403", "421", "422", "429", "503")
_ACTING: Final = ("411", "413", "415")
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}


def described(app: FastAPI) -> dict[str, Any]:
    """The document of `app`."""
    document: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = document["components"]
    components["schemas"]["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["responses"] = {
        status: {"description": why, "content": {"application/problem+json": {"schema": _PROBLEM}}}
        for status, why in _WHY.items()
    }
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The token for reading, or for operating"},
        "session": {"type": "apiKey", "in": "cookie", "name": "millwatch", "description": "From POST /api/v1/session"},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            acts = method not in ("get", "head")
            _errors(operation["responses"], path, acts=acts)
            if not path.endswith("/session"):
                either: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
                operation["security"] = either if acts else [{}, *either]
    return document


def _errors(responses: dict[str, Any], path: str, *, acts: bool) -> None:
    responses.pop("422", None)
    found = [*_ALWAYS, *(_ACTING if acts else ())]
    if "{" in path or path in _NAMES_IN_BODY:
        found.append("404")
    if path in _STREAMS:
        found.append("505")
    for status in found:
        responses[status] = {"$ref": f"#/components/responses/{status}"}
    responses.update(sorted(responses.items()))
