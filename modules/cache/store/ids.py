"""The ids that were accepted: remembered within the horizon and as far as they have room, then forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import apsw

from modules.cache.record import LONGEST_ID
from modules.cache.store.budget import BASE_FRAMES, RESERVE
from modules.cache.store.forget import ERAS, Era, Memory, cutoff, due, outdated
from modules.cache.store.state import State
from modules.cache.store.transactions import Transactions

SWEEP_EVERY = 256  # ids accepted between two sweeps ...
_SWEEP_ROWS = 2 * SWEEP_EVERY  # ... of so many rows: the hand goes round twice as fast as the table grows
_MANY_ROWS = 3 * _SWEEP_ROWS  # in a transaction of their own: fewer pages than a step may write, however long the ids
_USUAL_LENGTH = 16
_HAND = "hand"  # where it is in the table meta: a cache that restarts often comes round, too
_NEXT = """SELECT count(*), coalesce(sum(octet_length(id)), 0), max(id)
    FROM (SELECT id FROM ids WHERE id > ? ORDER BY id LIMIT ?)"""


def recall(connection: apsw.Connection, seq: int) -> Memory:
    """What a file says of the ids, when `seq` is the newest."""
    eras = [Era(*row) for row in connection.execute("SELECT seq, tick FROM era ORDER BY seq")]
    hand = connection.execute("SELECT value FROM meta WHERE name=?", (_HAND,)).fetchone()
    return Memory(eras, hand=hand[0] if hand else "", owed=seq % SWEEP_EVERY)


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


def know(state: State, transactions: Transactions, ids: Sequence[bytes | str]) -> bool:
    """Take ids for accepted now; False, and none is taken, where they would have the room of records."""
    memory = state.memory
    length = sum(len(packed) for packed in ids) / max(1, len(ids))
    if memory.known + len(ids) > state.budget.most_ids(length) or state.read_free() < RESERVE + 2 * len(ids):
        return False
    rows = [(packed, state.seq) for packed in ids]

    def work() -> None:
        state.connection.executemany("INSERT OR IGNORE INTO ids VALUES(?,?)", rows)
        memory.known += len(ids)

    transactions.commit(work, 2 * len(ids) + BASE_FRAMES)
    state.free = 0
    return True


def most_ids(state: State) -> int:
    """How many ids are remembered at most: as many as are wanted and have room."""
    memory = state.memory
    if not memory.passed and memory.last_length is None:
        n, size, _ = _next(state.connection, "", _SWEEP_ROWS)
        memory.meet(n, size)
    length = memory.length()
    return min(state.limits.horizon_ids, state.budget.most_ids(_USUAL_LENGTH if length is None else length))


def sweep(state: State, rows: int = _SWEEP_ROWS) -> bool:
    """Move the hand on by some rows, deleting the ids that may be forgotten; whether it is still on its round."""
    memory = state.memory
    if not _forgettable(state, min(state.limits.horizon_ids, state.budget.most_ids(LONGEST_ID))):
        return False
    n, size, last = _next(state.connection, memory.hand, rows)
    if n:
        memory.meet(n, size)
        old = _forgettable(state, most_ids(state))
        state.connection.execute("DELETE FROM ids WHERE id > ? AND id <= ? AND seq <= ?", (memory.hand, last, old))
        memory.hand = last
    if n < rows:
        memory.begin_round()
    state.connection.execute("REPLACE INTO meta VALUES(?,?)", (_HAND, memory.hand))
    return n == rows


def sweep_many(state: State) -> bool:
    """The same with more rows, for a transaction of its own."""
    return sweep(state, _MANY_ROWS)


def _next(connection: apsw.Connection, hand: bytes | str, rows: int) -> tuple[int, int, bytes | str]:
    """Of so many ids behind the hand: how many there are, their bytes, and the last."""
    (found,) = connection.execute(_NEXT, (hand, rows)).fetchall()
    return cast("tuple[int, int, bytes | str]", found)


def _forgettable(state: State, most: int) -> int:
    """Ids with a seq up to this one may be forgotten, when `most` are remembered."""
    eras, horizon = state.memory.eras, state.limits.horizon_ms
    return cutoff(eras, state.seq, state.tick(), horizon_ms=horizon, horizon_ids=most)
