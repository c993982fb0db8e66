"""Committing all of some work or none of it, with room for it in the WAL, and a ballast for when the disk is full."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import apsw

from modules.cache.store.ballast import Ballast
from modules.cache.store.errors import StoreFullError
from modules.cache.store.guard import Guard
from modules.cache.store.schema import FAILURE
from modules.cache.store.state import State

DISK_FULL = "the disk is full: free some space; nothing is accepted until then"
_BALLAST_AGAIN_MS = 1000  # between two tries to have the ballast back


class Transactions:
    """Those of one open store. `guard` belongs around whatever touches the database."""

    def __init__(self, state: State, ballast: Ballast | None) -> None:
        self._state = state
        self._ballast = ballast
        self._ballast_tried = 0
        self._short = False  # whether a transaction found no page to use, and it was not the disk's fault
        self.guard = Guard(self._full)
        self.disk_full = bool(ballast) and not ballast.take()  # type: ignore[union-attr]

    def commit(self, work: Callable[[], object], frames: int) -> None:
        """Commit `work`, which writes at most `frames` pages, or undo all of it."""
        state = self._state
        self.room_in_wal(frames)
        seq, quarantined = state.seq, state.quarantined
        state.marks.begin()
        state.now = state.tick()
        try:
            state.connection.execute("BEGIN IMMEDIATE")
            try:
                work()
                state.marks.write(state.now)
            except apsw.FullError:
                self._short = True
                raise
            state.connection.execute("COMMIT")
        except BaseException:
            state.seq, state.quarantined, state.free = seq, quarantined, 0
            state.marks.undo()
            if state.connection.in_transaction:
                state.connection.execute("ROLLBACK")
            raise
        self.empty_wal()

    def empty_wal(self) -> None:
        """Checkpoint after a commit when it is time; what was committed is on disk whether that succeeds or not."""
        if self._state.frames > self._state.budget.most_frames:
            with contextlib.suppress(*FAILURE):  # the next commit that needs the room meets it too, and says so
                self._state.checkpoint()

    def room_in_wal(self, frames: int) -> None:
        """Checkpoint first when the WAL's share does not hold `frames` more pages."""
        if self._state.frames + frames > self._state.budget.frames:
            self._state.checkpoint()

    def take_ballast(self) -> None:
        """Try to have it back, now and then."""
        if self._ballast is None or self._ballast.held:
            return
        now = self._state.clock.monotonic()
        if now - self._ballast_tried >= _BALLAST_AGAIN_MS:
            self._ballast_tried = now
            self.disk_full = not self._ballast.take()

    def resize_ballast(self) -> None:
        """As large as the budget now says."""
        if self._ballast:
            self._ballast = self._ballast.resized(self._state.budget.ballast)
            self.disk_full = not self._ballast.take()

    def _full(self) -> StoreFullError:
        """Why SQLite says full: the disk is, and the ballast goes; or an estimate fell short, and the next will not.

        Pages are written by COMMIT and checkpoints alone (cache_spill=OFF), so what is full before is the page count.
        """
        if self._short:
            self._short = False
            self._state.spare = min(2 * self._state.spare + 16, self._state.budget.pages // 4)
            return StoreFullError("no room for now", disk=False)
        if self._ballast:
            self.disk_full = True
            self._ballast.give_up()
            self._ballast_tried = self._state.clock.monotonic()
        return StoreFullError(DISK_FULL, disk=True)
