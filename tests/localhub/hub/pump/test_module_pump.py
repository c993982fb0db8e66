"""One message in flight per module, always the same one first."""

from __future__ import annotations

from dataclasses import dataclass, field

from localhub.hub.message import Entry, QueuedMessage
from localhub.hub.pump import ACK_TIMEOUT_S, ModulePump
from localhub.hub.queues import Endpoint, Queue


@dataclass
class Receiver:
    """What was delivered: body, QoS, packet id."""

    got: list[tuple[bytes, int, int]] = field(default_factory=list)
    topics: list[bytes] = field(default_factory=list)
    congested: bool = False

    def deliver(self, topic: bytes, payload: bytes, qos: int, packet_id: int) -> None:
        self.topics.append(topic)
        self.got.append((payload, qos, packet_id))


class Backlog:
    """Queues in memory, and what became of each message."""

    def __init__(self) -> None:
        self.done: list[bytes] = []
        self.dropped: list[tuple[bytes, str]] = []
        self.now = 0.0

    def take(self, endpoint: Endpoint) -> tuple[Queue, Entry] | None:
        return endpoint.take(self.now, lambda _queue, entry: self.dropped.append((entry.message.body, "ttl_expiry")))

    def delivered(self, _queue: Queue, entry: Entry) -> None:
        self.done.append(entry.message.body)

    def drop(self, _queue: Queue, entry: Entry, reason: str) -> None:
        self.dropped.append((entry.message.body, reason))

    def is_expired(self, entry: Entry) -> bool:
        return entry.expiry <= self.now


class Meter:
    """Counts what is sent again."""

    def __init__(self) -> None:
        self.retries: list[tuple[str, str]] = []

    def sent(self, message: QueuedMessage, size: int, to: str, queue: Queue, seconds: float) -> None:
        """Not looked at."""

    def retried(self, to: str, operation: str) -> None:
        self.retries.append((to, operation))


class Bench:
    """A pump for gw1/b with inputs `in` (priorities 0 and 9) and `other`."""

    def __init__(self) -> None:
        self.backlog = Backlog()
        self.time = 100.0
        self.pump = ModulePump("gw1", "b", self.backlog, Meter(), lambda: self.time)
        self.queues: dict[tuple[str, int], Queue] = {}
        self.number = 0
        for name, priorities in (("in", (9, 0)), ("other", (5,))):
            endpoint = Endpoint(f"gw1/b/{name}")
            for priority in priorities:
                queue = Queue(len(self.queues), endpoint.name, priority, lambda *_, **__: [])
                self.queues[name, priority] = queue
                endpoint.add(queue)
            self.pump.add(endpoint)

    def put(self, body: bytes, name: str = "in", priority: int = 9, ttl: float = 1e9) -> None:
        self.number += 1
        message = QueuedMessage(self.number, body, {}, {"connectionDeviceId": "gw1"}, 0.0, "gw1")
        self.queues[name, priority].push(Entry(message, self.backlog.now + ttl, 10))
        self.pump.wake()


def test_one_at_a_time_in_order_with_packet_id_1() -> None:
    bench, receiver = Bench(), Receiver()
    bench.put(b"1")
    bench.put(b"2")
    bench.pump.attach(receiver, 1)
    assert receiver.got == [(b"1", 1, 1)]
    assert receiver.topics == [b"devices/gw1/modules/b/inputs/in/%24.cdid=gw1"]
    bench.put(b"3")
    assert len(receiver.got) == 1
    bench.pump.acknowledged(1)
    bench.pump.acknowledged(1)
    bench.pump.acknowledged(1)
    assert receiver.got == [(b"1", 1, 1), (b"2", 1, 1), (b"3", 1, 1)]
    assert bench.backlog.done == [b"1", b"2", b"3"]


def test_the_highest_priority_goes_next() -> None:
    bench, receiver = Bench(), Receiver()
    bench.pump.attach(receiver, 1)
    bench.put(b"low 1")
    bench.put(b"low 2")
    bench.put(b"high", priority=0)
    bench.pump.acknowledged(1)
    bench.pump.acknowledged(1)
    assert [body for body, _, _ in receiver.got] == [b"low 1", b"high", b"low 2"]


def test_inputs_take_turns_and_only_one_message_is_on_its_way() -> None:
    bench, receiver = Bench(), Receiver()
    for number in range(3):
        bench.put(b"in %d" % number)
        bench.put(b"other %d" % number, "other", 5)
    bench.pump.attach(receiver, 1)
    for _ in range(6):
        assert len(receiver.got) == len(bench.backlog.done) + 1
        bench.pump.acknowledged(1)
    assert [body for body, _, _ in receiver.got] == [b"in 0", b"other 0", b"in 1", b"other 1", b"in 2", b"other 2"]


