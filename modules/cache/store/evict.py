"""Making room: what `room.next_victim` chose is given up until the pages suffice."""

from __future__ import annotations

from typing import cast

from modules.cache.record import PRIORITIES, each
from modules.cache.store.budget import RESERVE, pages_for
from modules.cache.store.room import Occupancy, Source, Victim, next_victim
from modules.cache.store.state import State

_CHUNK = 256  # rows given up before the free pages are counted again


_ANY = each("SELECT 1 FROM {table} WHERE seq > ? LIMIT 1")
_SIZES = each("SELECT seq, coalesce(length(body), 0) FROM {table} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?")
_DELETE = each("DELETE FROM {table} WHERE seq BETWEEN ? AND ?")


def make_room(state: State, pages: int, incoming: int) -> bool:
    """Free at least `pages` for a record of priority `incoming`, in the open transaction; False when that cannot be."""
    need = pages + RESERVE + state.spare
    if state.free < need:
        state.free = state.read_free()
    while state.free < need:
        victim = next_victim(incoming, _occupancy(state))
        if victim is None:
            return False
        _give_up(state, victim, need - state.free)
        state.free = state.read_free()
    state.free -= pages
    return True


def _occupancy(state: State) -> Occupancy:
    return Occupancy(
        kept={priority: state.marks[priority].kept_n for priority in PRIORITIES},
        quarantined=state.quarantined,
        stored={priority: int(_stored_after(state, priority)) for priority in PRIORITIES},
    )


def _stored_after(state: State, priority: int) -> bool:
    return state.connection.execute(_ANY[priority], (state.untouchable(priority),)).fetchone() is not None


def _give_up(state: State, victim: Victim, pages: int) -> None:
    if victim.source is Source.QUARANTINE:
        state.connection.execute("DELETE FROM quarantine WHERE seq = (SELECT min(seq) FROM quarantine)")
        state.quarantined -= 1
        return
    mark = state.marks.change(victim.priority)
    kept = victim.source is Source.KEPT
    after = 0 if kept else state.untouchable(victim.priority)
    until = mark.confirmed if kept else mark.last_seq
    found = state.connection.execute(_SIZES[victim.priority], (after, until, _CHUNK))
    rows = cast("list[tuple[int, int]]", found.fetchall())
    taken, freed, size = 0, 0, 0
    for _, length in rows:
        taken, freed, size = taken + 1, freed + pages_for(length), size + length
        if freed >= 16 * pages:
            break
    if taken:
        state.connection.execute(_DELETE[victim.priority], (rows[0][0], rows[taken - 1][0]))
    if kept:
        mark.kept_n, mark.kept_bytes = (mark.kept_n - taken, mark.kept_bytes - size) if taken else (0, 0)
        return
    mark.depth_n -= taken
    mark.depth_bytes -= size
    state.drop(victim.priority, "evicted", taken, size)
