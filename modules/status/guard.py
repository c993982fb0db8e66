"""Who may read and who may act. Pure ASGI, before anything else sees a request.

- Host must be on the list, or a web site could reach the page under a name of its own (DNS rebinding).
- What a browser fetches for another site is refused (Sec-Fetch-Site), and so is an action whose Origin is not ours.
- Reading is free on this machine and needs a token from elsewhere. In a container this machine is the bridge's
  gateway: createOptions publish the port on 127.0.0.1 of the host, and docker passes such connections on from there.
- Acting (anything but GET, HEAD and OPTIONS) always needs the token for operating, as a bearer token or a session.
- Requests are counted by client and in all; wrong tokens are counted apart.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.status.desk import Caller
from modules.status.limits import Bucket, Failures, Limits
from modules.status.near import Near
from modules.status.problems import ProblemResponse, problem
from modules.status.tokens import COOKIE, RANKS, Role, Tokens

SESSION_PATH: Final = "/api/v1/session"
CALLER: Final = "millwatch.caller"
"""Where the request's scope holds the Caller."""
SESSION_ENDS: Final = "millwatch.session_ends"
NEAR: Final = "millwatch.near"
LARGEST_BODY: Final = 16_384
LARGEST_HEAD: Final = 16_384
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_HEADERS: Final = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
            b" connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)


class Rates(Protocol):
    """The settings that are asked for at every request, so that a change takes effect at once."""

    @property
    def hosts(self) -> Iterable[str]:
        """Host names that are answered."""

    @property
    def requests_per_s(self) -> float:
        """Of one client."""

    @property
    def requests_per_s_all(self) -> float:
        """Of all."""


Noted = Callable[[str, str, Caller, str], None]
"""(what, about, caller, result): an action that was not done."""


@dataclass(frozen=True, slots=True)
class _Asker:
    """What a request's credentials amount to."""

    role: Role
    session_ends: int = 0
    by_cookie: bool = False


