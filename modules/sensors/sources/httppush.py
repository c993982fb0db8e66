"""HTTP push: devices that POST what they read (starlette on uvicorn).

POST /readings takes SenML, packed readings, or a JSON object of values by address; POST /waveforms/ADDRESS takes
float32 samples, little endian. Answers 204, or 400 to 415 with the reason in plain text, or 503 while no more can wait.
"""

import asyncio
import contextlib
import hmac
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import orjson
import uvicorn
from pydantic import Field, model_validator
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from modules.common.field.reach import secret
from modules.common.messages import PACKED, SENML, BadMessage, Reading, ReadingBatch, packed, senml
from modules.sensors.payload import unix_seconds
from modules.sensors.point import Point, Unusable
from modules.sensors.sources.base import Feed, SourceError, SourceSettings

_STOP_S: Final = 1.0
_RETRY_S: Final = 10  # an edgeHub that restarts is back by then
_TIME: Final = "time"


class HttpPush(SourceSettings):
    """A receiver. With points, a JSON object's values and waveforms are taken by their addresses."""

    type: Literal["http"]
    host: str = Field("127.0.0.1", title="Address to listen on", max_length=253)
    port: int = Field(9700, ge=1, le=65_535, title="Port")
    token_file: Path = Field(title="Token", description="a mounted file; senders say Authorization: Bearer TOKEN")
    cert_file: Path | None = Field(None, title="Certificate", description="PEM; with it the receiver speaks TLS")
    key_file: Path | None = Field(None, title="Key", description="PEM, of the certificate")
    prefix: str = Field(
        "", title="Prefix", description="put before names in SenML", pattern=r"^([A-Za-z0-9][A-Za-z0-9\-:./_]*)?$"
    )
    largest: int = Field(262_144, ge=1024, le=16 << 20, title="Largest body", description="bytes")
    interval_s: Annotated[float, Field(title="Interval", ge=0, le=86_400)] = 0.1

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        return self

    def make(self, points: tuple[Point, ...]) -> "HttpSource":
        """The source that listens for `points`, and for SenML."""
        return HttpSource(self, points)


class _Server(uvicorn.Server):
    """Signals are the edge client's: it stops this server in its turn."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGTERM and SIGINT alone."""
        yield


class HttpSource:
    """Listens."""

    def __init__(self, settings: HttpPush, points: tuple[Point, ...]) -> None:
        self._settings = settings
        self._points = {point.address: point for point in points}

    async def run(self, feed: Feed) -> None:
        """Listen until cancelled. Raises SourceError when it cannot."""
        settings = self._settings
        token = secret(settings.token_file)
        if len(token) < 16:
            raise SourceError(f"{settings.token_file} holds less than 16 characters: anybody could guess them")
        listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, settings.port))
            server = self._server(_Receiver(settings, self._points, token, feed))
        except OSError as error:
            listener.close()
            raise SourceError(f"{settings.host}:{settings.port}: {error.strerror or error}") from error
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            feed.connected()
            await asyncio.shield(serving)
            raise SourceError("the receiver ended")
        finally:
            server.should_exit = server.force_exit = True
            await asyncio.wait([serving], timeout=_STOP_S)
            listener.close()

    def _server(self, receiver: "_Receiver") -> _Server:
        settings = self._settings
        config = uvicorn.Config(
            receiver.app(),
            log_config=None,
            access_log=False,
            server_header=False,
            http="h11",  # its bound on heads is the one below
            ws="none",
            lifespan="off",
            limit_concurrency=64,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=16_384,
            ssl_certfile=None if settings.cert_file is None else str(settings.cert_file),
            ssl_keyfile=None if settings.key_file is None else str(settings.key_file),
        )
        config.load()  # a certificate that cannot be read is told now
        return _Server(config)


class _Receiver:
    """Answers requests."""

    def __init__(self, settings: HttpPush, points: Mapping[str, Point], token: str, feed: Feed) -> None:
        self._settings, self._points, self._feed = settings, points, feed
        self._wanted = f"Bearer {token}".encode()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/readings", self._readings, methods=["POST"]),
                Route("/waveforms/{address:path}", self._waveform, methods=["POST"]),
            ]
        )

    async def _readings(self, request: Request) -> Response:
        body = await self._body(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if kind == SENML:
                self._take_batch(senml.decode(body, now=time.time()))
            elif kind == PACKED:
                self._take_batch(packed.decode(body))
            elif kind == "application/json":
                self._take_values(body)
            else:
                raise HTTPException(415, f"a content type that is taken: {SENML}, {PACKED}, application/json")
        except (BadMessage, Unusable) as error:
            self._feed.refuse(error.reason)
            return PlainTextResponse(str(error), 400)
        return Response(status_code=204)

    async def _waveform(self, request: Request) -> Response:
        body = await self._body(request)
        point = self._points.get(request.path_params["address"])
        if point is None or point.rate_hz is None:
            self._feed.refuse("unknown_point")
            return PlainTextResponse("no waveform of this address is set", 404)
        if len(body) % 4 or not body:
            self._feed.refuse("wrong_shape")
            return PlainTextResponse("the body must be float32 samples", 400)
        self._feed.take(point, memoryview(body).cast("f").tolist())
        return Response(status_code=204)

    def _take_batch(self, batch: ReadingBatch) -> None:
        for reason, count in batch.rejected.items():
            self._feed.refuse(reason, count)
        for name, value, at, unit in zip(batch.names, batch.values, batch.times, batch.units, strict=True):
            self._feed.reading(Reading(self._settings.prefix + name, value, at, unit))

    def _take_values(self, body: bytes) -> None:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Unusable("not_json") from None
        if not isinstance(document, dict):
            raise Unusable("wrong_shape")
        at = unix_seconds(document.pop(_TIME)) if _TIME in document else None
        for address, value in document.items():
            point = self._points.get(address)
            if point is None:
                self._feed.refuse("unknown_point")
            else:
                self._feed.take(point, value, at)

    async def _body(self, request: Request) -> bytes:
        """The body of a request that may be answered. Raises HTTPException."""
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._wanted):
            self._feed.refuse("unauthorized")
            raise HTTPException(401, "the token is not the one of this receiver", {"WWW-Authenticate": "Bearer"})
        if not self._feed.room():
            self._feed.refuse("turned_away")
            raise HTTPException(503, "edgeHub is away and no more can wait here", {"Retry-After": str(_RETRY_S)})
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._settings.largest:
                self._feed.refuse("too_long")
                raise HTTPException(413, f"more than {self._settings.largest} bytes")
        return bytes(body)
