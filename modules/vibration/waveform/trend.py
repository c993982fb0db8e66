"""Sums up a waveform sensor's windows over a minute or so: what goes up instead of the samples, if it has changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from modules.vibration.waveform.channel import Judged
from modules.vibration.waveform.features import Float64
from modules.vibration.waveform.orders import PARTS

_CHANGE = 1.26  # 2 dB: what repeated measurements of one running machine differ by (Randall 2011, section 4.2)
_LINES = 1.5  # a bearing line's height over its background scatters more
_FAINT = 4.0  # below it a line's height is noise's
_ARRAYS = ("bands", "levels", "levels_most")


@dataclass(slots=True)
class Trend:
    """Running totals of the windows since `start`; empty until the first one."""

    partial: bool = False
    count: int = 0
    start: float = 0.0
    end: float = 0.0
    first_seq: int = 0
    last_seq: int = 0
    gaps: int = 0
    unusual: int = 0
    square: float = 0.0
    peak: float = 0.0
    crest: float = 0.0
    kurtosis: float = 0.0
    kurtosis_most: float = 0.0
    skewness: float = 0.0
    shape: float = 0.0
    impulse: float = 0.0
    integrated: int = 0  # windows long enough to tell velocity
    velocity: float = 0.0
    zone: str | None = None
    rpm: float | None = None
    estimated: bool = False
    bands: Float64 = field(default_factory=lambda: np.zeros(0))
    lined: int = 0  # windows whose bearing lines were told
    levels: Float64 = field(default_factory=lambda: np.zeros(len(PARTS)))  # summed over them
    levels_most: Float64 = field(default_factory=lambda: np.zeros(len(PARTS)))

    def add(self, judged: Judged) -> None:
        """Take a window in; of zones the worst counts, of speeds the last."""
        window, time, spectrum = judged.window, judged.time, judged.spectrum
        if self.count == 0:
            self.start, self.first_seq = window.start, window.first_seq
            self.bands = np.zeros(spectrum.band_rms.shape[1])
            self.levels, self.levels_most = np.zeros(len(PARTS)), np.zeros(len(PARTS))
        self.count += 1
        self.end, self.last_seq = window.end, window.last_seq
        self.gaps += window.gaps
        self.unusual += judged.unusual
        self.square += float(time.rms[0]) ** 2
        self.peak = max(self.peak, float(time.peak[0]))
        self.crest = max(self.crest, float(time.crest[0]))
        self.kurtosis += float(time.kurtosis[0])
        self.kurtosis_most = max(self.kurtosis_most, float(time.kurtosis[0]))
        self.skewness += float(time.skewness[0])
        self.shape += float(time.shape[0])
        self.impulse = max(self.impulse, float(time.impulse[0]))
        if np.isfinite(spectrum.velocity[0]):
            self.integrated += 1
            self.velocity += float(spectrum.velocity[0]) ** 2
        self.zone = max((each for each in (self.zone, judged.zone) if each), default=None)
        self.rpm, self.estimated = judged.rpm, judged.estimated
        self.bands = self.bands + spectrum.band_rms[0] ** 2
        self.lined += bool(judged.levels.any())
        self.levels = self.levels + judged.levels
        self.levels_most = np.maximum(self.levels_most, judged.levels)

    def differs(self, other: "Trend") -> bool:
        """Tell whether this summary says anything that `other`, of the same sensor, did not say.

        A level counts as changed beyond 2 dB, a mean kurtosis by more than 0.5, and so do a zone that asks for more or
        less, a gap, windows that were unusual where none was or none where some were, and an end before time.
        """
        if self._state() != other._state():  # noqa: SLF001 - one of its own
            return True
        if self.gaps or self.bands.size != other.bands.size or (self.rpm is None) != (other.rpm is None):
            return True
        mine, others = self.rms_levels(), other.rms_levels()
        louder = mine > _CHANGE * others
        quieter = mine < others / _CHANGE
        lines, before = np.maximum(self.lines(), _FAINT), np.maximum(other.lines(), _FAINT)
        moved = (lines > _LINES * before) | (lines < before / _LINES)
        impacts = abs(self.kurtosis / self.count - other.kurtosis / other.count) > 0.5
        return bool(louder.any() or quieter.any() or moved.any() or impacts)

    def _state(self) -> tuple[str, bool, bool]:
        return _asks(self.zone), bool(self.unusual), self.partial

    def rms_levels(self) -> Float64:
        """Return RMS of acceleration, of velocity where told, and of the bands."""
        squares = np.array([self.square, self.velocity, *self.bands])
        return np.asarray(np.sqrt(squares / max(self.count, 1)))

    def lines(self) -> Float64:
        """Return how far the lines of PARTS stand out on average; zeros where they were not told."""
        return np.asarray(self.levels / max(self.lined, 1))

    def saved(self) -> dict[str, object]:
        """Return the totals for a snapshot."""
        return asdict(self) | {name: getattr(self, name).tolist() for name in _ARRAYS}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> Self:
        """Return the totals of a snapshot, marked partial if there were any. Raises KeyError or TypeError."""
        trend = cls(**saved)
        for name in _ARRAYS:
            setattr(trend, name, np.array(saved[name]))
        trend.partial = trend.count > 0
        return trend

    def document(self) -> dict[str, object]:
        """Return the summary, numbers to five figures; RMS values are root mean squares over the windows."""
        n = max(self.count, 1)
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "count": self.count,
            "gaps": self.gaps,
            "partial": self.partial,
            "unusual": self.unusual,
            "rms": figure((self.square / n) ** 0.5),
            "peak": figure(self.peak),
            "crest": figure(self.crest),
            "kurtosis": figure(self.kurtosis / n),
            "kurtosis_most": figure(self.kurtosis_most),
            "skewness": figure(self.skewness / n),
            "shape": figure(self.shape / n),
            "impulse": figure(self.impulse),
            "velocity": figure((self.velocity / self.integrated) ** 0.5) if self.integrated else None,
            "zone": self.zone,
            "rpm": None if self.rpm is None else figure(self.rpm),
            "estimated": self.estimated,
            "bands": [figure(value) for value in np.sqrt(self.bands / n)],
            "orders": [figure(value) for value in self.lines()],
            "orders_most": [figure(value) for value in self.levels_most],
        }


def _asks(zone: str | None) -> str:
    """Return what a zone asks for; A and B, where most machines live, ask for nothing."""
    return zone if zone in {"C", "D"} else ""


def figure(value: float) -> float:
    """Round to five significant figures: what a sensor is good for, in few bytes."""
    return float(f"{value:.5g}")
