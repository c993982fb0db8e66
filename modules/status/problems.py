"""Errors as application/problem+json (RFC 9457): what, in words, without a path, a secret or a trace."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = "application/problem+json"


def problem(status: int, title: str, detail: str = "") -> ProblemResponse:
    """The answer that says what went wrong."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return ProblemResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail}, status, headers=headers
    )


async def http_problem(_request: Request, error: Exception) -> ProblemResponse:
    """For HTTPException, the framework's and ours."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail))


async def unexpected_problem(_request: Request, _error: Exception) -> ProblemResponse:
    """For a bug; the log has the rest."""
    return problem(500, "Internal error", "the module's log says more")
