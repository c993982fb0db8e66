"""Details pulled from a module's own view while someone looks (modules/common/view.py serves them)."""

import logging
import ssl
from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson

from modules.status.roster import Roster

log = logging.getLogger(__name__)

_SECONDS: Final = 2.0
_LARGEST: Final = 4 << 20


class ViewError(Exception):
    """The module cannot show this now; the text says why."""


class ViewQueryError(ValueError):
    """The module makes no sense of what it was asked for."""


class Views:
    """Asks modules by name; where they are, and with which token, their heartbeats say."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        # No proxy and no redirect: the address came from a heartbeat and nothing else may be fetched by it.
        # Plain HTTP on the module network; a context without authorities costs no time and trusts nobody.
        self._client = httpx.AsyncClient(
            timeout=_SECONDS,
            trust_env=False,
            follow_redirects=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    async def get(self, module: str, path: str, query: Mapping[str, str] | None = None) -> tuple[str, bytes]:
        """Content type and body of `/view/<path>`. LookupError for what does not exist.

        Raises ViewQueryError for a query that makes no sense, ViewError otherwise.
        """
        member = self._roster.members.get(module)
        view = member.document.get("view") if member else None
        if not isinstance(view, Mapping):
            raise ViewError(f"{module} has not said where its view is")
        try:
            async with self._client.stream(
                "GET",
                f"{view.get('url')}/view/{path}",
                params=query,
                headers={"Authorization": f"Bearer {view.get('token')}"},
            ) as answer:
                body = bytearray()
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _LARGEST:
                        raise ViewError(f"{module} shows more than {_LARGEST} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ViewError(f"{module} does not answer: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise LookupError(path)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ViewQueryError(f"{module} makes no sense of the query")
        if answer.status_code != httpx.codes.OK:
            raise ViewError(f"{module} answers {answer.status_code}")
        return answer.headers.get("content-type", "application/octet-stream"), bytes(body)

    async def json(self, module: str, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON value of a view."""
        _, body = await self.get(module, path, query)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ViewError(f"{module} answers no JSON") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
