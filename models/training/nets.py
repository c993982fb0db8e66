"""The networks. Small on purpose: a few hundred tiles, nine bearings and a gateway's processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.contrast import LocalContrast
from models.training.lite import Trunk
from models.training.shown import Shown, shown
from models.training.stretch import Stretch


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


class MarkNet(nn.Module):  # type: ignore[misc]  # as above
    """Pictures (n, 1, h, w) in 0 to 1 to a heat map (n, h / 4, w / 4): where the defect is."""

    FIXED: Final = 3  # of the trunk's groups; it learns from stride 8 on

    def __init__(self, trunk: Trunk, channels: int = 40) -> None:
        super().__init__()
        self.contrast = LocalContrast()
        self.trunk = trunk
        self.fourth = nn.Conv2d(24, channels, 1)
        self.eighth = nn.Conv2d(40, channels, 1)
        self.sixteenth = nn.Conv2d(80, channels, 1)
        self.around = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 2, dilation=2, groups=channels),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
        )
        self.join = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels), nn.Conv2d(channels, channels, 1), nn.ReLU()
        )
        self.heat = nn.Conv2d(channels, 1, 1)
        nn.init.constant_(self.heat.bias, -3.0)
        self.drop = nn.Dropout2d(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """The heat map before the logistic function."""
        picture = shown(x)
        return picture.put_back(self.answer(*self.lower(picture.of(x), picture), picture), STRIDE, -OUTSIDE)

    def defect(self, x: Tensor) -> Tensor:
        """How much speaks for a defect, (n,)."""
        return top(self(x))

    def lower(self, x: Tensor, picture: Shown) -> tuple[Tensor, Tensor, Tensor]:
        """All that is the same for all networks of this kind: what `answer` takes."""
        contrast, inside = self.contrast(x)
        inside = functional.avg_pool2d(inside, STRIDE)
        return *self.fixed(contrast, inside, picture), inside

    def fixed(self, contrast: Tensor, inside: Tensor, picture: Shown | None = None) -> tuple[Tensor, Tensor]:
        """What the part of the trunk that is not fitted gives, at strides 4 and 8; `inside` (n, 1, h, w) is a share.

        Where they are cut from a canvas, `picture` says where; from stride 4 on the trunk looks further beside it.
        """
        low = self.trunk.low(contrast)
        # What is the same all over the picture is the material's and the light's, and no defect.
        area = torch.maximum(inside.mean((2, 3), keepdim=True), torch.tensor(1e-3))
        low = (low - (low * inside).mean((2, 3), keepdim=True) / area) * inside
        return low, self.trunk.groups[2](picture.widened(low, STRIDE) if picture else low)

    def answer(self, fourth: Tensor, eighth: Tensor, inside: Tensor, picture: Shown | None = None) -> Tensor:
        """Heat (n, h, w) from what is fixed."""
        sixteenth = self.trunk.groups[3](eighth)
        up = functional.interpolate(self.around(self.sixteenth(self.drop(sixteenth))), scale_factor=2.0)
        up = functional.relu(self.eighth(self.drop(eighth)) + up)
        up = picture.narrowed(up, 2 * STRIDE) if picture else up
        joined = self.join(functional.relu(self.fourth(fourth) + functional.interpolate(up, scale_factor=2.0)))
        return (self.heat(joined) * inside - OUTSIDE * (1 - inside))[:, 0]


class WholeNet(nn.Module):  # type: ignore[misc]  # as above
    """Pictures (n, 1, h, w) in 0 to 1, stretched to a small square: how much speaks for a defect, (n,)."""

    FIXED: Final = 2  # of the trunk's groups; it learns from stride 4 on

    def __init__(self, trunk: Trunk, stretch: Stretch, width: int = 48) -> None:
        super().__init__()
        self.stretch = stretch
        self.trunk = trunk
        self.across = nn.Conv2d(40, width, 1)
        self.down = nn.Conv2d(80, width, 1)
        self.join = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU())
        self.heat = nn.Conv2d(width, 1, 1)
        nn.init.constant_(self.heat.bias, -2.0)
        self.drop_channels, self.drop = nn.Dropout2d(0.1), nn.Dropout(0.3)
        self.last = nn.Linear(FEATURES, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """How much speaks for a defect, and the features that say so, (n, FEATURES)."""
        return self.judge(self.low(x))

    def low(self, x: Tensor) -> Tensor:
        """What the trunk's fixed lower part gives: the same for all networks of this kind."""
        return self.trunk.low(standardised(self.stretch(shown(x).of(x))))

    def defect(self, x: Tensor) -> Tensor:
        """How much speaks for a defect, (n,)."""
        return self(x)[0]

    def judge(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """From what the trunk's fixed lower part gives."""
        features = self.look(low)[0]
        return self.last(features)[:, 0], features

    def answer(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """The same while it learns: and heat (n, side / 8, side / 8) in place of the features."""
        features, heat = self.look(low)
        return self.last(features)[:, 0], heat

    def look(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """Features and heat."""
        eighth, sixteenth = self.trunk.high(low)
        up = functional.interpolate(self.down(self.drop_channels(sixteenth)), scale_factor=2.0)
        joined = functional.relu(self.across(self.drop_channels(eighth)) + up)
        heat = self.heat(self.join(joined))[:, 0]
        highest = heat.flatten(1).topk(8, 1)[0]
        pooled = self.drop(torch.cat([sixteenth.mean((2, 3)), sixteenth.amax((2, 3))], 1) * 0.3)
        return torch.cat([pooled, highest.mean(1, keepdim=True), highest[:, :1]], 1), heat


class TileNet(nn.Module):  # type: ignore[misc]  # as above
    """Both parts: a tile is OK when neither finds anything. Scores (n, 2), and the first part's heat map.

    Each part may be several networks on the same lower part of the trunk that learnt in other orders; the mean of them
    counts. Each has its own scale: what is taken off its answer, and what that is divided by, so that the logistic
    function makes a probability of it. The last layer passes on the odds that one of the two is right; it is there so
    that gateways can learn it anew (models/federated), from all that the parts saw.
    """

    def __init__(self, marks: Sequence[MarkNet], wholes: Sequence[WholeNet], scales: tuple[Scale, Scale]) -> None:
        super().__init__()
        self.marks, self.wholes, self.scales = nn.ModuleList(marks), nn.ModuleList(wholes), scales
        self.last = nn.Linear(len(wholes) * FEATURES + 3, 1)
        with torch.no_grad():
            self.last.weight.zero_()[0, -1] = 1.0
            self.last.bias.zero_()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of (ok, defect) before softmax, and heat before the logistic function."""
        picture = shown(x)
        lower = self.marks[0].lower(picture.of(x), picture)
        heats = torch.stack([marks.answer(*lower, picture) for marks in self.marks], 1)
        low = self.wholes[0].low(x)
        answers, features = zip(*(whole.judge(low) for whole in self.wholes), strict=True)
        evidence = (top(heats), torch.stack(answers, 1))
        found = torch.stack([scale(each.mean(1)) for scale, each in zip(self.scales, evidence, strict=True)], 1)
        neither = functional.softplus(found).sum(1)  # minus the logarithm of its probability
        odds = neither - (-torch.log(torch.maximum(1 - torch.exp(-neither), torch.tensor(1e-6))))
        defect = self.last(torch.cat([*features, found, odds[:, None]], 1))
        heat = self.scales[0](picture.put_back(heats.mean(1), STRIDE, -OUTSIDE))
        return torch.cat([-0.5 * defect, 0.5 * defect], 1), heat


@dataclass(frozen=True, slots=True)
class Scale:
    """From evidence to the logarithm of odds."""

    offset: float
    unit: float

    def __call__(self, evidence: Tensor) -> Tensor:
        """Elementwise."""
        return (evidence - self.offset) / self.unit


FEATURES = 2 * 80 + 2  # of the whole tile
LEAST = 8 / 255  # an even picture is not divided by nothing
STRIDE = 4  # pixels: the side of a cell of heat
OUTSIDE = 20.0  # how cold it is beside the picture
TOP = 4  # cells: a blowhole has no more


def top(heat: Tensor, cells: int = TOP) -> Tensor:
    """Mean of the highest cells of each map (..., h, w): shape (...)."""
    return heat.flatten(-2).topk(cells, -1)[0].mean(-1)


def standardised(x: Tensor) -> Tensor:
    """Pictures to mean 0 and deviation 1, each by itself."""
    apart = x - x.mean((2, 3), keepdim=True)
    # Minus the negative: of a sum the quantiser would make eight bits.
    return apart / (torch.sqrt((apart * apart).mean((2, 3), keepdim=True)) - (-LEAST))


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
