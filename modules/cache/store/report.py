"""What a store can say about itself without opening a record."""

from __future__ import annotations

from modules.cache.record import PRIORITIES, Entry, each, unpack_id
from modules.cache.store.budget import PAGE
from modules.cache.store.state import State

_OLDEST = each("SELECT tick, at FROM {table} WHERE seq > ? ORDER BY seq LIMIT 1")
_ENTRIES = each(
    "SELECT seq, id, CAST(kind AS BLOB), CAST(source AS BLOB), source_seq, at, tick, resent, length(body)"
    " FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?"
)


def stats(state: State) -> dict[str, object]:
    """Plain figures: counts, bytes, ms; by priority where it says so."""
    free = state.read_free()
    drops = state.connection.execute("SELECT priority, reason, n, bytes FROM dropped").fetchall()
    return {
        "priorities": {str(priority): _priority(state, priority) for priority in PRIORITIES},
        "dropped": [{"priority": p, "reason": reason, "n": n, "bytes": size} for p, reason, n, size in drops],
        "quarantined": state.quarantined,
        "duplicates": state.duplicates,
        "bound_bytes": state.limits.bound,
        "file_bytes": state.measure(),
        "free_bytes": max(0, free - state.budget.reserve) * PAGE,
        "used_bytes": (state.budget.pages - free) * PAGE,
        "written_bytes": state.wear.wal + state.wear.database,
        "commits": state.wear.commits,
        "checkpoints": state.wear.checkpoints,
    }


def _priority(state: State, priority: int) -> dict[str, object]:
    mark = state.marks[priority]
    oldest = state.connection.execute(_OLDEST[priority], (mark.confirmed,)).fetchone()
    return {
        "depth": mark.depth_n,
        "bytes": mark.depth_bytes,
        "oldest_age_s": round((state.tick() - oldest[0]) / 1000, 3) if oldest else 0.0,
        "oldest_at_ms": oldest[1] if oldest else None,
        "accepted": mark.total_n,
        "accepted_bytes": mark.total_bytes,
        "confirmed": mark.confirmed_n,
        "last_confirmed_at_ms": mark.confirmed_at or None,
        "kept": mark.kept_n,
    }


def entries(state: State, priority: int, after: int, most: int) -> list[Entry]:
    """Records in order, without their payloads."""
    mark = state.marks[priority]
    rows = state.connection.execute(_ENTRIES[priority], (after, most))
    return [
        Entry(
            seq=seq,
            message_id=unpack_id(packed),
            priority=priority,
            kind=kind.decode(errors="replace"),
            source=source.decode(errors="replace"),
            source_seq=source_seq,
            at=at,
            tick=tick,
            attempts=resent + (1 if seq <= mark.handed else 0),
            size=size,
            state="confirmed" if seq <= mark.confirmed else "handed" if seq <= mark.handed else "stored",
        )
        for seq, packed, kind, source, source_seq, at, tick, resent, size in rows
    ]
