"""One client that floods the hub does not starve another: both on real connections, in processes of their own."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localhub import control
from localhub.identity import Identity
from localhub.state import write_atomic
from localhub.wire import writer
from localhub.wire.packets import Connect, Publish
from localhub.wire.parser import Parser

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub

TRIPS = 40
TIMES_AS_LONG = 25
GROWTH = 60_000_000
ROUTES = {
    "noise": 'FROM /messages/modules/alpha/* INTO BrokeredEndpoint("/modules/beta/inputs/in")',
    "quiet": 'FROM /messages/modules/gamma/* INTO BrokeredEndpoint("/modules/gamma/inputs/in")',
}


def login(hub: Hub, module: str) -> bytes:
    identity = Identity(hub.state.gateway, module)
    user = f"{hub.state.hub_name}/{identity}/?api-version=1"
    return writer.connect(Connect(str(identity), 4, True, 60, user, hub.password(identity).encode()))


class Quiet:
    """A client that sends a message to itself now and then."""

    def __init__(self, hub: Hub) -> None:
        context = ssl.create_default_context(cafile=str(hub.state.ca_certificate))
        plain = socket.create_connection((hub.state.address, 8883), 60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname=hub.state.address)
        self._parser = Parser()
        self._socket.sendall(login(hub, "gamma") + writer.subscribe(1, [("devices/gw1/modules/gamma/inputs/#", 1)]))

    def trips(self) -> float:
        """The median of TRIPS, from sending to receiving, in seconds: the least of three, for others may be at work."""
        return min(self._median() for _ in range(3))

    def _median(self) -> float:
        taken = []
        for number in range(TRIPS):
            began = time.monotonic()
            body = b"%d" % number
            self._socket.sendall(writer.publish(b"devices/gw1/modules/gamma/messages/events/", body, 1, number + 1))
            while self._heard() != body:
                pass
            taken.append(time.monotonic() - began)
            time.sleep(0.002)
        return statistics.median(taken)

    def close(self) -> None:
        self._socket.close()

    def _heard(self) -> bytes | None:
        while (packet := self._parser.next()) is None:
            self._parser.feed(self._socket.recv(65_536))
        if isinstance(packet, Publish):
            self._socket.sendall(writer.puback(packet.packet_id))
            return packet.payload
        return None


@pytest.fixture
def served(hub: Hub, eventually: Callable[..., None]) -> Iterator[int]:
    """The process id of a hub in the state folder of one that was stopped."""
    hub.stop()
    desired = {"schemaVersion": "1.1", "routes": ROUTES, "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}}
    write_atomic(hub.state.manifest, json.dumps({"$edgeHub": {"properties.desired": desired}}).encode())
    command = [sys.executable, "-m", "localhub.hub", "--state", str(hub.state.root)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: control.answers(hub.state.hub_socket))
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@contextmanager
def flood(hub: Hub, kind: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.localhub.hub.process.flooder", hub.state.address]
    command += [str(hub.state.ca_certificate), login(hub, "alpha").hex(), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"flooding\n"
            yield
            assert process.poll() is None, "it was let go; there was no flood"
        finally:
            process.kill()


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_flood_does_not_starve_a_quiet_client(hub: Hub, served: int) -> None:
    quiet = Quiet(hub)
    quiet.trips()
    alone, before = quiet.trips(), memory(served)
    figures = {}
    for kind in ("stored", "unrouted", "pings", "large"):
        with flood(hub, kind):
            figures[kind] = quiet.trips() / alone
    quiet.close()
    grown = memory(served) - before
    print(f"{alone * 1e3:.2f} ms alone; times as long in a flood: {figures}; {grown / 1e6:.0f} MB")  # noqa: T201
    assert max(figures.values()) < TIMES_AS_LONG, figures
    assert grown < GROWTH
