"""Errors as application/problem+json (RFC 9457): what, in words, without a path, a secret or a trace."""

from collections.abc import Mapping

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from modules.status.views import ViewError

_LONGEST = 500


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = "application/problem+json"


def problem(status: int, title: str, detail: str = "", headers: Mapping[str, str] | None = None) -> ProblemResponse:
    """The answer that says what went wrong."""
    more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    # A lone surrogate in a body's field name would not go into an answer.
    said = detail[:_LONGEST].encode("utf-8", "replace").decode()
    document = {"type": "about:blank", "title": title, "status": status, "detail": said}
    return ProblemResponse(document, status, headers={**more, **(headers or {})})


async def http_problem(request: Request, error: Exception) -> ProblemResponse:
    """For HTTPException, the framework's and ours."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:  # the framework names the methods of the first of a path's routes alone
        headers["Allow"] = ", ".join(sorted(_methods(request))) or headers.get("Allow", "")
    return problem(error.status_code, str(error.detail), headers=headers)


def _methods(request: Request) -> set[str]:
    routes: list[Route] = request.app.state.routes
    return {method for route in routes if route.path_regex.match(request.url.path) for method in route.methods or ()}


async def invalid_problem(_request: Request, error: Exception) -> ProblemResponse:
    """For a request whose fields are not as they should be: which, and why."""
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return problem(422, "Not understood", said)


async def view_problem(_request: Request, error: Exception) -> ProblemResponse:
    """For a module that does not show what it was asked for."""
    assert isinstance(error, ViewError)
    return problem(503, "Not shown now", str(error), {"Retry-After": "2"})


async def query_problem(_request: Request, error: Exception) -> ProblemResponse:
    """For a query that the module it is about makes no sense of."""
    return problem(422, "Not understood", str(error))


async def lookup_problem(_request: Request, _error: Exception) -> ProblemResponse:
    """For what is not there."""
    return problem(404, "Not found")


async def unexpected_problem(_request: Request, _error: Exception) -> ProblemResponse:
    """For a bug, or a disk that fails; the log has the rest."""
    return problem(500, "Internal error", "the module's log says more")
