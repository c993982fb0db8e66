"""What changes a store: jobs, those that wait together in one commit."""

from __future__ import annotations

from collections.abc import Sequence

from modules.cache.store import batch, erase, outgoing
from modules.cache.store.append import Append, Appended, append
from modules.cache.store.batch import Batch
from modules.cache.store.budget import BASE_FRAMES, frames_for, leaves_for
from modules.cache.store.erase import Erase, Erasure
from modules.cache.store.erasing import Erasing
from modules.cache.store.errors import StoreDamagedError, StoreError, StoreFullError
from modules.cache.store.outgoing import Confirm, Hand, Rewind
from modules.cache.store.state import State
from modules.cache.store.transactions import DISK_FULL, Transactions

Job = Append | Hand | Confirm | Rewind | Batch | Erase
Result = Appended | Erasure | StoreError | None

_SMALL_JOB_FRAMES = 8  # of moving a watermark: the mark, the leaves at both ends of a window; of noting one row


class Jobs:
    """Does jobs for one open store."""

    def __init__(self, state: State, transactions: Transactions, erasing: Erasing) -> None:
        self._state = state
        self._transactions = transactions
        self._erasing = erasing

    def apply(self, jobs: Sequence[Job]) -> list[Result]:
        """Store.apply."""
        results: list[Result] = []
        group: list[Job] = []
        total = BASE_FRAMES
        for job in jobs:
            frames = _frames(job)
            if group and total + frames > self._state.budget.most_frames:
                results += self._group(group, total)
                group, total = [], BASE_FRAMES
            if frames + BASE_FRAMES > self._state.budget.most_frames:
                results.append(self._large(job))
                continue
            group.append(job)
            total += frames
        return results + self._group(group, total)

    def _large(self, job: Job) -> Result:
        """An append too large for one transaction, in as few as it takes; when one fails those behind it wait too."""
        assert isinstance(job, Append)
        half = len(job.records) // 2
        if not half:
            return StoreFullError("a record larger than the WAL's share; raise the bound", disk=False)
        (first,) = self.apply([Append(job.records[:half])])
        if not isinstance(first, Appended):
            return first
        (second,) = self.apply([Append(job.records[half:])])
        return first + second if isinstance(second, Appended) else second

    def _group(self, jobs: Sequence[Job], frames: int) -> list[Result]:
        """All in one commit; when one fails, one by one."""
        if not jobs:
            return []
        results: list[Result] = []
        try:
            with self._transactions.guard:
                self._transactions.commit(lambda: results.extend(map(self._do, jobs)), frames)
        except StoreDamagedError:
            raise
        except StoreError as error:
            if len(jobs) == 1:
                return [error]
            return self._one_by_one(jobs)
        for result in results:
            if isinstance(result, Erasure):
                self._erasing.begin(result)
        return results

    def _one_by_one(self, jobs: Sequence[Job]) -> list[Result]:
        """Each in its own commit. Where the disk fails one, appends that follow it in one of its priorities wait too.

        One that only finds no room under the bound holds up nobody: a smaller one may fit.
        """
        results: list[Result] = []
        held: dict[int, StoreError] = {}
        for job in jobs:
            priorities = {record.priority for record in job.records} if isinstance(job, Append) else set()
            before = next(iter(priorities & held.keys()), None)
            result = self._group([job], BASE_FRAMES + _frames(job))[0] if before is None else held[before]
            no_room = isinstance(result, StoreFullError) and not result.disk
            if isinstance(result, StoreError) and not no_room:
                held |= dict.fromkeys(priorities, result)
            results.append(result)
        return results

    def _do(self, job: Job) -> Result:
        if isinstance(job, Append):
            if self._transactions.disk_full:
                raise StoreFullError(DISK_FULL, disk=True)
            return append(self._state, job)
        if isinstance(job, Erase):
            return erase.begin(self._state, job)
        if isinstance(job, Batch):
            batch.bind(self._state, job)
        else:
            outgoing.move(self._state, job)
        return None


def _frames(job: Job) -> int:
    """Pages that a job writes at most."""
    if isinstance(job, Append):
        return frames_for(leaves_for(job.sizes), len(job.sizes))
    return _SMALL_JOB_FRAMES
