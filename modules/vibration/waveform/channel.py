"""One waveform sensor: its windows, their features, the band its envelope is taken of, and how they are judged."""

import math
from dataclasses import dataclass, field

import numpy as np

from modules.vibration.finding import Finding
from modules.vibration.waveform.alarm import Alarm
from modules.vibration.waveform.bands import choose
from modules.vibration.waveform.blocks import KEPT_WINDOWS, Assembler, Window
from modules.vibration.waveform.conditions import Figures, step
from modules.vibration.waveform.envelope import Band, envelope_spectrum
from modules.vibration.waveform.features import Float32, Float64, TimeFeatures, time_features
from modules.vibration.waveform.orders import PARTS, order_levels
from modules.vibration.waveform.rules import WaveformRule
from modules.vibration.waveform.soundness import fault
from modules.vibration.waveform.spectrum import Complex64, Plan, SpectrumFeatures, plan, spectrum_features, transform
from modules.vibration.waveform.speed import Listener
from modules.vibration.waveform.zones import Zone

SIXTHS = 6
TURNS = 30  # of the shaft that an envelope spectrum spans at least, so that lines an eighth of an order apart part
_SPECTRA = 5  # envelope spectra are averaged over about this many: lines stay, noise levels out


@dataclass(frozen=True, slots=True)
class Judged:
    """One window with all that was found in it."""

    window: Window
    time: TimeFeatures
    spectrum: SpectrumFeatures
    levels: Float64  # of PARTS; zeros where speed or bearing is not known
    zone: Zone | None
    rpm: float | None
    estimated: bool  # whether the speed was read from the signal
    unusual: bool
    findings: list[Finding]


@dataclass(slots=True)
class Channel:
    """State of one sensor. `rule` may be replaced at any time."""

    name: str
    rule: WaveformRule
    assembler: Assembler
    band_every: int
    windows: int = 0
    band: Band | None = None
    envelope: Float32 | None = None
    span: int = 1
    """Windows that an envelope spectrum spans."""
    averaged: int = 0
    rpm: float | None = None
    estimated: bool = False
    """Whether `rpm` was read from the signal."""
    listener: Listener = field(default_factory=Listener)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    last_judged: Judged | None = None

    def bands(self) -> tuple[tuple[float, float], ...]:
        """Return the bands whose levels are told, in Hz: sixths of the range."""
        width = self.assembler.rate_hz / 2 / SIXTHS
        return tuple((number * width, (number + 1) * width) for number in range(SIXTHS))

    @property
    def resolution(self) -> float:
        """Hz between two lines of the envelope spectrum."""
        return self.assembler.rate_hz / (self.span * self.assembler.window)

    def recut(self, assembler: Assembler) -> None:
        """Start the signal anew with other windows or another rate; what stands stays."""
        self.assembler, self.band, self.averaged, self.windows = assembler, None, 0, 0
        self.listener = Listener()

    def judge(self, window: Window, rpm: float | None) -> Judged:
        """Compute a window's features and judge them by the rule; `rpm` as its message tells it."""
        prepared = plan(self.assembler.window, self.assembler.rate_hz, self.bands())
        rows = window.samples[np.newaxis]
        spectra = transform(rows, prepared)
        self._set_speed(spectra, prepared, rpm)
        levels = self._orders(window, spectra)
        time, spectrum = time_features(rows), spectrum_features(spectra, prepared)
        velocity = float(spectrum.velocity[0])
        zone = self.rule.zones.of(velocity) if self.rule.zones is not None and math.isfinite(velocity) else None
        share = self.rule.clipping
        figures = Figures(
            end=window.end,
            rms=float(time.rms[0]),
            kurtosis=float(time.kurtosis[0]),
            velocity=velocity,
            zone=zone,
            levels=levels,
            fault=None if share is None else fault(window.samples, share),
        )
        findings = step(self.name, self.rule, self.alarms, figures)
        self.windows += 1
        unusual = bool(findings) or any(alarm.recent and alarm.recent[-1] for alarm in self.alarms.values())
        judged = Judged(window, time, spectrum, levels, zone, self.rpm, self.estimated, unusual, findings)
        self.last_judged = judged
        return judged

    def _set_speed(self, spectra: Complex64, prepared: Plan, told: float | None) -> None:
        """Take the speed from the message, else from the rule, else from the signal."""
        bounds = self.rule.speed_bounds(told)
        rpm = told or self.rule.rpm
        if bounds is not None:
            passes = self.rule.bearing.orders().passes if self.rule.bearing is not None else ()
            heard = self.listener.hear(spectra, prepared.resolution, bounds[0] / 60, bounds[1] / 60, passes)
            rpm = None if heard is None else heard * 60
        self.estimated = bounds is not None and rpm is not None
        if rpm is None or self.rpm is None or abs(rpm - self.rpm) > 0.01 * self.rpm:
            self.averaged = 0  # lines have moved: an average over both speeds would show neither
        self.rpm = rpm

    def _orders(self, window: Window, spectra: Complex64) -> Float64:
        """Return how far the lines of PARTS stand out; zeros while that cannot be told."""
        nothing = np.zeros(len(PARTS))
        orders = self.rule.bearing.orders() if self.rule.bearing is not None else None
        turns_hz = self.rpm / 60 if self.rpm else None
        span = self._span(turns_hz)
        if span > KEPT_WINDOWS - 1:
            span, turns_hz = 1, None  # turns too slowly: the band by its impacts, and no word on lines
        if span != self.span:
            self.span, self.band, self.averaged = span, None, 0
        length = span * self.assembler.window
        if window.past.size < length:
            return nothing
        if span > 1:
            spectra = transform(window.past[np.newaxis, -length:], plan(length, self.assembler.rate_hz, ()))
        if self.band is None or self.windows % self.band_every == 0 or self.windows in {4, 16, 64}:
            band = choose(self._recent(window, length), self.resolution, length, turns_hz, orders)
            if band != self.band:
                self.band, self.averaged = band, 0
        power = envelope_spectrum(spectra, self.band)[0]
        if self.averaged == 0 or self.envelope is None:
            self.envelope = power
        else:
            self.envelope += (power - self.envelope) / min(self.averaged + 1, _SPECTRA)
        self.averaged += 1
        if orders is None or turns_hz is None:
            return nothing
        return order_levels(self.envelope[np.newaxis], self.resolution, turns_hz, orders).reshape(-1)

    def _span(self, turns_hz: float | None) -> int:
        """Return how many windows it takes for TURNS turns."""
        if turns_hz is None:
            return 1
        return math.ceil(TURNS / (turns_hz * self.assembler.window / self.assembler.rate_hz) - 1e-6)

    def _recent(self, window: Window, length: int) -> Complex64:
        """Return spectra of the kept stretches of `length` samples, a hop apart, the last ending with the window."""
        hop, past = self.assembler.hop, window.past
        starts = range((past.size - length) % hop, past.size - length + 1, hop)
        prepared = plan(length, self.assembler.rate_hz, ())
        return transform(np.stack([past[start : start + length] for start in starts]), prepared)
