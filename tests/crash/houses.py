"""The power goes under a whole state folder: keys made, rotated and copied, ballast, stores set aside and salvaged."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from modules.cache.record import PRIORITIES
from modules.cache.store import LEAST_BOUND, Append, Appended, Clock, Confirm, Hand, Limits, Store, StoreDamagedError
from modules.cache.store.house import House
from tests.crash.life import again, payload_of
from tests.crash.recorder import Recorder, crashed_folders, recording
from tests.crash.tally import Tally

NOW_MS = 1_700_000_000_000


class KeyService:
    """Wraps a key so that only it can unwrap it; what a power cut made of a wrapped key it refuses as damaged."""

    def encrypt(self, plaintext: bytes, iv: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(plaintext, iv * 2, strict=True)) + iv

    def decrypt(self, ciphertext: bytes, iv: bytes) -> bytes:
        assert ciphertext[-len(iv) :] == iv
        return bytes(a ^ b for a, b in zip(ciphertext[: -len(iv)], iv * 2, strict=True))


def house_in(root: Path) -> House:
    return House(
        root,
        KeyService(),
        say=lambda _line: None,
        limits=Limits(bound=LEAST_BOUND),
        clock=Clock(wall=lambda: NOW_MS),
        patience_s=0.0,
        sleep=lambda _seconds: None,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """`operation` was whole at event `done`: these ids wait, by priority and in order, and these were accepted."""

    operation: str
    done: int
    waiting: tuple[tuple[str, ...], ...]
    accepted: int


@dataclass(slots=True)
class HouseLife:
    """A seeded life of a state folder."""

    root: Path
    recorder: Recorder
    dice: random.Random
    ids: list[str] = field(default_factory=list)
    size_of: dict[str, int] = field(default_factory=dict)
    waiting: dict[int, list[str]] = field(default_factory=lambda: {priority: [] for priority in PRIORITIES})
    steps: list[Step] = field(default_factory=list)
    house: House = field(init=False)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.note("begin")
        self.house = house_in(self.root)
        self.store = self.house.open()
        self.note("begin")

    def note(self, operation: str) -> None:
        waiting = tuple(tuple(self.waiting[priority]) for priority in PRIORITIES)
        self.steps.append(Step(operation, len(self.recorder.events), waiting, len(self.ids)))

    def live(self, steps: int) -> None:
        moves = {self.append: 6, self.confirm: 2, self.rotate: 2, self.restart: 1, self.set_aside: 1, self.ballast: 1}
        for _ in range(steps):
            (move,) = self.dice.choices(list(moves), list(moves.values()))
            move()

    def append(self) -> None:
        message_id = f"message {len(self.ids)}"
        record = again(message_id)
        self.size_of[message_id] = size = self.dice.choice((20, 900, 9000))
        self.ids.append(message_id)
        record = type(record)(
            message_id=message_id,
            priority=self.dice.choice(PRIORITIES),
            kind="k",
            source="s",
            source_seq=0,
            payload=payload_of(message_id, size),
        )
        assert self.store.apply([Append([record])]) == [Appended(1)]
        self.waiting[record.priority].append(message_id)
        self.note("append")

    def confirm(self) -> None:
        priority = self.dice.choice(PRIORITIES)
        found = self.store.peek(priority, 0, most=self.dice.randrange(1, 8), most_bytes=1 << 20)
        if found:
            seq = found[-1].seq
            assert self.store.apply([Hand(priority, seq, 0), Confirm(priority, seq)]) == [None, None]
            del self.waiting[priority][: len(found)]
            self.note("confirm")

    def rotate(self) -> None:
        """One more key, in use at once; those that nothing is sealed with any more are forgotten."""
        changed = self.house.keys.rotate()
        self.store.rekey(changed.keys, changed.copy)
        self.note("rekey")
        fewer = self.house.keys.retire(self.store.oldest_key())
        if fewer is not None:
            self.store.rekey(fewer.keys, fewer.copy)
        self.note("retire")

    def restart(self) -> None:
        self.store.close()
        self.store = self.house.open()
        self.note("open")

    def set_aside(self) -> None:
        """As when SQLite calls the file damaged: all that is in it is saved."""
        self.store.abandon()
        self.store = self.house.replace(StoreDamagedError("said by the test"))
        self.note("set aside")

    def ballast(self) -> None:
        ballast = self.store._transactions._ballast
        assert ballast is not None
        ballast.give_up()
        assert ballast.take()
        self.note("ballast")


def crash_houses(folder: Path, seed: int, moves: int, points: int) -> Tally:
    """Live one life in `folder` and crash it at `points` places, as many in each operation as in any other."""
    tally, dice = Tally(), random.Random(seed)
    root = folder / "life"
    root.mkdir()
    with recording(root) as recorder:
        life = HouseLife(root, recorder, random.Random(seed))
        life.live(moves)
        life.store.abandon()
    for place, left in crashed_folders(recorder, places(life, points, dice), dice, folder / "left"):
        with recording(left):
            check(left, life, place, tally)
    shutil.rmtree(root)
    return tally


def places(life: HouseLife, points: int, dice: random.Random) -> list[int]:
    """Events after which to crash; what is done to names is rare, and a third of them."""
    by_operation: dict[str, tuple[list[int], list[int]]] = {}
    for before, step in zip(life.steps, life.steps[1:], strict=False):
        data, names = by_operation.setdefault(step.operation, ([], []))
        for place in range(before.done + 1, step.done + 1):
            (data if life.recorder.events[place - 1].kind in {"write", "truncate", "sync"} else names).append(place)
    struck = [both for both in by_operation.values() if any(both)]
    found = []
    for index in range(points):
        data, names = struck[index % len(struck)]
        found.append(dice.choice(names if names and (not data or dice.random() < 1 / 3) else data))
    return sorted(found)


def check(left: Path, life: HouseLife, place: int, tally: Tally) -> None:
    """Start on what is left: what waited waits, in its order, whole, and is known."""
    index = next(index for index, step in enumerate(life.steps) if step.done >= place)
    before, after = life.steps[max(index - 1, 0)], life.steps[index]
    operation, where = after.operation, f"event {place}"
    tally.by_operation[operation].crashes += 1
    house = house_in(left)
    store = house.open()
    for priority in PRIORITIES:
        must = [message_id for message_id in before.waiting[priority] if message_id in after.waiting[priority]]
        may = {*before.waiting[priority], *after.waiting[priority]}
        found = []
        for record in store.peek(priority, 0, most=10_000, most_bytes=1 << 30):
            found.append(record.message_id)
            whole = record.payload == payload_of(record.message_id, life.size_of[record.message_id])
            tally.blame(operation, "missing", int(not whole), f"payload, {where}")
        tally.blame(operation, "missing", len(set(must) - set(found)), where)
        tally.blame(operation, "repeats", len(set(found) - may) + len(found) - len(set(found)), where)
        order = max(before.waiting[priority], after.waiting[priority], key=len)
        tally.blame(operation, "reordered", int([each for each in order if each in set(found)] != found), where)
    for message_id in random.Random(place).sample(life.ids[: before.accepted], min(3, before.accepted)):
        tally.blame(operation, "repeats", int(store.apply([Append([again(message_id)])]) != [Appended(0, 1)]), where)
    size = sum(item.stat().st_size for item in house.live.iterdir())
    tally.blame(operation, "over", max(0, size - LEAST_BOUND), where)
    store.abandon()
