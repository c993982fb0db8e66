"""Direct methods over HTTPS, as modules invoke each other's: POST /twins/{device}[/modules/{module}]/methods.

The SDK speaks to port 443 of the gateway and to no other. Where that port cannot be bound, modules cannot call each
other and everything else works: one line in the log says so.
"""

import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import unquote_plus

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localhub import https
from localhub.hub.methods import MethodError, MethodRequest, Methods
from localhub.hub.servicemetrics import Calls
from localhub.identity import Identity

CALLER = "x-ms-edge-moduleId"
BODY_LIMIT = 1 << 20  # bytes; the payload's own limit is 128 KB

Authenticate = Callable[[Identity, bytes], str | None]

log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(app: Starlette, context: ssl.SSLContext, address: str, port: int | None) -> AsyncIterator[int | None]:
    """Serve while the block runs; gives the port, or None when it could not be bound or none was asked for."""
    async with AsyncExitStack() as stack:
        bound = None
        if port is not None:
            try:
                bound = await stack.enter_async_context(https.serving(app, context, address, port))
            except OSError as error:
                log.warning(
                    "methods between modules are not served: port %d of %s cannot be bound (%s); "
                    "the SDK calls no other port",
                    port,
                    address,
                    os.strerror(error.errno or 0),  # asyncio's own text repeats the address
                )
        yield bound


def application(methods: Methods, authenticate: Authenticate, gateway: str, calls: Calls) -> Starlette:
    """The app; `authenticate` says why an identity's token is refused, None when it is good."""

    async def invoke(request: Request) -> Response:
        try:
            caller = _authorize(request, authenticate, gateway)
            target = _target(request)
            asked = MethodRequest.parse(await _body(request))
            with calls.timed(str(caller), str(target)):
                result = await methods.invoke(target, asked)
        except MethodError as error:
            return _answer(error.status, msgspec.json.encode({"message": str(error)}))
        payload = result.payload or b"null"
        return _answer(200, b'{"status":%d,"payload":%b}' % (result.status, payload))

    return Starlette(
        routes=[
            Route("/twins/{device}/modules/{module}/methods", invoke, methods=["POST"]),
            Route("/twins/{device}/methods", invoke, methods=["POST"]),
        ]
    )


def _authorize(request: Request, authenticate: Authenticate, gateway: str) -> Identity:
    """Who calls."""
    device, _, module = unquote_plus(request.headers.get(CALLER, "")).partition("/")
    if not device or not module:
        raise MethodError(400, f"Invalid header value for {CALLER}")
    if device != gateway:
        raise MethodError(401, "Only modules on the same device can invoke DirectMethods")
    caller = Identity(device, module)
    refused = authenticate(caller, request.headers.get("authorization", "").encode())
    if refused is not None:
        raise MethodError(401, refused)
    return caller


def _target(request: Request) -> Identity:
    module = request.path_params.get("module")
    return Identity(unquote_plus(request.path_params["device"]), None if module is None else unquote_plus(module))


async def _body(request: Request) -> object:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT:
            raise MethodError(400, f"the body has more than {BODY_LIMIT} bytes")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MethodError(400, f"the body is not JSON: {error}") from error


def _answer(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json; charset=utf-8")
