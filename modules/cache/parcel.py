"""What is handed to edgeHub as one message: a record, or a batch of them (pure)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from modules.cache.envelope import unwrap
from modules.cache.record import Stored
from modules.common.messages import BadMessage, Message, encode_member, metered_units, pack

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """`message` is None where nothing of it can be sent; `apart`: units that its records would cost by themselves.

    `seq` is that of its last record, `size` its sealed bytes, `again` whether it was sent before.
    """

    message: Message | None
    seq: int
    size: int
    n: int
    again: bool
    apart: int

    @property
    def units(self) -> int:
        """Units of 4 KB that IoT Hub bills for it."""
        return metered_units(self.message) if self.message else 0


def opened(record: Stored) -> Message | None:
    """The message in a record. Nothing that passed the input is none; were it so, the line behind it must not stop."""
    try:
        return unwrap(record.message_id, record.kind, record.source, record.source_seq, record.payload)
    except (BadMessage, ValueError) as error:
        log.error("message %s cannot be sent and is passed over: %s", record.message_id, error)  # noqa: TRY400 -- as it says
        return None


def alone(record: Stored) -> Parcel:
    """A record as a message of its own."""
    message = opened(record)
    units = metered_units(message) if message else 0
    return Parcel(message, record.seq, record.size, 1, bool(record.attempts), units)


def together(records: Sequence[Stored], *, compress: bool) -> Parcel:
    """Records as one batch; the same ones always give the same bytes."""
    found = [message for message in map(opened, records) if message is not None]
    batch = None
    if found:
        encoded = [encode_member(message) for message in found]
        kinds = [message.kind for message in found]
        batch = pack(found[0], encoded, kinds, seq=records[0].seq, compress=compress)
    return Parcel(
        message=batch,
        seq=records[-1].seq,
        size=sum(record.size for record in records),
        n=len(records),
        again=any(record.attempts for record in records),
        apart=sum(map(metered_units, found)),
    )
