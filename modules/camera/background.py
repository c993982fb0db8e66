"""What a camera sees when nothing passes, how noisy each of its pixels is, and what counts as different there.

All in the small picture. A pixel differs where it is further from the background than its tolerance: the threshold, or
so many times the pixel's own noise, and something more at the background's edges, which any tremble moves. Outside
the regions of interest and under ignored areas the tolerance is infinite.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.camera.light import Light
from modules.camera.shift import gradients

Grey = NDArray[np.float32]
Mask = NDArray[np.uint8]

NEVER: Final = np.float32(1e6)
_NOISE_RATE: Final = 0.02  # per frame
_FIRST_NOISE_RATE: Final = 0.15
_RENEW: Final = 10  # frames between two looks at noise and edges
_EDGE: Final = 0.5  # of a small pixel: so far a background's edge may move unseen
_OF_MEAN: Final = 1.2533  # standard deviation over mean magnitude, of a normal distribution
_CALIBRATED: Final = 40  # frames
_BANDS_RATE: Final = 0.05


class Background:
    """The running background of one scene; starts from its first frame."""

    def __init__(
        self, small: Grey, watched: NDArray[np.bool_], *, threshold: float | None, noise_factor: float, low: float
    ) -> None:
        self.mean = small.copy()
        self.noise = np.full_like(small, 1.5)  # mean magnitude of the difference, grey levels
        self.light: Final = Light(*small.shape)
        self.watched: Final = watched
        self.border: Final = _border(watched)
        self.cells: Final = np.asarray(self.light.shrink(watched.astype(np.float32)) > 0.5)
        self.band_size = 0.0
        self.quiet = 0
        self._fixed, self._factor, self._low = threshold, noise_factor, low
        self._age = 0
        self.threshold = float(threshold or low)
        self.tolerance = small
        self.slopes = gradients(self.mean)
        self.renew()

    @property
    def calibrated(self) -> bool:
        """Whether enough quiet frames have shown the scene's noise."""
        return self.quiet >= _CALIBRATED

    @property
    def level(self) -> float:
        """The scene's noise: the standard deviation of its middle pixel, grey levels."""
        flat = self.noise[::2, ::2].ravel()
        at = flat.size // 2
        return float(np.partition(flat, at)[at]) * _OF_MEAN

    def share(self, cells: NDArray[np.bool_]) -> float:
        """The share of the watched cells that these are."""
        return float(np.count_nonzero(cells)) / max(1, int(np.count_nonzero(self.cells)))

    def renew(self) -> None:
        """Work out edges, threshold and tolerance again."""
        self.slopes = gradients(self.mean)
        fixed = self._fixed
        if fixed is None:
            fixed = float(np.clip(1.3 * self._factor * self.level, self._low, 30)) if self.quiet >= 5 else 18.0
        self.threshold = fixed
        self.tolerance = np.maximum(self.noise * np.float32(self._factor * _OF_MEAN), np.float32(fixed))
        across, down = self.slopes
        self.tolerance += np.float32(_EDGE) * (np.abs(across) + np.abs(down))
        self.tolerance[~self.watched] = NEVER

    def different(self, difference: Grey, share: float = 1.0) -> Mask:
        """1 where the difference is beyond the tolerance, or a share of it."""
        beyond = self.tolerance if share == 1 else self.tolerance * np.float32(share)
        return (np.abs(difference) > beyond).astype(np.uint8)

    def follow(self, small: Grey, rate: float, mask: Mask | None = None) -> None:
        """Move towards the frame, everywhere or where the mask is not 0."""
        cv2.accumulateWeighted(small, self.mean, rate, mask=mask)

    def replace(self, small: Grey) -> None:
        """Take the frame for the background."""
        self.mean = small.copy()
        self.renew()

    def learn_noise(self, difference: Grey, besides: Mask | None) -> None:
        """Learn from what differs though nothing passes; `besides` is 1 where something does."""
        size = np.minimum(np.abs(difference), np.float32(3 * self.threshold))
        rate = _NOISE_RATE if self.calibrated else _FIRST_NOISE_RATE
        cv2.accumulateWeighted(size, self.noise, rate, mask=None if besides is None else 1 - besides)
        self.quiet += 1
        self._age += 1
        if self._age % _RENEW == 0:
            self.renew()

    def learn_bands(self, bands: Grey) -> None:
        """Learn how strong the bands of flickering lamps are here: RMS over the rows, grey levels."""
        size = float(np.sqrt(np.mean(np.square(bands))))
        self.band_size += _BANDS_RATE * (size - self.band_size)


def _border(watched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The outermost watched pixels: what reaches them may go on outside."""
    inner = cv2.erode(np.pad(watched, 1).astype(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    return np.asarray(watched & (inner == 0))
