"""A hub in a thread of its own, on an address of its own, and raw clients that speak to it over TLS."""

import asyncio
import contextlib
import functools
import itertools
import os
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import uvloop

from localhub import certs, sas
from localhub.hub import contexts
from localhub.hub.backlog import Place
from localhub.hub.broker import Broker, Client
from localhub.hub.clock import Clock
from localhub.hub.login import IdentityVerifier
from localhub.hub.message import UPSTREAM, QueuedMessage
from localhub.hub.metrics import Metrics
from localhub.hub.pump import LinkDown
from localhub.hub.store import Store
from localhub.identity import Auth, Identities, Identity
from localhub.manners import LOCALHUB, Manners
from localhub.state import State

MODULES = ("alpha", "beta", "gamma")
WAIT_S = 60.0

_addresses = itertools.count(1)


def free_address() -> str:
    """A loopback address that no other test process uses: port 8883 is fixed."""
    return f"127.{64 + os.getpid() % 32}.{os.getpid() // 32 % 256}.{next(_addresses)}"


class Routes:
    """A router for tests: what a message's property `to` says, else by the table of outputs."""

    def __init__(self) -> None:
        self.table: dict[str, list[tuple[str, int, float | None]]] = {}

    def places(self, message: QueuedMessage) -> Sequence[Place]:
        return [
            Place(endpoint, priority, float("inf") if ttl is None else message.enqueued + ttl)
            for endpoint, priority, ttl in self.table.get(message.output, [])
        ]


class Cloud:
    """The other end of the uplink."""

    def __init__(self) -> None:
        self.arrived: list[QueuedMessage] = []
        self.batches: list[list[int]] = []
        self._up = asyncio.Event()
        self._up.set()

    async def send(self, batch: list[QueuedMessage]) -> None:
        if not self._up.is_set():
            raise LinkDown("down")
        self.batches.append([message.id for message in batch])
        self.arrived += batch

    async def up(self) -> None:
        await self._up.wait()

    def set(self, *, up: bool) -> None:
        if up:
            self._up.set()
        else:
            self._up.clear()


