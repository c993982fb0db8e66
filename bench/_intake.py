"""Records through localhub into the cache: the real module behind the real SDK, one message in flight to it.

A sender that costs next to nothing puts messages into the hub, which keeps them on disk and delivers them one at a
time; the cache has each on disk before it acknowledges. The cache is paused meanwhile, as if the cloud were away; what
goes out of it afterwards is measured too.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from localhub import sas
from localhub.control.client import ControlError
from localhub.identity import Identities, Identity
from localhub.testing import Hub, running, write_manifest
from localhub.testing.load import WINDOW, Client, LoadError, Login, connected
from localhub.wire import topics, writer
from modules.common.messages import Message, encode_member, json_message, new_id, pack

ROOT = Path(__file__).resolve().parents[1]
MQTT_PORT = 8883
WARM_UP = 100
ROUTES = {
    "in": 'FROM /messages/modules/source/* INTO BrokeredEndpoint("/modules/cache/inputs/telemetry")',
    "out": "FROM /messages/modules/cache/outputs/upstream1 INTO $upstream",
}


class Queue(Client):
    """Publishes packets, `WINDOW` of them unacknowledged."""

    def __init__(self, login: Login) -> None:
        super().__init__(login)
        self._waiting: Iterator[bytes] = iter(())
        self._in_flight = 0

    def accepted(self) -> None:
        """Nothing more is needed."""
        self.ready.set_result(None)

    def send(self, packets: list[bytes]) -> asyncio.Future[None]:
        """Send them; done when all are acknowledged."""
        self.done = asyncio.get_running_loop().create_future()
        self._waiting = iter(packets)
        self._fill(WINDOW)
        return self.done

    def received(self, data: bytes) -> None:
        """PUBACKs, four bytes each."""
        count, rest = divmod(len(data), 4)
        self.held = data[len(data) - rest :] if rest else b""
        self._in_flight -= count
        self._fill(count)

    def _fill(self, most: int) -> None:
        for _, packet in zip(range(most), self._waiting, strict=False):
            self._in_flight += 1
            self.transport.write(packet)
        if not self._in_flight and not self.done.done():
            self.done.set_result(None)


class Intake:
    """A localhub with the cache, and a sender."""

    def __init__(self, hub: Hub, *, seq: int = 0) -> None:
        self._hub = hub
        self._seq = seq
        self._sent = 0

    def records_per_s(self, in_message: int, messages: int) -> float:
        """Records a second while `messages` messages of `in_message` records go in. Raises LoadError."""
        packets = [self._packet(in_message) for _ in range(WARM_UP + messages)]
        return asyncio.run(self._measure(packets, in_message))

    def drained_per_s(self) -> float:
        """Records a second from the cache to the cloud, until it is empty; it is paused again then."""
        self._hub.call("cache", "resume")
        began, before = time.perf_counter(), self._figure("confirmed")
        while (confirmed := self._figure("confirmed")) < self._sent:
            time.sleep(0.05)
        seconds = time.perf_counter() - began
        self._hub.call("cache", "pause")
        return (confirmed - before) / seconds

    async def _measure(self, packets: list[bytes], in_message: int) -> float:
        state = self._hub.state
        identity = Identity(state.gateway, "source")
        key = Identities.load(state.identities).modules["source"].key
        token = sas.make(key, state.hub_name, identity, int(time.time()) + 3600)
        client = Queue(Login(str(identity), f"{state.hub_name}/{identity}/?api-version=2019-10-01", token))
        context = ssl.create_default_context(cafile=str(state.ca_certificate))
        await connected([client], state.address, MQTT_PORT, context)
        await self._all_in(client, packets[:WARM_UP], in_message)
        began = time.perf_counter()
        await self._all_in(client, packets[WARM_UP:], in_message)
        seconds = time.perf_counter() - began
        client.transport.abort()
        return (len(packets) - WARM_UP) * in_message / seconds

    async def _all_in(self, client: Queue, packets: list[bytes], in_message: int) -> None:
        await client.send(packets)
        self._sent += len(packets) * in_message
        end = time.monotonic() + 120
        while await asyncio.to_thread(self._figure, "accepted") < self._sent:
            if time.monotonic() > end:
                raise LoadError(f"the cache has {self._figure('accepted')} of {self._sent} records")
            await asyncio.sleep(0.02)

    def _figure(self, name: str) -> int:
        return int(self._hub.call("cache", "stats").payload["priorities"][1][name])

    def _packet(self, in_message: int) -> bytes:
        members = [self._window() for _ in range(in_message)]
        message = members[0]
        if in_message > 1:
            encoded = [encode_member(member) for member in members]
            message = pack(message, encoded, ["window"], seq=self._seq, compress=False)
        system = {"outputName": "windows", "messageId": message.message_id}
        system |= {"contentType": "application/json", "contentEncoding": "utf-8"}
        topic = topics.event(self._hub.state.gateway, "source", message.facts(), system)
        return writer.publish(topic.encode(), message.body, 1, self._seq % 65_535 + 1)

    def _window(self) -> Message:
        """A window's features, 300 bytes of JSON."""
        self._seq += 1
        stamp = datetime.now(UTC)
        numbers = {f"feature{index}": round(os.urandom(1)[0] * 1.000123, 6) for index in range(12)}
        document = {"source": "press4/bearing1", "count": 4096, **numbers}
        return json_message(
            document, kind="window", source="press4/bearing1", seq=self._seq, time=stamp, message_id=new_id()
        )


def _is_open(hub: Hub) -> bool:
    try:
        return hub.call("cache", "stats").status == 200
    except ControlError:  # it takes no methods yet
        return False


@contextmanager
def intake(folder: Path) -> Iterator[Intake]:
    """Start localhub and the cache in `folder`."""
    cache = [sys.executable, "-m", "modules.cache"]
    manifest = write_manifest(folder, {"source": ["sleep", "infinity"], "cache": cache}, ROUTES)
    config = folder / "localhub.toml"
    variables = {
        "MILLWATCH_STATE": "${MODULE_STATE}",
        "MILLWATCH_VIEW_PORT": "0",
        "MILLWATCH_HUB_METRICS": "${HUB_METRICS}",
    }
    variables["PYTHONPATH"] = str(ROOT)
    table = ", ".join(f"{name} = {json.dumps(value)}" for name, value in variables.items())
    config.write_text(config.read_text(encoding="utf-8") + f"env = {{ {table} }}\n", encoding="utf-8")
    with running(manifest, wait_for=["cache"], environment={"PYTHONPATH": str(ROOT)}) as hub:
        hub.until(lambda: _is_open(hub), 30, "a cache that is open")
        hub.call("cache", "pause")
        yield Intake(hub)
