"""A queue in memory and on disk against a plain list."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from localhub.hub.message import NEVER, Entry, QueuedMessage
from localhub.hub.queues import OVERHEAD, WINDOW, Endpoint, Queue, Room

UNDER_WAY = 80  # a pump takes no more than its batch before it delivers or puts back


def entry(number: int, expiry: float = NEVER, size: int = 10) -> Entry:
    return Entry(QueuedMessage(number, b"", {}, {}, 0.0, "gw1"), expiry, size)


class AgainstAList(RuleBasedStateMachine):
    """Pushes, takes, returns and expiries in any order; `disk` is what a store would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.disk: dict[int, Entry] = {}
        self.late: list[Entry] = []  # committed, but the loop has not heard of it
        self.taken: list[Entry] = []
        self.expired: list[int] = []
        self.next = 1
        self.now = 0.0
        self.room = Room(100 * (10 + OVERHEAD))
        self.queue = Queue(1, "gw1/a/in", 0, self.fetch, room=self.room)

    def fetch(self, queue: int, after: int, now: float, limit: int, max_bytes: int) -> list[Entry]:
        assert queue == 1
        assert max_bytes
        rows = sorted(number for number, one in self.disk.items() if number > after and one.expiry > now)
        return [self.disk[number] for number in rows[:limit]]

    @rule(count=st.integers(1, 40), ttl=st.sampled_from([NEVER, NEVER, 5.0]))
    def commit(self, count: int, ttl: float) -> None:
        for _ in range(count):
            made = entry(self.next, self.now + ttl)
            self.disk[self.next] = made
            self.late.append(made)
            self.next += 1

    @rule()
    def hear(self) -> None:
        for made in self.late:
            self.queue.push(made)
        self.late.clear()

    @rule(count=st.integers(1, 80))
    def take(self, count: int) -> None:
        for _ in range(min(count, UNDER_WAY - len(self.taken))):
            waiting = [number for number, one in sorted(self.disk.items()) if one.expiry > self.now]
            got = self.queue.take(self.now, self.drop)
            if got is None:
                assert not [number for number in waiting if number not in {one.message.id for one in self.late}]
                return
            assert got.message.id == waiting[0]
            self.taken.append(got)
            del self.disk[got.message.id]

    @precondition(lambda self: self.taken)
    @rule()
    def put_back(self) -> None:
        self.disk |= {one.message.id: one for one in self.taken}
        self.queue.put_back(self.taken)
        self.taken = []

    @rule()
    def deliver(self) -> None:
        for one in self.taken:
            self.queue.removed(one.size)
        self.taken.clear()

    @rule(seconds=st.sampled_from([1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def clean(self) -> None:
        """What the broker does now and then: the window first, then the disk, of what the queue knows."""
        for gone in self.queue.drop_expired(self.now):
            self.drop(self.queue, gone)
        heard = {one.message.id for one in self.late}
        for number in [number for number, one in self.disk.items() if one.expiry <= self.now and number not in heard]:
            self.queue.removed(self.disk.pop(number).size)

    @invariant()
    def depth(self) -> None:
        assert self.queue.depth == len(self.disk) + len(self.taken) - len(self.late)
        assert self.queue.bytes == 10 * self.queue.depth

    @invariant()
    def memory(self) -> None:
        assert len(self.queue._window) <= max(WINDOW, 100) + UNDER_WAY
        assert self.room.used == len(self.queue._window) * (10 + OVERHEAD)

    @rule(taken=st.booleans())
    def others(self, *, taken: bool) -> None:
        """Other queues take all the room there is, or give it back."""
        self.room.limit = 0 if taken else 100 * (10 + OVERHEAD)

    def drop(self, queue: Queue, gone: Entry) -> None:
        assert gone.expiry <= self.now
        del self.disk[gone.message.id]
        queue.removed(gone.size)


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_priorities_come_first_and_are_not_mixed() -> None:
    endpoint = Endpoint("iothub")
    low, high = (Queue(no, "iothub", priority, lambda *_, **__: []) for no, priority in ((1, 2_000_000_000), (2, 0)))
    endpoint.add(low)
    endpoint.add(high)
    for number, queue in ((1, low), (2, high), (3, low), (4, high)):
        queue.push(entry(number))

    def expired(_queue: Queue, _entry: Entry) -> None:
        raise AssertionError

    def batch(limit: int) -> list[int]:
        found = endpoint.take_batch(limit, 1000, 0.0, expired)
        return [] if found is None else [one.message.id for one in found[1]]

    assert batch(10) == [2, 4]
    assert batch(10) == [1, 3]
    assert batch(10) == []
