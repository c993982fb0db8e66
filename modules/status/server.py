"""The HTTP server, in the module's own event loop."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn

from modules.common.messages import rfc3339
from modules.status.api import make_app
from modules.status.api.quick import Quick
from modules.status.certificate import Certificate, Issuer
from modules.status.guard import Guard
from modules.status.module import StatusModule
from modules.status.near import Near
from modules.status.patience import PatientProtocol
from modules.status.tokens import Tokens

log = logging.getLogger(__name__)

TOKENS: Final = "tokens"
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
    """Serves `module` until stopped. Raises OSError and TokenError when there are no tokens to be had."""

    def __init__(self, module: StatusModule) -> None:
        settings = module.edge.settings
        self._host, self._port = settings.status_host, settings.status_port
        everywhere = self._host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
        made = module.edge.state_dir / TOKENS
        tokens = Tokens.load(Path(settings.tokens) if settings.tokens else made, made)
        app = make_app(module)
        app.state.tokens = tokens
        guarded = Guard(
            Quick(app, app.state.understood),
            tokens=tokens,
            settings=lambda: module.edge.settings,
            near=Near(in_container=everywhere),
            noted=lambda what, about, caller, result: module.desk.refused("", what, about, caller, result),
        )
        log.info("the tokens are in %s", settings.tokens or made)
        self._certificate: Certificate | None = None
        if settings.tls:
            name = settings.tls_name or os.environ.get("IOTEDGE_GATEWAYHOSTNAME", "localhost")
            self._certificate = Certificate(Issuer.from_environment(os.environ), name)
        self._config = uvicorn.Config(
            guarded,
            http=PatientProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,  # a header must not say who asks
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=1,
            limit_concurrency=256,
        )
        self._server = _Server(self._config)
        self._module = module
        self._stopped = asyncio.Event()
        module.edge.background("page", self.serve)
        module.edge.on_stop(self.stop)

    async def serve(self) -> None:
        """Listen and answer. Raises PortTakenError, CertificateError."""
        listener = self._listener()
        self._config.load()
        renewing: asyncio.Task[None] | None = None
        if self._certificate is not None:
            await self._certificate.begin()
            self._config.ssl = self._certificate.context
            assert self._certificate.ends is not None
            self._module.certificate_ends = rfc3339(self._certificate.ends)
            renewing = asyncio.create_task(self._certificate.stay())
        log.info("the page is on http%s://%s:%d/", "s" if self._certificate else "", self._host, self._port)
        try:
            await self._server.serve(sockets=[listener])
        finally:
            if renewing is not None:
                renewing.cancel()
            self._stopped.set()

    def _listener(self) -> socket.socket:
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
        return listener

    async def stop(self) -> None:
        """End the streams, stop answering, then close what answers came from."""
        self._module.events.close()
        self._server.should_exit = True
        async with asyncio.timeout(_STOP_SECONDS):
            await self._stopped.wait()
        await self._module.close()
