"""What a module wants to send without waiting: bounded, with a rule by kind for what to drop. Pure.

Messages leave by urgency, and in order within a kind. What is dropped is counted and never silent.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """How many of a kind may wait, how many bytes, and which goes when there is no room."""

    items: int
    size: int
    drop: Literal["oldest", "newest"] = "oldest"
    urgency: int = 5
    """0 leaves first."""


MEGABYTE: Final = 1 << 20

RULES: Final[Mapping[str, Rule]] = {
    # An alert is refused only when thousands wait: what came first explains the rest.
    "alert": Rule(4096, 8 * MEGABYTE, drop="newest", urgency=0),
    "command": Rule(256, MEGABYTE, drop="newest", urgency=0),
    # Only the newest heartbeat says anything.
    "health": Rule(1, MEGABYTE, urgency=1),
    "anomaly": Rule(4096, 8 * MEGABYTE, urgency=2),
    "window": Rule(4096, 16 * MEGABYTE, urgency=3),
    "score": Rule(4096, 8 * MEGABYTE, urgency=3),
    "verdict": Rule(4096, MEGABYTE, drop="newest", urgency=3),
    "readings": Rule(1024, 16 * MEGABYTE, urgency=4),
    "waveform": Rule(256, 16 * MEGABYTE, urgency=4),
    # An old picture of a moving line is worth less than a new one.
    "frame": Rule(16, 8 * MEGABYTE, urgency=4),
    "sample": Rule(64, 8 * MEGABYTE, urgency=6),
    # What the cache has kept already, and keeps until it is confirmed.
    "batch": Rule(64, 16 * MEGABYTE, drop="newest", urgency=3),
}


@dataclass(slots=True)
class _Lane(Generic[T]):
    rule: Rule
    waiting: deque[tuple[int, T]] = field(default_factory=deque)
    size: int = 0


class Outbox(Generic[T]):
    """Waiting items in one lane per kind; `put` tells what had to go for it."""

    def __init__(self, rules: Mapping[str, Rule] = RULES) -> None:
        self._lanes: dict[str, _Lane[T]] = {kind: _Lane(rule) for kind, rule in rules.items()}
        self._order = sorted(self._lanes, key=lambda kind: rules[kind].urgency)

    def put(self, kind: str, item: T, size: int) -> list[T]:
        """Let `item` wait; returns what was dropped for it, itself perhaps. Raises KeyError for a kind without rule."""
        lane = self._lanes[kind]
        rule = lane.rule
        if size > rule.size:
            return [item]
        if rule.drop == "newest" and (len(lane.waiting) >= rule.items or lane.size + size > rule.size):
            return [item]
        lane.waiting.append((size, item))
        lane.size += size
        dropped = []
        while len(lane.waiting) > rule.items or lane.size > rule.size:
            old_size, old = lane.waiting.popleft()
            lane.size -= old_size
            dropped.append(old)
        return dropped

    def room(self, kind: str, size: int) -> bool:
        """Whether an item of so many bytes could wait and nothing be dropped for it. Raises KeyError as `put`."""
        lane = self._lanes[kind]
        return len(lane.waiting) < lane.rule.items and lane.size + size <= lane.rule.size

    def take(self) -> T | None:
        """The next item to send, or None when nothing waits."""
        for kind in self._order:
            lane = self._lanes[kind]
            if lane.waiting:
                size, item = lane.waiting.popleft()
                lane.size -= size
                return item
        return None

    def __len__(self) -> int:
        return sum(len(lane.waiting) for lane in self._lanes.values())

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return sum(lane.size for lane in self._lanes.values())
