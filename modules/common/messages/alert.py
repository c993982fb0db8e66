"""One finding, as vibration and inference report it and status, alarms and the cloud read it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from modules.common.messages.ids import derived_id
from modules.common.messages.message import BadMessage, Message, json_message, parse_time, rfc3339

Severity = Literal["info", "warning", "critical"]
AlertState = Literal["raised", "updated", "cleared"]

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
STATES: Final[tuple[AlertState, ...]] = get_args(AlertState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A finding about `source` by `rule`; those two together are the condition that is raised, updated and cleared.

    `sampled` is the time of the sample that decided, from which latency is counted. `limit` and `value` are in
    `unit`; `probability` is in 0..1; `evidence` is a small JSON object.
    """

    source: str
    rule: str
    severity: Severity
    state: AlertState
    text: str
    sampled: datetime
    advice: str | None = None
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    label: str | None = None
    probability: float | None = None
    item: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """The JSON object that is the message's body; absent fields are left out."""
        document: dict[str, object] = {
            "source": self.source,
            "rule": self.rule,
            "severity": self.severity,
            "state": self.state,
            "text": self.text,
            "sampled": rfc3339(self.sampled),
        }
        for name in ("advice", "value", "limit", "unit", "label", "probability", "item"):
            if (value := getattr(self, name)) is not None:
                document[name] = value
        if self.evidence:
            document["evidence"] = dict(self.evidence)
        return document

    def message(
        self, parent: Message, *, module: str, output: str, index: int, seq: int, model: str | None = None
    ) -> Message:
        """The message of this alert, derived from `parent` (the same ids come out when it is handled again)."""
        return json_message(
            self.document(),
            kind="alert",
            source=self.source,
            seq=seq,
            time=self.sampled,
            message_id=derived_id(parent.message_id, module, output, index),
            severity=self.severity,
            model=model,
            trace_id=parent.trace_id or parent.message_id,
        )

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "Alert":
        """The alert in `document`; raises BadMessage('wrong_shape') and names the field. Unknown fields are ignored."""
        try:
            alert = cls(
                source=_text(document, "source"),
                rule=_text(document, "rule"),
                severity=document["severity"],
                state=document["state"],
                text=_text(document, "text"),
                sampled=parse_time(_text(document, "sampled")),
                advice=_optional_text(document, "advice"),
                value=_optional_number(document, "value"),
                limit=_optional_number(document, "limit"),
                unit=_optional_text(document, "unit"),
                label=_optional_text(document, "label"),
                probability=_optional_number(document, "probability"),
                item=_optional_text(document, "item"),
                evidence=document.get("evidence") or {},
            )
        except KeyError as error:
            raise BadMessage("wrong_shape", f"an alert needs {error.args[0]}") from error
        except ValueError as error:
            raise BadMessage("wrong_shape", f"alert: {error}") from error
        if alert.severity not in SEVERITIES or alert.state not in STATES or not isinstance(alert.evidence, dict):
            raise BadMessage("wrong_shape", "alert: severity, state or evidence")
        return alert


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is not a text")
    return value


def _optional_text(document: Mapping[str, Any], name: str) -> str | None:
    return None if document.get(name) is None else _text(document, name)


def _optional_number(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} is not a number")
    return float(value)
