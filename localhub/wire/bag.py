"""Property bags: `key=value&...` at the end of a topic, percent-encoded with no safe characters.

Source: edgehub-contract 3.1 to 3.3 (SDK mqtt_topic_iothub.py; edgeHub SystemProperties.cs). System properties travel
under short names and are called by their long names inside the hub and in route conditions.
"""

import re
import string
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from msgspec import Struct

LONG_NAMES: Final[Mapping[str, str]] = {
    "$.mid": "messageId",
    "$.cid": "correlationId",
    "$.uid": "userId",
    "$.to": "to",
    "$.ct": "contentType",
    "$.ce": "contentEncoding",
    "$.on": "outputName",
    "$.exp": "absolute-expiry-time",
    "ack": "ack",
    "$.schema": "messageSchema",
    "iothub-operation": "iothub-operation",
    "$.ctime": "creationTime",
    "$.ifid": "iothub-interface-id",
    "$.sub": "dt-subject",
    "$.cdid": "connectionDeviceId",
    "$.cmid": "connectionModuleId",
}
FORWARDED: Final[Mapping[str, str]] = {
    LONG_NAMES[short]: quote(short, safe="")
    for short in (
        "$.exp",
        "$.cid",
        "$.mid",
        "$.to",
        "$.uid",
        "ack",
        "$.ct",
        "$.ce",
        "$.schema",
        "iothub-operation",
        "$.ctime",
        "$.sub",
        "$.cdid",
        "$.cmid",
    )
}
_PLAIN: Final = (string.ascii_letters + string.digits + "-_.~%=&").encode()
_safe = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
_unquoted = lru_cache(4096)(unquote)
_FROM_TOPIC = ("$.cdid", "$.cmid")  # the origin is the topic's, whatever a bag says


@lru_cache(4096)
def _name(raw: str) -> tuple[str, str | None]:
    """A key as it was written, and its long name if it is a system property."""
    key = unquote(raw)
    short = key.casefold()
    return key, None if short in _FROM_TOPIC else LONG_NAMES.get(short)


@lru_cache(4096)
def _escaped(text: str) -> str:
    return quote(text, safe="")


def _quoted(text: str) -> str:
    return text if _safe(text) else _escaped(text)


def separate(pairs: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """User properties, and system properties by their long names, of pairs that bear the names of a bag."""
    properties: dict[str, str] = {}
    system: dict[str, str] = {}
    for key, value in pairs.items():
        name = LONG_NAMES.get(key.casefold())
        if name is None:
            properties[key] = value
        else:
            system[name] = value
    return properties, system


class Decoded(Struct, gc=False):
    """A bag taken apart.

    `characters` counts the keys (long names) and values of both kinds. `forwarded` is the bag of a delivery but for the
    origin, in the sender's own encoding; None when that is not the plain one and it has to be encoded anew.
    """

    properties: dict[str, str]
    system: dict[str, str]
    characters: int
    forwarded: str | None


def decode(bag: str) -> Decoded:
    """Take a bag apart; a key without `=` has the empty value, of two alike the last wins."""
    properties: dict[str, str] = {}
    system: dict[str, str] = {}
    if not bag:
        return Decoded(properties, system, 0, "")
    forwarded: list[str] = []
    special: list[str] = []
    whole = True  # every pair is written in full
    pairs = bag.split("&")
    for pair in pairs:
        raw, equals, value = pair.partition("=")
        if not equals:
            whole = False
        if not raw:
            continue
        if "%" in value:
            value = _unquoted(value)
        key, name = _name(raw)
        if name is None:
            properties[key] = value
            forwarded.append(pair)
        else:
            system[name] = value
            if name in FORWARDED:
                special.append(pair)
    characters = len("".join(properties)) + len("".join(properties.values()))
    characters += len("".join(system)) + len("".join(system.values()))
    if (
        whole
        and bag.count("=") == len(pairs) == len(properties) + len(system)
        and not bag.encode().translate(None, _PLAIN)
    ):
        return Decoded(properties, system, characters, "&".join(forwarded + special))
    return Decoded(properties, system, characters, None)


def encode(properties: Mapping[str, str], system: Mapping[str, str]) -> str:
    """The bag of a delivery: user properties first, then those system properties that edgeHub forwards."""
    parts = [f"{_quoted(key)}={_quoted(value)}" for key, value in properties.items()]
    if "rpSenderDeviceId" in system:  # a twin change event: it goes out under the name of who reported
        own = {"connectionDeviceId": system["rpSenderDeviceId"], "connectionModuleId": system.get("rpSenderModuleId")}
        system = {name: value for name, value in {**system, **own}.items() if value is not None}
    for name, value in system.items():
        short = FORWARDED.get(name)
        if short is not None:
            parts.append(f"{short}={_quoted(value)}")
    return "&".join(parts)


def encode_event(properties: Mapping[str, str], system: Mapping[str, str]) -> str:
    """The bag of an event as a client writes it: system properties first, the output's name among them."""
    shorts = {name: short for short, name in LONG_NAMES.items()}
    parts = [f"{_quoted(shorts[name])}={_quoted(value)}" for name, value in system.items()]
    parts += [f"{_quoted(key)}={_quoted(value)}" for key, value in properties.items()]
    return "&".join(parts)
