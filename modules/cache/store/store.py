"""One open store: every change is a job, and the jobs that wait together are one commit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from modules.cache.record import ALERTS, Entry, Stored
from modules.cache.sealing import Sealer
from modules.cache.store import outgoing, report, schema, upkeep
from modules.cache.store.append import Append, Appended, append, append_alone
from modules.cache.store.ballast import Ballast
from modules.cache.store.budget import BASE_FRAMES, MIB, Budget, frames_for
from modules.cache.store.clock import Clock
from modules.cache.store.errors import StoreDamagedError, StoreError, StoreFailingError, StoreFullError
from modules.cache.store.evict import make_room
from modules.cache.store.forget import Era, Memory
from modules.cache.store.guard import Guard
from modules.cache.store.mark import Marks
from modules.cache.store.outgoing import Confirm, Hand, InFlight, Rewind
from modules.cache.store.state import Limits, State

__all__ = ["Append", "Appended", "Confirm", "Hand", "InFlight", "Job", "Limits", "Rewind", "Store"]

DATABASE = "queue.db"
_BALLAST_AGAIN_MS = 1000  # between two tries to have the ballast back
_STEP_FRAMES = 120  # of an upkeep or quarantine step: some dozen rows or moved pages, and what leads to them
_SMALL_JOB_FRAMES = 8  # of moving a watermark: the mark, the leaves at both ends of a window


Job = Append | Hand | Confirm | Rewind
Result = Appended | StoreError | None
_ONE = Appended(1)


class Store:
    """Used by one thread at a time. Made by `open`; docs/formats/cache.md says what it promises."""

    def __init__(self, state: State, ballast: Ballast | None) -> None:
        self._state = state
        self._ballast = ballast
        self._ballast_tried = 0
        self._guard = Guard(self._full)
        self.disk_full = False

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
        budget = Budget.of(limits.bound)
        ballast = None if vfs or look else Ballast(folder / "ballast", budget.ballast)
        connection = schema.connect(folder / DATABASE, vfs=vfs)
        try:
            schema.limit(connection, budget)
            marks = Marks(connection, sealer)
            eras = [Era(*row) for row in connection.execute("SELECT seq, tick FROM era ORDER BY seq")]
            state = State(
                connection=connection,
                sealer=sealer,
                limits=limits,
                clock=clock,
                marks=marks,
                budget=budget,
                measure=partial(_bytes_in, folder),
                started=clock.monotonic(),
                base=max(mark.clock for mark in marks.all()),
                seq=max(mark.last_seq for mark in marks.all()),
                memory=Memory(eras),
                quarantined=len(connection.execute("SELECT seq FROM quarantine").fetchall()),
            )
            connection.set_wal_hook(state.note_commit)
            store = cls(state, ballast)
            if marks.fresh or marks.damaged:
                store._transaction(marks.touch, BASE_FRAMES)
            state.checkpoint(truncate=True)
        except (*schema.DAMAGE, KeyError, TypeError) as error:
            schema.abandon(connection)
            raise StoreDamagedError(f"{folder / DATABASE}: {error}") from error
        except schema.FAILURE as error:
            schema.abandon(connection)
            raise StoreFailingError(f"{folder / DATABASE}: {error}") from error
        except BaseException:
            schema.abandon(connection)
            raise
        if ballast:
            store.disk_full = not ballast.take()
        return store

    def apply(self, jobs: Sequence[Job]) -> list[Result]:
        """Do the jobs in their order; when this returns, those whose result is no exception are on disk.

        A job that fails does not harm its neighbours. Raises StoreDamagedError.
        """
        if len(jobs) == 1 and (alone := self._alone(jobs[0])) is not None:
            return [alone]
        results: list[Result] = []
        group: list[Job] = []
        total = BASE_FRAMES
        for job in jobs:
            frames = self._frames(job)
            if group and total + frames > self._state.budget.most_frames:
                results += self._group(group, total)
                group, total = [], BASE_FRAMES
            if frames + BASE_FRAMES > self._state.budget.most_frames:
                results.append(self._large(job))
                continue
            group.append(job)
            total += frames
        return results + self._group(group, total)

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
        """One small step of what can wait: purging, giving space back, the ballast. True when there is more to do."""
        state = self._state
        with self._guard:
            if any(mark.kept_n for mark in state.marks.all()):
                more: list[bool] = []
                self._transaction(lambda: more.append(upkeep.purge(state)), _STEP_FRAMES)
                if more[0]:
                    return True
            if upkeep.worth_giving_back(state):
                self._room_in_wal(_STEP_FRAMES)
                upkeep.give_back(state)
                if not upkeep.worth_giving_back(state):
                    state.checkpoint(truncate=True)
                return True
        self._take_ballast()
        return False

    def stats(self) -> report.Stats:
        """Depths, sizes, ages, drops and wear."""
        with self._guard:
            return report.stats(self._state, disk_full=self.disk_full)

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
            self._transaction(lambda: self._state.connection.execute(statement, (name, value)), BASE_FRAMES)

    def know(self, ids: Sequence[bytes | str]) -> None:
        """Take ids for accepted, from now on until the horizon has passed them (they were, by an earlier store)."""
        state = self._state
        statement = "INSERT OR IGNORE INTO ids VALUES(?,?)"
        rows = [(packed, state.seq) for packed in ids]
        with self._guard:
            self._transaction(lambda: state.connection.executemany(statement, rows), 2 * len(rows) + BASE_FRAMES)

    def resize(self, bound: int) -> bool:
        """Take another bound, evicting down to it where it is smaller; False when that would cost alerts."""
        state = self._state
        before, state.budget = state.budget, Budget.of(bound)
        state.free = 0
        with self._guard:
            if not self._evict_down(before.most_frames):
                state.budget, state.free = before, 0
                return False
            while int(state.connection.pragma("page_count")) > state.budget.pages:
                self._room_in_wal(_STEP_FRAMES)
                upkeep.give_back(state)
            state.checkpoint(truncate=True)
            schema.limit(state.connection, state.budget)
        state.limits = replace(state.limits, bound=bound)
        if self._ballast:
            self._ballast = self._ballast.resized(state.budget.ballast)
            self.disk_full = not self._ballast.take()
        return True

    def _evict_down(self, frames: int) -> bool:
        """Make what is stored fit the budget; False when that would cost alerts."""
        fits: list[bool] = []
        self._transaction(lambda: fits.append(make_room(self._state, 0, ALERTS)), frames)
        return fits[0]

    def set_limits(self, limits: Limits) -> None:
        """Horizon and retention take effect at once; for the bound see `resize`."""
        self._state.limits = replace(limits, bound=self._state.limits.bound)

    def close(self) -> None:
        """Checkpoint and let go of the lock. A closed store cannot be used."""
        try:
            self._transaction(self._state.marks.touch, BASE_FRAMES)
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

    # Transactions

    def _quarantine(self, priority: int, damaged: Sequence[outgoing.Damaged]) -> None:
        if damaged:
            self._transaction(lambda: outgoing.quarantine(self._state, priority, damaged), _STEP_FRAMES)

    def _frames(self, job: Job) -> int:
        """Pages that a job writes at most."""
        if isinstance(job, Append):
            return frames_for(job.leaves, len(job.records))
        return _SMALL_JOB_FRAMES

    def _large(self, job: Job) -> Result:
        """An append too large for one transaction, in as few as it takes; what was stored stays when one fails."""
        assert isinstance(job, Append)
        half = len(job.records) // 2
        if not half:
            return StoreFullError("a record larger than the WAL's share; raise the bound", disk=False)
        first, second = self.apply([Append(job.records[:half]), Append(job.records[half:])])
        if isinstance(first, Appended) and isinstance(second, Appended):
            return first + second
        return first if isinstance(first, StoreError) else second

    def _group(self, jobs: Sequence[Job], frames: int) -> list[Result]:
        """All in one commit; when one fails, each in its own."""
        if not jobs:
            return []
        results: list[Result] = []
        try:
            with self._guard:
                self._transaction(lambda: results.extend(map(self._do, jobs)), frames)
        except StoreDamagedError:
            raise
        except StoreError as error:
            if len(jobs) == 1:
                return [error]
            return [self._group([job], BASE_FRAMES + self._frames(job))[0] for job in jobs]
        return results

    def _alone(self, job: Job) -> Result:
        """The short way of a single record; None where the long one must be gone."""
        if not isinstance(job, Append) or len(job.records) != 1 or self.disk_full:
            return None
        state = self._state
        frames = BASE_FRAMES + self._frames(job)
        if frames > state.budget.most_frames:
            return None
        try:
            with self._guard:
                self._room_in_wal(frames)
                if not append_alone(state, job):
                    return None
                if state.frames > state.budget.most_frames:
                    state.checkpoint()
        except StoreDamagedError:
            raise
        except StoreError as error:
            state.free = 0
            return error
        return _ONE

    def _do(self, job: Job) -> Result:
        if isinstance(job, Append):
            if self.disk_full:
                raise StoreFullError("the disk is full: free some space; nothing is accepted until then", disk=True)
            return append(self._state, job)
        outgoing.move(self._state, job)
        return None

    def _transaction(self, work: Callable[[], object], frames: int) -> None:
        """Commit `work`, which writes at most `frames` pages, or undo all of it."""
        state = self._state
        self._room_in_wal(frames)
        seq = state.seq
        state.marks.begin()
        state.now = state.tick()
        try:
            state.connection.execute("BEGIN IMMEDIATE")
            work()
            state.marks.write(state.now)
            state.connection.execute("COMMIT")
        except BaseException:
            state.seq, state.free = seq, 0
            state.marks.undo()
            if state.connection.in_transaction:
                state.connection.execute("ROLLBACK")
            raise
        if state.frames > state.budget.most_frames:
            state.checkpoint()

    def _room_in_wal(self, frames: int) -> None:
        if self._state.frames + frames > self._state.budget.frames:
            self._state.checkpoint()

    def _full(self) -> StoreFullError:
        """Why SQLite says full: the disk is, and the ballast goes; or an estimate fell short, and the next will not."""
        if self._ballast and not self._ballast.disk_has(MIB):
            self.disk_full = True
            self._ballast.give_up()
            self._ballast_tried = self._state.clock.monotonic()
            return StoreFullError("the disk is full: free some space; nothing is accepted until then", disk=True)
        self._state.spare = min(2 * self._state.spare + 16, self._state.budget.pages // 4)
        return StoreFullError("no room for now", disk=False)

    def _take_ballast(self) -> None:
        if self._ballast is None or self._ballast.held:
            return
        now = self._state.clock.monotonic()
        if now - self._ballast_tried >= _BALLAST_AGAIN_MS:
            self._ballast_tried = now
            self.disk_full = not self._ballast.take()


def _bytes_in(folder: Path) -> int:
    """What the files in a folder take; 0 for a folder that only an SQLite VFS knows."""
    if not folder.is_dir():
        return 0
    with os.scandir(folder) as items:
        return sum(item.stat().st_size for item in items)
