"""What an output is told: that an alarm began or ended, or that somebody presses the test button. Pure."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, Self

import orjson

from modules.alarms.board import Change
from modules.common.messages import Severity, derived_id, rfc3339

Event = Literal["begun", "ended", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event, as a far end gets it (docs/formats/alarms.md). `id` is the same however often it is sent."""

    id: str
    event: Event
    gateway: str
    rule: str
    module: str
    source: str
    kind: str
    severity: Severity
    text: str
    advice: str
    alert: str
    """Id of the newest alert of the condition."""
    since: str
    """When the condition was raised here, RFC 3339."""
    at: str
    """When the alarm began or ended."""
    why: str = ""
    """What ended it: acknowledged, resolved, cleared, quiet hours, longest, settings, no room; of a test who asked."""
    by: str = ""
    """Who acknowledged or resolved it."""

    @classmethod
    def of(cls, change: Change, output: str, gateway: str) -> Self:
        """The notice of a change to an output."""
        condition = change.condition
        event: Event = "begun" if change.sounds else "ended"
        at = _time(change.at)
        return cls(
            id=derived_id(condition.alert, "alarms", f"{output} {change.rule} {event} {at}", 0),
            event=event,
            gateway=gateway,
            rule=change.rule,
            module=condition.key.module,
            source=condition.key.source,
            kind=condition.key.kind,
            severity=condition.severity,
            text=condition.text,
            advice=condition.advice,
            alert=condition.alert,
            since=_time(condition.since),
            at=at,
            why=change.why,
            by=condition.by,
        )

    @classmethod
    def test(cls, notice_id: str, who: str, gateway: str, at: float) -> Self:
        """The notice of the test button."""
        return cls(
            id=notice_id,
            event="test",
            gateway=gateway,
            rule="",
            module="alarms",
            source="test",
            kind="test",
            severity="info",
            text=f"a test of this output, asked for by {who}",
            advice="",
            alert="",
            since=_time(at),
            at=_time(at),
            why=who,
        )

    def document(self) -> dict[str, object]:
        """The JSON object that goes out."""
        return asdict(self)

    def encode(self) -> bytes:
        """The same as bytes."""
        return orjson.dumps(self.document())

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """What `encode` made."""
        return cls(**orjson.loads(body))


def _time(at: float) -> str:
    return rfc3339(datetime.fromtimestamp(at, UTC))
