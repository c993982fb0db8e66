"""What becomes of a message that comes in."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from localhub.hub.backlog import Place
from localhub.hub.intake import Intake, Origin, Watch
from localhub.hub.message import MAX_MESSAGE, UPSTREAM, QueuedMessage
from localhub.hub.metrics import Metrics
from localhub.identity import Identity

ALPHA = Origin(Identity("gw1", "alpha"))
LEAF = Origin(Identity("leaf1"))


class Router:
    """Answers what it was told to."""

    def __init__(self, *places: Place) -> None:
        self.answer = places
        self.asked: list[QueuedMessage] = []

    def places(self, message: QueuedMessage) -> Sequence[Place]:
        self.asked.append(message)
        return self.answer


class Backlog:
    """Remembers what was put into it."""

    def __init__(self) -> None:
        self.put: list[tuple[QueuedMessage, list[Place]]] = []

    def next_id(self) -> int:
        return len(self.put) + 1

    def enqueue(self, message: QueuedMessage, size: int, places: Sequence[Place], done: object) -> None:
        assert size == message.size()
        assert callable(done)
        self.put.append((message, list(places)))


class Bench:
    """An intake at the time 1000."""

    def __init__(self, *places: Place) -> None:
        self.router = Router(*places)
        self.backlog = Backlog()
        self.metrics = Metrics("hub", "gw1", lambda: 1000.0)
        self.intake = Intake(self.router, self.backlog, self.metrics, lambda: 1000.0)

    def event(self, topic: str, body: bytes = b"", origin: Origin = ALPHA) -> bool:
        return self.intake.event(origin, topic, body, lambda _error: None)


def test_a_message_is_known_by_its_topic() -> None:
    bench = Bench(Place("gw1/beta/in", 1))
    bag = "%24.on=out&%24.mid=m%201&%24.ct=application%2Fjson&a=b%26c"
    assert bench.event(f"devices/gw1/modules/alpha/messages/events/{bag}", b"{}")
    ((message, places),) = bench.backlog.put
    assert places == [Place("gw1/beta/in", 1)]
    assert message.properties == {"a": "b&c"}
    assert message.system == {
        "outputName": "out",
        "messageId": "m 1",
        "contentType": "application/json",
        "connectionDeviceId": "gw1",
        "connectionModuleId": "alpha",
    }
    assert (message.id, message.source, message.output, message.enqueued) == (1, "gw1/alpha", "out", 1000.0)
    assert message.bag == "a=b%26c&%24.mid=m%201&%24.ct=application%2Fjson&%24.cdid=gw1&%24.cmid=alpha"


def test_a_leaf_device_has_no_module() -> None:
    bench = Bench(Place("gw1/beta/in", 1))
    assert bench.event("devices/leaf1/messages/events/", origin=LEAF)
    ((message, _),) = bench.backlog.put
    assert message.system == {"connectionDeviceId": "leaf1"}
    assert message.bag == "%24.cdid=leaf1"


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        ("devices/gw1/modules/alpha/messages/events/a=b/c", b"", "bad_topic"),
        ("hello", b"", "bad_topic"),
        ("devices/gw1/modules/beta/messages/events/", b"", "forged"),
        ("devices/gw1/messages/events/", b"", "forged"),
        ("devices/gw1/modules/alpha/messages/events/", bytes(MAX_MESSAGE), "too_large"),
        ("devices/gw1/modules/alpha/messages/events/", b"", "no_route"),
    ],
)
def test_drops_are_counted_by_reason(topic: str, body: bytes, reason: str) -> None:
    bench = Bench()
    assert not bench.event(topic, body)
    assert bench.metrics.drops() == {reason: 1}
    assert bench.backlog.put == []


def test_the_log_does_not_drown(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for _ in range(100):
        bench.event("hello")
    assert len(caplog.records) == 5
    assert "only counted" in caplog.records[-1].getMessage()
    assert bench.metrics.drops() == {"bad_topic": 100}


def test_a_time_to_live_of_0_has_expired_on_arrival() -> None:
    bench = Bench(Place("gw1/beta/in", 1, 1000.0), Place("iothub", 1, 1001.0))
    assert bench.event("devices/gw1/modules/alpha/messages/events/")
    assert [place.endpoint for place in bench.backlog.put[0][1]] == ["iothub"]
    assert bench.metrics.drops() == {"ttl_expiry": 1}


def test_a_twin_change_is_an_event_of_edgehub() -> None:
    bench = Bench(Place("gw1/beta/in", 1))
    bench.intake.twin_changed("gw1", Identity("gw1", "alpha"), b'{"a": 1}')
    ((message, _),) = bench.backlog.put
    assert message.system["connectionModuleId"] == "$edgeHub"
    assert message.system["rpSenderModuleId"] == "alpha"


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("alpha", True), ("alpha/out", True), ("*", True), ("*/out", True), ("$upstream", True), ("alpha/other", False)],
)
def test_watching(pattern: str, *, fits: bool) -> None:
    bench = Bench(Place(UPSTREAM, 1))
    heard: list[bool] = []
    watch = Watch(pattern, lambda: heard.append(True), limit_bytes=2500)
    bench.intake.watchers.append(watch)
    for _ in range(3):
        bench.event("devices/gw1/modules/alpha/messages/events/%24.on=out")
    assert (watch.missed, bool(heard)) == ((1, True) if fits else (0, False))
    assert [watch.take() is not None for _ in range(3)] == ([True, True, False] if fits else [False] * 3)
    bench.event("devices/gw1/modules/alpha/messages/events/%24.on=out")
    assert (watch.take() is not None) == fits


def test_watching_some() -> None:
    bench = Bench(Place(UPSTREAM, 1))
    watch = Watch("*", lambda: None, lambda message: message.properties.get("kind") == "alert")
    bench.intake.watchers.append(watch)
    bench.event("devices/gw1/modules/alpha/messages/events/kind=score")
    bench.event("devices/gw1/modules/alpha/messages/events/kind=alert")
    seen = watch.take()
    assert seen is not None
    assert seen.properties == {"kind": "alert"}
    assert watch.take() is None
