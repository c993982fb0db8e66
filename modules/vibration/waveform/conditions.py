"""What a window is held against: each condition of a sensor is raised, updated and cleared on its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from modules.common.messages import Severity
from modules.vibration.finding import NOTHING_TO_DO, SCHEDULE, SHUT_DOWN, Finding
from modules.vibration.waveform.alarm import Alarm
from modules.vibration.waveform.features import Float64
from modules.vibration.waveform.orders import PARTS
from modules.vibration.waveform.rules import WaveformRule
from modules.vibration.waveform.soundness import Fault
from modules.vibration.waveform.zones import Zone

_ADVICE = {"critical": SHUT_DOWN, "warning": SCHEDULE, "info": NOTHING_TO_DO}
_BY_ZONE: Mapping[Zone, Severity] = {"A": "info", "B": "info", "C": "warning", "D": "critical"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a window is judged by. `rms` in m/s2, `velocity` in m/s (NaN where not told), `levels` of PARTS."""

    end: float
    rms: float
    kurtosis: float
    velocity: float
    zone: Zone | None
    levels: Float64
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class _Held:
    """How a window stands to one condition."""

    rule: str
    severity: Severity
    text: str
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    label: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)


def step(sensor: str, rule: WaveformRule, alarms: dict[str, Alarm], figures: Figures) -> list[Finding]:
    """Hold a window against each condition of `rule`, remember it in `alarms`, return what changed."""
    found = []
    for held in _held(rule, figures):
        change = alarms.setdefault(held.rule, Alarm()).step(held.severity, figures.end, rule.patience())
        if change is None:
            continue
        state, standing = change
        cleared = state == "cleared"
        finding = Finding(
            sensor=sensor,
            rule=held.rule,
            severity=standing,
            state=state,
            time=figures.end,
            text=f"{sensor}: the finding has ended" if cleared else f"{sensor}: {held.text}",
            advice=_ADVICE[standing],
            value=held.value,
            limit=held.limit,
            unit=held.unit,
            label=None if cleared else held.label,
            evidence={"group": rule.group, "needed": rule.needed, "of": rule.of, **held.evidence},
        )
        found.append(finding)
    return found


def _held(rule: WaveformRule, figures: Figures) -> Iterator[_Held]:
    if rule.clipping is not None:
        severity: Severity = "warning" if figures.fault else "info"
        text = f"the accelerometer cannot be believed: {figures.fault}"
        yield _Held("sensor", severity, text, label=figures.fault)
    if rule.rms_limit is not None:
        risk = figures.rms / rule.rms_limit
        severity = "critical" if risk > rule.critical else "warning" if risk > rule.warning else "info"
        text = f"vibration is at {risk:.2f} of its limit"
        yield _Held("level", severity, text, figures.rms, rule.rms_limit, "m/s2", evidence={"risk": risk})
    if rule.zones is not None and figures.zone is not None:
        _, fit, harmful = rule.zones.limits
        severity = _BY_ZONE[figures.zone]
        text = f"velocity {figures.velocity * 1000:.2f} mm/s lies in zone {figures.zone} of {rule.zones.machine}"
        limit = harmful if figures.zone == "D" else fit
        evidence: dict[str, object] = {"zone": figures.zone, "machine": rule.zones.machine}
        yield _Held("velocity", severity, text, figures.velocity, limit, "m/s", evidence=evidence)
    if rule.kurtosis is not None:
        severity = "warning" if figures.kurtosis > rule.kurtosis else "info"
        text = f"impacts in the vibration: kurtosis {figures.kurtosis:.1f}"
        yield _Held("impacts", severity, text, figures.kurtosis, rule.kurtosis)
    if rule.order is not None:
        part, level = PARTS[int(figures.levels.argmax())], float(figures.levels.max())
        sharp = rule.order_critical or np.inf
        severity = "critical" if level > sharp else "warning" if level > rule.order else "info"
        text = f"{part} defect: its line stands {level:.0f} times above the rest of the envelope spectrum"
        lines = {str(name): round(float(value), 2) for name, value in zip(PARTS, figures.levels, strict=True)}
        yield _Held("bearing", severity, text, level, rule.order, label=part, evidence=lines)
