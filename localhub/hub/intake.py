"""From a PUBLISH to the queues: what it is, who sent it, where it goes, or why it is dropped."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from localhub.hub.backlog import Place
from localhub.hub.commits import Done
from localhub.hub.message import MAX_MESSAGE, UPSTREAM, QueuedMessage, name
from localhub.hub.metrics import Metrics
from localhub.identity import Identity
from localhub.wire import bag, topics

log = logging.getLogger(__name__)

WATCHED_BYTES: Final = 8 << 20  # what may wait for a slow reader; more is counted as missed
WATCHED_OVERHEAD: Final = 1_000  # bytes a message takes beside its own
LINES_PER_REASON: Final = 5  # log lines on dropped messages, by sender and reason; the counter goes on


class Router(Protocol):
    """Knows the routes: every endpoint a message goes to, once, with its priority and time to live."""

    def places(self, message: QueuedMessage) -> Sequence[Place]:
        """Where a message goes; empty: no route matches."""


class Store(Protocol):
    """Where messages are put: the Backlog."""

    def next_id(self) -> int:
        """A number for a message."""

    def enqueue(self, message: QueuedMessage, size: int, places: Sequence[Place], done: Done) -> None:
        """Put a message into queues."""


class Watcher(Protocol):
    """Sees every message that comes in."""

    def __call__(self, message: QueuedMessage, places: Sequence[Place]) -> None:
        """Called once a message."""


class Origin:
    """What is the same in all messages of one client."""

    def __init__(self, identity: Identity) -> None:
        self.name = name(identity.device, identity.module)
        self.system = {"connectionDeviceId": identity.device}
        if identity.module is not None:
            self.system["connectionModuleId"] = identity.module
        self.bag = bag.encode({}, self.system)
        self.characters = sum(len(key) + len(value) for key, value in self.system.items())
        self._prefix = topics.events_prefix(identity.device, identity.module)

    def bag_of(self, topic: str) -> str | None:
        """The property bag of the client's own event topic; None for any other topic."""
        if topic.startswith(self._prefix):
            ending = topic[len(self._prefix) :]
            if "/" not in ending:
                return ending
        parsed = topics.parse_event(topic)
        return parsed.bag if parsed is not None and name(parsed.device, parsed.module) == self.name else None


