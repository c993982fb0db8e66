"""A vibration window turned into figures at the bearing's own orders: envelope spectra in bands, read at fault lines.

The steps, for a window of n samples at a known shaft speed:

1. One FFT of the window. Each band's bins are cut out and transformed back alone, which gives the band's analytic
   signal already shifted to zero and decimated; its magnitude is the envelope (Randall & Antoni, *Rolling element
   bearing diagnostics - a tutorial*, MSSP 25 (2011), section 5.2).
2. The spectrum of each envelope, in orders of shaft speed, divided by its own local median: what is left says how far
   a line stands out of its surroundings, whatever the machine's loudness and the resonance's height.
3. That ratio is read at each line (a sum of bearing orders, such as BPFI - 1), within the slip a real bearing shows.
4. Maximum and mean over the bands: where the resonance lies does not matter, only that some band carries the line.
5. How the power is spread over a few wide pieces of the spectrum, as shares of their sum.

Nothing here looks at absolute level, nor above the last band: a louder machine, a sensor with another gain or a
decimation filter near half the sampling rate does not look like a fault, nor hide one.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

MIN_BINS: Final = 64  # a band with fewer spectral bins holds no envelope worth a spectrum
BACKGROUND_ORDERS: Final = 0.5  # width of the pieces whose median is the local background
FLOOR: Final = 1e-20


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecipe:
    """What to read from a window. Bands in Hz; ``orders`` name multiples of shaft speed; a line is a sum of them."""

    bands: tuple[tuple[float, float], ...]
    orders: Mapping[str, float]  # "bpfi": 5.415, ... of this bearing
    lines: tuple[Mapping[str, float], ...]  # {"bpfi": 1, "shaft": -1} stands for BPFI - 1
    slip: float  # relative search width around a line
    families: tuple[tuple[int, ...], ...]  # groups of lines whose share of the envelope's power is one figure each
    shape_hz: tuple[float, ...] = ()  # edges of the pieces whose share of the signal's power is one figure each

    def line_orders(self) -> NDArray[np.float64]:
        """Each line's order of shaft speed, shape (lines,)."""
        named = {**self.orders, "shaft": 1.0}
        return np.array([sum(factor * named[name] for name, factor in line.items()) for line in self.lines])

    @property
    def size(self) -> int:
        """Length of the feature vector."""
        return 2 * (len(self.lines) + len(self.families) + 2) + max(0, len(self.shape_hz) - 1)


def order_features(samples: NDArray[np.floating], rate_hz: float, rpm: float, recipe: OrderRecipe) -> FloatArray:
    """Features of one window, shape (recipe.size,), float32.

    ``samples`` shape (n,), any unit; ``rate_hz`` in Hz; ``rpm`` in 1/min. Raises ValueError when the window is not
    finite, too short for the bands, or the speed is not positive.
    """
    if samples.ndim != 1 or rpm <= 0 or rate_hz <= 0:
        raise ValueError("a window is one-dimensional and comes with its rate and shaft speed")
    if not np.isfinite(samples).all():
        raise ValueError("the window holds NaN or infinity")
    spectrum = np.fft.rfft(samples - samples.mean(dtype=np.float64))
    step_hz = rate_hz / len(samples)
    rows = [
        _band_features(spectrum[_bins(band, step_hz, len(spectrum))], step_hz * 60.0 / rpm, recipe)
        for band in recipe.bands
        if min(band[1], rate_hz / 2) - band[0] >= MIN_BINS * step_hz
    ]
    if not rows:
        raise ValueError("the window is too short, or its rate too low, for every band")
    table = np.stack(rows)
    shape = _shape(spectrum, step_hz, recipe.shape_hz)
    return np.concatenate([table.max(axis=0), table.mean(axis=0), shape]).astype(np.float32)


def _shape(spectrum: NDArray[np.complex128], step_hz: float, edges: tuple[float, ...]) -> NDArray[np.float64]:
    """Log share of the power in each piece between two edges."""
    if len(edges) < 2:
        return np.empty(0)
    power = np.array([float(np.vdot(part, part).real) for part in _pieces(spectrum, step_hz, edges)])
    return np.log10(power / max(float(power.sum()), FLOOR) + 1e-3)


def _pieces(spectrum: NDArray[np.complex128], step_hz: float, edges: tuple[float, ...]) -> list[NDArray[np.complex128]]:
    return [spectrum[_bins(band, step_hz, len(spectrum))] for band in itertools.pairwise(edges)]


def _bins(band: tuple[float, float], step_hz: float, count: int) -> slice:
    return slice(max(1, round(band[0] / step_hz)), min(count, round(band[1] / step_hz)))


def _band_features(bins: NDArray[np.complex128], step_orders: float, recipe: OrderRecipe) -> NDArray[np.float64]:
    """One band's row: log ratio at each line, log share of power per family, crest and kurtosis of the envelope."""
    envelope = np.abs(np.fft.ifft(bins))
    envelope /= max(envelope.mean(), FLOOR)
    deviation = envelope - 1.0
    power = np.abs(np.fft.rfft(deviation * np.hanning(len(deviation)))) ** 2
    ratio = power / _background(power, step_orders)
    peaks, shares = _read_lines(power, ratio, step_orders, recipe)
    variance = max(float(np.mean(deviation**2)), FLOOR)
    return np.concatenate(
        [
            np.log10(np.maximum(peaks, 1e-2)),
            np.log10(shares + 1e-3),
            [np.log10(variance), np.log10(float(np.mean(deviation**4)) / variance**2)],
        ]
    )


def _background(power: NDArray[np.float64], step_orders: float) -> NDArray[np.float64]:
    """Local median of a power spectrum: medians of pieces half an order wide, joined by straight lines."""
    width = max(8, round(BACKGROUND_ORDERS / step_orders))
    pieces = max(1, len(power) // width)
    usable = power[: pieces * width] if len(power) >= width else power
    medians = np.median(usable.reshape(pieces, -1), axis=1)
    centres = (np.arange(pieces) + 0.5) * (len(usable) / pieces)
    return np.maximum(np.interp(np.arange(len(power)), centres, medians), FLOOR)


def _read_lines(
    power: NDArray[np.float64], ratio: NDArray[np.float64], step_orders: float, recipe: OrderRecipe
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The highest ratio near each line, and each family's share of the power between 0.2 orders and the last line."""
    orders = recipe.line_orders()
    centres = orders / step_orders
    half = 1.0 + recipe.slip * centres
    starts = np.maximum(1, np.floor(centres - half)).astype(int)
    ends = np.ceil(centres + half).astype(int) + 1
    peaks = np.ones(len(orders))
    spans = np.zeros(len(orders))
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if end <= len(power):
            peaks[index] = ratio[start:end].max()
            spans[index] = power[start:end].max()
    total = max(float(power[max(1, round(0.2 / step_orders)) :].sum()), FLOOR)
    shares = np.array([spans[list(family)].sum() / total for family in recipe.families])
    return peaks, shares


def assemble_lines(
    *groups: Sequence[Mapping[str, float]],
) -> tuple[tuple[Mapping[str, float], ...], tuple[tuple[int, ...], ...]]:
    """Lines of all groups in one tuple, and for each group the positions of its lines."""
    lines: list[Mapping[str, float]] = []
    families: list[tuple[int, ...]] = []
    for group in groups:
        families.append(tuple(range(len(lines), len(lines) + len(group))))
        lines.extend(group)
    return tuple(lines), tuple(families)
