"""The drain before an edgeHub of the test's: first in, first out, its link can be cut and its store be lost."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from modules.cache import drain as drain_module
from modules.cache import watch as watch_module
from modules.cache.drain import Drain
from modules.cache.envelope import wrap
from modules.cache.hubqueue import HubSilentError, Lengths
from modules.cache.settings import CacheSettings
from modules.cache.store import Store
from modules.cache.writer import Writer
from modules.common.messages import Message

Make = Callable[..., Message]
Open = Callable[..., Store]
WINDOW = 5


class PlayedHub:
    """edgeHub as the cache sees it: it acknowledges, queues, and passes on while the link is up."""

    def __init__(self) -> None:
        self.queues: dict[int, list[Message]] = {0: [], 1: [], 2: []}
        self.arrived: list[tuple[int, Message]] = []
        self.link = True
        self.silent = False
        self.instance = 1
        self.most_waiting = 0
        self.before_send: Callable[[Message], Awaitable[None]] | None = None

    async def send(self, output: str, message: Message) -> None:
        if self.before_send is not None:
            await self.before_send(message)
        await asyncio.sleep(0)
        self.queues[int(output.removeprefix("upstream"))].append(message)
        self.most_waiting = max(self.most_waiting, *map(len, self.queues.values()))

    async def read(self) -> Lengths:
        if self.silent:
            raise HubSilentError("as if")
        answer = Lengths({p: len(queue) for p, queue in self.queues.items()}, str(self.instance), 0.0)
        self.pass_on()
        return answer

    def pass_on(self) -> None:
        if self.link:
            for priority, queue in self.queues.items():
                self.arrived += [(priority, message) for message in queue]
                queue.clear()

    def restart(self, *, lose: bool) -> None:
        self.instance += 1
        for queue in self.queues.values():
            if lose:
                queue.clear()

    def ids(self, priority: int | None = None) -> list[str]:
        return [message.message_id for where, message in self.arrived if priority in {None, where}]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_MARK_AFTER_S", "_AGAIN_S"):
        monkeypatch.setattr(drain_module, name, 0.005)
    for name in ("_FIRST_LOOK_S", "_LONGEST_LOOK_S"):
        monkeypatch.setattr(watch_module, name, 0.005)


@pytest.fixture
def hub() -> PlayedHub:
    return PlayedHub()


class Cache:
    """A store with its writer and drain, begun and killed at will."""

    def __init__(self, open_store: Open, hub: PlayedHub, **settings: object) -> None:
        self.open_store, self.hub = open_store, hub
        self.settings = CacheSettings.model_validate({"window_records": WINDOW} | settings)
        self.store = open_store()
        self.writer = Writer(self.store, lambda _error: open_store())

    @asynccontextmanager
    async def running(self):  # type: ignore[no-untyped-def]
        self.drain = Drain(self.writer, self.hub.send, self.hub, self.settings)
        task = asyncio.create_task(self.drain.run())
        try:
            yield self.drain
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def keep(self, *messages: Message) -> None:
        for message in messages:
            await self.writer.append([wrap(message)])
            if hasattr(self, "drain"):
                self.drain.notify(wrap(message).priority)

    async def depth(self) -> int:
        return sum(depth.depth for depth in (await self.writer.ask(Store.stats)).priorities)

    def kill(self) -> None:
        """As SIGKILL leaves it: nothing more is written."""
        self.store.close = self.store.abandon  # type: ignore[method-assign]
        self.writer.close()
        self.store = self.open_store()
        self.writer = Writer(self.store, lambda _error: self.open_store())


@contextmanager
def cache_of(open_store: Open, hub: PlayedHub, **settings: object) -> Iterator[Cache]:
    cache = Cache(open_store, hub, **settings)
    try:
        yield cache
    finally:
        cache.writer.close()


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            result = condition()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.002)


def test_everything_arrives_as_it_was_and_the_store_is_empty(
    open_store: Open, hub: PlayedHub, make_message: Make
) -> None:
    messages = [make_message(kind, body=bytes([n]) * n) for n in range(12) for kind in ("alert", "window", "sample")]

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running():
            await until(lambda: _empty(cache))

    with cache_of(open_store, hub) as cache:
        asyncio.run(play(cache))
    assert {message.message_id: message for _, message in hub.arrived} == {m.message_id: m for m in messages}
    assert len(hub.arrived) == len(messages), "nothing twice"
    for priority, kind in enumerate(("alert", "window", "sample")):
        assert hub.ids(priority) == [m.message_id for m in messages if m.kind == kind], "in order within a priority"


def test_only_a_window_goes_while_the_cloud_is_away(open_store: Open, hub: PlayedHub, make_message: Make) -> None:
    messages = [make_message("window") for _ in range(30)]
    hub.link = False

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running() as drain:
            await until(lambda: len(hub.queues[1]) == WINDOW)
            await asyncio.sleep(0.1)
            assert hub.most_waiting == WINDOW
            assert await cache.depth() == 30, "a PUBACK of edgeHub's confirms nothing"
            assert drain.in_flight(1) == WINDOW
            hub.link = True
            await until(lambda: _empty(cache))

    with cache_of(open_store, hub) as cache:
        asyncio.run(play(cache))
    assert hub.ids() == [message.message_id for message in messages]


@pytest.mark.parametrize("lose", [False, True])
def test_edgehub_restarts(open_store: Open, hub: PlayedHub, make_message: Make, lose: bool) -> None:
    messages = [make_message(kind) for _ in range(10) for kind in ("alert", "window")]
    hub.link = False

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running():
            await until(lambda: len(hub.queues[0]) == len(hub.queues[1]) == WINDOW)
            await asyncio.sleep(0.02)  # so that the instance is known
            hub.restart(lose=lose)
            await until(lambda: len(hub.queues[0]) == len(hub.queues[1]) == WINDOW)
            hub.link = True
            await until(lambda: _empty(cache))

    with cache_of(open_store, hub) as cache:
        asyncio.run(play(cache))
    assert set(hub.ids()) == {message.message_id for message in messages}, "missing"
    assert len(hub.arrived) == len(messages)
    assert hub.ids(1) == [message.message_id for message in messages if message.kind == "window"]


@pytest.mark.parametrize("marks", [True, False])
def test_the_cache_is_killed_with_messages_in_flight(
    open_store: Open, hub: PlayedHub, make_message: Make, marks: bool
) -> None:
    messages = [make_message("window") for _ in range(20)]
    hub.link = False

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running() as drain:
            if not marks:
                drain._marks_due = asyncio.Event()  # nobody sets it
                drain._marks_due.set = lambda: None
            await until(lambda: len(hub.queues[1]) == WINDOW)
            if marks:
                await until(lambda: _handed(cache, WINDOW))
        cache.kill()
        hub.link = True
        async with cache.running():
            await until(lambda: _empty(cache))

    with cache_of(open_store, hub) as cache:
        asyncio.run(play(cache))
    arrived = hub.ids()
    assert set(arrived) == {message.message_id for message in messages}
    repeats = len(arrived) - len(messages)
    assert repeats == 0 if marks else repeats <= WINDOW
    by_id = {message.message_id: message for message in messages}
    assert all(message == by_id[message.message_id] for _, message in hub.arrived), "repeats are the same bytes"
    assert sorted(set(arrived), key=arrived.index) == [message.message_id for message in messages], "order"


def test_edgehub_loses_its_store_while_the_cache_is_down(open_store: Open, hub: PlayedHub, make_message: Make) -> None:
    messages = [make_message("alert") for _ in range(8)]
    hub.link = False

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running():
            await until(lambda: _handed(cache, WINDOW, priority=0))
            await until(lambda: _instance(cache))
        cache.kill()
        hub.restart(lose=True)
        hub.link = True
        async with cache.running():
            await until(lambda: _empty(cache))

    with cache_of(open_store, hub) as cache:
        asyncio.run(play(cache))
    assert hub.ids() == [message.message_id for message in messages]


def test_nothing_is_confirmed_while_edgehub_s_metrics_are_silent(
    open_store: Open, hub: PlayedHub, make_message: Make
) -> None:
    hub.silent = True

    async def play(cache: Cache) -> None:
        await cache.keep(*[make_message("alert") for _ in range(8)])
        async with cache.running() as drain:
            await until(lambda: bool(drain.watch.silent))
            assert not hub.queues[0], "which edgeHub it is must be known first"
            hub.silent, hub.link = False, False
            await until(lambda: len(hub.queues[0]) == WINDOW)
            hub.silent, hub.link = True, True
            hub.pass_on()
            await until(lambda: bool(drain.watch.silent))
            await asyncio.sleep(0.03)
            assert await cache.depth() == 8
            hub.silent = False
            await until(lambda: _empty(cache))
            assert not drain.watch.silent

    with cache_of(open_store, hub) as cache:
        asyncio.run(play(cache))


def test_bandwidth_holds_back_all_but_alerts_until_flushed(
    open_store: Open, hub: PlayedHub, make_message: Make
) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(*[make_message("sample", body=b"s" * 3000) for _ in range(4)])
            await until(lambda: len(hub.ids(2)) >= 1)
            await cache.keep(make_message("alert"))
            await until(lambda: len(hub.ids(0)) == 1)
            assert len(hub.ids(2)) == 1
            drain.flush()
            await until(lambda: _empty(cache))

    with cache_of(open_store, hub, bandwidth_bytes_per_s=100) as cache:
        asyncio.run(play(cache))
    assert len(hub.ids(2)) == 4


def test_paused_keeps_and_resumed_sends(open_store: Open, hub: PlayedHub, make_message: Make) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            drain.pause()
            await cache.keep(*[make_message("alert") for _ in range(3)])
            await asyncio.sleep(0.03)
            assert not hub.arrived
            assert await cache.depth() == 3
            drain.resume()
            await until(lambda: _empty(cache))

    with cache_of(open_store, hub) as cache:
        asyncio.run(play(cache))


def test_alerts_overtake_what_waits(open_store: Open, hub: PlayedHub, make_message: Make) -> None:
    alert = make_message("alert")

    async def play(cache: Cache) -> None:
        gate = asyncio.Event()
        order: list[str] = []

        async def note(message: Message) -> None:
            order.append(message.kind)
            if len(order) == 2:
                await cache.keep(alert)
                gate.set()
            if len(order) == 3:
                await gate.wait()

        hub.before_send = note
        await cache.keep(*[make_message("sample") for _ in range(10)])
        async with cache.running():
            await until(lambda: _empty(cache))
        assert order[2] == "alert"

    with cache_of(open_store, hub) as cache:
        asyncio.run(play(cache))


async def _empty(cache: Cache) -> bool:
    return await cache.depth() == 0


async def _handed(cache: Cache, n: int, priority: int = 1) -> bool:
    return len((await cache.writer.ask(lambda store: store.flight(priority))).records) == n


async def _instance(cache: Cache) -> bool:
    return await cache.writer.ask(lambda store: store.get("hub")) is not None