class Intake:
    """Accepts messages; edgeHub acknowledges also what it drops, and so does this, but not in silence."""

    def __init__(
        self, router: Router, backlog: Store, metrics: Metrics, clock: Callable[[], float], *, forging: bool = False
    ) -> None:
        self.router = router
        self._forging = forging
        self.watchers: list[Watcher] = []
        self._backlog = backlog
        self._metrics = metrics
        self._clock = clock
        self._said: dict[tuple[str, str], int] = {}

    def event(self, origin: Origin, topic: str, payload: bytes, done: Done) -> bool:
        """Take in a message; False: it was dropped, and `done` will not be called. It is to be acknowledged then."""
        raw = origin.bag_of(topic)
        if raw is None:
            claimed = self._refuse(origin, topic)
            return claimed is not None and self.event(claimed, topic, payload, done)
        decoded = bag.decode(raw)
        system = decoded.system
        system |= origin.system
        ending = decoded.forwarded
        if ending is not None:
            ending = f"{ending}&{origin.bag}" if ending else origin.bag
        message = QueuedMessage(0, payload, decoded.properties, system, self._clock(), origin.name, ending)
        size = len(payload) + decoded.characters + origin.characters
        self._metrics.received(message, size)
        if size > MAX_MESSAGE:
            self._drop("too_large", origin, message, f"body and properties count {size}, the limit is {MAX_MESSAGE}")
            return False
        places = self.router.places(message)
        for watcher in self.watchers:
            watcher(message, places)
        if not places:
            self._drop("no_route", origin, message, f"no route matches output {message.output!r}")
            return False
        return self._enqueue(message, size, places, done)

    def twin_changed(self, gateway: str, identity: Identity, patch: bytes) -> None:
        """The event of a reported patch: it comes from $edgeHub, and names who reported (edgehub-contract 5.9)."""
        system = {
            "connectionDeviceId": gateway,
            "connectionModuleId": "$edgeHub",
            "contentType": "application/json",
            "contentEncoding": "utf-8",
            "messageSchema": "twinChangeNotification",
            "rpSenderDeviceId": identity.device,
        }
        if identity.module is not None:
            system["rpSenderModuleId"] = identity.module
        message = QueuedMessage(0, patch, {}, system, self._clock(), f"{gateway}/$edgeHub")
        places = self.router.places(message)
        if places:
            self._enqueue(message, message.size(), places, _unheard)

    def inject(self, message: QueuedMessage, endpoint: str, priority: int, done: Done) -> None:
        """Put a message into one queue, past the routes; its system properties name a sender."""
        message.id = self._backlog.next_id()
        self._backlog.enqueue(message, message.size(), [Place(endpoint, priority)], done)

    def _enqueue(self, message: QueuedMessage, size: int, places: Sequence[Place], done: Done) -> bool:
        for place in places:
            if place.expiry <= message.enqueued:
                places = self._living(message, places)
                break
        if not places:
            return False
        message.id = self._backlog.next_id()
        self._backlog.enqueue(message, size, places, done)
        return True

    def _living(self, message: QueuedMessage, places: Sequence[Place]) -> Sequence[Place]:
        """Without those where it has expired on arrival: their time to live is 0 (edgehub-contract 5.10)."""
        living = [place for place in places if place.expiry > message.enqueued]
        for _ in range(len(places) - len(living)):
            self._metrics.dropped("ttl_expiry", message)
        return living

    def _refuse(self, origin: Origin, topic: str) -> Origin | None:
        """Drop what has a topic that its sender may not use; or, where forging is allowed, whom it is taken from."""
        parsed = topics.parse_event(topic)
        if parsed is None:
            self._drop("bad_topic", origin, None, f"its topic {topic!r} matches no template (a raw '/' in a property?)")
            return None
        claimed = Identity(parsed.device, parsed.module)
        if self._forging:
            self._say("forged", origin, f"a message of {origin.name} is taken for one of {claimed}, as edgeHub does")
            return Origin(claimed)
        self._drop("forged", origin, None, f"it speaks as {claimed}; edgeHub would let this pass")
        return None

    def _drop(self, reason: str, origin: Origin, message: QueuedMessage | None, text: str) -> None:
        if message is None:
            message = QueuedMessage(0, b"", {}, dict(origin.system), 0, origin.name)
        self._metrics.dropped(reason, message)
        self._say(reason, origin, f"a message of {origin.name} is acknowledged and dropped, {reason}: {text}")

    def _say(self, reason: str, origin: Origin, text: str) -> None:
        key = origin.name, reason
        said = self._said.get(key, 0)
        if said < LINES_PER_REASON:
            self._said[key] = said + 1
            more = "" if said < LINES_PER_REASON - 1 else " (further ones are only counted)"
            log.log(logging.ERROR if reason == "forged" else logging.WARNING, "%s%s", text, more)


def _unheard(error: Exception | None) -> None:
    if error is not None:
        log.error("a twin change event could not be stored: %s", error)


class Watch:
    """A watcher with a bounded memory: `pattern` is MODULE, MODULE/OUTPUT, or $upstream; `wanted` chooses further."""

    def __init__(
        self,
        pattern: str,
        notify: Callable[[], None],
        wanted: Callable[[QueuedMessage], object] | None = None,
        limit_bytes: int = WATCHED_BYTES,
    ) -> None:
        self.missed = 0
        self._seen: deque[QueuedMessage] = deque()
        self._room = limit_bytes
        self._module, _, self._output = pattern.partition("/")
        self._notify = notify
        self._wanted = wanted

    def __call__(self, message: QueuedMessage, places: Sequence[Place]) -> None:
        """Remember the message if it fits the pattern."""
        if not self._fits(message, places) or not (self._wanted is None or self._wanted(message)):
            return
        size = WATCHED_OVERHEAD + message.size()
        if size > self._room:
            self.missed += 1
        else:
            self._room -= size
            self._seen.append(message)
        self._notify()

    def take(self) -> QueuedMessage | None:
        """The next message that was seen."""
        if not self._seen:
            return None
        message = self._seen.popleft()
        self._room += WATCHED_OVERHEAD + message.size()
        return message

    def _fits(self, message: QueuedMessage, places: Sequence[Place]) -> bool:
        if self._module.casefold() == "$upstream":
            return any(place.endpoint == UPSTREAM for place in places)
        sender = message.system.get("connectionModuleId", message.system["connectionDeviceId"])
        return self._module in ("*", sender) and self._output in ("", "*", message.output)
