"""`python -m localhub.hub --state DIR`: the hub process; it runs until SIGTERM."""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import socket
import ssl
import sys
from dataclasses import replace
from pathlib import Path

import apsw
import uvloop

from localhub import certs, control
from localhub.https import server_context
from localhub.hub import contexts, logs
from localhub.hub.api import HubApi, metrics_app
from localhub.hub.broker import PORT, Broker
from localhub.hub.clock import Clock
from localhub.hub.configuration import Configuration
from localhub.hub.exposition import Exposition
from localhub.hub.login import IdentityVerifier
from localhub.hub.metrics import Metrics
from localhub.hub.routing import ManifestRouter, RoutesRefused
from localhub.hub.services import Services
from localhub.hub.store import Store
from localhub.identity import Identities
from localhub.state import State, StateError

log = logging.getLogger("localhub.hub")

SWITCH_S = 0.0005  # how long the loop may keep the store's thread from going on (the interpreter's default is 5 ms)
GC_THRESHOLDS = (20_000, 20, 50)  # what a message needs is freed by reference counts; cycles are rare here
METRICS_PORT = 9600


class CannotStart(Exception):
    """The hub cannot serve as it was asked to."""


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m localhub.hub", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".state"), help="the state folder of this localhub")
    arguments = parser.parse_args()
    logs.configure()
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        state = State.load(arguments.state)
        with contextlib.closing(Store(state.hub_db, synced=state.manners.synced)) as store:
            uvloop.run(serve(state, store))
    except (StateError, RoutesRefused, CannotStart, FileExistsError, apsw.Error) as error:
        log.critical("%s", error)
        return 1
    return 0


async def serve(state: State, store: Store) -> None:
    """Load keys and routes, open the ports, serve until a signal."""
    authority = certs.ensure(state)
    identities = Identities.load(state.identities)
    clock = Clock()
    verifier = IdentityVerifier(
        identities, state.hub_names, authority.certificate, clock, lambda: Identities.load(state.identities)
    )
    router = ManifestRouter(state.gateway)
    configuration = Configuration(router, state.manifest)
    services = Services(state, clock)
    metrics = Metrics(state.hub_name, state.gateway, clock)
    broker = Broker(
        gateway=state.gateway,
        store=store,
        verifier=verifier,
        router=router,
        services=services,
        uplink=services.uplink,
        metrics=metrics,
        clock=clock,
        manners=state.manners,
    )
    router.changed = broker.rerouted
    services.attach(broker, configuration.take)
    configuration.start(broker, services.report.configured, lambda: services.twins.known_desired(services.identity))

    context = contexts.asking_context(state, identities)

    def reload() -> None:
        verifier.identities = Identities.load(state.identities)
        contexts.trust(context, state, verifier.identities)
        broker.recheck()
        configuration.reload()
        log.info("identities and %d routes are loaded", router.routes)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(explain)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(metrics_listener(state))
        await stack.enter_async_context(
            control.serving_on(metrics_app(Exposition(metrics, services.figures).text), listener)
        )
        try:
            await stack.enter_async_context(broker.serving(state.address, context))
        except OSError as error:
            raise CannotStart(port_taken(state, error)) from error
        await stack.enter_async_context(services.serving(server_context(state)))
        api = HubApi(broker, services, reload)
        await stack.enter_async_context(control.serving(api.app(), state.hub_socket))
        log.info(
            "serving %s:%d with %d routes, metrics on port %d",
            state.address,
            PORT,
            router.routes,
            metrics_port(listener),
        )
        await stop.wait()
        log.info("stopping")


def metrics_listener(state: State) -> socket.socket:
    """A socket for /metrics, on the port of last time or of edgeHub if it is free; what was chosen is recorded."""
    listener = None
    for port in dict.fromkeys((state.metrics_port or METRICS_PORT, 0)):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((state.address, port))
            break
        except OSError as error:
            listener.close()
            if not port:
                raise CannotStart(f"{state.address} cannot be used: {error.strerror}") from error
    assert listener is not None
    listener.listen()
    listener.setblocking(False)
    if metrics_port(listener) != state.metrics_port:
        replace(State.load(state.root), metrics_port=metrics_port(listener)).save()
    return listener


def metrics_port(listener: socket.socket) -> int:
    """The port a socket is bound to."""
    port: int = listener.getsockname()[1]
    return port


def port_taken(state: State, error: OSError) -> str:
    """What to do when the MQTT port cannot be bound."""
    return (
        f"{state.address}:{PORT} cannot be used ({error.strerror}): another hub or broker has it. "
        "Go round it with another loopback address, for example `--address 127.0.0.2`"
    )


def explain(_loop: asyncio.AbstractEventLoop, facts: dict[str, object]) -> None:
    """Log what asyncio reports: a broken connection in a line, anything else in full."""
    error = facts.get("exception")
    if isinstance(error, ssl.SSLError | ConnectionError):
        log.warning("a connection broke: %s", error)
    else:
        log.error("%s", facts.get("message"), exc_info=error if isinstance(error, BaseException) else None)


if __name__ == "__main__":
    sys.exit(main())
