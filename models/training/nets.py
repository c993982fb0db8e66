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


class TileNet(nn.Module):  # type: ignore[misc]  # as above
    """Pictures (n, 1, h, w) to scores (n, 2) and a heat map (n, h / 8, w / 8): where the defect is."""

    def __init__(self, trunk: Trunk, width: int = 48) -> None:
        super().__init__()
        self.trunk = trunk
        self.across = nn.Conv2d(40, width, 1)
        self.down = nn.Conv2d(80, width, 1)
        self.join = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU())
        self.heat = nn.Conv2d(width, 1, 1)
        nn.init.constant_(self.heat.bias, -2.0)
        self.drop_channels, self.drop = nn.Dropout2d(0.1), nn.Dropout(0.3)
        self.last = nn.Linear(2 * 80 + 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of (ok, defect) before softmax, and the heat map before the logistic function."""
        return self.answer(self.trunk.low(x))

    def answer(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """The same from what the trunk's fixed lower part gives."""
        eighth, sixteenth = self.trunk.high(low)
        up = functional.interpolate(self.down(self.drop_channels(sixteenth)), scale_factor=2.0)
        joined = functional.relu(self.across(self.drop_channels(eighth)) + up)
        heat = self.heat(self.join(joined))[:, 0]
        top = heat.flatten(1).topk(8, 1)[0]
        pooled = self.drop(torch.cat([sixteenth.mean((2, 3)), sixteenth.amax((2, 3))], 1) * 0.3)
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
