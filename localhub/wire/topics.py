"""Topics that the hub reads and writes, apart from `$iothub/...` (edgehub-contract 3.1 to 3.3)."""

from collections.abc import Mapping
from typing import NamedTuple

from localhub.wire import bag


class EventTopic(NamedTuple):
    """Who says it, by the topic, and the raw property bag."""

    device: str
    module: str | None
    bag: str


def parse_event(topic: str) -> EventTopic | None:
    """Read `devices/{d}[/modules/{m}]/messages/events[/{bag}][/]`; None when it is no such topic.

    A raw `/` within the bag matches no template: edgeHub acknowledges such a message and drops it.
    """
    match topic.split("/"):
        case ["devices", device, "messages", "events", *rest]:
            module = None
        case ["devices", device, "modules", module, "messages", "events", *rest] if module:
            pass
        case _:
            return None
    if rest and not rest[-1]:
        rest.pop()
    if not device or len(rest) > 1:
        return None
    return EventTopic(device, module, rest[0] if rest else "")


def client_base(device: str, module: str | None) -> str:
    """What every topic of a client's own begins with."""
    return f"devices/{device}" if module is None else f"devices/{device}/modules/{module}"


def events_prefix(device: str, module: str | None) -> str:
    """What the topics of a client's events begin with; the bag follows."""
    return f"{client_base(device, module)}/messages/events/"


def inputs_prefix(device: str, module: str) -> str:
    """What the topics of a module's inputs begin with."""
    return f"devices/{device}/modules/{module}/inputs/"


def event(device: str, module: str | None, properties: Mapping[str, str], system: Mapping[str, str]) -> str:
    """The topic on which a client sends an event, for raw clients in tests and benchmarks."""
    return events_prefix(device, module) + bag.encode_event(properties, system)
