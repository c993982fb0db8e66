"""The HTTP server, in the module's own event loop."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn

from modules.status.api import make_app
from modules.status.guard import Guard, load_token
from modules.status.module import StatusModule

log = logging.getLogger(__name__)

_TOKEN_FILE: Final = "token"  # noqa: S105 - a file name
_STOP_SECONDS: Final = 2.0


class PortTakenError(OSError):
    """The address is in use; the text says by which setting to go elsewhere."""


class _Server(uvicorn.Server):
    """Signals are the edge client's: it stops this server in its turn."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGTERM and SIGINT alone."""
        yield


class StatusServer:
    """Serves `module` until stopped."""

    def __init__(self, module: StatusModule) -> None:
        settings = module.edge.settings
        self._host, self._port = settings.status_host, settings.status_port
        everywhere = self._host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
        token_file = module.edge.state_dir / _TOKEN_FILE
        app = Guard(
            make_app(module),
            token=load_token(token_file),
            hosts=lambda: module.edge.settings.hosts,
            in_container=everywhere,
        )
        log.info("the token for acting is in %s", token_file)
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                ws="none",
                lifespan="off",
                timeout_graceful_shutdown=1,
                limit_concurrency=256,
                h11_max_incomplete_event_size=16_384,
            )
        )
        self._module = module
        self._stopped = asyncio.Event()
        module.edge.background("page", self.serve)
        module.edge.on_stop(self.stop)

    async def serve(self) -> None:
        """Listen and answer. Raises PortTakenError."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise PortTakenError(
                f"{self._host}:{self._port} cannot be had ({error.strerror}): set MILLWATCH_STATUS_PORT,"
                " or run `make run PORT=8081`"
            ) from error
        log.info("the page is on http://%s:%d/", self._host, self._port)
        try:
            await self._server.serve(sockets=[listener])
        finally:
            self._stopped.set()

    async def stop(self) -> None:
        """End the streams, stop answering, then close what answers came from."""
        self._module.events.close()
        self._server.should_exit = True
        async with asyncio.timeout(_STOP_SECONDS):
            await self._stopped.wait()
        await self._module.close()
