"""What a store can say about itself without opening a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from modules.cache.record import PRIORITIES, Entry, each, shown_id
from modules.cache.store.budget import PAGE, RESERVE
from modules.cache.store.erase import Erasure
from modules.cache.store.ids import most_ids
from modules.cache.store.state import State

_OLDEST = each("SELECT CAST(tick AS INTEGER), CAST(at AS INTEGER) FROM {table} WHERE seq > ? ORDER BY seq LIMIT 1")
_ENTRIES = each(
    "SELECT seq, typeof(id), CAST(id AS BLOB), CAST(kind AS BLOB), CAST(source AS BLOB), CAST(source_seq AS INTEGER),"
    " CAST(at AS INTEGER), CAST(tick AS INTEGER), coalesce(length(body), 0)"
    " FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?"
)
_HEADS = each("SELECT substr(body, 1, 1) FROM {table} ORDER BY seq LIMIT 1")


@dataclass(frozen=True, slots=True)
class Depth:
    """One priority: what waits, what was accepted and confirmed since the store began. Times are wall clock, ms."""

    depth: int
    bytes: int
    oldest_age_s: float
    oldest_at_ms: int | None
    accepted: int
    accepted_bytes: int
    confirmed: int
    last_confirmed_at_ms: int | None
    kept: int


@dataclass(frozen=True, slots=True)
class Drop:
    """What was lost of one priority for one reason."""

    priority: int
    reason: str
    n: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Stats:
    """An open store at one moment; `written_bytes` (to flash, in blocks of 4 KB) and `appended_bytes` since opening.

    `horizon_ids`: how many ids are remembered, the limit or what has room; `erasures` are the newest five.
    """

    priorities: tuple[Depth, ...]
    dropped: tuple[Drop, ...]
    quarantined: int
    duplicates: int
    horizon_ids: int
    bound_bytes: int
    file_bytes: int
    free_bytes: int
    used_bytes: int
    written_bytes: int
    commits: int
    checkpoints: int
    disk_full: bool
    appended_bytes: int
    erasures: tuple[Erasure, ...]


def stats(state: State, *, disk_full: bool, erasures: list[Erasure]) -> Stats:
    """The figures now; `free_bytes` is what appends may still fill."""
    free = state.read_free()
    drops = state.connection.execute("SELECT priority, reason, n, bytes FROM dropped").fetchall()
    return Stats(
        priorities=tuple(_depth(state, priority) for priority in PRIORITIES),
        dropped=tuple(Drop(*row) for row in cast("list[tuple[int, str, int, int]]", drops)),
        quarantined=state.quarantined,
        duplicates=state.duplicates,
        horizon_ids=most_ids(state),
        bound_bytes=state.limits.bound,
        file_bytes=state.measure(),
        free_bytes=max(0, free - RESERVE) * PAGE,
        used_bytes=(state.budget.pages - free) * PAGE,
        written_bytes=state.wear.wal + state.written_to_wal() + state.wear.database,
        commits=state.wear.commits,
        checkpoints=state.wear.checkpoints,
        disk_full=disk_full,
        appended_bytes=state.appended_bytes,
        erasures=tuple(erasures),
    )


def _depth(state: State, priority: int) -> Depth:
    mark = state.marks[priority]
    oldest = state.connection.execute(_OLDEST[priority], (mark.confirmed,)).fetchone()
    return Depth(
        depth=mark.depth_n,
        bytes=mark.depth_bytes,
        oldest_age_s=round((state.tick() - oldest[0]) / 1000, 3) if oldest and oldest[0] is not None else 0.0,
        oldest_at_ms=oldest[1] if oldest else None,
        accepted=mark.total_n,
        accepted_bytes=mark.total_bytes,
        confirmed=mark.confirmed_n,
        last_confirmed_at_ms=mark.confirmed_at or None,
        kept=mark.kept_n,
    )


def oldest_key(state: State) -> int:
    """The least key number in front of a seal; records have theirs in the order of their seq, so the first has it."""
    heads = [*_HEADS, "SELECT substr(seal, 1, 1) FROM mark", "SELECT substr(seal, 1, 1) FROM batch"]
    heads.append("SELECT substr(seal, 1, 1) FROM erased")
    found = [row[0] for statement in heads for row in state.connection.execute(statement)]
    return min((head[0] for head in found if isinstance(head, bytes) and head), default=state.sealer.number)


def entries(state: State, priority: int, after: int, most: int) -> list[Entry]:
    """Records in order, without their payloads."""
    mark = state.marks[priority]
    rows = state.connection.execute(_ENTRIES[priority], (after, most))
    return [
        Entry(
            seq=seq,
            message_id=shown_id(packed, kind_of_id),
            priority=priority,
            kind=(kind or b"").decode(errors="replace"),
            source=(source or b"").decode(errors="replace"),
            source_seq=source_seq,
            at=at,
            tick=tick,
            attempts=mark.attempts(seq),
            size=size,
            state="confirmed" if seq <= mark.confirmed else "handed" if seq <= mark.handed else "stored",
        )
        for seq, kind_of_id, packed, kind, source, source_seq, at, tick, size in rows
    ]
