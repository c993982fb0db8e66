"""The module on a played edgeHub: acknowledged only when on disk, verbs, settings, and what it says of itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from modules.cache import drain as drain_module
from modules.cache import module as cache_module
from modules.cache import watch as watch_module
from modules.cache.hubqueue import HubQueue, Lengths
from modules.cache.module import CacheModule
from modules.cache.settings import CacheSettings
from modules.cache.store import LEAST_BOUND, Store, StoreFullError
from modules.cache.store.house import House
from modules.cache.workload import WorkloadUnreachableError
from modules.common.edge import Edge
from modules.common.messages import Message
from modules.common.transport import Delivery, Feature, Listener, MethodCall

Make = Callable[..., Message]


class PlayedTransport:
    """What carries the module's messages, played by the test."""

    session_present = False

    def __init__(self) -> None:
        self.connected = False
        self.sent: list[tuple[str, Message]] = []
        self.subscribed: list[Feature] = []
        self.reported: list[Mapping[str, object]] = []
        self.acknowledged: list[str | None] = []
        self.listener: Listener | None = None

    async def connect(self, listener: Listener) -> None:
        self.listener = listener
        self.connected = True
        listener.connection_changed(connected=True)

    async def subscribe(self, *features: Feature) -> None:
        self.subscribed += features

    async def send(self, output: str, message: Message) -> None:
        self.sent.append((output, message))

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        return {"desired": {"$version": 1}, "reported": {}}

    async def report(self, patch: Mapping[str, object]) -> None:
        self.reported.append(patch)

    async def close(self) -> None:
        self.connected = False

    def outputs(self, name: str) -> list[Message]:
        return [message for output, message in self.sent if output == name]

    def deliver(self, name: str, message: Message) -> None:
        def acknowledge() -> bool:
            self.acknowledged.append(message.message_id)
            return True

        assert self.listener is not None
        self.listener.delivered(
            Delivery(
                input=name,
                body=message.body,
                acknowledge=acknowledge,
                current=lambda: self.connected,
                message_id=message.message_id,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                properties=message.facts(),
            )
        )

    def patch(self, patch: Mapping[str, object]) -> None:
        assert self.listener is not None
        self.listener.desired_changed(patch)

    async def call(self, name: str, payload: object = None) -> tuple[int, object]:
        answer: asyncio.Future[tuple[int, object]] = asyncio.get_running_loop().create_future()

        async def respond(status: int, result: object) -> None:
            answer.set_result((status, result))

        assert self.listener is not None
        self.listener.method_called(MethodCall(name, payload, respond))
        return await answer


class Line:
    """A running cache before an edgeHub that passes everything on, or holds it."""

    def __init__(self, house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
        for name in ("_MARK_AFTER_S", "_AGAIN_S"):
            monkeypatch.setattr(drain_module, name, 0.005)
        for name in ("_FIRST_LOOK_S", "_LONGEST_LOOK_S"):
            monkeypatch.setattr(watch_module, name, 0.005)
        monkeypatch.setattr(cache_module, "_AGAIN_S", 0.01)
        monkeypatch.setattr(cache_module, "_FIGURES_S", 0.02)
        self.waiting = 0

        async def read(_hub: HubQueue) -> Lengths:
            return Lengths({0: self.waiting, 1: self.waiting, 2: self.waiting}, "1", 0.0)

        monkeypatch.setattr(HubQueue, "read", read)
        self.transport = PlayedTransport()
        self.edge = Edge("cache", CacheSettings, state_dir=folder, transport=self.transport, heartbeat_s=60)
        self.module = CacheModule(self.edge, house)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.edge.run())
        try:
            await until(lambda: "inputs" in self.transport.subscribed)
            yield
        finally:
            self.edge.stop()
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- what is waited for knows no event
            await asyncio.sleep(0.002)


