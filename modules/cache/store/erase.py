"""Having records gone for good, and keeping on record that they are (docs/formats/cache.md, Erase)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import cast

from modules.cache.record import CONTEXT, PRIORITIES, each
from modules.cache.sealing import DamagedRecordError, Sealer
from modules.cache.store.budget import BASE_FRAMES, pages_for
from modules.cache.store.scan import Range, scan
from modules.cache.store.state import State

AT_WORK, NO_RECORD_LEFT, DONE = range(3)
_LONGEST_TEXT = 512
_AROUND = 4  # pages that deleting one row writes beside its own: neighbours of its leaf, the inner page, the free list
_DELETE = each("DELETE FROM {table} WHERE seq=?")
_NEXT_QUARANTINED = "SELECT seq, coalesce(length(body), 0) FROM quarantine ORDER BY seq LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    """Have what is meant by `range` gone: stored, handed and kept records. `who` asks for it, and `why`.

    Raises ValueError for texts that are too long, and where nobody asks.
    """

    range: Range
    who: str
    why: str = ""

    def __post_init__(self) -> None:
        if not self.who:
            raise ValueError("an erasure needs to be asked for by somebody: who")
        if max(map(len, (self.who, self.why, self.range.source))) > _LONGEST_TEXT:
            raise ValueError(f"who, why and source have at most {_LONGEST_TEXT} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A row of the table `erased`; the fields are its columns, in their order. Times are wall clock, ms."""

    number: int
    source: str
    since: int
    until: int
    who: str
    why: str
    at: int
    seq: int
    stored_n: int = 0
    handed_n: int = 0
    kept_n: int = 0
    quarantined_n: int = 0
    bytes: int = 0
    done: int = AT_WORK

    @property
    def range(self) -> Range:
        """What is meant."""
        return Range(self.source, self.since, self.until)


COLUMNS = len(fields(Erasure)) + 1
_NAMES = ", ".join(field.name for field in fields(Erasure))
_WRITE = f"REPLACE INTO erased({_NAMES}, seal) VALUES({', '.join('?' * COLUMNS)})"
_READ = f"SELECT {_NAMES}, seal FROM erased"  # noqa: S608 -- names of ours


def unseal(row: Sequence[object], sealer: Sealer) -> Erasure:
    """The erasure in a row of that table. Raises DamagedRecordError."""
    try:
        erasure = Erasure(**dict(zip((field.name for field in fields(Erasure)), row, strict=False)))  # type: ignore[arg-type]
        bound = _bound(erasure)
    except (TypeError, AttributeError, struct.error) as error:
        raise DamagedRecordError(f"an erasure is damaged: {error}") from error
    sealer.open(row[-1] if isinstance(row[-1], bytes) else b"", bound)
    return erasure


def begin(state: State, job: Erase) -> Erasure:
    """Put the order on record, in the open transaction."""
    ((newest,),) = state.connection.execute("SELECT coalesce(max(number), 0) FROM erased")
    erasure = Erasure(
        number=newest + 1,
        source=job.range.source,
        since=job.range.since,
        until=job.range.until,
        who=job.who,
        why=job.why,
        at=state.clock.wall(),
        seq=state.seq,
    )
    _write(state, erasure)
    return erasure


def erasures(state: State, *, newest: int = 1 << 30) -> list[Erasure]:
    """What was asked for, the newest first; rows that do not authenticate are left out."""
    found = []
    for row in state.connection.execute(_READ + " ORDER BY number DESC LIMIT ?", (newest,)):
        try:
            found.append(unseal(row, state.sealer))
        except DamagedRecordError:
            continue
    return found


def unfinished(state: State) -> Erasure | None:
    """The oldest one with something left to do."""
    return next((each for each in reversed(erasures(state)) if each.done != DONE), None)


def adopt(state: State, found: Sequence[Erasure]) -> None:
    """Take over what an earlier store had on record, in the open transaction; nothing of it is left to do here."""
    for number, erasure in enumerate(found, 1):
        _write(state, replace(erasure, number=number, seq=0, done=DONE))


