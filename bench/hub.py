"""localhub's hub: durable messages in and out per second, and the same work on Mosquitto.

Eight senders and eight receivers, QoS 1 over TLS, 1,000-byte bodies, one receiver for each sender; a message's id and
number among its properties are its own, as an SDK makes them. Then 25 of each at once; 20 KB messages from one module
to another, one at a time; and what 100,000 messages for a module that is away cost in memory. The hub writes every
message to disk before it acknowledges it; Mosquitto keeps its own rules (persistence on, saved now and then), with
set_tcp_nodelay, without which larger messages would measure the kernel's timers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from bench.claim import Claim
from localhub import certs, sas
from localhub.identity import Identities, Identity
from localhub.state import State, write_atomic
from localhub.testing.load import NUMBER, LoadError, Login, Receiver, Sender, connected

PAIRS = 8
MOST_PAIRS = 25
BODY_BYTES = 1000
PICTURE_BYTES = 20_000
WARM_UP = 500
START_S = 20.0
MQTT_PORT = 8883
PEER_PORT = 28_883
PEER_CONFIG = """\
listener {port} {address}
cafile {ca}
certfile {certificate}
keyfile {key}
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 0
persistence true
persistence_location {folder}/
user root
log_type error
"""


def run(*, quick: bool) -> dict[str, Claim]:
    """Measure the hub, then Mosquitto where it is installed, with the same clients."""
    count, rounds = (1_000, 1) if quick else (3_000, 3)
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    with tempfile.TemporaryDirectory(prefix="bench-hub-") as folder, contextlib.ExitStack() as stack:
        state = _state(Path(folder))
        identities = Identities.load(state.identities)
        if program is not None:
            stack.enter_context(_mosquitto(program, state))
        ours, theirs = 0.0, 0.0
        hub = stack.enter_context(_hub(state))
        for _ in range(rounds):  # by turns, and the best of each: what else the machine does hits both alike
            ours = max(ours, uvloop.run(_measure(state, MQTT_PORT, count, identities)))
            if program is not None:
                theirs = max(theirs, uvloop.run(_measure(state, PEER_PORT, count, None)))
        many = uvloop.run(_measure(state, MQTT_PORT, count // 3, identities, MOST_PAIRS))
        picture_ms = uvloop.run(_picture_ms(state, identities, 100 if quick else 1_000))
        backlog_mb = uvloop.run(_backlog_mb(state, identities, hub, 10_000 if quick else 100_000))
    claims = {
        "raw_per_s": Claim(ours, "messages/s", floor=3_000, aim=6_000),
        "clients50_per_s": Claim(many, "messages/s", floor=3_000, aim=6_000),
        "picture_p99_ms": Claim(picture_ms, "ms", floor=20, aim=5, lower_is_better=True),
        "backlog_mb": Claim(backlog_mb, "MB", floor=150, aim=100, lower_is_better=True),
    }
    if program is None:
        print("hub:vs_mosquitto is left out: mosquitto is not installed", file=sys.stderr)
    else:
        peer = f"Mosquitto, {theirs:,.0f} messages/s"
        claims["vs_mosquitto"] = Claim(ours / theirs, "x", floor=0.15, aim=0.4, peer=peer)
    return claims


async def _measure(state: State, port: int, count: int, identities: Identities | None, pairs: int = PAIRS) -> float:
    """Messages per second from senders to as many receivers; identities are those of the hub, None for the peer."""
    senders = [_sender(state, identities, index, BODY_BYTES) for index in range(pairs)]
    receivers = [_receiver(state, identities, index) for index in range(pairs)]
    await connected([*receivers, *senders], state.address, port, _context(state))

    async def work(each: int) -> float:
        began = time.perf_counter()
        flows = [receiver.receive(each) for receiver in receivers] + [sender.send(each) for sender in senders]
        async with asyncio.timeout(300):
            await asyncio.gather(*flows)
        return pairs * each / (time.perf_counter() - began)

    await work(WARM_UP)
    rate = await work(count)
    for client in (*senders, *receivers):
        client.transport.abort()
    return rate


async def _picture_ms(state: State, identities: Identities, count: int) -> float:
    """From sending 20 KB to receiving them, one message at a time: the 99th percentile."""
    sender, receiver = _sender(state, identities, MOST_PAIRS, PICTURE_BYTES), _receiver(state, identities, MOST_PAIRS)
    await connected([receiver, sender], state.address, MQTT_PORT, _context(state))
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        sent = sender.send(1)
        await receiver.receive(1)
        taken.append(1e3 * (time.perf_counter() - began))
        await sent
    for client in (sender, receiver):
        client.transport.abort()
    return sorted(taken)[count * 99 // 100]


async def _backlog_mb(state: State, identities: Identities, hub: int, count: int) -> float:
    """What the hub holds in memory at most while messages wait for a module that is away, and while they drain."""
    sender = _sender(state, identities, MOST_PAIRS + 1, BODY_BYTES)
    await connected([sender], state.address, MQTT_PORT, _context(state))
    await sender.send(count)
    most = _resident(hub)
    receiver = _receiver(state, identities, MOST_PAIRS + 1)
    await connected([receiver], state.address, MQTT_PORT, _context(state))
    for _ in range(10):
        await receiver.receive(count // 10)  # it fails when one is missing or out of order
        most = max(most, _resident(hub))
    for client in (sender, receiver):
        client.transport.abort()
    return most / 1e6


def _resident(pid: int) -> int:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def _context(state: State) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(state.ca_certificate))


def _sender(state: State, identities: Identities | None, index: int, size: int) -> Sender:
    bag = f"%24.mid=0190-{index}-{NUMBER}&%24.ct=application%2Fjson&%24.ce=utf-8&kind=readings&schema=1&seq={NUMBER}"
    topic = f"devices/{state.gateway}/modules/s{index}/messages/events/%24.on=x&{bag}"
    if identities is None:
        topic = f"devices/{state.gateway}/modules/r{index}/inputs/in/{bag}"
    return Sender(_login(state, identities, f"s{index}"), topic, size)


def _receiver(state: State, identities: Identities | None, index: int) -> Receiver:
    module = f"r{index}"
    return Receiver(_login(state, identities, module), f"devices/{state.gateway}/modules/{module}/inputs/#")


def _login(state: State, identities: Identities | None, module: str) -> Login:
    if identities is None:
        return Login(module)
    identity = Identity(state.gateway, module)
    token = sas.make(identities.modules[module].key, state.hub_name, identity, int(time.time()) + 3600)
    return Login(str(identity), f"{state.hub_name}/{identity}/?api-version=2019-10-01", token)


def _state(root: Path) -> State:
    address = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}.77"
    state = State.prepare(root, address=address, https_port=None)
    certs.ensure(state)
    names = [f"{kind}{index}" for kind in "sr" for index in range(MOST_PAIRS + 2)]
    Identities.ensure(state.identities, state.gateway, names)
    routes = {
        f"flow{index}": f'FROM /messages/modules/s{index}/* INTO BrokeredEndpoint("/modules/r{index}/inputs/in")'
        for index in range(MOST_PAIRS + 2)
    }
    desired = {
        "schemaVersion": "1.1",
        "routes": routes,
        "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
    }
    write_atomic(state.manifest, json.dumps({"$edgeHub": {"properties.desired": desired}}).encode())
    return state


@contextlib.contextmanager
def _hub(state: State) -> Iterator[int]:
    """The hub's process id."""
    with _process([sys.executable, "-m", "localhub.hub", "--state", str(state.root)], state.address, MQTT_PORT) as pid:
        yield pid


@contextlib.contextmanager
def _mosquitto(program: str, state: State) -> Iterator[None]:
    config = state.root / "mosquitto.conf"
    config.write_text(
        PEER_CONFIG.format(
            port=PEER_PORT,
            address=state.address,
            ca=state.ca_certificate,
            certificate=state.server_certificate,
            key=state.server_key,
            folder=state.root,
        ),
        encoding="utf-8",
    )
    with _process([program, "-c", str(config)], state.address, PEER_PORT):
        yield


@contextlib.contextmanager
def _process(command: list[str], address: str, port: int) -> Iterator[int]:
    """A server's process id, from the moment it answers."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + START_S
        while not _answers(address, port):
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise LoadError(f"{command[0]} does not serve: {process.communicate()[1].decode()[-500:]}")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=START_S)


def _answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
