"""What keeps a store small: ids forgotten behind the horizon, pages given back."""

from __future__ import annotations

from modules.cache.store.forget import ERAS, Era, cutoff, due, outdated
from modules.cache.store.state import State

SWEEP_EVERY = 256  # ids accepted between two sweeps ...
_SWEEP_ROWS = 2 * SWEEP_EVERY  # ... of so many rows: the hand goes round twice as fast as the table grows
_GIVE_BACK_PAGES = 64  # moved in one transaction: well under what the smallest WAL holds
_WORTH_GIVING_BACK = 8  # one part in so many of the pages lies free


def remember(state: State, n: int) -> None:
    """`n` ids were accepted: note the time when it is due, and forget as ids come in."""
    memory, tick, horizon = state.memory, state.now, state.limits.horizon_ms
    if due(memory.eras, tick, horizon):
        state.connection.execute("INSERT OR REPLACE INTO era VALUES(?,?)", (state.seq, tick))
        memory.eras.append(Era(state.seq, tick))
        for era in outdated(memory.eras, tick, horizon):
            state.connection.execute("DELETE FROM era WHERE seq=?", (era.seq,))
            memory.eras.remove(era)
    memory.quiet = memory.eras[-1].tick + horizon // ERAS
    memory.owed += n
    while memory.owed >= SWEEP_EVERY:
        memory.owed -= SWEEP_EVERY
        sweep(state)


def sweep(state: State) -> None:
    """Move the hand on by some rows, deleting the ids that may be forgotten."""
    memory = state.memory
    limits = state.limits
    old = cutoff(memory.eras, state.seq, state.tick(), horizon_ms=limits.horizon_ms, horizon_ids=limits.horizon_ids)
    if not old:
        return
    last = state.connection.execute(
        "SELECT id FROM ids WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?", (memory.hand, _SWEEP_ROWS - 1)
    ).fetchone()
    if last is None:
        state.connection.execute("DELETE FROM ids WHERE id > ? AND seq <= ?", (memory.hand, old))
        memory.hand = ""
    else:
        state.connection.execute("DELETE FROM ids WHERE id > ? AND id <= ? AND seq <= ?", (memory.hand, last[0], old))
        memory.hand = last[0]


def worth_giving_back(state: State) -> bool:
    """Whether enough pages lie free in the file for the file system to have them back."""
    return int(state.connection.pragma("freelist_count")) > state.budget.pages // _WORTH_GIVING_BACK


def free_pages(state: State) -> bool:
    """Whether any page lies free in the file."""
    return bool(state.connection.pragma("freelist_count"))


def give_back(state: State) -> None:
    """Move some pages from the file's end into free ones and cut the file. Outside a transaction."""
    state.connection.execute(f"PRAGMA incremental_vacuum({_GIVE_BACK_PAGES})").fetchall()
    state.free = 0
