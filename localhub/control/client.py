"""The client side of a control socket, blocking for the command line and async for the processes.

Plain http.client and h11: a command should answer before a person notices, and importing httpx alone takes longer
than most commands do.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

HEADERS = {"Host": "localhub", "Content-Type": "application/json", "Connection": "close"}
ABSENT = (ConnectionError, FileNotFoundError, http.client.RemoteDisconnected)


class ControlError(Exception):
    """The other process answered, but not with what was asked for. `status` is the HTTP status, the text its reason."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class NotRunningError(Exception):
    """Nothing answers at the socket: localhub, or this process of it, is not running. The text says what to do."""


class Client:
    """Blocking client of one control socket; each request is a connection of its own, so it may be kept for ever.

    `hint` is what a person should do when nothing answers, `timeout_s` the longest wait for each read in seconds.
    """

    def __init__(self, path: Path, *, hint: str = "", timeout_s: float = 10) -> None:
        self._path, self._hint, self._timeout_s = path, hint, timeout_s

    def request(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """Send one request; the decoded JSON answer.

        Raises NotRunningError when nothing listens, ControlError when the answer is not a 2xx.
        """
        with self._sent(method, path, body, query, self._timeout_s) as answer:
            return _result(answer.status, answer.read())

    def get(self, path: str, **query: str | int) -> Any:
        """GET; raises as `request`."""
        return self.request("GET", path, **query)

    def post(self, path: str, body: object = None) -> Any:
        """POST with a JSON body; raises as `request`."""
        return self.request("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        """PATCH with a JSON body; raises as `request`."""
        return self.request("PATCH", path, body)

    def stream(self, path: str, **query: str | int) -> Iterator[Any]:
        """The documents of a newline-delimited stream, until the server ends it; raises as `request`."""
        with self._sent("GET", path, None, query, None) as answer:
            if answer.status >= 300:
                _result(answer.status, answer.read())
            for line in answer:
                yield json.loads(line)

    @contextlib.contextmanager
    def _sent(
        self, method: str, path: str, body: object, query: dict[str, str | int], timeout_s: float | None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _UnixConnection(self._path, timeout_s)
        try:
            connection.request(method, _target(path, query), _content(body), HEADERS)
            yield connection.getresponse()
        except TimeoutError as error:
            raise ControlError(504, f"no answer within {timeout_s} s from {self._path}") from error
        except ABSENT as error:
            raise NotRunningError(self._hint or f"nothing answers at {self._path}") from error
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhub", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


class AsyncClient:
    """The same client for a process that has an event loop."""

    def __init__(self, path: Path, *, hint: str = "", timeout_s: float = 10) -> None:
        self._path, self._hint, self._timeout_s = path, hint, timeout_s

    async def request(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """Send one request; raises as `Client.request`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                parts = [part async for part in self._parts(method, path, body, query)]
        except TimeoutError as error:
            raise ControlError(504, f"no answer within {self._timeout_s} s from {self._path}") from error
        return _result(int(parts[0]), b"".join(parts[1:]))

    async def get(self, path: str, **query: str | int) -> Any:
        """GET; raises as `Client.request`."""
        return await self.request("GET", path, **query)

    async def post(self, path: str, body: object = None) -> Any:
        """POST with a JSON body; raises as `Client.request`."""
        return await self.request("POST", path, body)

    async def stream(self, path: str, **query: str | int) -> AsyncGenerator[Any]:
        """The documents of a newline-delimited stream, until the server ends it; raises as `Client.request`."""
        parts = self._parts("GET", path, None, query)
        async with contextlib.aclosing(parts):
            status = int(await anext(parts))
            if status >= 300:
                _result(status, b"".join([part async for part in parts]))
            rest = b""
            async for part in parts:
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    async def _parts(self, method: str, path: str, body: object, query: dict[str, str | int]) -> AsyncGenerator[bytes]:
        """The status as digits, then the pieces of the answer's body."""
        import h11  # noqa: PLC0415  the command line never needs it; a process has it through uvicorn

        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
        except ABSENT as error:
            raise NotRunningError(self._hint or f"nothing answers at {self._path}") from error
        try:
            wire = h11.Connection(h11.CLIENT)
            content = _content(body) or b""
            headers = [*HEADERS.items(), ("Content-Length", str(len(content)))]
            writer.write(wire.send(h11.Request(method=method, target=_target(path, query), headers=headers)) or b"")
            if content:
                writer.write(wire.send(h11.Data(data=content)) or b"")
            writer.write(wire.send(h11.EndOfMessage()) or b"")
            while True:
                event = wire.next_event()
                if event is h11.NEED_DATA:
                    wire.receive_data(await reader.read(65536))
                elif isinstance(event, h11.Response):
                    yield str(event.status_code).encode()
                elif isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return
                elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    raise ConnectionError
        except (*ABSENT, h11.RemoteProtocolError) as error:
            raise NotRunningError(self._hint or f"{self._path} closed before it had answered") from error
        finally:
            writer.close()


def start_hint(state: Path) -> str:
    """What to say when the processes of a state folder do not answer."""
    return f"localhub is not running with state {state}; start it with: python -m localhub run MANIFEST --state {state}"


def _target(path: str, query: dict[str, str | int]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _content(body: object) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _result(status: int, content: bytes) -> Any:
    try:
        document = json.loads(content) if content else None
    except ValueError:
        document = content.decode(errors="replace")
    if status < 300:
        return document
    text = document.get("message") if isinstance(document, dict) else document
    raise ControlError(status, str(text or http.client.responses.get(status, status)))
