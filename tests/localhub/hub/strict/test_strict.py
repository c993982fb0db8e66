"""`--strict`: what localhub does better by itself, it does as edgeHub does. Each test asks both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from localhub.agent.edge import Edge
from localhub.agent.orphans import Records
from localhub.agent.plan import Plan, Planned
from localhub.agent.runner import ProcessRunner
from localhub.hub.message import UPSTREAM, QueuedMessage
from localhub.hub.methods import MethodRequest, Methods
from localhub.hub.routing import ManifestRouter
from localhub.hub.store import Store
from localhub.hub.twins import HubTwins
from localhub.identity import Identities, Identity
from localhub.manners import EDGEHUB, LOCALHUB, Manners
from localhub.state import State
from localhub.twin import Document

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

Make = Callable[..., "Module"]
Eventually = Callable[..., None]
both = pytest.mark.parametrize("manners", [LOCALHUB, EDGEHUB], ids=["localhub", "edgehub"])


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub looks at the time every second; here it need not be waited for."""
    monkeypatch.setattr("localhub.hub.broker.TICK_S", 0.05)


def strict(manners: Manners) -> bool:
    return manners.patient


@both
def test_a_module_that_returns(hub: Hub, module: Make, manners: Manners, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localhub.hub.patient.PAUSES_S", (60.0,))
    module("alpha").send("x", b"waits")
    beta = module("beta")
    beta.listen()
    if not strict(manners):
        assert beta.receive() == [b"waits"]
        return
    module("alpha").send("x", b"too")
    time.sleep(0.3)
    assert beta.inbox.empty()
    hub.call(lambda: setattr(hub.broker._pumps["gw1/beta"], "_again", 0.0))  # a minute later
    assert beta.receive(2) == [b"waits", b"too"]


@both
def test_a_puback_means_synced_or_only_written(tmp_path: Path, manners: Manners) -> None:
    store = Store(tmp_path / "hub.db", synced=manners.synced)
    assert store._writer.pragma("synchronous") == (1 if strict(manners) else 2)  # NORMAL, FULL
    store.close()


@both
def test_when_expired_messages_leave(hub: Hub, module: Make, manners: Manners, eventually: Eventually) -> None:
    hub.routes.table["x"] = [("gw1/beta/in", 1, 30.0)]
    module("alpha").send("x", b"")
    hub.clock.offset_s = 31
    hub.call(lambda: setattr(hub.broker, "_next_expiry", hub.broker._next_expiry - 5.0))  # five seconds later
    if strict(manners):
        time.sleep(0.3)
        assert hub.depth("gw1/beta/in") == 1
    else:
        eventually(lambda: hub.depth("gw1/beta/in") == 0)


@both
def test_a_queue_without_a_route(hub: Hub, module: Make, manners: Manners) -> None:
    hub.routes.table["x"] = [("gw1/beta/in", 1, None), ("gw1/gamma/in", 1, None)]
    module("alpha").send("x", b"kept?")
    hub.call(lambda: hub.broker.rerouted({"gw1/gamma/in"}))
    assert hub.depth("gw1/beta/in") == (0 if strict(manners) else 1)
    assert hub.depth("gw1/gamma/in") == 1
    beta, gamma = module("beta"), module("gamma")
    gamma.listen()
    beta.listen()
    if not strict(manners):
        assert gamma.receive() == beta.receive() == [b"kept?"]


def test_the_router_tells_which_endpoints_are_in_use() -> None:
    router = ManifestRouter("gw1")
    told: list[set[str]] = []
    router.changed = lambda endpoints: told.append(set(endpoints))
    routes = {"a": "FROM /messages/* INTO $upstream", "b": 'FROM /* INTO BrokeredEndpoint("/modules/m/inputs/i")'}
    router.take({"schemaVersion": "1.1", "routes": routes, "storeAndForwardConfiguration": {"timeToLiveSecs": 1}})
    assert told == [{"iothub", "gw1/m/i"}]


@both
def test_speaking_as_another(hub: Hub, module: Make, manners: Manners, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[QueuedMessage] = []
    hub.broker.intake.watchers.append(lambda message, _places: seen.append(message))
    alpha, beta = module("alpha"), module("beta")
    beta.listen()
    alpha.raw("devices/gw1/modules/gamma/messages/events/%24.on=x", b"forged")
    if strict(manners):
        assert beta.receive() == [b"forged"]
        assert (seen[0].source, seen[0].system["connectionModuleId"]) == ("gw1/gamma", "gamma")
        assert "gw1/alpha is taken for one of gw1/gamma" in caplog.text
    else:
        assert hub.call(hub.broker.metrics.drops) == {"forged": 1}
        assert not seen
        assert "it speaks as gw1/gamma" in caplog.text


@both
def test_the_client_id_must_be_the_user_names_and_a_second_connection_closes_the_first(
    hub: Hub, module: Make, manners: Manners
) -> None:
    alpha = module("alpha", connect=False)
    alpha.client._client_id = b"gw1/beta"
    assert alpha.connect() == 5
    first = module("beta")
    module("beta")
    assert first.gone.wait(60)
    assert hub.broker.manners is manners


@both
def test_an_oversize_packet_again_and_again(hub: Hub, manners: Manners, caplog: pytest.LogCaptureFixture) -> None:
    holds = [hub.broker._loops.seen(Identity("gw1", "alpha"), 300_000) for _ in range(9)]
    assert holds[0] is None
    assert all(hold == 0 for hold in holds[1:]) is strict(manners)
    assert caplog.text.count("in a loop") == (3 if strict(manners) else 8)


@both
def test_a_message_that_cannot_be_stored(hub: Hub, module: Make, manners: Manners) -> None:
    hub.broker.manners = replace(manners, unstored_hold=manners.unstored_hold * 60)
    alpha = module("alpha")
    hub.call(lambda: hub.broker.faults.fill_disk(full=True))
    alpha.send("x", b"", wait=False)
    assert alpha.gone.wait(60 if strict(manners) else 0.5) is strict(manners)
    hub.call(hub.broker.faults.clear)


@both
def test_batches_for_the_cloud(hub: Hub, module: Make, manners: Manners, eventually: Eventually) -> None:
    hub.routes.table["up"] = [(UPSTREAM, 1, None)]
    hub.call(lambda: hub.cloud.set(up=False))
    alpha = module("alpha")
    for _ in range(25):
        alpha.send("up", b"")
    hub.call(lambda: hub.cloud.set(up=True))
    eventually(lambda: len(hub.cloud.arrived) == 25)
    assert (max(len(batch) for batch in hub.cloud.batches) > 10) is not strict(manners)


@both
def test_expired_proofs_are_found_out_at_the_next_check(hub: Hub, module: Make, manners: Manners) -> None:
    alpha = module("alpha")
    due = hub.broker._next_recheck - hub.broker.loop.time()
    assert due > 200 if strict(manners) else due <= 5
    hub.clock.offset_s = 2 * 3600
    hub.broker._next_recheck = 0.0
    assert alpha.gone.wait(60)


# Twins and methods, without a broker.


class Client:
    """A module that takes methods, and knows when it was sent one."""

    identity = Identity("gw1", "alpha")

    def __init__(self, *prefixes: str) -> None:
        self.prefixes = prefixes
        self.sent: list[tuple[float, bytes]] = []

    def publish(self, _topic: str, payload: bytes, _qos: int) -> None:
        self.sent.append((asyncio.get_running_loop().time(), payload))

    def subscribed(self, prefix: str) -> bool:
        return prefix in self.prefixes


@both
def test_a_twin_get_without_a_subscription_to_the_answer(manners: Manners, tmp_path: Path) -> None:
    from localhub.hub.services import Services  # noqa: PLC0415  needs no loop here

    async def story() -> list[int]:
        services = Services(State.prepare(tmp_path, strict=strict(manners)), time.time)
        services.attach(_Facts())
        counts = []
        for client in (Client(), Client("$iothub/twin/res/")):
            services.uplink.setting = replace(services.uplink.setting, state="down")
            await services._get(client, "1")
            counts.append(len(client.sent))
        for task in services._tasks:
            task.cancel()
        if services._report_timer is not None:
            services._report_timer.cancel()
        return counts

    assert asyncio.run(story()) == ([0, 1] if strict(manners) else [1, 1])


@both
def test_reported_properties_go_up_now_and_then_or_at_once(manners: Manners) -> None:
    manners = replace(manners, report_every=manners.report_every / 50)
    sent: list[dict[str, Any]] = []

    class Uplink:
        is_up, is_set_down = True, False

        async def report(self, identity: Identity, patch: Document, version: int) -> None:
            assert (identity.module, version) == ("alpha", 2 + int(str(patch["n"])))
            sent.append(dict(patch))

        def reconnect(self, reason: str) -> None:
            raise AssertionError(reason)

    async def story() -> None:
        twins = HubTwins(_Facts(), Uplink(), lambda *_: None, manners.report_every)
        for number in range(3):
            await twins.report(Identity("gw1", "alpha"), {"n": number})
            while not strict(manners) and len(sent) <= number:  # noqa: ASYNC110  it has no event here
                await asyncio.sleep(0)
        while not sent:  # noqa: ASYNC110  nor here
            await asyncio.sleep(manners.report_every)
        await asyncio.sleep(manners.report_every)  # and nothing after it

    asyncio.run(story())
    assert sent == ([{"n": 2}] if strict(manners) else [{"n": 0}, {"n": 1}, {"n": 2}])


@both
def test_a_call_that_waited_for_its_module(manners: Manners) -> None:
    manners = replace(manners, settle=manners.settle / 10)
    client = Client("$iothub/methods/POST/")

    async def story() -> tuple[int, float]:
        there: list[Client] = []
        methods = Methods(lambda _identity: there[0] if there else None, manners)
        call = asyncio.create_task(methods.invoke(client.identity, MethodRequest("m", b"", 0.05, 60)))
        await asyncio.sleep(0.01)
        there.append(client)
        subscribed = asyncio.get_running_loop().time()
        methods.subscribed(client.identity)
        turns = 0
        while not client.sent and turns < 10:
            await asyncio.sleep(0)
            turns += 1
        await asyncio.wait({call})
        assert call.exception() is not None  # nobody answered
        return turns, client.sent[0][0] - subscribed

    turns, waited_s = asyncio.run(story())
    assert waited_s >= 0.29 if strict(manners) else turns < 10  # a few turns of the loop: it waited for nothing else
    assert client.sent[0][1] == (b"" if strict(manners) else b"null")


@both
def test_the_agent_pauses_before_it_starts_a_module_again(manners: Manners, tmp_path: Path) -> None:
    state = State.prepare(tmp_path, strict=strict(manners))
    Identities.ensure(state.identities, state.gateway, ["m"])
    plan = Plan(modules=[Planned(name="m", command=["none"], folder=".")])

    async def story() -> float:
        return Edge(state, plan, ProcessRunner(Records(tmp_path / "l.json", "x"))).modules["m"]._timings.unit_s

    assert asyncio.run(story()) == (10.0 if strict(manners) else 0.25)
    assert State.load(tmp_path).manners is manners


class _Facts:
    """A hub's facts, in memory."""

    def fact(self, _name: str) -> bytes | None:
        return None

    async def keep(self, values: Any) -> None:
        """Not kept."""

    def client(self, _device: str, _module: str | None) -> None:
        return None

    def authenticate(self, _identity: Identity, _token: bytes) -> str | None:
        return None

    def twin_changed(self, identity: Identity, patch: bytes) -> None:
        """Nobody listens."""
