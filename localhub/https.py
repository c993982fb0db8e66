"""HTTP over TLS with the hub's certificate, in the process' own event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from localhub.state import State


def server_context(state: State) -> ssl.SSLContext:
    """TLS 1.2 must be allowed, the Python SDK can do no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(state.server_certificate, state.server_key)
    return context


@asynccontextmanager
async def serving(app: Starlette, context: ssl.SSLContext, address: str, port: int) -> AsyncIterator[int]:
    """Serve while the block runs; gives the port (0: any free one). Raises OSError when it cannot be bound."""
    state = ServerState()
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: H11Protocol(config, state, {}), address, port, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
