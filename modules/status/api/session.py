"""Logging in, for browsers: a token typed in once becomes a cookie."""

import time
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from modules.common.messages import rfc3339
from modules.status.api import answers
from modules.status.api.asks import Login, TheCaller, answer
from modules.status.guard import NEAR, SESSION_ENDS
from modules.status.tokens import COOKIE, SESSION_SECONDS, Tokens

router = APIRouter(prefix="/api/v1/session", tags=["session"])


@router.get("", summary="Who am I?", response_model=answers.Session)
async def who(request: Request, caller: TheCaller) -> Response:
    """What this request's token or cookie allows."""
    ends = request.scope.get(SESSION_ENDS) or 0
    return answer({"role": caller.role, "near": bool(request.scope.get(NEAR)), "expires": _time(ends)})


@router.post("", summary="Log in", response_model=answers.Session)
async def log_in(request: Request, body: Login) -> Response:
    """The cookie is HttpOnly, SameSite=Strict, and ends after twelve hours."""
    tokens: Tokens = request.app.state.tokens
    role = tokens.role(body.token.strip().encode())
    if role == "none":
        raise HTTPException(401, "wrong token")
    now = time.time()
    said = answer({"role": role, "near": bool(request.scope.get(NEAR)), "expires": _time(int(now) + SESSION_SECONDS)})
    said.set_cookie(
        COOKIE,
        tokens.session(role, now),
        max_age=SESSION_SECONDS,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return said


@router.delete("", summary="Log out", response_model=answers.Session)
async def log_out(request: Request) -> Response:
    """The browser forgets the cookie."""
    said = answer({"role": "none", "near": bool(request.scope.get(NEAR)), "expires": None})
    said.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return said


def _time(seconds: int) -> str | None:
    return rfc3339(datetime.fromtimestamp(seconds, UTC)) if seconds else None
