"""Records on their way out: looked at in order, handed, confirmed, sent again, or quarantined."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from modules.cache.record import Stored, associated, each, shown_id, unpack_id
from modules.cache.sealing import DamagedRecordError
from modules.cache.store.batch import batches, forget
from modules.cache.store.errors import StoreDamagedError
from modules.cache.store.scan import Range, scan
from modules.cache.store.state import State

# Each column is asked for as what it should be: where a flipped bit has made it something else, that costs its record,
# which then does not authenticate, and not the query.
_COLUMNS = (
    "seq, typeof(id), CAST(id AS BLOB), CAST(kind AS BLOB), CAST(source AS BLOB), CAST(source_seq AS INTEGER),"
    " CAST(at AS INTEGER), CAST(tick AS INTEGER), CAST(total_n AS INTEGER), CAST(total_bytes AS INTEGER),"
    " CAST(body AS BLOB)"
)
_READ = each("SELECT " + _COLUMNS + " FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?")  # noqa: S608 -- names of ours
_SIZES = each("SELECT seq, coalesce(length(body), 0) FROM {table} WHERE seq > ? AND seq <= ? ORDER BY seq")
_SIZE = each("SELECT count(*), coalesce(sum(length(body)), 0) FROM {table} WHERE seq > ? AND seq <= ?")
_DELETE = each("DELETE FROM {table} WHERE seq > ? AND seq <= ?")
_KINDS = each("SELECT DISTINCT CAST(kind AS BLOB) FROM {table} WHERE seq > ? AND seq <= ?")

Row = tuple[int, str, bytes, bytes, bytes, int, int, int, int, int, bytes]


@dataclass(frozen=True, slots=True)
class Hand:
    """edgeHub acknowledged `priority` up to `seq`; `at`: wall clock (ms) when it did the oldest unconfirmed record."""

    priority: int
    seq: int
    at: int


@dataclass(frozen=True, slots=True)
class Confirm:
    """The records of `priority` up to `seq` have left edgeHub; `at` as in Hand, for the oldest that remains."""

    priority: int
    seq: int
    at: int = 0


@dataclass(frozen=True, slots=True)
class Rewind:
    """What was handed and not confirmed may be lost: it is stored again, to be sent again."""

    priority: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """A row that did not authenticate."""

    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """The messages behind `confirmed` up to `handed`, each a record or a batch: its last seq and its sealed bytes.

    `at`: wall clock (ms) when the oldest of them was handed.
    """

    confirmed: int
    handed: int
    at: int
    records: list[tuple[int, int]]


def open_row(state: State, priority: int, row: Row) -> Stored:
    """The record in a row. Raises DamagedRecordError when any of it is not what was written."""
    seq, kind_of_id, packed, kind, source, source_seq, at, tick, total_n, total_bytes, body = row
    try:
        texts = (unpack_id(packed if kind_of_id == "blob" else packed.decode()), kind.decode(), source.decode())
        bound = associated(priority, seq, at, tick, total_n, total_bytes, source_seq, *texts)
        payload = state.sealer.open(body, bound)
    except (ValueError, TypeError, AttributeError, struct.error) as error:
        raise DamagedRecordError(f"a column is damaged: {error}") from error
    return Stored(
        seq=seq,
        message_id=texts[0],
        priority=priority,
        kind=texts[1],
        source=texts[2],
        source_seq=source_seq,
        attempts=state.marks[priority].attempts(seq),
        size=len(body),
        payload=payload,
        waited_ms=state.tick() - tick,
    )


def peek(state: State, priority: int, after: int, most: int, most_bytes: int) -> tuple[list[Stored], list[Damaged]]:
    """Records behind `after` until `most` or `most_bytes` is reached, and the damaged ones met on the way."""
    found, damaged = _open_rows(state, priority, after, most, most_bytes)
    if found:
        state.claimed[priority] = found[-1].seq
    elif not damaged:
        _expect_none(state, priority, after)
    return found, damaged


def read(state: State, priority: int, after: int, most: int, most_bytes: int) -> list[Stored]:
    """The records that `peek` would find, none of them claimed."""
    while True:
        found, damaged = _open_rows(state, priority, after, most, most_bytes)
        if found or not damaged:
            return found
        after = damaged[-1].row[0]


def _open_rows(
    state: State, priority: int, after: int, most: int, most_bytes: int
) -> tuple[list[Stored], list[Damaged]]:
    found: list[Stored] = []
    damaged: list[Damaged] = []
    size = 0
    for row in _rows(state, priority, after, most):
        length = len(row[-1]) if isinstance(row[-1], bytes) else 0
        if found and size + length > most_bytes:
            break
        try:
            found.append(open_row(state, priority, row))
            size += length
        except DamagedRecordError as error:
            damaged.append(Damaged(row, str(error)))
    return found, damaged


def _rows(state: State, priority: int, after: int, most: int) -> Iterator[Row]:
    """Rows behind `after`. An altered page may name a row in place of another, but hardly one that fits between."""
    for row in state.connection.execute(_READ[priority], (after, most)):
        if row[0] <= after:
            raise StoreDamagedError(f"row {row[0]} of priority {priority} is found behind row {after}")
        after = row[0]
        yield row


def _expect_none(state: State, priority: int, after: int) -> None:
    """There are no records behind `after`; when the count says otherwise, the tree has lost some."""
    mark = state.marks[priority]
    ((held, _),) = state.connection.execute(_SIZE[priority], (mark.confirmed, max(after, mark.handed)))
    if held != mark.depth_n:
        raise StoreDamagedError(f"priority {priority} should hold {mark.depth_n} records; {held} are found")


def flight(state: State, priority: int) -> InFlight:
    """What is between the watermarks."""
    mark = state.marks[priority]
    rows = state.connection.execute(_SIZES[priority], (mark.confirmed, mark.handed)).fetchall()
    bound = batches(state, priority, mark.confirmed)
    messages: list[tuple[int, int]] = []
    began = 0  # of the batch that the last message is
    for seq, size in cast("list[tuple[int, int]]", rows):
        while bound and bound[0].last < seq:
            bound.pop(0)
        first = bound[0].first if bound and bound[0].first <= seq else 0
        if first and first == began:
            messages[-1] = (seq, messages[-1][1] + size)
        else:
            messages.append((seq, size))
        began = first
    return InFlight(mark.confirmed, mark.handed, mark.handed_at, messages)


def kept(state: State, priority: int, wanted: Range, after: int, most: int) -> tuple[list[Stored], list[Damaged], int]:
    """Confirmed records that are meant, behind `after`; the damaged ones among them; where to go on, 0 at the end."""
    found = scan(state, priority, wanted, after, state.marks[priority].confirmed, most=most)
    stored: list[Stored] = []
    damaged: list[Damaged] = []
    for seq, _ in found.rows:
        for row in state.connection.execute(_READ[priority], (seq - 1, 1)):
            try:
                stored.append(open_row(state, priority, row))
            except DamagedRecordError as error:
                damaged.append(Damaged(row, str(error)))
    return stored, damaged, found.last if found.more else 0


def verify(state: State, priority: int, after: int, most: int) -> tuple[int, int, list[Damaged]]:
    """Authenticate records behind `after`: the last seq (0: there are no more), how many, and the damaged ones."""
    damaged: list[Damaged] = []
    seen = last = 0
    for row in _rows(state, priority, after, most):
        seen, last = seen + 1, row[0]
        try:
            open_row(state, priority, row)
        except DamagedRecordError as error:
            damaged.append(Damaged(row, str(error)))
    return last, seen, damaged


def quarantine(state: State, priority: int, damaged: Sequence[Damaged]) -> None:
    """Move the rows out of the queue, as they were found, and count them."""
    mark = state.marks.change(priority)
    for item in damaged:
        seq, kind_of_id, packed, body = item.row[0], item.row[1], item.row[2], item.row[-1]
        body = body if isinstance(body, bytes) else b""
        shown = shown_id(packed, kind_of_id)
        state.connection.execute(_DELETE[priority], (seq - 1, seq))
        state.connection.execute(
            "REPLACE INTO quarantine VALUES(?,?,?,?,?,?)",
            (seq, priority, shown, item.reason, state.clock.wall(), body),
        )
        state.quarantined += 1
        if seq > mark.confirmed:
            mark.depth_n -= 1
            mark.depth_bytes -= len(body)
            state.drop(priority, "damaged", 1, len(body))
        else:
            mark.kept_n -= 1
            mark.kept_bytes -= len(body)


def move(state: State, job: Hand | Confirm | Rewind) -> None:
    """Move a priority's watermarks, in the open transaction."""
    mark = state.marks.change(job.priority)
    if isinstance(job, Hand):
        mark.handed = max(mark.handed, job.seq)
        mark.handed_at = job.at
        return
    if isinstance(job, Rewind):
        if mark.handed > mark.confirmed:
            mark.again_n = mark.again_n + 1 if mark.confirmed < mark.again else 1
            mark.again = max(mark.again, mark.handed)
        mark.handed = mark.confirmed
        mark.handed_at = 0
        state.let_go(job.priority, mark.confirmed)
        return
    _confirm(state, job)


