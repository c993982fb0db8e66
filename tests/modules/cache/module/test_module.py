"""The module on a played edgeHub: acknowledged only when on disk, settings, and what it says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from modules.cache.keyring import Keyring
from modules.cache.operatorkey import PrivateKey
from modules.cache.store import LEAST_BOUND, Store, StoreFullError
from modules.cache.store.house import House
from modules.cache.workload import WorkloadUnreachableError
from modules.common.messages import Message

if TYPE_CHECKING:
    from tests.modules.cache.module.conftest import Line

Make = Callable[..., Message]
Until = Callable[[Callable[[], bool]], Awaitable[None]]


def test_what_comes_in_goes_out_as_it_was(line: Line, make_message: Make, until: Until) -> None:
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
    line: Line, make_message: Make, until: Until, monkeypatch: pytest.MonkeyPatch
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


def test_a_repeat_is_acknowledged_and_not_sent_again(line: Line, make_message: Make, until: Until) -> None:
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
    assert line.edge.metrics.total(line.module._meters.duplicates) == 2


def test_a_wrong_kind_is_counted_and_the_next_one_handled(line: Line, make_message: Make, until: Until) -> None:
    async def play() -> None:
        async with line.running():
            line.transport.deliver("telemetry", make_message("frame"))
            line.transport.deliver("telemetry", make_message())
            await until(lambda: len(line.transport.outputs("upstream0")) == 1)
            await until(lambda: len(line.transport.acknowledged) == 2)

    asyncio.run(play())
    assert line.edge.metrics.total(line.edge.metrics.rejected) == 1


def test_waits_for_the_workload_api(
    line: Line, house: House, make_message: Make, until: Until, monkeypatch: pytest.MonkeyPatch
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


def test_verbs(line: Line, make_message: Make, until: Until) -> None:
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


def test_the_twin_changes_bandwidth_and_bound(line: Line, make_message: Make, until: Until) -> None:
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


def test_a_bound_too_small_for_the_alerts_is_refused_and_changes_nothing(
    line: Line, house: House, make_message: Make, until: Until
) -> None:
    kinds = ["alert", "alert", "alert", "sample"] * 30
    body = b'{"value": "%s"}' % (b"x" * 200_000)
    line.waiting = 1000

    async def play() -> None:
        async with line.running():
            bound = line.edge.settings.bound_bytes
            for kind in kinds:
                line.transport.deliver("telemetry", make_message(kind, body))
            await until(lambda: len(line.transport.acknowledged) == len(kinds))
            line.transport.patch({"settings": {"bound_bytes": 16 * 1024 * 1024}, "$version": 2})
            await until(lambda: "let them drain first" in str(line.transport.reported))
            assert line.edge.settings.bound_bytes == line.module._house.limits.bound == bound

    asyncio.run(play())
    store = house.open()
    assert [depth.depth for depth in store.stats().priorities] == [90, 0, 30]
    store.abandon()


def test_an_orderly_stop_repeats_nothing(line: Line, house: House, make_message: Make, until: Until) -> None:
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


def test_a_stalled_drain_is_told_at_once(line: Line, make_message: Make, until: Until) -> None:
    """Not with the next heartbeat, which here is a minute away."""

    def links() -> list[object]:
        return [message.json()["facts"].get("link") for message in line.transport.outputs("health")]  # type: ignore[index]

    async def play() -> None:
        async with line.running():
            line.transport.deliver("telemetry", make_message())
            await until(lambda: "up" in links())
            line.waiting = 1000
            line.transport.deliver("telemetry", make_message())
            await until(lambda: links()[-1] == "down")
            text = line.transport.outputs("health")[-1].json()["text"]  # type: ignore[index]
            assert text.startswith("the cloud takes nothing: 1 records wait")
            line.waiting = 0
            await until(lambda: links()[-1] == "up")

    asyncio.run(play())


def test_what_edgehub_knows_of_its_link_is_told_at_once_though_nothing_is_sent(line: Line, until: Until) -> None:
    def says(text: str) -> bool:
        beats = line.transport.outputs("health")
        return bool(beats) and text in beats[-1].body.decode()

    async def play() -> None:
        async with line.running():
            line.away = False
            await until(lambda: says('"link":"up"'))
            line.away = True
            await until(lambda: says('"link":"down"'))
            assert says("the cloud takes nothing: nothing waits yet")
            line.away = False
            await until(lambda: says('"link":"up"'))

    asyncio.run(play())


def test_an_operator_s_key_from_the_twin(line: Line, house: House, until: Until) -> None:
    private = X25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)
            line.transport.patch({"settings": {"operator_key": "no key"}, "$version": 2})
            await until(lambda: "operator_key" in str(line.transport.reported[-1]))
            line.transport.patch({"settings": {"operator_key": pem}, "$version": 3})
            await until(lambda: "x25519" in house.keys.text())

    asyncio.run(play())
    keyring = Keyring.decode(house.keys.text())
    assert keyring.unwrap_as_operator(PrivateKey(private)) == house.keys.keys


def test_wear_and_units_are_metrics(line: Line, make_message: Make, until: Until) -> None:
    def metric(name: str) -> float:
        return sum(
            float(row.rsplit(" ", 1)[1])
            for row in line.edge.metrics.render().decode().splitlines()
            if row.startswith(name + "{")
        )

    async def play() -> None:
        async with line.running():
            for _ in range(5):
                line.transport.deliver("telemetry", make_message(body=b"x" * 5000))
            await until(lambda: metric("millwatch_cache_metered_total") == 10)
            await until(lambda: metric("millwatch_cache_stored_bytes_total") > 25_000)
            assert metric("millwatch_cache_metered_apart_total") == 10
            assert metric("millwatch_cache_written_bytes_total") > metric("millwatch_cache_stored_bytes_total")
            await until(lambda: bool(line.module._figures.get("written_per_stored")))

    asyncio.run(play())
