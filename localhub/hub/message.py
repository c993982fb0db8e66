"""A message as the hub holds it, between the publisher's PUBACK and the last receiver's."""

import math
from typing import Final

import msgspec

UPSTREAM: Final = "iothub"  # edgeHub's endpoint id of the cloud (edgehub-contract 5.11)
MAX_MESSAGE: Final = 262_144  # RoutingEdgeHub.cs: the body and the characters of all properties
NEVER: Final = math.inf

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[dict[str, str], dict[str, str], float, str | None]).decode


class QueuedMessage(msgspec.Struct, gc=False):
    """One message. System properties go by their long names; `enqueued` is in seconds since the epoch.

    `source` is the sender, `device` or `device/module`; `bag` is what a delivery's topic ends with, made from the
    properties where it is not known.
    """

    id: int
    body: bytes
    properties: dict[str, str]
    system: dict[str, str]
    enqueued: float
    source: str
    bag: str | None = None

    @property
    def output(self) -> str:
        """The output it was sent to, or an empty text."""
        return self.system.get("outputName", "")

    def size(self) -> int:
        """What counts against MAX_MESSAGE: the body's bytes and the characters of every property's key and value."""
        parts = (self.properties, self.system)
        return len(self.body) + sum(len(key) + len(value) for part in parts for key, value in part.items())


class Entry(msgspec.Struct, gc=False):
    """A message's place in one queue; `expiry` is in seconds since the epoch, NEVER for none."""

    message: QueuedMessage
    expiry: float
    size: int


def pack(message: QueuedMessage) -> bytes:
    """Everything but the id and the body, for the store."""
    return _encode((message.properties, message.system, message.enqueued, message.bag))


def unpack(number: int, body: bytes, packed: bytes) -> QueuedMessage:
    """The reverse of pack."""
    properties, system, enqueued, bag = _decode(packed)
    source = name(system["connectionDeviceId"], system.get("connectionModuleId"))
    return QueuedMessage(number, body, properties, system, enqueued, source, bag)


def name(device: str, module: str | None) -> str:
    """A client as it is written in labels and logs."""
    return device if module is None else f"{device}/{module}"
