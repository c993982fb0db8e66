"""A letterboxed picture without its border, stretched to a square; within the network, whatever the picture's shape."""

import torch
from torch import Tensor, nn


class Stretch(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """Pictures (n, 1, h, w), black beside what they show, to (n, 1, side, side).

    Sides are up to the height and width it is made for. Each pixel is a mean of those around its place, weighted by a
    triangle: between neighbours where the picture is enlarged, over as many as become one where it is made smaller.
    """

    def __init__(self, height: int, width: int, side: int) -> None:
        super().__init__()
        self.down, self.across = _Axis(height, side), _Axis(width, side)

    def forward(self, x: Tensor) -> Tensor:
        """Rows and columns that are black from end to end, up to the first that is not, are the letterbox's."""
        rows, columns = x.amax(3, keepdim=True), x.amax(2, keepdim=True)
        return self.down(rows[..., 0]) @ x @ self.across(columns[:, :, 0]).transpose(2, 3)


class _Axis(nn.Module):  # type: ignore[misc]  # as above
    """The brightest pixel of each row or column, (n, 1, pixels), to weights (n, 1, side, pixels)."""

    def __init__(self, pixels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("until", torch.arange(pixels).float() + 1)
        self.register_buffer("behind", torch.arange(pixels, 0, -1).float())
        self.register_buffer("middle", torch.arange(pixels).float() + 0.5)
        self.register_buffer("steps", ((torch.arange(side).float() + 0.5) / side)[:, None])

    def forward(self, brightest: Tensor) -> Tensor:
        """No sums in here: the quantiser would make them of eight bits."""
        pixels = brightest.shape[2]
        shown, middle = (brightest > 0).float(), self.middle[:pixels]
        begin = self.behind[0] - (shown * self.behind[:pixels]).amax(2, keepdim=True)
        size = torch.maximum((shown * self.until[:pixels]).amax(2, keepdim=True) - begin, torch.tensor(1.0))
        begin, size = begin[..., None], size[..., None]
        within = (middle > begin).float() * (middle - size < begin).float()
        reach = torch.maximum(size / self.side, torch.tensor(1.0))
        apart = torch.abs(middle - begin - self.steps * size) / reach
        weights = torch.maximum(1 - apart, torch.tensor(0.0)) * within
        return weights / torch.maximum(weights.sum(3, keepdim=True), torch.tensor(1e-6))
