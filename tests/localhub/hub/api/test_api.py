"""The control socket of a hub process, and what it does for people."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from localhub import control
from localhub.state import State, write_atomic

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

Make = Callable[..., "Module"]
Eventually = Callable[..., None]
ROUTE = 'FROM /messages/modules/alpha/outputs/x INTO BrokeredEndpoint("/modules/beta/inputs/in")'


def write(state: State, route: str) -> None:
    desired = {
        "schemaVersion": "1.1",
        "routes": {"r": route},
        "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
    }
    write_atomic(state.manifest, json.dumps({"$edgeHub": {"properties.desired": desired}}).encode())


@pytest.fixture
def client(hub: Hub, eventually: Eventually) -> Iterator[control.Client]:
    """The control client of a hub process in the place of the hub of the fixture."""
    hub.stop()
    write(hub.state, ROUTE)
    command = [sys.executable, "-m", "localhub.hub", "--state", str(hub.state.root)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: control.answers(hub.state.hub_socket))
            yield control.Client(hub.state.hub_socket)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
    assert code == 0


def test_a_tour(hub: Hub, client: control.Client, module: Make, eventually: Eventually) -> None:
    seen: list[Any] = []

    def watch() -> None:
        documents = control.Client(hub.state.hub_socket).stream("/watch", pattern="alpha/x", where="kind = 'alert'")
        seen.append(next(documents))
        cast("Generator[Any, None, None]", documents).close()

    watching = threading.Thread(target=watch)
    watching.start()
    alpha = module("alpha")

    def send_until_seen() -> bool:
        alpha.send("x", b"news", "kind=alert")
        alpha.send("x", b"\xff", "kind=other")
        return bool(seen)

    eventually(send_until_seen)
    watching.join(10)
    assert (seen[0]["source"], seen[0]["output"], seen[0]["body"]) == ("gw1/alpha", "x", "news")
    assert seen[0]["properties"] == {"kind": "alert"}
    alpha.send("nowhere", b"")

    body = base64.b64encode(b"by hand").decode()
    given = {"$.ct": "text/plain", "k": "v"}
    message = {"module": "beta", "input": "other", "body_b64": body, "properties": given}
    assert client.post("/inject", message) == {"queued": 7}

    status = client.get("/status")
    assert [one["id"] for one in status["clients"]] == ["gw1/alpha"]
    depths = {queue["endpoint"]: queue["depth"] for queue in status["queues"]}
    sent = status["counters"]["received"] - 1
    assert depths == {"gw1/beta/in": sent, "gw1/beta/other": 1}
    assert status["counters"]["dropped"] == {"no_route": 1}
    assert all(queue["oldest_s"] >= 0 for queue in status["queues"])
    assert status["link"]["state"] == "down"

    beta = module("beta")
    beta.listen()
    topics = {beta.inbox.get(timeout=60).topic for _ in range(sent + 1)}
    assert "devices/gw1/modules/beta/inputs/other/k=v&%24.ct=text%2Fplain&%24.cdid=gw1" in topics
    eventually(lambda: client.get("/status")["counters"]["sent"] == sent + 1)
    port = State.load(hub.state.root).metrics_port
    with urllib.request.urlopen(f"http://{hub.state.address}:{port}/metrics") as answer:
        assert b"edgehub_queue_length" in answer.read()

    write(hub.state, ROUTE.replace("outputs/x", "outputs/y"))
    assert client.post("/reload") == {"reloaded": True}
    write(hub.state, "FROM nowhere")
    with pytest.raises(control.ControlError) as caught:
        client.post("/reload")
    assert caught.value.status == 400
    alpha.send("y", b"by the new route")
    assert beta.receive() == [b"by the new route"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/inject", {"module": "m", "input": "i", "body_b64": "%"}, 400),
        ("/inject", {}, 400),
        ("/link", {"state": "sideways"}, 400),
        ("/method", {"module": "beta", "name": "m"}, 404),
        ("/method", {"module": "beta"}, 400),
    ],
)
def test_refusals(client: control.Client, path: str, body: object, status: int) -> None:
    with pytest.raises(control.ControlError) as caught:
        client.post(path, body)
    assert caught.value.status == status
