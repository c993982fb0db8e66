"""Puts findings about readings into words."""

from collections.abc import Iterator

import numpy as np

from modules.common.messages import Severity
from modules.vibration.columns import FloatArray, IntArray
from modules.vibration.finding import NOTHING_TO_DO, SCHEDULE, Finding
from modules.vibration.scalar.baseline import Baseline
from modules.vibration.scalar.clock import Clock
from modules.vibration.scalar.levels import CRITICAL, NORMAL, Levels, Moves
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.sensors import Sensors
from modules.vibration.scalar.upkeep import Ill, Upkeep
from modules.vibration.scalar.window import WindowBatch


def deviations(
    readings: Readings, positions: IntArray, sensors: Sensors, baseline: Baseline, *, cleared: bool
) -> Iterator[Finding]:
    """Yield a finding for each of `positions`: its sensor left its normal range, or is back in it."""
    for position in positions.tolist():
        row = int(readings.rows[position])
        rule = sensors.rules[sensors.rule[row]]
        name, value = sensors.names[row], float(readings.values[position])
        mean, sigma = float(baseline.mean[row]), float(baseline.sigma(np.array([row]))[0])
        if cleared:
            text = f"{name} is back to what is normal for it"
        else:
            text = f"{name} left its normal range: {value:.5g}, usually {mean:.5g} +- {sigma:.3g}"
        yield Finding(
            sensor=name,
            rule="deviation",
            severity="info" if cleared else "warning",
            state="cleared" if cleared else "raised",
            time=float(readings.times[position]),
            text=text,
            advice=rule.advise("info" if cleared else "warning"),
            value=value,
            unit=sensors.unit(row),
            evidence={
                "group": rule.group,
                "mean": mean,
                "sigma": sigma,
                "z": (value - mean) / sigma,
                "flags": rule.flags,
                "of": rule.flags_of,
            },
        )


def level_moves(readings: Readings, moves: Moves, sensors: Sensors, levels: Levels) -> Iterator[Finding]:
    """Yield a finding for each sensor whose risk level moved."""
    for position, before, after in zip(
        moves.positions.tolist(), moves.before.tolist(), moves.after.tolist(), strict=True
    ):
        row = int(readings.rows[position])
        name, value, limit = sensors.names[row], float(readings.values[position]), float(levels.limit[row])
        rule = sensors.rules[sensors.rule[row]]
        severity: Severity = "critical" if after == CRITICAL else "warning" if after else "info"
        stands = "is back to" if after == NORMAL else "is at"
        yield Finding(
            sensor=name,
            rule="level",
            severity=severity,
            state="cleared" if after == NORMAL else "raised" if before == NORMAL else "updated",
            time=float(readings.times[position]),
            text=f"{name} {stands} {value / limit:.2f} of its limit",
            advice=rule.advise(severity),
            value=value,
            limit=limit,
            unit=sensors.unit(row),
            evidence={"group": rule.group, "risk": value / limit},
        )


_ILL = {
    "stuck": ("is stuck: {count} readings of {low:.5g}", "moves again"),
    "clipping": ("is cut off at {edge:.5g}: {times} of {count} readings", "is no longer cut off"),
    "bias": (
        "is quiet at {mean:.5g}, far from its usual {usual:.5g}: its bias, supply or cable is lost",
        "is alive again",
    ),
}


def illnesses(ill: Ill, windows: WindowBatch, sensors: Sensors, upkeep: Upkeep, times: FloatArray) -> Iterator[Finding]:
    """Yield a finding for each sensor that fell ill by `windows` or is well again.

    `times`: float64[windows], Unix seconds of the reading with which each window was known to be over.
    """
    moments = windows.moments
    for positions, cleared in ((ill.raised, False), (ill.cleared, True)):
        for place in positions.tolist():
            row = int(windows.sensor[place])
            name, mean, count = sensors.names[row], float(moments.mean[place]), int(moments.count[place])
            high = moments.at_high[place] >= moments.at_low[place]
            text = _ILL[ill.rule][cleared].format(
                count=count,
                low=moments.low[place],
                mean=mean,
                usual=upkeep.usual[row],
                edge=(moments.high if high else moments.low)[place],
                times=int((moments.at_high if high else moments.at_low)[place]),
            )
            yield Finding(
                sensor=name,
                rule=ill.rule,
                severity="info" if cleared else "warning",
                state="cleared" if cleared else "raised",
                time=float(times[place]),
                text=f"{name} {text}",
                advice=NOTHING_TO_DO if cleared else SCHEDULE,
                value=mean,
                unit=sensors.unit(row),
                evidence={"group": sensors.rules[sensors.rule[row]].group, "readings": count},
            )


_OUTSIDE = {
    "rate": ("changes faster than {limit} a second, now at {value:.5g}", "changes slowly again"),
    "range": ("is at the end of its measuring range: {value:.5g}", "is within its measuring range again"),
    "live": ("is outside what a live sensor gives: {value:.5g}; its bias or cable is lost", "is alive again"),
}


def excursions(
    rule: str, readings: Readings, positions: IntArray, sensors: Sensors, *, cleared: bool
) -> Iterator[Finding]:
    """Yield a finding of `rule` (rate, range, live) for each of `positions`."""
    for position in positions.tolist():
        row = int(readings.rows[position])
        held = sensors.rules[sensors.rule[row]]
        name, value = sensors.names[row], float(readings.values[position])
        yield Finding(
            sensor=name,
            rule=rule,
            severity="info" if cleared else "warning",
            state="cleared" if cleared else "raised",
            time=float(readings.times[position]),
            text=f"{name} {_OUTSIDE[rule][cleared].format(value=value, limit=held.rate)}",
            advice=held.advise("info" if cleared else "warning") if rule == "rate" or cleared else SCHEDULE,
            value=value,
            unit=sensors.unit(row),
            limit=held.rate if rule == "rate" else None,
            evidence={"group": held.group},
        )


def silences(rows: IntArray, now: float, sensors: Sensors, clock: Clock, *, cleared: bool) -> Iterator[Finding]:
    """Yield a finding for each of `rows`: its sensor says nothing, or is heard again. `now` in Unix seconds."""
    for row in rows.tolist():
        name, last = sensors.names[row], float(clock.time[row])
        yield Finding(
            sensor=name,
            rule="missing",
            severity="info" if cleared else "warning",
            state="cleared" if cleared else "raised",
            time=now,
            text=f"{name} is heard again" if cleared else f"{name} has said nothing for {now - last:.0f} s",
            advice=NOTHING_TO_DO if cleared else SCHEDULE,
        )