def _confirm(state: State, job: Confirm) -> None:
    mark = state.marks.change(job.priority)
    ((n, size),) = state.connection.execute(_SIZE[job.priority], (mark.confirmed, job.seq))
    mark.depth_n -= n
    mark.depth_bytes -= size
    mark.confirmed_n += n
    mark.confirmed_at = state.clock.wall()
    if _any_to_keep(state, job):
        mark.kept_n += n
        mark.kept_bytes += size
    else:
        state.connection.execute(_DELETE[job.priority], (mark.confirmed, job.seq))
    forget(state, job.priority, job.seq)
    mark.confirmed = max(mark.confirmed, job.seq)
    mark.handed = max(mark.handed, mark.confirmed)
    mark.handed_at = job.at


def _any_to_keep(state: State, job: Confirm) -> bool:
    """Whether any of what is confirmed is to be kept; `expire` then takes out, little by little, what is not."""
    if not state.limits.kinds:
        return bool(state.limits.retention_ms[job.priority])
    kinds = state.connection.execute(_KINDS[job.priority], (state.marks[job.priority].confirmed, job.seq)).fetchall()
    return any(
        state.limits.retention(job.priority, (kind or b"").decode(errors="replace"))
        for (kind,) in cast("list[tuple[bytes | None]]", kinds)
    )
