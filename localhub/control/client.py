"""The client side of a control socket, blocking for the command line and async for the processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec

from localhub.control.sockets import answers


class ControlError(Exception):
    """The other process answered, but not with what was asked for. `status` is the HTTP status, the text its reason."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class NotRunningError(Exception):
    """Nothing answers at the socket: localhub, or this process of it, is not running. The text says what to do."""


class Client:
    """Blocking client of one control socket. `hint` is what a person should do when nothing answers."""

    def __init__(self, path: Path, *, hint: str = "", timeout_s: float = 10) -> None:
        self._path, self._hint = path, hint
        transport = httpx.HTTPTransport(uds=os.fspath(path))
        self._http = httpx.Client(transport=transport, base_url="http://localhub", timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_facts: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """Send one request; the decoded JSON answer.

        Raises NotRunningError when nothing listens, ControlError when the answer is not a 2xx.
        """
        self._check()
        with _translated(self._path, self._hint):
            answer = self._http.request(method, path, content=_content(body), params=dict(query))
        return _result(answer)

    def get(self, path: str, **query: str | int) -> Any:
        """GET; raises as `request`."""
        return self.request("GET", path, **query)

    def post(self, path: str, body: object = None) -> Any:
        """POST with a JSON body; raises as `request`."""
        return self.request("POST", path, body)

    def stream(self, path: str, **query: str | int) -> Iterator[Any]:
        """The documents of a newline-delimited stream, until the server ends it; raises as `request`."""
        self._check()
        with (
            _translated(self._path, self._hint),
            self._http.stream("GET", path, params=dict(query), timeout=None) as answer,
        ):
            if answer.is_error:
                answer.read()
                _result(answer)
            for line in answer.iter_lines():
                yield msgspec.json.decode(line)

    def _check(self) -> None:
        if not answers(self._path):  # httpcore 1.0 leaves its socket open when a Unix connect fails
            raise NotRunningError(self._hint or f"nothing answers at {self._path}")


class AsyncClient:
    """The same client for a process that has an event loop."""

    def __init__(self, path: Path, *, hint: str = "", timeout_s: float = 10) -> None:
        self._path, self._hint = path, hint
        transport = httpx.AsyncHTTPTransport(uds=os.fspath(path))
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://localhub", timeout=timeout_s, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_facts: object) -> None:
        await self._http.aclose()

    async def request(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """Send one request; raises as `Client.request`."""
        with _translated(self._path, self._hint):
            answer = await self._http.request(method, path, content=_content(body), params=dict(query))
        return _result(answer)

    async def get(self, path: str, **query: str | int) -> Any:
        """GET; raises as `Client.request`."""
        return await self.request("GET", path, **query)

    async def post(self, path: str, body: object = None) -> Any:
        """POST with a JSON body; raises as `Client.request`."""
        return await self.request("POST", path, body)

    async def stream(self, path: str, **query: str | int) -> AsyncIterator[Any]:
        """The documents of a newline-delimited stream as they come; raises as `Client.request`."""
        with _translated(self._path, self._hint):
            async with self._http.stream("GET", path, params=dict(query), timeout=None) as answer:
                if answer.is_error:
                    await answer.aread()
                    _result(answer)
                async for line in answer.aiter_lines():
                    yield msgspec.json.decode(line)


def start_hint(state: Path) -> str:
    """What to say when the processes of a state folder do not answer."""
    return f"localhub is not running with state {state}; start it with: python -m localhub run MANIFEST --state {state}"


@contextlib.contextmanager
def _translated(path: Path, hint: str) -> Iterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError) as error:
        raise NotRunningError(hint or f"nothing answers at {path}: {error}") from error
    except httpx.TimeoutException as error:
        raise ControlError(504, f"no answer in time from {path}") from error


def _content(body: object) -> bytes | None:
    return None if body is None else msgspec.json.encode(body)


def _result(answer: httpx.Response) -> Any:
    if answer.is_success:
        return msgspec.json.decode(answer.content) if answer.content else None
    try:
        document = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        document = None
    text = document.get("message") if isinstance(document, dict) else None
    raise ControlError(answer.status_code, text or answer.text or answer.reason_phrase)
