"""The wire contract: messages, their ids, and the bodies they carry (docs/formats/messages.md). Pure."""

from modules.common.messages.alert import SEVERITIES, STATES, Alert, AlertState, Severity
from modules.common.messages.batch import BATCH, GZIP, METERED, encode_member, member, members, metered_units, pack
from modules.common.messages.ids import content_id, derived_id, id_time_ms, new_id
from modules.common.messages.message import (
    FLOAT32,
    JPEG,
    JSON,
    KINDS,
    MAX_PACKET,
    PACKED,
    SENML,
    UTF8,
    BadMessage,
    Message,
    from_wire,
    json_message,
    parse_time,
    rfc3339,
)
from modules.common.messages.operator import VERDICTS, OperatorVerdict
from modules.common.messages.senml import Reading, ReadingBatch
from modules.common.messages.waveform import Waveform

__all__ = [
    "BATCH",
    "FLOAT32",
    "GZIP",
    "JPEG",
    "JSON",
    "KINDS",
    "MAX_PACKET",
    "METERED",
    "PACKED",
    "SENML",
    "SEVERITIES",
    "STATES",
    "UTF8",
    "VERDICTS",
    "Alert",
    "AlertState",
    "BadMessage",
    "Message",
    "OperatorVerdict",
    "Reading",
    "ReadingBatch",
    "Severity",
    "Waveform",
    "content_id",
    "derived_id",
    "encode_member",
    "from_wire",
    "id_time_ms",
    "json_message",
    "member",
    "members",
    "metered_units",
    "new_id",
    "pack",
    "parse_time",
    "rfc3339",
]