def reseal(state: State) -> None:
    """Seal all of them with the newest key, in the open transaction."""
    for erasure in erasures(state):
        _write(state, erasure)


@dataclass(frozen=True, slots=True)
class Step:
    """Rows to delete in one transaction: records of `priority`, or of the quarantine (None). `last`: nothing more."""

    priority: int | None
    rows: list[tuple[int, int]]
    until: int
    last: bool = False


def look(state: State, order: Erasure, cursors: dict[int, int]) -> Step:
    """What to delete next, as much as one transaction holds."""
    room = state.budget.most_frames - BASE_FRAMES
    for priority in PRIORITIES:
        after = cursors.get(priority, 0)
        found = scan(state, priority, order.range, after, order.seq)
        rows = _fitting(found.rows, room)
        if len(rows) < len(found.rows):
            return Step(priority, rows, rows[-1][0])
        if rows or found.more:
            return Step(priority, rows, found.last)
    quarantined = state.connection.execute(_NEXT_QUARANTINED).fetchall()
    return Step(None, cast("list[tuple[int, int]]", quarantined), 0, last=not quarantined)


def carry_out(state: State, order: Erasure, step: Step) -> Erasure:
    """Delete and count, in the open transaction; gives the erasure as it then stands."""
    size = sum(size for _, size in step.rows)
    if step.last:
        after = replace(order, done=NO_RECORD_LEFT)
    elif step.priority is None:
        state.connection.executemany("DELETE FROM quarantine WHERE seq=?", [(seq,) for seq, _ in step.rows])
        state.quarantined -= len(step.rows)
        after = replace(order, quarantined_n=order.quarantined_n + len(step.rows), bytes=order.bytes + size)
    else:
        stored, handed, kept = _delete(state, step.priority, step.rows)
        after = replace(
            order,
            stored_n=order.stored_n + stored,
            handed_n=order.handed_n + handed,
            kept_n=order.kept_n + kept,
            bytes=order.bytes + size,
        )
    if after != order:
        _write(state, after)
    return after


def _delete(state: State, priority: int, rows: Sequence[tuple[int, int]]) -> tuple[int, int, int]:
    """How many of them were stored, handed and kept."""
    if not rows:
        return 0, 0, 0
    mark = state.marks.change(priority)
    state.connection.executemany(_DELETE[priority], [(seq,) for seq, _ in rows])
    kept = [size for seq, size in rows if seq <= mark.confirmed]
    handed = sum(1 for seq, _ in rows if mark.confirmed < seq <= mark.handed)
    waiting = [size for seq, size in rows if seq > mark.confirmed]
    mark.kept_n -= len(kept)
    mark.kept_bytes -= sum(kept)
    mark.depth_n -= len(waiting)
    mark.depth_bytes -= sum(waiting)
    if waiting:
        state.drop(priority, "erased", len(waiting), sum(waiting))
    return len(waiting) - handed, handed, len(kept)


def finish(state: State, order: Erasure) -> None:
    """Nothing of it is left in the files: say so, in the open transaction."""
    _write(state, replace(order, done=DONE))


def _fitting(rows: Sequence[tuple[int, int]], room: int) -> list[tuple[int, int]]:
    """As many of the rows as can be deleted within `room` written pages, one at least."""
    fitting: list[tuple[int, int]] = []
    for row in rows:
        room -= -(-pages_for(row[1]) // 16) + _AROUND
        if fitting and room < 0:
            break
        fitting.append(row)
    return fitting


def _write(state: State, erasure: Erasure) -> None:
    state.connection.execute(_WRITE, (*astuple(erasure), state.sealer.seal(b"", _bound(erasure))))


def _bound(erasure: Erasure) -> bytes:
    texts = b"".join(
        struct.pack(">H", len(raw)) + raw
        for raw in (text.encode() for text in (erasure.source, erasure.who, erasure.why))
    )
    numbers = [value for value in astuple(erasure) if isinstance(value, int)]
    return CONTEXT + b" erased" + struct.pack(f">{len(numbers)}q", *numbers) + texts
