"""Every message between its commit and its last receiver: which queues hold it, when it goes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from localhub.hub.commits import Commits, Done
from localhub.hub.message import NEVER, Entry, QueuedMessage, pack
from localhub.hub.queues import Endpoint, Queue, Room
from localhub.hub.store import Recovered, Store


class Place(Struct, frozen=True, gc=False):
    """One queue for a message, and the moment (epoch seconds) at which it is worth nothing any more there."""

    endpoint: str
    priority: int
    expiry: float = NEVER


class Counters(Protocol):
    """Where drops are counted."""

    def dropped(self, reason: str, message: QueuedMessage | None) -> None:
        """A message left a queue without being delivered."""


class Backlog:
    """The hub's queues, in memory and on disk; belongs to the loop's thread."""

    def __init__(
        self,
        store: Store,
        recovered: Recovered,
        counters: Counters,
        clock: Callable[[], float],
        wake: Callable[[str], None],
    ) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.commits = Commits(store, self._expired_on_disk)
        self._store = store
        self._counters = counters
        self._clock = clock
        self._wake = wake
        self._next_id = recovered.next_id
        self._shared = recovered.shared
        self._queues: dict[tuple[str, int], Queue] = {}
        self._by_number: dict[int, Queue] = {}
        self._room = Room()
        self._taken: set[tuple[int, int]] = set()  # queue number and id of what is on its way to a receiver
        for found in recovered.queues:
            self._add(self._queue(found.no, found.endpoint, found.priority, found.depth, found.bytes))

    def next_id(self) -> int:
        """A number for a message: they are in the order of arrival."""
        number = self._next_id
        self._next_id += 1
        return number

    def enqueue(self, message: QueuedMessage, size: int, places: Sequence[Place], done: Done) -> None:
        """Put a message of `size` into queues, at least one; `done` is called once it is durable in all, or in none."""

        def committed(error: Exception | None) -> None:
            if error is None:
                for queue, entry in added:
                    queue.push(entry)
                    self._wake(queue.endpoint)
            else:
                self._shared.pop(message.id, None)
            done(error)

        batch = self.commits.open(committed)
        batch.messages.append((message.id, message.body, pack(message)))
        added: list[tuple[Queue, Entry]] = []
        for place in places:
            queue = self._queues.get((place.endpoint, place.priority))
            if queue is None:
                queue = self._create(place.endpoint, place.priority)
            batch.entries.append((queue.no, message.id, place.expiry, size))
            added.append((queue, Entry(message, place.expiry, size)))
        if len(added) > 1:
            self._shared[message.id] = len(added)

    def take(self, endpoint: Endpoint) -> tuple[Queue, Entry] | None:
        """The next message of an endpoint; give it to `delivered`, `drop` or `put_back` afterwards."""
        found = endpoint.take(self._clock(), self._expired_in_window)
        if found is not None:
            queue, entry = found
            self._taken.add((queue.no, entry.message.id))
        return found

    def take_batch(self, endpoint: Endpoint, limit: int, max_bytes: int) -> tuple[Queue, list[Entry]] | None:
        """The next messages of one priority of an endpoint."""
        found = endpoint.take_batch(limit, max_bytes, self._clock(), self._expired_in_window)
        if found is not None:
            queue, entries = found
            self._taken.update((queue.no, entry.message.id) for entry in entries)
        return found

    def put_back(self, queue: Queue, entries: list[Entry]) -> None:
        """What was taken and not delivered goes back to the head, in order."""
        self._taken.difference_update((queue.no, entry.message.id) for entry in entries)
        queue.put_back(entries)

    def delivered(self, queue: Queue, entry: Entry) -> None:
        """A receiver has acknowledged a message."""
        number = entry.message.id
        place = queue.no, number
        self._taken.discard(place)
        queue.removed(entry.size)
        batch = self.commits.open_lazily()
        batch.removed.append(place)
        if number not in self._shared or self._release(number):
            batch.dead.append((number,))

    def drop(self, queue: Queue, entry: Entry, reason: str) -> None:
        """A message that was taken cannot be delivered, ever."""
        self._taken.discard((queue.no, entry.message.id))
        self._counters.dropped(reason, entry.message)
        self._remove(queue, entry)

    def forget(self, name: str) -> int:
        """Lose what an endpoint's queues hold, apart from what is on its way; how many messages that were."""
        lost = 0
        while (found := self.take(self.endpoints[name])) is not None:
            self.drop(*found, "no_route")
            lost += 1
        return lost

    def is_expired(self, entry: Entry) -> bool:
        """Whether a message's time is over."""
        return entry.expiry <= self._clock()

    def expire(self) -> None:
        """Take out of every queue, in memory and on disk, what has expired."""
        now = self._clock()
        for queue in self._by_number.values():
            for entry in queue.drop_expired(now):
                self._expired_in_window(queue, entry)
        if any(queue.depth for queue in self._by_number.values()):
            self.commits.open_lazily().expire = (now, tuple({message_id for _, message_id in self._taken}))

    def queues(self) -> Iterable[Queue]:
        """All queues that were ever used."""
        return self._by_number.values()

    def oldest(self, queue: Queue) -> float | None:
        """The age in seconds of a queue's oldest message; None when it is empty."""
        if not queue.depth:
            return None
        message = self._store.oldest(queue.no)
        return None if message is None else self._clock() - message.enqueued

    def _create(self, endpoint: str, priority: int) -> Queue:
        queue = self._queue(len(self._by_number) + 1, endpoint, priority, 0, 0)
        self.commits.open().queues.append((queue.no, endpoint, priority))
        self._add(queue)
        return queue

    def _queue(self, no: int, endpoint: str, priority: int, depth: int, size: int) -> Queue:
        return Queue(no, endpoint, priority, self._store.fetch, depth=depth, size=size, room=self._room)

    def _add(self, queue: Queue) -> None:
        self._queues[queue.endpoint, queue.priority] = queue
        self._by_number[queue.no] = queue
        self.endpoints.setdefault(queue.endpoint, Endpoint(queue.endpoint)).add(queue)

    def _expired_in_window(self, queue: Queue, entry: Entry) -> None:
        self._counters.dropped("ttl_expiry", entry.message)
        self._remove(queue, entry)

    def _expired_on_disk(self, rows: list[tuple[int, int, int]]) -> None:
        batch = self.commits.open_lazily()
        for number, message_id, size in rows:
            self._by_number[number].removed(size)
            self._counters.dropped("ttl_expiry", None)
            if self._release(message_id):
                batch.dead.append((message_id,))

    def _remove(self, queue: Queue, entry: Entry) -> None:
        queue.removed(entry.size)
        batch = self.commits.open_lazily()
        batch.removed.append((queue.no, entry.message.id))
        if self._release(entry.message.id):
            batch.dead.append((entry.message.id,))

    def _release(self, message_id: int) -> bool:
        """Forget one of a message's places; whether that was the last."""
        places = self._shared.get(message_id)
        if places is None:
            return True
        if places == 2:
            del self._shared[message_id]
        else:
            self._shared[message_id] = places - 1
        return False
