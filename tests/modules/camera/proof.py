"""What the gate and its events make of a rendered sequence, counted against what was rendered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import Gate
from tests.modules.camera.nuisances import KINDS, frames
from tests.modules.camera.scenes import RATE_HZ, Box, Pictures

_START = datetime(2026, 1, 2, tzinfo=UTC)
_FIRST = 40  # frames: parts that come while the gate still learns its scene do not count
_HALF = 0.5  # of a part must be in what was sent


@dataclass
class Count:
    """Of one or more sequences: frames, parts that passed, those found, those sent twice, and false triggers."""

    kind: str
    frames: int = 0
    parts: int = 0
    found: int = 0
    twice: int = 0
    false: int = 0
    where: list[tuple[int, int]] = field(default_factory=list)
    """Seed and frame of each false trigger."""

    def add(self, other: Count) -> None:
        """Count the other in."""
        self.frames += other.frames
        self.parts += other.parts
        self.found += other.found
        self.twice += other.twice
        self.false += other.false
        self.where += other.where


def judge(kind: str, seed: int, pictures: Pictures, count: int, *, parts: bool, begin: int = 0) -> Count:
    """Run the gate with its default settings over one sequence."""
    gate, event = Gate(), Event()
    shown: list[list[Box]] = []
    sent: list[tuple[int, tuple[int, int, int, int]]] = []
    for index, (picture, boxes) in enumerate(frames(kind, seed, pictures, count, parts=parts, begin=begin)):
        shown.append(boxes)
        frame = Frame(picture, _START + timedelta(seconds=index / RATE_HZ), item=str(index))
        for shot in event.follow(frame, gate.watch(picture)):
            assert shot.thing is not None and shot.frame.item is not None
            sent.append((int(shot.frame.item), shot.thing.region))
    result = Count(kind, frames=count)
    hits: Counter[int] = Counter()
    for index, region in sent:
        seen = [box.number for box in shown[index] if box.share_in(*region) >= _HALF]
        hits.update(seen)
        if not seen:
            result.false += 1
            result.where.append((seed, index))
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for index, boxes in enumerate(shown):
        for box in boxes:
            first.setdefault(box.number, index)
            last[box.number] = index
    passed = [number for number in first if first[number] >= _FIRST and last[number] < count - 3]
    result.parts = len(passed)
    result.found = sum(hits[number] > 0 for number in passed)
    result.twice = sum(hits[number] > 1 for number in passed)
    return result


def table(quiet: dict[str, Count], busy: dict[str, Count], pictures: Pictures, seeds: str) -> str:
    """The counts for a person."""
    lines = [
        f"gate at its defaults, 320 x 180, {RATE_HZ} frames/s, {pictures.kind}, {seeds}",
        f"{'':16}{'event-free':>12}{'triggers':>10}{'parts':>8}{'found':>8}{'recall':>8}{'twice':>7}{'false':>7}",
    ]
    total, moving = Count("all"), Count("all")
    for kind in KINDS:
        total.add(quiet[kind])
        moving.add(busy[kind])
        lines.append(_row(kind, quiet[kind], busy[kind]))
    return "\n".join([*lines, _row("all", total, moving)])


def _row(name: str, quiet: Count, busy: Count) -> str:
    recall = busy.found / max(1, busy.parts)
    return (
        f"{name:16}{quiet.frames:12,}{quiet.false:10}{busy.parts:8}{busy.found:8}{recall:8.3f}"
        f"{busy.twice:7}{busy.false:7}"
    )