class Guard:
    """ASGI middleware."""

    def __init__(
        self, app: ASGIApp, *, tokens: Tokens, settings: Callable[[], Rates], near: Near, noted: Noted
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._settings = settings
        self._near = near
        self._noted = noted
        self._limits = Limits()
        self._failures = Failures()
        self._notes = Bucket(1.0, 20, 20, time.monotonic())  # a flood of refusals does not wear out the disk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        client = scope["client"][0] if scope.get("client") else ""
        refusal, asker = self._judge(scope, headers, client)
        caller = scope[CALLER] = Caller(asker.role, client)
        scope[SESSION_ENDS], scope[NEAR] = asker.session_ends, self._near.by(client)
        acts = scope["method"] not in _SAFE

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                if acts and message["status"] >= 400:
                    self._note(scope, caller, message["status"])
                own = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in _HEADERS if each[0] not in own)]
                await asyncio.sleep(0)
            await send(message)

        await asyncio.sleep(0)  # an alert that came in meanwhile goes first
        await (refusal or self._app)(scope, receive, sending)

    def _judge(self, scope: Scope, headers: Headers, client: str) -> tuple[ProblemResponse | None, _Asker]:
        """Why the request is not answered, if so; and who asks."""
        nobody = _Asker("none")
        settings, now = self._settings(), time.monotonic()
        if sum(len(name) + len(value) for name, value in headers.raw) > LARGEST_HEAD:
            return problem(431, "Too large", f"all headers have at most {LARGEST_HEAD} bytes"), nobody
        if len(headers.getlist("host")) > 1:
            return problem(400, "Two hosts", "a request names one host"), nobody
        if host_name(headers.get("host", "")) not in settings.hosts:
            return problem(421, "Unknown host", "this name is not on the list of host names (setting hosts)"), nobody
        seconds = self._limits.wait(client, now, per_s=settings.requests_per_s, all_per_s=settings.requests_per_s_all)
        if seconds > 0:
            return _later(seconds, "too many requests"), nobody
        if not _ours(scope["method"], headers):
            return problem(403, "Another site", "requests for other sites are not answered"), nobody
        asker = self._asker(headers)
        if asker is None or _logs_in(scope):
            seconds = self._failures.wait(client, now)
            if seconds > 0:
                return _later(seconds, "too many wrong tokens"), nobody
        if asker is None:
            self._failures.failed(client, now)
            return problem(401, "Wrong token", "a token goes as `Authorization: Bearer TOKEN`"), nobody
        if scope["method"] in _SAFE:
            return self._may_read(scope["path"], client, asker), asker
        return self._may_act(scope, headers, asker), asker

    def _asker(self, headers: Headers) -> _Asker | None:
        """The role of a bearer token or a session; None for a token that is wrong."""
        if (given := headers.get("authorization")) is not None:
            scheme, _, token = given.partition(" ")
            role = self._tokens.role(token.strip().encode("latin-1")) if scheme.lower() == "bearer" else "none"
            return None if role == "none" else _Asker(role)
        cookie = _cookie(headers.get("cookie", ""))
        if cookie:
            role, ends = self._tokens.session_role(cookie, time.time())
            return _Asker(role, ends, by_cookie=role != "none")
        return _Asker("none")

    def _may_read(self, path: str, client: str, asker: _Asker) -> ProblemResponse | None:
        # What a person needs to log in says nothing about the line.
        is_open = path in ("/", "/healthz", SESSION_PATH) or path.startswith("/page/")
        if is_open or RANKS[asker.role] >= RANKS["read"] or self._near.by(client):
            return None
        return problem(401, "Token needed", "reading from another machine needs a token")

    def _may_act(self, scope: Scope, headers: Headers, asker: _Asker) -> ProblemResponse | None:
        origin = headers.get("origin")
        own = f"{scope['scheme']}://{headers.get('host', '')}"
        if origin is not None and origin.lower() != own.lower():
            return problem(403, "Another site", "the action comes from a page that is not this one")
        if asker.by_cookie and origin is None and headers.get("sec-fetch-site") != "same-origin":
            return problem(403, "Another site", "an action by session says which page it comes from (Origin)")
        if scope["path"] != SESSION_PATH:
            if asker.role == "none":
                return problem(401, "Token needed", "acting needs the token for operating")
            if asker.role != "operate":
                return problem(403, "Not allowed", "this token is for reading; acting needs the one for operating")
        return _body(headers)

    def _note(self, scope: Scope, caller: Caller, status: int) -> None:
        if _logs_in(scope) and status == 401:
            self._failures.failed(caller.client, time.monotonic())
        if status != 429 and self._notes.wait(time.monotonic()) == 0:
            what = f"{scope['method']} {scope['path'].rpartition('/')[2]}"
            self._noted(what, scope["path"], caller, f"refused: {status}")


def _logs_in(scope: Scope) -> bool:
    return bool(scope["path"] == SESSION_PATH and scope["method"] == "POST")


def _ours(method: str, headers: Headers) -> bool:
    """Whether a browser fetches this for us, or a person follows a link here; other programs do not say."""
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    follows = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return bool(follows and method in _SAFE)


def _body(headers: Headers) -> ProblemResponse | None:
    """What is wrong with the body, by its headers."""
    if "transfer-encoding" in headers:
        return problem(411, "Length needed", "a body says how long it is (Content-Length)")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()) or int(length[:9]) > LARGEST_BODY:
        return problem(413, "Too large", f"a body has at most {LARGEST_BODY} bytes")
    if int(length) == 0:
        return None
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    plain = parameters.replace(" ", "").replace('"', "") in ("", "charset=utf-8")
    if kind.strip() != "application/json" or not plain or headers.get("content-encoding", "identity") != "identity":
        return problem(415, "Not JSON", "a body is application/json in UTF-8, not compressed")
    return None


def _later(seconds: float, why: str) -> ProblemResponse:
    return problem(429, "Too many", f"{why}; try again later", {"Retry-After": str(math.ceil(seconds))})


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def host_name(header: str) -> str:
    """The name in a Host header, lower case and without the port: `[::1]:8080` gives `[::1]`."""
    name = header.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
