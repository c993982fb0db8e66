"""What a restart of the hub keeps: messages, subscriptions, facts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

Make = Callable[..., "Module"]
Eventually = Callable[..., None]


def test_a_module_is_served_after_a_restart_without_subscribing_again(hub: Hub, module: Make) -> None:
    beta = module("beta")
    beta.listen()
    beta.close()
    alpha = module("alpha")
    alpha.send("x", b"before")
    alpha.close()
    hub.stop()
    hub.start()
    again = module("beta")
    assert again.present
    assert again.receive() == [b"before"]
    module("alpha").send("x", b"after")
    assert again.receive() == [b"after"]


def test_what_is_on_its_way_when_the_hub_stops_is_sent_again(hub: Hub, module: Make, eventually: Eventually) -> None:
    hub.routes.table["two"] = [("gw1/beta/in", 0, None), ("gw1/gamma/in", 0, None)]
    gamma = module("gamma")
    gamma.listen()
    beta = module("beta", hold=True)
    beta.listen()
    alpha = module("alpha")
    for number in range(3):
        alpha.send("two", b"%d" % number)
    assert beta.receive() == [b"0"]
    assert gamma.receive(3) == [b"0", b"1", b"2"]
    eventually(lambda: hub.depth("gw1/gamma/in") == 0)
    hub.stop()
    hub.start()
    assert module("beta").receive(3) == [b"0", b"1", b"2"]
    assert hub.depth("gw1/gamma/in") == 0


def test_facts_are_kept(hub: Hub) -> None:
    def keep() -> asyncio.Task[None]:
        async def work() -> None:
            await hub.broker.keep({"twin/a": b"1", "twin/b": b"2"})

        return asyncio.get_running_loop().create_task(work())

    hub.call(keep)
    hub.stop()
    hub.start()
    assert hub.call(lambda: (hub.broker.fact("twin/a"), hub.broker.fact("twin/b"))) == (b"1", b"2")


def test_times_to_live_count_on_over_a_restart(hub: Hub, module: Make, eventually: Eventually) -> None:
    hub.routes.table["short"] = [("gw1/beta/in", 1, 30.0)]
    alpha = module("alpha")
    alpha.send("short", b"old")
    hub.stop()
    hub.clock.offset_s = 31
    hub.start()
    hub.call(hub.broker.backlog.expire)
    eventually(lambda: hub.depth("gw1/beta/in") == 0)
    assert hub.call(hub.broker.metrics.drops) == {"ttl_expiry": 1}
