"""The power goes at seeded places of a life: each time the store is opened from what is left, and compared."""

from __future__ import annotations

import bisect
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modules.cache.record import PRIORITIES
from modules.cache.store import LEAST_BOUND, Append, Appended, Store
from tests.crash.disk import Disk, crashes
from tests.crash.life import LARGE, SMALL, Contents, Life, Step, again, payload_of
from tests.crash.tally import Tally

FOLDER = Path("/disk")
FOCUS = {"large": "vacuum", "outage": "evict"}  # what no other life does enough: every other point
LIVES = {"small": (SMALL, False, 160), "large": (LARGE, False, 120), "outage": (LARGE, True, 120)}


@contextmanager
def disk(files: dict[str, bytearray] | None = None) -> Iterator[Disk]:
    """A disk that SQLite forgets afterwards."""
    made = Disk(files)
    try:
        yield made
    finally:
        made.unregister()


def crash(kind: str, seed: int, points: int) -> Tally:
    """Live one life and crash it at `points` places, as many in each operation as in any other."""
    sizes, outage, moves = LIVES[kind]
    tally = Tally()
    with disk() as made:
        life = Life(made, FOLDER, seed, sizes, outage)
        life.live(moves)
        tally.blame("append", "over", max(0, made.most_bytes - LEAST_BOUND), f"{kind} life of seed {seed}")
        dice = random.Random(seed)
        for place, files in crashes(made.events, places(life, points, dice, FOCUS.get(kind)), dice):
            check(life, place, files, dice, tally)
        life.store.abandon()
    return tally


def places(life: Life, points: int, dice: random.Random, focus: str | None) -> list[int]:
    """Events after which to crash."""
    by_operation: dict[str, list[int]] = {}
    for before, step in zip(life.steps, life.steps[1:], strict=False):
        by_operation.setdefault(step.operation, []).extend(range(before.done + 1, step.done + 1))
    struck = [found for found in by_operation.values() if found]
    often = by_operation.get(focus or "") or struck[0]
    every = 2 if focus else 1
    chosen = [dice.choice(often if index % every else struck[index // every % len(struck)]) for index in range(points)]
    return sorted(chosen)


def check(life: Life, place: int, files: dict[str, bytearray], dice: random.Random, tally: Tally) -> None:
    """Open what is left; what was acknowledged by then is there, and nothing else but the step that was being made."""
    step = bisect.bisect_left(life.steps, place, key=lambda step: step.done)
    before, after = life.steps[step - 1], life.steps[step]
    operation, where = after.operation, f"event {place} of the life of seed {life.seed}"
    tally.by_operation[operation].crashes += 1
    with disk(files) as left:
        store = life.open(left)
        compare(Contents.of(store), before, after, place, tally)
        for priority in PRIORITIES:
            for record in store.peek(priority, 0, most=1000, most_bytes=1 << 24):
                whole = record.payload == payload_of(record.message_id, life.size_of[record.message_id])
                tally.blame(operation, "missing", int(not whole), f"payload, {where}")
        known = [message_id for message_id in life.ids[: before.accepted] if message_id not in life.refused]
        for message_id in dice.sample(known, min(2, len(known))):
            accepted = store.apply([Append([again(message_id)])]) != [Appended(0, 1)]
            tally.blame(operation, "repeats", int(accepted), where)
        if dice.random() < 0.02:
            tally.blame(operation, "different", len(store.check_file()), f"integrity, {where}")
        tally.blame(operation, "over", max(0, sum(map(len, left.files.values())) - LEAST_BOUND), where)
        goes_on(store, tally, operation, where)
        store.abandon()


def compare(found: Contents, before: Step, after: Step, place: int, tally: Tally) -> None:
    """As before the step, or where it was being made, as after it."""
    whole = after.done == place
    allowed = [after.kept] if whole else [before.kept, after.kept]
    if found in allowed or (not whole and not before.kept.records and not found.records):
        return
    operation, where = after.operation, f"event {place}"
    orders, ours = [kept.order() for kept in allowed], found.order()
    for priority, ids in ours.items():
        must = set.intersection(*(set(order[priority]) for order in orders))
        may = set.union(*(set(order[priority]) for order in orders))
        tally.blame(operation, "missing", len(must - set(ids)), where)
        tally.blame(operation, "repeats", len(set(ids) - may) + len(ids) - len(set(ids)), where)
        reference = max((order[priority] for order in orders), key=len)
        tally.blame(operation, "reordered", int([x for x in reference if x in set(ids)] != ids), where)
    tally.blame(operation, "different", 1, where)


def goes_on(store: Store, tally: Tally, operation: str, where: str) -> None:
    """It takes one more."""
    taken = store.apply([Append([again("the next one")])])
    tally.blame(operation, "different", int(taken not in ([Appended(1)], [Appended(0, 0, 1)])), f"goes on, {where}")
