"""A webhook: each notice is posted as JSON, signed where a secret is set (httpx)."""

import asyncio
import hmac
import ssl
import time
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

import httpx
from pydantic import Field, model_validator

from modules.alarms.notice import Notice
from modules.alarms.outputs.base import MessengerSettings, OutputError
from modules.common.field.reach import FieldError, secret

# RFC 9110, 15.5: what stays wrong however often it is sent. A 401, 403 or 404 may be mended at the far end.
_REFUSED: Final = (400, 405, 410, 411, 413, 414, 415, 422, 431)
_SHORTEST: Final = 16  # characters of a secret


class Webhook(MessengerSettings):
    """An address that takes POST."""

    type: Literal["webhook"]
    url: str | None = Field(
        None, title="Address", description="without anything secret in it", pattern=r"^https?://[^@\s]+$"
    )
    url_file: Path | None = Field(
        None, title="Address in a file", description="mounted; for an address that is itself a secret"
    )
    secret_file: Path | None = Field(None, title="Secret", description="a mounted file; signs what is posted")
    token_file: Path | None = Field(None, title="Token", description="a mounted file, sent as Authorization: Bearer")
    ca_file: Path | None = Field(None, title="CA", description="PEM; trusted in place of the system's")
    patience_s: float = Field(15.0, ge=0.1, le=300, title="Patience", description="seconds for one try")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("either url or url_file")
        return self

    def make(self) -> "WebhookMessenger":
        """The messenger of this address."""
        return WebhookMessenger(self)


class WebhookMessenger:
    """Posts. A 2xx is what the far end has taken; its body is not read."""

    remark = ""

    def __init__(self, settings: Webhook) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def send(self, notice: Notice) -> None:
        """Post. Raises OutputError, FieldError."""
        url, headers, body = await asyncio.to_thread(self._request, notice)
        where = urlsplit(url).hostname or "the address"
        try:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
            async with self._client.stream("POST", url, content=body, headers=headers) as answer:
                status = answer.status_code
        except httpx.TimeoutException as error:
            raise OutputError(f"{where}: no answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = str(error) if isinstance(error, httpx.ConnectError) else ""
            raise OutputError(f"{where}: {what or type(error).__name__}") from error
        if not 200 <= status < 300:
            raise OutputError(f"{where}: answers {status}", refused=status in _REFUSED)

    async def check(self) -> bool:
        """Nothing is asked of a webhook but what it is for."""
        return False

    async def close(self) -> None:
        """Close its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        settings = self._settings
        try:
            verify = True if settings.ca_file is None else ssl.create_default_context(cafile=str(settings.ca_file))
        except OSError as error:  # ssl.SSLError is one
            raise FieldError(f"{settings.ca_file} cannot be used: {error}") from error
        # Each step has its share of the patience: what is cancelled from outside is not closed by httpx.
        whole = settings.patience_s
        timeout = httpx.Timeout(connect=0.2 * whole, write=0.1 * whole, read=0.35 * whole, pool=0.1 * whole)
        return httpx.AsyncClient(verify=verify, timeout=timeout, follow_redirects=False)

    def _request(self, notice: Notice) -> tuple[str, dict[str, str], bytes]:
        """Address, headers and body; what is mounted is read each time, so that it can be renewed."""
        settings = self._settings
        url = settings.url or secret(settings.url_file or Path())
        body = notice.encode()
        headers = {"Content-Type": "application/json", "X-Millwatch-Id": notice.id}
        if settings.token_file is not None:
            headers["Authorization"] = f"Bearer {secret(settings.token_file)}"
        if settings.secret_file is not None:
            key = secret(settings.secret_file)
            if len(key) < _SHORTEST:
                raise FieldError(f"{settings.secret_file} holds less than {_SHORTEST} characters")
            headers["X-Millwatch-Signature"] = signature(key, body, int(time.time()))
        return url, headers, body


def signature(key: str, body: bytes, at: int) -> str:
    """`t=UNIX_SECONDS,v1=HEX`: HMAC-SHA256 over the seconds, a dot and the body (docs/formats/alarms.md)."""
    return f"t={at},v1={hmac.new(key.encode(), b'%d.%b' % (at, body), sha256).hexdigest()}"
