"""Shaft speed read from the vibration itself, where no message tells it or a nameplate tells it roughly.

A turning shaft leaves lines at its speed and the multiples of it, in the spectrum (unbalance, misalignment, looseness)
and in the envelope spectrum (load that changes as it turns). The speed is that whose multiples stand out most together:
the harmonic sum spectrum of Noll 1969 (Pitch determination of human speech by the harmonic product spectrum, the
harmonic sum spectrum, and a maximum likelihood estimate), on spectra divided by their own background so that a
resonance counts for nothing, and in decibels so that one loud line does not decide alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from modules.vibration.waveform.envelope import Band, envelope_spectrum, smooth
from modules.vibration.waveform.features import Float32, Float64
from modules.vibration.waveform.spectrum import Complex64

LOWEST_HZ = 5.0
HIGHEST_HZ = 100.0  # 6,000 turns a minute; faster machines name their speed
_HARMONICS = 6  # sought in the spectrum
_LINES = range(1, _HARMONICS + 1)
_ENVELOPE_HARMONICS = 3
_CLEAR = 25.0  # dB; what a line stands out by beyond that counts for nothing more
_CONFIDENT = 12.0  # dB on average over the lines; noise reaches 7 in a thousand searches (tests)
_RIVAL = 0.8  # share of the best sum that another speed, no multiple or part of it, must not reach
_OWN = 8.0  # dB; what lines must stand out by that only this speed has, and no multiple or part of it
_NARROW = 1.5  # highest to lowest of a search in which no speed is twice another
_AROUND = 24  # bins on each side that tell the background
_STEPS = 8  # of the search, to a bin
_SPECTRA = 4  # mean spectra are taken over about this many windows
_SMEAR = 3.0  # bins; a Hann line is as wide


@dataclass(frozen=True, slots=True)
class Speed:
    """Turns a second, and how far the lines stand out on average, dB."""

    hz: float
    height: float


@dataclass(slots=True)
class Listener:
    """The mean spectra of one sensor's last windows, from which its shaft's speed is read."""

    power: Float32 | None = None
    envelope: Float32 | None = None
    heard: int = 0

    def hear(
        self, spectra: Complex64, resolution: float, low_hz: float, high_hz: float, passes: Sequence[float] = ()
    ) -> float | None:
        """Take in a window's spectrum, complex64[1, bins]; return the speed in Hz if the last windows tell it."""
        bins = spectra.shape[1] - 1
        wide = Band(bins // 12, bins // 12 + smooth(bins * 5 // 6))
        power = spectra.real[0] ** 2 + spectra.imag[0] ** 2
        envelope = envelope_spectrum(spectra, wide)[0]
        self.heard += 1
        if self.power is None or self.envelope is None:
            self.power, self.envelope = power, envelope
        else:
            share = np.float32(1 / min(self.heard, _SPECTRA))
            self.power += (power - self.power) * share
            self.envelope += (envelope - self.envelope) * share
        found = estimate(self.power, self.envelope, resolution, low_hz, high_hz, passes)
        return None if found is None else found.hz


def estimate(
    power: Float32,
    envelope: Float32,
    resolution: float,
    low_hz: float,
    high_hz: float,
    passes: Sequence[float] = (),
) -> Speed | None:
    """Return the shaft's speed between `low_hz` and `high_hz`, or None where the signal does not tell it clearly.

    `power`: float32[bins] mean power spectrum of some windows, `envelope`: float32[bins] mean power of their envelope
    spectra, both `resolution` Hz apart and made with a Hann taper. `passes` are the bearing's orders: a defect knocks
    at multiples too, and what is so many times a speed whose own lines stand out is taken for such a defect. None when
    no speed's lines stand out, when another speed's do so nearly as well, when a multiple of the speed or a part of it
    may be meant, or when the lowest speed would turn less than four times in a window.
    """
    low_hz = max(low_hz, 4 * resolution)
    if high_hz <= low_hz:
        return None
    lines = _Lines(
        _clear(power, high_hz * _HARMONICS / resolution),
        _clear(envelope, high_hz * _ENVELOPE_HARMONICS / resolution),
    )
    speeds = np.arange(low_hz, high_hz, resolution / _STEPS) / resolution
    sums = lines.mean(speeds, _LINES)
    found = float(speeds[_middle(sums, int(sums.argmax()))])
    height = float(sums.max())
    if _rival(sums, speeds, found) >= _RIVAL * height:
        return None
    if high_hz < _NARROW * low_hz:  # near a nominal speed there are no multiples to be mistaken for it
        if height < _CONFIDENT / 2 or lines.own(found) < _OWN:
            return None
    else:
        for each in [*(found / part for part in (3, 2)), *(found / order for order in passes)]:
            if speeds[0] <= each <= speeds[-1] and lines.own(each) >= _OWN:
                found = each
                break
        if height < _CONFIDENT or any(lines.between(found, part) < _OWN for part in (2, 3)):
            return None
    sources = [(lines.spectrum, power, _LINES), (lines.modulation, envelope, _LINES[:_ENVELOPE_HARMONICS])]
    return Speed(_refined(sources, found) * resolution, height)


@dataclass(frozen=True, slots=True)
class _Lines:
    """How far each bin of the spectrum and of the envelope spectrum stands out, dB."""

    spectrum: Float64
    modulation: Float64

    def mean(self, speeds: Float64, numbers: Sequence[int]) -> Float64:
        """Return the mean level at these multiples of each speed (in bins), of both spectra together."""
        few = [number for number in numbers if number <= _ENVELOPE_HARMONICS]
        return _mean(self.spectrum, speeds, numbers) + (_mean(self.modulation, speeds, few) if few else 0)

    def between(self, speed: float, part: int) -> float:
        """Return the level at the multiples of a speed that are none of `part` times that speed."""
        return float(self.mean(np.array([speed]), [number for number in _LINES if number % part])[0])

    def own(self, speed: float) -> float:
        """Return the level of a speed's first two lines in the spectrum, of the fainter one."""
        return min(float(_mean(self.spectrum, np.array([speed]), [number])[0]) for number in (1, 2))


def _middle(sums: Float64, top: int) -> int:
    """Return the middle of the flat top that begins at `top`: a line is wider than a step of the search."""
    end = top
    while end + 1 < sums.size and sums[end + 1] > 0.98 * sums[top]:
        end += 1
    return (top + end) // 2


def _clear(power: Float32, last: float) -> Float64:
    """Return by how many dB, 0 to _CLEAR, each bin up to `last` stands out of the median of those around it."""
    size = min(power.size - _AROUND, int(last) + 2)
    if size <= 2 * _AROUND:
        return np.zeros(0)
    padded = np.pad(power[: size + _AROUND].astype(np.float64), (_AROUND, 0), mode="reflect")
    around = np.median(sliding_window_view(padded, 2 * _AROUND + 1), axis=1)[:size]
    level = 10 * np.log10(np.maximum(power[:size], 1e-30) / np.maximum(around, 1e-30))
    level[:3] = 0  # the taper's own share
    return np.asarray(np.clip(level, 0, _CLEAR))


def _mean(level: Float64, speeds: Float64, numbers: Sequence[int]) -> Float64:
    """Return the mean level at these multiples of each speed (in bins); what lies beyond the spectrum counts as 0."""
    if not level.size:
        return np.zeros(speeds.size)
    places = np.rint(speeds[:, None] * np.array(numbers)).astype(np.intp)
    known = places < level.size
    return np.asarray(np.where(known, level[np.where(known, places, 0)], 0).mean(axis=1))


def _rival(sums: Float64, speeds: Float64, best: float) -> float:
    """Return the largest sum of a speed that is no simple multiple or part of the best one."""
    ratio = speeds / best
    near = np.zeros(speeds.size, dtype=np.bool_)
    for top in range(1, _HARMONICS + 1):
        for bottom in range(1, _HARMONICS + 1):
            near |= np.abs(ratio - top / bottom) * best < _SMEAR
    return float(sums[~near].max(initial=0.0))


def _refined(sources: Sequence[tuple[Float64, Float32, Sequence[int]]], speed: float) -> float:
    """Return the speed in bins by all its lines: each one's place, weighted by its number and by how it stands out.

    `sources`: of each spectrum the levels, the power and the multiples that are sought in it.
    """
    places, numbers, weights = [], [], []
    for level, power, sought in sources:
        for number in sought:
            low = max(1, round(speed * number) - 2)
            if low + 6 > level.size:
                break
            top = low + int(power[low : low + 5].argmax())
            left, middle, right = np.sqrt(power[top - 1 : top + 2].astype(np.float64))
            if middle < max(left, right) or level[top] < _OWN:
                continue
            # Grandke 1983, eq. 9: where between two bins a line under a Hann taper lies.
            ratio = max(left, right) / middle
            shift = min(max((2 * ratio - 1) / (ratio + 1), 0.0), 0.5)
            places.append(top + (shift if right >= left else -shift))
            numbers.append(number)
            weights.append(number * level[top])
    return float(np.dot(weights, places) / np.dot(weights, numbers)) if places else speed
