"""One record and nothing else to do, which is what most messages are: a transaction of its own, in one statement.

It is straight because it runs cold: between two commits the processor sleeps in fdatasync, and each call and object
then costs several times what a loop without a disk would make believe.
"""

from __future__ import annotations

import apsw

from modules.cache.record import PRIORITIES, associated, pack_id
from modules.cache.store.append import Append, Appended
from modules.cache.store.budget import BASE_FRAMES, FEW_PAGES, RESERVE, leaves_for_one
from modules.cache.store.errors import StoreDamagedError, StoreError
from modules.cache.store.ids import SWEEP_EVERY
from modules.cache.store.jobs import Job
from modules.cache.store.state import State
from modules.cache.store.transactions import Transactions

_COLUMNS = ("seq", "id", "kind", "source", "source_seq", "at", "tick", "total_n", "total_bytes", "body")
_NAMES, _NEW = ", ".join(_COLUMNS), ", ".join(f"new.{name}" for name in _COLUMNS)
# What is put into the view goes into both tables, as the one transaction that a statement by itself is.
_VIEW = "CREATE TEMP VIEW accept{0} AS SELECT " + _NAMES + " FROM main.record{0}"  # noqa: S608 -- names of ours
_TRIGGER = (
    "CREATE TEMP TRIGGER accepted{0} INSTEAD OF INSERT ON accept{0} BEGIN"
    " INSERT INTO ids VALUES(new.id, new.seq); INSERT INTO record{0} VALUES(" + _NEW + "); END"
)
_INSERT = {priority: f"INSERT INTO accept{priority} VALUES(?,?,?,?,?,?,?,?,?,?)" for priority in PRIORITIES}
_PAGES = FEW_PAGES + RESERVE  # that must be free beside the leaves
_FRAMES = BASE_FRAMES + 1  # that may be written beside them: the id lies on a page of its own
_STORED = Appended(1)


class Alone:
    """Appends single records to one open store."""

    def __init__(self, state: State, transactions: Transactions) -> None:
        self._state = state
        self._transactions = transactions
        for priority in PRIORITIES:
            state.connection.execute(_VIEW.format(priority))
            state.connection.execute(_TRIGGER.format(priority))
        self._execute = state.connection.cursor().execute

    def append(self, job: Job) -> Appended | StoreError | None:
        """What became of it; None, and nothing done, where there is more to it.

        That is: more records, a known id, no room for certain, a full disk, ids to forget. Raises StoreDamagedError.
        """
        if type(job) is not Append or len(job.sizes) != 1:
            return None
        state, size = self._state, job.sizes[0]
        budget, memory = state.budget, state.memory
        tick = state.offset + state.clock.monotonic()
        leaves = leaves_for_one(size)
        if (
            state.free < leaves + _PAGES + state.spare
            or leaves + _FRAMES > budget.most_frames
            or memory.owed >= SWEEP_EVERY - 1
            or tick >= memory.quiet
            or self._transactions.disk_full
        ):
            return None
        record = job.records[0]
        priority, message_id, kind = record.priority, record.message_id, record.kind
        source, source_seq = record.source, record.source_seq
        mark, seq, at = state.marks.by_priority[priority], state.seq + 1, state.clock.wall()
        total_n, total_bytes = mark.total_n + 1, mark.total_bytes + size
        bound = associated(priority, seq, at, tick, total_n, total_bytes, source_seq, message_id, kind, source)
        body = state.sealer.seal(record.payload, bound)
        row = (seq, pack_id(message_id), kind, source, source_seq, at, tick, total_n, total_bytes, body)
        try:
            if state.frames + leaves + _FRAMES > budget.frames:
                state.checkpoint()
            self._execute(_INSERT[priority], row)
        except (apsw.ConstraintError, apsw.FullError):
            return None  # the long way finds out which of them it is, or what is full
        except apsw.Error as error:
            return self._failed(error)
        memory.owed += 1
        state.free -= leaves + FEW_PAGES
        state.appended_bytes += size
        mark.depth_n += 1
        mark.depth_bytes += size
        mark.total_n, mark.total_bytes, mark.last_seq, state.seq = total_n, total_bytes, seq, seq
        if state.frames > budget.most_frames:
            self._transactions.empty_wal()
        return _STORED

    def _failed(self, error: apsw.Error) -> StoreError:
        failure = self._transactions.guard.meaning(error)
        if failure is None:
            raise error
        if isinstance(failure, StoreDamagedError):
            raise failure from error
        self._state.free = 0
        failure.__cause__ = error
        return failure
