"""Messages from module to module over real connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from localhub.hub.message import QueuedMessage

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

Make = Callable[..., "Module"]
Eventually = Callable[..., None]


def test_a_message_goes_from_an_output_to_an_input(module: Make) -> None:
    beta = module("beta")
    beta.listen()
    alpha = module("alpha")
    alpha.send("x", b"hello", "kind=alert&%24.ct=application%2Fjson&%24.mid=m1")
    message = beta.inbox.get(timeout=60)
    assert message.payload == b"hello"
    assert message.qos == 1
    assert message.mid == 1
    assert not message.dup
    assert message.topic == (
        "devices/gw1/modules/beta/inputs/in/kind=alert&%24.ct=application%2Fjson&%24.mid=m1&%24.cdid=gw1&%24.cmid=alpha"
    )


def test_order_is_kept_under_load(hub: Hub, module: Make, eventually: Eventually) -> None:
    beta, alpha = module("beta"), module("alpha")
    beta.listen()
    bodies = [b"%d" % number for number in range(500)]
    for body in bodies:
        alpha.send("x", body, wait=False)
    assert beta.receive(500) == bodies
    eventually(lambda: hub.depth("gw1/beta/in") == 0)


def test_a_backlog_waits_on_disk_and_comes_in_order_when_the_module_comes(
    hub: Hub, module: Make, eventually: Eventually
) -> None:
    alpha = module("alpha")
    bodies = [b"%d" % number for number in range(1000)]
    mids = [alpha.send("x", body, wait=False) for body in bodies]
    eventually(lambda: all(map(alpha.acked, mids)))
    assert hub.depth("gw1/beta/in") == 1000
    beta = module("beta")
    beta.listen()
    assert beta.receive(1000) == bodies
    eventually(lambda: hub.depth("gw1/beta/in") == 0)


def test_high_priority_overtakes_low(hub: Hub, module: Make) -> None:
    hub.routes.table |= {"low": [("gw1/beta/in", 9, None)], "high": [("gw1/beta/in", 0, None)]}
    alpha = module("alpha")
    for number in range(5):
        alpha.send("low", b"low %d" % number)
        alpha.send("high", b"high %d" % number)
    beta = module("beta")
    beta.listen()
    assert beta.receive(10) == [b"high %d" % n for n in range(5)] + [b"low %d" % n for n in range(5)]


def test_one_message_for_two_modules_and_the_cloud(hub: Hub, module: Make, eventually: Eventually) -> None:
    hub.routes.table["all"] = [("gw1/beta/in", 1, None), ("gw1/gamma/in", 1, None), ("iothub", 0, None)]
    beta, gamma, alpha = module("beta"), module("gamma"), module("alpha")
    beta.listen()
    gamma.listen()
    alpha.send("all", b"news", "k=v")
    assert beta.receive() == gamma.receive() == [b"news"]
    eventually(lambda: len(hub.cloud.arrived) == 1)
    (arrived,) = hub.cloud.arrived
    assert (arrived.body, arrived.properties) == (b"news", {"k": "v"})
    assert arrived.system == {"outputName": "all", "connectionDeviceId": "gw1", "connectionModuleId": "alpha"}


def test_what_was_not_acknowledged_comes_again_after_a_reconnect(module: Make) -> None:
    alpha = module("alpha")
    deaf = module("beta", hold=True)
    deaf.listen()
    for number in range(3):
        alpha.send("x", b"%d" % number)
    assert deaf.receive() == [b"0"]
    deaf.drop()
    beta = module("beta")
    assert beta.present
    assert beta.receive(3) == [b"0", b"1", b"2"]
    assert deaf.inbox.empty()


def test_time_to_live(hub: Hub, module: Make, eventually: Eventually) -> None:
    hub.routes.table |= {"short": [("gw1/beta/in", 1, 30.0)], "never": [("gw1/beta/in", 1, 0.0)]}
    alpha = module("alpha")
    for number in range(200):
        alpha.send("short", b"old %d" % number, wait=False)
    alpha.send("never", b"expired on arrival")
    alpha.send("x", b"stays")
    assert hub.depth("gw1/beta/in") == 201
    hub.clock.offset_s = 31
    alpha.send("short", b"new")
    hub.call(hub.broker.backlog.expire)
    eventually(lambda: hub.depth("gw1/beta/in") == 2)
    beta = module("beta")
    beta.listen()
    assert beta.receive(2) == [b"stays", b"new"]
    assert hub.call(hub.broker.metrics.drops) == {"ttl_expiry": 201}


def test_the_link_goes_down_and_comes_back(hub: Hub, module: Make, eventually: Eventually) -> None:
    hub.routes.table |= {"up": [("iothub", 5, None)], "alert": [("iothub", 0, None)]}
    alpha = module("alpha")
    hub.call(lambda: hub.cloud.set(up=False))
    for number in range(150):
        alpha.send("up", b"%d" % number, wait=False)
    alpha.send("alert", b"fire")
    assert hub.depth("iothub") == 151
    hub.call(lambda: hub.cloud.set(up=True))
    eventually(lambda: len(hub.cloud.arrived) == 151)
    assert [message.body for message in hub.cloud.arrived] == [b"fire", *(b"%d" % number for number in range(150))]
    eventually(lambda: hub.depth("iothub") == 0)
    assert max(map(len, hub.cloud.batches)) == 100


def test_services_are_told_and_answer(hub: Hub, module: Make) -> None:
    alpha = module("alpha")
    alpha.subscribe("$iothub/answer/#", 0)
    alpha.raw("$iothub/echo", b"ping")
    assert alpha.receive() == [b"ping"]
    alpha.close()
    kinds = [(kind, text) for kind, _, text in hub.recorder.seen]
    assert kinds[:3] == [("connect", ""), ("subscribe", "$iothub/answer/#"), ("publish", "$iothub/echo")]


def test_injected_messages_pass_the_routes_by(hub: Hub, module: Make) -> None:
    beta = module("beta")
    beta.listen()
    message = QueuedMessage(0, b"by hand", {}, {"connectionDeviceId": "gw1"}, hub.clock(), "gw1")
    hub.call(lambda: hub.broker.inject("beta", "other", message, 1))
    got = beta.inbox.get(timeout=60)
    assert got.topic == "devices/gw1/modules/beta/inputs/other/%24.cdid=gw1"
