"""Asks a running status module, for the command line."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

_SECONDS: Final = 5.0
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class UnreachableError(Exception):
    """The status module does not answer, or not to us; the text says what to do."""


class Client:
    """`url` as a browser has it; `token` where reading wants one; `ca` a file with the gateway's authority.

    On loopback no certificate is checked: who could stand in between there reads this process's memory, too.
    """

    def __init__(self, url: str, *, token: str = "", ca: Path | None = None) -> None:
        self.url: Final = url.rstrip("/")
        context = ssl.create_default_context(cafile=None if ca is None else os.fspath(ca))
        if ca is None and urlsplit(url).hostname in _LOOPBACK:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(
            base_url=self.url, timeout=_SECONDS, trust_env=False, verify=context, headers=headers
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def text(self, path: str, **query: str | int) -> str:
        """The body of GET `path`. Raises UnreachableError."""
        try:
            answer = self._client.get(path, params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self.url} does not answer ({error}): name it with --url") from error
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise UnreachableError(f"{self.url} wants a token: --token FILE names its file")
        if answer.status_code == httpx.codes.MISDIRECTED_REQUEST:
            raise UnreachableError(f"{self.url}: this host name is not among the setting `hosts`")
        if answer.is_error and not path.endswith("readyz"):
            raise UnreachableError(f"{self.url}{path} answers {answer.status_code}: {answer.text[:200]}")
        return answer.text

    def json(self, path: str, **query: str | int) -> Any:
        """The JSON value of GET `path`. Raises UnreachableError."""
        try:
            return httpx.Response(200, text=self.text(path, **query)).json()
        except ValueError as error:
            raise UnreachableError(f"{self.url}{path} answers no JSON: is it a status module?") from error
