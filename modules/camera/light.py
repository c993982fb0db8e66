"""What a change of light alone would make of the background.

Light that is switched, dims with the day or is followed by the camera's own exposure multiplies the picture and adds to
it, by amounts that vary little from place to place. So background and frame are averaged over some 150 cells, and
gain, offset and a curved surface are fitted to the cells by iterated weighting (Cauchy's weights): cells that show
something else than light count little.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

_ACROSS: Final = 16
_ROUNDS: Final = 5
_RIDGE: Final = (1e-3, 0.02, 0.02, 0.05, 0.05, 0.05, 0.02)
"""Of offset, x, y, xx, yy, xy and gain: without need the surface stays flat and the gain 1."""
_BAND_CELLS: Final = 16


class Light:
    """Fits light for small pictures of one shape."""

    def __init__(self, rows: int, columns: int) -> None:
        self.cells: Final = (_ACROSS, max(2, round(_ACROSS * rows / columns)))  # OpenCV's order
        self._rows = rows
        self._coarse = _basis(self.cells[1], self.cells[0])
        self._fine = np.ascontiguousarray(_basis(rows, columns).T.reshape(6, rows, columns), np.float32)

    def shrink(self, small: Grey) -> Grey:
        """Means over the cells."""
        return np.asarray(cv2.resize(small, self.cells, interpolation=cv2.INTER_AREA), np.float32)

    def offset(self, difference: Grey) -> float:
        """The middle of the cells' differences: what an even change of light adds."""
        flat = self.shrink(difference).ravel()
        return float(np.partition(flat, flat.size // 2)[flat.size // 2])

    def changed(self, difference: Grey) -> float:
        """By how much seven cells in ten differ at most, grey levels: things leave more of them as they were."""
        flat = np.abs(self.shrink(difference)).ravel()
        at = int(0.7 * flat.size)
        return float(np.partition(flat, at)[at])

    def unlike(self, difference: Grey, limit: float) -> float:
        """The share of the cells that differ by more than so many grey levels."""
        return float(np.mean(np.abs(self.shrink(difference)) > limit))

    def fit(self, small: Grey, background: Grey) -> Grey:
        """What light adds to the background, if a change of light explains most of `small` - `background`."""
        coarse = self.shrink(background).ravel().astype(np.float64)
        change = self.shrink(small).ravel() - coarse
        centre = float(coarse.mean())
        spread = float(coarse.std()) + 1.0
        terms = np.column_stack([self._coarse, (coarse - centre) / spread])
        rest = change - np.median(change)
        solved = np.zeros(7)
        for _ in range(_ROUNDS):
            scale = 1.4826 * float(np.median(np.abs(rest))) + 0.5
            weight = 1 / (1 + np.square(rest / (2.4 * scale)))
            weighted = terms * weight[:, None]
            normal = weighted.T @ terms + np.diag(_RIDGE) * len(change)
            solved = np.linalg.solve(normal, weighted.T @ change)
            rest = change - terms @ solved
        gain = np.float32(solved[6] / spread)
        surface = np.tensordot(solved[:6].astype(np.float32), self._fine, 1)
        surface += gain * (background - np.float32(centre))
        return np.asarray(surface, np.float32)

    def bands(self, difference: Grey) -> Grey:
        """The middle of each row, (rows, 1): what a rolling shutter makes of lamps that flicker with the mains."""
        cells = cv2.resize(difference, (_BAND_CELLS, self._rows), interpolation=cv2.INTER_AREA)
        middle = np.partition(cells, _BAND_CELLS // 2, axis=1)[:, _BAND_CELLS // 2]
        return np.asarray(cv2.blur(middle.reshape(-1, 1), (1, 3)), np.float32)


def _basis(rows: int, columns: int) -> NDArray[np.float64]:
    """1, x, y, xx, yy, xy at the centres, (rows * columns, 6), with x and y from -1 to 1."""
    y, x = np.mgrid[0:rows, 0:columns]
    x, y = (2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1
    return np.stack([np.ones_like(x), x, y, x * x - 1 / 3, y * y - 1 / 3, x * y], -1).reshape(-1, 6)
