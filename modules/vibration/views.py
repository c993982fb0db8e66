"""What the status page shows of sensors: a list, and one sensor in detail. JSON; nothing here changes state."""

from collections.abc import Mapping

import numpy as np
import orjson

from modules.vibration import curves
from modules.vibration.outgoing import utc
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.waveform.core import WaveformCore
from modules.vibration.waveform.orders import PARTS
from modules.vibration.waveform.trend import figure

_LISTED = 1000
_LEVELS = ("normal", "warning", "critical")

JSON = "application/json"


class Views:
    """Answers for GET /view/sensors, /view/sensor?source= and /view/spectrum?source=."""

    def __init__(self, scalar: ScalarCore, waveform: WaveformCore) -> None:
        self._scalar = scalar
        self._waveform = waveform

    def sensors(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        """List sensors whose name contains `match`, the worst first, `limit` (1000) of them from `offset` (0).

        `matching` says how many there are. ValueError for numbers that are none.
        """
        match = query.get("match", "")
        limit, offset = min(int(query.get("limit", _LISTED)), _LISTED), int(query.get("offset", 0))
        if limit < 0 or offset < 0:
            raise ValueError("limit and offset count from 0")
        waveforms = [name for name in self._waveform.names if match in name]
        rows = [row for row, name in enumerate(self._scalar.sensors.names) if match in name]
        state = np.maximum(self._scalar.levels.level, self._scalar.persistence.standing)
        worst = [(self._standing(name), 1, name) for name in waveforms] + [(int(state[row]), 0, row) for row in rows]
        worst.sort(key=lambda each: each[:2], reverse=True)
        document = {
            "readings": len(self._scalar.sensors),
            "waveforms": len(self._waveform),
            "matching": len(worst),
            "sensors": [
                self._slow(which) if isinstance(which, int) else self._wave(which)
                for _, _, which in worst[offset : offset + limit]
            ],
        }
        return JSON, _dump(document)

    def sensor(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        """Show one sensor: its recent readings, or its last waveform. LookupError if unknown."""
        name = query["source"]
        channel = self._waveform.channel(name)
        if channel is not None:
            return JSON, _dump(self._wave(name) | {"waveform": curves.waveform(channel)})
        row = self._scalar.sensors.row(name)
        if row is None:
            raise LookupError(name)
        return JSON, _dump(self._slow(row) | {"recent": self._scalar.windows.recent(row).tolist()})

    def spectrum(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        """Show the spectra of one waveform sensor, see curves.py. LookupError if there is none of that name."""
        channel = self._waveform.channel(query["source"])
        if channel is None:
            raise LookupError(query["source"])
        return JSON, _dump(curves.spectra(channel))

    def _slow(self, row: int) -> dict[str, object]:
        scalar = self._scalar
        limit, time = float(scalar.levels.limit[row]), float(scalar.clock.time[row])
        standing = scalar.standing(row)
        return {
            "source": scalar.sensors.names[row],
            "kind": "readings",
            "group": scalar.sensors.rules[scalar.sensors.rule[row]].group,
            "unit": scalar.sensors.unit(row),
            "value": float(scalar.clock.value[row]),
            "time": utc(time).isoformat() if np.isfinite(time) else None,
            "mean": figure(float(scalar.baseline.mean[row])),
            "sigma": figure(float(scalar.baseline.sigma(np.array([row]))[0])),
            "limit": limit if np.isfinite(limit) else None,
            "risk": figure(float(scalar.clock.value[row]) / limit) if np.isfinite(limit) else None,
            "state": _LEVELS[max(int(scalar.levels.level[row]), int(bool(standing)))],
            "standing": standing,
            "machine": scalar.machines.of(row),
        }

    def _standing(self, name: str) -> int:
        channel = self._waveform.channel(name)
        assert channel is not None
        return max((alarm.standing for alarm in channel.alarms.values()), default=0)

    def _wave(self, name: str) -> dict[str, object]:
        channel = self._waveform.channel(name)
        assert channel is not None
        judged = channel.last_judged
        facts: dict[str, object] = {
            "source": name,
            "kind": "waveform",
            "group": channel.rule.group,
            "unit": "m/s2",
            "rate_hz": channel.assembler.rate_hz,
            "rpm": channel.rpm,
            "rpm_estimated": channel.estimated,
            "state": _LEVELS[self._standing(name)],
            "gaps": channel.assembler.gaps,
        }
        if judged is not None:
            facts |= {
                "time": utc(judged.window.end).isoformat(),
                "value": figure(float(judged.time.rms[0])),
                "peak": figure(float(judged.time.peak[0])),
                "crest": figure(float(judged.time.crest[0])),
                "kurtosis": figure(float(judged.time.kurtosis[0])),
                "velocity": _known(float(judged.spectrum.velocity[0])),
                "zone": judged.zone,
                "orders": {part: figure(float(v)) for part, v in zip(PARTS, judged.levels, strict=True)},
            }
        return facts


def _known(value: float) -> float | None:
    return figure(value) if np.isfinite(value) else None


def _dump(document: Mapping[str, object]) -> bytes:
    return orjson.dumps(document)
