"""Which records go upstream as one message: noted before the first sending, so that each sending is the same."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from modules.cache.record import CONTEXT
from modules.cache.sealing import DamagedRecordError
from modules.cache.store.state import State

_FACTS = struct.Struct(">4q")
_WRITE = "REPLACE INTO batch VALUES(?,?,?,?,?)"
_READ = "SELECT priority, last, first, gzip, seal FROM batch WHERE priority=? AND last>? ORDER BY last"
_READ_ALL = "SELECT priority, last, first, gzip, seal FROM batch"
_RESEAL = "UPDATE batch SET seal=? WHERE priority=? AND last=?"
_FORGET = "DELETE FROM batch WHERE priority=? AND last<=?"


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of `priority` from seq `first` to seq `last` are one message; `gzip`: compressed."""

    priority: int
    first: int
    last: int
    gzip: bool = False


def bind(state: State, job: Batch) -> None:
    """Note a batch in the open transaction, in place of what may be left of a damaged row."""
    state.connection.execute(_WRITE, (job.priority, job.last, job.first, int(job.gzip), _seal(state, job)))
    state.batched = True


def batches(state: State, priority: int, after: int) -> list[Batch]:
    """Those of a priority that end behind seq `after`, in order; a row that does not authenticate is none."""
    if not state.batched:
        return []
    found: list[Batch] = []
    for row in state.connection.execute(_READ, (priority, after)):
        batch = _unseal(state, row)
        if batch is not None and (not found or batch.first > found[-1].last):
            found.append(batch)
    return found


def forget(state: State, priority: int, until: int) -> None:
    """Those that end at seq `until` or before are delivered. In the open transaction."""
    if state.batched:
        state.connection.execute(_FORGET, (priority, until))


def reseal(state: State) -> None:
    """Seal all of them with the newest key, in the open transaction."""
    for row in state.connection.execute(_READ_ALL).fetchall():
        batch = _unseal(state, row)
        if batch is not None:
            state.connection.execute(_RESEAL, (_seal(state, batch), batch.priority, batch.last))


def _bound(batch: Batch) -> bytes:
    return CONTEXT + b" batch" + _FACTS.pack(batch.priority, batch.last, batch.first, int(batch.gzip))


def _seal(state: State, batch: Batch) -> bytes:
    return state.sealer.seal(b"", _bound(batch))


def _unseal(state: State, row: tuple[object, ...]) -> Batch | None:
    priority, last, first, gzip, seal = row
    try:
        batch = Batch(priority, first, last, bool(gzip))  # type: ignore[arg-type]
        state.sealer.open(seal if isinstance(seal, bytes) else b"", _bound(batch))
    except (DamagedRecordError, struct.error):
        return None
    return batch
