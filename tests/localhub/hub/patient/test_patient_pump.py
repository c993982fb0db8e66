"""A message for a module that is away waits for its next try, whether or not the module is back."""

from __future__ import annotations

from localhub.hub.message import Entry, QueuedMessage
from localhub.hub.patient import PatientPump
from localhub.hub.queues import Endpoint, Queue


class Receiver:
    """What was delivered."""

    congested = False

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def deliver(self, _topic: bytes, payload: bytes, _qos: int, _packet_id: int) -> None:
        self.got.append(payload)


class Bench:
    """A pump for gw1/b with one input, time in hand, and what it asks of the backlog."""

    def __init__(self) -> None:
        self.now = 100.0
        self.number = 0
        self.dropped: list[bytes] = []
        self.pump = PatientPump("gw1", "b", self, self, lambda: self.now)
        self.queue = Queue(1, "gw1/b/in", 0, lambda *_, **__: [])
        endpoint = Endpoint("gw1/b/in")
        endpoint.add(self.queue)
        self.pump.add(endpoint)

    def put(self, body: bytes, expiry: float = 1e9) -> None:
        self.number += 1
        message = QueuedMessage(self.number, body, {}, {"connectionDeviceId": "gw1"}, 0.0, "gw1")
        self.queue.push(Entry(message, expiry, 10))
        self.pump.wake()

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.pump.check()

    def take(self, endpoint: Endpoint) -> tuple[Queue, Entry] | None:
        return endpoint.take(self.now, lambda _queue, entry: self.dropped.append(entry.message.body))

    def delivered(self, queue: Queue, entry: Entry) -> None:
        queue.removed(entry.size)

    def drop(self, queue: Queue, entry: Entry, _reason: str) -> None:
        queue.removed(entry.size)
        self.dropped.append(entry.message.body)

    def is_expired(self, entry: Entry) -> bool:
        return entry.expiry <= self.now

    def sent(self, message: QueuedMessage, size: int, to: str, queue: Queue, seconds: float) -> None:
        """Not looked at."""

    def retried(self, to: str, operation: str) -> None:
        """Not looked at."""


def test_a_connected_module_gets_its_messages_at_once() -> None:
    bench, receiver = Bench(), Receiver()
    bench.pump.attach(receiver, 1)
    for body in (b"1", b"2"):
        bench.put(body)
        bench.pump.acknowledged(1)
    assert receiver.got == [b"1", b"2"]


def test_the_pauses_double_up_to_a_minute_and_a_module_that_is_back_waits_for_the_next_try() -> None:
    bench, receiver = Bench(), Receiver()
    bench.put(b"1")
    for pause in (1, 2, 4, 8, 16, 32, 60):
        bench.later(pause)
    bench.pump.attach(receiver, 1)
    bench.put(b"2")
    bench.later(59)
    assert receiver.got == []
    bench.later(1)
    assert receiver.got == [b"1"]
    bench.pump.acknowledged(1)
    assert receiver.got == [b"1", b"2"]


def test_after_a_success_the_pauses_begin_anew() -> None:
    bench, receiver = Bench(), Receiver()
    bench.put(b"1")
    bench.later(1)
    bench.pump.attach(receiver, 1)
    bench.later(2)
    bench.pump.acknowledged(1)
    bench.pump.attach(None, None)
    bench.put(b"2")
    bench.pump.attach(receiver, 1)
    bench.later(0.9)
    assert receiver.got == [b"1"]
    bench.later(0.1)
    assert receiver.got == [b"1", b"2"]


def test_what_was_on_its_way_when_the_connection_broke_waits_too() -> None:
    bench, first, second = Bench(), Receiver(), Receiver()
    bench.pump.attach(first, 1)
    bench.put(b"1")
    bench.pump.attach(None, None)
    bench.pump.attach(second, 1)
    assert second.got == []
    bench.later(1)
    assert second.got == [b"1"]


def test_its_time_to_live_is_not_looked_at_again() -> None:
    bench, first, second = Bench(), Receiver(), Receiver()
    bench.pump.attach(first, 1)
    bench.put(b"1", expiry=105.0)
    bench.put(b"2", expiry=105.0)
    bench.pump.attach(None, None)
    bench.pump.attach(second, 1)
    bench.later(10)
    assert second.got == [b"1"]
    bench.pump.acknowledged(1)
    assert bench.dropped == [b"2"]  # it had not been fetched