def test_nothing_goes_to_a_module_that_has_not_subscribed() -> None:
    bench, receiver = Bench(), Receiver()
    bench.put(b"1")
    bench.pump.attach(receiver, None)
    assert receiver.got == []
    bench.pump.attach(receiver, 1)
    assert len(receiver.got) == 1


def test_after_a_reconnect_the_same_message_goes_first_even_before_a_higher_priority() -> None:
    bench, first, second = Bench(), Receiver(), Receiver()
    bench.pump.attach(first, 1)
    bench.put(b"1")
    bench.put(b"urgent", priority=0)
    bench.pump.attach(None, None)
    bench.pump.attach(second, 1)
    assert second.got == [(b"1", 1, 1)]
    bench.pump.acknowledged(1)
    assert second.got[1] == (b"urgent", 1, 1)
    assert bench.backlog.done == [b"1"]


def test_a_second_subscription_does_not_send_again() -> None:
    bench, receiver = Bench(), Receiver()
    bench.pump.attach(receiver, 1)
    bench.put(b"1")
    bench.pump.attach(receiver, 1)
    assert len(receiver.got) == 1


def test_an_unacknowledged_message_is_sent_again_later_and_later() -> None:
    bench, receiver = Bench(), Receiver()
    bench.pump.attach(receiver, 1)
    bench.put(b"1")
    for pause, count in ((1.0, 2), (2.0, 3), (4.0, 4)):
        bench.time += ACK_TIMEOUT_S
        bench.pump.check()
        bench.time += pause - 0.5
        bench.pump.check()
        assert len(receiver.got) == count - 1
        bench.time += 0.5
        bench.pump.check()
        assert len(receiver.got) == count
    assert {body for body, _, _ in receiver.got} == {b"1"}


def test_a_late_acknowledgement_is_not_taken_for_the_next_message() -> None:
    bench, receiver = Bench(), Receiver()
    bench.pump.attach(receiver, 1)
    bench.put(b"1")
    bench.put(b"2")
    bench.time += ACK_TIMEOUT_S
    bench.pump.check()
    bench.time += 1.0
    bench.pump.check()
    assert receiver.got == [(b"1", 1, 1), (b"1", 1, 2)]
    bench.pump.acknowledged(1)  # late, and yet it is the same message's
    assert receiver.got[2] == (b"2", 1, 3)
    bench.pump.acknowledged(2)  # of the second copy of the first message
    assert bench.backlog.done == [b"1"]
    bench.pump.acknowledged(3)
    assert bench.backlog.done == [b"1", b"2"]


def test_what_expires_while_the_module_is_away_is_dropped() -> None:
    bench, receiver = Bench(), Receiver()
    bench.pump.attach(receiver, 1)
    bench.put(b"1", ttl=10)
    bench.put(b"2", ttl=10)
    bench.put(b"3", ttl=100)
    bench.pump.attach(None, None)
    bench.backlog.now = 50
    again = Receiver()
    bench.pump.attach(again, 1)
    assert again.got == [(b"3", 1, 1)]
    assert bench.backlog.dropped == [(b"1", "ttl_expiry"), (b"2", "ttl_expiry")]


def test_at_qos_0_messages_go_without_waiting_as_long_as_the_socket_takes_them() -> None:
    bench, receiver = Bench(), Receiver()
    bench.pump.attach(receiver, 0)
    bench.put(b"1")
    bench.put(b"2")
    assert receiver.got == [(b"1", 0, 0), (b"2", 0, 0)]
    receiver.congested = True
    bench.put(b"3")
    assert len(receiver.got) == 2
    receiver.congested = False
    bench.pump.wake()
    assert len(receiver.got) == 3


def test_what_does_not_fit_a_topic_is_dropped_and_named() -> None:
    bench, receiver = Bench(), Receiver()
    bench.pump.attach(receiver, 1)
    message = QueuedMessage(1, b"", {"k": "%" * 30_000}, {"connectionDeviceId": "gw1"}, 0.0, "gw1")
    bench.queues["in", 9].push(Entry(message, 1e9, 10))
    bench.pump.wake()
    bench.number = 1
    bench.put(b"2")
    assert receiver.got == [(b"2", 1, 1)]
    assert bench.backlog.dropped == [(b"", "too_large")]