class Recorder:
    """Services that remember what they were told, and echo what is published to $iothub/echo."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    def on_connect(self, client: Client) -> None:
        self.seen.append(("connect", str(client.identity), ""))

    def on_subscribe(self, client: Client, topic_filter: str) -> None:
        self.seen.append(("subscribe", str(client.identity), topic_filter))

    def on_publish(self, client: Client, topic: str, payload: bytes) -> None:
        self.seen.append(("publish", str(client.identity), topic))
        if topic == "$iothub/echo" and client.subscribed("$iothub/answer/"):
            client.publish("$iothub/answer/1", payload, 1)

    def on_disconnect(self, client: Client) -> None:
        self.seen.append(("disconnect", str(client.identity), ""))


class Hub:
    """One hub and its state folder; `stop` and `start` make a restart."""

    def __init__(self, root: Path, manners: Manners = LOCALHUB) -> None:
        self.manners = manners
        self.clock = Clock()
        self.routes = Routes()
        self.recorder = Recorder()
        self.state = State.prepare(root, address=free_address(), https_port=None)
        self.authority = certs.ensure(self.state)
        self.identities = Identities.ensure(
            self.state.identities,
            self.state.gateway,
            MODULES,
            ["leaf1"],
            {
                name: certs.ensure_leaf(self.state, self.authority, name, auth)
                for name, auth in (("press4", Auth.X509_CA), ("oven2", Auth.X509_THUMBPRINT))
            },
        )
        self.broker: Broker
        self.cloud: Cloud
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve, in a thread; returns when clients can connect."""
        ready: queue.Queue[BaseException | None] = queue.Queue()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve(ready)))
        self._thread.start()
        error = ready.get(timeout=WAIT_S)
        if error is not None:
            raise error

    def stop(self) -> None:
        """Stop in order."""
        if self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(WAIT_S)
            assert not self._thread.is_alive()

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function on the hub's loop."""
        answers: queue.Queue[Any] = queue.Queue()
        self._loop.call_soon_threadsafe(lambda: answers.put(function()))
        return answers.get(timeout=WAIT_S)

    def depth(self, endpoint: str) -> int:
        """How many messages an endpoint's queues hold."""
        return sum(
            queue.depth for queue in self.call(lambda: list(self.broker.backlog.queues())) if queue.endpoint == endpoint
        )

    def password(self, identity: Identity, ttl: int = 3600) -> str:
        """A token for an identity."""
        found = self.identities.find(identity)
        assert found is not None
        return sas.make(found[1].key, self.state.hub_name, identity, int(self.clock()) + ttl)

    async def _serve(self, ready: queue.Queue[BaseException | None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self.cloud = Cloud()
        with contextlib.closing(Store(self.state.hub_db, synced=self.manners.synced)) as store:
            self.broker = Broker(
                gateway=self.state.gateway,
                store=store,
                verifier=IdentityVerifier(
                    self.identities, self.state.hub_names, self.authority.certificate, self.clock
                ),
                router=self.routes,
                services=self.recorder,
                uplink=self.cloud,
                metrics=Metrics(self.state.hub_name, self.state.gateway, self.clock),
                clock=self.clock,
                manners=self.manners,
            )
            context = contexts.asking_context(self.state, self.identities)
            try:
                async with self.broker.serving(self.state.address, context):
                    ready.put(None)
                    await self._stopping.wait()
            except OSError as error:
                ready.put(error)


class Module:
    """A raw client with paho: what it received is in `inbox`, in order."""

    def __init__(
        self, hub: Hub, name: str | None, device: str = "gw1", *, clean: bool = False, hold: bool = False
    ) -> None:
        self.identity = Identity(device, name)
        self.inbox: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self.codes: queue.Queue[int] = queue.Queue()
        self.gone = threading.Event()
        self.present = False
        self._acks: set[int] = set()
        self._acked = threading.Condition()
        self.client = mqtt.Client(str(self.identity), clean_session=clean)
        if hold:
            self.client._send_puback = lambda _mid: mqtt.MQTT_ERR_SUCCESS
        self.client.username_pw_set(
            f"{hub.state.hub_name}/{self.identity}/?api-version=2019-10-01", hub.password(self.identity)
        )
        context = ssl.create_default_context(cafile=str(hub.state.ca_certificate))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.client.tls_set_context(context)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *_: self.gone.set()
        self.client.on_message = lambda _client, _userdata, message: self.inbox.put(message)
        self.client.on_publish = self._on_publish
        self.client.on_subscribe = lambda _client, _userdata, mid, _granted: self._on_publish(None, None, -mid)
        self._address = hub.state.address
        self._base = f"devices/{device}/modules/{name}" if name else f"devices/{device}"

    def connect(self, keep_alive: int = 60) -> int:
        """Connect; the CONNACK's code."""
        self.client.connect(self._address, 8883, keep_alive)
        self.client.loop_start()
        return self.codes.get(timeout=WAIT_S)

    def listen(self, qos: int = 1) -> None:
        """Subscribe to the module's inputs."""
        self.subscribe(f"{self._base}/inputs/#", qos)

    def subscribe(self, topic_filter: str, qos: int = 1) -> None:
        """Subscribe and wait for SUBACK."""
        _, mid = self.client.subscribe(topic_filter, qos)
        self._wait(-mid)

    def send(self, output: str, payload: bytes, properties: str = "", *, wait: bool = True) -> int:
        """Send to an output, and wait for PUBACK."""
        topic = f"{self._base}/messages/events/%24.on={output}{'&' if properties else ''}{properties}"
        return self.raw(topic, payload, wait=wait)

    def raw(self, topic: str, payload: bytes, *, wait: bool = True, qos: int = 1) -> int:
        """Publish to any topic."""
        info = self.client.publish(topic, payload, qos)
        if wait:
            self._wait(info.mid)
        return int(info.mid)

    def acked(self, mid: int) -> bool:
        """Whether PUBACK has come for a message."""
        with self._acked:
            return mid in self._acks

    def receive(self, count: int = 1, timeout: float = WAIT_S) -> list[bytes]:
        """The next bodies."""
        return [self.inbox.get(timeout=timeout).payload for _ in range(count)]

    def close(self) -> None:
        """Say goodbye."""
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self) -> None:
        """Lose the connection without a word, and do not come back."""
        self.client._sock_close()
        self.client.loop_stop()

    def _on_connect(self, _client: object, _userdata: object, flags: dict[str, int], code: int) -> None:
        self.present = bool(flags["session present"])
        self.codes.put(code)

    def _on_publish(self, _client: object, _userdata: object, mid: int) -> None:
        with self._acked:
            self._acks.add(mid)
            self._acked.notify_all()

    def _wait(self, mid: int) -> None:
        with self._acked:
            assert self._acked.wait_for(lambda: mid in self._acks, WAIT_S), f"no acknowledgement of {mid}"


@pytest.fixture
def manners() -> Manners:
    """How the hub behaves; a test that wants it otherwise is parametrised by this name."""
    return LOCALHUB


@pytest.fixture
def hub(tmp_path: Path, manners: Manners) -> Iterator[Hub]:
    """A hub that serves; alpha's output `x` goes to beta's input `in`."""
    made = Hub(tmp_path / "state", manners)
    made.routes.table["x"] = [("gw1/beta/in", 1, None)]
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def module(hub: Hub) -> Iterator[Callable[..., Module]]:
    """Makes clients, connected unless told otherwise, and closes them."""
    with contextlib.ExitStack() as stack:

        def make(name: str | None, *, connect: bool = True, **options: Any) -> Module:
            client = Module(hub, name, **options)
            stack.callback(functools.partial(_quietly, client))
            if connect:
                assert client.connect() == 0
            return client

        yield make


def _quietly(client: Module) -> None:
    client.client.disconnect()
    client.client.loop_stop()
    client.client._reset_sockets()  # its connection, and the pair that wakes its thread


@pytest.fixture
def upstream() -> str:
    """The endpoint of the cloud."""
    return UPSTREAM


def eventually(condition: Callable[[], bool], timeout: float = WAIT_S) -> None:
    """Wait until something holds; fails the test when it does not."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., None]:
    """`eventually`, as a fixture: test files do not import each other."""
    return eventually
