"""Direct methods: what the cloud, or a technician beside the gateway, asks of a module."""

import logging
from collections.abc import Awaitable, Callable

from modules.common.transport import MethodCall, TransportDownError

log = logging.getLogger(__name__)

MethodHandler = Callable[[object], Awaitable[object]]


class MethodError(Exception):
    """A direct method that cannot be carried out; the caller gets `status` and the text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Methods:
    """Handlers by name; every call is answered."""

    def __init__(self) -> None:
        self.handlers: dict[str, MethodHandler] = {}

    async def answer(self, call: MethodCall) -> None:
        """Carry out `call` and respond: 200, the status of a MethodError, 404 for an unknown name, 500 for a bug."""
        handler = self.handlers.get(call.name)
        status: int
        payload: object
        if handler is None:
            status, payload = 404, {"error": f"no method {call.name}", "methods": sorted(self.handlers)}
        else:
            try:
                status, payload = 200, await handler(call.payload)
            except MethodError as error:
                status, payload = error.status, {"error": str(error)}
            except Exception:  # the caller must get an answer, and the module must go on
                log.exception("method %s failed", call.name)
                status, payload = 500, {"error": f"{call.name} failed; the module's log says why"}
        try:
            await call.respond(status, payload)
        except TransportDownError:
            log.warning("the answer to method %s was lost with the connection", call.name)
