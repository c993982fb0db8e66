"""The fourteen packets of MQTT 3.1.1, decoded (OASIS MQTT 3.1.1, section 3)."""

from typing import Final

from msgspec import Struct

CONNECT: Final = 1
CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
PUBREC: Final = 5
PUBREL: Final = 6
PUBCOMP: Final = 7
SUBSCRIBE: Final = 8
SUBACK: Final = 9
UNSUBSCRIBE: Final = 10
UNSUBACK: Final = 11
PINGREQ: Final = 12
PINGRESP: Final = 13
DISCONNECT: Final = 14

NAMES: Final = {
    CONNECT: "CONNECT",
    CONNACK: "CONNACK",
    PUBLISH: "PUBLISH",
    PUBACK: "PUBACK",
    PUBREC: "PUBREC",
    PUBREL: "PUBREL",
    PUBCOMP: "PUBCOMP",
    SUBSCRIBE: "SUBSCRIBE",
    SUBACK: "SUBACK",
    UNSUBSCRIBE: "UNSUBSCRIBE",
    UNSUBACK: "UNSUBACK",
    PINGREQ: "PINGREQ",
    PINGRESP: "PINGRESP",
    DISCONNECT: "DISCONNECT",
}

MAX_PACKET = 262_144  # MaxInboundMessageSize of edgeHub (edgehub-contract 4)
MAX_PACKET_ID = 16_384  # the highest packet id that edgeHub gives to what it sends (2.6)


class Connect(Struct, frozen=True, gc=False):
    """A client introduces itself; level 4 is MQTT 3.1.1, 3 is MQTT 3.1. keep_alive is in seconds."""

    client_id: str
    level: int = 4
    clean_session: bool = True
    keep_alive: int = 60
    username: str | None = None
    password: bytes | None = None
    will_topic: str | None = None
    will_payload: bytes = b""
    will_qos: int = 0
    will_retain: bool = False


class Connack(Struct, frozen=True, gc=False):
    """The answer to CONNECT; code 0 is accepted."""

    code: int
    session_present: bool = False


class Publish(Struct, frozen=True, gc=False):
    """A message; packet_id is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    packet_id: int = 0
    dup: bool = False
    retain: bool = False


class Acknowledge(Struct, frozen=True, gc=False):
    """PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK, by `kind`: they carry a packet id and nothing else."""

    kind: int
    packet_id: int


class Subscribe(Struct, frozen=True):
    """Filters with the QoS asked for."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]


class Suback(Struct, frozen=True, gc=False):
    """One byte a filter: the QoS granted, or 0x80."""

    packet_id: int
    codes: bytes


class Unsubscribe(Struct, frozen=True):
    """Filters no longer wanted."""

    packet_id: int
    filters: tuple[str, ...]


class Bare(Struct, frozen=True, gc=False):
    """PINGREQ, PINGRESP or DISCONNECT, by `kind`: they carry nothing."""

    kind: int


Packet = Connect | Connack | Publish | Acknowledge | Subscribe | Suback | Unsubscribe | Bare
