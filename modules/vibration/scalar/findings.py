"""Puts findings about readings into words."""

from collections.abc import Iterator

import numpy as np

from modules.vibration.columns import IntArray
from modules.vibration.finding import NOTHING_TO_DO, SCHEDULE, SHUT_DOWN, Finding, Severity
from modules.vibration.scalar.baseline import Baseline
from modules.vibration.scalar.clock import Clock
from modules.vibration.scalar.levels import CRITICAL, NORMAL, Levels, Moves
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.sensors import Sensors
from modules.vibration.scalar.windows import WindowBatch


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
            advice=NOTHING_TO_DO if cleared else SCHEDULE,
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
        severity: Severity = "critical" if after == CRITICAL else "warning" if after else "info"
        stands = "is back to" if after == NORMAL else "is at"
        yield Finding(
            sensor=name,
            rule="level",
            severity=severity,
            state="cleared" if after == NORMAL else "raised" if before == NORMAL else "updated",
            time=float(readings.times[position]),
            text=f"{name} {stands} {value / limit:.2f} of its limit",
            advice={"critical": SHUT_DOWN, "warning": SCHEDULE, "info": NOTHING_TO_DO}[severity],
            value=value,
            limit=limit,
            unit=sensors.unit(row),
            evidence={"group": sensors.rules[sensors.rule[row]].group, "risk": value / limit},
        )


def stillness(windows: WindowBatch, sensors: Sensors, *, cleared: bool) -> Iterator[Finding]:
    """Yield a finding for the sensor of each window: it shows one value only, or moves again."""
    for row, end, low, count in zip(
        windows.sensor.tolist(), windows.end.tolist(), windows.low.tolist(), windows.count.tolist(), strict=True
    ):
        name = sensors.names[row]
        yield Finding(
            sensor=name,
            rule="stuck",
            severity="info" if cleared else "warning",
            state="cleared" if cleared else "raised",
            time=end,
            text=f"{name} moves again" if cleared else f"{name} is stuck: {count} readings of {low:.5g}",
            advice=NOTHING_TO_DO if cleared else SCHEDULE,
            value=low,
            unit=sensors.unit(row),
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
