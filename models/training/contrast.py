"""Local contrast: a picture's brightness against that of its surroundings, in units of how much it varies there.

Within the network, so that whoever runs the package need not know of it. A letterbox's black border takes no part.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.crops import MOST

CELL: Final = 16  # pixels; means of cells are what the surroundings are made of
REACH: Final = 40.0  # pixels: deviation of the Gaussian that weighs the surroundings
LEAST: Final = 3 / 255  # of the variation: an even grey is not blown up


class LocalContrast(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """Pictures (n, 1, h, w) in 0 to 1 to contrast of the same shape, and to where there is a picture (0 or 1).

    Sides are whole cells, up to the height and width it is made for.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.register_buffer("down", torch.from_numpy(_weights(height)))
        self.register_buffer("across", torch.from_numpy(_weights(width).T.copy()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns that are black from end to end are the letterbox's."""
        # Minima and maxima and no clamping: the quantiser leaves these operators in floating point.
        rows, columns = (x.amax(3, keepdim=True) > 0).float(), (x.amax(2, keepdim=True) > 0).float()
        inside = rows * columns
        height, width = x.shape[2], x.shape[3]
        # The share of the surroundings that shows the picture is one of rows times one of columns.
        down, across = self.down[:height, : height // CELL], self.across[: width // CELL, :width]
        down = down / torch.maximum(down @ functional.avg_pool2d(rows, (CELL, 1)), torch.tensor(1e-6))
        across = across / torch.maximum(functional.avg_pool2d(columns, (1, CELL)) @ across, torch.tensor(1e-6))
        apart = (x - down @ functional.avg_pool2d(x, CELL) @ across) * inside
        around = down @ functional.avg_pool2d(apart * apart, CELL) @ across
        varies = torch.maximum(torch.sqrt(around), torch.tensor(LEAST))
        return torch.maximum(torch.minimum(apart / varies, torch.tensor(MOST)), torch.tensor(-MOST)), inside


def _weights(side: int) -> NDArray[np.float32]:
    """Of each cell in the surroundings of each pixel, shape (side, side / CELL)."""
    pixels, cells = np.arange(side) + 0.5, (np.arange(side // CELL) + 0.5) * CELL
    return np.asarray(np.exp(-((pixels[:, None] - cells) ** 2) / (2 * REACH**2)), np.float32)
