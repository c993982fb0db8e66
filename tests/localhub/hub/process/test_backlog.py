"""A long outage of a receiver: 100,000 messages wait on disk, not in memory, and come in order."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localhub import control
from localhub.identity import Identity
from localhub.state import write_atomic
from localhub.testing.load import Login, Receiver, Sender, connected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.localhub.hub.conftest import Hub

MESSAGES = 100_000
BODY_BYTES = 1_000
MEMORY_LIMIT = 150_000_000


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_backlog_of_100000_costs_disk_and_not_memory(hub: Hub, eventually: Callable[..., None]) -> None:
    hub.stop()
    state = hub.state
    desired = {
        "schemaVersion": "1.1",
        "routes": {"r": 'FROM /messages/modules/alpha/* INTO BrokeredEndpoint("/modules/beta/inputs/in")'},
        "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
    }
    write_atomic(state.manifest, json.dumps({"$edgeHub": {"properties.desired": desired}}).encode())
    command = [sys.executable, "-m", "localhub.hub", "--state", str(state.root)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: control.answers(state.hub_socket))
            peak = asyncio.run(_story(hub, process.pid))
            eventually(lambda: state.hub_db.stat().st_size < peak // 2)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _memory(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


async def _story(hub: Hub, pid: int) -> int:
    state = hub.state
    context = ssl.create_default_context(cafile=str(state.ca_certificate))

    def login(module: str) -> Login:
        identity = Identity(state.gateway, module)
        return Login(str(identity), f"{state.hub_name}/{identity}/?api-version=1", hub.password(identity))

    sender = Sender(login("alpha"), "devices/gw1/modules/alpha/messages/events/%24.on=x&k=v", BODY_BYTES)
    await connected([sender], state.address, 8883, context)
    await asyncio.wait_for(sender.send(MESSAGES), 120)
    waiting = _memory(pid)
    peak = state.hub_db.stat().st_size
    assert peak > MESSAGES * BODY_BYTES
    receiver = Receiver(login("beta"), "devices/gw1/modules/beta/inputs/#")
    await connected([receiver], state.address, 8883, context)
    began = time.monotonic()
    await asyncio.wait_for(receiver.receive(MESSAGES), 170)
    draining = _memory(pid)
    figures = f"{waiting / 1e6:.0f} MB waiting, {draining / 1e6:.0f} MB drained in {time.monotonic() - began:.0f} s"
    assert max(waiting, draining) < MEMORY_LIMIT, figures
    print(figures)  # noqa: T201 - worth seeing with -s
    sender.transport.abort()
    receiver.transport.abort()
    return peak
