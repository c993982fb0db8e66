"""Local contrast: a picture's logarithm of brightness against that of its surroundings, in units of how much it varies.

A hole swallows a share of the light, be it in a dark edge or in a bright one: that is what the logarithm is for. The
unit is one for the whole picture, for what is local to a defect beside an edge is the edge. Within the network, so that
whoever runs the package need not know of it. A letterbox's black border takes no part.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.crops import MOST

CELL: Final = 16  # pixels; means of cells are what the surroundings are made of
REACH: Final = 40.0  # pixels: deviation of the Gaussian that weighs the surroundings
SOFT: Final = 10 / 255  # is added to all brightness: what is darker is a sensor's noise
MORE: Final = 1.2  # times as much as its usual cell varies the whole picture, edges and all
LEAST: Final = 0.04  # of the variation: an even grey is not blown up


class LocalContrast(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """Pictures (n, 1, h, w) in 0 to 1 to contrast of the same shape, and to where there is a picture (0 or 1).

    Sides are whole cells.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns that are black from end to end are the letterbox's."""
        # Minima and maxima and no clamping: the quantiser leaves these operators in floating point.
        rows, columns = (x.amax(3, keepdim=True) > 0).float(), (x.amax(2, keepdim=True) > 0).float()
        inside = rows * columns
        # The share of the surroundings that shows the picture is one of rows times one of columns.
        down, across = _weights(x.shape[2]), _weights(x.shape[3]).T
        down = down / torch.maximum(down @ functional.avg_pool2d(rows, (CELL, 1)), torch.tensor(1e-6))
        across = across / torch.maximum(functional.avg_pool2d(columns, (1, CELL)) @ across, torch.tensor(1e-6))
        # Minus the negative: of a sum the quantiser would make eight bits.
        light = torch.log(x - (-SOFT)) * inside
        apart = (light - down @ functional.avg_pool2d(light, CELL) @ across) * inside
        apart = apart / _variation(apart, inside)
        return torch.maximum(torch.minimum(apart, torch.tensor(MOST)), torch.tensor(-MOST)), inside


def _variation(apart: Tensor, inside: Tensor) -> Tensor:
    """What is usual in the cells of each picture, (n, 1, 1, 1): a geometric mean, which an edge hardly moves."""
    shown = functional.avg_pool2d(inside, CELL)
    squares = functional.avg_pool2d(apart * apart, CELL) / torch.maximum(shown, torch.tensor(1e-6))
    deviation = torch.maximum(torch.sqrt(squares), torch.tensor(LEAST))
    area = torch.maximum(shown.sum((2, 3), keepdim=True), torch.tensor(1e-6))
    return MORE * torch.exp((torch.log(deviation) * shown).sum((2, 3), keepdim=True) / area)


def _weights(side: int) -> Tensor:
    """Of each cell in the surroundings of each pixel, shape (side, side / CELL).

    Computed for each picture: it takes microseconds, and in the file they would be an eighth of all bytes.
    """
    pixels, cells = torch.arange(side).float(), torch.arange(side // CELL).float() * CELL
    apart = (pixels[:, None] - cells - (CELL - 1) / 2) / REACH  # from middle to middle
    return torch.exp(apart * apart * -0.5)