@pytest.fixture
def line(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(house, tmp_path, monkeypatch)


def test_what_comes_in_goes_out_as_it_was(line: Line, make_message: Make) -> None:
    messages = {
        kind: make_message(kind, properties={"model": "m1"} | {"unit": "m/s2"})
        for kind in ("alert", "window", "sample")
    }

    async def play() -> None:
        async with line.running():
            for message in messages.values():
                line.transport.deliver("telemetry", message)
            await until(lambda: sum(output.startswith("upstream") for output, _ in line.transport.sent) == 3)
            await until(lambda: len(line.transport.acknowledged) == 3)
            status, stats = await line.transport.call("stats")
            assert status == 200
            assert isinstance(stats, dict)
            assert [priority["accepted"] for priority in stats["priorities"]] == [1, 1, 1]

    asyncio.run(play())
    for output, kind in (("upstream0", "alert"), ("upstream1", "window"), ("upstream2", "sample")):
        (sent,) = line.transport.outputs(output)
        assert (sent.body, sent.message_id, sent.facts()) == (
            messages[kind].body,
            messages[kind].message_id,
            messages[kind].facts(),
        )


def test_nothing_is_acknowledged_that_is_not_on_disk(
    line: Line, make_message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    whole = Store.apply

    def apply(store: Store, jobs: list[object]) -> object:
        return [StoreFullError("as if", disk=True) for _ in jobs] if full else whole(store, jobs)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "apply", apply)

    async def play() -> None:
        nonlocal full
        async with line.running():
            line.transport.deliver("telemetry", make_message())
            await until(lambda: line.module._blocked == "as if")
            await asyncio.sleep(0.05)
            assert line.transport.acknowledged == []
            await until(lambda: line.module._figures["state"] == "fail")
            full = False
            await until(lambda: len(line.transport.acknowledged) == 1)
            await until(lambda: line.module._figures["state"] == "ok")

    asyncio.run(play())


def test_a_repeat_is_acknowledged_and_not_sent_again(line: Line, make_message: Make) -> None:
    message = make_message()

    async def play() -> None:
        async with line.running():
            for _ in range(3):
                line.transport.deliver("telemetry", message)
            await until(lambda: len(line.transport.acknowledged) == 3)
            await until(lambda: len(line.transport.outputs("upstream0")) == 1)
            await asyncio.sleep(0.03)

    asyncio.run(play())
    assert len(line.transport.outputs("upstream0")) == 1
    assert line.edge.metrics.total(line.module._duplicates) == 2


def test_a_wrong_kind_is_counted_and_the_next_one_handled(line: Line, make_message: Make) -> None:
    async def play() -> None:
        async with line.running():
            line.transport.deliver("telemetry", make_message("frame"))
            line.transport.deliver("telemetry", make_message())
            await until(lambda: len(line.transport.outputs("upstream0")) == 1)
            await until(lambda: len(line.transport.acknowledged) == 2)

    asyncio.run(play())
    assert line.edge.metrics.total(line.edge.metrics.rejected) == 1


def test_waits_for_the_workload_api(
    line: Line, house: House, make_message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = True
    whole = House.open

    def open_when_there(this: House) -> Store:
        if away:
            raise WorkloadUnreachableError("nobody there")
        return whole(this)

    monkeypatch.setattr(House, "open", open_when_there)

    async def play() -> None:
        nonlocal away
        async with line.running():
            line.transport.deliver("telemetry", make_message())
            await until(lambda: line.module._figures["state"] == "fail")
            assert (await line.transport.call("stats"))[0] == 503
            assert line.transport.acknowledged == []
            away = False
            await until(lambda: len(line.transport.acknowledged) == 1)

    asyncio.run(play())
    assert house.live.exists()


def test_verbs(line: Line, make_message: Make) -> None:
    line.waiting = 1000  # edgeHub holds everything
    messages = [make_message("window") for _ in range(3)]

    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)
            assert (await line.transport.call("pause")) == (200, {"paused": True})
            for message in messages:
                line.transport.deliver("telemetry", message)
            await until(lambda: len(line.transport.acknowledged) == 3)
            _, found = await line.transport.call("inspect", {"priority": 1, "count": 2})
            assert isinstance(found, dict)
            assert [record["message_id"] for record in found["records"]] == [m.message_id for m in messages[:2]]
            assert found["records"][0]["state"] == "stored"
            assert (await line.transport.call("inspect", {"priority": 7}))[0] == 400
            assert (await line.transport.call("inspect", {"count": "many"}))[0] == 400
            assert await line.transport.call("verify") == (200, {"records": 3, "damaged": 0})
            await until(lambda: "paused" in str(line.module._figures["text"]))
            assert (await line.transport.call("resume"))[0] == 200
            await until(lambda: len(line.transport.outputs("upstream1")) == 3)
            _, stats = await line.transport.call("flush")
            assert isinstance(stats, dict)
            assert (stats["depth"], stats["priorities"][1]["in_flight"]) == (3, 3)
            content_type, body = line.module._view({})
            assert content_type == "application/json"
            assert orjson.loads(body)["bound_bytes"]

    asyncio.run(play())


def test_the_twin_changes_bandwidth_and_bound(line: Line, make_message: Make) -> None:
    async def play() -> None:
        async with line.running():
            line.transport.deliver("telemetry", make_message())
            await until(lambda: len(line.transport.acknowledged) == 1)
            bound = 16 * 1024 * 1024
            line.transport.patch({"settings": {"bandwidth_bytes_per_s": 500, "bound_bytes": bound}, "$version": 2})
            await until(lambda: line.edge.settings.bound_bytes == bound)
            assert line.module._drain is not None
            assert line.module._drain._bucket.rate == 500
            await until(lambda: line.module._figures["bound_bytes"] == bound)
            line.transport.patch({"settings": {"bound_bytes": LEAST_BOUND}, "$version": 3})
            await until(lambda: "bound_bytes" in str(line.transport.reported[-1]))
            assert line.edge.settings.bound_bytes == bound, "the last good settings stay"

    asyncio.run(play())


def test_an_orderly_stop_repeats_nothing(line: Line, house: House, make_message: Make) -> None:
    line.waiting = 1000

    async def play() -> None:
        async with line.running():
            for _ in range(4):
                line.transport.deliver("telemetry", make_message())
            await until(lambda: len(line.transport.outputs("upstream0")) == 4)

    asyncio.run(play())
    store = house.open()
    assert len(store.flight(0).records) == 4
    assert store.get("hub") == "1"
    store.abandon()
