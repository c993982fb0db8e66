"""One waveform sensor: its windows, their features, the band its envelope is taken of, and how they are judged."""

from dataclasses import dataclass, field

import numpy as np

from modules.vibration.finding import NOTHING_TO_DO, SCHEDULE, SHUT_DOWN, Finding
from modules.vibration.waveform.alarm import Alarm, Severity
from modules.vibration.waveform.blocks import Assembler, Window
from modules.vibration.waveform.envelope import Band, candidates, envelope_kurtosis, envelope_spectrum
from modules.vibration.waveform.features import Float32, Float64, TimeFeatures, time_features
from modules.vibration.waveform.orders import PARTS, Orders, order_levels
from modules.vibration.waveform.rules import WaveformRule
from modules.vibration.waveform.spectrum import Complex64, Plan, SpectrumFeatures, plan, spectrum_features, transform

SIXTHS = 6
_SHORTEST_AVERAGE = 5  # envelope spectra are averaged over about this many windows: lines stay, noise levels out


@dataclass(frozen=True, slots=True)
class Judged:
    """One window with all that was found in it."""

    window: Window
    time: TimeFeatures
    spectrum: SpectrumFeatures
    levels: Float64  # of PARTS; zeros where speed or bearing is not known
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
    averaged: int = 0
    rpm: float | None = None
    alarms: dict[str, Alarm] = field(default_factory=dict)
    last_judged: Judged | None = None

    def bands(self) -> tuple[tuple[float, float], ...]:
        """Return the bands whose levels are told, in Hz: sixths of the range."""
        width = self.assembler.rate_hz / 2 / SIXTHS
        return tuple((number * width, (number + 1) * width) for number in range(SIXTHS))

    def recut(self, assembler: Assembler) -> None:
        """Start the signal anew with other windows or another rate; what stands stays."""
        self.assembler, self.band, self.averaged, self.windows = assembler, None, 0, 0

    def judge(self, window: Window, rpm: float | None) -> Judged:
        """Compute a window's features and judge them by the rule."""
        prepared = plan(self.assembler.window, self.assembler.rate_hz, self.bands())
        rows = window.samples[np.newaxis]
        spectra = transform(rows, prepared)
        levels = self._orders(spectra, prepared, rpm or self.rule.rpm)
        time = time_features(rows)
        findings = self._findings(window, time, levels)
        self.windows += 1
        unusual = bool(findings) or any(alarm.recent and alarm.recent[-1] for alarm in self.alarms.values())
        judged = Judged(window, time, spectrum_features(spectra, prepared), levels, unusual, findings)
        self.last_judged = judged
        return judged

    def _orders(self, spectra: Complex64, prepared: Plan, rpm: float | None) -> Float64:
        orders = self.rule.bearing.orders() if self.rule.bearing is not None else None
        if rpm is not None and self.rpm is not None and abs(rpm - self.rpm) > 0.01 * self.rpm:
            self.averaged = 0  # lines have moved: an average over both speeds would show neither
        self.rpm = rpm
        if self.band is None or self.windows % self.band_every == 0 or self.windows in {4, 16, 64}:
            band = self._choose(prepared, orders)
            if band != self.band:
                self.band, self.averaged = band, 0
        power = envelope_spectrum(spectra, self.band)[0]
        if self.averaged == 0 or self.envelope is None:
            self.envelope = power
        else:
            self.envelope += (power - self.envelope) / min(self.averaged + 1, _SHORTEST_AVERAGE)
        self.averaged += 1
        if orders is None or not rpm:
            return np.zeros(len(PARTS))
        return order_levels(self.envelope[np.newaxis], prepared.resolution, rpm / 60, orders).reshape(-1)

    def _choose(self, prepared: Plan, orders: Orders | None) -> Band:
        """Choose the band in which bearing lines stand out most, or without a bearing the one with most impacts."""
        recent = self.assembler.recent()
        length, hop = self.assembler.window, self.assembler.hop
        starts = range((recent.size - length) % hop, recent.size - length + 1, hop)
        spectra = transform(np.stack([recent[start : start + length] for start in starts]), prepared)
        best, height = candidates(length)[0], -np.inf
        for band in candidates(length):
            if orders is not None and self.rpm:
                power = envelope_spectrum(spectra, band).mean(axis=0, keepdims=True)
                level = float(order_levels(power, prepared.resolution, self.rpm / 60, orders).max())
            else:
                level = float(np.median(envelope_kurtosis(spectra, band)))
            if level > height:
                best, height = band, level
        return best

    def _findings(self, window: Window, time: TimeFeatures, levels: Float64) -> list[Finding]:
        rule = self.rule
        found = []
        rms, kurtosis = float(time.rms[0]), float(time.kurtosis[0])
        if rule.rms_limit is not None:
            risk = rms / rule.rms_limit
            severity: Severity = "critical" if risk > rule.critical else "warning" if risk > rule.warning else "info"
            text = f"vibration is at {risk:.2f} of its limit"
            found.append(self._step(window, "level", severity, text, value=rms, limit=rule.rms_limit, unit="m/s2"))
        if rule.kurtosis is not None:
            severity = "warning" if kurtosis > rule.kurtosis else "info"
            text = f"impacts in the vibration: kurtosis {kurtosis:.1f}"
            found.append(self._step(window, "impacts", severity, text, value=kurtosis, limit=rule.kurtosis))
        if rule.order is not None:
            part, level = PARTS[int(levels.argmax())], float(levels.max())
            sharp = rule.order_critical or np.inf
            severity = "critical" if level > sharp else "warning" if level > rule.order else "info"
            text = f"{part} defect: its line stands {level:.0f} times above the rest of the envelope spectrum"
            evidence = {str(name): round(float(value), 2) for name, value in zip(PARTS, levels, strict=True)}
            found.append(
                self._step(
                    window, "bearing", severity, text, value=level, limit=rule.order, label=part, evidence=evidence
                )
            )
        return [finding for finding in found if finding is not None]

    def _step(
        self,
        window: Window,
        rule: str,
        severity: Severity,
        text: str,
        *,
        value: float,
        limit: float,
        unit: str | None = None,
        label: str | None = None,
        evidence: dict[str, float] | None = None,
    ) -> Finding | None:
        change = self.alarms.setdefault(rule, Alarm()).step(severity, window.end, self.rule.patience())
        if change is None:
            return None
        state, standing = change
        cleared = state == "cleared"
        return Finding(
            sensor=self.name,
            rule=rule,
            severity=standing,
            state=state,
            time=window.end,
            text=f"{self.name}: the finding has ended" if cleared else f"{self.name}: {text}",
            advice={"critical": SHUT_DOWN, "warning": SCHEDULE, "info": NOTHING_TO_DO}[standing],
            value=value,
            limit=limit,
            unit=unit,
            label=None if cleared else label,
            evidence={"group": self.rule.group, "needed": self.rule.needed, "of": self.rule.of, **(evidence or {})},
        )
