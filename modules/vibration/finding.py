"""What the module found out: something is wrong, has changed, or has ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modules.common.messages import AlertState, Severity

SCHEDULE = "schedule inspection"
SHUT_DOWN = "immediate shutdown required"
NOTHING_TO_DO = "no action needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding about one sensor, on its way to becoming an alert: in the cores' own terms, times as numbers.

    `time`: Unix seconds of the sample that decided; `value` and `limit` in `unit`.
    """

    sensor: str
    rule: str
    severity: Severity
    state: AlertState
    time: float
    text: str
    advice: str
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    label: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
