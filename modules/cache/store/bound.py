"""Taking another bound: what a smaller one has no room for goes, remembered ids before records."""

from __future__ import annotations

from dataclasses import replace

from modules.cache.record import ALERTS
from modules.cache.store import schema, upkeep
from modules.cache.store.budget import STEP_FRAMES, Budget
from modules.cache.store.errors import StoreFullError
from modules.cache.store.evict import make_room
from modules.cache.store.ids import sweep_many
from modules.cache.store.state import State
from modules.cache.store.transactions import Transactions


def resize(state: State, transactions: Transactions, bound: int) -> bool:
    """Store.resize."""
    before, state.budget = state.budget, Budget.of(bound)
    state.free, fits = 0, False
    try:
        forget_down(state, transactions)
        fits = _evict_down(state, transactions, before.most_frames)
    finally:
        if not fits:
            state.budget, state.free = before, 0
    if not fits:
        return False
    while _pages(state) > state.budget.pages:
        transactions.room_in_wal(STEP_FRAMES)
        upkeep.give_back(state)
    state.checkpoint(truncate=True)
    schema.limit(state.connection, state.budget)
    state.limits = replace(state.limits, bound=bound)
    transactions.resize_ballast()
    return True


def forget_down(state: State, transactions: Transactions) -> None:
    """Where the file is larger than the bound: forget ids that have no room any more, before records have to go."""
    if _pages(state) <= state.budget.pages:
        return
    state.memory.begin_round()
    more = [True]
    while more[-1]:
        transactions.commit(lambda: more.append(sweep_many(state)), STEP_FRAMES)


def _evict_down(state: State, transactions: Transactions, frames: int) -> bool:
    """Make what is stored fit the budget; False, and nothing is evicted, when that would cost alerts."""

    def work() -> None:
        if not make_room(state, 0, ALERTS):
            raise StoreFullError("the alerts do not fit", disk=False)

    try:
        transactions.commit(work, frames)
    except StoreFullError:
        return False
    return True


def _pages(state: State) -> int:
    return int(state.connection.pragma("page_count"))
