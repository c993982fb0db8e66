"""What stands: conditions as the alerts report them, and what became an alarm of each. Pure.

Kept on disk as JSON objects (docs/formats/alarms.md), so that a restart goes on where a kill left off.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import orjson

from modules.common.messages import Severity


class Key(NamedTuple):
    """Which condition: who reports it, about what, by which rule of theirs."""

    module: str
    source: str
    kind: str


@dataclass(slots=True)
class Alarm:
    """What one rule makes of a condition. Times are Unix seconds."""

    live: bool = False
    """Whether it asks for somebody: it fits the rule now, or did and is latched."""
    sounds: bool = False
    begun: float | None = None
    """When it began to sound last, in this episode or an earlier one."""
    heard: bool = False
    """Whether it has sounded in this episode."""
    worn: bool = False
    """Whether it has sounded as long as it may."""
    why: str = ""
    """Why it does not sound."""


@dataclass(slots=True)
class Condition:
    """One condition; `alert` is the id of its newest alert, `since` when it was raised here (Unix seconds)."""

    key: Key
    alert: str
    severity: Severity
    text: str
    advice: str
    since: float
    item: bool
    stands: bool = True
    acknowledged: Severity | None = None
    """The severity that somebody takes care of."""
    by: str = ""
    """Who acknowledged or resolved it."""
    alarms: dict[str, Alarm] = field(default_factory=dict)
    """By the rule's name."""

    def encode(self) -> bytes:
        """Its JSON object."""
        return orjson.dumps(asdict(self) | {"key": list(self.key)})

    @classmethod
    def decode(cls, body: bytes) -> "Condition":
        """The condition in a JSON object that `encode` made."""
        document: dict[str, Any] = orjson.loads(body)
        alarms = {name: Alarm(**each) for name, each in document.pop("alarms").items()}
        return cls(**document | {"key": Key(*document["key"]), "alarms": alarms})
