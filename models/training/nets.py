"""The networks. Small on purpose: a few hundred tiles, nine bearings and a gateway's processor."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.lite import Trunk


class SteelNet(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """Pictures (n, 1, h, w) to scores (n, labels): a linear answer on texture statistics of a fixed trunk."""

    def __init__(self, trunk: Trunk, labels: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.last = nn.Linear(STATISTICS, labels)

    def statistics(self, x: Tensor) -> Tensor:
        """Mean and deviation of each channel at strides 8 and 16."""
        return torch.cat([each for part in self.trunk.high(self.trunk.low(x)) for each in _moments(part)], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores before softmax."""
        return self.last(self.statistics(x))


STATISTICS = 2 * (40 + 80)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.mean((2, 3))
    return mean, torch.sqrt(torch.relu((x * x).mean((2, 3)) - mean * mean) + 1e-6)


class Convolve(nn.Sequential):  # type: ignore[misc]  # as above
    """Convolution, batch norm, ReLU."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
        )


class Residual(nn.Module):  # type: ignore[misc]  # as above
    """Two convolutions beside a straight line."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Convolve(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in."""
        return functional.relu(x + self.second(self.first(x)))


class HeatNet(nn.Module):  # type: ignore[misc]  # as above
    """Pictures (n, 1, h, w) to scores (n, 2) and a heat map (n, h / 8, w / 8): where the defect is.

    The network sees the picture twice: as it is, and less the mean of each column, because tiles are ground in that
    direction and the grinding marks hide cracks.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (12, 24, 40, 64)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.one = Convolve(2, a, 2)
        self.two = nn.Sequential(Convolve(a, b, 2), Residual(b))
        self.three = nn.Sequential(Convolve(b, c, 2), Residual(c))
        self.four = nn.Sequential(Convolve(c, d, 2), Residual(d))
        self.across = nn.Conv2d(c, c, 1)
        self.down = nn.Conv2d(d, c, 1)
        self.join = Convolve(c, c)
        self.heat = nn.Conv2d(c, 1, 1)
        self.drop = nn.Dropout(0.2)
        self.last = nn.Linear(2 * d + 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of (ok, defect) before softmax, and the heat map before the logistic function."""
        x = torch.cat([x, 2 * (x - x.mean(2, keepdim=True))], 1)
        three = self.three(self.two(self.one(x)))
        four = self.four(three)
        up = functional.interpolate(self.down(four), scale_factor=2.0)
        heat = self.heat(self.join(functional.relu(self.across(three) + up)))[:, 0]
        top = heat.flatten(1).topk(8, 1)[0]
        pooled = self.drop(torch.cat([four.mean((2, 3)), four.amax((2, 3))], 1))
        defect = self.last(torch.cat([pooled, top.mean(1, keepdim=True), top[:, :1]], 1))
        return torch.cat([-0.5 * defect, 0.5 * defect], 1), heat


class OrderNet(nn.Module):  # type: ignore[misc]  # as above
    """Features of a window (n, f) to scores (n, labels); standardises its input itself."""

    def __init__(self, mean: Tensor, deviation: Tensor, labels: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.layers = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(len(mean), hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Linear(hidden, labels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scores before softmax."""
        return self.layers(torch.clamp((x - self.mean) / self.deviation, -5.0, 5.0))
