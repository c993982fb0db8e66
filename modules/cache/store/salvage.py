"""Saving from a damaged store what authenticates: records that were not delivered, in their order, and known ids."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from modules.cache.record import PRIORITIES, Record, associated, unpack_id
from modules.cache.sealing import DamagedRecordError, Sealer
from modules.cache.store import erase, mark
from modules.cache.store.erase import Erasure
from modules.cache.store.pages import INDEX_LEAF, TABLE_LEAF, Pages, Value

_RECORD_COLUMNS = 10
_ID_COLUMNS = 2
_OFFSET_BITS = 13  # an offset in a page fits
_PAGE_BITS = 34


class Salvage:
    """One damaged database file. Everything in it counts only if it authenticates, so a page misread yields nothing."""

    def __init__(self, database: Path, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self.erasures: list[Erasure] = []
        """Those that `records` has met; what they cover is not saved, finished or not."""

    def records(self) -> Iterator[Record]:
        """Unconfirmed records in their order; one that is found twice comes twice (the store knows it by its id)."""
        with Pages(self._database) as pages:
            confirmed, places = self._survey(pages)
            for place in places:
                number, offset = place >> _OFFSET_BITS & (1 << _PAGE_BITS) - 1, place & (1 << _OFFSET_BITS) - 1
                record = self._read(place >> (_OFFSET_BITS + _PAGE_BITS), pages.row(number, offset, TABLE_LEAF)[1])
                if record and place >> (_OFFSET_BITS + _PAGE_BITS) > confirmed[record.priority]:
                    yield record

    def ids(self) -> Iterator[bytes | str]:
        """Ids that were accepted, so that what was delivered is still known after a new beginning."""
        with Pages(self._database) as pages:
            for number in range(len(pages)):
                for _, _, values in pages.rows(number, INDEX_LEAF):
                    if len(values) == _ID_COLUMNS and isinstance(values[1], int):
                        packed = values[0]
                        if isinstance(packed, str) or (isinstance(packed, bytes) and len(packed) == 16):
                            yield packed

    def _survey(self, pages: Pages) -> tuple[dict[int, int], list[int]]:
        """How far each priority was delivered, and where rows that may be records lie, packed into integers by seq."""
        confirmed = dict.fromkeys(PRIORITIES, 0)
        places: list[int] = []
        for number in range(len(pages)):
            for offset, seq, values in pages.rows(number, TABLE_LEAF):
                if len(values) == _RECORD_COLUMNS:
                    places.append((seq << _PAGE_BITS | number) << _OFFSET_BITS | offset)
                elif len(values) == erase.COLUMNS:
                    self._note_erasure([seq, *values[1:]])
                elif len(values) == mark.COLUMNS and seq in confirmed:
                    values[0] = seq  # the rowid stands for the column that is the integer key
                    try:
                        known = mark.unseal(tuple(values), self._sealer)
                    except DamagedRecordError:
                        continue
                    confirmed[seq] = max(confirmed[seq], known.confirmed)
        places.sort()
        return confirmed, places

    def _note_erasure(self, values: list[Value]) -> None:
        """Pages that are not in use any more show it as it was earlier: the furthest state of each counts."""
        try:
            found = erase.unseal(values, self._sealer)
        except DamagedRecordError:
            return
        known = {each.number: each for each in self.erasures}
        best = max(found, known.get(found.number, found), key=lambda each: (each.done, each.bytes))
        self.erasures = list((known | {found.number: best}).values())

    def _erased(self, seq: int, source: str, at: Value) -> bool:
        when = at if isinstance(at, int) else None
        return any(seq <= each.seq and each.range.covers(source, when) for each in self.erasures)

    def _read(self, seq: int, values: list[Value]) -> Record | None:
        """The record in a row's values; its priority is the one under which it authenticates."""
        _, packed, kind, source, source_seq, at, tick, total_n, total_bytes, body = values
        facts = (at, tick, total_n, total_bytes, source_seq)
        if not isinstance(packed, (bytes, str)) or not isinstance(kind, str) or not isinstance(source, str):
            return None
        if not isinstance(body, bytes) or not isinstance(source_seq, int) or self._erased(seq, source, at):
            return None
        for priority in PRIORITIES:
            try:
                message_id = unpack_id(packed)
                bound = associated(priority, seq, *facts, message_id, kind, source)  # type: ignore[arg-type]
                payload = self._sealer.open(body, bound)
            except (DamagedRecordError, ValueError, TypeError, struct.error):
                continue
            return Record(
                message_id=message_id,
                priority=priority,
                kind=kind,
                source=source,
                source_seq=source_seq,
                payload=payload,
            )
        return None
