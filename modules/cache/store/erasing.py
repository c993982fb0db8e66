"""Carrying out erasures, a small step at a time, until nothing of what they mean is left in the files."""

from __future__ import annotations

from functools import partial

from modules.cache.store import erase, upkeep
from modules.cache.store.budget import BASE_FRAMES, STEP_FRAMES
from modules.cache.store.erase import Erasure
from modules.cache.store.state import State
from modules.cache.store.transactions import Transactions


class Erasing:
    """The oldest erasure of a store that is not done; `step` belongs into the transactions' guard."""

    def __init__(self, state: State, transactions: Transactions) -> None:
        self._state = state
        self._transactions = transactions
        self._order: Erasure | None = None
        self._cursors: dict[int, int] = {}  # how far, by priority, it has looked

    def resume(self) -> None:
        """Go on with what an earlier opening has left."""
        self._order, self._cursors = erase.unfinished(self._state), {}

    def begin(self, order: Erasure) -> None:
        """An order has got on record; it waits for its turn."""
        if self._order is None:
            self._order, self._cursors = order, {}

    def step(self) -> bool:
        """Do one transaction's worth; False when there is nothing to erase."""
        state, order = self._state, self._order
        if order is None:
            return False
        if order.done == erase.AT_WORK:
            self._delete(order)
        elif upkeep.free_pages(state):
            self._transactions.room_in_wal(STEP_FRAMES)
            upkeep.give_back(state)
        else:
            state.checkpoint(truncate=True)
            self._transactions.commit(partial(erase.finish, state, order), BASE_FRAMES)
            self.resume()
        return True

    def _delete(self, order: Erasure) -> None:
        step = erase.look(self._state, order, self._cursors)
        after: list[Erasure] = []
        self._transactions.commit(
            lambda: after.append(erase.carry_out(self._state, order, step)), self._state.budget.most_frames
        )
        (self._order,) = after
        if step.priority is not None:
            self._cursors[step.priority] = step.until
