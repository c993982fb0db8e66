"""What the status page shows of sensors: a list, and one sensor in detail. JSON; nothing here changes state."""

from collections.abc import Mapping

import numpy as np
import orjson

from modules.vibration.outgoing import utc
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.waveform.channel import Channel
from modules.vibration.waveform.core import WaveformCore
from modules.vibration.waveform.features import Float32
from modules.vibration.waveform.orders import PARTS
from modules.vibration.waveform.spectrum import plan, transform
from modules.vibration.waveform.trend import figure

_LISTED = 1000
_POINTS = 400  # of a curve: what a page can draw
_LEVELS = ("normal", "warning", "critical")
_ENVELOPE_TURNS = 18  # orders shown of an envelope spectrum: three harmonics of an inner race

JSON = "application/json"


class Views:
    """Answers for GET /view/sensors and /view/sensor?source=."""

    def __init__(self, scalar: ScalarCore, waveform: WaveformCore) -> None:
        self._scalar = scalar
        self._waveform = waveform

    def sensors(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        """List sensors whose name contains `match`, those in a worse state first, at most `limit` (1000)."""
        match = query.get("match", "")
        limit = min(int(query.get("limit", _LISTED)), _LISTED)
        waveforms = [name for name in self._waveform.names if match in name]
        rows = [row for row, name in enumerate(self._scalar.sensors.names) if match in name]
        state = np.maximum(self._scalar.levels.level, self._scalar.persistence.standing)
        rows.sort(key=lambda row: -int(state[row]))
        document = {
            "readings": len(self._scalar.sensors),
            "waveforms": len(self._waveform),
            "sensors": [self._wave(name) for name in waveforms[:limit]]
            + [self._slow(row) for row in rows[: max(0, limit - len(waveforms))]],
        }
        return JSON, _dump(document)

    def sensor(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        """Show one sensor: recent readings, or waveform, spectrum and envelope spectrum. LookupError if unknown."""
        name = query["source"]
        channel = self._waveform.channel(name)
        if channel is not None:
            return JSON, _dump(self._wave(name) | _curves(channel))
        row = self._scalar.sensors.row(name)
        if row is None:
            raise LookupError(name)
        return JSON, _dump(self._slow(row) | {"recent": self._scalar.windows.recent(row).tolist()})

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

    def _wave(self, name: str) -> dict[str, object]:
        channel = self._waveform.channel(name)
        assert channel is not None
        judged = channel.last_judged
        standing = max((alarm.standing for alarm in channel.alarms.values()), default=0)
        facts: dict[str, object] = {
            "source": name,
            "kind": "waveform",
            "group": channel.rule.group,
            "unit": "m/s2",
            "rate_hz": channel.assembler.rate_hz,
            "rpm": channel.rpm,
            "rpm_estimated": channel.estimated,
            "state": _LEVELS[standing],
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


def _curves(channel: Channel) -> dict[str, object]:
    """Return the last window's waveform, amplitude spectrum and envelope spectrum, each thinned for a page."""
    assembler = channel.assembler
    window = assembler.recent()[-assembler.window :]
    if window.size < assembler.window:
        return {"waveform": _thinned(window, 1 / assembler.rate_hz)}
    prepared = plan(assembler.window, assembler.rate_hz, channel.bands())
    amplitude = np.abs(transform(window[np.newaxis], prepared)[0]) * np.float32(prepared.gain)
    curves: dict[str, object] = {
        "waveform": _thinned(window, 1 / assembler.rate_hz),
        "spectrum": _thinned(amplitude, prepared.resolution),
    }
    if channel.envelope is not None and channel.band is not None:
        shown = channel.envelope.size
        orders = channel.rule.bearing.orders() if channel.rule.bearing else None
        if channel.rpm:
            turns = channel.rpm / 60
            shown = min(shown, int(_ENVELOPE_TURNS * turns / channel.resolution))
            if orders:
                hertz = [order * turns for order in orders.passes]
                curves["lines"] = {part: figure(v) for part, v in zip(PARTS, hertz, strict=True)}
        curves["envelope"] = _thinned(np.sqrt(channel.envelope[2:shown]), channel.resolution, first=2)
        low, high = channel.band.low * channel.resolution, channel.band.high * channel.resolution
        curves["band"] = [figure(low), figure(high)]
    return curves


def _known(value: float) -> float | None:
    return figure(value) if np.isfinite(value) else None


def _thinned(values: Float32, step: float, first: int = 0) -> dict[str, object]:
    """Return a curve of at most _POINTS: the largest magnitude of each stretch, so that no line gets lost."""
    stride = max(1, -(-values.size // _POINTS))
    whole = values[: values.size // stride * stride].reshape(-1, stride)
    places = np.abs(whole).argmax(axis=1) if whole.size else np.zeros(0, dtype=np.intp)
    picked = whole[np.arange(whole.shape[0]), places]
    return {"step": step * stride, "first": first * step, "values": [figure(value) for value in picked.tolist()]}


def _dump(document: Mapping[str, object]) -> bytes:
    return orjson.dumps(document)
