"""The service API over TLS, on the gateway's address, with the hub's own certificate."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from localhub import address, https
from localhub.cloud.service import access
from localhub.cloud.service.api import ServiceApi
from localhub.cloud.service.service import Service
from localhub.state import State, write_atomic

PORT: Final = 8443
CERTIFICATE_S: Final = 30.0
ASK_EVERY_S: Final = 0.05

log = logging.getLogger(__name__)


def login(state: State) -> str:
    """The connection string for `--login`; raises FileNotFoundError where the API has never been served."""
    port = int(_port_file(state).read_text())
    return access.connection_string(f"{state.address}:{port}", access.ensure_key(_key_file(state)))


@contextlib.asynccontextmanager
async def serving(make: Callable[[int], ServiceApi], state: State) -> AsyncIterator[None]:
    """Serve the API that `make` gives for a port, while the block runs, as soon as the hub has made its certificate."""
    task = asyncio.create_task(_serve(make, state))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


async def _serve(make: Callable[[int], ServiceApi], state: State) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + CERTIFICATE_S
    while not (state.server_certificate.exists() and state.server_key.exists()):
        if loop.time() > end:
            log.warning("the service API is not served: the hub has made no certificate")
            return
        await asyncio.sleep(ASK_EVERY_S)  # the hub makes it at its first start, beside this process
    file = _port_file(state)
    port = address.free_port(state.address, int(file.read_text()) if file.exists() else PORT)
    try:
        async with https.serving(make(port).app(), https.server_context(state), state.address, port):
            write_atomic(file, str(port).encode())
            log.info("the service API is at https://%s:%d", state.address, port)
            await asyncio.Event().wait()
    except OSError as error:
        log.warning("the service API is not served: %s", error)


def _key_file(state: State) -> Path:
    return state.root / "cloud" / f"{access.POLICY}.key"


def _port_file(state: State) -> Path:
    return state.root / "cloud" / "service.port"


def make_api(service: Service, state: State, port: int) -> ServiceApi:
    """The API of a cloud, on a port of its first gateway's address."""
    hosts = [f"{host}:{port}" for host in (state.address, "localhost")]
    return ServiceApi(service, key=access.ensure_key(_key_file(state)), hosts=[*hosts, state.hub_name])
