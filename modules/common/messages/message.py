"""One message as modules exchange it: a body and its facts.

The facts travel as message properties, so that routes can choose by them without reading the body; see
docs/formats/messages.md. Nothing here knows the SDK: `Message.facts` and `from_wire` are the two ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import orjson

from modules.common.messages.ids import new_id

JSON: Final = "application/json"
SENML: Final = "application/senml+json"
PACKED: Final = "application/vnd.millwatch.readings"
JPEG: Final = "image/jpeg"
FLOAT32: Final = "application/octet-stream"
UTF8: Final = "utf-8"

KINDS: Final = frozenset(
    {
        "readings",
        "waveform",
        "frame",
        "alert",
        "window",
        "anomaly",
        "score",
        "sample",
        "verdict",
        "health",
        "command",
        "batch",
    }
)

# edgeHub closes the connection on a larger packet and the SDK would send it again for ever
# (edge-hub appsettings_hub.json, MaxInboundMessageSize).
MAX_PACKET: Final = 262_144

_RESERVED: Final = frozenset({"kind", "schema", "source", "seq", "time", "severity", "model", "trace_id"})
# Where a message came from, added by edgeHub under these names; never sent back to it.
_ORIGIN: Final = ("$.cdid", "$.cmid")


class BadMessage(ValueError):
    """A message that can never be handled, however often it is tried.

    `reason` is a short label for counters: not_json, wrong_shape, nan, oversize, unknown_kind, missing_property, ...
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A body with the facts that travel beside it. `time` is aware, UTC, and that of the (first) sample."""

    body: bytes
    kind: str
    source: str
    seq: int
    time: datetime
    message_id: str
    schema: str = "1"
    content_type: str | None = None
    content_encoding: str | None = None
    severity: str | None = None
    model: str | None = None
    trace_id: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    origin: str | None = None
    """`device` or `device/module` as edgeHub saw it; None before sending."""

    def facts(self) -> dict[str, str]:
        """All user properties as they go onto the wire: the message's own facts, then `properties`."""
        facts = {
            "kind": self.kind,
            "schema": self.schema,
            "source": self.source,
            "seq": str(self.seq),
            "time": rfc3339(self.time),
        }
        if self.severity is not None:
            facts["severity"] = self.severity
        if self.model is not None:
            facts["model"] = self.model
        if self.trace_id is not None:
            facts["trace_id"] = self.trace_id
        facts.update(self.properties)
        return facts

    def json(self) -> object:
        """The body as a JSON value; BadMessage('not_json') when it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise BadMessage("not_json", str(error)) from error

    def document(self) -> dict[str, object]:
        """The body as a JSON object; BadMessage('not_json' or 'wrong_shape') when it is none."""
        value = self.json()
        if not isinstance(value, dict):
            raise BadMessage("wrong_shape", "the body is not a JSON object")
        return value

    def wire_size(self) -> int:
        """Bytes of payload and of all property keys and values, system properties included."""
        return len(self.body) + sum(
            len(key.encode()) + len(value.encode()) for key, value in (*self._system(), *self.facts().items())
        )

    def packet_size(self, output: str) -> int:
        """Bytes of the MQTT PUBLISH packet at most: properties are percent-encoded into the topic.

        180 bytes stand for the fixed header, packet id, `devices/D/modules/M/messages/events/` with long names.
        """
        bag = sum(
            len(quote(key, safe="")) + len(quote(value, safe="")) + 2
            for key, value in (("$.on", output), *self._system(), *self.facts().items())
        )
        return 180 + bag + len(self.body)

    def _system(self) -> list[tuple[str, str]]:
        named = (("$.mid", self.message_id), ("$.ct", self.content_type), ("$.ce", self.content_encoding))
        return [(key, value) for key, value in named if value is not None]


def json_message(
    document: Mapping[str, object],
    *,
    kind: str,
    source: str,
    seq: int,
    time: datetime,
    message_id: str | None = None,
    severity: str | None = None,
    model: str | None = None,
    trace_id: str | None = None,
    properties: Mapping[str, str] | None = None,
) -> Message:
    """A message whose body is `document`, labelled so that IoT Hub and edgeHub can route on the body.

    Without `message_id` it is a source's own message and gets a new id. Dates become RFC 3339, NaN becomes null;
    raises TypeError for what JSON cannot say.
    """
    return Message(
        body=orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z),
        kind=kind,
        source=source,
        seq=seq,
        time=time,
        message_id=message_id or new_id(),
        content_type=JSON,
        content_encoding=UTF8,
        severity=severity,
        model=model,
        trace_id=trace_id,
        properties=properties or {},
    )


def from_wire(
    body: bytes,
    properties: Mapping[str, str],
    *,
    message_id: str | None,
    content_type: str | None,
    content_encoding: str | None,
) -> Message:
    """The message that arrived with these user properties (`$.cdid`, `$.cmid` among them, as the SDK leaves them).

    Raises BadMessage: missing_property, unknown_kind, wrong_shape (a `seq` or `time` that cannot be read).
    """
    facts = dict(properties)
    device, module = (facts.pop(key, None) for key in _ORIGIN)
    if not message_id:
        raise BadMessage("missing_property", "message_id")
    try:
        kind, source, seq, time = facts["kind"], facts["source"], int(facts["seq"]), parse_time(facts["time"])
    except KeyError as error:
        raise BadMessage("missing_property", str(error.args[0])) from error
    except ValueError as error:
        raise BadMessage("wrong_shape", f"seq or time: {error}") from error
    if kind not in KINDS:
        raise BadMessage("unknown_kind", kind[:40])
    return Message(
        body=body,
        kind=kind,
        source=source,
        seq=seq,
        time=time,
        message_id=message_id,
        schema=facts.get("schema", "1"),
        content_type=content_type,
        content_encoding=content_encoding,
        severity=facts.get("severity"),
        model=facts.get("model"),
        trace_id=facts.get("trace_id"),
        properties={key: value for key, value in facts.items() if key not in _RESERVED and not key.startswith("$.")},
        origin=device if module is None else f"{device}/{module}",
    )


def rfc3339(time: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: 2026-01-02T03:04:05.678Z. Raises ValueError for a time without zone."""
    if time.tzinfo is not UTC:
        if time.tzinfo is None:
            raise ValueError("a time without zone")
        time = time.astimezone(UTC)
    return time.isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """The aware UTC time of an RFC 3339 text. Raises ValueError when it is none or has no zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without zone")
    return time.astimezone(UTC)
