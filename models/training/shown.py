"""The part of a letterbox that shows a picture: what lies beside it is not worked on.

Within the network, whatever the picture's shape. A tile that stands upright fills half of its letterbox.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

CELL: Final = 16  # pixels: where it is cut, so that each stride's grid lies as it lay before
NEAR: Final = 10  # pixels beside the picture at least: as far as the trunk's fixed lower part reaches
WIDER: Final = 64  # pixels beside that: what lies further off no longer changes what the trunk's upper part makes of it


@dataclass(frozen=True)
class Shown:
    """A rectangle of the canvas; pixels as whole numbers in tensors, for the exporter follows nothing else."""

    height: int | Tensor  # of the canvas
    width: int | Tensor
    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor

    def of(self, canvas: Tensor) -> Tensor:
        """The rectangle, cut from (n, 1, h, w)."""
        # Columns first: it is mostly those that go, and what is left is copied twice.
        return canvas[:, :, :, self.left : self.right][:, :, self.top : self.bottom]

    def put_back(self, part: Tensor, stride: int, value: float) -> Tensor:
        """`part` (n, h, w) of that stride where it lay on the canvas, and `value` beside it."""
        left, top = self.left // stride, self.top // stride
        right, bottom = (self.width - self.right) // stride, (self.height - self.bottom) // stride
        return functional.pad(part, [left, right, top, bottom], value=value)

    def widened(self, part: Tensor, stride: int) -> Tensor:
        """`part` (n, c, h, w) of that stride with zeros beside it, no further than the canvas goes."""
        left, right, top, bottom = (side // stride for side in self._wider())
        return functional.pad(part, [left, right, top, bottom])

    def narrowed(self, part: Tensor, stride: int) -> Tensor:
        """What `widened` had put beside it, taken off."""
        left, right, top, bottom = (side // stride for side in self._wider())
        return part[:, :, top : part.shape[2] - bottom, left : part.shape[3] - right]

    def _wider(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        most = torch.tensor(WIDER)
        beside = (self.left, self.width - self.right, self.top, self.height - self.bottom)
        left, right, top, bottom = (torch.minimum(side, most) for side in beside)
        return left, right, top, bottom


def shown(x: Tensor) -> Shown:
    """Where any of the pictures (n, 1, h, w) is not black, in whole cells."""
    return Shown(x.shape[2], x.shape[3], *_ends(x.amax((0, 1, 3))), *_ends(x.amax((0, 1, 2))))


def _ends(brightest: Tensor) -> tuple[Tensor, Tensor]:
    """First and last pixel (exclusive) of rows or columns; of an even black the last cell.

    Minima and maxima, and no sums: the quantiser leaves these operators in floating point.
    """
    pixels = brightest.shape[0]
    there, until = (brightest > 0).float(), torch.arange(pixels).float() + 1
    first = pixels - (there * until.flip(0)).amax(0)
    begin = torch.floor(torch.clamp(first - NEAR, 0.0, pixels - 1.0) / CELL)
    last = torch.minimum((there * until).amax(0) - (-NEAR), torch.tensor(float(pixels)))
    end = torch.maximum(torch.ceil(last / CELL), begin - (-1))
    return (begin * CELL).long(), (end * CELL).long()
