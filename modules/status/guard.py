"""Who may read and who may act. Pure ASGI, before anything else sees a request.

- Host must be on the list, or a web site could reach the page under a name of its own (DNS rebinding).
- Reading is free on this machine and needs the token from elsewhere. In a container this machine is the bridge's
  gateway: createOptions publish the port on 127.0.0.1 of the host, and docker passes such connections on from there.
- Acting (anything but GET and HEAD) always needs the token, as a bearer token: a foreign site cannot send one.
"""

import hmac
import os
import secrets
import socket
import struct
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.status.problems import problem

_SAFE: Final = ("GET", "HEAD")
_LARGEST_BODY: Final = 16_384
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware. `hosts` is asked at every request, so a setting takes effect at once."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: Callable[[], Iterable[str]], in_container: bool) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts
        self._gateway = default_gateway() if in_container else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refuse(scope, Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))

    def _refuse(self, scope: Scope, headers: Headers) -> Any:
        if host_name(headers.get("host", "")) not in self._hosts():
            return problem(421, "Unknown host", "this name is not on the list of host names (setting hosts)")
        given = headers.get("authorization", "")
        known = hmac.compare_digest(given.removeprefix("Bearer ").encode(), self._token) and given.startswith("Bearer ")
        if scope["method"] in _SAFE:
            client = scope.get("client")
            if not known and not self._near(client[0] if client else ""):
                return problem(401, "Token needed", "reading from another machine needs the token")
            return None
        if not known:
            return problem(401, "Token needed", "acting needs the token from the file `token` in the state folder")
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            return problem(413, "Too large", f"a body has at most {_LARGEST_BODY} bytes and says how many")
        return None

    def _near(self, client: str) -> bool:
        try:
            return client == self._gateway or ip_address(client).is_loopback
        except ValueError:
            return False


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def host_name(header: str) -> str:
    """The name in a Host header, lower case and without the port: `[::1]:8080` gives `[::1]`."""
    name = header.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


def default_gateway(table: Path = Path("/proc/net/route")) -> str | None:
    """The IPv4 default gateway, or None where there is none (Linux)."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) > 2 and fields[1] == "00000000":
            return socket.inet_ntoa(struct.pack("<L", int(fields[2], 16)))
    return None


def load_token(path: Path) -> str:
    """The token in `path`, made at the first start, readable by this user only. Raises OSError."""
    try:
        token = path.read_text().strip()
    except FileNotFoundError:
        token = ""
    if not token:
        token = secrets.token_urlsafe(24)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as out:
            out.write(token + "\n")
    return token
