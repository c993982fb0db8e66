"""Findings, windows and samples as messages (docs/formats/messages.md, vibration)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from modules.common.messages import Alert, Message, Waveform, derived_id, json_message, new_id, rfc3339
from modules.vibration.columns import IntArray
from modules.vibration.finding import Finding
from modules.vibration.reporting import Anomalies
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.window import WindowBatch
from modules.vibration.waveform.channel import SIXTHS
from modules.vibration.waveform.core import Cut, Summary
from modules.vibration.waveform.orders import PARTS
from modules.vibration.waveform.trend import figure

MODULE = "vibration"
_ROUTINE = {"reason": "routine"}  # why a sample was kept
_WINDOWS_AT_ONCE = 1000  # about 120 bytes each: half of what a packet holds
_ANOMALIES_AT_ONCE = 1000
_RAW_AT_ONCE = 120  # 64 values of up to 20 bytes each, and a long name
_WHOLE = ("first_seq", "last_seq", "count", "gaps", "flags")
_FIGURES = ("mean", "deviation", "rms", "peak", "crest", "kurtosis", "skewness", "low", "high")

Outgoing = tuple[str, Message]


def utc(seconds: float) -> datetime:
    """Return Unix seconds as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass
class Answer:
    """The messages that one input message leads to; their ids derive from its id, output and place.

    Without a parent (windows that end because a sensor is silent) each gets an id of its own. `number` gives the next
    sequence number of a named series.
    """

    parent: Message | None
    number: Callable[[str], int]
    time: datetime

    def __post_init__(self) -> None:
        self.messages: list[Outgoing] = []
        self._places: dict[str, int] = {}

    def alert(self, finding: Finding) -> None:
        """Add an alert."""
        alert = Alert(
            source=finding.sensor,
            rule=finding.rule,
            severity=finding.severity,
            state=finding.state,
            text=finding.text,
            advice=finding.advice,
            sampled=utc(finding.time),
            value=_finite(finding.value),
            limit=finding.limit,
            unit=finding.unit,
            label=finding.label,
            evidence={key: figure(v) if isinstance(v, float) else v for key, v in finding.evidence.items()},
        )
        message = json_message(
            alert.document(),
            kind="alert",
            source=finding.sensor,
            seq=self.number(f"alerts of {finding.sensor}"),
            time=alert.sampled,
            message_id=self._id("alerts"),
            severity=finding.severity,
            trace_id=self._trace(),
        )
        self.messages.append(("alerts", message))

    def windows(self, windows: WindowBatch, core: ScalarCore) -> None:
        """Add finished windows of readings, many sensors in one message, column by column."""
        for begin in range(0, len(windows), _WINDOWS_AT_ONCE):
            part = windows.rows(np.arange(begin, min(begin + _WINDOWS_AT_ONCE, len(windows))))
            rows = part.sensor.tolist()
            columns: dict[str, object] = {
                "sensor": [core.sensors.names[row] for row in rows],
                "unit": _same([core.sensors.unit(row) for row in rows]),
                "start": _same([round(value, 3) for value in part.start.tolist()]),
                "end": _same([round(value, 3) for value in part.end.tolist()]),
                "partial": _same(part.partial.tolist()),
            }
            columns |= {name: _same(getattr(part, name).tolist()) for name in _WHOLE}
            columns |= {name: [figure(value) for value in getattr(part, name).tolist()] for name in _FIGURES}
            span = _span(float(part.start.min()), float(part.end.max()))
            count = {"count": int(part.count.sum())}
            self._document("windows", "window", {"of": "readings"} | span | count | {"columns": columns})

    def summaries(self, summaries: Sequence[Summary]) -> None:
        """Add summaries of waveform windows."""
        if not summaries:
            return
        trends = [summary.trend for summary in summaries]
        span = _span(min(trend.start for trend in trends), max(trend.end for trend in trends))
        facts = {"count": sum(trend.count for trend in trends), "unit": "m/s2", "bands": SIXTHS, "parts": list(PARTS)}
        sensors = [{"sensor": each.sensor, "group": each.group, **each.trend.document()} for each in summaries]
        self._document("windows", "window", {"of": "waveforms"} | span | facts | {"sensors": sensors})

    def anomalies(self, anomalies: Anomalies, now: float, core: ScalarCore) -> None:
        """Add the record of flags since the last one, and start the next."""
        names = core.sensors.names
        begun, rows = anomalies.take(now, core.persistence.standing)
        if anomalies.flags:
            # Most extreme first, should there be more than a message holds.
            kept = rows[np.argsort(-np.abs(anomalies.z[rows]), kind="stable")][:_ANOMALIES_AT_ONCE]
            columns = {
                "sensor": [names[row] for row in kept.tolist()],
                "flags": anomalies.count[kept].tolist(),
                "z": [figure(value) for value in anomalies.z[kept].tolist()],
                "value": [figure(value) for value in anomalies.value[kept].tolist()],
                "time": [round(value, 3) for value in anomalies.time[kept].tolist()],
            }
            facts = {"count": anomalies.readings, "flags": anomalies.flags, "named": int(rows.size)}
            self._document("windows", "anomaly", _span(begun, now) | facts | {"columns": columns})
        anomalies.forget()

    def raw_readings(self, rows: IntArray, core: ScalarCore) -> None:
        """Add the last readings of some sensors as they came."""
        for begin in range(0, rows.size, _RAW_AT_ONCE):
            kept = [
                {
                    "sensor": core.sensors.names[row],
                    "unit": core.sensors.unit(row),
                    "end": round(float(core.clock.time[row]), 3),
                    "values": core.windows.recent(row).tolist(),
                }
                for row in rows[begin : begin + _RAW_AT_ONCE].tolist()
            ]
            self._document("samples", "sample", {"of": "readings", "sensors": kept}, _ROUTINE)

    def waveform(self, cut: Cut) -> None:
        """Add a window that is worth classifying."""
        message = self._waveform("waveforms", cut)
        why = {"reason": "unusual" if cut.unusual else "routine"}
        self.messages.append(("waveforms", replace(message, properties={**message.properties, **why})))

    def raw_waveform(self, cut: Cut) -> None:
        """Add a window that is kept as it is, for retraining and audit."""
        message = self._waveform("samples", cut)
        self.messages.append(
            ("samples", replace(message, kind="sample", properties={**message.properties, **_ROUTINE}))
        )

    def _waveform(self, output: str, cut: Cut) -> Message:
        message = Waveform(
            samples=np.ascontiguousarray(cut.samples, dtype="<f4").tobytes(),
            rate_hz=cut.rate_hz,
            unit="m/s2",
            time=utc(cut.start),
            source=cut.sensor,
            seq=self.number(f"{output} of {cut.sensor}"),
            rpm=cut.rpm,
        ).message(self._id(output))
        return replace(message, trace_id=self._trace())

    def _document(
        self, output: str, kind: str, document: dict[str, Any], properties: Mapping[str, str] | None = None
    ) -> None:
        message = json_message(
            {"source": MODULE} | document,
            kind=kind,
            source=MODULE,
            seq=self.number(output),
            time=self.time,
            message_id=self._id(output),
            trace_id=self._trace(),
            properties=properties,
        )
        self.messages.append((output, message))

    def _id(self, output: str) -> str:
        if self.parent is None:
            return new_id()
        place = self._places.get(output, 0)
        self._places[output] = place + 1
        return derived_id(self.parent.message_id, MODULE, output, place)

    def _trace(self) -> str | None:
        return None if self.parent is None else self.parent.trace_id or self.parent.message_id


def _span(start: float, end: float) -> dict[str, object]:
    return {"from": rfc3339(utc(start)), "to": rfc3339(utc(end))}


def _same(values: list[Any]) -> object:
    """Return the one value if all are equal, else the list: a column that says nothing costs nothing."""
    return values[0] if values and values.count(values[0]) == len(values) else values


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else value


def upward(output: str) -> bool:
    """Tell whether an output's messages leave the gateway; waveforms stay on it."""
    return output in {"alerts", "windows", "samples"}
