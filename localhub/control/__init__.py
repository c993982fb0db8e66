"""How the processes of one localhub speak to each other and to the command line: HTTP with JSON over Unix sockets.

    app = control.application(control.get("/status", status), control.post("/link", set_link))
    async with control.serving(app, state.run / "hub.sock"): ...

    control.Client(path, hint=control.start_hint(state.root)).get("/status")

Names are fetched on first use, so that a server does not pay for the client's imports, nor the command line for the
server's (some 200 ms each on a small machine).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localhub.control.client import AsyncClient, Client, ControlError, NotRunningError, start_hint
    from localhub.control.server import (
        Call,
        Handler,
        Refused,
        application,
        get,
        patch,
        post,
        put,
        route,
        serve,
        serving,
        serving_on,
    )
    from localhub.control.sockets import answers, listen, listening, peer_pid, wait_for

__all__ = [
    "AsyncClient",
    "Call",
    "Client",
    "ControlError",
    "Handler",
    "NotRunningError",
    "Refused",
    "answers",
    "application",
    "get",
    "listen",
    "listening",
    "patch",
    "peer_pid",
    "post",
    "put",
    "route",
    "serve",
    "serving",
    "serving_on",
    "start_hint",
    "wait_for",
]

_CLIENT = {"AsyncClient", "Client", "ControlError", "NotRunningError", "start_hint"}
_SOCKETS = {"answers", "listen", "listening", "peer_pid", "wait_for"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    part = "client" if name in _CLIENT else "sockets" if name in _SOCKETS else "server"
    return getattr(importlib.import_module(f"localhub.control.{part}"), name)
