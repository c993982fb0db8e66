"""One open store: every change is a job, and the jobs that wait together are one commit."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from modules.cache.record import Entry, Stored
from modules.cache.sealing import Sealer
from modules.cache.store import batch, bound, erase, expire, outgoing, report, schema, upkeep
from modules.cache.store import ids as known_ids
from modules.cache.store.alone import Alone
from modules.cache.store.append import Append, Appended
from modules.cache.store.ballast import Ballast
from modules.cache.store.batch import Batch
from modules.cache.store.budget import BASE_FRAMES, STEP_FRAMES, Budget
from modules.cache.store.clock import Clock
from modules.cache.store.erase import Erase, Erasure
from modules.cache.store.erasing import Erasing
from modules.cache.store.errors import StoreDamagedError, StoreError, StoreFailingError, StoreFullError
from modules.cache.store.jobs import Job, Jobs, Result
from modules.cache.store.opening import DATABASE, read_state
from modules.cache.store.outgoing import Confirm, Hand, InFlight, Rewind
from modules.cache.store.scan import Range
from modules.cache.store.state import Limits, State
from modules.cache.store.transactions import Transactions

__all__ = ["Append", "Appended", "Batch", "Confirm", "Erase", "Hand", "InFlight", "Job", "Limits", "Rewind", "Store"]

_KEPT_AT_ONCE = 32  # records read for a replay in one go


class Store:
    """Used by one thread at a time. Made by `open`; docs/formats/cache.md says what it promises."""

    def __init__(self, state: State, ballast: Ballast | None) -> None:
        self._state = state
        self._transactions = Transactions(state, ballast)
        self._guard = self._transactions.guard
        self._erasing = Erasing(state, self._transactions)
        self._jobs = Jobs(state, self._transactions, self._erasing)
        self._alone = Alone(state, self._transactions)

    @property
    def disk_full(self) -> bool:
        """Whether the disk has no room, so that nothing is accepted."""
        return self._transactions.disk_full

    @classmethod
    def open(
        cls,
        folder: Path,
        sealer: Sealer,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
        vfs: str | None = None,
        look: bool = False,
    ) -> Self:
        """Open or make the store in `folder`; `vfs` names an SQLite VFS (tests fault the disk with one).

        `look`: only to be looked at and then abandoned; takes the file as large as it is and leaves the ballast.

        Raises StoreBusyError, StoreDamagedError, StoreForeignError or StoreFailingError.
        """
        limits, clock = limits or Limits(), clock or Clock()
        ballast = None if vfs or look else Ballast(folder / "ballast", Budget.of(limits.bound).ballast)
        connection = schema.connect(folder / DATABASE, vfs=vfs)
        try:
            state = read_state(connection, folder, sealer, limits, clock)
            store = cls(state, ballast)
            marks = state.marks
            if marks.fresh or marks.damaged:
                store._transactions.commit(marks.touch, BASE_FRAMES)
            state.checkpoint(truncate=True)
            if not look:
                with contextlib.suppress(StoreFullError), store._guard:  # what a full disk hinders, it hinders again
                    bound.forget_down(state, store._transactions)
            store._erasing.resume()
        except (*schema.DAMAGE, KeyError, TypeError) as error:
            schema.abandon(connection)
            raise StoreDamagedError(f"{folder / DATABASE}: {error}") from error
        except schema.FAILURE as error:
            schema.abandon(connection)
            raise StoreFailingError(f"{folder / DATABASE}: {error}") from error
        except BaseException:
            schema.abandon(connection)
            raise
        return store

    def apply(self, jobs: Sequence[Job]) -> list[Result]:
        """Do the jobs in their order; when this returns, those whose result is no exception are on disk.

        A job that fails does not harm its neighbours, but where the disk fails an append, none of its priority
        overtakes it: those behind it fail too. Raises StoreDamagedError.
        """
        if len(jobs) == 1:
            done = self._alone.append(jobs[0])
            if done is not None:
                return [done]
        return self._jobs.apply(jobs)

    def peek(self, priority: int, after: int, *, most: int, most_bytes: int) -> list[Stored]:
        """The next records of a priority behind seq `after`, in order, and claimed: eviction no longer touches them.

        Always at least one when there is one. Damaged records among them go to quarantine. Raises StoreDamagedError.
        """
        with self._guard:
            while True:
                found, damaged = outgoing.peek(self._state, priority, after, most, most_bytes)
                self._quarantine(priority, damaged)
                if found or not damaged:
                    return found

    def clock_ms(self) -> int:
        """The store's own clock: it runs only while a store is open, and never back."""
        return self._state.tick()

    def release(self, priority: int, until: int) -> None:
        """What was peeked behind seq `until` is not about to be sent after all: it may be evicted, or expire."""
        self._state.let_go(priority, until)

    def batches(self, priority: int, after: int) -> list[Batch]:
        """What is bound to be sent together and ends behind seq `after`, in order."""
        with self._guard:
            return batch.batches(self._state, priority, after)

    def read(self, priority: int, after: int, *, most: int, most_bytes: int = 1 << 22) -> list[Stored]:
        """As `peek`, but only to look: nothing is claimed, and damaged records are left out and where they are."""
        with self._guard:
            return outgoing.read(self._state, priority, after, most, most_bytes)

    def kept(self, priority: int, wanted: Range, after: int = 0) -> tuple[list[Stored], int]:
        """Some of the confirmed records that are meant, behind seq `after`, and the seq to go on behind, 0 at the end.

        There may be none though there are more. Damaged ones go to quarantine.
        """
        with self._guard:
            found, damaged, further = outgoing.kept(self._state, priority, wanted, after, _KEPT_AT_ONCE)
            self._quarantine(priority, damaged)
            return found, further

    def erase(self, job: Erase) -> Erasure:
        """Carry out an erasure from beginning to end. Blocks; `apply` and `upkeep` do the same in small steps.

        Raises StoreError; an order that got on record is then carried out by `upkeep`, also after a restart.
        """
        (result,) = self.apply([job])
        if not isinstance(result, Erasure):
            assert isinstance(result, StoreError)
            raise result
        with self._guard:
            while self._erasing.step():
                pass
        return next(each for each in self.erasures() if each.number == result.number)

    def erasures(self) -> list[Erasure]:
        """All that was ever asked to be erased, the newest first, and how far it is."""
        with self._guard:
            return erase.erasures(self._state)

    def flight(self, priority: int) -> InFlight:
        """What edgeHub acknowledged of a priority and may still hold."""
        with self._guard:
            return outgoing.flight(self._state, priority)

    def verify(self, priority: int, after: int, *, most: int = 256) -> tuple[int, int, int]:
        """Authenticate the next records behind `after`: the last seq (0 at the end), how many, how many damaged."""
        with self._guard:
            last, seen, damaged = outgoing.verify(self._state, priority, after, most)
            self._quarantine(priority, damaged)
            return last, seen, len(damaged)

    def upkeep(self) -> bool:
        """One small step of what can wait: erasing, expiring, giving space back, the ballast. True: there is more."""
        state = self._state
        with self._guard:
            if self._erasing.step():
                return True
            step = expire.look(state)
            if step is not None:
                if step.rows:
                    self._transactions.commit(partial(expire.carry_out, state, step), STEP_FRAMES)
                state.expired[step.rule.name] = step.cursor
                return True
            if upkeep.worth_giving_back(state):
                self._transactions.room_in_wal(STEP_FRAMES)
                upkeep.give_back(state)
                if not upkeep.worth_giving_back(state):
                    state.checkpoint(truncate=True)
                return True
        self._transactions.take_ballast()
        return False

    def stats(self) -> report.Stats:
        """Depths, sizes, ages, drops and wear."""
        with self._guard:
            return report.stats(self._state, disk_full=self.disk_full, erasures=erase.erasures(self._state, newest=5))

    def inspect(self, priority: int, *, after: int = 0, most: int = 20) -> list[Entry]:
        """The oldest records of a priority behind `after`, without their payloads."""
        with self._guard:
            return report.entries(self._state, priority, after, most)

    def get(self, name: str) -> str | None:
        """A note from the table meta."""
        with self._guard:
            row = self._state.connection.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
            return None if row is None else str(row[0])

    def set(self, name: str, value: str) -> None:
        """Keep a note in the table meta."""
        with self._guard:
            statement = "REPLACE INTO meta VALUES(?,?)"
            self._transactions.commit(lambda: self._state.connection.execute(statement, (name, value)), BASE_FRAMES)

    def know(self, ids: Sequence[bytes | str]) -> bool:
        """Take ids for accepted, from now on until the horizon has passed them (they were, by an earlier store).

        False, and none is taken, where they would have the room of records.
        """
        with self._guard:
            return known_ids.know(self._state, self._transactions, ids)

    def adopt(self, erasures: Sequence[Erasure]) -> None:
        """Keep on record what an earlier store was told to erase."""
        with self._guard:
            self._transactions.commit(partial(erase.adopt, self._state, erasures), 2 * len(erasures) + BASE_FRAMES)

    def rekey(self, keys: Mapping[int, bytes], copy: str) -> None:
        """Seal with the newest of `keys` from now on, and open with any; `copy`: keys.json, which has them already."""
        state = self._state

        def work() -> None:
            state.marks.touch()
            batch.reseal(state)
            erase.reseal(state)
            state.connection.execute("REPLACE INTO meta VALUES('keys',?)", (copy,))

        with self._guard:
            state.sealer.take(keys)
            self._transactions.commit(work, state.budget.most_frames)

    def oldest_key(self) -> int:
        """The number of the oldest data key that anything in the store is sealed with."""
        with self._guard:
            return report.oldest_key(self._state)

    def resize(self, to: int) -> bool:
        """Take another bound, evicting down to it where it is smaller.

        False, and nothing is evicted, when that would cost alerts.
        """
        with self._guard:
            return bound.resize(self._state, self._transactions, to)

    def set_limits(self, limits: Limits) -> None:
        """Horizon, times to live and retention take effect at once; for the bound see `resize`."""
        self._state.limits = replace(limits, bound=self._state.limits.bound)
        self._state.memory.quiet = 0
        self._state.expired.clear()

    def close(self) -> None:
        """Checkpoint and let go of the lock. A closed store cannot be used, also where this raises StoreError."""
        try:
            with self._guard:
                self._transactions.commit(self._state.marks.touch, BASE_FRAMES)
        finally:
            schema.abandon(self._state.connection)

    def check_file(self) -> list[str]:
        """What SQLite finds wrong with the file; reads all of it. Empty when nothing is."""
        with self._guard:
            found = [str(row[0]) for row in self._state.connection.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def abandon(self) -> None:
        """Let go of the lock and change nothing: for a damaged store, and for one that was only looked at."""
        schema.abandon(self._state.connection)

    def _quarantine(self, priority: int, damaged: Sequence[outgoing.Damaged]) -> None:
        if damaged:
            self._transactions.commit(lambda: outgoing.quarantine(self._state, priority, damaged), STEP_FRAMES)
